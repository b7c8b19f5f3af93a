"""Invalid arguments of the audit are reported at once, with exit code 2, and not as findings about the study."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import workflow_lib
from workflow_lib.base.files import write_json

ROOT = Path(workflow_lib.__file__).parents[1]
TRAINED = "records/train/toy/dice/fold_1.json"
EMPTY = {"fingerprint": "f", "versions": {}, "inputs": {}, "outputs": {}}


@pytest.fixture
def results(tmp_path):
    """A folder that only contains the record of one training."""
    folder = tmp_path / "tiny"
    about = {"dataset": "toy", "loss": {"name": "dice"}, "fold": 1}
    write_json(folder / TRAINED, EMPTY | {"step": "train", "settings": about})
    for name in ("manifest", "report"):
        write_json(folder / f"records/{name}.json", EMPTY | {"step": name, "settings": {}})
    write_json(folder / "manifest.json", {"steps": {TRAINED: {}}})
    (folder / "SHA256SUMS").touch()
    return folder


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--digest", "12ab"], "'12ab' is not a digest: give all 64"),
        (["--retrain", "dice:7"], "'dice:7' is not a training of this study. There are: toy/dice:1"),
        (["--retrain", "dice"], "'dice' is not a training of this study"),
        (["--minutes", "0"], "must be a number above 0, not 0"),
        (["--minutes", "nan"], "must be a number above 0, not nan"),
    ],
)
def test_a_slip_is_told_at_once(results, arguments, said):
    done = subprocess.run(
        [sys.executable, "-m", "workflow_lib", "audit", str(results), *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 2, done.stdout + done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
