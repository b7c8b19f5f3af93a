"""The losses under Keras on TensorFlow: values, gradients, precision, compilation, fit, saving; equality with other libraries."""

import sys
import types

import numpy as np
import pytest

from tests.unit import losses_oracle as oracle
from tests.unit.losses_batches import CHOICES, ENTROPIES, EXAMPLES, SHAPES, edge_batches, outside_batch, parameters, random_batch
from workflow_lib.base.errors import UserError
from workflow_lib.losses import registry

tf = pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
keras = pytest.importorskip("keras", reason="Keras is not installed")
if keras.backend.backend() != "tensorflow":
    pytest.skip("these tests need Keras on its TensorFlow backend", allow_module_level=True)


def value_and_gradient(loss, y, p, dtype="float64"):
    prediction = tf.constant(p, dtype)
    with tf.GradientTape() as tape:
        tape.watch(prediction)
        value = loss(tf.constant(y, "float32"), prediction)
    return value, tape.gradient(value, prediction).numpy()


@pytest.mark.parametrize("shape", ["2-D binary", "3-D three classes"])
@pytest.mark.parametrize(("name", "index"), CHOICES)
def test_value_and_gradient_equal_the_oracle(name, index, shape):
    y, p = random_batch(SHAPES[shape])
    chosen = parameters(name, index, y.shape[-1])
    loss = registry.build(name, chosen)

    def reference(y, p):
        return oracle.LOSSES[name](y, p, **chosen)

    expected = oracle.gradient(reference, y, p)
    value, gradient = value_and_gradient(loss, y, p)
    assert float(value) == pytest.approx(reference(y, p), rel=1e-6)
    np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-8 * np.abs(expected).max())
    value, gradient = value_and_gradient(loss, y, p, "float32")
    assert value.dtype == tf.float32
    assert value.shape == ()
    assert float(value) == pytest.approx(reference(y, p), rel=1e-5)
    np.testing.assert_allclose(gradient, expected, rtol=1e-3, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
@pytest.mark.parametrize(("name", "index"), [*CHOICES, ("focal_tversky", -1), ("focal_tversky", -2)])
def test_values_and_gradients_are_finite_at_the_edges(name, index, dtype):
    if index < 0:  # all weight on one kind of error: the distance of an absent class is exactly 0
        loss = registry.build(name, {"delta": 2.0 + index, "gamma": 3})
    else:
        loss = registry.build(name, parameters(name, index, 3))
    for what, (y, p) in edge_batches().items():
        value, gradient = value_and_gradient(loss, y, p, dtype)
        assert np.isfinite(float(value)), what
        assert np.all(np.isfinite(gradient.astype(float))), what
        half, _ = value_and_gradient(loss, y, p, "float16")
        assert float(half) == pytest.approx(float(value), rel=0.02, abs=0.02), what


@pytest.mark.parametrize(("name", "chosen"), ENTROPIES)
def test_a_voxel_outside_the_volume_teaches_a_cross_entropy_nothing(name, chosen):
    y, p, outside = outside_batch()
    _, gradient = value_and_gradient(registry.build(name, chosen), y, p)
    assert np.all(gradient[outside] == 0)
    assert np.any(gradient[~outside] != 0)


def test_an_absent_class_costs_about_one_with_hardly_a_gradient():
    y, p = edge_batches()["no foreground"]
    value, gradient = value_and_gradient(registry.build("dice", {"include_background": False}), y, p)
    assert float(value) == pytest.approx(1, abs=1e-5)
    assert np.abs(gradient).max() < 1e-5


@pytest.mark.parametrize("name", oracle.LOSSES)
def test_half_precision_is_summed_in_single(name):
    """A patch so large that a sum in float16 overflows (65504) and 1 - 1e-7 rounds to 1."""
    p = np.zeros((1, 300, 300, 2), np.float16)
    p[..., 0] = 1
    y = np.zeros_like(p)
    y[..., 0] = 1
    y[0, 0, :2] = [[0, 1], [0, 1]]
    options = EXAMPLES.get(name, {})
    value, gradient = value_and_gradient(registry.build(name, options), y, p, "float16")
    assert value.dtype == tf.float32
    # In NumPy: the oracle measures distances between all pairs of voxels.
    assert float(value) == pytest.approx(registry.build(name, options).evaluate(y, p), rel=1e-4)
    assert np.all(np.isfinite(gradient))


@pytest.mark.parametrize("name", oracle.LOSSES)
def test_compiled_or_not_the_value_and_the_gradient_are_the_same(name):
    y, p = random_batch(SHAPES["3-D three classes"])
    loss = registry.build(name, EXAMPLES.get(name, {}))
    value, gradient = value_and_gradient(loss, y, p, "float32")

    def traced(y, p):
        with tf.GradientTape() as tape:
            tape.watch(p)
            value = loss(y, p)
        return value, tape.gradient(value, p)

    unknown = [tf.TensorSpec([None] * (p.ndim - 1) + [3], "float32")] * 2
    for jit, signature in ((False, None), (True, None), (False, unknown)):
        compiled = tf.function(traced, jit_compile=jit, input_signature=signature)
        again, its_gradient = compiled(tf.constant(y, "float32"), tf.constant(p, "float32"))
        assert float(again) == pytest.approx(float(value), rel=1e-5), (jit, signature)
        np.testing.assert_allclose(its_gradient, gradient, rtol=1e-4, atol=1e-6 * np.abs(gradient).max())


def tiny_model(jit, loss):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.Input((None, None, 1)), keras.layers.Conv2D(4, 3, padding="same"), keras.layers.Conv2D(3, 1, activation="softmax")]
    )
    model.compile(optimizer=keras.optimizers.Adam(0.03), loss=loss, jit_compile=jit)
    return model


