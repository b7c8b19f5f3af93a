"""`snakemake --profile slurm` on a real SLURM cluster, which is started for these tests on this machine."""

import contextlib
import datetime
import itertools
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import yaml

from tests.workflow.conftest import copy_repository
from tests.workflow.test_add_a_loss import OWN
from workflow_lib.files import read_json

SCRIPTS = Path(__file__).parent / "slurm"
NODES, GPUS_PER_NODE = 2, 2
CANNOT = 77
"""Exit code of up.sh where a machine cannot run a cluster."""

# Speed alone: this cluster answers at once and its nodes share a disk. The checks come 10 s later each time nothing has finished.
FAST = ["--slurm-init-seconds-before-status-checks", "2", "--max-status-checks-per-second", "1", "--latency-wait", "10"]


class Cluster:
    """The private cluster: its environment, and what its controller says."""

    def __init__(self, folder: Path) -> None:
        ours = ("SLURM_", "PYTHONPATH", "SNAKEMAKE_PROFILE")
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
        self.environment["PATH"] = os.pathsep.join([str(folder / "bin"), self.environment["PATH"]])

    def call(self, *command: str) -> str:
        """Run a command of SLURM; return what it printed."""
        return subprocess.run(command, env=self.environment, check=True, capture_output=True, text=True, timeout=60).stdout

    def jobs(self) -> list[dict[str, str]]:
        """Return the controller's record of every job, of the last hour's finished ones too."""
        lines = self.call("scontrol", "--oneliner", "show", "jobs").splitlines()
        return [dict(re.findall(r"(\S+?)=(\S*)", line)) for line in lines if line.startswith("JobId=")]


def free_ports(count: int) -> int:
    """Return the first of `count` free ports in a row, below those that systems give to clients."""
    for first in range(21000 + os.getpid() % 500 * 10, 32000, 10):
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for port in range(first, first + count):
                stack.enter_context(socket.socket()).bind(("", port))
            return first
    raise AssertionError("no free ports")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slurm")
    command = [SCRIPTS / "up.sh", folder, free_ports(NODES + 1), NODES, GPUS_PER_NODE]
    try:
        # Into a file: the daemons would keep a pipe open.
        with (folder / "up.log").open("w+") as log:
            code = subprocess.run(list(map(str, command)), stdout=log, stderr=subprocess.STDOUT, timeout=300).returncode
            log.seek(0)
            said = log.read().strip()
        if code == CANNOT:
            pytest.skip(said)
        assert code == 0, said
        yield Cluster(folder)
    finally:
        subprocess.run([str(SCRIPTS / "down.sh"), str(folder)], timeout=120)


@dataclass(frozen=True)
class Training:
    """A training as its process showed it: which one, where, with which GPUs."""

    job: str
    node: str
    gpus: tuple[str, ...]
    folder: Path


class Head:
    """`snakemake --profile slurm` in a checkout: started, watched, and ended in any case."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster, self.folder = cluster, folder
        self.trainings: dict[str, Training] = {}
        self.log = folder / "head.log"
        command = [str(Path(sys.executable).with_name("snakemake")), "--profile", "slurm", "--configfile", "tiny.yaml", *FAST]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command, cwd=folder, env=cluster.environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )

    def __enter__(self) -> "Head":
        return self

    def __exit__(self, *error: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(30)

    def watch(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Note the trainings that run, until something holds or Snakemake has ended."""
        end = time.monotonic() + seconds
        while self.process.poll() is None and not until():
            if time.monotonic() > end:
                queue = self.cluster.call("squeue", "--format", "%i %k %T %r")
                pytest.fail(f"not done after {seconds:.0f} s\n{queue}\n{self.log.read_text()[-6000:]}")
            for process in psutil.process_iter():
                with contextlib.suppress(psutil.Error):  # it may have ended meanwhile
                    self._note(process)
            time.sleep(0.2)

    def _note(self, process: psutil.Process) -> None:
        arguments = process.cmdline()
        if "workflow_lib.steps.train" in arguments and "-m" in arguments and process.cwd() == str(self.folder):
            seen = process.environ()
            folder = self.folder / Path(arguments[arguments.index("--summary") + 1]).parent
            gpus = tuple(seen.get("CUDA_VISIBLE_DEVICES", "").split(","))
            self.trainings[seen["SLURM_JOB_ID"]] = Training(seen["SLURM_JOB_ID"], seen["SLURMD_NODENAME"], gpus, folder)


@dataclass(frozen=True)
class Study:
    """The tiny study after its run, in the course of which one training was cancelled."""

    results: Path
    jobs: dict[str, dict[str, str]]
    trainings: dict[str, Training]
    cancelled: Training

    def jobs_of(self, *rules: str) -> list[dict[str, str]]:
        """Return the SLURM jobs of some rules."""
        return [job for job in self.jobs.values() if rule_of(job) in rules]


def rule_of(job: dict[str, str]) -> str:
    """Return the rule of a job, or the name of its group."""
    rule = re.sub("^(rule|group)_", "", job["Comment"]).split("_wildcards_")[0]
    return "fold" if rule.startswith("fold_") else rule


