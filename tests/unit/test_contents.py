"""Digests of results that are remembered: read again where anything says that the content may be another."""

import os
import shutil
import time

import pytest

from workflow_lib.base.files import sha256_text
from workflow_lib.provenance import contents
from workflow_lib.provenance.records import digest


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "a.csv").write_text("one")
    (tmp_path / "many").mkdir()
    (tmp_path / "many/b.nii").write_text("two")
    return tmp_path


@pytest.fixture
def settled(monkeypatch):
    monkeypatch.setattr(contents, "SETTLED_SECONDS", -10)


def read(folder, monkeypatch, names=("a.csv", "many", "absent")):
    """Return digests, and which names were read for them."""
    opened = []
    content = contents._content

    def noted(path):
        opened.append(path.name)
        return content(path)

    monkeypatch.setattr(contents, "_content", noted)
    found = contents.Contents(folder, folder / "memory.json")
    digests = found.digests(names)
    found.save()
    monkeypatch.setattr(contents, "_content", content)
    return digests, sorted(opened)


def test_digests_are_those_of_records_and_are_remembered(folder, monkeypatch, settled):
    expected = {"a.csv": sha256_text("one"), "many": digest(folder / "many")["sha256"], "absent": None}
    assert read(folder, monkeypatch) == (expected, ["a.csv", "many"])
    assert read(folder, monkeypatch) == (expected, [])
    os.utime(folder / "many/b.nii")
    assert read(folder, monkeypatch) == (expected, ["many"])


def test_an_edit_that_keeps_size_and_date_is_noticed(folder, monkeypatch, settled):
    read(folder, monkeypatch)
    path = folder / "a.csv"
    before = path.stat()
    time.sleep(0.02)
    path.write_text("eno")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    digests, opened = read(folder, monkeypatch)
    assert (digests["a.csv"], opened) == (sha256_text("eno"), ["a.csv"])


def test_what_has_just_changed_is_read_again(folder, monkeypatch):
    read(folder, monkeypatch)
    assert read(folder, monkeypatch)[1] == ["a.csv", "many"]


def test_a_memory_that_is_lost_damaged_or_cannot_be_written_only_costs_time(folder, monkeypatch, settled):
    expected, _ = read(folder, monkeypatch)
    for damage in ("{", "[]", '{"a.csv": 1}', '{"a.csv": ["x"]}'):
        (folder / "memory.json").write_text(damage)
        assert read(folder, monkeypatch)[0] == expected
    (folder / "memory.json").unlink()
    (folder / "memory.json").mkdir()
    assert read(folder, monkeypatch) == (expected, ["a.csv", "many"])


def test_a_folder_that_lost_or_got_a_file_is_another(folder, monkeypatch, settled):
    first, _ = read(folder, monkeypatch)
    shutil.copy(folder / "a.csv", folder / "many/c.nii")
    second, opened = read(folder, monkeypatch)
    assert second["many"] != first["many"]
    assert opened == ["many"]
    (folder / "many/c.nii").unlink()
    assert read(folder, monkeypatch)[0] == first
