"""Synthetic cases in the layout of KiTS19's files: smooth random CT (int16), two kidneys with a tumour each (uint8).

Organs are ellipsoids of fixed size in mm, so that a case with thinner slices has more of them in the same organs.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from workflow_lib.base.files import sha256_file, write_json

CLIP, TARGET = (-79.0, 304.0), (3.22, 1.62, 1.62)
"""The paper's window in HU and voxel size in mm for KiTS19."""
PATCH, OVERLAP = (80, 160, 160), (40, 80, 80)
CLASSES, BATCH = 3, 2
ORGANS = (
    ((0.48, 0.50, 0.28), (0, 0, 0), (55, 28, 28), 1),
    ((0.52, 0.50, 0.72), (0, 0, 0), (52, 27, 27), 1),
    ((0.48, 0.50, 0.28), (12, 16, 10), (18, 18, 18), 2),
    ((0.52, 0.50, 0.72), (-20, -14, -6), (7, 7, 7), 2),
)
"""Of each: where in the image its centre lies, an offset in mm, half axes in mm, class."""


@dataclass(frozen=True)
class Geometry:
    """Voxels and voxel size in mm of a case, in the axes of the file: slices, rows, columns."""

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]

    @property
    def new_shape(self) -> tuple[int, ...]:
        """Shape at the paper's voxel size."""
        return tuple(int(n * s / t) for n, s, t in zip(self.shape, self.spacing, TARGET, strict=True))


CASE = Geometry((207, 512, 512), (2.0, 0.741, 0.741))
"""A case of real size: 128 x 234 x 234 after resampling."""
LARGEST = Geometry((1059, 512, 512), (0.5, 0.94, 0.94))
"""The number of slices of KiTS19's largest case, with a plausible voxel size."""


def times(shape: tuple[int, ...]) -> str:
    """Return a shape in words."""
    return " x ".join(map(str, shape))


def mask(geometry: Geometry) -> np.ndarray:
    """Return the organs, uint8."""
    labels = np.zeros(geometry.shape, np.uint8)
    extent = np.multiply(geometry.shape, geometry.spacing)
    for place, offset, half_axes, label in ORGANS:
        centre = np.multiply(place, extent) + offset
        low = np.maximum((centre - half_axes) / geometry.spacing, 0).astype(int)
        high = np.minimum((centre + half_axes) / geometry.spacing + 2, geometry.shape).astype(int)
        grid = np.ogrid[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
        axes = zip(grid, geometry.spacing, centre, half_axes, strict=True)
        distance = sum(((index * side - middle) / half) ** 2 for index, side, middle, half in axes)
        labels[tuple(slice(a, b) for a, b in zip(low, high, strict=True))][np.asarray(distance) < 1] = label
    return labels


def image(geometry: Geometry) -> np.ndarray:
    """Return smooth random intensities with noise, int16, made slice by slice."""
    from scipy import ndimage

    rng = np.random.default_rng(0)
    slices, rows, columns = geometry.shape
    every = 8
    coarse = rng.standard_normal((slices // every + 2, rows // every + 1, columns // every + 1)).astype(np.float32) * 300
    zoom = [1, rows / coarse.shape[1], columns / coarse.shape[2]]
    planes = ndimage.zoom(coarse, zoom, order=1)
    noise = rng.standard_normal((4, rows, columns)).astype(np.float32) * 20
    result = np.empty(geometry.shape, np.int16)
    for index in range(slices):
        before, share = index // every, np.float32(index % every / every)
        smooth = planes[before] * (1 - share) + planes[before + 1] * share
        result[index] = smooth + np.roll(noise[index % 4], index * 977)
    return result


def write_nifti(path: Path, array: np.ndarray, geometry: Geometry) -> None:
    """Write an array as KiTS19's files lie: index 0 runs fastest, axes reversed in space."""
    import nibabel

    affine = np.zeros((4, 4))
    affine[[0, 1, 2], [2, 1, 0]] = [-side for side in reversed(geometry.spacing)]
    affine[3, 3] = 1
    made = nibabel.Nifti1Image(array, affine)  # type: ignore[no-untyped-call]
    made.to_filename(path)


def write_case(folder: Path, geometry: Geometry) -> Path:
    """Write image, mask and the `cases.json` of a study of this one case; return the latter's path."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {"image": folder / "image.nii.gz", "mask": folder / "mask.nii.gz"}
    write_nifti(files["image"], image(geometry), geometry)
    write_nifti(files["mask"], mask(geometry), geometry)
    entry: dict[str, Any] = {"id": "case_00000", "field_of_view": None, "group": "", "part": ""}
    entry |= {"images": [files["image"].as_posix()], "masks": [files["mask"].as_posix()]}
    entry["spacing"] = list(geometry.spacing)
    entry["sha256"] = {path.as_posix(): sha256_file(path) for path in files.values()}
    labels = {"names": ["background", "kidney", "tumour"], "values": [[0], [1], [2]], "regions": {"kidney and tumour": [1, 2]}}
    reading = {"channels": None, "colour": "grey", "threshold": None}
    content = {"format": "kits19", "synthetic": True, "label_map": labels, "reading": reading, "group": ""}
    write_json(folder / "cases.json", content | {"channels": 1, "axes": 3, "cases": [entry]})
    return folder / "cases.json"
