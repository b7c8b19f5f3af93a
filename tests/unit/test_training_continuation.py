"""A finished training whose epochs are raised goes on, and comes to the same as one of so many epochs from the start."""

import shutil

import pytest

from tests.unit.training_support import tiny_request
from workflow_lib.base.files import read_json, write_json
from workflow_lib.training import checkpoints
from workflow_lib.training.loop import train

RULES = {
    "plateau": {"plateau_patience": 1, "learning_rate": 0.1},
    "early": {"early_stop": 2, "learning_rate": 0.3, "iterations": 1},
}


def trained(folder, epochs, rules, **changes):
    """Train as the step does: take up what was kept, then keep. Return the result and the steps that were done."""
    request = tiny_request(folder, training={"epochs": epochs, **rules}, keep_state=True, lineage="family", **changes)
    checkpoints.prepare(request.checkpoints, epochs)
    steps: list[tuple[int, int]] = []
    result = train(request, lambda *position: steps.append(position))
    checkpoints.keep(request.checkpoints, epochs)
    return result, steps


def outcome(result):
    return result.weights.read_bytes(), result.history.read_bytes(), result.record["stopped_early"]


@pytest.mark.parametrize("rules", RULES)
def test_it_comes_to_the_same_as_from_the_start(tmp_path, rules):
    whole, every = trained(tmp_path / "whole", 8, RULES[rules])
    again, _ = trained(tmp_path / "parts", 2, RULES[rules])
    before = outcome(again)
    for epochs in (3, 8):
        again, steps = trained(tmp_path / "parts", epochs, RULES[rules], fingerprint=str(epochs))
        assert steps == [step for step in every if {3: 2, 8: 3}[epochs] < step[0] <= epochs]
    assert outcome(again) == outcome(whole) != before
    assert whole.record["stopped_early"] == (rules == "early")
    attempts = again.record["attempts"]
    assert [attempt["ended"] for attempt in attempts] == ["finished"] * 3
    assert sum(attempt["steps"] for attempt in attempts) == len(every)
    assert again.record["seconds"] == pytest.approx(sum(attempt["seconds"] for attempt in attempts), abs=1e-3)
    # One that ended early has nothing left to do, however many epochs it gets.
    if rules == "early":
        again, steps = trained(tmp_path / "parts", 30, RULES[rules])
        assert (steps, outcome(again)) == ([], outcome(whole))


def test_where_it_would_not_come_to_the_same_it_starts_anew(tmp_path):
    rules = RULES["plateau"]
    short, _ = trained(tmp_path / "short", 1, rules)
    _, every = trained(tmp_path / "long", 2, rules)
    folder = tmp_path / "long" / "checkpoints" / "abc"
    kept = folder / checkpoints.KEPT
    # Fewer epochs: the state is past them.
    again, steps = trained(tmp_path / "long", 1, rules)
    assert (outcome(again), len(steps)) == (outcome(short), 2)
    assert len(again.record["attempts"]) == 1
    # As many: whoever asks for it again wants it done again.
    again, steps = trained(tmp_path / "long", 1, rules)
    assert len(steps) == 2
    # Other packages round otherwise.
    about = read_json(kept / checkpoints.ABOUT)
    write_json(kept / checkpoints.ABOUT, about | {"versions": about["versions"] | {"tensorflow": "2.0.0"}})
    again, steps = trained(tmp_path / "long", 2, rules)
    assert steps == every
    # Damaged, or of another lineage.
    (state,) = kept.glob("*.npz")
    state.write_bytes(state.read_bytes()[:-50])
    _, steps = trained(tmp_path / "long", 3, rules)
    assert steps[0] == (1, 1)


def test_a_training_under_way_that_is_past_its_new_end_is_set_aside(tmp_path):
    class StopError(Exception):
        pass

    def stop(*position):
        if position == (4, 2):
            raise StopError

    request = tiny_request(tmp_path, training={"epochs": 5}, keep_state=True, checkpoint_minutes=1e-9)
    with pytest.raises(StopError):
        train(request, stop)
    assert checkpoints.prepare(request.checkpoints, 2) == 0
    assert not list(request.checkpoints.glob("*.npz"))
    assert not (request.checkpoints / "attempts.json").exists()
    assert checkpoints.prepare(request.checkpoints, 3) == 0
    assert checkpoints.prepare(request.checkpoints, 5) == 3
    steps = []
    train(request, lambda *position: steps.append(position))
    assert steps[0] == (4, 2)


def test_only_the_newest_state_is_kept_and_none_of_other_settings(tmp_path):
    trained(tmp_path, 2, {}, checkpoint_minutes=1e-9)
    folder = tmp_path / "checkpoints" / "abc"
    assert [path.name for path in folder.iterdir()] == [checkpoints.KEPT]
    names = sorted(path.name for path in (folder / checkpoints.KEPT).iterdir())
    assert names == ["attempts.json", "checkpoint-000003-000000.npz", "kept.json"]
    shutil.copytree(folder, folder.with_name("other"))
    shutil.copytree(folder, folder.with_name("unfinished"))
    (folder.with_name("unfinished") / "checkpoint-000001-000001.npz").touch()
    checkpoints.forget_kept(folder)
    assert sorted(path.name for path in folder.parent.iterdir()) == ["abc", "unfinished"]
    assert (folder / checkpoints.KEPT).is_dir()
