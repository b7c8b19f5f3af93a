"""A private SLURM cluster on this machine, with failures of its nodes, and the observation of a head process."""

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
"""Exit code of up.sh if the machine cannot run a cluster."""

QUICK = ["--slurm-init-seconds-before-status-checks", "2", "--max-status-checks-per-second", "1", "--latency-wait", "10"]
"""Options for speed only: this cluster answers at once and its nodes share a disk. See also slurm/snakemake_quick.py."""


class Cluster:
    """The cluster: its environment, queries of its controller, and power failures."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        ours = ("SLURM_", "PYTHONPATH", "SNAKEMAKE_PROFILE")
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
        self.environment["PATH"] = os.pathsep.join([str(folder / "bin"), self.environment["PATH"]])

    def call(self, *command: str) -> str:
        """Run a command of SLURM and return its output."""
        return subprocess.run(command, env=self.environment, check=True, capture_output=True, text=True, timeout=60).stdout

    def jobs(self) -> dict[str, dict[str, str]]:
        """Return the controller's record of every job by its number, including jobs that finished in the last hour."""
        lines = self.call("scontrol", "--oneliner", "show", "jobs").splitlines()
        jobs = [dict(re.findall(r"(\S+?)=(\S*)", line)) for line in lines if line.startswith("JobId=")]
        return {job["JobId"]: job for job in jobs}

    def queue(self) -> str:
        """Return the waiting and running jobs as text."""
        return self.call("squeue", "--noheader", "--format", "%i %k %T %r")

    def node_is(self, node: str, *states: str) -> bool:
        """Return whether a node is in one of the given states, as named by sinfo."""
        return self.call("sinfo", "--noheader", "--nodes", node, "--format", "%t").split()[0].rstrip("*") in states

    def cut_power(self, node: str) -> None:
        """Kill everything on a node at once: first its daemon, then its jobs and the processes that started them."""
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
    """Return the first of `count` consecutive free ports, below the range that systems assign to clients."""
    for first in range(21000 + os.getpid() % 500 * 10, 32000, 10):
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for port in range(first, first + count):
                stack.enter_context(socket.socket()).bind(("", port))
            return first
    raise AssertionError("no free ports")


@contextlib.contextmanager
def running_cluster(folder: Path) -> Iterator[Cluster]:
    """Start a cluster in a folder, and stop it at the end. Skip the test if this machine cannot run one."""
    command = [SCRIPTS / "up.sh", folder, _free_ports(NODES + 1), NODES, GPUS_PER_NODE]
    try:
        # Written to a file, because the daemons would keep a pipe open.
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
    """The process of a training: its job, node, GPUs and training, and when it was seen (s)."""

    process: psutil.Process
    job: str
    node: str
    gpus: tuple[str, ...]
    place: str
    found: str
    """The newest checkpoint at the time when the process was first seen."""

    seen: float
    last_seen: float
    held: bool = False

    def alive(self) -> bool:
        """Return whether the process is still running."""
        with contextlib.suppress(psutil.Error):
            return bool(self.process.is_running() and self.process.status() != psutil.STATUS_ZOMBIE)
        return False

    def go_on(self) -> None:
        """Resume a stopped process."""
        with contextlib.suppress(psutil.Error):
            self.process.send_signal(signal.SIGCONT)


class Watch:
    """All training processes of a checkout from now on. With `holding`, each is stopped after it has written a checkpoint."""

    def __init__(self, cluster: Cluster, results: Path) -> None:
        self.cluster, self.results, self.holding = cluster, results, False
        self.trainings: dict[tuple[int, float], Training] = {}

    def until(self, condition: Callable[[], bool], seconds: float = 600, log: Path | None = None) -> None:
        """Record the running trainings until the condition holds; fail if it does not hold within the time limit."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                said = log.read_text()[-6000:] if log is not None else ""
                pytest.fail(f"not done after {seconds:.0f} s\n{self.cluster.queue()}\n{said}")
            self._look()
            time.sleep(0.2)

    def held(self) -> dict[str, Training]:
        """Return the stopped trainings by their places (`dice/fold_1`)."""
        return {training.place: training for training in self.trainings.values() if training.held and training.alive()}

    def _look(self) -> None:
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):  # the process may have ended
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
            return None  # a forked child of a training, before its exec
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
    """`snakemake --profile slurm` in a checkout. It is killed at the end in any case."""

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
        """Kill the process without its jobs and without a chance to react."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(30)

    def ended(self) -> bool:
        """Return whether it has ended by itself."""
        return self.process.poll() is not None

    def outcome(self) -> tuple[int, str]:
        """Wait for its end; return exit code and output."""
        code = self.process.wait(1200)
        return code, self.log.read_text()
