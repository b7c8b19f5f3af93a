"""What a study uses of the catalogues, and what is said of the rest; the snippets of the documentation that show it."""

import re
import textwrap

import pytest
import yaml

from tests.conftest import ROOT
from tests.unit.test_losses_registry import OWN
from workflow_lib.base.errors import Faults
from workflow_lib.commands.trainings import read_plan
from workflow_lib.plan import jobs, unused
from workflow_lib.study.config import merge

BASE = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
MINE = yaml.safe_load(
    """
    datasets:
      mine:
        label: Lesions
        format: folders
        root: /nowhere
        files: {classes: {background: 0, lesion: 255}}
        losses: [dice]
        training: {patch: [256, 256], epochs: 1, iterations: 1}
        prediction: {overlap: [128, 128]}
    """
)
CHOSEN = merge(MINE, {"study": {"name": "mine", "datasets": ["mine"]}})


def load(own):
    return jobs.load(merge(BASE, own), "there", own)


def faults_of(own):
    with pytest.raises(Faults) as caught:
        load(own)
    return caught.value.faults


def warnings(own, base=BASE):
    """Return the warnings about a study that is sound itself."""
    jobs.load(merge(base, own), "there", own)
    return unused.faults(merge(base, own), own)


def test_the_paper_s_study_needs_no_further_file_and_another_says_its_datasets():
    assert list(jobs.load(BASE).datasets) == ["kits19", "brats20"]
    (fault,) = faults_of(MINE)
    assert fault.startswith("study.datasets: no file of --configfile says which datasets the study compares.")
    assert "The catalogue has: kits19, brats20, mine." in fault
    assert "Write, for example:\n      study: {datasets: [mine]}\n" in fault
    assert list(load(CHOSEN).datasets) == ["mine"]


def test_a_study_with_a_name_and_no_datasets_and_one_without_entries_of_its_own():
    assert "Write in its section `study`, for example:\n      datasets: [mine]\n" in faults_of(MINE | {"study": {"name": "x"}})[0]
    (fault,) = faults_of({"training": {"epochs": 3}})
    assert "\n      study: {datasets: [kits19, brats20]}\n" in fault
    assert "--configfile STUDY.yaml CHANGES.yaml" in fault


def test_the_faults_of_the_entries_are_found_in_the_same_run():
    first, second = faults_of(merge(MINE, {"datasets": {"mine": {"losses": ["dise"]}}}))
    assert first.startswith("study.datasets: ")
    assert second.startswith("datasets.mine.losses: there is no loss 'dise'")


def test_one_of_several_files_says_it(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    (tmp_path / "more.yaml").write_text("datasets: {toy: {losses: [dice]}}", encoding="utf-8")
    for files in (["studies/tiny.yaml", tmp_path / "more.yaml"], [tmp_path / "more.yaml", "studies/tiny.yaml"]):
        assert list(read_plan([ROOT / file for file in files]).datasets) == ["toy"]
    with pytest.raises(Faults, match=r"datasets: \[toy\]"):
        read_plan([tmp_path / "more.yaml"])
    assert list(read_plan([]).datasets) == ["kits19", "brats20"]


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"training": {"epochs": 0}}, "datasets.other.training.epochs: should be greater than or equal to 1; it is 0"),
        ({"trainig": {}}, "datasets.other.trainig: unknown key; did you mean 'training'?"),
        ({"losses": ["dise"]}, "datasets.other.losses: there is no loss 'dise'; did you mean 'dice'?"),
        ({"losses": ["heavy"]}, "losses.heavy: "),
        ({"format": "kits20"}, "datasets.other.format: "),
        ({"published": "nothing"}, "datasets.other.published: no published numbers named 'nothing'"),
        ({"cross_validation": {"like": "brats20"}}, "datasets.other.cross_validation.like: 'brats20' has other images"),
    ],
)
def test_faults_of_an_unused_dataset_are_warnings(entry, said):
    own = merge(CHOSEN, {"datasets": {"other": merge(MINE["datasets"]["mine"], entry)}})
    own["losses"] = {"heavy": {"loss": "focal", "parameters": {"gamma": -1}}}
    assert any(fault.startswith(said) for fault in warnings(own))
    assert faults_of(merge(own, {"study": {"datasets": ["mine", "other"]}})), "where it is used, the same stops"


