"""The checksums of a run, from its records."""

import pytest

from workflow_lib.errors import UserError
from workflow_lib.files import write_json
from workflow_lib.provenance.manifest import sums
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
