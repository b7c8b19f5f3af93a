"""A private SLURM cluster on this machine, what befalls its nodes, and a head process that is watched."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

SCRIPTS = Path(__file__).parent / "slurm"
NODES, GPUS_PER_NODE = 2, 2
CANNOT = 77
"""Exit code of up.sh where a machine cannot run a cluster."""

QUICK = ["--slurm-init-seconds-before-status-checks", "2", "--max-status-checks-per-second", "1", "--latency-wait", "10"]
"""Speed alone: this cluster answers at once and its nodes share a disk. See also slurm/snakemake_quick.py."""


class Cluster:
    """The cluster: its environment, what its controller says, and power cuts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        ours = ("SLURM_", "PYTHONPATH", "SNAKEMAKE_PROFILE")
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
        self.environment["PATH"] = os.pathsep.join([str(folder / "bin"), self.environment["PATH"]])

    def call(self, *command: str) -> str:
        """Run a command of SLURM; return what it printed."""
        return subprocess.run(command, env=self.environment, check=True, capture_output=True, text=True, timeout=60).stdout

    def jobs(self) -> dict[str, dict[str, str]]:
        """Return the controller's record of every job by its number, of the last hour's finished ones too."""
        lines = self.call("scontrol", "--oneliner", "show", "jobs").splitlines()
        jobs = [dict(re.findall(r"(\S+?)=(\S*)", line)) for line in lines if line.startswith("JobId=")]
        return {job["JobId"]: job for job in jobs}

    def queue(self) -> str:
        """Return the jobs that wait or run, for people."""
        return self.call("squeue", "--noheader", "--format", "%i %k %T %r")

    def node_is(self, node: str, *states: str) -> bool:
        """Say whether a node is in one of some states, as sinfo names them."""
        return self.call("sinfo", "--noheader", "--nodes", node, "--format", "%t").split()[0].rstrip("*") in states

    def cut_power(self, node: str) -> None:
        """Kill all that runs on a node at once: its daemon first, then its jobs and what started them."""
        daemon = int((self.folder / f"run/slurmd.{node}.pid").read_text())
        doomed = [psutil.Process(daemon)]
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                seen = process.environ()
                if seen.get("SLURMD_NODENAME") == node and str(self.folder) in seen.get("PATH", ""):
                    doomed += [process, *(parent for parent in process.parents() if parent.name() == "slurmstepd")]
        for process in doomed:
            with contextlib.suppress(psutil.Error):
                process.kill()

    def start_node(self, node: str) -> None:
        """Start the daemon of a node."""
        command = ["slurmd", "-f", str(self.folder / "slurm.conf"), "-N", node]
        path = os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin"])
        with (self.folder / "log" / f"{node}.started").open("w") as log:
            subprocess.run(command, env=os.environ | {"PATH": path}, check=True, stdout=log, stderr=log, timeout=60)


def _free_ports(count: int) -> int:
    """Return the first of `count` free ports in a row, below those that systems give to clients."""
    for first in range(21000 + os.getpid() % 500 * 10, 32000, 10):
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for port in range(first, first + count):
                stack.enter_context(socket.socket()).bind(("", port))
            return first
    raise AssertionError("no free ports")


@contextlib.contextmanager
def running_cluster(folder: Path) -> Iterator[Cluster]:
    """Start a cluster in a folder, and stop it at the end; skip the test where this machine cannot run one."""
    command = [SCRIPTS / "up.sh", folder, _free_ports(NODES + 1), NODES, GPUS_PER_NODE]
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


@dataclass(eq=False)
class Training:
    """The process of a training: which job, where, with which GPUs, which training, and when it was seen (s)."""

    process: psutil.Process
    job: str
    node: str
    gpus: tuple[str, ...]
    place: str
    found: str
    """The newest checkpoint when it was first seen."""

    seen: float
    last_seen: float
    held: bool = False

    def alive(self) -> bool:
        """Say whether the process is still there."""
        with contextlib.suppress(psutil.Error):
            return bool(self.process.is_running() and self.process.status() != psutil.STATUS_ZOMBIE)
        return False

    def go_on(self) -> None:
        """Let a process go on that was held."""
        with contextlib.suppress(psutil.Error):
            self.process.send_signal(signal.SIGCONT)


class Watch:
    """All training processes of a checkout, from now on; with `holding` each is stopped once it has written a checkpoint."""

    def __init__(self, cluster: Cluster, results: Path) -> None:
        self.cluster, self.results, self.holding = cluster, results, False
        self.trainings: dict[tuple[int, float], Training] = {}

    def until(self, condition: Callable[[], bool], seconds: float = 600, log: Path | None = None) -> None:
        """Note the trainings that run, until the condition holds; fail when it does not within the time."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                said = log.read_text()[-6000:] if log is not None else ""
                pytest.fail(f"not done after {seconds:.0f} s\n{self.cluster.queue()}\n{said}")
            self._look()
            time.sleep(0.2)

    def held(self) -> dict[str, Training]:
        """Return the trainings that are held now, by their places (`dice/fold_1`)."""
        return {training.place: training for training in self.trainings.values() if training.held and training.alive()}

    def _look(self) -> None:
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):  # it may have ended meanwhile
                key = (process.pid, process.create_time())
                if key in self.trainings:
                    self._follow(self.trainings[key])
                elif (found := self._training(process)) is not None:
                    self.trainings[key] = found

    def _training(self, process: psutil.Process) -> Training | None:
        arguments = process.cmdline()
        if "workflow_lib.steps.train" not in arguments or "-m" not in arguments:
            return None
        parent = process.parent()
        if parent is not None and parent.cmdline() == arguments:
            return None  # a child of a training that has not become another program yet
        folder = Path(process.cwd()) / Path(arguments[arguments.index("--summary") + 1]).parent
        if not folder.is_relative_to(self.results):
            return None
        seen, now = process.environ(), time.monotonic()
        place = folder.relative_to(self.results / "training/toy").as_posix()
        gpus = tuple(seen.get("CUDA_VISIBLE_DEVICES", "").split(","))
        return Training(process, seen["SLURM_JOB_ID"], seen["SLURMD_NODENAME"], gpus, place, self._checkpoint(place), now, now)

    def _follow(self, training: Training) -> None:
        if training.alive():
            training.last_seen = time.monotonic()
            if self.holding and not training.held and self._checkpoint(training.place) > training.found:
                training.process.send_signal(signal.SIGSTOP)
                training.held = True

    def _checkpoint(self, place: str) -> str:
        return max((path.name for path in (self.results / "checkpoints/toy" / place).glob("*/checkpoint-*.npz")), default="")


class Head:
    """`snakemake --profile slurm` in a checkout, ended in any case."""

    def __init__(self, cluster: Cluster, folder: Path, *arguments: str) -> None:
        self.log = folder / f"head{len(list(folder.glob('head*.log')))}.log"
        quick = [sys.executable, str(SCRIPTS / "snakemake_quick.py"), *QUICK]
        command = [*quick, "--profile", "slurm", "--configfile", "tiny.yaml", *arguments]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [*command, *arguments],
                cwd=folder,
                env=cluster.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def __enter__(self) -> "Head":
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()

    def kill(self) -> None:
        """End it without a chance to do anything about it, and not its jobs."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(30)

    def ended(self) -> bool:
        """Say whether it has ended by itself."""
        return self.process.poll() is not None

    def outcome(self) -> tuple[int, str]:
        """Wait for its end; return exit code and all it said."""
        code = self.process.wait(1200)
        return code, self.log.read_text()
