"""What has changed in the files of a dataset since their inspection."""

import os
from pathlib import Path

import pytest

from workflow_lib.base.files import sha256_file
from workflow_lib.datasets.comparison import compare
from workflow_lib.images.cases import Case
from workflow_lib.images.files_read import file_state


def case(folder, name, group=""):
    paths = [folder / f"{name}_{role}.nii" for role in ("image", "mask", "view")]
    return Case(name, (paths[0],), (paths[1],), paths[2], group)


@pytest.fixture
def cases(tmp_path):
    found = [case(tmp_path, name) for name in ("a", "b", "c")]
    for one in found:
        for path in one.files:
            path.write_text(f"of {path.name}")
    return found


@pytest.fixture
def inspected(cases):
    return [
        one.to_json()
        | {
            "found": {
                "sha256": {path.as_posix(): sha256_file(path) for path in one.files},
                "states": {path.as_posix(): list(file_state(path) or ()) for path in one.files},
            }
        }
        for one in cases
    ]


class Digests:
    """The digests of files, and which files were read for them."""

    def __init__(self):
        self.read = []

    def __call__(self, paths):
        self.read += [Path(path).name for path in paths]
        return {path: sha256_file(Path(path)) for path in paths}


def words(comparison):
    return [str(change) for change in comparison.changes]


def test_the_file_with_the_voxels_of_another_counts_with_it(tmp_path):
    for name in ("a.mhd", "a.raw", "m.nii"):
        (tmp_path / name).write_text(name)
    case = Case("a", (tmp_path / "a.mhd",), (tmp_path / "m.nii",), companions=(tmp_path / "a.raw",))
    found = {
        "sha256": {path.as_posix(): sha256_file(path) for path in case.files},
        "states": {path.as_posix(): list(file_state(path) or ()) for path in case.files},
    }
    (tmp_path / "a.raw").write_text("others")
    assert words(compare([case.to_json() | {"found": found}], [case], Digests())) == ["a: image changed"]


def test_files_that_are_as_they_were_are_not_read(cases, inspected):
    digests = Digests()
    found = compare(inspected, cases, digests)
    assert (words(found), found.absent, digests.read) == ([], False, [])


def test_a_touched_file_is_read_and_is_no_change(cases, inspected):
    digests = Digests()
    os.utime(cases[0].masks[0], (1, 1))
    assert words(compare(inspected, cases, digests)) == []
    assert digests.read == ["a_mask.nii"]


def test_changes_are_named_by_case_and_role(cases, inspected):
    cases[0].masks[0].write_text("other")
    cases[1].images[0].write_text("other")
    cases[1].field_of_view.write_text("other")
    found = compare(inspected, cases, Digests())
    assert words(found) == ["a: mask changed", "b: image changed, field of view changed"]
    assert not found.listing_changed


def test_new_and_removed_cases_and_files(cases, inspected, tmp_path):
    cases[2].masks[0].unlink()
    found = compare(inspected, [cases[1], cases[2], case(tmp_path, "d")], Digests())
    assert words(found) == ["a: removed", "c: mask removed", "d: new"]
    assert found.listing_changed
    regrouped = compare(inspected[:2], [cases[0], case(tmp_path, "b", "patient")], Digests())
    assert words(regrouped) == ["b: other files or another group"]
    assert regrouped.listing_changed


def test_a_dataset_of_which_nothing_is_there_is_absent(cases, inspected):
    for one in cases:
        for path in one.files:
            path.unlink()
    found = compare(inspected, [], Digests())
    assert (found.absent, found.changes) == (True, ())


def test_a_file_that_could_not_be_read_at_the_inspection_and_can_be_now_has_changed(cases, inspected):
    for key in ("sha256", "states"):
        del inspected[0]["found"][key][cases[0].masks[0].as_posix()]
    assert words(compare(inspected, cases, Digests())) == ["a: mask changed"]


def test_an_inspection_without_states_reads_every_file_and_finds_nothing(cases, inspected):
    for entry in inspected:
        del entry["found"]["states"]
    digests = Digests()
    assert words(compare(inspected, cases, digests)) == []
    assert len(digests.read) == 9