LEARNERS = [(name, name in {"mixed_focal", "dilated_balanced_cross_entropy", "top_k_cross_entropy"}) for name in oracle.LOSSES]


@pytest.mark.parametrize(("name", "jit"), LEARNERS)
def test_a_model_learns_with_it_and_is_saved_with_it(name, jit, tmp_path):
    y, _ = random_batch((2, 8, 8, 3))
    x = y @ np.array([[0.0], [1.0], [2.0]])
    loss = registry.build(name, {"gamma": 2} if name == "cosine_tversky" else EXAMPLES.get(name, {}))
    model = tiny_model(jit, loss)
    history = model.fit(x, y, batch_size=2, epochs=15, verbose=0).history["loss"]
    assert history[-1] < history[0]
    value = pytest.approx(loss.evaluate(y, model.predict(x, verbose=0)), rel=1e-4, abs=1e-6)
    assert model.evaluate(x, y, batch_size=2, verbose=0) == value
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", custom_objects=registry.keras_objects())
    assert repr(again.loss) == repr(loss)
    assert again.evaluate(x, y, batch_size=2, verbose=0) == value


@pytest.mark.parametrize("name", oracle.LOSSES)
def test_mixed_precision_learns(name):
    y, _ = random_batch((2, 8, 8, 3))
    x = y @ np.array([[0.0], [1.0], [2.0]])
    policy = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy("mixed_float16")
        model = tiny_model(False, registry.build(name, EXAMPLES.get(name, {})))
        history = model.fit(x, y, batch_size=2, epochs=8, verbose=0).history["loss"]
    finally:
        keras.config.set_dtype_policy(policy)
    assert np.all(np.isfinite(history))
    assert history[-1] < history[0]


