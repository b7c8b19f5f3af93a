"""The registry: discovery, parameters, faults in words; without a deep-learning library."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from matplotlib.mathtext import MathTextParser

from tests.unit.losses_batches import EXAMPLES, random_batch
from workflow_lib.base.errors import Faults, UserError
from workflow_lib.base.parameters import parameter_rows
from workflow_lib.commands import generated
from workflow_lib.losses import documentation, registry
from workflow_lib.provenance.fingerprints import code_table

NAMES = ("combo", "cosine_tversky", "cross_entropy", "dice", "focal", "focal_tversky", "mixed_focal", "tversky")


def test_the_losses_of_the_paper_are_there_under_their_names():
    assert set(NAMES) <= set(registry.names())
    labels = {name: registry.get(name).LABEL for name in NAMES}
    assert labels["mixed_focal"] == "Mixed Focal loss"
    assert labels["cosine_tversky"] == "Cosine Tversky loss"


def test_the_paper_s_defaults():
    assert registry.resolved_parameters("focal") == {"alpha": 0.25, "gamma": 2.0, "alpha_t": False}
    assert registry.resolved_parameters("tversky")["delta"] == 0.7
    assert registry.resolved_parameters("focal_tversky")["gamma"] == pytest.approx(4 / 3, abs=0)
    assert registry.resolved_parameters("cosine_tversky")["gamma"] == 1
    assert registry.resolved_parameters("mixed_focal")["weight"] is None
    assert registry.resolved_parameters("combo")["alpha"] is None


def test_reading_the_registry_loads_no_numeric_library():
    code = (
        "import sys; from workflow_lib.losses import registry as r, documentation as d\n"
        "r.build('weighted_sum', {'terms': [{'loss': 'dice'}]})\n"
        "[r.build(n) for n in r.names() if n != 'weighted_sum']; d.text(); r.faults('focal', {'gamma': -1})\n"
        "print([m for m in ('numpy', 'keras', 'tensorflow', 'torch', 'jax', 'matplotlib') if m in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


@pytest.mark.parametrize("name", registry.names())
def test_every_file_is_complete(name):
    loss = registry.get(name)
    assert loss.CITATION
    assert loss.FAMILY in registry.FAMILIES
    MathTextParser("path").parse(f"${loss.EQUATION}$")
    assert all(row.meaning for row in parameter_rows(loss.Parameters))
    assert all(base in registry.names() for base in registry.built_from(name))
    chosen = EXAMPLES.get(name, {})
    assert registry.faults(name, chosen) == []
    assert registry.build(name, chosen).__name__ == name
    assert repr(registry.build(name, chosen)).startswith(f"{name}(")
    if name in NAMES:
        assert all(registry.faults(name, registry.preset(name, preset)) == [] for preset in registry.PRESETS)
    else:
        with pytest.raises(UserError, match="not a loss of the Mixed Focal paper"):
            registry.preset(name, "paper-literal")
    parameter, values = registry.curves(name)
    assert parameter == "" or all(registry.faults(name, {parameter: value}) == [] for value in values)


def test_numbers_in_quotes_are_numbers():
    assert registry.faults("tversky", {"smooth": "1e-6", "delta": "0.3"}) == []
    quoted, plain = (registry.resolved_parameters("tversky", {"smooth": smooth}) for smooth in ("1e-5", 0.00001))
    assert quoted == plain


def test_all_faults_at_once_each_with_what_is_accepted():
    faults = registry.faults("focal", {"gama": 2, "gamma": -1, "alpha": 7})
    assert len(faults) == 3
    text = "\n".join(faults)
    assert "no parameter 'gama'; did you mean 'gamma'?; its parameters: alpha, gamma, alpha_t" in text
    assert "parameter 'gamma' is -1; accepted: a number in [0, 10]" in text
    assert "parameter 'alpha' is 7; accepted: a number in [0, 1] or a list" in text
    assert all("'focal'" in fault for fault in faults)


@pytest.mark.parametrize(
    ("name", "parameters", "part"),
    [
        ("focal", {"gamma": float("nan")}, "a number in [0, 10]"),
        ("focal", {"gamma": float("inf")}, "a number in [0, 10]"),
        ("focal", {"gamma": True}, "true and false are not numbers"),
        ("focal", {"gamma": None}, "a number in [0, 10]"),
        ("focal", {"gamma": "two"}, "a number in [0, 10]"),
        ("focal", {"alpha": [0.1, -2]}, "one value per class"),
        ("focal", {"alpha_t": True, "alpha": [0.1, 0.2]}, "alpha_t: true needs alpha to be one number"),
        ("mixed_focal", {"alpha_t": True, "alpha": None}, "alpha_t: true needs alpha to be one number"),
        ("cosine_tversky", {"gamma": 0.5}, "a number in [1, 10]"),
        ("dice", {"overlap": "image"}, "`sample` or `batch`"),
        ("dice", {"delta": 0.5}, "no parameter 'delta'"),
        ("dice", {"smooth": 0}, "a number in (0, 1]"),
        ("cross_entropy", {"alpha": 1}, "it has none"),
        ("cross_entropy", {3: 1}, "it has none"),
        ("asymmetric_unified_focal", {"gamma": 1}, "a number in [0, 1)"),
        ("dilated_balanced_cross_entropy", {"radius": -1}, "a number in [0, 64]"),
        ("dilated_balanced_cross_entropy", {"overlap": "sample"}, "`sum` or `max`"),
        ("top_k_cross_entropy", {"share": 0}, "a number in (0, 1]"),
        ("boundary", {"max_distance": 100}, "a number in [1, 63]"),
        ("weighted_sum", {}, "needs the parameter 'terms'"),
        ("weighted_sum", {"terms": []}, "'terms' is []"),
        (
            "weighted_sum",
            {"terms": [{"loss": "dice"}, {"loss": "dise"}]},
            "'terms', number 2: there is no loss 'dise'; did you mean",
        ),
        (
            "weighted_sum",
            {"terms": [{"loss": "dice", "weight": -1}]},
            "'terms', number 1, 'weight' should be greater than 0; it is -1",
        ),
        ("weighted_sum", {"terms": [{"weight": 1}]}, "'terms', number 1, 'loss' is missing"),
        ("weighted_sum", {"terms": [{"loss": "dice", "wieght": 1}]}, "'terms', number 1, 'wieght' is an unknown key"),
        ("weighted_sum", {"terms": ["dice"]}, "'terms', number 1 must be a section with keys; it is 'dice'"),
        ("weighted_sum", {"terms": [{"loss": "focal", "parameters": {"gama": 1}}]}, "'focal' has no parameter 'gama'"),
    ],
)
def test_faults_of_parameters(name, parameters, part):
    (fault,) = registry.faults(name, parameters)
    assert part in fault
    assert f"{name!r}" in fault
    with pytest.raises(Faults, match="cannot be built"):
        registry.build(name, parameters)


def test_all_faults_of_all_terms_at_once():
    terms = [{"loss": "dise"}, {"loss": "focal", "weight": -1}, {"loss": "boundary", "parameters": {"max_distance": 0}}]
    first, second, third = registry.faults("weighted_sum", {"terms": terms})
    assert "number 1: there is no loss 'dise'" in first
    assert "number 2, 'weight' should be greater than 0; it is -1" in second
    assert "number 3: loss 'boundary': parameter 'max_distance' is 0" in third


def test_a_value_per_class_is_counted_before_training():
    assert registry.faults("focal", {"alpha": [1, 2, 3]}, n_classes=3) == []
    (fault,) = registry.faults("focal", {"alpha": [1, 2]}, n_classes=3)
    assert "'alpha' has 2 values for 3 classes" in fault
    terms = [{"loss": "dice"}, {"loss": "focal", "parameters": {"alpha": [1, 2]}}]
    assert registry.faults("weighted_sum", {"terms": terms}, n_classes=2) == []
    assert registry.faults("weighted_sum", {"terms": terms}, n_classes=3) == [fault]


def test_an_unknown_loss_is_told_with_the_nearest_and_the_list():
    (fault,) = registry.faults("focal_tverski")
    assert "did you mean 'focal_tversky'?" in fault
    assert all(name in fault for name in NAMES)
    with pytest.raises(UserError, match="did you mean 'dice'"):
        registry.build("dise")
    with pytest.raises(UserError):
        registry.get("registry")
    with pytest.raises(UserError, match="no preset"):
        registry.preset("dice", "papre")


def test_the_factory_itself_tells_faults():
    from workflow_lib.losses.tversky import tversky

    with pytest.raises(Faults, match="accepted: a number in \\[0, 1\\]"):
        tversky(delta=1.5)


def test_paper_literal_sums_over_the_classes():
    summed = {name for name in NAMES if registry.preset(name, "paper-literal") == {"class_reduction": "sum"}}
    assert summed == set(NAMES) - {"cross_entropy", "focal"}
    assert registry.preset("dice", "paper") == {}


def test_a_loss_file_is_found_by_its_name_and_must_be_complete(tmp_path, monkeypatch):
    import workflow_lib.losses

    source = Path(registry.get("dice").__file__).read_text(encoding="utf-8")  # type: ignore[attr-defined]
    for name, text in {
        "homemade": source.replace('NAME = "dice"', 'NAME = "homemade"').replace("def dice(", "def homemade("),
        "nameless": source.replace('NAME = "dice"', ""),
        "astray": source.replace("def dice(", "def astray("),
        "stranger": source.replace('NAME = "dice"', 'NAME = "stranger"')
        .replace("def dice(", "def stranger(")
        .replace('"region"', '"other"'),
    }.items():
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    monkeypatch.setattr(workflow_lib.losses, "__path__", [*workflow_lib.losses.__path__, str(tmp_path)])
    try:
        assert "homemade" in registry.names()
        batch = [[[1, 0], [0, 1]]], [[[0.8, 0.2], [0.2, 0.8]]]
        assert registry.build("homemade").evaluate(*batch) == registry.build("dice").evaluate(*batch)
        with pytest.raises(UserError, match=r"nameless\.py does not define NAME, nameless"):
            registry.get("nameless")
        with pytest.raises(UserError, match=r"astray\.py has NAME = 'dice'"):
            registry.get("astray")
        with pytest.raises(UserError, match="FAMILY = 'other'"):
            registry.get("stranger")
    finally:
        for name in ("homemade", "nameless", "astray", "stranger"):
            sys.modules.pop(f"workflow_lib.losses.{name}", None)
            if hasattr(workflow_lib.losses, name):
                delattr(workflow_lib.losses, name)


def test_what_a_loss_is_built_from_and_what_it_needs():
    assert registry.with_components(["mixed_focal", "dice"]) == [
        "mixed_focal",
        "dice",
        "focal",
        "focal_tversky",
        "cross_entropy",
        "tversky",
    ]
    assert registry.needed("mixed_focal") == ["mixed_focal"]
    inner = {"loss": "weighted_sum", "parameters": {"terms": [{"loss": "boundary"}, {"loss": "dice"}]}}
    assert registry.needed("weighted_sum", {"terms": [{"loss": "dice"}, inner]}) == ["weighted_sum", "dice", "boundary"]


def test_equal_choices_are_equal_data():
    short = registry.resolved_parameters("weighted_sum", {"terms": [{"loss": "focal"}]})
    long = registry.resolved_parameters("weighted_sum", {"terms": [{"parameters": {"gamma": "2"}, "weight": 1, "loss": "focal"}]})
    assert short == long
    assert short["terms"][0]["parameters"] == registry.resolved_parameters("focal")


def test_the_page_is_current_and_says_everything(root):
    text = (root / "docs" / "losses.md").read_text(encoding="utf-8")
    assert text == documentation.text(), "docs/losses.md is not what the registry says: run `make generated`"
    for name in registry.names():
        loss = registry.get(name)
        assert loss.EQUATION in text
        assert loss.CITATION in text
        assert all(note in text for note in registry.notes(name))
        assert all(f"| `{parameter}` |" in text for parameter in loss.Parameters.model_fields)
        if documentation.is_plotted(name):
            assert f"({documentation.plot_of(name)})" in text


NUMBER = re.compile(r"-?\d+\.?\d*(?:e-?\d+)?")


@pytest.mark.large
def test_the_plots_are_current(root):
    """The same drawing, to a hundredth of a point: other processors round otherwise."""
    made = {path: text for path, text in generated.contents().items() if path.endswith(".svg")}
    assert len(made) == len(registry.names())  # one for each but weighted_sum, and the families
    folder = root / "docs" / "images" / "losses"
    assert {f"docs/images/losses/{file.name}" for file in folder.iterdir()} == set(made)
    for path, text in made.items():
        stored = (root / path).read_text(encoding="utf-8")
        assert NUMBER.sub("#", stored) == NUMBER.sub("#", text), f"{path}: run `make generated`"
        numbers = ([float(number) for number in NUMBER.findall(version)] for version in (stored, text))
        assert next(numbers) == pytest.approx(next(numbers), abs=0.01), f"{path}: run `make generated`"


OWN = """
from typing import Any

