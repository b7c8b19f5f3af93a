"""Bytes of preprocessed cases on disk: no time, and the same on every machine.

One case is written into a store, which tells the bytes for each voxel and the rest. With them the 204 cases of the paper's
study are counted, on synthetic geometries: lengths of the scan drawn so that one case in five has fewer than 80 slices after
resampling, as in KiTS19, from slices of 1 to 5 mm, and pixels of 0.79 +- 0.09 mm in 512 x 512.

    python -m benchmarks.storage
"""

import tempfile
from pathlib import Path

import numpy as np

from benchmarks._measure import Row, alone, significant
from benchmarks._synthetic import Geometry
from workflow_lib.preprocessing import store

CASES = 204
PROBE = (24, 40, 40)
MEDIAN_LENGTH, SPREAD = 345.0, 0.345
"""Of the scans, in mm, and of its logarithm: 80 slices of 3.22 mm are then the fifth of the cases from below."""


def geometries(count: int = CASES) -> list[Geometry]:
    """Return synthetic geometries like those of KiTS19."""
    rng = np.random.default_rng(0)
    lengths = MEDIAN_LENGTH * np.exp(SPREAD * rng.standard_normal(count))
    thickness = rng.choice([1.0, 2.0, 3.0, 5.0], count)
    pixels = np.clip(rng.normal(0.79, 0.09, count), 0.5, 1.0)
    return [
        Geometry((max(1, round(length / thick)), 512, 512), (float(thick), float(side), float(side)))
        for length, thick, side in zip(lengths, thickness, pixels, strict=True)
    ]


def bytes_of_a_case(shape: tuple[int, ...]) -> int:
    """Return the bytes of a stored case of this shape, its line of the index included."""
    rng = np.random.default_rng(0)
    image = rng.standard_normal((*shape, 1), dtype=np.float32)
    geometry: store.Geometry = {"original_shape": shape, "spacing": (3.0, 0.8, 0.8), "image_source": "", "mask_source": ""}
    with tempfile.TemporaryDirectory() as name:
        store.write_case(name, "case_00000", image, np.zeros(shape, np.uint8), geometry)
        store.write_index(name)
        return sum(path.stat().st_size for path in Path(name).iterdir())


def rows(quick: bool) -> list[Row]:
    """Return the row of the study's cases."""
    per_voxel = 5  # float32 and uint8; what is left of the probe's bytes is the rest
    rest = bytes_of_a_case(PROBE) - per_voxel * int(np.prod(PROBE))
    sizes = [per_voxel * int(np.prod(geometry.new_shape)) + rest for geometry in geometries()]
    numbers = {"mb_of_a_case": float(np.median(sizes)) / 1e6, "largest_mb": max(sizes) / 1e6, "gb_of_all": sum(sizes) / 1e9}
    few = float(np.mean([geometry.new_shape[0] < 80 for geometry in geometries()]))
    return [{"what": "preprocessed cases", "cases": CASES, "below_80_slices": few, **significant(numbers, 3)}]


if __name__ == "__main__":
    alone(__doc__, rows)
