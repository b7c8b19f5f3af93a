"""The images in the crate, identified by name, digest and address."""

import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from workflow_lib.base.errors import UserError
from workflow_lib.base.files import read_json, write_json
from workflow_lib.commands.crate import entities, source
from workflow_lib.commands.crate.source import _archive, _of_checkout, copy_source
from workflow_lib.datasets.identity import data_digest


def study(tmp_path, format_, source, root, paths, url=None):
    settings = {"format": format_, "source": source, "root": root, "url": url}
    digests = {path: str(number) * 64 for number, path in enumerate(paths)}
    files = {"images": paths[:1], "masks": paths[1:], "field_of_view": None}
    cases = [{"id": "case_00000", **files, "sha256": digests}]
    write_json(tmp_path / "data/a/cases.json", {"cases": cases})
    described = [{"name": "a", "label": "A"}]
    return {"settings": {"datasets": described, "config": {"datasets": {"a": settings}}}}


def images(tmp_path, record):
    ((name, (whole, *files)),) = entities.images(tmp_path, record)
    assert name == "a"
    assert whole["identifier"] == "sha256:" + data_digest(read_json(tmp_path / "data/a/cases.json")["cases"])
    assert [part["@id"] for part in whole["hasPart"]] == [file["@id"] for file in files]
    return whole, files


def test_downloaded_files_have_their_own_address_and_no_place_of_ours(tmp_path):
    paths = ["data/kits19/data/case_00000/imaging.nii.gz", "data/kits19/data/case_00000/segmentation.nii.gz"]
    whole, files = images(tmp_path, study(tmp_path, "kits19", "download", "data/kits19", paths))
    assert all(file["url"].startswith("https://") for file in files)
    assert [file["sha256"] for file in files] == ["0" * 64, "1" * 64]
    assert whole["license"] == "CC BY-NC-SA 4.0"
    assert whole["url"].startswith("https://")


def test_an_archive_is_named_once(tmp_path):
    record = study(tmp_path, "msd", "download", "data/Task04_Hippocampus", ["data/Task04_Hippocampus/imagesTr/x.nii.gz", "y"])
    whole, files = images(tmp_path, record)
    assert whole["isBasedOn"].endswith("Task04_Hippocampus.tar")
    assert not [file for file in files if "url" in file]


@pytest.mark.parametrize("source", ["folder", "phantom"])
def test_images_that_were_not_downloaded_have_no_address(tmp_path, source):
    whole, files = images(tmp_path, study(tmp_path, "brats20", source, "/home/me/b", ["/home/me/b/1.nii", "/home/me/b/2.nii"]))
    assert "/home/me" not in str(files)
    assert ("Synthetic" in whole["description"], "license" in whole) == (source == "phantom", source == "folder")


def test_a_file_that_is_not_there_is_told_and_is_no_data_entity(tmp_path):
    entity = entities.result_file(tmp_path, "training/a b/model.weights.h5", "ab" * 32)
    assert entity["@id"] == "#training/a%20b/model.weights.h5"
    assert (entity["@type"], entity["sha256"]) == ("CreativeWork", "ab" * 32)
    Path(tmp_path / "x.csv").write_text("1")
    assert entities.result_file(tmp_path, "x.csv", None)["@type"] == "File"


@pytest.mark.parametrize(
    ("commit", "said"), [(None, "without git"), ("12+changes", "uncommitted changes to commit 12"), ("12", "commit 12")]
)
def test_where_the_code_comes_from_is_told(commit, said):
    assert said in _of_checkout(commit)


def test_a_commit_that_is_an_option_of_git_is_none(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("whole")
    assert _archive(f"--output={victim}") is None
    assert victim.read_text() == "whole"
    assert _archive("HEAD") is None


def test_a_commit_of_before_the_package_could_be_installed_is_archived_with_what_it_has(tmp_path, monkeypatch):
    for name in ("Makefile", "workflow_lib/a.py", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    author = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
    for arguments in (["init", "--quiet"], ["add", "."], [*author, "commit", "--quiet", "--message", "x"], ["rev-parse", "HEAD"]):
        done = subprocess.run(["git", *arguments], cwd=tmp_path, check=True, capture_output=True, text=True, timeout=60)
    monkeypatch.setattr(source, "checkout", lambda: tmp_path)
    assert _archive("HEAD") is None, "a commit has other names, and they may come to mean another one"
    archive = _archive(done.stdout.strip())
    assert archive is not None
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        assert {entry.name for entry in tar if entry.isfile()} == {"Makefile", "workflow_lib/a.py"}


@pytest.mark.parametrize("name", ["../outside", "/tmp/outside", "", "a" * 400])
def test_a_study_whose_name_leads_elsewhere_is_not_written(tmp_path, name):
    record = {"settings": {"name": name, "config": {}}, "facts": {"commit": None}, "fingerprint": "f"}
    with pytest.raises(UserError, match="a study that cannot be one"):
        copy_source(record, tmp_path / "in/workflow")
    assert list(tmp_path.rglob("*")) == []


def test_a_file_that_is_missing_beside_others_is_no_data_entity(tmp_path):
    (tmp_path / "tables").mkdir()
    entity = entities.result_file(tmp_path, "tables/a.csv", None)
    assert (entity["@id"], entity["@type"]) == ("#tables/a.csv", "CreativeWork")


def test_a_run_lasts_from_its_first_start_to_its_last_end():
    """The job that starts last need not end last."""
    facts = [("2024-05-01T10:00:00+00:00", 7200.0), ("2024-05-01T11:00:00+00:00", 60.4), ("2024-05-01T10:30:00+00:00", 1.0)]
    records = [{"facts": {"started": started, "seconds": seconds}} for started, seconds in facts]
    assert entities.times(records) == ("2024-05-01T10:00:00+00:00", "2024-05-01T12:00:00+00:00")
