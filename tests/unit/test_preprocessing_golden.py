"""Resampling against what MIScnn 1.4.0 gave on the stack it runs on unmodified (tests/golden/make_resampling.py)."""

from pathlib import Path

import numpy as np
import pytest

from tests.golden import make_resampling as golden
from workflow_lib.images.cases import LabelMap
from workflow_lib.preprocessing.pipeline import preprocess, restore_labels
from workflow_lib.preprocessing.resample import resample_image, resample_labels
from workflow_lib.study.sections.preprocessing import Preprocessing

TOLERANCE = 1e-5
LABELS = LabelMap(("background", "kidney", "tumour"), ((0,), (1,), (2,)))


@pytest.fixture(scope="module")
def expected(root: Path) -> dict[str, np.ndarray]:
    with np.load(root / "tests" / "golden" / "resampling.npz") as archive:
        return {name: archive[name] for name in archive.files}


def test_made_by_the_reference_stack(expected):
    versions = str(expected["versions"])
    assert "batchgenerators 0.21," in versions
    assert "miscnn 1.4.0" in versions


@pytest.mark.parametrize("grid", golden.GRIDS)
def test_image(expected, grid):
    shape, new_shape = golden.GRIDS[grid]
    result = resample_image(golden.image(shape, 1).astype(np.float32), new_shape)
    assert result.dtype == np.float32
    assert np.abs(result - expected[f"{grid}/image"]).max() < TOLERANCE


@pytest.mark.parametrize("grid", golden.GRIDS)
def test_border_of_an_image_far_from_zero(expected, grid):
    shape, new_shape = golden.GRIDS[grid]
    result = resample_image((golden.image(shape, 2) + 10).astype(np.float32), new_shape)
    # The intensities are around 10, where float32 resolves 1e-6 only.
    assert np.abs(result - expected[f"{grid}/shifted"]).max() < 2 * TOLERANCE


@pytest.mark.parametrize("classes", golden.CLASSES)
@pytest.mark.parametrize("grid", golden.GRIDS)
def test_labels(expected, grid, classes):
    shape, new_shape = golden.GRIDS[grid]
    result = resample_labels(golden.labels(shape, classes, 3), new_shape, classes)
    assert result.any()
    np.testing.assert_array_equal(result, expected[f"{grid}/labels{classes}"])


def test_the_whole_chain_and_the_way_back(expected):
    settings = Preprocessing(clip=golden.CT_CLIP, spacing=golden.CT_NEW_SPACING)
    raw, mask = golden.ct(golden.CT_SHAPE, 6), golden.labels(golden.CT_SHAPE, 3, 7)
    image, classes = preprocess(raw[..., np.newaxis], mask, golden.CT_SPACING, settings, LABELS)
    assert image.shape == (*expected["chain/image"].shape, 1)
    assert np.abs(image[..., 0] - expected["chain/image"]).max() < TOLERANCE
    np.testing.assert_array_equal(classes, expected["chain/labels"])
    back = restore_labels(classes, golden.CT_SHAPE, settings, LABELS.n_classes)
    np.testing.assert_array_equal(back, expected["chain/back"])