def test_shapes_that_do_not_fit_stop_the_training_at_once():
    model = tiny_model(False, registry.build("tversky"))
    with pytest.raises(UserError, match="'tversky': the ground truth has shape"):
        model.fit(np.zeros((2, 8, 8, 1)), np.zeros((2, 8, 8, 2)), verbose=0)
    with pytest.raises(UserError, match="one channel"):
        registry.build("dice")(tf.zeros((2, 4, 4, 1)), tf.zeros((2, 4, 4, 1)))


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_equal_to_keras(shape):
    y, p = (a.astype("float32") for a in random_batch(shape))
    axes = tuple(range(1, len(shape) - 1))
    entropy = float(tf.reduce_mean(keras.losses.categorical_crossentropy(y, p)))
    assert float(registry.build("cross_entropy")(y, p)) == pytest.approx(entropy, rel=1e-5)
    dice = float(keras.losses.Dice(axis=axes)(y, p))
    assert float(registry.build("dice", {"smooth": 1e-7})(y, p)) == pytest.approx(dice, rel=1e-5)
    # Keras 3.15 documents alpha as the weight of false positives, but its code gives it to (1 - p) y: the false negatives.
    tversky = float(keras.losses.Tversky(alpha=0.7, beta=0.3, axis=axes)(y, p))
    assert float(registry.build("tversky", {"smooth": 1e-7})(y, p)) == pytest.approx(tversky, rel=1e-5)
    focal = float(tf.reduce_mean(keras.losses.categorical_focal_crossentropy(y, p, alpha=0.25, gamma=2.0)))
    assert float(registry.build("focal")(y, p)) == pytest.approx(focal, rel=1e-5)


@pytest.fixture(scope="module")
def miscnn_metrics():
    """MIScnn's losses; one of its networks imports tensorflow_addons, which no longer exists, so a stand-in takes its place."""
    sys.modules.setdefault("tensorflow_addons", types.ModuleType("tensorflow_addons"))
    return pytest.importorskip("miscnn.neural_network.metrics", reason="MIScnn is not installed", exc_type=ImportError)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_equal_to_miscnn(miscnn_metrics, shape):
    y, p = (tf.constant(a, "float32") for a in random_batch(shape))

    def ours(name, **chosen):
        return pytest.approx(float(registry.build(name, chosen)(y, p)), rel=1e-5)

    def theirs(value):
        return float(tf.reduce_mean(value))

    assert theirs(miscnn_metrics.tversky_loss(y, p)) == ours("tversky", delta=0.5, class_reduction="sum")
    # MIScnn adds its constant 1e-5 to 2 TP, which is half of it to TP.
    assert theirs(miscnn_metrics.dice_soft_loss(y, p)) == ours("dice", smooth=5e-6)
    assert theirs(miscnn_metrics.dice_crossentropy(y, p)) - 1 == ours("combo", smooth=5e-6)
    assert theirs(miscnn_metrics.focal_tversky_loss(delta=0.7, gamma=0.75)(y, p)) == ours("focal_tversky")
    assert theirs(miscnn_metrics.categorical_focal_loss([[0.25] * shape[-1]])(y, p)) == ours("focal")


@pytest.mark.parametrize("given", [{}, {"delta": 0.4, "gamma": 0.3}])
def test_the_unified_family_equals_the_authors_code_where_that_is_right(miscnn_metrics, given):
    """MIScnn carries the authors' code, which is right for two classes in 2-D (in 3-D it indexes a slice, not a class)."""
    y, p = (tf.constant(a, "float32") for a in random_batch(SHAPES["2-D binary"], outside=False))
    for kind, short in (("symmetric", "sym"), ("asymmetric", "asym")):
        for name, theirs in (
            (f"{kind}_focal", f"{kind}_focal_loss"),
            (f"{kind}_focal_tversky", f"{kind}_focal_tversky_loss"),
            (f"{kind}_unified_focal", f"{short}_unified_focal_loss"),
        ):
            expected = float(tf.reduce_mean(getattr(miscnn_metrics, theirs)(**given)(y, p)))
            assert float(registry.build(name, given)(y, p)) == pytest.approx(expected, rel=1e-5), name
    terms = [{"loss": "tversky", "parameters": {"class_reduction": "sum", "delta": 0.5}}, {"loss": "cross_entropy"}]
    both = float(tf.reduce_mean(miscnn_metrics.tversky_crossentropy(y, p)))
    assert float(registry.build("weighted_sum", {"terms": terms})(y, p)) == pytest.approx(both, rel=1e-5)
