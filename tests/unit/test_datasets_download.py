"""Complete datasets from a server with failures: interrupted, continued and changed downloads."""

import errno
import gzip
import hashlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.unit.download_support import BODY, FAST, IMAGE, many_files, names, nifti, server, three_files
from workflow_lib.base.errors import UserError
from workflow_lib.base.files import read_json
from workflow_lib.datasets.download import archive as _download_archive
from workflow_lib.datasets.download import checksums as _checksums
from workflow_lib.datasets.download import files as _download_files
from workflow_lib.datasets.download.dataset import download_dataset
from workflow_lib.datasets.formats import msd, registry
from workflow_lib.datasets.formats.interface import RemoteFile

__all__ = ["server", "three_files"]


def test_kits19_from_a_mirror_skips_what_is_there_and_sound(server, tmp_path, three_files):
    sound, broken = (tmp_path / "data" / path for path in three_files[:2])
    sound.parent.mkdir(parents=True)
    by_hand = nifti(kind=np.float32)
    sound.write_bytes(by_hand)
    broken.write_bytes(IMAGE[:50])
    download_dataset("kits19", tmp_path, f"{server.url}/mirror/", pauses=FAST)
    assert sorted(path for path, _ in server.requests) == [f"/mirror/{path}" for path in three_files[1:]]
    assert sound.read_bytes() == by_hand
    assert all((tmp_path / "data" / path).read_bytes() == IMAGE for path in three_files[1:])
    recorded = {f"data/{path}": hashlib.sha256((tmp_path / "data" / path).read_bytes()).hexdigest() for path in three_files}
    assert {name: entry["sha256"] for name, entry in read_json(tmp_path / "checksums.json").items()} == recorded
    heads = len(server.heads)
    download_dataset("kits19", tmp_path, f"{server.url}/mirror", pauses=FAST)
    assert (len(server.requests), len(server.heads)) == (2, heads)


def test_kits19_tells_all_files_that_failed_and_keeps_the_others(server, tmp_path, three_files):
    del server.files[f"/mirror/{three_files[0]}"], server.files[f"/mirror/{three_files[2]}"]
    with pytest.raises(UserError) as caught:
        download_dataset("kits19", tmp_path, f"{server.url}/mirror", pauses=FAST)
    message = str(caught.value)
    assert "2 of 3 files could not be fetched" in message
    assert all(path in message for path in (three_files[0], three_files[2]))
    assert "How to get KiTS19" in message
    assert (tmp_path / "data" / three_files[1]).exists()


def test_without_network_not_every_file_is_tried(tmp_path):
    with pytest.raises(UserError, match=r"(?s)[2-4] of 420 files could not be fetched, 41\d were not tried.*How to get KiTS19"):
        download_dataset("kits19", tmp_path, "http://127.0.0.1:9", parallel=2, pauses=())


def test_single_refusals_do_not_keep_the_others_back(server, tmp_path, monkeypatch):
    paths = many_files(server, monkeypatch, 12)
    monkeypatch.setattr(_download_files, "LONGEST_ROW", 4)
    for path in paths[::2]:
        del server.files["/mirror/" + path.removeprefix("data/")]
    with pytest.raises(UserError, match="6 of 12 files could not be fetched; run again") as caught:
        download_dataset("kits19", tmp_path, parallel=1, pauses=FAST)
    assert all(path.removeprefix("data/") in str(caught.value) for path in paths[::2])
    assert all((tmp_path / path).exists() for path in paths[1::2])


def test_a_server_that_refuses_everything_is_left_alone(server, tmp_path, monkeypatch):
    many_files(server, monkeypatch, 30)
    server.files.clear()
    with pytest.raises(UserError, match=r"(?s)20 of 30 files could not be fetched, 10 were not tried") as caught:
        download_dataset("kits19", tmp_path, parallel=1, pauses=FAST)
    assert len(server.requests) == 20
    assert str(caught.value).count("answered 404") == 20


