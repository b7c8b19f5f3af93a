"""Changed images are noticed before a run, nothing is scored against others than the inspected ones, and the user decides."""

import shutil

import pytest
import yaml

from tests.changes_table import redrawn
from workflow_lib.base.files import read_json

MASK = "data/toy/case_00001/segmentation.nii.gz"


def decide(checkout, choice, **keys):
    study = yaml.safe_load((checkout.folder / "tiny.yaml").read_text())
    study["datasets"]["toy"] |= {"changed_data": choice} | keys
    checkout.write_study(study)


@pytest.fixture
def edited(finished_copy):
    redrawn(finished_copy.folder / MASK)
    return finished_copy


def test_a_run_stops_and_says_what_changed_and_what_would_follow(edited):
    """Not in Snakemake's words, with no traceback, and the folder is not left locked."""
    done = edited.snakemake("--cores", "1", check=False)
    assert done.returncode == 1
    assert "toy: changed since the inspection of " in done.stdout
    assert "case_00001: mask changed.\n  All 4 trainings of toy would be made again: 2 learnt from this case." in done.stdout
    assert "datasets: {toy: {changed_data: follow}}" in done.stdout
    assert "Traceback" not in done.stdout
    assert edited.snakemake("-n", check=False).returncode == 1
    assert not list((edited.folder / ".snakemake/locks").iterdir())


def test_who_follows_makes_everything_again_from_the_images_as_they_are(edited):
    decide(edited, "follow")
    before = read_json(edited.folder / "results/tiny/data/toy/cases.json")
    assert edited.planned()["train"] == 4
    edited.snakemake("--cores", "2", "--until", "check", "cases_page")
    after = read_json(edited.folder / "results/tiny/data/toy/cases.json")
    changed = [path for old, new in zip(before["cases"], after["cases"], strict=True) for path in new["sha256"]
               if old["sha256"][path] != new["sha256"][path]]  # fmt: skip
    assert changed == [MASK]
    # What follows has not been forgotten: it was made from another inspection.
    assert {"preprocess": 2, "train": 4}.items() <= edited.planned().items()


def test_frozen_results_say_so_and_nothing_is_made_from_changed_images(edited):
    decide(edited, "freeze")
    edited.snakemake("--cores", "1")
    page = (edited.folder / "results/tiny/report.html").read_text()
    assert "The images have changed since these results were made." in page
    assert "case_00001: mask changed" in page
    assert edited.planned() == {}
    decide(edited, "freeze", losses=["dice", "focal", "tversky"])
    done = edited.snakemake("-n", check=False)
    assert done.returncode == 1
    assert "This run would read the changed ones (evaluate, figures_dataset)" in done.stdout
    # Put back, the loss is added to the others.
    finished = yaml.safe_load((edited.folder / "studies/tiny.yaml").read_text())
    assert finished["datasets"]["toy"]["losses"] == ["dice", "focal"]


def test_an_image_that_changes_during_a_run_is_not_scored(finished_copy):
    """The comparison before the run has passed; the step itself compares what it reads."""
    scores = "results/tiny/scores/toy/dice/fold_1.csv"
    (finished_copy.folder / scores).unlink()
    fake = finished_copy.folder / "workflow_lib/plan/data.py"
    fake.write_text(fake.read_text().replace("    return Data(name, ", "    return None\n    return Data(name, "))
    redrawn(finished_copy.folder / MASK)
    done = finished_copy.snakemake("--cores", "1", "--", scores, check=False)
    assert done.returncode == 1
    assert f"{MASK} has changed since it was inspected" in done.stdout
    assert not (finished_copy.folder / scores).exists()


def test_archived_images_stop_only_what_needs_them(finished_copy):
    shutil.rmtree(finished_copy.folder / "data")
    assert finished_copy.planned() == {}
    shutil.rmtree(finished_copy.folder / "results/tiny/predictions/toy/dice/fold_1")
    finished_copy.snakemake("--cores", "1", "--until", "predict")
    assert (finished_copy.folder / "results/tiny/predictions/toy/dice/fold_1").is_dir()
    decide(finished_copy, "stop", losses=["dice", "focal", "tversky"])
    done = finished_copy.snakemake("-n", check=False)
    assert "The images of toy are not at data/toy, and this run needs them (evaluate, figures_dataset)" in done.stdout


def test_a_corrected_file_is_inspected_again_by_the_same_command(checkout):
    study = yaml.safe_load((checkout.folder / "tiny.yaml").read_text())
    checkout.snakemake("--cores", "2", "--until", "obtain")
    mask = checkout.folder / MASK
    whole = mask.read_bytes()
    mask.write_bytes(whole[: len(whole) // 2])
    checkout.write_study(study)
    assert "is cut short" in checkout.snakemake("--cores", "2", "--until", "check", check=False).stdout
    assert "is cut short" in checkout.snakemake("--cores", "2", "--until", "check", check=False).stdout
    mask.write_bytes(whole)
    done = checkout.snakemake("--cores", "2", "--until", "check")
    assert "No result depends on it yet: these files are inspected again." in done.stdout
    assert "3 of 4 cases are as they were" in (checkout.folder / "results/tiny/logs/inspect/toy.log").read_text()


def test_what_a_run_leaves_is_said_at_its_end(finished_copy):
    record = finished_copy.folder / "results/tiny/records/split/toy.json"
    record.unlink()
    partial = ("--rerun-triggers", "mtime", "--forcerun", "figures_losses", "--until", "figures_losses")
    done = finished_copy.snakemake("--cores", "1", *partial)
    assert "These results are not what their records say; run the same command again to make them:" in done.stdout
    assert "records/split/toy.json: of unknown origin: data/toy/folds.csv has no record" in done.stdout