from workflow_lib.losses.toolkit import Field, LossFunction, LossParameters, Ops, Tensor, Weight, loss_function
from workflow_lib.losses import dice

NAME = "{name}"
LABEL = "My loss"
CITATION = "Nobody, nowhere."
EQUATION = "w D"
FAMILY = "region"
BUILT_FROM = ("dice",)


class Parameters(LossParameters):
    weight: Weight = Field(2.0, description="w")


def formula(ops: Ops, y: Tensor, p: Tensor, parameters: Parameters) -> Tensor:
    return parameters.weight * dice.formula(ops, y, p, dice.Parameters())


def {name}(**parameters: Any) -> LossFunction:
    return loss_function(NAME, Parameters, formula, parameters)
"""


def own_file(folder, name, *changes):
    text = OWN.format(name=name)
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / f"{name}.py"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_loss_file_of_one_s_own(tmp_path, monkeypatch):
    path = own_file(tmp_path, "own_double_dice")
    y, p = random_batch((2, 4, 3, 2))
    name = registry.resolve(str(path))
    assert name == "own_double_dice"
    twice = pytest.approx(2 * registry.build("dice").evaluate(y, p))
    assert registry.build(name).evaluate(y, p) == twice
    assert registry.build("weighted_sum", {"terms": [{"loss": str(path)}]}).evaluate(y, p) == twice
    assert registry.needed("weighted_sum", {"terms": [{"loss": name}]}) == ["weighted_sum", name]
    assert registry.file_of(name) == path
    assert registry.file_of("dice") is None
    assert name not in registry.names()
    assert f"did you mean {name!r}?" in registry.faults("own_doubl_dice")[0]
    assert registry.faults(name, {"weight": -1}) == [
        "loss 'own_double_dice': parameter 'weight' is -1; accepted: a number in [0, ∞)"
    ]
    again = registry.keras_objects()["LossFunction"].from_config(registry.build(name, {"weight": 3}).get_config())
    assert again.evaluate(y, p) == pytest.approx(3 * registry.build("dice").evaluate(y, p))
    assert not list(tmp_path.rglob("__pycache__"))
    # What the file says now counts, also within the same second and with the same length.
    own_file(tmp_path, "own_double_dice", ("Field(2.0", "Field(4.0"))
    registry.load_file(path)
    assert registry.build(name).evaluate(y, p) == pytest.approx(4 * registry.build("dice").evaluate(y, p))
    monkeypatch.chdir(tmp_path)
    assert registry.resolve("own_double_dice.py") == name
    other = tmp_path / "elsewhere"
    other.mkdir()
    with pytest.raises(UserError, match="Two loss files have the same name"):
        registry.load_file(own_file(other, "own_double_dice"))


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("own_a", ("weight: Weight =", "weight Weight ="), ["is no Python, line 16"]),
        (
            "own_b",
            ("from typing import Any", "import tensorflow as tf"),
            ["line 2, imports tensorflow", "use the operations `ops`"],
        ),
        ("own_c", ("from typing import Any", "from keras import ops"), ["imports keras"]),
        ("own_d", ("from typing import Any", "from . import helper"), ["imports from another file of yours"]),
        ("own_e", ("from typing import Any", "import nosuchmodule"), ["line 2, imports nosuchmodule, which is not installed"]),
        ("own_f", ('"region"', '"regional"'), ["FAMILY = 'regional'; use distribution, region"]),
        ("own_g", ('NAME = "own_g"', 'NAME = "other"'), ["NAME = 'other'; it must be 'own_g'"]),
        ("own_h", ("def own_h(", "def something("), ["does not define own_h"]),
        ("own_i", ('LABEL = "My loss"', "LABEL = 3"), ["LABEL must be text"]),
        ("own_j", ("Parameters(LossParameters)", "Parameters"), ["made from LossParameters"]),
        ("own_k", ('("dice",)', '("dise",)'), ["BUILT_FROM with 'dise'", "did you mean 'dice'"]),
        ("own_m", ("from typing import Any", "from workflow_lib.losses import registry"), ["finds other code by its name"]),
        ("own_n", ("from typing import Any", "import importlib"), ["finds other code by its name"]),
        ("own_q", ("from typing import Any", "from workflow_lib.losses import *"), ["finds other code by its name"]),
        ("own_r", ("from typing import Any", "from workflow_lib.losses._files import read_module"), ["finds other code by its"]),
        (
            "own_s",
            ("from typing import Any", "from workflow_lib.losses.weighted_sum import weighted_sum"),
            ["line 2, imports workflow_lib.losses.weighted_sum", "Compose the sum in the study's YAML"],
        ),
        ("own_t", ("from typing import Any", "import workflow_lib.losses.weighted_sum as w"), ["Compose the sum in the study's"]),
        (
            "own_u",
            ("from typing import Any", "from workflow_lib.base.seeds import generator"),
            [
                "line 2, imports workflow_lib.base.seeds.generator",
                "import workflow_lib.losses.toolkit, which has what losses share",
            ],
        ),
        (
            "own_v",
            ("from typing import Any", "import workflow_lib.plan.jobs"),
            ["line 2, imports workflow_lib.plan.jobs, through which"],
        ),
        (
            "own_w",
            ("from typing import Any", "from workflow_lib import losses"),
            ["line 2, imports workflow_lib.losses,"],
        ),
        ("own_x", ("from typing import Any", "import workflow_lib"), ["line 2, imports workflow_lib, through which"]),
        (
            "own_z",
            ("from typing import Any", "import workflow_lib.losses.focal\nBY_NAME = workflow_lib.losses.registry.build"),
            ["line 3, uses registry", "Import the loss itself"],
        ),
        ("own_o", ('BUILT_FROM = ("dice",)', "BUILT_FROM = None"), ["BUILT_FROM must be a tuple of texts"]),
        ("own_p", ('BUILT_FROM = ("dice",)', 'BUILT_FROM = ("dice")'), ["BUILT_FROM must be a tuple of texts"]),
        ("own_l", ("from typing import Any", "import sys; sys.exit(3)"), ["cannot be read, line 2: SystemExit"]),
        ("dice", ("w D", "D"), ["has the name of a loss that is there already"]),
    ],
)
def test_faults_of_a_loss_file_are_told(tmp_path, name, change, words):
    path = own_file(tmp_path, name, change)
    with pytest.raises(UserError) as caught:
        registry.load_file(path)
    assert str(path) in str(caught.value)
    for word in words:
        assert word in str(caught.value)
    assert registry.file_of(name) is None


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        (
            "made_a",
            ("    return loss_function", "    loss_function"),
            "must return the loss (loss_function(...)); it returns None",
        ),
        ("made_b", ("return loss_function(NAME", 'return loss_function("other"'), "returns a loss of the name 'other'; use NAME"),
        ("made_c", ("(**parameters: Any)", "(beta)"), "fails: TypeError"),
    ],
)
def test_a_function_that_returns_no_loss_is_told_before_training(tmp_path, name, change, words):
    (fault,) = registry.faults(registry.load_file(own_file(tmp_path, name, change)))
    assert words in fault


def test_only_values_per_class_are_counted(tmp_path):
    pair = ("weight: Weight = Field(2.0", "span: tuple[float, float] = (0.1, 0.9)\n    weight: Weight = Field(2.0")
    name = registry.load_file(own_file(tmp_path, "own_pair", pair))
    assert registry.faults(name, n_classes=3) == []
    assert "'weight' is -1" in registry.faults(name, {"weight": -1})[0]
    assert "a list of 2: a number, a number" in registry.faults(name, {"span": 3})[0]


def test_a_formula_that_returns_no_number_is_told(tmp_path):
    vector = ("return parameters.weight * dice", "return ops.sum(y, axis=-1) * dice")
    name = registry.load_file(own_file(tmp_path, "own_vector", vector))
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    y, p = random_batch((2, 4, 3, 2))
    with pytest.raises(UserError, match=r"returns values of shape \(2, 4, 3\); a loss is one number"):
        registry.build(name)(y, p)


def test_a_loss_file_that_imports_another_is_refused(tmp_path, monkeypatch):
    """Also inside a function: a change of the other file would repeat no training."""
    (tmp_path / "own_helper.py").write_text("FACTOR = 2\n")
    monkeypatch.syspath_prepend(tmp_path)
    change = ("    return parameters.weight", "    import own_helper\n\n    return own_helper.FACTOR")
    with pytest.raises(UserError, match=r"line 2\d, imports from another file of yours"):
        registry.load_file(own_file(tmp_path, "own_importer", change))
    fine = ("    return parameters.weight", "    import math\n    import numpy\n    from keras import ops as k\n\n    return 2.0")
    assert registry.load_file(own_file(tmp_path, "own_careful", fine)) == "own_careful"


@pytest.mark.parametrize(
    "line", ["from .helper import f", "import helper", "from helper import f", "import folder.part", "from ..helper import f"]
)
def test_a_file_beside_the_loss_is_called_what_it_is(tmp_path, line):
    """Python would not find it, so that it looked like a package that is not installed."""
    (tmp_path / "helper.py").write_text("f = 1\n")
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match=r"line 2, imports from another file of yours.*A loss is one file"):
        registry.load_file(own_file(tmp_path, "own_beside", ("from typing import Any", line)))


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("own_follower", "from workflow_lib.losses.focal import formula as focal_formula"),
        ("own_other_follower", "import workflow_lib.losses.focal as focal"),
        ("own_third_follower", "from workflow_lib.losses import focal"),
    ],
)
def test_a_loss_that_is_imported_itself_is_followed(tmp_path, name, line):
    change = ("    return parameters.weight", f"    {line}\n\n    return parameters.weight")
    path = own_file(tmp_path, name, change)
    assert registry.load_file(path) == name
    assert {f"{name}.py", "workflow_lib.losses.focal", "workflow_lib.losses.dice"} <= set(code_table([path]))


def test_a_loss_file_that_is_not_there_or_has_no_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"my\.py does not exist in .*a relative path starts at the working directory"):
        registry.load_file("my.py")
    (tmp_path / "my-loss.py").write_text("")
    with pytest.raises(UserError, match="a name of letters, digits and '_'"):
        registry.load_file("my-loss.py")
    (tmp_path / "binary.py").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="cannot be read"):
        registry.load_file("binary.py")
