"""Files are read once, and hashed while they are read: the digest is that of the bytes that were used."""

import builtins
import gzip
import hashlib
import io
import os
import tracemalloc
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image

from workflow_lib.base.errors import UserError
from workflow_lib.images import _files, files_read
from workflow_lib.images.casefiles import read_channel_files, read_field_of_view, read_image, read_mask, read_mask_file
from workflow_lib.images.cases import Case, Reading
from workflow_lib.images.files_read import FilesRead
from workflow_lib.images.pictures import _opening

VALUES = np.arange(24, dtype=np.int16).reshape(2, 3, 4)


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def volume(path, data=VALUES, trailer=b""):
    content = nibabel.Nifti1Image(data, np.eye(4)).to_bytes() + trailer
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def picture(path):
    Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4)).save(path)
    return path


@pytest.mark.parametrize(
    "make",
    [
        lambda folder: volume(folder / "a.nii"),
        lambda folder: volume(folder / "a.nii", trailer=bytes(3_000_000)),
        lambda folder: volume(folder / "a.nii.gz"),
        lambda folder: volume(folder / "a.nii.gz", trailer=os.urandom(3_000_000)),
        lambda folder: picture(folder / "a.png"),
        lambda folder: picture(folder / "a.tif"),
    ],
    ids=["nii", "more after the voxels", "gz", "more after the voxels, gz", "png", "tif"],
)
def test_a_file_is_opened_once_and_its_digest_is_that_of_all_its_bytes(tmp_path, monkeypatch, make):
    path, opened, honest = make(tmp_path), [], builtins.open
    expected, state = sha256(path), path.stat()

    def noted(file, *rest, **more):
        opened.append(file)
        return honest(file, *rest, **more)

    monkeypatch.setattr(builtins, "open", noted)
    monkeypatch.setattr(io, "FileIO", None)
    for read in (read_channel_files, read_mask_file):
        seen = FilesRead()
        read(path, Reading(), seen)
        assert seen.sha256 == {path: expected}
        assert seen.states == {path: (state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino)}
    assert opened == [path, path]


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.nii", b"no image" * 100_000), ("a.nii.gz", b"\x1f\x8b" + bytes(3_000_000)), ("a.nii", b""), ("a.png", b"GIF89a" * 9)],
)
def test_what_cannot_be_parsed_has_a_digest(tmp_path, name, content):
    path, seen = tmp_path / name, FilesRead()
    path.write_bytes(content)
    with pytest.raises(UserError, match=name):
        read_mask_file(path, Reading(), seen)
    assert seen.sha256 == {path: sha256(path)}


def test_a_picture_that_is_too_large_is_hashed_and_not_kept(tmp_path, monkeypatch):
    path, seen = picture(tmp_path / "a.png"), FilesRead()
    monkeypatch.setattr(_opening, "MAX_BYTES", 10)
    with pytest.raises(UserError, match=r"too large for a picture"):
        read_mask_file(path, Reading(), seen)
    assert seen.sha256 == {path: sha256(path)}


def test_what_cannot_be_read_has_no_digest(tmp_path):
    seen = FilesRead()
    for name in ("a.nii", "a.png"):
        with pytest.raises(UserError, match="does not exist"):
            read_mask_file(tmp_path / name, Reading(), seen)
    assert seen == FilesRead()


def test_the_digest_is_that_of_the_voxels_though_the_file_is_replaced_while_it_is_read(tmp_path, monkeypatch):
    path, other = volume(tmp_path / "a.nii"), volume(tmp_path / "b.nii", VALUES + 1)
    before, honest = sha256(path), _files.check_size

    def replaced(*arguments):
        other.replace(path)
        honest(*arguments)

    monkeypatch.setattr("workflow_lib.images.volumes.check_size", replaced)
    seen = FilesRead()
    np.testing.assert_array_equal(read_mask_file(path, Reading(), seen).data, VALUES)
    assert (seen.sha256[path], sha256(path) == before) == (before, False)


def test_a_file_that_is_read_twice_must_be_the_same(tmp_path):
    path, seen = volume(tmp_path / "a.nii"), FilesRead()
    read_mask_file(path, Reading(), seen)
    read_mask_file(path, Reading(), seen)
    volume(path, VALUES + 1)
    with pytest.raises(UserError, match=r"a\.nii changed while it was read"):
        read_mask_file(path, Reading(), seen)


def test_all_files_of_a_case_are_noted(tmp_path):
    paths = [volume(tmp_path / f"{name}.nii") for name in "abcde"]
    case, seen = Case("x", tuple(paths[:2]), tuple(paths[2:4]), paths[4]), FilesRead()
    read_image(case, Reading(), seen)
    read_mask(case, Reading(), seen)
    read_field_of_view(case, Reading(), seen)
    assert set(seen.sha256) == set(seen.states) == set(case.files)


def test_hashing_takes_no_memory_with_the_size_of_a_file(tmp_path, monkeypatch):
    path = volume(tmp_path / "a.nii", trailer=bytes(50_000_000))
    monkeypatch.setattr(files_read, "_CHUNK", 1 << 16)
    tracemalloc.start()
    try:
        read_mask_file(path, Reading(), FilesRead())
        assert tracemalloc.get_traced_memory()[1] < 3_000_000
    finally:
        tracemalloc.stop()
    assert Path(path).stat().st_size > 50_000_000
