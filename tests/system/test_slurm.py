"""`snakemake --profile slurm` on a real SLURM cluster, which is started for these tests on this machine."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import yaml

from tests.workflow.conftest import copy_repository

SCRIPTS = Path(__file__).parent / "slurm"
NODES, GPUS_PER_NODE = 2, 2
SKIPPED = 77

# For speed only: a cluster of one machine answers at once and has no shared file system.
FAST = ["--slurm-init-seconds-before-status-checks", "2", "--max-status-checks-per-second", "2", "--latency-wait", "10"]


@dataclass(frozen=True)
class Training:
    """What the environment of a training, seen while it ran, says."""

    job: int
    node: str
    gpus: tuple[str, ...]
    fold: str


class Cluster:
    """The commands of SLURM, spoken to the private cluster."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith(("SLURM_", "PYTHONPATH"))}
        self.environment |= {
            "SLURM_CONF": str(folder / "slurm.conf"),
            "PATH": os.pathsep.join([str(folder / "bin"), self.environment["PATH"], "/usr/sbin"]),
        }

    def call(self, *command: str) -> str:
        return subprocess.run(command, env=self.environment, check=True, capture_output=True, text=True, timeout=30).stdout

    def jobs(self) -> dict[int, dict[str, str]]:
        """Return what the controller knows of every job, finished ones (of the last five minutes) included."""
        lines = self.call("scontrol", "--oneliner", "--details", "show", "jobs").splitlines()
        found = [dict(re.findall(r"(\S+?)=(\S*)", line)) for line in lines if line.startswith("JobId=")]
        return {int(job["JobId"]): job for job in found}


def free_ports(count: int) -> int:
    """Return the first of `count` ports in a row that nobody listens on, below those that systems give out themselves."""
    for first in range(21000 + os.getpid() % 500 * 10, 32000, 10):
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for port in range(first, first + count):
                stack.enter_context(socket.socket()).bind(("", port))
            return first
    raise AssertionError("no free ports")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slurm")
    try:
        up = [str(SCRIPTS / "up.sh"), str(folder), str(free_ports(NODES + 1)), str(NODES), str(GPUS_PER_NODE)]
        # Into a file: the daemons would keep a pipe open.
        with (folder / "up.log").open("w+") as log:
            code = subprocess.run(up, stdout=log, stderr=subprocess.STDOUT, timeout=300).returncode
            log.seek(0)
            said = log.read().strip()
        if code == SKIPPED:
            pytest.skip(said)
        assert code == 0, said
        yield Cluster(folder)
    finally:
        subprocess.run([str(SCRIPTS / "down.sh"), str(folder)], timeout=120)


class Head:
    """`snakemake --profile slurm` in a checkout: started, watched, and in any case ended."""

    def __init__(self, cluster: Cluster, folder: Path, name: str) -> None:
        self.cluster, self.folder = cluster, folder
        self.trainings: dict[int, Training] = {}
        self.log = folder / f"head_{name}.log"
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

    @property
    def output(self) -> str:
        return self.log.read_text()

    def watch(self, until: Callable[[], object], seconds: float) -> None:
        """Note the trainings that run, until something holds or the head has ended."""
        end = time.monotonic() + seconds
        while not until():
            assert time.monotonic() < end, f"after {seconds:.0f} s:\n{self.output[-6000:]}"
            if self.process.poll() is not None:
                return
            self._look()
            time.sleep(0.2)

    def finish(self, seconds: float = 900) -> None:
        self.watch(lambda: False, seconds)
        assert self.process.returncode == 0, self.output[-6000:]

    def _look(self) -> None:
        for process in psutil.process_iter():
            # A process may end while it is looked at.
            with contextlib.suppress(psutil.Error):
                if "workflow_lib.steps.train" in (arguments := process.cmdline()) and process.cwd() == str(self.folder):
                    seen = process.environ()
                    job, gpus = int(seen["SLURM_JOB_ID"]), tuple(seen["CUDA_VISIBLE_DEVICES"].split(","))
                    fold = Path(arguments[arguments.index("--summary") + 1]).parent
                    self.trainings[job] = Training(job, seen["SLURMD_NODENAME"], gpus, f"{fold.parent.name}/{fold.name}")


@dataclass(frozen=True)
class Study:
    """The tiny study after its run on the cluster."""

    folder: Path
    jobs: dict[int, dict[str, str]]
    trainings: list[Training]
    output: str

    @property
    def results(self) -> Path:
        return self.folder / "results/tiny"


def rule_of(job: dict[str, str]) -> str:
    return job["Comment"].removeprefix("rule_").split("_wildcards_")[0]


@pytest.fixture(scope="module")
def study(root, cluster, tmp_path_factory):
    """The tiny study with a GPU for each training, run once."""
    checkout = copy_repository(root, tmp_path_factory.mktemp("cluster") / "checkout")
    settings = yaml.safe_load((checkout.folder / "tiny.yaml").read_text())
    settings["datasets"]["toy"]["training"].update(gpus=1, epochs=30, iterations=10, checkpoint_minutes=0.02)
    checkout.write_study(settings)
    with Head(cluster, checkout.folder, "study") as head:
        head.finish()
        return Study(checkout.folder, cluster.jobs(), list(head.trainings.values()), head.output)
