"""What is used of a dataset is what was inspected: whatever reads a file that changed since stops and names it."""

from types import SimpleNamespace

import nibabel
import numpy as np
import pytest

from tests.unit.study_support import NAMES, SPACING, evaluated, files_of, predicted, prepared, preprocessed
from workflow_lib.base.errors import UserError
from workflow_lib.base.files import read_json, sha256_file, write_json
from workflow_lib.figures import _shown
from workflow_lib.images.selection import read_cases
from workflow_lib.images.volumes import read_volume

REMEDY = r"Put it back, or start the workflow again, which compares the images first and says what follows\."


@pytest.fixture
def study(tmp_path, monkeypatch):
    made = prepared(tmp_path)
    preprocessed(made)
    predicted(made, monkeypatch)
    return made


def shown(study):
    data = SimpleNamespace(
        study=read_cases(study.cases), labels={}, settings={"field_of_view": True}, paths={"predictions": [study.predictions]}
    )
    _shown.read(data, "b")


STEPS = {"preprocess": preprocessed, "evaluate": evaluated, "figures": shown}


@pytest.mark.parametrize("how", ["edited", "damaged", "gone"])
@pytest.mark.parametrize(
    ("step", "file"),
    [(step, file) for step in STEPS for file in ("image", "mask", "view") if (step, file) != ("preprocess", "view")],
)
def test_a_file_that_changed_since_its_inspection_is_not_used(study, step, file, how):
    path = files_of(study, "b")[file]
    if how == "edited":
        volume = nibabel.nifti1.Nifti1Image.from_filename(path)
        edited = np.asarray(volume.dataobj).copy()
        edited[2, 2, 2] = 1 - edited[2, 2, 2]
        nibabel.save(nibabel.Nifti1Image(edited, volume.affine), path)
    elif how == "damaged":
        path.write_bytes(path.read_bytes()[:-9])
    else:
        path.unlink()
    if (step, file) == ("evaluate", "image"):
        # The image is not opened.
        evaluated(study)
        return
    what = "is missing" if how == "gone" else "has changed since it was inspected"
    with pytest.raises(UserError, match=rf"^b: .*/b/{file}\.nii\.gz {what}\. {REMEDY}"):
        STEPS[step](study)


def test_a_file_that_changes_after_it_was_read_is_used_as_it_was(study, monkeypatch):
    """What is verified are the bytes that were read, not those that lie there before or afterwards."""
    path, honest = files_of(study, "b")["mask"], read_volume

    def changed_afterwards(file, *rest):
        found = honest(file, *rest)
        if file == path:
            path.write_bytes(b"other")
        return found

    monkeypatch.setattr("workflow_lib.images.casefiles.read_volume", changed_afterwards)
    evaluated(study)
    with pytest.raises(UserError, match="has changed since it was inspected"):
        evaluated(study)


def test_damage_that_was_inspected_is_said_as_such(study, monkeypatch):
    path = files_of(study, "b")["mask"]
    path.write_bytes(path.read_bytes()[:-9])
    cases = read_cases(study.cases)
    cases.digests[path] = sha256_file(path)
    monkeypatch.setattr("workflow_lib.steps.evaluate.read_cases", lambda _: cases)
    with pytest.raises(UserError, match=r"mask\.nii\.gz is cut short"):
        evaluated(study)


def test_neither_predict_nor_evaluate_opens_an_image(study, monkeypatch):
    before = {path.name: path.read_bytes() for path in study.predictions.iterdir()}
    for name in NAMES:
        for file in ("image", "view"):
            files_of(study, name)[file].unlink()
    evaluated(study, inside_view=False)
    for name in NAMES:
        files_of(study, name)["mask"].unlink()
    predicted(study, monkeypatch)
    assert {path.name: path.read_bytes() for path in study.predictions.iterdir()} == before


def test_voxel_sizes_are_those_of_the_inspection_and_dates_are_not_passed_on(study):
    assert read_cases(study.cases).spacing == dict.fromkeys(NAMES, SPACING)
    assert all(entry["found"]["states"] for entry in read_json(study.inspection)["cases"])
    assert "states" not in study.cases.read_text() + study.table.read_text()


def test_cases_that_were_written_without_voxel_sizes_are_not_scored(study):
    content = read_json(study.cases)
    for entry in content["cases"]:
        del entry["spacing"]
    write_json(study.cases, content)
    with pytest.raises(UserError, match=r"^a: cases\.json was written by an earlier version.*Run `check` again"):
        evaluated(study)