def test_one_server_without_connection_does_not_keep_another_back(server, tmp_path, monkeypatch):
    paths = many_files(server, monkeypatch, 6)
    files = registry.get("kits19").downloads(tmp_path, None)
    assert isinstance(files, list)
    dead = [RemoteFile("http://127.0.0.1:9/f", f"data/case_{n:05d}/segmentation.nii.gz", 1) for n in range(6)]
    monkeypatch.setattr(registry.get("kits19"), "downloads", lambda root, url: [*dead, *files])
    with pytest.raises(UserError, match="1 of 12 files could not be fetched, 5 were not tried"):
        download_dataset("kits19", tmp_path, parallel=1, pauses=())
    assert all((tmp_path / path).exists() for path in paths)


@pytest.mark.parametrize("url", ["file:///data/kits19", "/data/kits19"])
def test_a_mirror_on_the_disk_is_not_a_download(tmp_path, url):
    with pytest.raises(UserError, match=r"must begin with http.*`source: folder`"):
        download_dataset("kits19", tmp_path / "kits", url)
    assert names(tmp_path) == []


def test_kits19_official_addresses(tmp_path):
    files = registry.get("kits19").downloads(tmp_path, None)
    assert isinstance(files, list)
    assert len(files) == 420
    huggingface = "https://huggingface.co/datasets/neheller/KiTS-Challenge-Imaging/resolve/main/images/case_00209.nii.gz"
    github = "https://raw.githubusercontent.com/neheller/kits19/master/data/case_00209/segmentation.nii.gz"
    assert RemoteFile(huggingface, "data/case_00209/imaging.nii.gz", files[0].about_bytes) in files
    assert RemoteFile(github, "data/case_00209/segmentation.nii.gz", files[1].about_bytes) in files


@pytest.mark.parametrize(("there", "place"), [(None, "data/"), ("data", "data/"), ("", "")])
def test_kits19_is_completed_in_the_layout_that_is_there(tmp_path, there, place):
    if there is not None:
        (tmp_path / there / "case_00007").mkdir(parents=True)
    files = registry.get("kits19").downloads(tmp_path, None)
    assert isinstance(files, list)
    assert files[0].path == f"{place}case_00000/imaging.nii.gz"


def test_kits19_disk_is_checked_before_anything_is_fetched(server, tmp_path, three_files, monkeypatch):
    server.answers_head = False
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=10_000_000))
    with pytest.raises(UserError, match=r"about 192\.\d MB are needed"):
        download_dataset("kits19", tmp_path, f"{server.url}/mirror", pauses=FAST)
    assert server.requests == []


def test_kits19_size_is_asked_for_before_anything_is_fetched(server, tmp_path, three_files, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(UserError, match=r"about \d+ B are needed"):
        patch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=2 * len(IMAGE)))
        download_dataset("kits19", tmp_path, f"{server.url}/mirror", pauses=FAST)
    assert (len(server.heads), server.requests) == (3, [])
    said: list[str] = []
    download_dataset("kits19", tmp_path, f"{server.url}/mirror", progress=said.append, pauses=FAST)
    assert any(line.startswith(f"{3 * len(IMAGE)} B to fetch") for line in said)


def task(*, evil=False, missing=False):
    """Return the bytes of an archive of the Decathlon with one case."""
    entry = {"image": "./imagesTr/h_001.nii.gz", "label": "./labelsTr/h_001.nii.gz"}
    description = {"labels": {"0": "background", "1": "a"}, "training": [entry]}
    files = {"dataset.json": json.dumps(description).encode(), "imagesTr/h_001.nii.gz": BODY, "imagesTr/._h_001.nii.gz": b"fork"}
    if not missing:
        files["labelsTr/h_001.nii.gz"] = BODY
    members = {f"Task04_Hippocampus/{name}": content for name, content in files.items()}
    if evil:
        members["../evil.txt"] = b"evil"
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()


@pytest.fixture
def archive(server, monkeypatch):
    def serve(content):
        server.files = {"/Task04_Hippocampus.tar": content}
        monkeypatch.setitem(msd.MD5, "Task04_Hippocampus", hashlib.md5(content).hexdigest())

    return serve


@pytest.mark.parametrize("ending", ["", "/", "/Task04_Hippocampus.tar"])
def test_msd_archive_is_unpacked_whole(server, archive, tmp_path, ending):
    archive(task())
    root = tmp_path / "data" / "Task04_Hippocampus"
    download_dataset("msd", root, server.url + ending, pauses=FAST)
    assert names(root) == ["checksums.json", "dataset.json", "imagesTr", "labelsTr"]
    assert names(root / "imagesTr") == ["h_001.nii.gz"]
    assert names(root.parent) == [".Task04_Hippocampus.download.lock", "Task04_Hippocampus"]
    download_dataset("msd", root, server.url + ending, pauses=FAST)
    assert len(server.requests) == 1


