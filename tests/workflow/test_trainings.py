"""The overview of a study's trainings."""

import json
import os
import subprocess
import sys
import time

from workflow_lib.base.files import read_json


def shown(checkout, *arguments):
    """Return state and further columns of every training, by loss and fold, and the last line."""
    done = subprocess.run(
        [sys.executable, "-m", "workflow_lib", "trainings", "--configfile", "tiny.yaml", *arguments],
        cwd=checkout.folder, capture_output=True, text=True, timeout=120, check=False,
        env=os.environ | {"PYTHONPATH": str(checkout.folder)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    head, *lines = done.stdout.splitlines()
    starts = [head.index(name) for name in ("state", "epoch", "validation", "lowest", "steps/s", "waited", "left", "starts")]
    cells = {}
    for line in lines[:-2]:
        parts = [line[a:b].strip() for a, b in zip(starts, [*starts[1:], None], strict=True)]
        cells[tuple(line[: starts[0]].split()[1:])] = parts
    return cells, lines[-1]


def under_way(checkout, loss, fold, **changes):
    """Turn a finished training into an unfinished one."""
    results = checkout.folder / "results/tiny"
    folder = results / f"training/toy/{loss}/fold_{fold}"
    record = read_json(folder / "training.json")
    state = results / f"checkpoints/toy/{loss}/fold_{fold}/0123456789abcdef"
    state.mkdir(parents=True)
    last = record["attempts"][-1] | {"steps": 10, "seconds": 5.0, "waiting_seconds": 1.0, "last_epoch": 1, "last_step": 1}
    (state / "attempts.json").write_text(json.dumps([record["attempts"][0] | {"ended": "running"}, last | changes]))
    (folder / "training.json").unlink()
    return state / "attempts.json"


def test_every_state_is_told(finished_copy):
    cells, last = shown(finished_copy)
    assert {cell[0] for cell in cells.values()} == {"finished"}
    assert last == "4 trainings: 4 finished"
    assert all(cell[1] == "1/1" and cell[7] == "1" for cell in cells.values())
    summary = read_json(finished_copy.folder / "results/tiny/training/toy/dice/fold_1/training.json")
    assert cells["dice", "1"][3] == f"{summary['best_validation_loss']:.4g}"
    under_way(finished_copy, "dice", 1, ended="running")
    old = under_way(finished_copy, "dice", 2, ended="running")
    os.utime(old, (time.time() - 7200, time.time() - 7200))
    under_way(finished_copy, "focal", 1, ended="interrupted")
    (finished_copy.folder / "results/tiny/training/toy/focal/fold_2/training.json").unlink()
    (finished_copy.folder / "results/tiny/checkpoints/toy/focal/fold_2/x").mkdir(parents=True)
    (finished_copy.folder / "results/tiny/checkpoints/toy/focal/fold_2/x/attempts.json").write_text("{")
    assert shown(finished_copy)[0]["focal", "2"][0] == "unreadable"
    (finished_copy.folder / "results/tiny/checkpoints/toy/focal/fold_2/x/attempts.json").unlink()
    cells, last = shown(finished_copy)
    # One of two steps is done, at two steps per second.
    assert cells["dice", "1"][:6] == ["running", "1/1", "", "", "2", "20%"]
    assert cells["dice", "1"][6]
    assert cells["dice", "2"][0].startswith("silent for ")
    assert (cells["focal", "1"][0], cells["focal", "1"][6]) == ("interrupted", "")
    assert cells["focal", "2"] == ["waiting", *[""] * 7]
    assert last == "4 trainings: 1 running, 1 silent, 1 interrupted, 1 waiting"


def test_a_study_that_is_wrong_is_told_without_traceback(checkout):
    (checkout.folder / "tiny.yaml").write_text("study: {nonsense: 1}")
    done = subprocess.run(
        [sys.executable, "-m", "workflow_lib", "trainings", "--configfile", "tiny.yaml"],
        cwd=checkout.folder, capture_output=True, text=True, timeout=120, check=False,
        env=os.environ | {"PYTHONPATH": str(checkout.folder)},
    )  # fmt: skip
    assert done.returncode == 2
    assert "nonsense" in done.stderr
    assert "Traceback" not in done.stderr
