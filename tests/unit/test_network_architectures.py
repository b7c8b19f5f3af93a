"""The families of networks and optimisers: what each member says of itself is true, and a member is one file."""

import json
import math
import sys
from collections import Counter
from typing import Any

import pytest

from tests.unit.test_changes import RAW
from tests.unit.training_support import tiny_request
from workflow_lib import optimisers
from workflow_lib.base import imports
from workflow_lib.base.errors import Faults, UserError
from workflow_lib.networks import architectures, costs
from workflow_lib.networks.architectures import documentation, registry
from workflow_lib.networks.build import build_network
from workflow_lib.optimisers import documentation as optimiser_documentation
from workflow_lib.plan import jobs as plan
from workflow_lib.study.config import merge
from workflow_lib.study.sections.network import Network
from workflow_lib.study.sections.training import Training

USABLE = [name for name in registry.FAMILY.names() if not registry.refused(name)]


def counted(model):
    """Return the layers of a Keras network: kind, output, weights and multiplications, each counted from the layer itself."""
    layers: Counter[tuple[object, ...]] = Counter()
    for layer in model.layers[1:]:
        kind = layer.name.rpartition("_")[0].replace("2d", "").replace("3d", "").replace("_d", "")
        output, work = layer.output.shape[1:], 0
        if kind.startswith("conv"):
            *kernel, a, b = layer.kernel.shape
            # A transposed convolution of stride 2 and kernel 2 takes each output voxel from one input voxel.
            work = math.prod(output[:-1]) * (1 if "transpose" in kind else math.prod(kernel)) * a * b
        layers[kind, tuple(output), layer.count_params(), work] += 1
    return layers


@pytest.mark.parametrize(("patch", "normalised"), [((32, 16), False), ((16, 16, 32), True)], ids=["2-D", "3-D"])
@pytest.mark.parametrize("name", USABLE)
def test_the_walk_is_the_network_that_is_built(name, patch, normalised):
    network = Network(architecture=name, filters=3, depth=2, batch_normalisation=normalised)
    if name == "multi_residual":
        network = Network(architecture=name)
    model = build_network(network, 3, 2, patch, seed=1)
    walked = costs.layers_of(network, 3, 2, patch)
    assert counted(model) == Counter(
        (layer.kind, (*layer.output.sides, layer.output.channels), layer.weights, layer.multiplications) for layer in walked
    )
    assert model.output_shape == (None, *patch, 3)
    assert model.layers[-1].activation.__name__ == "softmax"


def test_the_pages_of_the_families_are_current(root):
    pages = {"networks": documentation, "optimisers": optimiser_documentation}
    for name, page in pages.items():
        assert (root / "docs" / f"{name}.md").read_text(encoding="utf-8") == page.text(), "run: make generated"


def test_what_is_refused_fails_indeed_and_for_the_reason_given(monkeypatch):
    # Tests of MIScnn itself leave an empty stand-in for the missing package in this process.
    for module in ("tensorflow_addons", "miscnn.neural_network.architecture.unet.plain"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    assert [name for name in registry.FAMILY.names() if registry.refused(name)] == ["plain"]
    with pytest.raises(ModuleNotFoundError) as caught:
        imports.module_alone("miscnn.neural_network.architecture.unet.plain")
    assert str(caught.value) in registry.refused("plain")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"network": {"architecture": "residul"}},
            "network.architecture: there is no architecture 'residul'; did you mean",
        ),
        ({"network": {"architecture": "plain"}}, "network.architecture: plain of MIScnn 1.4.0 fails under Keras 3: it imports"),
        (
            {"network": {"architecture": "multi_residual", "depth": 4}, "training": {"patch": [16] * 3}},
            "network: architecture 'multi_residual': parameter 'filters' is 8; accepted: `32`",
        ),
        ({"network": {"parameters": {"growth": 2}}}, "network: architecture 'standard' has no parameter 'growth'"),
        ({"network": {"parameters": {"depth": 1}}}, "network.parameters: depth: keys of `network` itself"),
        ({"training": {"patch": [16, 16, 18]}}, "training.patch: every side must divide by 4 for this network"),
        ({"training": {"optimiser": "adamax"}}, "training.optimiser: there is no optimiser 'adamax'; did you mean 'adam"),
        ({"training": {"momentum": 0.9}}, "training: optimiser 'adam' has no parameter 'momentum'"),
        ({"training": {"optimiser_parameters": {"beta_1": 1}}}, "training: optimiser 'adam': parameter 'beta_1' is 1; accepted"),
        (
            {"training": {"optimiser": "sgd", "momentum": 0.9, "optimiser_parameters": {"momentum": 0.5}}},
            "training.optimiser_parameters: momentum: also a key of `training`",
        ),
    ],
)
def test_a_choice_that_cannot_be_trained_is_a_fault_of_the_study(changes, message):
    with pytest.raises(Faults) as caught:
        plan.load(merge(merge(RAW, {"network": {"filters": 8}}), changes))
    (fault,) = caught.value.faults
    assert fault.startswith(f"datasets.a.{message}")


