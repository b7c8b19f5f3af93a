"""The training loop: what it computes, what it writes, what it says when a training goes wrong."""

import csv
import dataclasses
import importlib.util
import math
import subprocess
import sys

import numpy as np
import pytest

from tests.unit.augmentation_support import smooth_case
from tests.unit.training_support import CASES, tiny_request, validation_batches
from workflow_lib.base.errors import UserError
from workflow_lib.base.files import read_json
from workflow_lib.host import memory
from workflow_lib.losses import registry
from workflow_lib.networks import costs, runtime
from workflow_lib.networks.weights import load_network
from workflow_lib.study.sections.network import Network
from workflow_lib.training import batches, checkpoints, divergence
from workflow_lib.training.loop import train
from workflow_lib.training.model import compile_model, with_one_hot
from workflow_lib.training.request import HISTORY, SUMMARY, WEIGHTS, steps_per_epoch


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    request = tiny_request(tmp_path_factory.mktemp("finished"))
    return request, train(request)


def rows(path):
    with open(path, encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def validation_loss(request, model):
    prepared = validation_batches(
        request.store, request.validation_cases, request.training.patch, 2, request.training.validation, request.seed, 1
    )
    return sum(float(model.test_on_batch(*batch)) for batch in prepared) / len(prepared)


def test_history_has_a_row_per_epoch(finished):
    request, result = finished
    history = rows(result.history)
    assert list(history[0]) == ["epoch", "training_loss", "validation_loss", "learning_rate", "best"]
    assert [row["epoch"] for row in history] == ["1", "2", "3"]
    lowest = math.inf
    for row in history:
        assert (row["best"] == "1") == (float(row["validation_loss"]) < lowest)
        lowest = min(lowest, float(row["validation_loss"]))
    assert float(history[0]["learning_rate"]) == request.training.learning_rate
    assert float(history[-1]["learning_rate"]) == pytest.approx(0.1 * request.training.learning_rate)


def test_the_model_is_that_of_the_lowest_validation_loss(finished):
    request, result = finished
    model = compile_model(request)
    model.load_weights(result.weights)
    losses = [float(row["validation_loss"]) for row in rows(result.history)]
    best = min(losses)
    # The example would show nothing if the last epoch were the best.
    assert best < losses[-1]
    assert validation_loss(request, model) == best
    assert result.record["best_epoch"] == losses.index(best) + 1
    assert result.record["best_validation_loss"] == best


def test_the_summary_says_what_the_contract_names(finished):
    request, result = finished
    summary = read_json(result.summary)
    assert summary == result.record
    expected = {"dataset": "tiny", "loss": "my_dice", "fold": 1, "label": "my_dice", "epochs": 3, "fingerprint": "abc"}
    assert expected.items() <= summary.items()
    assert summary["parameters"] == costs.count_parameters(Network(filters=4, depth=1), 3, 1, (8, 8, 8))
    assert summary["training_cases"] == ["a", "b", "c"]
    assert summary["validation_cases"] == ["d", "e"]
    (attempt,) = summary["attempts"]
    assert (attempt["first_epoch"], attempt["first_step"], attempt["last_epoch"], attempt["last_step"]) == (1, 1, 3, 2)
    assert (attempt["ended"], attempt["device"], attempt["steps"]) == ("finished", "cpu", 6)
    assert 0 < attempt["seconds"] == summary["seconds"]
    assert summary["peak_memory_mib"] > 50
    assert {"tensorflow", "keras", "numpy", "miscnn", "python", "backend"} == set(summary["versions"])
    assert sorted(path.name for path in request.checkpoints.iterdir()) == ["attempts.json", "history.csv"]
    assert (request.checkpoints / "history.csv").read_bytes() == result.history.read_bytes()


def test_keras_s_own_fit_gives_the_same_weights_losses_and_rates(finished, tmp_path):
    """Another way to the same end: Model.fit, one-hot labels, Keras's plateau callback and its checkpoint of the best weights."""
    request, result = finished
    keras = runtime.import_keras()
    settings = request.training

    def one_hot(classes):
        return np.stack([classes == index for index in range(3)], axis=-1).astype(np.float32)

    (images, classes), *more = validation_batches(request.store, request.validation_cases, (8, 8, 8), 2, "fixed", request.seed, 1)
    assert not more
    model = compile_model(request)
    model.compile(keras.optimizers.Adam(settings.learning_rate), registry.build("dice", {}), jit_compile=False)
    callbacks = [
        keras.callbacks.ReduceLROnPlateau(
            monitor="val_loss", factor=0.1, patience=settings.plateau_patience, min_lr=settings.minimum_learning_rate
        ),
        keras.callbacks.ModelCheckpoint(
            str(tmp_path / "best.weights.h5"), "val_loss", save_best_only=True, save_weights_only=True
        ),
    ]

    def feed():
        for index in range(settings.epochs * settings.iterations):
            epoch, step = divmod(index, settings.iterations)
            images, classes = batches.training_batch(
                request.store, request.training_cases, (8, 8, 8), 2, request.augmentation, request.seed, epoch + 1, step
            )
            yield images, one_hot(classes)

    record = model.fit(
        feed(),
        epochs=settings.epochs,
        steps_per_epoch=settings.iterations,
        validation_data=(images, one_hot(classes)),
        validation_batch_size=2,
        callbacks=callbacks,
        verbose=0,
    ).history
    history = rows(result.history)
    np.testing.assert_allclose(record["loss"], [float(row["training_loss"]) for row in history], rtol=1e-6)
    assert record["val_loss"] == [float(row["validation_loss"]) for row in history]
    assert record["learning_rate"] == [float(np.float32(float(row["learning_rate"]))) for row in history]
    model.load_weights(tmp_path / "best.weights.h5")
    other = load_network(result.weights, Network(filters=4, depth=1), 3, 1, (8, 8, 8))
    for ours, theirs in zip(other.get_weights(), model.get_weights(), strict=True):
        assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("changes", [{"workers": 3, "checkpoint_minutes": 1e-9}, {"batch_processes": 2}])
def test_how_a_training_is_run_does_not_change_what_comes_out(finished, tmp_path, changes):
    _, result = finished
    again = train(tiny_request(tmp_path, **changes))
    assert again.weights.read_bytes() == result.weights.read_bytes()
    assert again.history.read_bytes() == result.history.read_bytes()


def test_all_losses_of_a_fold_begin_with_the_same_weights(tmp_path):
    requests = [tiny_request(tmp_path, loss_type=name) for name in ("dice", "cross_entropy", "mixed_focal")]
    requests.append(tiny_request(tmp_path, seed=99))
    first, *same, other = [compile_model(request).get_weights() for request in requests]
    for weights in same:
        assert all(np.array_equal(a, b) for a, b in zip(first, weights, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_two_dimensions(tmp_path):
    request = tiny_request(tmp_path, shape=(20, 17), patch=(8, 16), training={"epochs": 1, "iterations": 2})
    result = train(request)
    assert len(rows(result.history)) == 1
    assert load_network(result.weights, Network(filters=4, depth=1), 3, 1, (8, 16)).output_shape == (None, 8, 16, 3)


def test_training_learns(tmp_path):
    """Bright voxels against the rest: the cross entropy falls well below that of guessing."""
    request = tiny_request(tmp_path, loss_type="cross_entropy", training={"epochs": 4, "iterations": 12, "plateau_patience": 20})
    first, *_, last = [float(row["training_loss"]) for row in rows(train(request).history)]
    assert last < 0.6 * first


def test_one_hot_leaves_out_what_is_outside():
    runtime.import_keras()
    seen = {}

    def loss(y_true, y_pred):
        seen["y_true"] = np.asarray(y_true)
        return y_pred

    classes = np.array([[[0, 2], [255, 1]]], dtype=np.uint8)
    with_one_hot(loss, 3)(classes.astype(np.float32), None)
    expected = [[[[1, 0, 0], [0, 0, 1]], [[0, 0, 0], [0, 1, 0]]]]
    np.testing.assert_array_equal(seen["y_true"], expected)
    assert seen["y_true"].dtype == np.float32


@pytest.fixture
def diverges(monkeypatch):
    """A loss that is NaN wherever the tumour (class 2) shows, and the cases that have one."""

    def build(name, parameters):
        from keras import ops

        return lambda y_true, y_pred: ops.where(ops.any(y_true[..., 2] > 0), math.nan, ops.mean(y_pred))

    monkeypatch.setattr(registry, "build", build)

    def store(*names):
        cases = {name: smooth_case((12, 10, 9), seed=index, name=name) for index, name in enumerate(CASES)}
        for name, case in cases.items():
            case.classes[...] = 2 if name in names else 0
        return cases

    return store


def test_a_diverged_training_names_loss_epoch_step_and_cases(tmp_path, diverges, capsys):
    request = tiny_request(tmp_path, store=diverges("b"))
    order = batches.case_order(request.training_cases, request.seed, 1)
    step = next(step for step in range(2) if "b" in batches.cases_of_step(order, 2, step))
    cases = batches.cases_of_step(order, 2, step)
    result = train(request)
    diverged = read_json(result.summary)["diverged"]
    message = diverged.pop("message")
    assert message in capsys.readouterr().out
    assert "training loss became nan with loss 'my_dice' (dice), dataset 'tiny', fold 1: epoch 1" in message
    assert f"step {step + 1}, cases {', '.join(cases)}." in message
    assert diverged == {"phase": "training", "value": "nan", "epoch": 1, "step": step + 1, "cases": cases}
    record = read_json(result.summary)
    assert (record["attempts"][0]["ended"], record["epochs"], record["best_epoch"]) == ("diverged", 0, 0)
    assert (record["best_validation_loss"], record["stopped_early"]) == (None, False)
    assert rows(result.history) == []
    left = load_network(result.weights, Network(filters=4, depth=1), 3, 1, (8, 8, 8)).get_weights()
    for ours, initial in zip(left, compile_model(request).get_weights(), strict=True):
        assert np.array_equal(ours, initial)


def test_a_validation_loss_that_is_no_number_stops_the_training(tmp_path, diverges):
    diverged = train(tiny_request(tmp_path, store=diverges("d"))).record["diverged"]
    assert "The validation loss became nan" in diverged["message"]
    assert (diverged["phase"], diverged["epoch"], diverged["step"], diverged["cases"]) == ("validation", 1, 1, ["d", "e"])


def test_a_training_that_diverges_late_keeps_its_best_weights(tmp_path):
    """Of the first epoch, in which everything was still well."""

    def diverge(epoch, step):
        if (epoch, step) == (2, 1):
            raise divergence.DivergedError("made up", {"message": "made up", "epoch": 2})

    once = train(tiny_request(tmp_path / "once", training={"epochs": 1}))
    result = train(tiny_request(tmp_path / "late"), diverge)
    assert (result.record["diverged"]["epoch"], result.record["best_epoch"], result.record["epochs"]) == (2, 1, 1)
    assert result.weights.read_bytes() == once.weights.read_bytes()
    assert result.history.read_bytes() == once.history.read_bytes()


def test_weights_that_are_no_numbers_are_noticed_behind_a_loss_that_is_one(tmp_path, monkeypatch):
    keras = runtime.import_keras()
    real, calls = keras.Model.get_weights, []

    def spoiled(model):
        calls.append(model)
        weights = real(model)
        if len(calls) == 1:
            weights[0][...] = math.nan
        return weights

    monkeypatch.setattr(keras.Model, "get_weights", spoiled)
    record = train(tiny_request(tmp_path)).record
    assert (record["diverged"]["phase"], record["diverged"]["epoch"], record["best_epoch"]) == ("weights", 1, 0)


def test_a_failed_training_leaves_earlier_results_alone(tmp_path):
    def fail(epoch, step):
        raise RuntimeError("the machine dies")

    request = tiny_request(tmp_path)
    request.output.mkdir()
    (request.output / "model.weights.h5").write_bytes(b"earlier")
    with pytest.raises(RuntimeError):
        train(request, fail)
    assert [path.name for path in request.output.iterdir()] == ["model.weights.h5"]
    assert (request.output / "model.weights.h5").read_bytes() == b"earlier"
    assert read_json(request.checkpoints / "attempts.json")[0]["ended"] == "failed"


def test_a_full_disk_at_a_checkpoint_does_not_stop_the_training(finished, tmp_path, monkeypatch, capsys):
    def full(*arguments):
        raise UserError("Cannot write x: No space left on device.")

    monkeypatch.setattr(checkpoints, "save", full)
    result = train(tiny_request(tmp_path, checkpoint_minutes=1e-9))
    assert result.weights.read_bytes() == finished[1].weights.read_bytes()
    assert capsys.readouterr().out.count("no checkpoint at epoch 1, step 1: Cannot write x") == 1


@pytest.mark.parametrize("asked", [False, True])
def test_determinism_is_asked_of_the_runtime(tmp_path, monkeypatch, asked):
    given = []

    def configure(threads, deterministic, gpus, **options):
        given.append(deterministic)
        raise UserError("far enough")

    monkeypatch.setattr(runtime, "configure_runtime", configure)
    with pytest.raises(UserError, match="far enough"):
        train(tiny_request(tmp_path, training={"deterministic": asked}))
    assert given == [asked]


def test_a_missing_gpu_is_told(tmp_path, capsys):
    train(tiny_request(tmp_path, gpus=1, training={"epochs": 1, "iterations": 1}))
    assert "no GPU was found; training on the CPU" in capsys.readouterr().out


def test_a_gpu_that_tensorflow_cannot_use_stops_the_training(tmp_path, monkeypatch):
    """As in an environment without NVIDIA's libraries: on the CPU it would take weeks and nobody would notice."""
    monkeypatch.setattr(memory, "of_gpu", lambda: memory.Memory(80 * 2**30, "NVIDIA H100"))
    with pytest.raises(UserError, match=r"has a GPU \(NVIDIA H100\), but TensorFlow cannot use it.*make venv GPU=1"):
        train(tiny_request(tmp_path, gpus=1))
    train(tiny_request(tmp_path, gpus=0, training={"epochs": 1, "iterations": 1}))


def test_the_request_is_plain_and_frozen(tmp_path):
    request = tiny_request(tmp_path)
    with pytest.raises(dataclasses.FrozenInstanceError):
        request.seed = 2  # type: ignore[misc]
    assert dataclasses.replace(request, network=Network(filters=8)).network.filters == 8


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_other_backends_run_the_same_loop(backend, tmp_path):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    code = (
        f"import os, pathlib; os.environ['KERAS_BACKEND'] = {backend!r}\n"
        "from tests.unit.training_support import tiny_request, train\n"
        f"result = train(tiny_request(pathlib.Path({str(tmp_path)!r}), training={{'epochs': 1}}))\n"
        "print(result.record['versions']['backend'], result.record['best_validation_loss'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    name, loss = done.stdout.split()[-2:]
    assert name == backend
    assert 0 < float(loss) < 1


def test_the_files_have_the_names_of_the_contract():
    assert (WEIGHTS, HISTORY, SUMMARY) == ("model.weights.h5", "history.csv", "training.json")


def test_an_epoch_without_a_number_of_steps_shows_every_training_case_once(tmp_path):
    request = tiny_request(tmp_path, training={"iterations": None, "epochs": 1, "batch_size": 2})
    assert steps_per_epoch(request) == 2  # three cases, the last batch filled up
    seen: list[tuple[int, int]] = []
    train(request, on_step=lambda epoch, step: seen.append((epoch, step)))
    assert seen == [(1, 1), (1, 2)]


def test_stochastic_gradient_descent_with_nesterovs_momentum(tmp_path):
    settings = {"optimiser": "sgd", "momentum": 0.9, "nesterov": True, "learning_rate": 0.1}
    model = compile_model(tiny_request(tmp_path, training=settings))
    configured = model.optimizer.get_config()
    # Keras counts the optimisers of a process in their names.
    assert configured["name"].lower().split("_")[0] == "sgd"
    assert (configured["momentum"], configured["nesterov"]) == (0.9, True)
    assert configured["learning_rate"] == pytest.approx(0.1)


def stalling(tmp_path, **changes):
    """A training whose learning rate is so high that its validation loss soon stops falling."""
    training = {"epochs": 12, "iterations": 1, "early_stop": 2, "learning_rate": 0.3, "plateau_patience": 50}
    return tiny_request(tmp_path, training=training | changes)


def test_a_training_ends_early_when_the_validation_loss_stalls(tmp_path):
    result = train(stalling(tmp_path))
    history = rows(result.history)
    losses = [float(row["validation_loss"]) for row in history]
    best = losses.index(min(losses))
    assert len(history) == best + 1 + 2 < 12
    assert (result.record["epochs"], result.record["stopped_early"]) == (len(history), True)
    # The rule by itself: no earlier epoch had gone two epochs without a new lowest loss.
    for end in range(3, len(losses)):
        assert end - (losses[:end].index(min(losses[:end])) + 1) < 2
    assert train(stalling(tmp_path / "whole", early_stop=None, epochs=len(history))).record["stopped_early"] is False


def test_an_early_end_comes_at_the_same_epoch_after_an_interruption(tmp_path):
    whole = train(stalling(tmp_path / "whole"))
    request = stalling(tmp_path / "killed")

    class StopError(Exception):
        pass

    def stop(epoch: int, step: int) -> None:
        if epoch == whole.record["epochs"]:
            raise StopError

    with pytest.raises(StopError):
        train(dataclasses.replace(request, checkpoint_minutes=0.0), on_step=stop)
    again = train(request)
    assert rows(again.history) == rows(whole.history)
    assert again.record["best_epoch"] == whole.record["best_epoch"]
