"""Small sound datasets of every format, for the alterations."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import SimpleITK
import tifffile
from PIL import Image

SHAPE = (9, 8, 7)
SIDES = (20, 24)
AFFINE = np.array([[-1.5, 0, 0, 90.0], [0, 1.25, 0, -60.0], [0, 0, 2.0, 30.0], [0, 0, 0, 1]])
"""Affine of the volumes: voxels of 1.5 x 1.25 x 2 mm, axes in the directions LAS."""


@dataclass
class Dataset:
    """A dataset on disk.

    `keys`: its entry in a study. `owners`: file -> the case that it belongs to. `masks`: the mask files. `classes`: the values of
    each class. `notes`: what was altered. `gone`: cases whose files were all removed. `said`: what a message or note must name.
    """

    root: Path
    keys: dict[str, Any]
    axes: int
    classes: dict[str, tuple[int, ...]]
    threshold: float | None = None
    owners: dict[Path, str] = field(default_factory=dict)
    masks: set[Path] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)

    def add(self, case: str, path: Path, mask: bool = False) -> Path:
        """Register a file of a case and return its path; its folder is made."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.owners[path] = case
        if mask:
            self.masks.add(path)
        return path

    @property
    def cases(self) -> list[str]:
        """The names of the cases as they were made."""
        return sorted(set(self.owners.values()) - self.gone)

    @property
    def images(self) -> list[Path]:
        """The image files in the order of their names."""
        return sorted(set(self.owners) - self.masks)

    def files(self, *endings: str) -> list[Path]:
        """Return the files with one of these endings, all without one."""
        return sorted(path for path in self.owners if not endings or path.name.lower().endswith(endings))


def volume(rng: np.random.Generator) -> np.ndarray:
    """Return an image of signed whole numbers, as CT has them."""
    return rng.integers(-200, 300, SHAPE).astype(np.int16)


