"""The planned jobs of studies, without running them."""

import os
import re
import shutil
import subprocess
import sys

import pytest
import yaml

from workflow_lib.base.files import read_json


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
        "manifest": 1,
        "report_page": 1,
    }


def test_what_steers_a_training_reaches_its_command_in_its_unit(checkout):
    study = yaml.safe_load((checkout.folder / "tiny.yaml").read_text())
    study["datasets"]["toy"]["training"].update(checkpoint_minutes=2.5, keep_state=False, gpus=0)
    checkout.write_study(study)
    commands = re.findall(r"workflow_lib\.steps\.train .*", checkout.snakemake("-n", "-p").stdout)
    assert len(commands) == 4
    for command in commands:
        assert " --checkpoint-seconds 150 " in command
        assert " --gpus 0 " in command
        assert " --keep-state 0 " in command


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
    study["datasets"]["toy"]["losses"] = ["dice", "mine"]
    study["datasets"]["toy"]["training"]["epochs"] = 0
    checkout.write_study(study)
    output = checkout.snakemake("-n", check=False).stdout
    for word in ("nonsense", "losses.mine", "datasets.toy.training.epochs"):
        assert word in output


def test_a_study_that_names_no_datasets_stops_and_unused_entries_are_warned_of_once(checkout):
    study = yaml.safe_load((checkout.folder / "tiny.yaml").read_text())
    del study["study"]["datasets"]
    study["datasets"]["other"] = study["datasets"]["toy"] | {"losses": ["dise"]}
    checkout.write_study(study)
    said = checkout.snakemake("-n", check=False)
    assert said.returncode != 0
    assert "Traceback" not in said.stdout
    assert "      datasets: [other, toy]\n" in said.stdout
    named = ("--config", "study={'datasets': ['toy']}")
    target = "results/tiny/records/figures_losses.json"
    said = checkout.snakemake("--cores", "1", "--quiet", *named, "--", target).stdout
    # By the process that plans, and by none of its jobs.
    assert said.count("Warning: 1 fault(s) in entries that this study does not use") == 1
    assert "datasets.other.losses: there is no loss 'dise'" in said


def test_the_profile_is_found_by_its_name(checkout):
    # The executor requires SLURM, but the default resources show that the profile is found and read.
    output = checkout.snakemake("--profile", "slurm", "-n", "--executor", "local", check=False).stdout
    assert "Profile slurm" in output or "Using profile slurm" in output
    assert "Error" not in output.split("Job stats")[0]


def large_study(study):
    """Return a study with 5 datasets, 20 losses, 5 folds, and 12 preprocessing jobs per dataset."""
    toy = study["datasets"].pop("toy")
    losses = {f"tversky_{number}": tversky(number) for number in range(20)}
    names = [f"d{number}" for number in range(5)]
    dataset = toy | {"losses": list(losses), "preprocessing": toy["preprocessing"] | {"shards": 12}}
    dataset["phantom"] = toy["phantom"] | {"cases": 10}
    return study | {
        "study": study["study"] | {"datasets": names},
        "cross_validation": {"folds": 5},
        "losses": losses,
        "datasets": {name: dataset | {"root": f"data/{name}", "label": name} for name in names},
    }


def tversky(number):
    return {"loss": "tversky", "label": f"Tversky {number}", "parameters": {"delta": 0.1 + 0.04 * number}}


def test_a_large_study_stays_under_a_number_of_jobs(checkout):
    """docs/hpc.md states these numbers."""
    checkout.write_study(large_study(yaml.safe_load((checkout.folder / "tiny.yaml").read_text())))
    planned = checkout.planned()
    assert planned["train"] == planned["predict"] == planned["evaluate"] == 5 * 20 * 5
    profile = yaml.safe_load((checkout.folder / "slurm/config.yaml").read_text())
    groups = dict(entry.split("=") for entry in profile["groups"])
    assert groups == {"predict": "fold", "evaluate": "fold"}
    jobs = sum(planned.values())
    submitted = jobs - planned["evaluate"] - planned["obtain"]
    assert (jobs, submitted) == (1613, 1108)
    text = (checkout.folder / "docs/hpc.md").read_text(encoding="utf-8")
    assert f"{jobs} jobs" in text
    assert f"{submitted} submissions" in text


PORTABLE = {"mem_mb", "runtime", "gpu"}
OURS = {"checkpoint_seconds", "keep_state", "batch_processes", "cpu_trainings"}
"""Resources that every executor knows, and those for local runs only or for passing resource settings to the command."""


def test_rules_ask_for_nothing_that_one_scheduler_alone_has(root):
    found = set()
    for path in [root / "Snakefile", *(root / "rules").glob("*.smk")]:
        text = path.read_text(encoding="utf-8")
        assert "slurm" not in text.replace("--profile slurm", "").lower()
        for block in re.findall(r"^    resources:\n((?:        .*\n)+)", text, flags=re.MULTILINE):
            found |= set(re.findall(r"^        (\w+)=", block, flags=re.MULTILINE))
    assert found == PORTABLE | OURS


def test_another_executor_plans_and_runs_the_same(checkout):
    """Without SLURM: jobs are passed to a command that runs scripts, here the shell."""
    submit = ("--executor", "cluster-generic", "--cluster-generic-submit-cmd", "sh", "--jobs", "4")
    assert checkout.planned(*submit) == checkout.planned()
    target = "results/tiny/records/check/toy.json"
    said = checkout.snakemake(*submit, "--latency-wait", "30", "--", target).stdout
    assert "3 of 3 steps (100%) done" in said
    assert read_json(checkout.folder / target)["step"] == "check"


def test_a_table_of_the_division_counts_by_what_it_says(checkout):
    """A different file with an older time repeats the division; a moved file does not."""
    cases, folder, target = [f"case_0000{number}" for number in range(4)], checkout.folder, "results/tiny/data/toy/folds.csv"

    def write(name, folds):
        rows = "".join(f"{case},{fold}\n" for case, fold in zip(cases, folds, strict=True))
        (folder / name).write_text(f"case,fold\n{rows}")

    def name_table(name):
        study = yaml.safe_load((folder / "tiny.yaml").read_text())
        study["cross_validation"] = {"table": name}
        checkout.write_study(study)

    write("other.csv", "2211")
    os.utime(folder / "other.csv", (1, 1))
    write("split.csv", "1212")
    name_table("split.csv")
    checkout.snakemake("--cores", "2", "--", target)
    assert f"{cases[0]},1" in (folder / target).read_text()

    shutil.move(folder / "split.csv", folder / "moved.csv")
    name_table("moved.csv")
    assert checkout.planned("--", target) == {}

    shutil.move(folder / "other.csv", folder / "moved.csv")
    assert checkout.planned("--", target) == {"split": 1}
    shutil.rmtree(folder / ".snakemake")
    checkout.snakemake("--cores", "2", "--", target)
    assert f"{cases[0]},2" in (folder / target).read_text()
