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
        assert found.gpu_hours == found.device_hours
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
    assert "GPU-hours (" in text
    assert text.endswith("MB of disk")


def test_hours_are_those_of_the_device_that_a_training_gets(tmp_path):
    study = planned(tmp_path, gpus=1)
    on_gpu, on_cpu = Pace("a", "focal", True, 1e6), Pace("a", "focal", False, 1e3)
    with_gpus = estimates.cost(study, [PLACE], [on_gpu, on_cpu], {})
    assert (with_gpus.gpu_hours > 0, with_gpus.cpu_hours) == (True, 0)
    without = estimates.cost(study, [PLACE], [on_gpu, on_cpu], {}, gpus_usable=False)
    assert without.gpu_hours == 0
    assert without.cpu_hours == pytest.approx(1000 * with_gpus.gpu_hours)
    assert "CPU-hours" in without.text
    assert estimates.cost(planned(tmp_path, gpus=0), [PLACE], [on_cpu], {}).cpu_hours == without.cpu_hours
    assert estimates.Cost(12, 3.4, "x", 10).hours_text == "about 12 GPU-hours and 3.4 CPU-hours"


def test_an_epoch_that_is_a_pass_over_the_cases_counts_them_as_early_as_possible(tmp_path):
    """A study of many cases would seem to cost nothing before they are inspected."""
    images = tmp_path / "images"

    def steps():
        whole, step = (
            estimates.cost(planned(tmp_path / "results", root=images, iterations=iterations), [PLACE], [], {})
            for iterations in (None, 1)
        )
        return round(whole.device_hours / step.device_hours), whole.basis

    number, basis = steps()
    assert number == estimates.ASSUMED_CASES / 2
    assert basis.endswith("for 100 cases, as the data are not there yet")
    for case in range(6):
        folder = images / f"case_{case:05d}"
        folder.mkdir(parents=True)
        for name in ("imaging.nii.gz", "segmentation.nii.gz"):
            (folder / name).touch()
    assert (steps()[0], "100 cases" in steps()[1]) == (3, False)
    write_json(tmp_path / "results/toy/data/a/cases.json", {"cases": [{}] * 4})
    assert steps()[0] == 2
