"""A full disk while results are written."""

import subprocess
import sys

import pytest

WRITE = """
import sys, numpy as np
from pathlib import Path
from workflow_lib.base.errors import UserError
from workflow_lib.base.files import atomic_folder, atomic_path
from workflow_lib.preprocessing import store
target = Path(sys.argv[1])
try:
    if sys.argv[2] == "file":
        with atomic_path(target / "weights.bin") as path:
            path.write_bytes(bytes(3_000_000))
    else:
        rng = np.random.default_rng(0)
        with atomic_folder(target / "shard_1") as folder:
            image = rng.standard_normal((64, 64, 64, 1)).astype("float32")
            geometry = store.Geometry(original_shape=(64,) * 3, spacing=(1,) * 3, image_source="a", mask_source="b")
            store.write_case(folder, "case", image, np.zeros((64,) * 3, "uint8"), geometry)
            store.write_index(folder)
except UserError as error:
    print(error)
    sys.exit(2)
"""


@pytest.mark.parametrize("what", ["file", "store"])
def test_nothing_half_written_is_left_on_a_full_disk(small_disk, root, what):
    done = subprocess.run([sys.executable, "-c", WRITE, small_disk, what], capture_output=True, text=True, cwd=root)
    assert done.returncode == 2, done.stderr
    assert "No space left on device" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert list(small_disk.iterdir()) == []
