"""Values of the formulas in NumPy: against the oracle, identities between losses, properties, edges."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit import losses_oracle as oracle
from tests.unit.losses_batches import CHOICES, ENTROPIES, EXAMPLES, SHAPES, edge_batches, outside_batch, parameters, random_batch
from workflow_lib.base.errors import UserError
from workflow_lib.base.seeds import generator
from workflow_lib.losses import registry


def value(name, y, p, **given_parameters):
    return registry.build(name, given_parameters).evaluate(y, p)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize(("name", "index"), CHOICES)
def test_value_equals_the_oracle(name, index, shape):
    y, p = random_batch(shape)
    chosen = parameters(name, index, shape[-1])
    assert value(name, y, p, **chosen) == pytest.approx(oracle.LOSSES[name](y, p, **chosen), rel=1e-9)


@pytest.mark.parametrize(("name", "index"), CHOICES)
def test_value_equals_the_oracle_at_the_edges(name, index):
    chosen = parameters(name, index, 3)
    for what, (y, p) in edge_batches().items():
        assert value(name, y, p, **chosen) == pytest.approx(oracle.LOSSES[name](y, p, **chosen), rel=1e-6, abs=1e-8), what


@pytest.mark.parametrize(("name", "chosen"), ENTROPIES)
def test_a_voxel_outside_the_volume_adds_nothing_to_a_cross_entropy(name, chosen):
    """docs/losses.md says so; whatever is found there, the value is the same, and 0 where all is outside."""
    y, p, outside = outside_batch()
    other = p.copy()
    other[outside] = [0.98, 0.01, 0.01]
    assert value(name, y, other, **chosen) == pytest.approx(value(name, y, p, **chosen), rel=1e-12)
    assert value(name, y, p, **chosen) > 0
    assert value(name, np.zeros_like(y), p, **chosen) == 0


def test_every_loss_has_an_oracle():
    assert set(oracle.LOSSES) == {name for name, _ in CHOICES} == set(registry.names())


def test_values_worked_out_by_hand():
    """Two voxels, one of each class, each given probability x on its own class: TP = x, FN = FP = 1 - x, TI = x."""
    x = 0.8
    y, p = [[[1, 0], [0, 1]]], [[[x, 1 - x], [1 - x, x]]]
    assert value("cross_entropy", y, p) == pytest.approx(-np.log(x))
    assert value("focal", y, p) == pytest.approx(-0.25 * 0.2**2 * np.log(x))
    assert value("dice", y, p) == pytest.approx(0.2, abs=1e-6)
    assert value("tversky", y, p) == pytest.approx(0.2, abs=1e-6)
    assert value("cosine_tversky", y, p) == pytest.approx(np.cos(np.pi / 2 * x), abs=1e-6)
    assert value("focal_tversky", y, p) == pytest.approx(0.2**0.75, abs=1e-6)
    assert value("combo", y, p) == pytest.approx(-np.log(x) - x, abs=1e-6)
    assert value("mixed_focal", y, p) == pytest.approx(-0.25 * 0.04 * np.log(x) + 0.2**0.75, abs=1e-6)
    assert value("dice", y, p, class_reduction="sum") == pytest.approx(0.4, abs=1e-6)


def test_delta_weighs_misses():
    """One voxel of the structure missed against one false alarm: with delta above 1/2 the miss costs more."""
    truth = np.eye(2)[np.array([[0, 0, 1, 1]])]
    miss, alarm = np.eye(2)[np.array([[0, 0, 0, 1]])], np.eye(2)[np.array([[0, 1, 1, 1]])]
    for name in ("tversky", "focal_tversky", "cosine_tversky"):
        assert value(name, truth, miss, include_background=False) > value(name, truth, alarm, include_background=False)
        assert value(name, truth, miss, include_background=False, delta=0.3) < value(
            name, truth, alarm, include_background=False, delta=0.3
        )


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_special_cases_of_one_another(shape):
    y, p = random_batch(shape)
    # Focal Tversky counts on clipped probabilities; none of these is near 0 or 1, so clipping changes nothing.
    exactly = pytest.approx
    assert value("tversky", y, p, delta=0.5) == exactly(value("dice", y, p), rel=1e-14)
    assert value("focal_tversky", y, p, gamma=1) == exactly(value("tversky", y, p), rel=1e-14)
    assert value("focal", y, p, gamma=0, alpha=None) == exactly(value("cross_entropy", y, p), rel=1e-14)
    assert value("focal", y, p, alpha=0.5) == exactly(0.5 * value("focal", y, p, alpha=None), rel=1e-14)
    assert value("focal", y, p, alpha=[0.3] * shape[-1]) == exactly(value("focal", y, p, alpha=0.3), rel=1e-14)
    assert value("focal", y, p, alpha=0.5, alpha_t=True) == exactly(value("focal", y, p, alpha=0.5), rel=1e-14)
    assert value("combo", y, p) == exactly(value("cross_entropy", y, p) + value("dice", y, p) - 1, rel=1e-12)
    assert value("combo", y, p, alpha=1) == exactly(value("cross_entropy", y, p), rel=1e-14)
    assert value("combo", y, p, alpha=0.0) == exactly(value("dice", y, p) - 1, rel=1e-12)
    focal, region = value("focal", y, p), value("focal_tversky", y, p)
    assert value("mixed_focal", y, p) == exactly(focal + region, rel=1e-14)
    assert value("mixed_focal", y, p, weight=0.2) == exactly(0.2 * focal + 0.8 * region, rel=1e-14)
    assert value("mixed_focal", y, p, weight=0.2, lambda_on="region") == exactly(0.8 * focal + 0.2 * region, rel=1e-14)
    assert value("dice", y[:1], p[:1], overlap="batch") == exactly(value("dice", y[:1], p[:1]), rel=1e-14)
    assert value("dice", y, p, class_reduction="sum") == exactly(shape[-1] * value("dice", y, p), rel=1e-12)


@st.composite
def batches(draw):
    """Any batch: 1 to 3 spatial axes, 2 to 4 classes, classes absent, voxels outside, probabilities exactly 0 and 1."""
    spatial = draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    shape = (draw(st.integers(1, 3)), *spatial, draw(st.integers(2, 4)))
    rng = generator(draw(st.integers(0, 10**6)), "property")
    y = np.eye(shape[-1])[rng.integers(0, draw(st.integers(1, shape[-1])), shape[:-1])]
    y[rng.random(shape[:-1]) < draw(st.sampled_from([0.0, 0.3]))] = 0
    logits = rng.normal(0, draw(st.sampled_from([0.1, 2.0, 30.0, 2000.0])), shape)
    p = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return y, p / p.sum(axis=-1, keepdims=True)


HIGHEST_ENTROPY = 16.12
RANGES = {
    "cross_entropy": (0, HIGHEST_ENTROPY),
    "focal": (0, 4.03),
    "combo": (-1, HIGHEST_ENTROPY),
    "mixed_focal": (0, 5.03),
    "symmetric_focal": (0, HIGHEST_ENTROPY),
    "asymmetric_focal": (0, HIGHEST_ENTROPY),
    "symmetric_unified_focal": (0, 0.5 + HIGHEST_ENTROPY / 2),
    "asymmetric_unified_focal": (0, 0.5 + HIGHEST_ENTROPY / 2),
    "balanced_cross_entropy": (0, HIGHEST_ENTROPY),
    "dilated_balanced_cross_entropy": (0, HIGHEST_ENTROPY),
    "top_k_cross_entropy": (0, HIGHEST_ENTROPY),
    "dice_cross_entropy": (0, 1 + HIGHEST_ENTROPY),
    "log_cosh_dice": (0, 0.434),
    "boundary": (-5, 5),
    "weighted_sum": (-0.2, 1.2),
}
"""Least and greatest value; [0, 1] for those that are not here."""

SPATIAL = {"dilated_balanced_cross_entropy", "boundary", "weighted_sum"}
"""Losses that look at where a voxel is: they may know mirrors and turns, but not the order of voxels."""

BACKGROUND_APART = {
    *(f"{kind}_{name}" for kind in ("symmetric", "asymmetric") for name in ("focal", "unified_focal")),
    "asymmetric_focal_tversky",
    "boundary",
    "weighted_sum",
}
"""Losses that treat the background otherwise than the other classes, which are alike to all of them."""

OVERLAP = {"dice", "tversky", "cosine_tversky", "focal_tversky", "combo", "mixed_focal", "dice_cross_entropy", "generalised_dice"}


@settings(max_examples=150, deadline=None)
@given(batch=batches(), choice=st.sampled_from(sorted(oracle.LOSSES)), overlap=st.sampled_from(["sample", "batch"]))
def test_values_stay_in_range_and_ignore_the_order_of_voxels_samples_and_classes(batch, choice, overlap):
    y, p = batch
    options = {**EXAMPLES.get(choice, {}), **({"overlap": overlap} if choice in OVERLAP else {})}
    before = value(choice, y, p, **options)
    low, high = RANGES.get(choice, (0, 1))
    assert low - 1e-9 <= before <= high + 1e-9
    same = pytest.approx(before, rel=1e-9, abs=1e-12 if choice != "top_k_cross_entropy" else 1e-7)
    if choice in SPATIAL:
        turned = [np.flip(np.swapaxes(a, 1, len(y.shape) - 2), axis=1) for a in batch]
        assert value(choice, *turned, **options) == same
    else:
        order = generator(1, "order").permutation(int(np.prod(y.shape[1:-1])))
        shuffled = [a.reshape(a.shape[0], -1, a.shape[-1])[:, order] for a in batch]
        assert value(choice, *shuffled, **options) == same
    assert value(choice, y[::-1], p[::-1], **options) == same
    first = 1 if choice in BACKGROUND_APART else 0
    classes = [*range(first), *(first + generator(2, "classes").permutation(y.shape[-1] - first))]
    assert value(choice, y[..., classes], p[..., classes], **options) == same


@settings(max_examples=100, deadline=None)
@given(batch=batches(), choice=st.sampled_from(sorted(oracle.LOSSES)), step=st.floats(0.05, 1.0))
def test_moving_towards_the_truth_never_raises_a_loss(batch, choice, step):
    y, p = batch
    inside = y.sum(axis=-1, keepdims=True) > 0
    closer = np.where(inside, (1 - step) * p + step * y, p)
    options = EXAMPLES.get(choice, {})
    assert value(choice, y, closer, **options) <= value(choice, y, p, **options) + 1e-7


LEAST = {
    "combo": -1.0,
    # Clipped probabilities leave a distance of 1e-7, and (1e-7)^(1/4) is 0.018.
    "symmetric_focal_tversky": 1e-7**0.25,
    "asymmetric_focal_tversky": 1e-7**0.25 * 2 / 3,
    "symmetric_unified_focal": 1e-7**0.5 / 2,
    "asymmetric_unified_focal": 1e-7**0.5 / 3,
}


@pytest.mark.parametrize("name", oracle.LOSSES)
def test_the_perfect_prediction_has_the_least_value(name):
    y, _ = random_batch(SHAPES["3-D three classes"], outside=False)
    options = EXAMPLES.get(name, {})
    perfect = value(name, y, y, **options)
    if name not in {"boundary", "weighted_sum"}:
        assert perfect == pytest.approx(LEAST.get(name, 0.0), abs=1e-4, rel=0.2)
    rng = generator(3, "others")
    for _ in range(50):
        other = rng.dirichlet(np.ones(3), y.shape[:-1])
        assert value(name, y, other, **options) > perfect


def test_what_spatial_losses_see():
    """The same number of false alarms costs the boundary loss more far away, and the dilated cross entropy more nearby."""
    truth, near, far = (np.zeros((1, 16, 16, 2)) for _ in range(3))
    truth[..., 0] = near[..., 0] = far[..., 0] = 1
    for array, rows in ((truth, [5]), (near, [5, 6]), (far, [5, 14])):
        for row in rows:
            array[0, row, 5:8] = [0, 1]
    assert value("dice", truth, near) == pytest.approx(value("dice", truth, far))
    assert value("boundary", truth, near) < value("boundary", truth, far)
    dilated = "dilated_balanced_cross_entropy"
    assert value(dilated, truth, near) > value(dilated, truth, far)
    assert value(dilated, truth, near, radius=0) == pytest.approx(value(dilated, truth, far, radius=0))


def test_signed_distances_worked_out_by_hand():
    """One row, class in the voxels 2 to 5: outside 2, 1, inside 0, -1, -1, 0, outside 1, 2, 3 cut off at 2."""
    classes = np.array([[0, 0, 1, 1, 1, 1, 0, 0, 0]])
    y = np.eye(2)[classes]
    distances = np.array([2, 1, 0, -1, -1, 0, 1, 2, 2])
    for voxel in range(9):
        p = np.zeros((1, 9, 2))
        p[0, voxel, 1] = 1
        assert value("boundary", y, p, max_distance=2) == pytest.approx(distances[voxel] / 9)


def test_dilated_weights_worked_out_by_hand():
    """Five voxels, the last is foreground. R = 1: |D_0| = 5, |D_1| = 2; weights 1/10 of each, and 1/4 more of the last two."""
    y = np.eye(2)[np.array([[0, 0, 0, 0, 1]])]
    weights = {0: [1 / 8] * 4 + [1 / 2], 1: [1 / 10] * 3 + [7 / 20] * 2, 4: [1 / 5] * 5}
    for radius, expected in weights.items():
        for voxel in range(5):
            p = y.copy()
            p[0, voxel] = [0.5, 0.5]
            assert value("dilated_balanced_cross_entropy", y, p, radius=radius) == pytest.approx(
                expected[voxel] * np.log(2), abs=1e-6
            )


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_special_cases_of_the_unified_family(shape):
    """What the family's overview figure claims; where the identity holds up to a constant, the constant is asserted."""
    y, p = random_batch(shape)
    same: Any = {"rel": 1e-12}
    unified = "symmetric_unified_focal"
    tversky = {"smooth": 1e-7}
    for options in ({}, {"overlap": "batch"}, {"class_reduction": "sum"}, {"include_background": False}):
        of_region = {**tversky, **options}
        assert value(unified, y, p, weight=1, gamma=0, delta=0.5, **options) == pytest.approx(
            value("dice", y, p, **of_region), **same
        )
        for delta in (0.3, 0.6):
            region = value(unified, y, p, weight=1, gamma=0, delta=delta, **options)
            assert region == pytest.approx(value("tversky", y, p, delta=delta, **of_region), **same)
            # The exponents are 1 - gamma here, 1/gamma in the focal Tversky loss of the Mixed Focal paper.
            for gamma in (0.25, 0.75):
                region = value(unified, y, p, weight=1, gamma=gamma, delta=delta, **options)
                theirs = value("focal_tversky", y, p, gamma=1 / (1 - gamma), delta=delta, **of_region)
                assert region == pytest.approx(theirs, **same)
                assert region == value("symmetric_focal_tversky", y, p, gamma=gamma, delta=delta, **of_region)
    for gamma in (0.0, 0.5, 2.0):
        # Half: delta and 1 - delta are both 1/2, the alpha of the focal loss.
        distribution = value(unified, y, p, weight=0, gamma=min(gamma, 0.9), delta=0.5)
        assert distribution == pytest.approx(0.5 * value("focal", y, p, alpha=None, gamma=min(gamma, 0.9)), **same)
        assert value("symmetric_focal", y, p, gamma=gamma, delta=0.5) == pytest.approx(
            value("focal", y, p, alpha=0.5, gamma=gamma), **same
        )
    assert value(unified, y, p, weight=0, gamma=0, delta=0.5) == pytest.approx(0.5 * value("cross_entropy", y, p), **same)
    combo = value("combo", y, p, alpha=1 / 3, smooth=1e-7)
    assert value(unified, y, p, weight=0.5, gamma=0, delta=0.5) == pytest.approx(0.75 * combo + 0.5, **same)
    # Without exponents nothing is left to treat asymmetrically.
    for name in ("focal", "focal_tversky", "unified_focal"):
        assert value(f"asymmetric_{name}", y, p, gamma=0) == pytest.approx(value(f"symmetric_{name}", y, p, gamma=0), **same)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_special_cases_of_the_dilated_cross_entropy_and_the_others(shape):
    y, p = random_batch(shape)
    same: Any = {"rel": 1e-12}
    dilated = "dilated_balanced_cross_entropy"
    for frequencies in ("image", "batch"):
        options = {"frequencies": frequencies}
        balanced = pytest.approx(value("balanced_cross_entropy", y, p, **options), **same)
        for overlap in ("sum", "max"):
            assert value(dilated, y, p, radius=0, overlap=overlap, **options) == balanced
        # Every class is in every image, so that the dilation reaches everything.
        assert value(dilated, y, p, radius=64, **options) == pytest.approx(value("cross_entropy", y, p), **same)
        assert value(dilated, y, p, radius=64, overlap="max", **options) == pytest.approx(value("cross_entropy", y, p), **same)
    assert value("dice_cross_entropy", y, p) == pytest.approx(value("combo", y, p) + 1, **same)
    assert value("dice_cross_entropy", y, p, cross_entropy_weight=0) == pytest.approx(value("dice", y, p), **same)
    assert value("dice_cross_entropy", y, p, dice_weight=0) == pytest.approx(value("cross_entropy", y, p), **same)
    assert value("log_cosh_dice", y, p) == pytest.approx(np.log(np.cosh(value("dice", y, p))), **same)
    assert value("top_k_cross_entropy", y, p, share=1) == pytest.approx(value("cross_entropy", y, p), rel=1e-7)
    terms = [{"loss": "dice"}, {"loss": "cross_entropy"}]
    assert value("weighted_sum", y, p, terms=terms) == pytest.approx(value("dice_cross_entropy", y, p), **same)
    nested = [{"loss": "weighted_sum", "weight": 3, "parameters": {"terms": terms}}]
    assert value("weighted_sum", y, p, terms=nested) == pytest.approx(3 * value("dice_cross_entropy", y, p), **same)


