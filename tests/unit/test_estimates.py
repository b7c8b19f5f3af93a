"""What trainings cost, estimated."""

import json

import pytest

from tests.unit.test_changes import PLACE, planned
from workflow_lib.base.files import write_json
from workflow_lib.networks import costs
from workflow_lib.plan import estimates
from workflow_lib.plan.estimates import Pace
from workflow_lib.study.sections.network import Network
from workflow_lib.study.sections.training import Training


def test_multiplications_are_those_of_the_convolutions_three_times_for_each_image():
    """Counted by hand: two levels of 4 and 8 filters on 8 x 4 pixels, two channels, three classes."""
    down = 32 * 9 * (2 * 4 + 4 * 4)
    middle = 8 * 9 * (4 * 8 + 8 * 8)
    up = 32 * (8 * 4) + 32 * 9 * (8 * 4 + 4 * 4)
    training = Training(patch=(8, 4), epochs=1, iterations=1, batch_size=5)
    forward = down + middle + up + 32 * 4 * 3
    assert estimates.multiplications(3, 2, Network(filters=4, depth=1), training) == 3 * 5 * forward


def test_the_most_similar_trainings_tell_the_pace(tmp_path):
    study = planned(tmp_path, gpus=1)
    work = estimates.multiplications(3, 1, study.dataset("a").network, study.dataset("a").training)
    steps = 2 * 3

    def hours(*paces):
        found = estimates.cost(study, [PLACE], paces, {})
        assert found.on_gpu
        return found.device_hours, found.basis

    own, other = Pace("a", "focal", True, 100.0), Pace("a", "dice", True, 10.0)
    far, cpu = Pace("b", "dice", True, 1.0), Pace("a", "focal", False, 1e-3)
    assert hours(own, other, far, cpu) == (pytest.approx(steps * work / 100 / 3600), "by earlier trainings of the same loss")
    assert hours(other, far, cpu) == (pytest.approx(steps * work / 10 / 3600), "by earlier trainings on a")
    assert hours(far, cpu) == (pytest.approx(steps * work / 3600), "by earlier trainings on other data")
    value, basis = hours(cpu)
    assert value == pytest.approx(steps * work / estimates.ASSUMED_GPU_RATE / 3600)
    assert basis.startswith("by the network's size, if ")
    # Half of the epochs are done.
    assert estimates.cost(study, [PLACE], [own], {PLACE: 1}).device_hours == pytest.approx(steps / 2 * work / 100 / 3600)


def test_a_recorded_training_gives_its_pace(tmp_path):
    study = planned(tmp_path)
    job = study.job("train", "a", "focal", 1)
    folder = tmp_path / "toy"
    attempts = [{"seconds": 4.0, "steps": 10, "device": "cpu"}, {"seconds": 6.0, "steps": 20, "device": "NVIDIA H100"}]
    write_json(folder / "training/a/focal/fold_1/training.json", {"attempts": attempts})
    assert list(estimates.paces(study)) == []

    write_json(folder / PLACE.record, {"settings": json.loads(job.settings), "fingerprint": job.fingerprint})
    (found,) = estimates.paces(study)
    work = estimates.multiplications(3, 1, study.dataset("a").network, study.dataset("a").training)
    assert (found.dataset, found.loss, found.on_gpu, found.rate) == ("a", "focal", True, work * 3)


def test_the_pace_of_several_gpus_is_that_of_one_of_them(tmp_path):
    """Costs are hours of all devices together."""
    study = planned(tmp_path, gpus=2)
    folder, job = tmp_path / "toy", study.job("train", "a", "focal", 1)
    attempts = [{"seconds": 5.0, "steps": 10, "device": "2 x NVIDIA H100"}]
    write_json(folder / "training/a/focal/fold_1/training.json", {"attempts": attempts})
    write_json(folder / PLACE.record, {"settings": json.loads(job.settings), "fingerprint": job.fingerprint})
    (found,) = estimates.paces(study)
    work = estimates.multiplications(3, 1, study.dataset("a").network, study.dataset("a").training)
    assert found.rate == work * 10 / 5 / 2


def test_the_disk_holds_the_weights_and_the_kept_state(tmp_path):
    bare = estimates.training_bytes(planned(tmp_path, keep_state=False), "a")
    assert bare == 4 * costs.count_parameters(Network(depth=2), 3, 1, (16, 16, 16))
    assert estimates.training_bytes(planned(tmp_path), "a") == 5 * bare
    assert estimates.training_bytes(planned(tmp_path, optimiser="adamw", accumulation=2), "a") == 6 * bare
    assert estimates.training_bytes(planned(tmp_path, optimiser="sgd", momentum=0.9), "a") == 4 * bare
    assert estimates.training_bytes(planned(tmp_path, optimiser="sgd"), "a") == 3 * bare
    text = estimates.cost(planned(tmp_path), [PLACE] * 5, [], {}).text
    assert "GPU-h" in text
    assert text.endswith("MB of disk")
