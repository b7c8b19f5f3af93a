"""Whole cases from patches, against MIScnn's own stitching."""

import sys
import types
from types import SimpleNamespace

import numpy as np
import pytest

from workflow_lib.base.errors import UserError
from workflow_lib.base.files import write_json
from workflow_lib.host import memory
from workflow_lib.inference import predict
from workflow_lib.inference.predict import load_model, predict_case, probabilities
from workflow_lib.networks import runtime
from workflow_lib.networks.build import build_network
from workflow_lib.networks.weights import save_network
from workflow_lib.steps import predict as step
from workflow_lib.steps._command import Context
from workflow_lib.study.sections.network import Network
from workflow_lib.study.settings.predict import Settings

PATCH, OVERLAP = (8, 8, 8), (4, 4, 4)


@pytest.fixture(scope="module")
def model():
    return build_network(Network(filters=4, depth=1), 3, 1, PATCH, seed=3)


def image(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def miscnn_probabilities(model, case):
    """The same by MIScnn's functions: slicing, padding, one patch after the other, running means, cropping."""
    # One of MIScnn's networks imports tensorflow_addons, which no longer exists.
    sys.modules.setdefault("tensorflow_addons", types.ModuleType("tensorflow_addons"))
    from miscnn.utils.patch_operations import concat_matrices, crop_patch, pad_patch, slice_matrix

    patches = np.stack(slice_matrix(case, PATCH, OVERLAP, three_dim=True))
    shape = patches[0].shape
    padded = pad_patch(patches, PATCH, return_slicer=True)
    patches, slicer = padded
    predicted = np.concatenate([np.asarray(model(patch[None])) for patch in patches])
    predicted = crop_patch(predicted, slicer)
    assert predicted.shape[1:-1] == shape[:-1]
    return concat_matrices(predicted, case.shape[:-1], PATCH, OVERLAP, three_dim=True)


@pytest.mark.parametrize("shape", [(8, 8, 8), (13, 17, 9), (16, 5, 11)])
def test_equal_to_miscnn(model, shape):
    case = image(*shape, 1)
    expected = miscnn_probabilities(model, case)
    ours = probabilities(model, case, PATCH, OVERLAP, batch_size=3)
    np.testing.assert_allclose(ours, expected, atol=2e-6)
    np.testing.assert_allclose(ours.sum(axis=-1), 1, atol=1e-5)


def test_classes_are_the_most_probable_ones(model):
    case = image(13, 17, 9, 1)
    classes = predict_case(model, case, PATCH, OVERLAP, batch_size=3)
    expected = probabilities(model, case, PATCH, OVERLAP, batch_size=3).argmax(axis=-1)
    assert classes.dtype == np.uint8
    np.testing.assert_array_equal(classes, expected)
    assert len(np.unique(classes)) > 1


@pytest.mark.parametrize("batch_size", [1, 2, 7, 64])
def test_the_batch_size_does_not_matter_and_one_shape_is_traced(model, batch_size):
    case = image(13, 12, 9, 1)
    shapes = []

    class Spy:
        output_shape = model.output_shape

        def predict_on_batch(self, batch):
            shapes.append(batch.shape)
            return model.predict_on_batch(batch)

    ours = probabilities(Spy(), case, PATCH, OVERLAP, batch_size)
    assert set(shapes) == {(batch_size, *PATCH, 1)}
    assert len(shapes) == -(-12 // batch_size)
    np.testing.assert_allclose(ours, probabilities(model, case, PATCH, OVERLAP, 4), atol=2e-6)


def test_the_network_is_traced_once_for_all_batches_of_all_cases(monkeypatch):
    model = build_network(Network(filters=4, depth=1), 3, 1, PATCH, seed=3)
    step, traced = model.predict_step, []

    def predict_step(data):
        traced.append(data)
        return step(data)

    monkeypatch.setattr(model, "predict_step", predict_step)
    for shape in ((13, 12, 9), (8, 8, 8), (20, 9, 8)):
        probabilities(model, image(*shape, 1), PATCH, OVERLAP, batch_size=4)
    assert len(traced) == 1


def test_a_volume_smaller_than_the_patch(model):
    case = image(5, 8, 3, 1)
    assert predict_case(model, case, PATCH, OVERLAP, 2).shape == (5, 8, 3)


def test_two_dimensions_and_gaussian_weights():
    flat = build_network(Network(filters=4, depth=1), 2, 2, (8, 16), seed=3)
    case = image(13, 20, 2)
    assert predict_case(flat, case, (8, 16), (4, 8), 2).shape == (13, 20)
    gaussian = probabilities(flat, case, (8, 16), (4, 8), 2, "gaussian")
    np.testing.assert_allclose(gaussian.sum(axis=-1), 1, atol=1e-5)
    assert not np.allclose(gaussian, probabilities(flat, case, (8, 16), (4, 8), 2))


def test_memory_mapped_cases_are_read(model, tmp_path):
    case = image(9, 8, 8, 1)
    np.save(tmp_path / "case.npy", case)
    mapped = np.load(tmp_path / "case.npy", mmap_mode="r")
    np.testing.assert_array_equal(predict_case(model, mapped, PATCH, OVERLAP, 2), predict_case(model, case, PATCH, OVERLAP, 2))


def test_damaged_weights_are_told():
    broken = build_network(Network(filters=4, depth=1), 3, 1, PATCH, seed=3)
    broken.layers[-1].kernel.assign(np.full(broken.layers[-1].kernel.shape, np.nan))
    with pytest.raises(UserError, match="not finite"):
        predict_case(broken, image(8, 8, 8, 1), PATCH, OVERLAP, 2)


def test_a_trained_network_is_loaded(model, tmp_path):
    save_network(model, tmp_path / "model.weights.h5")
    loaded = load_model(tmp_path / "model.weights.h5", 3, 1, PATCH, Network(filters=4, depth=1))
    case = image(9, 8, 8, 1)
    np.testing.assert_array_equal(probabilities(loaded, case, PATCH, OVERLAP, 2), probabilities(model, case, PATCH, OVERLAP, 2))
    with pytest.raises(UserError, match="does not exist"):
        load_model(tmp_path / "none.weights.h5", 3, 1, PATCH, Network(filters=4, depth=1))


def test_memory_that_is_used_up_is_told_by_the_step(monkeypatch, tmp_path):
    class ResourceExhaustedError(Exception):
        """As TensorFlow's."""

    def exhausted(*arguments):
        raise errors.pop()

    errors: list[Exception] = [MemoryError(), ResourceExhaustedError()]

    study = SimpleNamespace(labels=SimpleNamespace(n_classes=2), channels=1, cases={})
    monkeypatch.setattr(step, "read_cases", lambda path: study)
    monkeypatch.setattr(step, "read_folds", lambda path: {})
    monkeypatch.setattr(step, "split_cases", lambda places, fold: SimpleNamespace(test=["a"]))
    monkeypatch.setattr(step, "Store", lambda paths: {"a": SimpleNamespace(image=np.zeros((8, 8, 1)))})
    monkeypatch.setattr(runtime, "configure_runtime", lambda *arguments, **settings: "NVIDIA A100")
    monkeypatch.setattr(predict, "load_model", lambda *arguments: None)
    monkeypatch.setattr(predict, "predict_case", exhausted)
    monkeypatch.setattr(memory, "of_gpu", lambda: memory.Memory(40 * 2**30, "NVIDIA A100"))
    settings = Settings.model_validate(
        {
            **{"dataset": "toy", "loss": "dice", "fold": 1, "threads": 1, "deterministic": True, "patch": [8, 8]},
            **{"network": {}, "preprocessing": {}, "prediction": {"overlap": [4, 4]}},
        }
    )
    paths = {name: [tmp_path / name] for name in ("cases", "folds", "stores", "weights", "summary", "predictions")}
    write_json(tmp_path / "summary", {"diverged": None})
    with pytest.raises(UserError) as caught:
        step.work(Context(settings, "f", 1, paths, {"gpus": 1}))
    message = str(caught.value)
    assert message.startswith(
        "The memory of the GPU (NVIDIA A100) is used up; no prediction was written. NVIDIA A100 has 40.0 GiB."
    )
    assert "prediction.batch_size" in message
    assert "gpu_model" in message
    assert not (tmp_path / "predictions").exists()
    # Python's own memory is the host's.
    with pytest.raises(UserError, match="The memory of the CPU is used up"):
        step.work(Context(settings, "f", 1, paths, {"gpus": 1}))
