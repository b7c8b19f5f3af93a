"""The chain of a run's records, and its checksums."""

import pytest

from workflow_lib.base.errors import Faults, UserError
from workflow_lib.base.files import read_json, sha256_text, write_json
from workflow_lib.provenance.manifest import build, sums
from workflow_lib.provenance.records import digest

RECORD = "records/predict/toy.json"


@pytest.fixture
def results(tmp_path):
    folder = tmp_path / "predictions" / "toy"
    folder.mkdir(parents=True)
    for name in ("a.nii.gz", "b.nii.gz"):
        (folder / name).write_text(name)
    write_json(tmp_path / RECORD, {"outputs": {"predictions": [digest(folder)]}})
    return tmp_path


def test_every_file_of_a_folder_is_there(results):
    assert set(sums(results, [RECORD], results)) == {RECORD, "predictions/toy/a.nii.gz", "predictions/toy/b.nii.gz"}


@pytest.mark.parametrize("older", [{"files": 2}, {}])
def test_a_record_that_does_not_name_the_files_of_a_folder_is_told(results, older):
    entry = {"path": (results / "predictions/toy").as_posix(), "sha256": "0" * 64} | older
    write_json(results / RECORD, {"outputs": {"predictions": [entry]}})
    with pytest.raises(UserError, match=r"predict/toy\.json was written by an earlier version.*--forcerun predict"):
        sums(results, [RECORD], results)


TRAIN, EVALUATE = "records/train/toy.json", "records/evaluate/toy.json"
RUN = {
    "attempts": [],
    "seconds": 1.0,
    "gpu_seconds": 0.0,
    "waiting_seconds": 0.5,
    "peak_memory_mib": 9,
    "versions": {"numpy": "2"},
}


def chain(folder, summary):
    """Leave the records of two steps, of which the second reads what the first wrote; return the manifest."""
    path = folder / "training.json"
    write_json(path, summary)
    step = {"settings": {"seed": 1}, "fingerprint": "f", "facts": {"host": "a"}}
    write_json(folder / TRAIN, step | {"step": "train", "inputs": {}, "outputs": {"summary": [digest(path)]}})
    write_json(folder / EVALUATE, step | {"step": "evaluate", "inputs": {"summary": [digest(path)]}, "outputs": {}})
    return build(folder, [TRAIN, EVALUATE])


def test_what_differs_from_run_to_run_is_no_part_of_the_digest(tmp_path):
    first = chain(tmp_path / "first", {"epochs": 3, **RUN})
    for key in RUN:
        assert chain(tmp_path / f"without {key}", {"epochs": 3, **RUN, key: "other"}) == first
    assert chain(tmp_path / "other", {"epochs": 4, **RUN}) != first


def test_dates_and_inodes_of_images_are_no_part_of_the_digest(tmp_path):
    """Where a study is reproduced from a copy of its images, these are others."""
    path = tmp_path / "inspection.json"
    manifests = []
    for sha256, state in (("1", [1, 2, 3, 4]), ("1", [1, 20, 30, 40]), ("2", [1, 2, 3, 4])):
        write_json(path, {"cases": [{"id": "a", "found": {"sha256": {"a": sha256}, "states": {"a": state}}}]})
        record = {"step": "inspect", "settings": {}, "fingerprint": "f", "inputs": {}, "outputs": {"inspection": [digest(path)]}}
        write_json(tmp_path / "records/inspect/toy.json", record)
        manifests.append(build(tmp_path, ["records/inspect/toy.json"]))
    assert manifests[0] == manifests[1] != manifests[2]


def test_a_result_that_was_changed_after_a_later_step_used_it_is_named(tmp_path):
    assert set(chain(tmp_path, {"epochs": 3})["steps"]) == {TRAIN, EVALUATE}
    path = tmp_path / "training.json"
    write_json(path, {"epochs": 4})
    write_json(tmp_path / TRAIN, read_json(tmp_path / TRAIN) | {"outputs": {"summary": [digest(path)]}})
    with pytest.raises(Faults, match=r"training\.json: records/train/toy\.json says .* records/evaluate/toy\.json read"):
        build(tmp_path, [TRAIN, EVALUATE])


def test_the_digest_of_a_file_is_that_of_what_it_holds_now(tmp_path):
    """It is read once; but not where it was changed in between, be it to something as long."""
    path = tmp_path / "a.csv"
    for text in ("one", "two"):
        path.write_text(text)
        assert digest(path)["sha256"] == sha256_text(text)
        assert digest(path)["sha256"] == sha256_text(text)
