"""Mixed precision: what computes in 16 bits and what does not, and trainings that go on to the last bit."""

import signal

import numpy as np
import pytest

from tests.unit.test_networks import TINY, digest, run_python
from tests.unit.test_training_loop_interruption import outcome, send
from tests.unit.training_support import skip_where_onednn_is_held_back, tiny_request
from workflow_lib.base.errors import UserError
from workflow_lib.networks import precision as precisions
from workflow_lib.networks import runtime
from workflow_lib.networks.build import build_network
from workflow_lib.networks.weights import load_network, save_network
from workflow_lib.study.sections.network import Network
from workflow_lib.training.loop import train
from workflow_lib.training.model import compile_model

FLAT = {"shape": (20, 17), "patch": (8, 16)}
"""2-D, because TensorFlow has no 3-D pooling in float16 on a CPU."""


@pytest.fixture(autouse=True)
def sixteen_bits():
    skip_where_onednn_is_held_back()


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_layers_are_half_and_weights_and_probabilities_are_not(precision):
    keras = runtime.import_keras()
    before = keras.config.dtype_policy()
    model = build_network(**TINY, seed=5, precision=precision)
    assert keras.config.dtype_policy() == before
    *inner, last = model.layers
    assert {layer.compute_dtype for layer in inner if layer.weights} == {precision}
    assert {weight.dtype for weight in model.weights} == {"float32"}
    assert (last.compute_dtype, last.activation.__name__) == ("float32", "softmax")
    assert model.outputs[0].dtype == "float32"
    assert digest(model) == digest(build_network(**TINY, seed=5))


def test_the_policy_is_restored_after_an_error():
    keras = runtime.import_keras()
    before = keras.config.dtype_policy()
    with pytest.raises(ZeroDivisionError), precisions.layers_in("bfloat16"):
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
        raise ZeroDivisionError
    assert keras.config.dtype_policy() == before


def test_small_probabilities_survive():
    """float16 would round what is below 6e-8 to 0, and what is near 1 to 1."""
    model = build_network(Network(filters=2, depth=1, batch_normalisation=False), 2, 1, (4, 4), seed=1, precision="float16")
    weights = model.get_weights()
    weights[-2][...], weights[-1][...] = 0, (20, 0)
    model.set_weights(weights)
    predicted = np.asarray(model(np.zeros((1, 4, 4, 1), "float32")))
    np.testing.assert_allclose(predicted[..., 1], 1 / (1 + np.exp(20.0)), rtol=1e-5)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_a_weights_file_is_the_same_whatever_the_precision(tmp_path, precision):
    tiny = TINY | {"patch": (8, 8)}
    model = build_network(**tiny, seed=5, precision=precision)
    save_network(model, tmp_path / "half.weights.h5")
    save_network(build_network(**tiny, seed=5), tmp_path / "full.weights.h5")
    assert (tmp_path / "half.weights.h5").read_bytes() == (tmp_path / "full.weights.h5").read_bytes()
    loaded = load_network(tmp_path / "half.weights.h5", **tiny)
    assert {layer.compute_dtype for layer in loaded.layers} == {"float32"}
    image = np.random.default_rng(0).normal(size=(1, 8, 8, 1)).astype("float32")
    half, full = np.asarray(model(image)), np.asarray(loaded(image))
    assert not np.array_equal(half, full)
    np.testing.assert_allclose(half, full, atol=0.03)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_training_learns_and_a_stopped_one_ends_with_the_same_bits(tmp_path, precision):
    settings = {"precision": precision, "iterations": 4, "learning_rate": 1e-2}
    whole = train(tiny_request(tmp_path / "whole", **FLAT, loss_type="cross_entropy", training=settings))
    losses = [float(row.split(",")[1]) for row in whole.history.read_text().splitlines()[1:]]
    assert losses[-1] < losses[0]
    stopped = tiny_request(tmp_path / "stopped", **FLAT, loss_type="cross_entropy", training=settings)
    with pytest.raises(SystemExit):
        train(stopped, send(signal.SIGTERM, (2, 2)))
    assert outcome(train(stopped)) == outcome(whole)
    full = train(tiny_request(tmp_path / "full", **FLAT, loss_type="cross_entropy", training=settings | {"precision": "float32"}))
    assert outcome(full) != outcome(whole)


def test_the_scale_of_the_loss_falls_when_gradients_overflow_and_is_part_of_the_state(tmp_path):
    model = compile_model(tiny_request(tmp_path, **FLAT, training={"precision": "float16"}))
    (scale,) = [variable for variable in model.optimizer.variables if variable.name == "dynamic_scale"]
    assert float(scale) == 2.0**15
    scale.assign(2.0**100)
    before = model.get_weights()
    random = np.random.default_rng(0)
    images = random.normal(size=(2, 8, 16, 1)).astype("float32")
    model.train_on_batch(images, random.integers(0, 3, (2, 8, 16)).astype("uint8"))
    assert float(scale) == 2.0**99
    trained = [variable.path for variable in model.trainable_variables]
    moved = [
        variable.path for variable, old in zip(model.weights, before, strict=True) if not np.array_equal(variable.numpy(), old)
    ]
    assert not set(moved) & set(trained)


def test_the_rate_of_the_schedule_reaches_the_optimiser_inside(tmp_path):
    model = compile_model(tiny_request(tmp_path, **FLAT, training={"precision": "float16"}))
    model.optimizer.learning_rate = 1e-5
    assert float(model.optimizer.inner_optimizer.learning_rate) == pytest.approx(1e-5)


def test_float16_in_three_dimensions_needs_a_gpu(tmp_path):
    with pytest.raises(UserError, match="no 3-D pooling in float16 on a CPU"):
        train(tiny_request(tmp_path, training={"precision": "float16"}))


@pytest.mark.parametrize(("precision", "expected"), [("float32", "False"), ("tf32", "True")])
def test_tensor_float_32_is_what_the_precision_says(tmp_path, precision, expected):
    code = (
        "import pathlib\n"
        "from tests.unit.training_support import tiny_request, train\n"
        f"settings = {{'epochs': 1, 'iterations': 1, 'precision': {precision!r}}}\n"
        f"train(tiny_request(pathlib.Path({str(tmp_path)!r}), training=settings))\n"
        "import tensorflow as tf\n"
        "print(tf.config.experimental.tensor_float_32_execution_enabled())"
    )
    assert run_python(code).stdout.splitlines()[-1] == expected
