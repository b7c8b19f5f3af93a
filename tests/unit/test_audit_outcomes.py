"""The audit compares the recorded end of a training with its history, its predictions and its scores."""

import copy
from typing import Any

import pytest

from workflow_lib.base.csv_text import csv_text
from workflow_lib.base.errors import UserError
from workflow_lib.base.files import write_json, write_text
from workflow_lib.commands.audit import folder as safe
from workflow_lib.commands.audit import outcomes
from workflow_lib.commands.audit.records import REPORT_RECORD, Record
from workflow_lib.evaluation.scores import columns
from workflow_lib.images.casefiles import DIVERGED
from workflow_lib.metrics.registry import FIRST
from workflow_lib.training.checkpoints import HISTORY_COLUMNS

COLUMNS = columns(FIRST)
ROOT, PLACE = "results/tiny", "toy/dice/fold_1"
SUMMARY, HISTORY = f"training/{PLACE}/training.json", f"training/{PLACE}/history.csv"
PREDICTIONS, SCORES = f"predictions/{PLACE}", f"scores/{PLACE}.csv"
WHERE = {"message": "m", "phase": "training", "value": "nan", "epoch": 4, "step": 1, "cases": []}


def history(*losses):
    rows = [
        {
            "epoch": i + 1,
            "training_loss": 0.5,
            "validation_loss": loss,
            "learning_rate": 0.1,
            "best": int(loss < min((*losses[:i], 9))),
        }
        for i, loss in enumerate(losses)
    ]
    return csv_text(HISTORY_COLUMNS, rows)


def entry(path, **more):
    return {"path": f"{ROOT}/{path}", "sha256": "0" * 64} | more


class Training:
    """A training of three epochs whose files a test changes before the audit."""

    def __init__(self):
        self.history = history(0.5, 0.25, 0.75)
        self.summary: dict[str, Any] = {"epochs": 3, "best_epoch": 2, "best_validation_loss": 0.25}
        self.summary |= {"stopped_early": False, "diverged": None}
        self.settings = {"epochs": 3, "early_stop": None}
        self.files = ["case_00000.nii.gz"]
        self.rows = 1
        self.steps = ["train", "predict", "evaluate"]

    def diverges(self):
        """Diverge in the fourth of ten epochs, with the files that the steps would write."""
        self.settings["epochs"] = 10
        self.summary["diverged"] = copy.deepcopy(WHERE)
        self.files, self.rows = [DIVERGED], 0

    def found(self, folder):
        write_json(folder / SUMMARY, self.summary)
        write_text(folder / HISTORY, self.history)
        write_text(folder / SCORES, csv_text(COLUMNS, [dict.fromkeys(COLUMNS, 1)] * self.rows))
        report = {"step": "report_page", "settings": {}, "fingerprint": "f", "versions": {}, "inputs": {}}
        write_json(folder / REPORT_RECORD, report | {"outputs": {"page": [entry("report.html")]}})
        own = {"dataset": "toy", "fold": 1}
        outputs = {
            "train": {"summary": [entry(SUMMARY)], "history": [entry(HISTORY)]},
            "predict": {"predictions": [entry(PREDICTIONS, files=dict.fromkeys(self.files, "0" * 64))]},
            "evaluate": {"scores": [entry(SCORES)]},
        }
        settings = {"train": own | {"loss": {"name": "dice"}, "training": self.settings}}
        every = [
            Record(f"records/{step}", step, settings.get(step, own | {"loss": "dice"}), "f", {}, outputs[step], {})
            for step in self.steps
        ]
        return [(finding.subject, finding.text) for finding in outcomes.check(folder, every)]


def none_at_all(training):
    training.diverges()
    training.history = history()
    training.summary |= {"epochs": 0, "best_epoch": 0, "best_validation_loss": None}
    training.summary["diverged"]["epoch"] = 1


def stopped_early(training):
    training.settings.update(epochs=10, early_stop=1)
    training.summary["stopped_early"] = True