def test_balanced_cross_entropy_is_the_mean_over_the_classes_of_their_means():
    y, p = random_batch(SHAPES["3-D three classes"], outside=False)
    means = [np.mean([-np.log(p[b][y[b][..., c] == 1][..., c]).mean() for c in range(3)]) for b in range(2)]
    assert value("balanced_cross_entropy", y, p) == pytest.approx(np.mean(means), rel=1e-12)


def test_top_k_takes_the_largest_and_shares_among_equals():
    y = np.eye(2)[np.zeros((1, 10), int)]
    p0 = np.array([0.1, 0.5, 0.5, 0.5, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9])
    p = np.stack([p0, 1 - p0], axis=-1)[None]
    assert value("top_k_cross_entropy", y, p, share=0.1) == pytest.approx(-np.log(0.1), abs=1e-7)
    assert value("top_k_cross_entropy", y, p, share=0.3) == pytest.approx(-(np.log(0.1) + 2 * np.log(0.5)) / 3, abs=1e-7)
    assert value("top_k_cross_entropy", y, p, share=0.01) == pytest.approx(-np.log(0.1), abs=1e-7)
    # The limit is found to 2e-8: values that differ by more are told apart.
    p0 = 0.5 + 1e-6 * np.arange(10)
    p = np.stack([p0, 1 - p0], axis=-1)[None]
    assert value("top_k_cross_entropy", y, p, share=0.1) == pytest.approx(-np.log(0.5), abs=1e-7)


@pytest.mark.parametrize(
    ("true_shape", "pred_shape", "part"),
    [
        ((2, 3), (2, 3), r"predictions have shape \(2, 3\); expected \(batch, spatial axes, classes\)"),
        ((2, 4, 4), (2, 4, 4, 2), r"ground truth has shape \(2, 4, 4\), the predictions \(2, 4, 4, 2\)"),
        ((2, 4, 4, 1), (2, 4, 4, 2), "one-hot with one channel per class"),
        ((2, 4, 4, 1), (2, 4, 4, 1), "one channel; softmax output"),
        ((2, 4, 5, 2), (2, 4, 4, 2), "both must be equal"),
    ],
)
def test_shapes_that_do_not_fit_are_told(true_shape, pred_shape, part):
    with pytest.raises(UserError, match=part) as caught:
        value("tversky", np.ones(true_shape), np.ones(pred_shape))
    assert "'tversky'" in str(caught.value)


def test_a_weight_per_class_must_fit_the_classes():
    y, p = random_batch(SHAPES["2-D three classes"])
    with pytest.raises(UserError, match="loss 'focal': parameter 'alpha' has 2 values for 3 classes"):
        value("focal", y, p, alpha=[0.1, 0.2])