def test_msd_total_and_free_disk_are_told_first(server, archive, tmp_path):
    archive(task())
    said: list[str] = []
    download_dataset("msd", tmp_path / "Task04_Hippocampus", server.url, progress=said.append, pauses=FAST)
    assert re.fullmatch(r"30\.7 kB to fetch, [\d.]+ [kMG]B free on the disk", said[0])


def test_msd_interrupted_while_unpacking_is_unpacked_again_without_the_network(server, archive, tmp_path, monkeypatch):
    archive(task())
    root = tmp_path / "data" / "Task04_Hippocampus"
    root.parent.mkdir()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(_download_archive, "unpack", interrupted)
        download_dataset("msd", root, server.url, pauses=FAST)
    (root.parent / ".unpacking-Task04_Hippocampus" / "of a killed process").mkdir(parents=True)
    download_dataset("msd", root, "http://127.0.0.1:9", pauses=())
    assert names(root) == ["checksums.json", "dataset.json", "imagesTr", "labelsTr"]
    assert names(root.parent) == [".Task04_Hippocampus.download.lock", "Task04_Hippocampus"]


def interrupted(archive, folder):
    (folder / "half").write_text("half")
    raise KeyboardInterrupt


def test_msd_another_archive_under_the_name_is_fetched_anew(server, archive, tmp_path):
    archive(task())
    root = tmp_path / "Task04_Hippocampus"
    (tmp_path / "Task04_Hippocampus.tar").write_bytes(b"another version")
    download_dataset("msd", root, server.url, pauses=FAST)
    assert (root / "dataset.json").exists()


def test_msd_into_an_empty_folder_behind_a_link_and_from_a_relative_path(server, archive, tmp_path, monkeypatch):
    archive(task())
    (tmp_path / "big disk" / "here").mkdir(parents=True)
    (tmp_path / "Task04_Hippocampus").symlink_to(tmp_path / "big disk" / "here")
    monkeypatch.chdir(tmp_path)
    download_dataset("msd", Path("Task04_Hippocampus"), server.url, pauses=FAST)
    assert (tmp_path / "Task04_Hippocampus").is_symlink()
    assert names(tmp_path / "big disk") == [".here.download.lock", "here"]
    assert (tmp_path / "Task04_Hippocampus" / "dataset.json").exists()


def test_msd_a_file_that_changed_is_told(server, archive, tmp_path):
    archive(task())
    root = tmp_path / "Task04_Hippocampus"
    download_dataset("msd", root, server.url, pauses=FAST)
    (root / "labelsTr" / "h_001.nii.gz").write_bytes(b"mine")
    with pytest.raises(UserError, match=r"(?s)1 file\(s\).*labelsTr/h_001.nii.gz: has changed since it was first seen"):
        download_dataset("msd", root, server.url, pauses=FAST)
    assert (root / "labelsTr" / "h_001.nii.gz").read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (task(evil=True), "leads outside the folder"),
        (task(missing=True), "does not hold the whole dataset"),
        (b"no tar at all" * 100, "not a valid tar archive"),
    ],
)
def test_msd_bad_archives_leave_no_dataset(server, archive, tmp_path, content, message):
    archive(content)
    root = tmp_path / "data" / "Task04_Hippocampus"
    with pytest.raises(UserError, match=message):
        download_dataset("msd", root, server.url, pauses=FAST)
    assert not root.exists()
    assert names(root.parent) == [".Task04_Hippocampus.download.lock", "Task04_Hippocampus.tar"]
    assert not (tmp_path / "evil.txt").exists()


def test_msd_root_with_something_else_is_left_alone(server, archive, tmp_path):
    archive(task())
    root = tmp_path / "Task04_Hippocampus"
    root.mkdir()
    (root / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="holds something else"):
        download_dataset("msd", root, server.url, pauses=FAST)
    assert names(root) == ["mine.txt"]
    assert server.requests == []


