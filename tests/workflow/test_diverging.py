"""A training that diverges: the study continues, and the report shows the gap."""

import yaml

from workflow_lib.base.files import read_json
from workflow_lib.base.frames import read_frame
from workflow_lib.commands.audit import agreement
from workflow_lib.commands.audit import folder as safe

SHAKY = """
import os

from workflow_lib.losses import dice
from workflow_lib.losses.toolkit import LossParameters, loss_function

NAME = "shaky"
LABEL = "Shaky loss"
CITATION = "here"
EQUATION = "D"
FAMILY = "region"


class Parameters(LossParameters):
    pass


def formula(ops, y, p, parameters):
    return float(os.environ.get("SHAKY", "1")) * dice.formula(ops, y, p, dice.Parameters())


def shaky(**parameters):
    return loss_function(NAME, Parameters, formula, parameters)
"""


def contradictions(results, study):
    """Return the audit's findings on the records of a study and the ends of its trainings, on a private copy."""
    assert safe.copy(results, [name for name in safe.listing(results) if safe.is_copied(name)], study) == []
    return [finding for finding in agreement.check(study) if finding.state == "fails"]


def test_the_rest_of_the_study_goes_on_and_the_report_shows_the_gap(finished_copy, tmp_path, monkeypatch):
    folder = finished_copy.folder
    (folder / "shaky.py").write_text(SHAKY)
    study = yaml.safe_load((folder / "tiny.yaml").read_text())
    study["losses"] = {"shaky": {"loss": "shaky.py"}, "broken": {"loss": "shaky.py", "label": "Broken loss"}}
    study["datasets"]["toy"]["losses"] += ["shaky", "broken"]
    finished_copy.write_study(study)
    weights = "results/tiny/training/toy/{}/fold_{}/model.weights.h5"
    finished_copy.snakemake("--cores", "2", weights.format("shaky", 1))
    monkeypatch.setenv("SHAKY", "nan")
    output = finished_copy.snakemake("--cores", "2").stdout
    assert "3 trainings diverged" in output
    results = folder / "results/tiny"
    record = read_json(results / "training/toy/shaky/fold_2/training.json")
    assert (record["diverged"]["phase"], record["diverged"]["epoch"], record["diverged"]["step"]) == ("training", 1, 1)
    assert [path.name for path in (results / "predictions/toy/shaky/fold_2").glob("[!.]*")] == ["diverged.json"]
    scores = read_frame(results / "scores/toy.csv")
    # The remaining fold cannot be compared with all folds of the others.
    assert set(scores["loss"]) == {"dice", "focal"}
    page = (results / "report.html").read_text(encoding="utf-8")
    assert "(no scores, fold 2 diverged in epoch 1)" in page
    assert "(no scores, fold 1 diverged in epoch 1, fold 2 diverged in epoch 1)" in page
    assert contradictions(results, tmp_path / "some" / "study") == []
    assert finished_copy.planned() == {}
    # If no loss remains, there is still a report, which states it.
    study["datasets"]["toy"]["losses"] = ["broken"]
    finished_copy.write_study(study)
    finished_copy.snakemake("--cores", "2")
    page = (results / "report.html").read_text(encoding="utf-8")
    assert "every loss diverged" in page
    assert "no scores yet" not in page
    assert read_frame(results / "scores/toy.csv").empty
    assert contradictions(results, tmp_path / "all" / "study") == []
    study["datasets"]["toy"]["losses"] = ["dice", "focal"]
    finished_copy.write_study(study)
    finished_copy.snakemake("--cores", "2")
    # A table without rows is only accepted if the training states that it diverged.
    scores_of = results / "scores/toy/dice/fold_1.csv"
    scores_of.write_text(scores_of.read_text().splitlines()[0] + "\n")
    output = finished_copy.snakemake("--cores", "2", "--forcerun", "collect", "--rerun-triggers", "mtime", check=False)
    assert output.returncode != 0
    assert "loss dice, fold 1: no complete scores" in output.stdout
