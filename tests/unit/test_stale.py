"""Which results cannot stay, and what follows: on a made-up study, whose results are files of a few bytes with their records."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.made_results import make
from workflow_lib.base.errors import UserError
from workflow_lib.base.files import read_json, write_json
from workflow_lib.plan import jobs, order, stale, starting
from workflow_lib.plan.jobs import JobId
from workflow_lib.provenance import contents, layout

RAW: dict[str, Any] = {
    "study": {"name": "toy", "title": "Toy", "datasets": ["a"]},
    "training": {"patch": [16, 16, 16], "epochs": 2, "iterations": 3},
    "prediction": {"overlap": [8, 8, 8]},
    "network": {"depth": 2},
    "cross_validation": {"folds": 2},
    "datasets": {"a": {"label": "A", "format": "kits19", "root": "nowhere", "losses": ["dice", "focal"]}},
}
TRAIN, PREDICT, EVALUATE = (JobId(step, "a", "dice", 1) for step in ("train", "predict", "evaluate"))
SPLIT, COLLECT = JobId("split", "a"), JobId("collect", "a")
LAST = [JobId("manifest"), JobId("report_page")]


@pytest.fixture
def plan(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan = jobs.load(RAW)
    for place in plan.jobs():
        make(plan, place, "first")
    return plan


def path(plan, output):
    return Path(plan.results) / layout.path(output, "a", "dice", 1)


def test_a_folder_that_is_missing_is_named_before_a_run(plan, tmp_path):
    obtain = JobId("obtain", "a")
    plan.datasets["a"] = plan.dataset("a").model_copy(update={"root": str(tmp_path / "nowhere"), "source": "folder"})
    (line,) = starting.missing_folders(plan, [obtain])
    assert line.startswith(f"a: its folder {tmp_path / 'nowhere'} does not exist (datasets.a.root;")
    assert starting.missing_folders(plan, []) == []
    (tmp_path / "nowhere").mkdir()
    assert starting.missing_folders(plan, [obtain]) == []


def test_results_that_are_all_there_stay(plan):
    assert stale.survey(plan) == stale.Survey()


def test_what_was_made_from_others_runs_again(plan):
    make(plan, SPLIT, "second")
    found = stale.survey(plan)
    trainings = [JobId("train", "a", loss, fold) for loss in ("dice", "focal") for fold in (1, 2)]
    assert [found.reasons[place] for place in trainings] == [["was made from other results: folds"]] * 4
    assert SPLIT not in found.jobs(plan)
    assert {place.step for place in found.jobs(plan)} == {
        *("train", "predict", "evaluate", "collect", "statistics", "tables", "figures_dataset", "manifest", "report_page")
    }


def test_a_result_made_again_with_the_same_content_repeats_nothing_but_what_reads_its_record(plan):
    record = Path(plan.results) / SPLIT.record
    write_json(record, read_json(record) | {"facts": {"seconds": 2}})
    assert stale.survey(plan).jobs(plan) == LAST


def test_what_is_missing_or_damaged_is_restored_and_nothing_follows(plan):
    path(plan, "evaluate.scores").write_text("another")
    shutil.rmtree(path(plan, "predict.predictions"))
    found = stale.survey(plan)
    assert found.reasons[EVALUATE] == ["changed since it was made: scores/a/dice/fold_1.csv"]
    assert found.reasons[PREDICT] == ["missing: predictions/a/dice/fold_1"]
    assert found.jobs(plan) == [PREDICT, EVALUATE, *LAST]
    assert COLLECT in found.jobs(plan, [PREDICT])


def test_of_a_training_that_is_damaged_everything_follows(plan):
    path(plan, "train.history").write_text("another")
    assert {TRAIN, PREDICT, EVALUATE, COLLECT} <= {*stale.survey(plan).jobs(plan)}


def test_weights_and_preprocessed_images_that_are_gone_are_no_reason_yet(plan):
    path(plan, "train.weights").unlink()
    shutil.rmtree(Path(plan.results) / "preprocessed")
    found = stale.survey(plan)
    assert found.reasons == {}
    assert found.absent == {TRAIN: {"weights"}} | {place: {"store"} for place in plan.jobs_of("preprocess", "a")}
    path(plan, "train.history").unlink()
    assert TRAIN in stale.survey(plan).reasons


def test_without_a_record_a_result_is_of_unknown_origin(plan):
    (Path(plan.results) / TRAIN.record).unlink()
    found = stale.survey(plan)
    assert found.reasons[TRAIN][0].startswith("of unknown origin: training/a/dice/fold_1/model.weights.h5")
    assert TRAIN not in found.fresh
    assert COLLECT in found.jobs(plan)
    for output in ("train.weights", "train.history", "train.summary"):
        path(plan, output).unlink()
    assert stale.survey(plan).fresh == {TRAIN}


def test_a_folder_that_was_moved_is_the_same(plan, monkeypatch):
    Path("results").rename("elsewhere")
    moved = jobs.load(RAW | {"study": RAW["study"] | {"results": "elsewhere"}})
    found = stale.survey(moved)
    # The page shows the configuration, which names the folder.
    assert [*found.reasons] == [JobId("report_page")]


def test_the_first_jobs_are_those_that_use_no_result_of_the_others(plan):
    running = stale.survey(plan).jobs(plan, [SPLIT, JobId("statistics", "a")])
    assert order.first_of(running) == [SPLIT]
    assert order.first_of(LAST) == LAST[:1]


def test_what_a_bundle_leaves_out_is_no_reason(plan):
    shutil.rmtree(path(plan, "predict.predictions"))
    write_json(Path(plan.results) / "bundle.json", {"left_out": {"predictions/a/dice/fold_1/case.nii.gz": "large"}})
    found = stale.survey(plan)
    assert (found.reasons, found.absent) == ({}, {PREDICT: {"predictions"}})
    path(plan, "evaluate.scores").unlink()
    running = starting.decided(plan, stale.survey(plan), [], print)
    # Scores need the predictions again, and these nothing that is absent.
    assert running == [EVALUATE, *LAST, PREDICT]


def test_weights_that_are_needed_and_gone_are_asked_for(plan, capsys):
    path(plan, "train.weights").unlink()
    with pytest.raises(UserError, match=r"(?s)dice on a, fold 1\) are gone.*missing_weights: repeat"):
        starting.decided(plan, stale.survey(plan), [], print)
    accepted = jobs.load(RAW | {"study": RAW["study"] | {"missing_weights": "accept"}})
    make(accepted, JobId("report_page"), "first")
    assert starting.decided(accepted, stale.survey(accepted), [], print) == []
    shutil.rmtree(path(plan, "predict.predictions"))
    with pytest.raises(UserError, match="Predictions of this run need the weights"):
        starting.decided(accepted, stale.survey(accepted), [], print)
    repeated = jobs.load(RAW | {"study": RAW["study"] | {"missing_weights": "repeat"}})
    make(repeated, JobId("report_page"), "first")
    assert TRAIN in starting.decided(repeated, stale.survey(repeated), [], print)


def test_the_list_of_checksums_is_compared_with_the_records(plan, monkeypatch):
    monkeypatch.setattr(contents, "SETTLED_SECONDS", -10)
    sums = Path(plan.results) / "SHA256SUMS"
    before = sums.read_text()
    assert stale.survey(plan).jobs(plan) == []
    with monkeypatch.context() as without:
        without.setattr(stale, "sums", None)
        # Not computed again while neither it nor a record has changed.
        assert stale.survey(plan).jobs(plan) == []
    sums.write_text(before.replace("0", "1", 1))
    assert stale.survey(plan).reasons == {JobId("report_page"): ["changed since it was made: SHA256SUMS"]}
    sums.write_text(before)
    assert stale.survey(plan).jobs(plan) == []