def labels(rng: np.random.Generator, values: tuple[int, ...], shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    """Return a mask with a box of each value."""
    mask = np.zeros(shape, np.uint8)
    for value in values:
        low = rng.integers(0, np.array(shape) - 4)
        mask[tuple(slice(at, at + side) for at, side in zip(low, rng.integers(2, 5, len(shape)), strict=True))] = value
    mask[tuple(side - 1 for side in shape)] = values[-1]
    return mask


def save(path: Path, data: np.ndarray, affine: np.ndarray = AFFINE) -> None:
    """Write a volume in mm, with both forms."""
    image = nibabel.Nifti1Image(data, affine)
    image.header.set_xyzt_units("mm")
    image.set_sform(affine, 1)
    image.set_qform(affine, 1)
    nibabel.save(image, path)


def picture(rng: np.random.Generator, channels: int = 1) -> np.ndarray:
    """Return a picture of noise with a ramp."""
    ramp = np.add.outer(np.arange(SIDES[0]), np.arange(SIDES[1]))[..., np.newaxis]
    data = (ramp + rng.integers(0, 200, (*SIDES, channels))).astype(np.uint8)
    return data[..., 0] if channels == 1 else data


def _folders_volumes(root: Path, rng: np.random.Generator) -> Dataset:
    files: dict[str, Any] = {"images": ["{case}/image.nii.gz"], "masks": "{case}/mask.nii.gz"}
    keys: dict[str, Any] = {"format": "folders", "files": files | {"classes": {"background": 0, "organ": 1, "lesion": 2}}}
    dataset = Dataset(root, keys, 3, {"background": (0,), "organ": (1,), "lesion": (2,)})
    for case in ("one", "two", "three"):
        save(dataset.add(case, root / case / "image.nii.gz"), volume(rng))
        save(dataset.add(case, root / case / "mask.nii.gz", mask=True), labels(rng, (1, 2)))
    return dataset


def _folders_two_channels(root: Path, rng: np.random.Generator) -> Dataset:
    files: dict[str, Any] = {"images": ["images/{case}_t1.nii", "images/{case}_t2.nii"], "masks": "masks/{case}.nii"}
    keys = {"format": "folders", "files": files | {"classes": {"background": 0, "rim": [1, 3], "core": 7}}}
    dataset = Dataset(root, keys, 3, {"background": (0,), "rim": (1, 3), "core": (7,)})
    for case in ("p1", "p2", "p10"):
        for channel in ("t1", "t2"):
            save(dataset.add(case, root / "images" / f"{case}_{channel}.nii"), volume(rng).astype(np.float32))
        save(dataset.add(case, root / "masks" / f"{case}.nii", mask=True), labels(rng, (1, 3, 7)))
    return dataset


def _folders_slices(root: Path, rng: np.random.Generator) -> Dataset:
    files: dict[str, Any] = {"images": ["images/{case}.nii.gz"], "masks": "masks/{case}.nii.gz"}
    keys = {"format": "folders", "files": files | {"classes": {"background": 0, "lesion": 1}}}
    dataset = Dataset(root, keys, 2, {"background": (0,), "lesion": (1,)})
    for case in ("s1", "s2", "s3"):
        data = rng.integers(-200, 300, (*SIDES, 1)).astype(np.int16)
        save(dataset.add(case, root / "images" / f"{case}.nii.gz"), data)
        mask = labels(rng, (1,), SIDES)[..., np.newaxis]
        save(dataset.add(case, root / "masks" / f"{case}.nii.gz", mask=True), mask)
    return dataset


def _folders_metaimage(root: Path, rng: np.random.Generator) -> Dataset:
    return _folders_of_itk(root, rng, ".mha")


def _folders_nrrd(root: Path, rng: np.random.Generator) -> Dataset:
    return _folders_of_itk(root, rng, ".nrrd")


def _folders_of_itk(root: Path, rng: np.random.Generator, ending: str) -> Dataset:
    files: dict[str, Any] = {"images": [f"images/{{case}}{ending}"], "masks": f"masks/{{case}}{ending}"}
    keys = {"format": "folders", "files": files | {"classes": {"background": 0, "organ": 1, "lesion": 2}}}
    dataset = Dataset(root, keys, 3, {"background": (0,), "organ": (1,), "lesion": (2,)})
    for case in ("q1", "q2", "q3"):
        for folder, data in (("images", volume(rng)), ("masks", labels(rng, (1, 2)))):
            image = SimpleITK.GetImageFromArray(data.transpose(2, 1, 0))
            image.SetSpacing((1.5, 1.25, 2.0))
            image.SetOrigin((-90.0, 60.0, 30.0))
            path = dataset.add(case, root / folder / f"{case}{ending}", mask=folder == "masks")
            SimpleITK.WriteImage(image, str(path), bool(rng.integers(2)))
    return dataset


def _folders_pictures(root: Path, rng: np.random.Generator) -> Dataset:
    keys = {"format": "folders", "files": {"classes": {"background": 0, "lesion": 255}}}
    dataset = Dataset(root, keys, 2, {"background": (0,), "lesion": (255,)})
    for case in ("p-1", "p-2", "p-3", "p-4"):
        Image.fromarray(picture(rng)).save(dataset.add(case, root / "images" / f"{case}.png"))
        Image.fromarray(labels(rng, (255,), SIDES)).save(dataset.add(case, root / "masks" / f"{case}.png", mask=True))
    return dataset


def _nnunet(root: Path, rng: np.random.Generator) -> Dataset:
    dataset = Dataset(root, {"format": "nnunet_raw"}, 3, {"background": (0,), "organ": (1,), "lesion": (2,)})
    for case in ("h_001", "h_002", "h_003"):
        for channel in ("0000", "0001"):
            save(dataset.add(case, root / "imagesTr" / f"{case}_{channel}.nii.gz"), volume(rng))
        save(dataset.add(case, root / "labelsTr" / f"{case}.nii.gz", mask=True), labels(rng, (1, 2)))
    content = {"channel_names": {"0": "T1", "1": "T2"}, "labels": {"background": 0, "organ": 1, "lesion": 2}}
    (root / "dataset.json").write_text(json.dumps(content | {"numTraining": 3, "file_ending": ".nii.gz"}))
    return dataset


def _nnunet_pictures(root: Path, rng: np.random.Generator) -> Dataset:
    dataset = Dataset(root, {"format": "nnunet_raw"}, 2, {"background": (0,), "cell": (1,)})
    for case in ("x_1", "x_2", "x_3"):
        Image.fromarray(picture(rng)).save(dataset.add(case, root / "imagesTr" / f"{case}_0000.png"))
        Image.fromarray(labels(rng, (1,), SIDES)).save(dataset.add(case, root / "labelsTr" / f"{case}.png", mask=True))
    content = {"channel_names": {"0": "grey"}, "labels": {"background": 0, "cell": 1}, "numTraining": 3, "file_ending": ".png"}
    (root / "dataset.json").write_text(json.dumps(content))
    return dataset


def _msd(root: Path, rng: np.random.Generator) -> Dataset:
    dataset = Dataset(root, {"format": "msd"}, 3, {"background": (0,), "front": (1,), "back": (2,)})
    listed = []
    for case in ("m_001", "m_002", "m_003"):
        save(dataset.add(case, root / "imagesTr" / f"{case}.nii.gz"), volume(rng))
        save(dataset.add(case, root / "labelsTr" / f"{case}.nii.gz", mask=True), labels(rng, (1, 2)))
        listed.append({"image": f"./imagesTr/{case}.nii.gz", "label": f"./labelsTr/{case}.nii.gz"})
    content = {"labels": {"0": "background", "1": "front", "2": "back"}, "modality": {"0": "MRI"}, "numTraining": 3}
    (root / "dataset.json").write_text(json.dumps(content | {"training": listed, "test": []}))
    return dataset


def _kits19(root: Path, rng: np.random.Generator) -> Dataset:
    dataset = Dataset(root, {"format": "kits19"}, 3, {"background": (0,), "kidney": (1,), "tumour": (2,)})
    for case in ("case_00000", "case_00001", "case_00002"):
        save(dataset.add(case, root / "data" / case / "imaging.nii.gz"), volume(rng))
        save(dataset.add(case, root / "data" / case / "segmentation.nii.gz", mask=True), labels(rng, (1, 2)))
    return dataset


def _brats20(root: Path, rng: np.random.Generator) -> Dataset:
    keys = {"format": "brats20", "channels": ["t1ce", "flair"]}
    dataset = Dataset(root, keys, 3, {"background": (0, 1, 2), "tumour": (4,)})
    for case in ("BraTS20_Training_001", "BraTS20_Training_002", "BraTS20_Training_003"):
        for channel in ("t1ce", "flair"):
            save(dataset.add(case, root / case / f"{case}_{channel}.nii.gz"), volume(rng))
        save(dataset.add(case, root / case / f"{case}_seg.nii.gz", mask=True), labels(rng, (1, 2, 4)))
    return dataset


def _busi(root: Path, rng: np.random.Generator) -> Dataset:
    dataset = Dataset(root, {"format": "busi"}, 2, {"background": (0,), "lesion": (255,)}, threshold=127)
    for kind, number in (("benign", 1), ("benign", 2), ("malignant", 1), ("normal", 1)):
        case, stem = f"{kind} ({number:03d})", f"{kind} ({number})"
        grey = Image.fromarray(picture(rng)).convert("RGB")  # as the dataset's are
        grey.save(dataset.add(case, root / kind / f"{stem}.png"))
        mask = labels(rng, (255,), SIDES) if kind != "normal" else np.zeros(SIDES, np.uint8)
        Image.fromarray(mask).save(dataset.add(case, root / kind / f"{stem}_mask.png", mask=True))
    return dataset


def _cvc(root: Path, rng: np.random.Generator) -> Dataset:
    keys = {"format": "cvc_clinicdb"}
    dataset = Dataset(root, keys, 2, {"background": (0,), "polyp": (255,)}, threshold=127)
    for number in (1, 2, 60):
        case = f"frame_{number:03d}"
        tifffile.imwrite(dataset.add(case, root / "Original" / f"{number}.tif"), picture(rng, 3), photometric="rgb")
        tifffile.imwrite(dataset.add(case, root / "Ground Truth" / f"{number}.tif", mask=True), labels(rng, (255,), SIDES))
    return dataset


def _drive(root: Path, rng: np.random.Generator) -> Dataset:
    dataset = Dataset(root, {"format": "drive"}, 2, {"background": (0,), "vessel": (255,)}, threshold=127)
    for number in ("21", "22", "23"):
        case, folder = f"{number}_training", root / "training"
        tifffile.imwrite(dataset.add(case, folder / "images" / f"{number}_training.tif"), picture(rng, 3), photometric="rgb")
        mask = Image.fromarray(labels(rng, (255,), SIDES))
        mask.save(dataset.add(case, folder / "1st_manual" / f"{number}_manual1.gif", mask=True))
    return dataset


def _bus2017(root: Path, rng: np.random.Generator) -> Dataset:
    dataset = Dataset(root, {"format": "bus2017"}, 2, {"background": (0,), "lesion": (255,)}, threshold=127)
    for case in ("000001", "000002", "000003"):
        Image.fromarray(picture(rng)).save(dataset.add(case, root / "original" / f"{case}.png"))
        Image.fromarray(labels(rng, (255,), SIDES)).save(dataset.add(case, root / "GT" / f"{case}.png", mask=True))
    return dataset


BUILDERS: tuple[Callable[[Path, np.random.Generator], Dataset], ...] = (
    *(_folders_volumes, _folders_two_channels, _folders_pictures, _nnunet, _nnunet_pictures, _msd, _kits19, _brats20),
    *(_busi, _cvc, _drive, _bus2017, _folders_metaimage, _folders_nrrd, _folders_slices),
)
