"""Synthetic images for trials, in the layouts of the real datasets. A file in their folder says that they are synthetic.

They exercise the whole workflow without a download. No number got from them says anything about patients.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np

from workflow_lib.base.errors import UserError
from workflow_lib.base.files import atomic_folder, read_json, write_json
from workflow_lib.base.seeds import generator
from workflow_lib.datasets.phantoms import ct as _phantom_ct
from workflow_lib.datasets.phantoms import mri as _phantom_mri
from workflow_lib.study.sections.phantom import Phantom

MARKER = "SYNTHETIC.json"
"""File that marks a folder of synthetic images, with the parameters they were made from."""
VERSION = 1
"""Goes up when the same parameters give other images."""

Progress = Callable[[str], None]


def generate(phantom: Phantom, root: Path, progress: Progress | None = None) -> bool:
    """Make synthetic images under `root`; return False if they were there already, True if they were made.

    The images are a function of kind, shape, seed and the number of the case. kind ct: KiTS19's layout, int16 HU, masks
    uint8 (with an sform) or now and then uint16 (with a qform only), as in the real set; the number of slices varies.
    kind mri: BraTS20's layout, channel t1ce, int16, labels 1, 2 and 4; the last case has no label 4.
    Images made from other parameters are replaced as a whole. Raises UserError where `root` holds anything else.
    """
    parameters = {"synthetic": True, "version": VERSION, **phantom.model_dump(mode="json")}
    if _made_from(root, parameters):
        return False
    if root.exists() and not (root / MARKER).is_file() and (not root.is_dir() or any(root.iterdir())):
        raise UserError(
            f"{root} holds files that are not synthetic images of this project; they will not be replaced. "
            "Choose another `root` for the phantom, or empty the folder."
        )
    write = _write_ct if phantom.kind == "ct" else _write_mri
    with atomic_folder(root) as folder:
        for number in range(phantom.cases):
            write(folder, phantom, number)
            if progress:
                progress(f"synthetic {phantom.kind} {number + 1}/{phantom.cases}")
        sizes = {path.relative_to(folder).as_posix(): path.stat().st_size for path in sorted(folder.rglob("*.nii.gz"))}
        write_json(folder / MARKER, {**parameters, "files": sizes})
    return True


def is_synthetic(root: Path) -> bool:
    """Return whether a folder holds images that this module made."""
    return (root / MARKER).is_file()


def _made_from(root: Path, parameters: dict[str, Any]) -> bool:
    """Return whether `root` holds all the images of these parameters."""
    if not is_synthetic(root):
        return False
    marker = dict(read_json(root / MARKER))
    files = marker.pop("files", {})
    whole = all((root / name).is_file() and (root / name).stat().st_size == size for name, size in files.items())
    return whole and marker == parameters


def _write_ct(folder: Path, phantom: Phantom, number: int) -> None:
    image, mask, spacing = _phantom_ct.make(phantom.shape, generator(phantom.seed, "phantom", "ct", number))
    affine = np.zeros((4, 4))
    affine[(2, 1, 0), (0, 1, 2)] = [-side for side in spacing]
    affine[3, 3] = 1
    case = folder / f"case_{number:05d}"
    _save(case / "imaging.nii.gz", image, affine, qform_only=False)
    odd = number % 8 == 1
    _save(case / "segmentation.nii.gz", mask.astype(np.uint16 if odd else np.uint8), affine, qform_only=odd)


def _write_mri(folder: Path, phantom: Phantom, number: int) -> None:
    enhancing = number < phantom.cases - 1
    image, mask, spacing = _phantom_mri.make(phantom.shape, generator(phantom.seed, "phantom", "mri", number), enhancing)
    affine = np.diag([-spacing[0], -spacing[1], spacing[2], 1.0])
    affine[1, 3] = spacing[1] * (phantom.shape[1] - 1)
    name = f"BraTS20_Training_{number + 1:03d}"
    _save(folder / name / f"{name}_t1ce.nii.gz", image, affine, qform_only=False)
    _save(folder / name / f"{name}_seg.nii.gz", mask, affine, qform_only=False)


def _save(path: Path, data: np.ndarray, affine: np.ndarray, qform_only: bool) -> None:
    """Write a NIfTI file whose header says synthetic; position by the sform, or by the qform alone."""
    library: Any = nibabel  # which has no type hints
    image = library.Nifti1Image(data, affine)
    image.header["descrip"] = b"synthetic phantom"
    image.set_sform(affine, code=0 if qform_only else 2)
    image.set_qform(affine, code=1 if qform_only else 0)
    if qform_only:
        image.header.set_xyzt_units("mm")
    path.parent.mkdir(parents=True, exist_ok=True)
    library.save(image, path)