def test_msd_root_must_name_the_task(tmp_path):
    with pytest.raises(UserError, match="let it end in the task's name"):
        download_dataset("msd", tmp_path / "hippocampus")


def test_brats20_cannot_be_downloaded(tmp_path):
    with pytest.raises(UserError, match=r"(?s)without registration.*register at"):
        download_dataset("brats20", tmp_path)


def test_no_more_connections_than_allowed(server, tmp_path, monkeypatch):
    many_files(server, monkeypatch, 9)
    server.plan = ["slow"] * 9
    download_dataset("kits19", tmp_path, parallel=3, pauses=FAST)
    assert 2 <= server.most_open <= 3
    assert len(server.requests) == 9


def test_what_is_no_nifti_is_not_kept(server, tmp_path, three_files):
    server.files[f"/mirror/{three_files[0]}"] = gzip.compress(b"no image" * 100)
    with pytest.raises(UserError, match=r"(?s)1 of 3 files could not be fetched.*not a NIfTI file"):
        download_dataset("kits19", tmp_path, f"{server.url}/mirror", pauses=FAST)
    assert not (tmp_path / "data" / three_files[0]).exists()
    assert (tmp_path / "data" / three_files[1]).exists()


def test_an_image_that_does_not_fit_its_mask_is_told(server, tmp_path, three_files):
    server.files[f"/mirror/{three_files[1]}"] = nifti((3, 4, 6))
    del server.files[f"/mirror/{three_files[2]}"]
    message = r"case_00000: the image has \(3, 4, 5\) voxels, its mask \(3, 4, 6\)"
    with pytest.raises(UserError, match=f"(?s)1 of 3 files could not be fetched.*{message}"):
        download_dataset("kits19", tmp_path, f"{server.url}/mirror", pauses=FAST)
    server.files[f"/mirror/{three_files[2]}"] = IMAGE
    for _ in range(2):  # also when nothing is left to fetch
        with pytest.raises(UserError, match=message):
            download_dataset("kits19", tmp_path, f"{server.url}/mirror", pauses=FAST)


def test_a_file_that_changed_after_its_first_sight_is_told_and_left(server, tmp_path, three_files):
    download_dataset("kits19", tmp_path, f"{server.url}/mirror", pauses=FAST)
    path = tmp_path / "data" / three_files[0]
    os.utime(path, (1, 1))
    download_dataset("kits19", tmp_path, f"{server.url}/mirror", pauses=FAST)  # another time, the same bytes
    changed = bytearray(path.read_bytes())
    changed[-1] ^= 1
    path.write_bytes(changed)
    with pytest.raises(UserError, match=r"(?s)1 file\(s\).*has changed since it was first seen.*How to get KiTS19"):
        download_dataset("kits19", tmp_path, f"{server.url}/mirror", pauses=FAST)
    assert path.read_bytes() == changed
    path.unlink()
    download_dataset("kits19", tmp_path, f"{server.url}/mirror", pauses=FAST)
    assert path.read_bytes() == IMAGE


def test_a_server_that_changed_a_file_after_its_first_sight(server, tmp_path, three_files):
    download_dataset("kits19", tmp_path, f"{server.url}/mirror", pauses=FAST)
    (tmp_path / "data" / three_files[0]).unlink()
    server.files[f"/mirror/{three_files[0]}"] = nifti(kind=np.float32)
    with pytest.raises(UserError, match="differs from the file that was first seen"):
        download_dataset("kits19", tmp_path, f"{server.url}/mirror", pauses=FAST)
    assert not (tmp_path / "data" / three_files[0]).exists()


