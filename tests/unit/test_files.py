"""Files are written atomically, are on the disk before they get their names, and faults are reported in words."""

import errno
import math
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from workflow_lib.base.errors import UserError
from workflow_lib.base.files import atomic_folder, atomic_path, canonical_json, read_json, sha256_text, write_json, write_text


def write_file(path):
    with atomic_path(path) as temporary:
        temporary.write_bytes(b"1")


def write_folder(path):
    with atomic_folder(path):
        pass


def test_a_file_appears_whole_with_its_suffixes_and_the_usual_rights(tmp_path):
    target = tmp_path / "deep" / "a.nii.gz"
    with atomic_path(target) as temporary:
        assert temporary.name.endswith("a.nii.gz")
        temporary.write_bytes(b"1")
        assert not target.exists()
    assert target.read_bytes() == b"1"
    umask = os.umask(0)
    os.umask(umask)
    assert target.stat().st_mode & 0o777 == 0o666 & ~umask
    assert [path.name for path in target.parent.iterdir()] == ["a.nii.gz"]


def test_after_an_error_the_old_file_stays_and_nothing_is_left(tmp_path):
    target = tmp_path / "a.txt"
    write_text(target, "old")
    with pytest.raises(ZeroDivisionError), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_full_disk_is_told_in_words(tmp_path):
    with (
        pytest.raises(UserError, match=r"No space left on device.*nothing half-written"),
        atomic_path(tmp_path / "a") as temporary,
    ):
        temporary.write_text("half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("free", [100, 10**9])
def test_a_short_write_without_a_number_is_a_full_disk_where_there_is_no_room(tmp_path, monkeypatch, free):
    """NumPy reports a full disk in this way."""
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=free))
    kind, said = (UserError, "No space left on device") if free < 65536 else (OSError, "3 requested and 1 written")
    with pytest.raises(kind, match=said), atomic_path(tmp_path / "a"):
        raise OSError("3 requested and 1 written")


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="Cannot write"), atomic_path(tmp_path / "file" / "a"):
        pytest.fail("there is no place to write to")
    with pytest.raises(UserError, match="Cannot write"), atomic_folder(tmp_path / "file" / "a"):
        pytest.fail("there is no place to write to")


def test_a_folder_replaces_the_old_one_only_when_whole(tmp_path):
    target = tmp_path / "store"
    with atomic_folder(target) as folder:
        (folder / "one").write_text("1")
    with pytest.raises(ZeroDivisionError), atomic_folder(target) as folder:
        (folder / "two").write_text("2")
        raise ZeroDivisionError
    assert [path.name for path in target.iterdir()] == ["one"]
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_what_a_killed_process_left_of_a_folder_is_removed(tmp_path):
    for name in (".writing-fold_1-abc", ".writing-fold_10-abc"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "cut").write_text("")
    with atomic_folder(tmp_path / "fold_1") as folder:
        (folder / "whole").write_text("")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".writing-fold_10-abc", "fold_1"]


def test_json_is_canonical_and_refuses_nan(tmp_path):
    assert canonical_json({"b": 1, "a": [1.5, None]}) == '{"a":[1.5,null],"b":1}'
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"x": math.nan})
    assert list(tmp_path.iterdir()) == []


def test_unreadable_json_says_what_to_do(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        read_json(tmp_path / "a.json")
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(UserError, match="not valid JSON"):
        read_json(tmp_path / "a.json")


@pytest.mark.parametrize("write", [write_folder, write_file])
def test_what_is_written_is_on_the_disk_before_its_name_and_the_name_before_the_end(tmp_path, monkeypatch, write):
    """Otherwise a power failure could leave an empty file under the final name."""
    called = []
    sync, replace = os.fsync, os.replace

    def synced(handle):
        called.append(("sync", os.fstat(handle).st_ino))
        sync(handle)

    def replaced(source, target):
        called.append(("rename", Path(source).stat().st_ino))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    target = tmp_path / "target"
    write(target)
    made, folder = target.stat().st_ino, tmp_path.stat().st_ino
    assert called == [("sync", made), ("rename", made), ("sync", folder)]


def test_digest_is_sha256():
    assert sha256_text("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
