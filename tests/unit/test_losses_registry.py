"""The registry: discovery, parameters, faults in words; without a deep-learning library."""

import subprocess
import sys
from pathlib import Path

import pytest
from matplotlib.mathtext import MathTextParser

from workflow_lib.errors import Faults, UserError
from workflow_lib.losses import documentation, registry
from workflow_lib.losses._parameters import parameter_rows

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
        "[r.build(n) for n in r.names()]; d.text(); r.faults('focal', {'gamma': -1})\n"
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
    assert registry.faults(name, {}) == []
    assert registry.build(name).__name__ == name
    for preset in registry.PRESETS:
        assert registry.faults(name, registry.preset(name, preset)) == []


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
        ("focal", {"gamma": True}, "true and false are no numbers"),
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
    ],
)
def test_faults_of_parameters(name, parameters, part):
    (fault,) = registry.faults(name, parameters)
    assert part in fault
    assert f"{name!r}" in fault
    with pytest.raises(Faults, match="cannot be built"):
        registry.build(name, parameters)


def test_a_value_per_class_is_counted_before_training():
    assert registry.faults("focal", {"alpha": [1, 2, 3]}, n_classes=3) == []
    (fault,) = registry.faults("focal", {"alpha": [1, 2]}, n_classes=3)
    assert "'alpha' has 2 values for 3 classes" in fault


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
        "mine": source.replace('NAME = "dice"', 'NAME = "mine"').replace("def dice(", "def mine("),
        "nameless": source.replace('NAME = "dice"', ""),
        "astray": source.replace("def dice(", "def astray("),
        "stranger": source.replace('NAME = "dice"', 'NAME = "stranger"')
        .replace("def dice(", "def stranger(")
        .replace('"region"', '"other"'),
    }.items():
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    monkeypatch.setattr(workflow_lib.losses, "__path__", [*workflow_lib.losses.__path__, str(tmp_path)])
    try:
        assert "mine" in registry.names()
        batch = [[[1, 0], [0, 1]]], [[[0.8, 0.2], [0.2, 0.8]]]
        assert registry.build("mine").evaluate(*batch) == registry.build("dice").evaluate(*batch)
        with pytest.raises(UserError, match=r"nameless\.py does not define NAME, nameless"):
            registry.get("nameless")
        with pytest.raises(UserError, match=r"astray\.py has NAME = 'dice'"):
            registry.get("astray")
        with pytest.raises(UserError, match="FAMILY = 'other'"):
            registry.get("stranger")
    finally:
        for name in ("mine", "nameless", "astray", "stranger"):
            sys.modules.pop(f"workflow_lib.losses.{name}", None)
            if hasattr(workflow_lib.losses, name):
                delattr(workflow_lib.losses, name)


def test_components_and_depth():
    assert registry.with_components(["mixed_focal", "dice"]) == [
        "mixed_focal",
        "dice",
        "focal",
        "focal_tversky",
        "cross_entropy",
        "tversky",
    ]
    assert [registry.depth(name) for name in ("dice", "tversky", "focal_tversky", "mixed_focal")] == [0, 1, 2, 3]
    assert registry.family(NAMES, "region") == ["dice", "tversky", "cosine_tversky", "focal_tversky"]


def test_the_page_is_current_and_says_everything(root):
    text = (root / "docs" / "losses.md").read_text(encoding="utf-8")
    assert text == documentation.text(), "docs/losses.md is not what the registry says: run `make generated`"
    for name in registry.names():
        loss = registry.get(name)
        assert loss.EQUATION in text
        assert loss.CITATION in text
        assert all(note in text for note in registry.notes(name))
        assert all(f"| `{parameter}` |" in text for parameter in loss.Parameters.model_fields)
