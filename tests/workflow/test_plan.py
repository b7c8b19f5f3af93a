"""What is planned, without running it."""

import subprocess
import sys

import pytest
import yaml


def test_the_papers_study_plans_every_training(root):
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "-n", "--quiet", "rules", "--directory", root.as_posix(), "--nolock"],
        cwd=root, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    counts = dict(
        line.split() for line in (done.stdout + done.stderr).splitlines() if len(line.split()) == 2 and line.split()[1].isdigit()
    )
    if "train" in counts:  # a finished study on this machine plans less
        assert int(counts["train"]) == 7 * 5 + 3 * 5
        assert int(counts["predict"]) == int(counts["evaluate"]) == 50


def test_a_fresh_study_plans_everything_once(checkout):
    planned = checkout.planned()
    assert planned == {
        "obtain": 1,
        "inspect": 1,
        "cases_page": 1,
        "check": 1,
        "split": 1,
        "preprocess": 2,
        "train": 4,
        "predict": 4,
        "evaluate": 4,
        "collect": 1,
        "statistics": 1,
        "tables": 1,
        "figures_losses": 1,
        "figures_dataset": 1,
        "report_page": 1,
    }


def test_the_number_of_preprocessing_jobs_does_not_depend_on_losses_and_folds(checkout):
    study = yaml.safe_load((checkout.folder / "tiny.yaml").read_text())
    study["datasets"]["toy"]["losses"] = ["dice", "focal", "combo", "tversky"]
    study["cross_validation"]["folds"] = 4
    checkout.write_study(study)
    planned = checkout.planned()
    assert planned["preprocess"] == 2
    assert planned["train"] == 16


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"losses": ["dise"]}, ["datasets.toy.losses", "dise", "dice"]),
        (
            {"losses": ["mine"], "catalogue": {"mine": {"loss": "focal", "parameters": {"gama": 2}}}},
            ["losses.mine", "gama", "gamma"],
        ),
        (
            {"losses": ["mine"], "catalogue": {"mine": {"loss": "focal", "parameters": {"gamma": -1}}}},
            ["losses.mine", "gamma", "-1"],
        ),
        ({"trainig": {"epochs": 1}}, ["datasets.toy.trainig", "did you mean 'training'"]),
        ({"format": "kits20"}, ["datasets.toy", "kits20", "kits19"]),
        ({"published": "nothing"}, ["datasets.toy.published", "nothing"]),
    ],
)
def test_a_fault_of_the_study_is_told_without_a_traceback(checkout, change, words):
    study = yaml.safe_load((checkout.folder / "tiny.yaml").read_text())
    study["losses"] = change.pop("catalogue", {})
    study["datasets"]["toy"].update(change)
    checkout.write_study(study)
    done = checkout.snakemake("-n", check=False)
    assert done.returncode != 0
    assert "Traceback" not in done.stdout
    for word in words:
        assert word in done.stdout
    assert not (checkout.folder / "results").exists()


def test_all_faults_of_a_study_come_together(checkout):
    study = yaml.safe_load((checkout.folder / "tiny.yaml").read_text())
    study["nonsense"] = 1
    study["losses"] = {"mine": {"loss": "focal", "parameters": {"gama": 2}}}
    study["datasets"]["toy"]["training"]["epochs"] = 0
    checkout.write_study(study)
    output = checkout.snakemake("-n", check=False).stdout
    for word in ("nonsense", "losses.mine", "datasets.toy.training.epochs"):
        assert word in output


def test_the_profile_is_found_by_its_name(checkout):
    # The executor needs SLURM; that the profile is found and read shows in its default resources.
    output = checkout.snakemake("--profile", "slurm", "-n", "--executor", "local", check=False).stdout
    assert "Profile slurm" in output or "Using profile slurm" in output
    assert "Error" not in output.split("Job stats")[0]
