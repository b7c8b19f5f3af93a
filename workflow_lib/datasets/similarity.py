"""Find cases with the same or nearly the same image, which must not lie on both sides of a division."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

SAMPLES = 64
"""Voxels per axis, at most, that a sketch is made from."""
SIDES = {2: 24, 3: 8}
"""Side of a sketch by the number of axes of the image."""
NEARLY = 0.995
"""Correlation of two sketches from which two images are nearly the same.

Copies that were compressed as JPEG (quality 40) or scaled to one half correlate by 0.994 to 0.9999; different images of DRIVE by
0.987 at most, heads of BraTS by 0.971, hippocampi by 0.909. Consecutive frames of a video (CVC-ClinicDB) reach 0.9999.
"""
_SCALE = 30.0
"""Steps of a sketch per standard deviation. Values beyond four deviations are limited."""
_AT_ONCE = 500
"""Cases that are compared with all others at a time."""


@dataclass(frozen=True)
class Pair:
    """Two cases, in the order of the dataset, with the correlation of their sketches; 1 for files that are equal."""

    first: str
    second: str
    correlation: float

    @property
    def is_identical(self) -> bool:
        """Whether the image files are equal byte for byte."""
        return self.correlation == 1


def sketch(image: np.ndarray) -> str:
    """Return a small copy of an image (two or three axes) as text: means of blocks, standardised, one byte each.

    Empty if the image has one value only.
    """
    sampled = image[tuple(slice(None, None, max(1, side // SAMPLES)) for side in image.shape)].astype(np.float64)
    for axis, side in enumerate(sampled.shape):
        blocks = min(SIDES[image.ndim], side)
        starts = np.arange(blocks) * side // blocks
        counts = np.diff([*starts, side])
        sampled = np.add.reduceat(sampled, starts, axis=axis) / np.expand_dims(
            counts, [a for a in range(image.ndim) if a != axis]
        )
    deviation = float(sampled.std())
    if not deviation > 0:
        return ""
    steps = np.clip(np.rint((sampled - sampled.mean()) / deviation * _SCALE), -127, 127).astype(np.int8)
    return "x".join(map(str, sampled.shape)) + ":" + base64.b64encode(steps.tobytes()).decode("ascii")


def similar_pairs(sketches: Mapping[str, str], digests: Mapping[str, Sequence[str]]) -> list[Pair]:
    """Return all pairs of cases with equal or nearly equal images.

    Parameters
    ----------
    sketches : mapping of str to str
        Case to the sketch of its image; empty texts are not compared.
    digests : mapping of str to sequence of str
        Case to the SHA-256 of its image files; cases without are not compared byte for byte.

    Returns
    -------
    list of Pair
        In the order of `sketches`. Sketches of different shapes are not compared.
    """
    names = list(sketches)
    position = {name: n for n, name in enumerate(names)}
    found = {(a, b): 1.0 for a, b in _equal(digests) if a in position and b in position}
    by_shape: dict[str, list[str]] = {}
    for name in names:
        if sketches[name]:
            by_shape.setdefault(sketches[name].partition(":")[0], []).append(name)
    for members in by_shape.values():
        for first, second, correlation in _correlated(members, sketches):
            # Rounding must not make a pair look identical.
            found.setdefault((first, second), min(correlation, 0.99999))
    ordered = sorted(found.items(), key=lambda item: (position[item[0][0]], position[item[0][1]]))
    return [Pair(first, second, correlation) for (first, second), correlation in ordered]


def _equal(digests: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str]]:
    same: dict[tuple[str, ...], list[str]] = {}
    for name, of_files in digests.items():
        if of_files:
            same.setdefault(tuple(of_files), []).append(name)
    for members in same.values():
        yield from ((a, b) for n, a in enumerate(members) for b in members[n + 1 :])


def _correlated(members: Sequence[str], sketches: Mapping[str, str]) -> Iterator[tuple[str, str, float]]:
    steps = [np.frombuffer(base64.b64decode(sketches[name].partition(":")[2]), np.int8) for name in members]
    centred = np.stack([values - values.mean(dtype=np.float32) for values in steps])
    vectors: np.ndarray = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    for start in range(0, len(members), _AT_ONCE):
        near = vectors[start : start + _AT_ONCE] @ vectors.T
        for row, column in np.argwhere(near >= NEARLY):
            if start + row < column:
                yield members[start + row], members[column], float(near[row, column])


def groups(pairs: Sequence[Pair]) -> list[list[str]]:
    """Return the cases of the pairs in groups: cases that are connected by pairs are in one group, sorted."""
    group_of: dict[str, set[str]] = {}
    for pair in pairs:
        joined = group_of.get(pair.first, {pair.first}) | group_of.get(pair.second, {pair.second})
        group_of.update(dict.fromkeys(joined, joined))
    return sorted(sorted(group) for group in {id(group): group for group in group_of.values()}.values())
