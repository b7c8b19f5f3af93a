"""Downloads from a server on this machine that breaks off, lies, and refuses in every way seen in the wild."""

import contextlib
import gzip
import hashlib
import http.server
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
from types import SimpleNamespace

import nibabel
import numpy as np
import pytest

from workflow_lib.datasets import _checksums, msd, registry
from workflow_lib.datasets._download_progress import Meter
from workflow_lib.datasets._format import RemoteFile
from workflow_lib.datasets._transfer import Manners
from workflow_lib.datasets.download import download_dataset, fetch
from workflow_lib.errors import UserError
from workflow_lib.files import read_json

BODY = bytes(range(256)) * 40
FAST = (0.0, 0.0)
HURRIED = Manners(pauses=FAST)


def nifti(shape=(3, 4, 5), kind=np.int16):
    """Return a small gzipped NIfTI file."""
    image = nibabel.Nifti1Image(np.arange(np.prod(shape)).reshape(shape).astype(kind), np.eye(4))
    return gzip.compress(image.to_bytes(), mtime=0)


IMAGE = nifti()


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves `server.files`; each request takes the next of `server.plan`, a list of misbehaviours."""

    def log_message(self, format, *args):
        pass

    def do_HEAD(self):
        server = self.server.state  # type: ignore[attr-defined]
        server.heads.append(self.path)
        body = server.files.get(self.path)
        if body is None or not server.answers_head:
            return self.send_error(405)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()

    def do_GET(self):
        server = self.server.state  # type: ignore[attr-defined]
        server.requests.append((self.path, self.headers.get("Range")))
        with server.lock:
            server.open += 1
            server.most_open = max(server.most_open, server.open)
        self.act(server)

    def act(self, server):
        act = server.plan.pop(0) if server.plan else "serve"
        body = server.files.get(self.path)
        if act.isdigit():
            return self.send_error(int(act))
        if body is None:
            return self.send_error(404)
        if act.startswith("wait "):
            return self.answer(int(act.split()[1]), b"", {"Retry-After": act.split()[2]})
        if act == "elsewhere":
            return self.answer(302, b"", {"Location": "ftp://127.0.0.1/f.bin"})
        if act == "in a circle":
            server.plan.insert(0, act)
            return self.answer(302, b"", {"Location": self.path})
        if act == "html":
            return self.answer(200, b"<!DOCTYPE html><html>please log in</html>", kind="text/html; charset=utf-8")
        if act == "disguised html":
            return self.answer(200, b"\n<HTML>please log in</HTML>")
        if act == "lfs":
            return self.answer(200, b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
        start = 0
        wanted = self.headers.get("Range")
        if wanted and server.ranges and self.headers.get("If-Range") == server.etag:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(body):
                return self.answer(416, b"", {"Content-Range": f"bytes */{len(body)}"})
        if act == "wrong range":
            return self.answer(206, body[5:], {"Content-Range": f"bytes 5-{len(body) - 1}/{len(body)}"})
        part = body[start:]
        headers = {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"} if start else {}
        if act == "flip":
            part = part[:100] + bytes([part[100] ^ 255]) + part[101:]
        if act == "long":
            return self.answer(200, part, {"X-More": "1"}, more=b"more")
        if act == "no length":
            return self.answer(200, part, length=False)
        if act in ("trickle", "slow"):
            return self.answer(206 if start else 200, part, headers, by=(1 if act == "trickle" else len(part) // 4))
        drop = len(part) // 2 if act == "drop" else None
        return self.answer(206 if start else 200, part, headers, drop=drop)

    def answer(self, status, body, headers=None, kind="application/octet-stream", drop=None, more=b"", length=True, by=0):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if length:
            self.send_header("Content-Length", str(len(body)))
        etag = self.server.state.etag  # type: ignore[attr-defined]
        if etag:
            self.send_header("ETag", etag)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if by:
            with contextlib.suppress(OSError):  # the other side may have given up
                for position in range(0, len(body) - by, by):
                    self.wfile.write(body[position : position + by])
                    self.wfile.flush()
                    time.sleep(0.02)
                    if self.server.state.closing:  # type: ignore[attr-defined]
                        return
            body = body[-by:] if len(body) % by == 0 else body[-(len(body) % by) :]
        # Before the last byte: when that has arrived, the other side may open its next connection.
        with self.server.state.lock:  # type: ignore[attr-defined]
            self.server.state.open -= 1  # type: ignore[attr-defined]
        with contextlib.suppress(OSError):
            self.wfile.write(body[:drop] + more)


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    state = SimpleNamespace(files={"/f.bin": BODY}, plan=[], requests=[], ranges=True, etag='"v1"', heads=[], answers_head=True)
    state.open, state.most_open, state.closing, state.lock = 0, 0, False, threading.Lock()
    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    web.state = state  # type: ignore[attr-defined]
    state.url = f"http://127.0.0.1:{web.server_port}"
    thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield state
    state.closing = True
    web.shutdown()
    web.server_close()
    thread.join()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_whole_file(server, tmp_path):
    path = tmp_path / "new" / "f.bin"
    assert fetch(f"{server.url}/f.bin", path, len(BODY), f"sha256:{hashlib.sha256(BODY).hexdigest()}") == path
    assert path.read_bytes() == BODY
    assert names(path.parent) == ["f.bin"]


def test_broken_connection_is_continued_where_it_broke(server, tmp_path):
    server.plan = ["drop", "drop"]
    said: list[str] = []
    fetch(f"{server.url}/f.bin", tmp_path / "f.bin", manners=Manners(pauses=FAST, progress=said.append))
    assert (tmp_path / "f.bin").read_bytes() == BODY
    half, quarter = len(BODY) // 2, len(BODY) // 4
    assert [wanted for _, wanted in server.requests] == [None, f"bytes={half}-", f"bytes={half + quarter}-"]
    assert "broke off after 5120 of 10240 bytes; attempt 2" in said[0]


def test_later_call_continues_and_nothing_stands_under_the_name_before(server, tmp_path):
    server.plan = ["drop"]
    with pytest.raises(UserError, match="in 1 attempts; the last one: the connection broke off"):
        fetch(f"{server.url}/f.bin", tmp_path / "f.bin", manners=Manners(pauses=()))
    assert names(tmp_path) == ["f.bin.part", "f.bin.part.tag"]
    fetch(f"{server.url}/f.bin", tmp_path / "f.bin", manners=Manners(pauses=()))
    assert server.requests[-1][1] == f"bytes={len(BODY) // 2}-"
    assert (tmp_path / "f.bin").read_bytes() == BODY


@pytest.mark.parametrize("change", ["no ranges", "another version", "no tag"])
def test_starts_anew_where_continuing_would_mix(server, tmp_path, change):
    if change == "no tag":
        server.etag = ""
    server.plan = ["drop"]
    with pytest.raises(UserError):
        fetch(f"{server.url}/f.bin", tmp_path / "f.bin", manners=Manners(pauses=()))
    if change == "no ranges":
        server.ranges = False
    if change == "another version":
        server.etag = '"v2"'
    if change != "no ranges":
        server.files["/f.bin"] = BODY[::-1]
    fetch(f"{server.url}/f.bin", tmp_path / "f.bin", manners=Manners(pauses=()))
    assert (tmp_path / "f.bin").read_bytes() == server.files["/f.bin"]


def test_killed_between_last_byte_and_renaming(server, tmp_path):
    (tmp_path / "f.bin.part").write_bytes(BODY)
    (tmp_path / "f.bin.part.tag").write_text('"v1"')
    fetch(f"{server.url}/f.bin", tmp_path / "f.bin", manners=Manners(pauses=()))
    assert (tmp_path / "f.bin").read_bytes() == BODY
    assert len(server.requests) == 1


def test_rest_of_another_file_is_thrown_away(server, tmp_path):
    (tmp_path / "f.bin.part").write_bytes(BODY + b"more")
    (tmp_path / "f.bin.part.tag").write_text('"v1"')
    fetch(f"{server.url}/f.bin", tmp_path / "f.bin", manners=HURRIED)
    assert (tmp_path / "f.bin").read_bytes() == BODY


def test_server_that_sends_another_part(server, tmp_path):
    server.plan = ["wrong range"]
    fetch(f"{server.url}/f.bin", tmp_path / "f.bin", manners=HURRIED)
    assert (tmp_path / "f.bin").read_bytes() == BODY


@pytest.mark.parametrize("status", ["500", "503", "429"])
def test_passing_refusals_are_tried_again(server, tmp_path, status):
    server.plan = [status, status]
    fetch(f"{server.url}/f.bin", tmp_path / "f.bin", manners=HURRIED)
    assert len(server.requests) == 3
    assert (tmp_path / "f.bin").read_bytes() == BODY


@pytest.mark.parametrize(
    ("act", "message"),
    [
        ("404", "answered 404"),
        ("403", "answered 403"),
        ("html", "a web page in place of the file"),
        ("disguised html", "a web page in place of the file"),
        ("lfs", "pointer of Git LFS"),
    ],
)
def test_lasting_refusals_end_at_once_without_a_file(server, tmp_path, act, message):
    server.plan = [act]
    with pytest.raises(UserError, match=message):
        fetch(f"{server.url}/f.bin", tmp_path / "f.bin", manners=HURRIED)
    assert len(server.requests) == 1
    assert not (tmp_path / "f.bin").exists()


def test_wrong_length_is_refused(server, tmp_path):
    with pytest.raises(UserError, match="has 10240 bytes, but 10241 are expected"):
        fetch(f"{server.url}/f.bin", tmp_path / "f.bin", expected_size=len(BODY) + 1, manners=HURRIED)
    assert names(tmp_path) == []


@pytest.mark.parametrize("algorithm", ["sha256", "md5"])
def test_damage_is_found_by_the_digest_and_fetched_again(server, tmp_path, algorithm):
    server.plan = ["flip"]
    digest = f"{algorithm}:{hashlib.new(algorithm, BODY).hexdigest()}"
    fetch(f"{server.url}/f.bin", tmp_path / "f.bin", digest=digest, manners=HURRIED)
    assert len(server.requests) == 2
    assert (tmp_path / "f.bin").read_bytes() == BODY
    with pytest.raises(UserError, match=f"its {algorithm} is"):
        fetch(f"{server.url}/f.bin", tmp_path / "g.bin", digest=f"{algorithm}:0", manners=HURRIED)
    assert names(tmp_path) == ["f.bin"]


def test_gzip_is_read_to_its_end(server, tmp_path):
    packed = gzip.compress(BODY, mtime=0)
    server.files = {"/whole.gz": packed, "/cut.gz": packed[:-9], "/none.gz": BODY}
    fetch(f"{server.url}/whole.gz", tmp_path / "whole.gz", manners=HURRIED)
    with pytest.raises(UserError, match="damaged"):
        fetch(f"{server.url}/cut.gz", tmp_path / "cut.gz", manners=HURRIED)
    with pytest.raises(UserError, match="not gzip"):
        fetch(f"{server.url}/none.gz", tmp_path / "none.gz", manners=HURRIED)
    assert "whole.gz" in names(tmp_path)
    assert not {"cut.gz", "none.gz"} & set(names(tmp_path))


def test_full_disk_is_seen_before_the_first_byte(server, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    with pytest.raises(UserError, match="are free"):
        fetch(f"{server.url}/f.bin", tmp_path / "f.bin", manners=HURRIED)
    assert names(tmp_path) == []


def test_no_connection_and_no_http(tmp_path):
    with pytest.raises(UserError, match="in 2 attempts; the last one: no connection"):
        fetch("http://127.0.0.1:9/f.bin", tmp_path / "f.bin", manners=Manners(pauses=(0.0,)))
    with pytest.raises(UserError, match="must begin with http"):
        fetch("file:///etc/hostname", tmp_path / "f.bin")


@pytest.fixture
def three_files(server, monkeypatch):
    """KiTS19 with three files in place of 420."""
    paths = ["case_00000/imaging.nii.gz", "case_00000/segmentation.nii.gz", "case_00001/imaging.nii.gz"]
    server.files = {f"/mirror/{path}": IMAGE for path in paths}
    real = registry.get("kits19").downloads

    def few(root, url):
        wanted = {f"data/{path}" for path in paths}
        files = real(root, url)
        assert isinstance(files, list)
        return [file for file in files if file.path in wanted]

    monkeypatch.setattr(registry.get("kits19"), "downloads", few)
    return paths


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


def test_kits19_official_addresses(tmp_path):
    files = registry.get("kits19").downloads(tmp_path, None)
    assert isinstance(files, list)
    assert len(files) == 420
    huggingface = "https://huggingface.co/datasets/neheller/KiTS-Challenge-Imaging/resolve/main/images/case_00209.nii.gz"
    github = "https://raw.githubusercontent.com/neheller/kits19/master/data/case_00209/segmentation.nii.gz"
    assert RemoteFile(huggingface, "data/case_00209/imaging.nii.gz", files[0].about_bytes) in files
    assert RemoteFile(github, "data/case_00209/segmentation.nii.gz", files[1].about_bytes) in files


def test_kits19_disk_is_checked_before_anything_is_fetched(server, tmp_path, three_files, monkeypatch):
    server.answers_head = False
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=10_000_000))
    with pytest.raises(UserError, match=r"about 0\.2 GB are needed"):
        download_dataset("kits19", tmp_path, f"{server.url}/mirror", pauses=FAST)
    assert server.requests == []


def test_kits19_size_is_asked_for_before_anything_is_fetched(server, tmp_path, three_files, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(UserError, match=r"0\.0 GB are needed"):
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


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (task(evil=True), "leads outside the folder"),
        (task(missing=True), "does not hold the whole dataset"),
        (b"no tar at all" * 100, "no sound tar archive"),
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


def test_more_bytes_than_announced_and_no_length(server, tmp_path):
    server.plan = ["long", "no length"]
    fetch(f"{server.url}/f.bin", tmp_path / "long.bin", manners=HURRIED)
    fetch(f"{server.url}/f.bin", tmp_path / "unknown.bin", manners=HURRIED)
    assert (tmp_path / "long.bin").read_bytes() == (tmp_path / "unknown.bin").read_bytes() == BODY


def test_no_length_and_cut_short_is_found_by_gzip(server, tmp_path):
    server.files["/f.nii.gz"] = IMAGE[:-10]
    server.plan = ["no length"] * 3
    with pytest.raises(UserError, match="damaged"):
        fetch(f"{server.url}/f.nii.gz", tmp_path / "f.nii.gz", manners=HURRIED)
    assert not (tmp_path / "f.nii.gz").exists()


@pytest.mark.parametrize("status", ["429", "503"])
def test_a_server_that_asks_for_a_pause_gets_it(server, tmp_path, status):
    server.plan = [f"wait {status} 1"]
    said: list[str] = []
    fetch(f"{server.url}/f.bin", tmp_path / "f.bin", manners=Manners(pauses=FAST, progress=said.append))
    assert "attempt 2 in 1 s" in said[0]
    assert (tmp_path / "f.bin").read_bytes() == BODY


def test_a_trickle_is_broken_off_and_continued(server, tmp_path):
    server.plan = ["trickle"]
    said: list[str] = []
    manners = Manners(pauses=FAST, progress=said.append, slowest=1e6, patience=0.1)
    fetch(f"{server.url}/f.bin", tmp_path / "f.bin", manners=manners)
    assert "sends less than 1e+06 bytes a second" in said[0]
    first, second = (wanted for _, wanted in server.requests)
    assert first is None
    assert second is not None
    assert (tmp_path / "f.bin").read_bytes() == BODY


def test_a_slow_but_steady_server_is_waited_for(server, tmp_path):
    server.plan = ["slow"]
    fetch(f"{server.url}/f.bin", tmp_path / "f.bin", manners=Manners(pauses=(), slowest=1000, patience=0.03))
    assert len(server.requests) == 1


@pytest.mark.parametrize(("act", "message"), [("elsewhere", "no web address"), ("in a circle", "30[12]")])
def test_redirects_that_lead_nowhere(server, tmp_path, act, message):
    server.plan = [act]
    with pytest.raises(UserError, match=message):
        fetch(f"{server.url}/f.bin", tmp_path / "f.bin", manners=HURRIED)
    assert not (tmp_path / "f.bin").exists()


def many_files(server, monkeypatch, count, body=IMAGE):
    """KiTS19 with `count` images of cases without masks."""
    names_ = [f"case_{number:05d}/imaging.nii.gz" for number in range(count)]
    server.files = {f"/mirror/{name}": body for name in names_}
    files = [RemoteFile(f"{server.url}/mirror/{name}", f"data/{name}", len(body)) for name in names_]
    monkeypatch.setattr(registry.get("kits19"), "downloads", lambda root, url: files)
    return [f"data/{name}" for name in names_]


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
    with pytest.raises(UserError, match=r"case_00000: the image has \(3, 4, 5\) voxels, its mask \(3, 4, 6\)"):
        download_dataset("kits19", tmp_path, f"{server.url}/mirror", pauses=FAST)


def test_a_file_that_changed_after_its_first_sight_is_told_and_left(server, tmp_path, three_files):
    download_dataset("kits19", tmp_path, f"{server.url}/mirror", pauses=FAST)
    path = tmp_path / "data" / three_files[0]
    os.utime(path, (1, 1))
    download_dataset("kits19", tmp_path, f"{server.url}/mirror", pauses=FAST)  # another time, the same bytes
    changed = bytearray(path.read_bytes())
    changed[-1] ^= 1
    path.write_bytes(changed)
    with pytest.raises(UserError, match=r"(?s)1 file\(s\).*is no longer what it was.*How to get KiTS19"):
        download_dataset("kits19", tmp_path, f"{server.url}/mirror", pauses=FAST)
    assert path.read_bytes() == changed
    path.unlink()
    download_dataset("kits19", tmp_path, f"{server.url}/mirror", pauses=FAST)
    assert path.read_bytes() == IMAGE


def test_a_server_that_changed_a_file_after_its_first_sight(server, tmp_path, three_files):
    download_dataset("kits19", tmp_path, f"{server.url}/mirror", pauses=FAST)
    (tmp_path / "data" / three_files[0]).unlink()
    server.files[f"/mirror/{three_files[0]}"] = nifti(kind=np.float32)
    with pytest.raises(UserError, match="no longer the file that was first seen"):
        download_dataset("kits19", tmp_path, f"{server.url}/mirror", pauses=FAST)
    assert not (tmp_path / "data" / three_files[0]).exists()


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


def test_a_checksums_file_that_was_edited(tmp_path):
    (tmp_path / "checksums.json").write_text('{"a": {"sha256": 1}}')
    with pytest.raises(UserError, match="not as this program writes it"):
        _checksums.Checksums(tmp_path)


HOLD = """
import sys, time, pathlib
from workflow_lib.datasets.download import _only_one
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
    download_dataset("kits19", tmp_path / "kits", f"{server.url}/mirror", pauses=FAST)


FETCH = """
import sys, pathlib
from workflow_lib.datasets import registry
from workflow_lib.datasets._format import RemoteFile
from workflow_lib.datasets.download import download_dataset
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


def test_progress_tells_bytes_rate_and_the_time_that_is_left():
    now = [0.0]
    said: list[str] = []
    meter = Meter(100_000_000, said.append, every=10, clock=lambda: now[0])
    for second in range(1, 31):
        now[0] = second
        meter.add(1_000_000)
    assert said == [
        "10.0 MB of 100.0 MB (10 %), 1.0 MB/s, 90 s left".replace("90 s", "2 min"),
        "20.0 MB of 100.0 MB (20 %), 1.0 MB/s, 80 s left",
        "30.0 MB of 100.0 MB (30 %), 1.0 MB/s, 70 s left",
    ]