@pytest.fixture(scope="module")
def study(root, cluster, tmp_path_factory):
    checkout = copy_repository(root, tmp_path_factory.mktemp("cluster") / "checkout")
    settings = yaml.safe_load((checkout.folder / "tiny.yaml").read_text())
    settings["datasets"]["toy"]["training"].update(gpus=1, epochs=30, iterations=20, checkpoint_minutes=0.02)
    # A loss of the user's own, by a path that starts at the working directory, has to be found on the nodes too.
    (checkout.folder / "my_losses").mkdir()
    (checkout.folder / "my_losses/own.py").write_text(OWN.format(name="own"), encoding="utf-8")
    terms = [{"loss": "focal"}, {"loss": "my_losses/own.py"}]
    settings["losses"] = {"composed": {"loss": "weighted_sum", "label": "Focal + own", "parameters": {"terms": terms}}}
    settings["datasets"]["toy"]["losses"] = ["dice", "composed"]
    checkout.write_study(settings)
    results = checkout.folder / "results/tiny"

    with Head(cluster, checkout.folder) as head:

        def saved() -> list[Training]:
            """Return the trainings under way that have a checkpoint."""
            return [t for t in head.trainings.values() if list((results / "checkpoints").glob(f"{place(t)}/*/*.npz"))]

        def place(training: Training) -> Path:
            return training.folder.relative_to(results / "training")

        head.watch(600, until=lambda: bool(saved()))
        output = head.log.read_text()
        assert saved(), output[-6000:]
        cancelled = saved()[0]
        cluster.call("scancel", cancelled.job)
        head.watch(900)
        assert head.process.returncode == 0, head.log.read_text()[-6000:]
        return Study(results, {job["JobId"]: job for job in cluster.jobs()}, head.trainings, cancelled)


def test_the_study_ends_in_its_report(study):
    assert "Tiny study on synthetic images" in (study.results / "report.html").read_text(encoding="utf-8")


def test_a_loss_file_of_one_s_own_is_trained_with_and_recorded(study):
    record = read_json(study.results / "records/train/toy/composed/fold_1.json")
    assert set(record["settings"]["loss"]["files"]) == {"own"}
    assert [entry["path"] for entry in record["inputs"]["loss-files"]] == ["my_losses/own.py"]


def test_every_rule_ran_in_jobs_of_its_own_and_the_download_did_not(study):
    done = Counter(rule_of(job) for job in study.jobs.values() if job["JobState"] == "COMPLETED")
    one = dict.fromkeys(
        [
            "inspect",
            "cases_page",
            "check",
            "split",
            "collect",
            "statistics",
            "tables",
            "figures_losses",
            "figures_dataset",
            "manifest",
            "report_page",
        ],
        1,
    )
    assert done == one | {"preprocess": 2, "train": 4, "fold": 4}
    assert (study.results / "data/toy/files.json").exists()


def test_nothing_failed_but_the_training_that_was_cancelled(study):
    undone = {number: job["JobState"] for number, job in study.jobs.items() if job["JobState"] != "COMPLETED"}
    assert undone == {study.cancelled.job: "CANCELLED"}


def test_training_and_prediction_with_its_scores_ask_for_one_gpu_and_nothing_else_does(study):
    asked = {number for number, job in study.jobs.items() if re.fullmatch(r"gres[:/]gpu[:=]1", job.get("TresPerJob", ""))}
    assert asked == {job["JobId"] for job in study.jobs_of("train", "fold")}


def test_each_training_sees_one_gpu_that_no_other_has_at_that_time(study):
    assert set(study.trainings) == {job["JobId"] for job in study.jobs_of("train")}
    assert {len(training.gpus) for training in study.trainings.values()} == {1}
    assert {gpu for training in study.trainings.values() for gpu in training.gpus} <= set(map(str, range(GPUS_PER_NODE)))
    for one, other in at_the_same_time(study):
        assert (one.node, one.gpus) != (other.node, other.gpus)


def test_trainings_run_at_the_same_time_on_all_nodes(study):
    assert {training.node for training in study.trainings.values()} == {f"node{number + 1}" for number in range(NODES)}
    assert any(one.node != other.node for one, other in at_the_same_time(study))


def at_the_same_time(study):
    """Return the pairs of trainings of which one began before the other had ended."""

    def span(training: Training) -> tuple[datetime.datetime, datetime.datetime]:
        job = study.jobs[training.job]
        return datetime.datetime.fromisoformat(job["StartTime"]), datetime.datetime.fromisoformat(job["EndTime"])

    pairs = itertools.combinations(study.trainings.values(), 2)
    return [(one, other) for one, other in pairs if max(span(one)[0], span(other)[0]) < min(span(one)[1], span(other)[1])]


def test_the_cancelled_training_went_on_where_it_was(study):
    for training in study.trainings.values():
        attempts = read_json(training.folder / "training.json")["attempts"]
        if training.folder != study.cancelled.folder:
            assert [attempt["ended"] for attempt in attempts] == ["finished"]
            continue
        first, second = attempts
        assert (first["ended"], second["ended"]) == ("interrupted", "finished")
        # Nothing is lost: SIGTERM, which comes before SIGKILL, lets the training save its state.
        assert first["steps"] + second["steps"] == 30 * 20
        assert second["steps"] < 30 * 20
