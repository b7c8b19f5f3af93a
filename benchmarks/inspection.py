"""The inspection of one case of real size: this project against nibabel and NumPy, in one run on one machine.

Both read a synthetic image of 207 x 512 x 512 (int16) and its mask (uint8), compressed, and take the range of intensities, the
voxels of each class and the SHA-256 of both files. Ours also verifies the checksum of the compressed data, that voxels are
finite, both grids, and compares a small copy of the image with other cases later.

    OMP_NUM_THREADS=1 python -m benchmarks.inspection
"""

import hashlib
import tempfile
from pathlib import Path

import numpy as np

from benchmarks import _synthetic
from benchmarks._measure import OURS, Row, alone, cpu_seconds, row, side
from benchmarks._synthetic import CASE, Geometry
from workflow_lib.datasets.inspection import Finding, inspect_case
from workflow_lib.images.cases import Case, LabelMap, Reading

LABELS = LabelMap(("background", "kidney", "tumour"), ((0,), (1,), (2,)))
REPEATS = 5


def written(folder: Path, geometry: Geometry) -> Case:
    """Write the image and the mask of a synthetic case."""
    image, mask = folder / "image.nii.gz", folder / "mask.nii.gz"
    _synthetic.write_nifti(image, _synthetic.image(geometry), geometry)
    _synthetic.write_nifti(mask, _synthetic.mask(geometry), geometry)
    return Case("case", (image,), (mask,))


def by_nibabel(case: Case) -> dict[str, object]:
    """Return the facts of a case, read the plain way."""
    import nibabel

    image, mask = (np.asanyarray(nibabel.nifti1.Nifti1Image.from_filename(path).dataobj) for path in case.files)
    values, counts = np.unique(mask, return_counts=True)
    return {
        "range": (float(image.min()), float(image.max())),
        "voxels": dict(zip(values.tolist(), counts.tolist(), strict=True)),
        "sha256": [hashlib.sha256(path.read_bytes()).hexdigest() for path in case.files],
    }


def rows(quick: bool, geometry: Geometry = CASE) -> list[Row]:
    """Return the row of the inspection."""
    repeats = 1 if quick else REPEATS
    with tempfile.TemporaryDirectory() as name:
        case = written(Path(name), geometry)
        ours, found = cpu_seconds(lambda: inspect_case(case, LABELS, Reading()), repeats)
        plain, expected = cpu_seconds(lambda: by_nibabel(case), repeats)
        megabytes = [path.stat().st_size / 1e6 for path in case.files]
    agreement = {"largest_difference": 0.0 if _same(found, expected) else 1.0}
    return [
        row("inspection of a case", side(OURS, ours), side("nibabel and NumPy", plain), agreement, megabytes=megabytes),
    ]


def _same(found: Finding, expected: dict[str, object]) -> bool:
    voxels = {index: found.voxels[name] for index, name in enumerate(LABELS.names) if found.voxels[name]}
    digests = sorted(found.sha256.values()) == sorted(map(str, expected["sha256"]))  # type: ignore[call-overload]
    return digests and voxels == expected["voxels"] and (found.intensity_min, found.intensity_max) == expected["range"]


if __name__ == "__main__":
    alone(__doc__, rows)
