"""The configuration: defaults of the paper, overriding, all faults at once with their paths, a current schema."""

import copy
import json

import pytest
import yaml

from tests.conftest import ROOT
from workflow_lib.base.errors import Faults
from workflow_lib.study.config import SECTIONS, json_schema, merge, section_model, validate
from workflow_lib.study.sections.augmentation import Augmentation

STUDIES = ROOT / "studies"


@pytest.fixture
def raw():
    return yaml.safe_load(
        """
        study: {name: toy, title: Toy, datasets: [a]}
        training: {patch: [16, 16, 16], epochs: 2, iterations: 3}
        prediction: {overlap: [8, 8, 8]}
        network: {depth: 2}
        datasets:
          a: {label: A, format: msd, root: x, losses: [dice, focal]}
          b: {label: B, format: msd, root: x, losses: [dice], training: {epochs: 7}}
        """
    )


def faults_of(raw):
    with pytest.raises(Faults) as caught:
        validate(raw)
    return caught.value.faults


def test_sections_reach_every_dataset_and_a_dataset_overrides_them(raw):
    raw["study"]["datasets"] = ["a", "b"]
    config = validate(raw)
    assert config.datasets["a"].training.epochs == 2
    assert config.datasets["b"].training.epochs == 7
    assert config.datasets["b"].training.iterations == 3


def test_defaults_are_the_papers(raw):
    dataset = validate(raw).datasets["a"]
    assert dataset.training.learning_rate == 3e-4
    assert dataset.training.minimum_learning_rate == 1e-6
    assert dataset.training.batch_size == 2
    assert dataset.cross_validation.folds == 5
    assert dataset.network.filters == 32
    assert dataset.augmentation == Augmentation()
    assert dataset.augmentation.scaling is None


def test_unused_datasets_are_not_looked_at(raw):
    raw["datasets"]["b"] = {"nonsense": 1}
    assert list(validate(raw).datasets) == ["a"]


@pytest.mark.parametrize("text", ["1e-6", "1E-6", "0.000001"])
def test_numbers_that_yaml_reads_as_text(raw, text):
    raw["training"]["minimum_learning_rate"] = text
    assert validate(raw).datasets["a"].training.minimum_learning_rate == 1e-6


def test_all_faults_at_once_with_their_paths(raw):
    raw["trainig"] = {"epochs": 3}
    raw["training"]["epochs"] = -1
    raw["study"]["name"] = "a b"
    raw["datasets"]["a"]["losses"] = ["dice", "dice"]
    raw["datasets"]["a"]["preprocessing"] = {"clip": [3, 1]}
    faults = "\n".join(faults_of(raw))
    for expected in (
        "trainig: unknown key; did you mean 'training'?",
        "\ntraining.epochs: should be greater than or equal to 1; it is -1",
        "study.name: use letters",
        "datasets.a.losses: a loss is listed twice",
        "datasets.a.preprocessing.clip: the first number must be below the second",
    ):
        assert expected in "\n" + faults


def test_a_fault_of_a_datasets_own_key_names_the_dataset(raw):
    raw["datasets"]["a"]["training"] = {"epochs": "many"}
    (fault,) = faults_of(raw)
    assert fault.startswith("datasets.a.training.epochs: ")
    assert "'many'" in fault


@pytest.mark.parametrize(
    ("section", "key", "hint"),
    [
        ("training", "lerning_rate", "learning_rate"),
        ("network", "filter", "filters"),
        ("augmentation", "rotations", "rotation"),
        ("prediction", "overlaps", "overlap"),
    ],
)
def test_a_misspelt_key_names_the_closest(raw, section, key, hint):
    raw.setdefault(section, {})[key] = 1
    (fault,) = faults_of(raw)
    assert fault == f"{section}.{key}: unknown key; did you mean {hint!r}?"