def test_faults_of_an_unused_loss_are_warnings():
    parameters = {"loss": "focal", "parameters": {"gama": 1}}
    own = CHOSEN | {"losses": {"a": {"loss": "foca"}, "b": parameters, "c": {"los": "focal"}, "d e": {"loss": "dice"}}}
    found = "\n".join(warnings(own))
    for said in (
        "losses.a: there is no loss 'foca'",
        "losses.b: ",
        "losses.c.los: unknown key",
        "losses: 'd e' is not a valid name",
    ):
        assert said in found
    block = unused.warning(merge(BASE, own), own)
    assert block.startswith(f"Warning: {len(warnings(own))} fault(s) in entries that this study does not use")
    for name in ("a", "b", "c"):
        assert faults_of(merge(own, {"datasets": {"mine": {"losses": ["dice", name]}}}))


def test_files_of_unused_entries_may_be_missing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    other = MINE["datasets"]["mine"] | {"groups": "g.csv", "cross_validation": {"table": "t.csv"}, "losses": ["dice", "mine"]}
    own = merge(CHOSEN, {"datasets": {"other": other}, "losses": {"mine": {"loss": "no.py", "parameters": {"beta": 1}}}})
    assert warnings(own) == []
    (tmp_path / "t.csv").write_text("case,fold\n", encoding="utf-8")
    (tmp_path / "no.py").write_text("import nothing_of_this_name\n", encoding="utf-8")
    found = "\n".join(warnings(own))
    assert "datasets.other.cross_validation.table: " in found
    assert "losses.mine: " in found
    assert "nothing_of_this_name" in found


def test_sections_of_a_study_are_no_fault_of_entries_that_are_not_its_own():
    """A 2-D study lays a `preprocessing.size` of two axes over the 3-D entries of config.yaml."""
    own = merge(CHOSEN, {"preprocessing": {"size": [256, 256]}})
    assert warnings(own) == []
    assert warnings(CHOSEN) == []
    assert unused.warning(merge(BASE, own), own) == ""
    broken = merge(BASE, {"datasets": {"kits19": {"training": {"epochs": -1}}}})
    assert warnings(own, broken) == ["datasets.kits19.training.epochs: should be greater than or equal to 1; it is -1"]


@pytest.mark.parametrize("study", sorted((ROOT / "studies").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_studies_say_their_datasets_and_have_nothing_to_warn_of(study):
    assert warnings(yaml.safe_load(study.read_text(encoding="utf-8"))) == []


def snippets(file):
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / file).read_text(encoding="utf-8"), re.DOTALL)
    return [(block.startswith(" "), yaml.safe_load(textwrap.dedent(block))) for block in blocks]


def test_the_snippets_of_the_datasets_work_as_printed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "patients.csv").write_text("case,group\na,1\n", encoding="utf-8")
    (tmp_path / "folds_before.csv").write_text("case,fold,part,group\na,1,,\nb,2,,\n", encoding="utf-8")
    found = snippets("docs/datasets.md")
    whole = [block for of_an_entry, block in found if not of_an_entry]
    parts = [block for of_an_entry, block in found if of_an_entry]
    for study in whole:
        assert list(load(study).datasets) == list(study["datasets"])
    for part in parts:
        assert load(merge(whole[0], {"datasets": {"drive": part}}))
    assert (len(whole), len(parts)) == (2, 5)


def test_the_snippet_of_the_readme_changes_the_study_that_it_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_losses").mkdir()
    (tmp_path / "my_losses/mine.py").write_text(OWN.format(name="mine"), encoding="utf-8")
    ((_, more),) = snippets("README.md")
    base = yaml.safe_load((ROOT / "studies/hippocampus.yaml").read_text(encoding="utf-8"))
    assert load(merge(base, more)).losses("hippocampus") == more["datasets"]["hippocampus"]["losses"]
    assert "datasets: [hippocampus]" in faults_of(more)[0]