@pytest.mark.parametrize("change", [lambda training: None, Training.diverges, none_at_all, stopped_early])
def test_trainings_as_they_end_hold(tmp_path, change):
    training = Training()
    change(training)
    assert training.found(tmp_path) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("epochs", 300),
        ("epochs", 3.0),
        ("best_epoch", 3),
        ("best_epoch", None),
        ("best_validation_loss", 0.125),
        ("stopped_early", True),
        ("stopped_early", 0),
    ],
)
def test_what_a_training_tells_otherwise_than_its_history_is_named(tmp_path, key, value):
    training = Training()
    training.summary[key] = value
    ((subject, text),) = training.found(tmp_path)
    assert subject == SUMMARY
    assert f"says that {key} is {value}, and by its history" in text


def test_a_training_that_is_only_called_diverged_is_named(tmp_path):
    training = Training()
    training.settings["epochs"], training.summary["diverged"] = 10, copy.deepcopy(WHERE)
    found = dict(training.found(tmp_path))
    assert set(found) == {PREDICTIONS, SCORES}
    assert found[SCORES] == f"has 1 row, and {SUMMARY} says that its training diverged"


def test_a_training_that_diverged_and_does_not_say_so_is_named(tmp_path):
    training = Training()
    training.diverges()
    training.summary["diverged"] = None
    training.summary["stopped_early"] = True
    found = dict(training.found(tmp_path))
    assert set(found) == {SUMMARY, PREDICTIONS, SCORES}
    assert "3 of 10 epochs, and neither diverged nor had reason to stop early" in found[SUMMARY]
    assert "did not diverge" in found[SCORES]


@pytest.mark.parametrize(("where", "epochs"), [(WHERE | {"epoch": 3}, 10), ("in epoch 4", 10), (WHERE, 3)])
def test_a_training_that_diverged_elsewhere_than_after_its_history_is_named(tmp_path, where, epochs):
    training = Training()
    training.diverges()
    training.summary["diverged"], training.settings["epochs"] = where, epochs
    ((subject, text),) = training.found(tmp_path)
    assert subject == SUMMARY
    assert "diverged in epoch 4" in text or "more epochs than the 3" in text


def test_an_early_stop_before_its_patience_is_named(tmp_path):
    training = Training()
    stopped_early(training)
    training.settings["early_stop"] = 2
    ((_, text),) = training.found(tmp_path)
    assert "nor had reason to stop early" in text


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("0.25,0.1,1", "0.25,0.1,0", "says of epoch 2 that it was not the best so far"),
        ("0.75,0.1,0", "0.75,0.1,1", "says of epoch 3 that it was the best so far"),
        ("0.75", "nan", "not a finite number"),
        ("0.75", "", "line 4 is not a column of a history"),
        ("\n3,", "\n4,", "not of epoch 3"),
        ("0.75,", "", "a row has more or fewer values"),
        ("epoch", "era", "line 2 is not a column of a history"),
    ],
)
def test_a_history_that_no_training_writes_is_named(tmp_path, old, new, told):
    training = Training()
    assert old in training.history
    training.history = training.history.replace(old, new, 1)
    ((_, text),) = training.found(tmp_path)
    assert told in text


@pytest.mark.parametrize("step", ["predict", "evaluate"])
def test_a_network_that_predicted_nothing_is_named(tmp_path, step):
    training = Training()
    training.steps.remove(step)
    ((_, text),) = training.found(tmp_path)
    assert "no record says that its network predicted and was scored" in text


@pytest.mark.parametrize("content", ["", "a,b\n1\n", 'a\n\0\n"', "a\n\n"])
def test_what_is_no_table(tmp_path, content):
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(UserError, match=r"a\.csv: (is not a table|a row has)"):
        safe.read_csv(tmp_path, "a.csv")


def test_of_equal_losses_the_first_is_the_best(tmp_path):
    """As in a training, which keeps its weights until a loss is lower."""
    write_text(tmp_path / "history.csv", history(0.5, 0.25, 0.25))
    assert outcomes.read_history(tmp_path, "history.csv") == outcomes.History(3, 2, 0.25)