def test_a_training_depends_on_its_own_network_and_optimiser_and_a_prediction_on_the_network():
    study = plan.load(merge(RAW, {"network": {"architecture": "dense"}, "training": {"optimiser": "adamw"}}))

    def members(step):
        found: dict[str, list[str]] = {}
        for name in study.code(step, "a", "dice", 1):
            _, _, path = name.partition(".")
            folder, _, module = path.rpartition(".")
            if folder.startswith(("networks", "optimisers")) and not module.startswith("_") and module != "architectures":
                found.setdefault(folder, []).append(module)
        return found

    training, prediction = members("train"), members("predict")
    assert training["networks.architectures"] == prediction["networks.architectures"] == ["dense", "interface", "registry"]
    assert training["optimisers"] == ["adamw", "interface", "registry"]
    assert "optimisers" not in prediction
    assert "costs" not in training["networks"]


def test_entries_that_share_images_may_have_the_same_folds():
    datasets: Any = RAW["datasets"]
    other = datasets["a"] | {"label": "B", "network": {"architecture": "compact"}, "cross_validation": {"like": "a"}}
    raw = merge(RAW, {"study": {"datasets": ["a", "b"]}, "datasets": {"b": other}})
    study = plan.load(raw)
    one, two = (json.loads(study.job("split", name).settings) for name in "ab")
    assert one["seed"] == two["seed"]
    assert study.job("train", "a", "dice", 1).settings != study.job("train", "b", "dice", 1).settings
    for change, reason in (({"root": "elsewhere"}, "other images"), ({"cross_validation": {"folds": 3}}, "in another way")):
        with pytest.raises(UserError, match=reason):
            plan.load(merge(raw, {"datasets": {"b": change}}))
    with pytest.raises(UserError, match="is not another dataset of this study"):
        plan.load(merge(raw, {"datasets": {"b": {"cross_validation": {"like": "b"}}}}))


NETWORK = '''
"""A convolution and the softmax."""
from pydantic import Field
from workflow_lib.networks.architectures.interface import UNetParameters

NAME, LABEL, CITATION, NOTES = "two_layers", "Two layers", "this test", ()


class Parameters(UNetParameters):
    kernel: int = Field(3, ge=1)


def build(shape, n_classes, parameters):
    import keras
    conv = keras.layers.Conv2D if len(shape) == 3 else keras.layers.Conv3D
    image = keras.Input(shape)
    x = conv(parameters.filters, parameters.kernel, padding="same", activation="relu")(image)
    return keras.Model(image, conv(n_classes, 1, activation="softmax")(x))


def layers(walk, image, n_classes, parameters):
    return walk.convolution(walk.convolution(image, parameters.filters, parameters.kernel), n_classes, 1)


def divisor(parameters):
    return 1
'''

OPTIMISER = '''
"""The sign of the gradient."""
from workflow_lib.base import parameters as base
from workflow_lib.networks.runtime import import_keras

NAME, LABEL, CITATION, NOTES = "lion", "Lion", "arXiv:2302.06675", ()


class Parameters(base.Parameters):
    beta_1: float = 0.9


def build(learning_rate, parameters, passes):
    return import_keras().optimizers.Lion(learning_rate, beta_1=parameters.beta_1, gradient_accumulation_steps=passes)


def state_arrays(parameters):
    return 1
'''


def test_a_network_and_an_optimiser_are_added_as_their_only_files(tmp_path, monkeypatch):
    from workflow_lib.training import budget
    from workflow_lib.training.loop import train

    for package, name, text in ((architectures, "two_layers", NETWORK), (optimisers, "lion", OPTIMISER)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / f"{name}.py").write_text(text)
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])
    chosen: dict[str, Any] = {
        "network": {"architecture": "two_layers", "filters": 2, "parameters": {"kernel": 5}},
        "training": {"optimiser": "lion", "optimiser_parameters": {"beta_1": 0.5}},
    }
    assert plan.load(merge(RAW, chosen)).dataset("a").network.architecture == "two_layers"
    network, training = Network(**chosen["network"]), {"epochs": 1, "iterations": 2, "patch": (6, 7), **chosen["training"]}
    request = tiny_request(tmp_path, shape=(12, 10), network=network, training=training)
    result = train(request)
    assert result.record["parameters"] == costs.count_parameters(network, 3, 1, (6, 7)) == (25 * 2 + 2) + (2 * 3 + 3)
    sgd = Training(epochs=1, iterations=2, patch=(6, 7), optimiser="sgd")
    assert budget.step_bytes(3, 1, network, request.training, 1) - budget.step_bytes(3, 1, network, sgd, 1) == 4 * 61
