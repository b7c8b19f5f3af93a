"""What a run prints before its first job, and from how many hours on."""

import importlib
import json

import pytest

from tests.unit.test_changes import RAW, planned
from workflow_lib.commands import preview
from workflow_lib.host import gpus
from workflow_lib.plan import announcement, estimates, jobs
from workflow_lib.plan.estimates import Pace
from workflow_lib.plan.jobs import JobId

TRAININGS = [JobId("train", "a", loss, fold) for loss in ("dice", "focal") for fold in (1, 2)]


def said(study, hours, trainings=TRAININGS, usable=True, cluster=False):
    """Return the announcement of a run with these hours in total."""
    unit = estimates.cost(study, TRAININGS, [Pace("a", "dice", usable, 1.0)], {}, usable).device_hours
    known = [Pace("a", loss, usable, unit / hours) for loss in ("dice", "focal")]
    return announcement.text(study, trainings, known, {}, usable, cluster)


def test_only_a_run_that_takes_so_many_hours_is_announced(tmp_path):
    study = planned(tmp_path, gpus=1)
    assert said(study, 7.9) == ""
    assert said(study, 1000, trainings=[]) == ""
    first, dataset, stop, last = said(study, 12).splitlines()
    assert first.startswith("This run trains 4 networks: about 12 GPU-hours (by earlier trainings of the same loss), ")
    assert dataset == "  a: 4 networks (dice, focal), about 12 GPU-hours"
    assert stop == "Ctrl-C stops it. What was trained stays, and the same command continues from there."
    assert last == "(This is printed from 8 hours on: study.announce_hours.)"


def test_hours_of_cpus_and_the_jobs_of_a_cluster(tmp_path):
    study = planned(tmp_path, gpus=1)
    assert "about 12 CPU-hours" in said(study, 12, usable=False)
    assert "Ctrl-C stops it and cancels the jobs that it has submitted. What" in said(study, 12, cluster=True)


def test_the_user_sets_the_hours_and_no_result_depends_on_them():
    def study(hours):
        return jobs.load(json.loads(json.dumps(RAW)) | {"study": RAW["study"] | {"announce_hours": hours}})

    assert said(study(100), 12) == ""
    assert said(study(0.001), 0.01) != ""
    one, other = study(1), study(2)
    assert [one.job(j.step, j.dataset, j.loss, j.number) for j in one.jobs()] == [
        other.job(j.step, j.dataset, j.loss, j.number) for j in other.jobs()
    ]


@pytest.mark.parametrize(
    ("options", "visible", "usable"), [([], [], False), ([], ["0"], True), (["--executor", "slurm"], [], True)]
)
def test_the_preview_counts_hours_of_cpus_where_no_gpu_is_to_be_had(root, tmp_path, monkeypatch, options, visible, usable):
    monkeypatch.chdir(root)
    monkeypatch.setattr(gpus, "visible", lambda: visible)
    if options:
        # Its import starts a process, which a light run leaves out.
        importlib.import_module("snakemake_executor_plugin_slurm")
    assert preview.gets_gpus([], options) == usable
    text = preview.text(planned(tmp_path, gpus=1), [preview.Planned(place) for place in TRAININGS], usable)
    assert ("no visible GPU" in text) == (not usable)
    assert ("CPU-hours (by the network's size" in text) == (not usable)
    assert "GPU-hours (by the network's size" in text
