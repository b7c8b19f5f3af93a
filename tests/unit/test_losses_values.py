"""Values of the formulas in NumPy: against the oracle, identities between losses, properties, edges."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit import losses_oracle as oracle
from tests.unit.losses_batches import CHOICES, SHAPES, edge_batches, parameters, random_batch
from workflow_lib.errors import UserError
from workflow_lib.losses import registry
from workflow_lib.seeds import generator


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


def test_every_loss_has_an_oracle():
    assert set(oracle.LOSSES) == {name for name, _ in CHOICES}
    assert set(oracle.LOSSES) <= set(registry.names())


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


CEILINGS = {"cross_entropy": 16.12, "focal": 4.03, "combo": 16.12, "mixed_focal": 5.03}


@settings(max_examples=60, deadline=None)
@given(batch=batches(), choice=st.sampled_from(sorted(oracle.LOSSES)), overlap=st.sampled_from(["sample", "batch"]))
def test_values_stay_in_range_and_ignore_the_order_of_voxels(batch, choice, overlap):
    y, p = batch
    options = {} if choice in ("cross_entropy", "focal") else {"overlap": overlap}
    before = value(choice, y, p, **options)
    assert (-1 if choice == "combo" else 0) <= before <= CEILINGS.get(choice, 1.0)
    order = generator(1, "order").permutation(int(np.prod(y.shape[1:-1])))
    shuffled = [a.reshape(a.shape[0], -1, a.shape[-1])[:, order] for a in batch]
    assert value(choice, *shuffled, **options) == pytest.approx(before, rel=1e-9, abs=1e-12)
    assert value(choice, y[::-1], p[::-1], **options) == pytest.approx(before, rel=1e-9, abs=1e-12)
    classes = generator(2, "classes").permutation(y.shape[-1])
    assert value(choice, y[..., classes], p[..., classes], **options) == pytest.approx(before, rel=1e-9, abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(batch=batches(), choice=st.sampled_from(sorted(oracle.LOSSES)), step=st.floats(0.05, 1.0))
def test_moving_towards_the_truth_never_raises_a_loss(batch, choice, step):
    y, p = batch
    inside = y.sum(axis=-1, keepdims=True) > 0
    closer = np.where(inside, (1 - step) * p + step * y, p)
    assert value(choice, y, closer) <= value(choice, y, p) + 1e-9


@pytest.mark.parametrize("name", oracle.LOSSES)
def test_the_perfect_prediction_has_the_least_value(name):
    y, _ = random_batch(SHAPES["3-D three classes"], outside=False)
    assert value(name, y, y) == pytest.approx(-1 if name == "combo" else 0, abs=1e-4)


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
