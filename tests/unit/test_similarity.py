"""Equal and nearly equal images are found, and only those."""

import io

import numpy as np
import pytest
from PIL import Image

from workflow_lib.datasets.similarity import Pair, groups, similar_pairs, sketch

RNG = np.random.default_rng(0)


def scene(seed: int, shape: tuple[int, ...] = (120, 160)) -> np.ndarray:
    """Return a smooth random image, uint8."""
    rng = np.random.default_rng(seed)
    waves = np.zeros(shape)
    grid = np.meshgrid(*(np.linspace(0, 1, side) for side in shape), indexing="ij")
    for _ in range(30):
        phase = sum(axis * frequency for axis, frequency in zip(grid, rng.normal(0, 12, len(shape)), strict=True))
        waves += rng.normal() * np.cos(phase + rng.uniform(0, 7))
    scaled: np.ndarray = (waves - waves.min()) / np.ptp(waves) * 255
    return scaled.astype(np.uint8)


def as_jpeg(image: np.ndarray) -> np.ndarray:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=40)
    return np.asarray(Image.open(stream))


def pairs(images: dict[str, np.ndarray], **digests: str) -> list[Pair]:
    return similar_pairs({name: sketch(image) for name, image in images.items()}, {n: [d] for n, d in digests.items()})


@pytest.mark.parametrize(
    "copy",
    [
        as_jpeg,
        lambda image: np.asarray(Image.fromarray(image).resize((80, 60), Image.Resampling.BILINEAR)),
        lambda image: image.astype(np.float32) * 0.7 + 30,
        lambda image: np.clip(image + RNG.normal(0, 6, image.shape), 0, 255),
    ],
)
def test_copies_are_nearly_the_same_and_other_images_are_not(copy):
    images = {"a": scene(1), "b": scene(2), "c": copy(scene(1)), "d": scene(3)}
    (found,) = pairs(images)
    assert (found.first, found.second) == ("a", "c")
    assert 0.995 <= found.correlation < 1
    assert not found.is_identical


def test_volumes_and_equal_files():
    first, second = scene(1, (40, 30, 50)), scene(2, (40, 30, 50))
    images = {"a": first, "b": second, "c": first + RNG.normal(0, 5, first.shape), "flat": np.zeros((40, 30, 50))}
    found = pairs(images | {"d": scene(9, (40, 30, 50)), "e": scene(9, (40, 30, 50))}, a="1", b="2", flat="3", d="4", e="4")
    assert [(pair.first, pair.second, pair.is_identical) for pair in found] == [("a", "c", False), ("d", "e", True)]


def test_equal_pixels_in_other_files_are_no_equal_files():
    (found,) = pairs({"a": scene(1), "b": scene(1)}, a="1", b="2")
    assert not found.is_identical


def test_all_pairs_are_compared_however_many_cases_there_are(monkeypatch):
    monkeypatch.setattr("workflow_lib.datasets.similarity._AT_ONCE", 2)
    images = {str(n): scene(n, (30, 30)) for n in range(7)} | {"copy": scene(5, (30, 30))}
    assert [(pair.first, pair.second) for pair in pairs(images)] == [("5", "copy")]


def test_connected_pairs_are_one_group():
    found = groups([Pair("b", "a", 1), Pair("x", "y", 0.999), Pair("c", "d", 1), Pair("a", "d", 0.996)])
    assert found == [["a", "b", "c", "d"], ["x", "y"]]
