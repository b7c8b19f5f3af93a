"""The workflow tier's checkout, for tests that kill processes or use real data."""

import os
import shutil
import subprocess

import pytest

from tests.workflow.conftest import checkout, finished, finished_copy

__all__ = ["checkout", "finished", "finished_copy"]


@pytest.fixture
def small_disk(request, tmp_path):
    """A file system in memory, of 1 MiB or of the size that the test names."""
    folder, size = tmp_path / "disk", getattr(request, "param", "1m")
    folder.mkdir()
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("mounting a small file system needs root")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"cannot mount a small file system here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)