def test_an_unknown_dataset(raw):
    raw["study"]["datasets"] = ["c"]
    assert "'c' is not in the catalogue" in faults_of(raw)[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prediction": {"overlap": [8, 8]}}, "prediction.overlap has 2 axes"),
        ({"prediction": {"overlap": [8, 8, 16]}}, "smaller than training.patch"),
        ({"preprocessing": {"spacing": [1, 1]}}, "preprocessing.spacing has 2 axes"),
        ({"preprocessing": {"spacing": [1, 1, 0]}}, "above 0 mm"),
        ({"source": "phantom"}, "belong together"),
        ({"training": {"learning_rate": 1e-7}}, "minimum_learning_rate must not be above"),
        ({"losses": ["../x"]}, "is not a valid name"),
        ({"training": {"epochs": True}}, "epochs: should be a number; it is true"),
        ({"training": {"learning_rate": True}}, "learning_rate: should be a number; it is true"),
        ({"augmentation": {"gamma": [-1, 1]}}, "greater than 0"),
        ({"augmentation": {"noise": [-1, 1]}}, "greater than or equal to 0"),
    ],
)
def test_parts_that_do_not_fit(raw, change, message):
    raw["datasets"]["a"] = merge(raw["datasets"]["a"], change)
    assert message in "\n".join(faults_of(raw))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("study",), None, "study: must be a section with keys"),
        (("training",), None, "training: must be a section with keys"),
        (("datasets", "a"), "x", "datasets.a: must be a section with keys; it is 'x'"),
        (("datasets", "a", "training"), None, "datasets.a.training: must be a section with keys"),
        (("datasets", "a", "losses"), "dice", "datasets.a.losses: should be a valid list; it is 'dice'"),
        (("study", "datasets"), [], "study.datasets: needs at least 1 entries"),
        (("study", "datasets"), ["a", "a"], "'a' is listed twice"),
        (("losses",), ["dice"], "losses: must be a section with keys"),
    ],
)
def test_a_value_of_the_wrong_kind(raw, path, value, message):
    section = raw
    for key in path[:-1]:
        section = section[key]
    section[path[-1]] = value
    assert message in "\n".join(faults_of(raw))


def test_validation_does_not_change_what_it_reads(raw):
    before = copy.deepcopy(raw)
    validate(raw)
    assert raw == before


def test_the_schema_file_is_current(root):
    text = (root / "config.schema.json").read_text(encoding="utf-8")
    assert json.loads(text) == json_schema(), "run: make generated"


@pytest.mark.parametrize("study", ["config.yaml", *(f"studies/{path.name}" for path in sorted(STUDIES.glob("*.yaml")))])
def test_the_schema_accepts_the_studies_and_refuses_a_misspelt_key(root, study):
    jsonschema = pytest.importorskip("jsonschema")
    content = yaml.safe_load((root / study).read_text(encoding="utf-8"))
    jsonschema.validate(content, json_schema())
    content["study"]["sed"] = 1
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content, json_schema())


def test_config_yaml_says_the_defaults_of_the_models(root):
    """A study that is read without config.yaml is the same study."""
    raw = yaml.safe_load((root / "config.yaml").read_text(encoding="utf-8"))
    said, defaults = {}, {}
    for section in SECTIONS:
        fields = section_model(section).model_fields
        for key, value in raw.get(section, {}).items():
            default = fields[key].get_default(call_default_factory=True)
            said[section, key], defaults[section, key] = value, list(default) if isinstance(default, tuple) else default
    assert said == defaults
    assert len(said) > 40


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"epochs": 3}, "epochs: unknown key; it belongs into a section: training.epochs"),
        ({"title": "X"}, "title: unknown key; it belongs into a section: study.title"),
        ({"root": "x"}, "root: unknown key; it belongs into a section: datasets.NAME.root"),
        ({"study": {"epochs": 3}}, "study.epochs: unknown key; it belongs into a section: training.epochs"),
        (
            {"datasets": {"a": {"filters": 3}}},
            "datasets.a.filters: unknown key; it belongs into a section: datasets.a.network.filters",
        ),
        (
            {"training": "{epochs: 2"},
            "training: must be a section with keys; it is '{epochs: 2'. On the command line, quote JSON",
        ),
        ({"study": '{"name": x'}, "study: must be a section with keys; it is '{\"name\": x'. On the command line"),
        ({"datasets": "x"}, "datasets: must be a section with keys; it is 'x'"),
        ({"datasets": {"a": None}}, "datasets.a: must be a section with keys; it is empty"),
    ],
)
def test_a_key_at_the_wrong_level_and_a_section_that_is_none(changes, said):
    raw = yaml.safe_load("study: {name: toy, title: T, datasets: [a]}\ndatasets: {a: {label: A, format: kits19, root: x}}\n")
    with pytest.raises(Faults) as caught:
        validate(merge(raw, changes))
    assert any(fault.startswith(said) for fault in caught.value.faults), caught.value.faults