def test_a_file_that_cannot_be_read_is_told_and_left(server, tmp_path, three_files, monkeypatch):
    path = tmp_path / "data" / three_files[0]
    path.parent.mkdir(parents=True)
    path.write_bytes(IMAGE)

    def refuse(path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(_download_files, "gzip_fault", refuse)
    with pytest.raises(UserError, match=r"imaging\.nii\.gz: cannot be read: Permission denied"):
        download_dataset("kits19", tmp_path, f"{server.url}/mirror", pauses=FAST)
    assert server.requests == []


def test_placed_by_hand_and_no_image_is_told_and_left(server, tmp_path, three_files):
    path = tmp_path / "data" / three_files[0]
    path.parent.mkdir(parents=True)
    path.write_bytes(gzip.compress(b"my notes" * 100))
    with pytest.raises(UserError, match="not a NIfTI file"):
        download_dataset("kits19", tmp_path, f"{server.url}/mirror", pauses=FAST)
    assert gzip.decompress(path.read_bytes()) == b"my notes" * 100
    assert server.requests == []


def test_a_complete_folder_needs_no_network_and_may_be_read_only(server, tmp_path, three_files):
    root = tmp_path / "data set"
    download_dataset("kits19", root, f"{server.url}/mirror", pauses=FAST)
    for folder in [root, *root.rglob("*")]:
        folder.chmod(0o555 if folder.is_dir() else 0o444)
    try:
        download_dataset("kits19", root, "http://127.0.0.1:9/mirror", pauses=())
    finally:
        for folder in [root, *root.rglob("*")]:
            folder.chmod(0o755)


@pytest.mark.parametrize("content", [b'{"a": {"sha256": 1}}', b"[]", b"\xff\xfe"])
def test_a_checksums_file_that_was_edited(tmp_path, content):
    (tmp_path / "checksums.json").write_bytes(content)
    with pytest.raises(UserError, match="not as this program writes it"):
        _checksums.Checksums(tmp_path)


HOLD = """
import sys, time, pathlib
from workflow_lib.datasets.download.dataset import _only_one
with _only_one(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_two_downloads_into_one_folder(server, tmp_path, three_files):
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path / "kits")], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(UserError, match="Another process is downloading into"):
            download_dataset("kits19", tmp_path / "kits", f"{server.url}/mirror", pauses=FAST)
        other.kill()
    root = tmp_path / "kits"
    download_dataset("kits19", root, f"{server.url}/mirror", pauses=FAST)
    with subprocess.Popen([sys.executable, "-c", HOLD, str(root)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        download_dataset("kits19", root, "http://127.0.0.1:9/mirror", pauses=())  # all is there: any number may look
        other.kill()


def test_the_lock_lies_in_the_folder_where_its_neighbourhood_cannot_be_written(server, tmp_path, three_files):
    root = tmp_path / "kits"
    (tmp_path / ".kits.download.lock").mkdir()  # stands for a folder that is not ours
    download_dataset("kits19", root, f"{server.url}/mirror", pauses=FAST)
    assert names(root) == [".download.lock", "checksums.json", "data"]


def test_a_lock_in_the_folder_does_not_count_as_something_else(server, archive, tmp_path):
    archive(task())
    root = tmp_path / "Task04_Hippocampus"
    (tmp_path / ".Task04_Hippocampus.download.lock").mkdir()
    download_dataset("msd", root, server.url, pauses=FAST)
    assert names(root) == ["checksums.json", "dataset.json", "imagesTr", "labelsTr"]


FETCH = """
import signal, sys, pathlib
from workflow_lib.datasets.formats import registry
from workflow_lib.datasets.formats.interface import RemoteFile
# A shell lets its background jobs ignore Ctrl-C, but this test is about a foreground job.
signal.signal(signal.SIGINT, signal.default_int_handler)
from workflow_lib.datasets.download.dataset import download_dataset
url, root, count = sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3])
names = [f"case_{n:05d}/imaging.nii.gz" for n in range(count)]
registry.get("kits19").downloads = lambda root, mirror: [RemoteFile(f"{url}/mirror/{n}", f"data/{n}", 1) for n in names]
download_dataset("kits19", root, pauses=())
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_ended_at_any_moment_and_continued(server, tmp_path, monkeypatch, number):
    body = nifti((40, 40, 40))
    paths = many_files(server, monkeypatch, 4, body)
    server.plan = ["trickle"] * 4
    command = [sys.executable, "-c", FETCH, server.url, str(tmp_path), "4"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        while not any(part.stat().st_size for part in tmp_path.rglob("*.part")):
            time.sleep(0.02)
        process.send_signal(number)
        process.wait(timeout=30)
    assert not any((tmp_path / path).exists() for path in paths)
    server.plan = []
    download_dataset("kits19", tmp_path, pauses=FAST)
    assert all((tmp_path / path).read_bytes() == body for path in paths)
    assert any(wanted for _, wanted in server.requests)
    assert not list(tmp_path.rglob("*.part*"))
