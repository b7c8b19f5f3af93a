"""The losses under Keras on PyTorch and JAX, where these are installed. A process has one backend, so each has its own."""

import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from tests.unit import losses_oracle as oracle
from tests.unit.losses_batches import EXAMPLES, SHAPES, random_batch
from workflow_lib.losses import registry


@pytest.fixture(scope="module", params=["torch", "jax"])
def results(request, root):
    """What losses_on_backend.py found."""
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    done = subprocess.run(
        [sys.executable, "-m", "tests.unit.losses_on_backend"], cwd=root, capture_output=True, text=True, timeout=600,
        env=os.environ | {"KERAS_BACKEND": request.param},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("shape", ["2-D binary", "3-D three classes"])
@pytest.mark.parametrize("name", registry.names())
def test_values_and_gradients_equal_the_oracle(results, name, shape):
    found, options = results["losses"][name][shape], EXAMPLES.get(name, {})
    y, p = random_batch(SHAPES[shape])

    def reference(y, p):
        return oracle.LOSSES[name](y, p, **options)

    assert found["dtype"] == found["half_dtype"] == "float32"
    assert found["value"] == pytest.approx(reference(y, p), rel=1e-5, abs=1e-7)
    assert found["compiled"] == pytest.approx(found["value"], rel=1e-5, abs=1e-7)
    half = p.astype(np.float16).astype(float)
    assert found["half"] == pytest.approx(reference(y, half), rel=1e-4, abs=1e-6)
    expected = oracle.gradient(reference, y, p)
    np.testing.assert_allclose(found["gradient"], expected, rtol=1e-3, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("name", registry.names())
def test_finite_at_the_edges(results, name):
    assert all(results["losses"][name]["edges"].values()), results["losses"][name]["edges"]


def test_models_learn(results):
    for name, history in results["learnt"].items():
        assert np.isfinite(history).all(), name
        assert history[-1] < history[0], name
