"""Fixtures for all tiers; the tier's mark, from the folder a test lies in; the order of the files; where they write."""

import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests import slowest
from tests.light import LightOnly

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
"""Files that begin first, so that no process is left alone with one of them at the end."""

ROOM = 8 * 2**30
"""Bytes of free memory from which on the tests' files lie in memory."""

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the tests that take an hour, too")
    parser.addoption("--light", action="store_true", help="leave out tests that start TensorFlow or a process, and large ones")
    parser.addoption("--slowest-files", type=int, default=0, metavar="N", help="name the N slowest files at the end")


def pytest_xdist_auto_num_workers() -> int:
    """One process more than cores: what waits for a cluster, a browser or a process to die leaves its core to others."""
    return min(os.cpu_count() or 1, 4) + 1


def pytest_configure(config: pytest.Config) -> None:
    folder = _in_memory()
    if folder is not None:
        # Every result is written through to the disk, which takes most of the time of a small one.
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(folder))
        os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
    if config.getoption("--light"):
        distributes = bool(config.getoption("numprocesses", None))
        config.pluginmanager.register(LightOnly(runs_tests=not distributes or hasattr(config, "workerinput")), "light")


def _in_memory() -> Path | None:
    """Return a folder of this user's in memory, or None where there is no room or programs cannot be started from there."""
    shared = Path("/dev/shm")
    try:
        held = os.statvfs(shared)
        if held.f_flag & os.ST_NOEXEC or shutil.disk_usage(shared).free < ROOM or _free_memory() < 2 * ROOM:
            return None
        folder = shared / f"whichloss-tests-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError:
        return None
    return folder if folder.stat().st_uid == os.getuid() else None


def _free_memory() -> int:
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    skip = pytest.mark.skip(reason="takes an hour or more: make test-slow (pytest --slow) runs it")
    for item in items:
        if item.get_closest_marker("slow") and not config.getoption("--slow"):
            item.add_marker(skip)
        tier = item.path.relative_to(ROOT / "tests").parts[0]
        if tier in TIERS:
            item.add_marker(tier)
    items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    name = item.path.relative_to(ROOT / "tests").as_posix()
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
