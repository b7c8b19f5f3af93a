"""What TensorBoard would show of a training is its history, whatever became of its attempts."""

import csv
import os
import signal

import pytest

from tests.unit.training_support import tiny_request
from workflow_lib.training.events import CURVES, EventLog
from workflow_lib.training.loop import train


def shown(folder):
    """Return {curve: {epoch: value}} as TensorBoard reads a folder: a start makes it forget the steps from there on."""
    import tensorflow as tf

    curves: dict[str, dict[int, float]] = {}
    for path in sorted(folder.glob("events.out.tfevents.*")):
        for record in tf.data.TFRecordDataset(str(path)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            if event.HasField("session_log") and event.session_log.status == tf.compat.v1.SessionLog.START:
                curves = {curve: {at: value for at, value in of.items() if at < event.step} for curve, of in curves.items()}
            for value in event.summary.value:
                assert event.step not in curves.setdefault(value.tag, {}), "an epoch is there twice"
                curves[value.tag][event.step] = value.simple_value
    return curves


def history(file):
    rows = list(csv.DictReader(file.read_text().splitlines()))
    return {curve: {int(row["epoch"]): pytest.approx(float(row[column])) for row in rows} for column, curve in CURVES.items()}


def test_all_epochs_of_a_training_that_was_stopped_and_went_on(tmp_path):
    """The second attempt does epoch 2 again, which the first one had seen to its end."""
    request = tiny_request(tmp_path, events=tmp_path / "events", checkpoint_minutes=1e-9)

    def stop(epoch, step):
        if (epoch, step) == (3, 1):
            for newest in sorted(request.checkpoints.glob("checkpoint-*.npz"))[1:]:
                newest.unlink()
            raise RuntimeError("the machine dies")

    with pytest.raises(RuntimeError, match="the machine dies"):
        train(request, stop)
    result = train(request)
    assert result.record["attempts"][1]["first_epoch"] == 2
    assert len(list((tmp_path / "events").iterdir())) == 2
    assert shown(request.events) == history(result.history)


def test_another_training_begins_with_an_empty_sheet(tmp_path):
    events = tmp_path / "events"
    train(tiny_request(tmp_path / "first", events=events))
    changed = tiny_request(tmp_path / "second", events=events, training={"epochs": 1})
    assert shown(events) == history(tmp_path / "first" / "out" / "history.csv")
    result = train(changed)
    assert shown(events) == history(result.history)


def test_what_a_signal_stopped_can_be_read(tmp_path):
    request = tiny_request(tmp_path, events=tmp_path / "events")
    with pytest.raises(SystemExit):
        train(request, lambda *position: os.kill(os.getpid(), signal.SIGTERM) if position == (2, 1) else None)
    assert [sorted(epochs) for epochs in shown(request.events).values()] == [[1]] * len(CURVES)


def row(epoch):
    return {"epoch": epoch, "training_loss": 0.5, "validation_loss": 0.25, "learning_rate": 1e-3, "best": 1}


@pytest.mark.parametrize("why", ["no folder can be made", "no folder is wanted"])
def test_nothing_fails_where_nothing_can_be_written(tmp_path, why):
    (tmp_path / "file").write_text("")
    with EventLog(tmp_path / "file" / "events" if "made" in why else None, []) as log:
        log.epoch(row(1))


def test_after_a_record_that_was_refused_another_file_begins(tmp_path, monkeypatch):
    import tensorflow as tf

    class Full:
        """A writer on a full disk."""

        def __init__(self, path):
            self.path = path

        def write(self, record):
            raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

        close = flush = write

    with EventLog(tmp_path, []) as log:
        log.epoch(row(1))
        log._writer = Full("")
        log.epoch(row(2))
        log.epoch(row(3))
    assert [sorted(epochs) for epochs in shown(tmp_path).values()] == [[1, 3]] * len(CURVES)
