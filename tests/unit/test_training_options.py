"""Gradient accumulation, XLA, one training on several GPUs: the same weights where they should be, and trainings that resume."""

import json
import signal
import subprocess
import sys

import numpy as np
import pytest

from tests.unit.test_training_loop_interruption import outcome, send
from tests.unit.training_support import tiny_request
from workflow_lib.base.errors import UserError
from workflow_lib.study.sections.network import Network
from workflow_lib.training import batches
from workflow_lib.training.loop import train
from workflow_lib.training.model import compile_model
from workflow_lib.training.step import Steps, compiled_with_xla


def trained(request, accumulation=1):
    """Return weights and losses after three steps and a validation of four patches each."""
    model = compile_model(request)
    losses = []
    with Steps(model, accumulation) as steps:
        for step in range(3):
            batch = batches.training_batch(
                request.store, request.training_cases, (8, 8, 8), 4, request.augmentation, request.seed, 1, step
            )
            losses.append(steps.train(*batch).result())
        losses.append(steps.validate(*batch).result())
    return model.get_weights(), losses


def request_of(folder, **training):
    """A mean over samples, no batch normalisation, and an optimiser that shows the size of the gradients."""
    settings = {"batch_size": 4, "optimiser": "sgd", "momentum": 0.9, "learning_rate": 0.1}
    network = Network(filters=4, depth=1, batch_normalisation=False)
    return tiny_request(folder, loss_type="cross_entropy", network=network, training=settings | training)


@pytest.mark.parametrize("passes", [2, 4])
def test_passes_give_the_weights_of_one(tmp_path, passes):
    weights, losses = trained(request_of(tmp_path))
    others, other_losses = trained(request_of(tmp_path, accumulation=passes), passes)
    np.testing.assert_allclose(other_losses, losses, rtol=1e-6)
    for ours, theirs in zip(others, weights, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
    before = compile_model(request_of(tmp_path)).get_weights()
    assert max(float(np.abs(a - b).max()) for a, b in zip(weights, before, strict=True)) > 1e-3


def test_a_training_with_passes_that_was_stopped_ends_with_the_same_bits(tmp_path):
    settings = {"batch_size": 4, "accumulation": 2}
    whole = train(tiny_request(tmp_path / "whole", training=settings))
    stopped = tiny_request(tmp_path / "stopped", training=settings)
    with pytest.raises(SystemExit):
        train(stopped, send(signal.SIGTERM, (2, 1)))
    assert outcome(train(stopped)) == outcome(whole)


def in_a_process(tmp_path, code):
    """Run code with `folder`, `train` and what the tests here use; return the JSON that it prints last."""
    head = (
        "import json, os, pathlib, signal, sys\n"
        "os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'\n"
        f"folder = pathlib.Path({str(tmp_path)!r})\n"
        "from workflow_lib.networks import runtime\n"
    )
    done = subprocess.run([sys.executable, "-c", head + code], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


RESUME = (
    "from tests.unit.training_support import tiny_request, train\n"
    "from tests.unit.test_training_loop_interruption import outcome, send\n"
    "whole = train(tiny_request(folder / 'whole', training=settings))\n"
    "stopped = tiny_request(folder / 'stopped', training=settings)\n"
    "try:\n"
    "    train(stopped, send(signal.SIGTERM, (2, 1)))\n"
    "except SystemExit:\n"
    "    pass\n"
    "result = train(stopped)\n"
    "print(json.dumps([outcome(result) == outcome(whole), len(result.record['attempts'])]))\n"
)


def test_two_devices_give_the_weights_of_one(tmp_path):
    code = (
        "from tests.unit import several_gpus\n"
        "from tests.unit.test_training_options import *\n"
        "one, two = trained(request_of(folder)), trained(request_of(folder, gpus=2))\n"
        "print(json.dumps([[np.abs(a - b).max().item() for a, b in zip(one[0], two[0])], one[1], two[1]]))"
    )
    differences, one, two = in_a_process(tmp_path, code)
    assert max(differences) < 1e-6
    np.testing.assert_allclose(two, one, rtol=1e-6)


def test_a_training_on_two_devices_resumes_with_the_same_bits(tmp_path):
    """With batch normalisation, whose moving statistics each device would otherwise keep for itself."""
    code = "from tests.unit import several_gpus\nsettings = {'gpus': 2}\n" + RESUME
    assert in_a_process(tmp_path, code) == [True, 2]


def test_fewer_gpus_than_asked_for_are_told_before_anything_is_computed(tmp_path):
    with pytest.raises(UserError, match=r"training.gpus is 2, but this job sees 0 GPU\(s\)"):
        train(tiny_request(tmp_path, training={"gpus": 2}))
    assert [path.name for path in (tmp_path / "checkpoints" / "abc").iterdir()] == ["attempts.json"]


def test_xla_compiles_and_resumes_and_rounds_otherwise(tmp_path):
    """And a whole training has not imported what it does not need."""
    unneeded = "from tests.unit.test_networks import NOT_NEEDED as n\nassert not n & set(sys.modules), n & set(sys.modules)\n"
    code = "settings = {'xla': True}\n" + RESUME + unneeded
    assert in_a_process(tmp_path / "xla", code) == [True, 2]
    (tmp_path / "plain").mkdir()
    plain = train(tiny_request(tmp_path / "plain"))
    with_xla = tmp_path / "xla" / "whole" / "out" / "history.csv"
    first, other = ([float(row.split(",")[1]) for row in path.read_text().splitlines()[1:]] for path in (plain.history, with_xla))
    assert first != other
    np.testing.assert_allclose(other[0], first[0], rtol=1e-3)


def test_where_keras_does_not_compile_it_is_told(tmp_path):
    """In this process TensorFlow is bound to deterministic operations, as after any training on a CPU without XLA."""
    train(tiny_request(tmp_path / "first", training={"epochs": 1, "iterations": 1}))
    with pytest.warns(UserWarning, match="jit_compile"), pytest.raises(UserError, match="to false"):
        train(tiny_request(tmp_path / "second", training={"xla": True}))


def test_a_loss_that_xla_cannot_compile_is_told():
    class InvalidArgumentError(Exception):
        pass

    with pytest.raises(UserError, match="XLA cannot compile the loss 'mine'"), compiled_with_xla("mine", xla=True):
        raise InvalidArgumentError("Detected unsupported operations when trying to compile graph on XLA_CPU_JIT: Unique")
    with pytest.raises(InvalidArgumentError), compiled_with_xla("mine", xla=False):
        raise InvalidArgumentError("XLA")
