"""A study while a random process of it is killed every few seconds: it ends with the report of an uninterrupted run."""

import os
import random
import signal
import subprocess
import sys
import time

import psutil
import pytest
import yaml

from tests.sameness import contents
from tests.workflow.conftest import copy_repository
from workflow_lib.base.files import read_json

PAUSE = {"tiny": (1.0, 8.0), "demo": (5.0, 20.0)}
"""Seconds between two kills. A training of the demo takes ten seconds to start, so much shorter pauses allow little
progress."""

HEAD = 0.25
"""Share of the kills of the head process, whose death leaves most processes behind."""

SECONDS = 3 * 3600
"""Time limit for the study."""


def checkout_of(root, folder, study):
    """Return a checkout with a study of the project."""
    checkout = copy_repository(root, folder)
    checkout.write_study(yaml.safe_load((root / "studies" / f"{study}.yaml").read_text(encoding="utf-8")))
    return checkout


class Fire:
    """Run Snakemake repeatedly and kill its processes, including children of earlier head processes."""

    def __init__(self, checkout, pause, seed):
        self.checkout, self.pause, self.draws = checkout, pause, random.Random(seed)
        self.sessions, self.killed = set(), {"head": 0, "other": 0}

    def start(self):
        command = [sys.executable, "-m", "snakemake", "--configfile", "tiny.yaml"]
        command += ["--resources", "cpu_trainings=9"]  # as many side by side as there are cores
        command += ["--cores", str(self.draws.choice([1, 2, 3])), "--rerun-incomplete", "--keep-going", "--quiet", "all"]
        # These two keys affect how a training runs, but not its result: the number of workers, and kept states.
        command += ["--set-resources", "train:checkpoint_seconds=1", "train:batch_processes=1"]
        with open(self.checkout.folder / "snakemake.log", "a", encoding="utf-8") as log:
            head = subprocess.Popen(command, cwd=self.checkout.folder, stdout=log, stderr=log, start_new_session=True)
        self.sessions.add(head.pid)
        return head

    def processes(self):
        """Return all processes of all heads so far."""
        found = []
        for process in psutil.process_iter():
            try:
                if os.getsid(process.pid) in self.sessions and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except (psutil.Error, OSError):
                continue
        return found

    def shoot(self, head):
        """Kill one process, usually with SIGKILL."""
        targets = self.processes()
        if not targets:
            return
        heads = [process for process in targets if process.pid == head.pid]
        target = heads[0] if heads and self.draws.random() < HEAD else self.draws.choice(targets)
        number = self.draws.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGKILL, signal.SIGTERM])
        try:
            target.send_signal(number)
        except psutil.NoSuchProcess:
            return
        self.killed["head" if target.pid == head.pid else "other"] += 1

    def until_done(self):
        """Return how often the head was started."""
        end, starts = time.monotonic() + SECONDS, 0
        while time.monotonic() < end:
            head, starts = self.start(), starts + 1
            while head.poll() is None and time.monotonic() < end:
                pause = time.monotonic() + self.draws.uniform(*self.pause)
                while head.poll() is None and time.monotonic() < pause:
                    time.sleep(0.1)
                if head.poll() is None:
                    self.shoot(head)
            if head.poll() == 0:
                return starts
            unlocked = subprocess.run(
                [sys.executable, "-m", "snakemake", "--configfile", "tiny.yaml", "--unlock"],
                cwd=self.checkout.folder,
                capture_output=True,
                text=True,
            )
            assert unlocked.returncode == 0, unlocked.stderr
        for process in self.processes():
            process.kill()
        raise AssertionError((self.checkout.folder / "snakemake.log").read_text(encoding="utf-8")[-4000:])


@pytest.mark.slow
@pytest.mark.parametrize("study", ["tiny", "demo"])
def test_under_fire_a_study_gives_the_report_of_the_quiet_run(root, tmp_path, study):
    quiet = checkout_of(root, tmp_path / "quiet", study)
    quiet.snakemake("--cores", "2", timeout=SECONDS)
    fire = Fire(checkout_of(root, tmp_path / "fire", study), PAUSE[study], seed=26)
    starts = fire.until_done()
    expected = contents(quiet.folder / "results" / study)
    found = contents(fire.checkout.folder / "results" / study)
    assert found.keys() == expected.keys()
    assert [name for name in expected if found[name] != expected[name]] == []
    summaries = list((fire.checkout.folder / "results" / study / "training").rglob("training.json"))
    attempts = [len(read_json(summary)["attempts"]) for summary in summaries]
    print(f"{sum(fire.killed.values())} kills, {fire.killed['head']} of them of the head; {starts} starts; attempts {attempts}")
    assert fire.killed["head"] > 0
    assert max(attempts) > 1
