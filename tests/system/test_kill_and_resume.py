"""A training that is killed in a Snakemake run resumes, with the same result as an uninterrupted one."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml

from tests.workflow.conftest import copy_checkout, copy_repository
from workflow_lib.base.files import read_json, sha256_file

TARGETS = [f"results/tiny/training/toy/dice/fold_1/{name}" for name in ("model.weights.h5", "history.csv")]


@pytest.fixture(scope="module")
def prepared(root, tmp_path_factory):
    """A study whose training takes some time, run up to its preprocessed images."""
    checkout = copy_repository(root, tmp_path_factory.mktemp("prepared") / "checkout")
    study = yaml.safe_load((checkout.folder / "tiny.yaml").read_text())
    study["datasets"]["toy"]["training"].update(epochs=6, iterations=25, checkpoint_minutes=0.005)
    checkout.write_study(study)
    checkout.snakemake("--cores", "2", "--until", "preprocess", "split")
    return checkout


@pytest.fixture
def checkout(prepared, tmp_path):
    """A private copy of it."""
    return copy_checkout(prepared, tmp_path / "checkout")


@pytest.fixture(scope="module")
def undisturbed(prepared, tmp_path_factory):
    """Digests of an uninterrupted training."""
    checkout = copy_checkout(prepared, tmp_path_factory.mktemp("undisturbed") / "checkout")
    checkout.snakemake("--cores", "2", *TARGETS)
    return [sha256_file(checkout.folder / target) for target in TARGETS]


def start(checkout, *arguments):
    command = [sys.executable, "-m", "snakemake", "--configfile", "tiny.yaml", "--cores", "2", *arguments, "--", *TARGETS]
    return subprocess.Popen(
        command, cwd=checkout.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )


def wait_for(condition, seconds=180):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"waited {seconds} s in vain")


def checkpoint_of(checkout):
    """Return the newest checkpoint file as soon as there is one."""
    folder = checkout.folder / "results/tiny/checkpoints/toy/dice/fold_1"
    files = [path for path in folder.rglob("*") if path.is_file() and path.match("checkpoint-*.npz")] if folder.exists() else []
    return max(files, key=lambda path: path.stat().st_mtime, default=None)


def training_process(head):
    """Return the training process below the Snakemake process, or None if it has not started."""
    for process in psutil.Process(head.pid).children(recursive=True):
        arguments = process.cmdline()
        if "workflow_lib.steps.train" in arguments and Path(arguments[0]).name.startswith("python"):
            return process
    return None


def finish(checkout):
    checkout.snakemake("--cores", "2", "--rerun-incomplete", *TARGETS)
    return [sha256_file(checkout.folder / target) for target in TARGETS]


def attempts(checkout):
    return read_json(checkout.folder / "results/tiny/training/toy/dice/fold_1/training.json")["attempts"]


def test_the_training_is_killed_and_goes_on(checkout, undisturbed):
    head = start(checkout)
    wait_for(lambda: checkpoint_of(checkout))
    training_process(head).send_signal(signal.SIGKILL)
    assert head.wait(120) != 0
    assert not (checkout.folder / TARGETS[0]).exists()
    assert finish(checkout) == undisturbed
    record = attempts(checkout)
    assert len(record) == 2
    assert (record[1]["first_epoch"], record[1]["first_step"]) > (1, 1)
    # Only the last state remains.
    (kept,) = (checkout.folder / "results/tiny/checkpoints/toy/dice/fold_1").rglob("*.npz")
    assert kept.parent.name == "kept"


def test_snakemake_itself_is_killed_and_the_training_goes_on(checkout, undisturbed):
    head = start(checkout)
    wait_for(lambda: checkpoint_of(checkout))
    os.killpg(head.pid, signal.SIGKILL)
    head.wait(60)
    locked = checkout.snakemake("--cores", "2", "--rerun-incomplete", *TARGETS, check=False)
    assert locked.returncode != 0
    assert "unlock" in locked.stdout
    checkout.snakemake("--unlock")
    assert finish(checkout) == undisturbed
    assert len(attempts(checkout)) == 2


def test_sigterm_saves_the_state_and_ends_without_success(checkout, undisturbed):
    head = start(checkout)
    wait_for(lambda: checkpoint_of(checkout))
    training_process(head).send_signal(signal.SIGTERM)
    assert head.wait(120) != 0
    assert finish(checkout) == undisturbed
    first, second = attempts(checkout)
    assert first["ended"] == "interrupted"
    # Nothing is lost: the second attempt begins with the next step.
    assert (second["first_epoch"], second["first_step"]) >= (first["last_epoch"], first["last_step"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_to_the_snakemake_inside_a_job_reaches_the_training(checkout, undisturbed, number):
    """With control groups, SLURM only signals the process that it started; here a shell replaces the scheduler."""
    submit = ("--executor", "cluster-generic", "--cluster-generic-submit-cmd", "sh", "--jobs", "2", "--latency-wait", "30")
    head = start(checkout, *submit)
    wait_for(lambda: checkpoint_of(checkout))
    inside = next(process for process in training_process(head).parents() if "snakemake" in process.cmdline())
    assert "remote" in inside.cmdline()
    inside.send_signal(number)
    assert head.wait(120) != 0
    assert finish(checkout) == undisturbed
    first, _ = attempts(checkout)
    assert first["ended"] == "interrupted"


def test_the_shell_of_a_step_waits_for_it_when_both_are_told_to_end(checkout, undisturbed):
    """Otherwise the job would end, and the scheduler would kill a training that is saving its state."""
    head = start(checkout)
    wait_for(lambda: checkpoint_of(checkout))
    shell = training_process(head).parent()
    assert "bash" in shell.cmdline()[0]
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
        shell.send_signal(number)
    assert head.wait(300) == 0
    assert len(attempts(checkout)) == 1
    assert [sha256_file(checkout.folder / target) for target in TARGETS] == undisturbed
