"""Shared fixtures; marks each test with the tier of its folder, sorts the files, and chooses the folder of temporary files."""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests import slowest
from tests.light import LightOnly
from workflow_lib.host import memory

ROOT = Path(__file__).resolve().parent.parent
TIERS = ("unit", "workflow", "system")

LONGEST = (
    "system/test_slurm.py",
    "workflow/test_audit.py",
    "workflow/test_add_a_loss.py",
    "workflow/test_diverging.py",
    "system/test_kill_and_resume.py",
    "system/test_training_survives.py",
    "workflow/test_origins.py",
    "workflow/test_incremental.py",
    "workflow/test_pictures.py",
    "system/test_hippocampus.py",
    "system/test_browser.py",
    "system/test_real_images.py",
)
"""Files that start first, so that none of them runs alone at the end."""

ROOM = 8 * 2**30
"""Memory in bytes for the files of the tests; the same amount must be free for the tests themselves."""

MOST_PROCESSES = 5

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the tests that take an hour, too")
    parser.addoption("--light", action="store_true", help="leave out tests that start TensorFlow or a process, and large ones")
    parser.addoption("--slowest-files", type=int, default=0, metavar="N", help="name the N slowest files at the end")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return one process more than cores, at most five, because a test that waits for a cluster uses no core."""
    chosen = os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return int(chosen) if chosen else min(cores + 1, MOST_PROCESSES)


def pytest_configure(config: pytest.Config) -> None:
    folder = _in_memory()
    if folder is not None:
        # Every result is flushed to the disk, which takes most of the time of a small test.
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(folder))
        os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
    if config.getoption("--light"):
        distributes = bool(config.getoption("numprocesses", None))
        config.pluginmanager.register(LightOnly(runs_tests=not distributes or hasattr(config, "workerinput")), "light")


def _in_memory(shared: Path = Path("/dev/shm")) -> Path | None:
    """Return a folder in memory, or None if there is not enough room or programs cannot be executed there.

    Also return None if the user has chosen a folder for temporary files.
    """
    free = memory.of_host()
    if "TMPDIR" in os.environ or free is None or free.size < 2 * ROOM:
        return None
    try:
        if os.statvfs(shared).f_flag & os.ST_NOEXEC or shutil.disk_usage(shared).free < ROOM:
            return None
        folder = shared / f"whichloss-tests-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return None
    return folder if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    skip = pytest.mark.skip(reason="takes an hour or more: make test-slow (pytest --slow) runs it")
    for item in items:
        if item.get_closest_marker("slow") and not config.getoption("--slow"):
            item.add_marker(skip)
        tier = item.path.relative_to(ROOT / "tests").parts[0]
        if tier in TIERS:
            item.add_marker(tier)
    items.sort(key=lambda item: place(item.path))


def place(path: Path) -> int:
    """Return the rank of a file in the order of execution. Files that are not in `LONGEST` keep their order."""
    name = path.relative_to(ROOT / "tests").as_posix()
    return LONGEST.index(name) if name in LONGEST else len(LONGEST)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    number = config.getoption("--slowest-files")
    if number:
        reports: Iterable[Any] = (report for group in terminalreporter.stats.values() for report in group)
        seconds = slowest.file_seconds(reports)
        terminalreporter.section(f"slowest files, of {seconds.total():.0f} s in all")
        for line in slowest.lines(seconds, number, ROOT):
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real images that are not part of the project: $SHARED_DATA, or shared/data beside the repository."""
    folder = Path(os.environ.get("SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real images: {folder} does not exist (set SHARED_DATA)")
    return folder
