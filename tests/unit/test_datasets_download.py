"""Downloads from a server on this machine that breaks off, lies, and refuses in every way seen in the wild."""

import gzip
import hashlib
import http.server
import io
import json
import shutil
import tarfile
import threading
from types import SimpleNamespace

import pytest

from workflow_lib.datasets import msd, registry
from workflow_lib.datasets._format import RemoteFile
from workflow_lib.datasets.download import download_dataset, fetch
from workflow_lib.errors import UserError

BODY = bytes(range(256)) * 40
FAST = (0.0, 0.0)


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves `server.files`; each request takes the next of `server.plan`, a list of misbehaviours."""

    def log_message(self, format, *args):
        pass

    def do_GET(self):
        server = self.server.state  # type: ignore[attr-defined]
        server.requests.append((self.path, self.headers.get("Range")))
        act = server.plan.pop(0) if server.plan else "serve"
        body = server.files.get(self.path)
        if act.isdigit():
            return self.send_error(int(act))
        if body is None:
            return self.send_error(404)
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
        drop = len(part) // 2 if act == "drop" else None
        return self.answer(206 if start else 200, part, headers, drop=drop)

    def answer(self, status, body, headers=None, kind="application/octet-stream", drop=None):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        etag = self.server.state.etag  # type: ignore[attr-defined]
        if etag:
            self.send_header("ETag", etag)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[:drop])


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    state = SimpleNamespace(files={"/f.bin": BODY}, plan=[], requests=[], ranges=True, etag='"v1"')
    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    web.state = state  # type: ignore[attr-defined]
    state.url = f"http://127.0.0.1:{web.server_port}"
    thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield state
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
    fetch(f"{server.url}/f.bin", tmp_path / "f.bin", progress=said.append, pauses=FAST)
    assert (tmp_path / "f.bin").read_bytes() == BODY
    half, quarter = len(BODY) // 2, len(BODY) // 4
    assert [wanted for _, wanted in server.requests] == [None, f"bytes={half}-", f"bytes={half + quarter}-"]
    assert "broke off after 5120 of 10240 bytes; attempt 2" in said[0]


def test_later_call_continues_and_nothing_stands_under_the_name_before(server, tmp_path):
    server.plan = ["drop"]
    with pytest.raises(UserError, match="in 1 attempts; the last one: the connection broke off"):
        fetch(f"{server.url}/f.bin", tmp_path / "f.bin", pauses=())
    assert names(tmp_path) == ["f.bin.part", "f.bin.part.tag"]
    fetch(f"{server.url}/f.bin", tmp_path / "f.bin", pauses=())
    assert server.requests[-1][1] == f"bytes={len(BODY) // 2}-"
    assert (tmp_path / "f.bin").read_bytes() == BODY


@pytest.mark.parametrize("change", ["no ranges", "another version", "no tag"])
def test_starts_anew_where_continuing_would_mix(server, tmp_path, change):
    if change == "no tag":
        server.etag = ""
    server.plan = ["drop"]
    with pytest.raises(UserError):
        fetch(f"{server.url}/f.bin", tmp_path / "f.bin", pauses=())
    if change == "no ranges":
        server.ranges = False
    if change == "another version":
        server.etag = '"v2"'
    if change != "no ranges":
        server.files["/f.bin"] = BODY[::-1]
    fetch(f"{server.url}/f.bin", tmp_path / "f.bin", pauses=())
    assert (tmp_path / "f.bin").read_bytes() == server.files["/f.bin"]


def test_killed_between_last_byte_and_renaming(server, tmp_path):
    (tmp_path / "f.bin.part").write_bytes(BODY)
    (tmp_path / "f.bin.part.tag").write_text('"v1"')
    fetch(f"{server.url}/f.bin", tmp_path / "f.bin", pauses=())
    assert (tmp_path / "f.bin").read_bytes() == BODY
    assert len(server.requests) == 1


def test_rest_of_another_file_is_thrown_away(server, tmp_path):
    (tmp_path / "f.bin.part").write_bytes(BODY + b"more")
    (tmp_path / "f.bin.part.tag").write_text('"v1"')
    fetch(f"{server.url}/f.bin", tmp_path / "f.bin", pauses=FAST)
    assert (tmp_path / "f.bin").read_bytes() == BODY


def test_server_that_sends_another_part(server, tmp_path):
    server.plan = ["wrong range"]
    fetch(f"{server.url}/f.bin", tmp_path / "f.bin", pauses=FAST)
    assert (tmp_path / "f.bin").read_bytes() == BODY


@pytest.mark.parametrize("status", ["500", "503", "429"])
def test_passing_refusals_are_tried_again(server, tmp_path, status):
    server.plan = [status, status]
    fetch(f"{server.url}/f.bin", tmp_path / "f.bin", pauses=FAST)
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
        fetch(f"{server.url}/f.bin", tmp_path / "f.bin", pauses=FAST)
    assert len(server.requests) == 1
    assert not (tmp_path / "f.bin").exists()


def test_wrong_length_is_refused(server, tmp_path):
    with pytest.raises(UserError, match="has 10240 bytes, but 10241 are expected"):
        fetch(f"{server.url}/f.bin", tmp_path / "f.bin", expected_size=len(BODY) + 1, pauses=FAST)
    assert names(tmp_path) == []


@pytest.mark.parametrize("algorithm", ["sha256", "md5"])
def test_damage_is_found_by_the_digest_and_fetched_again(server, tmp_path, algorithm):
    server.plan = ["flip"]
    digest = f"{algorithm}:{hashlib.new(algorithm, BODY).hexdigest()}"
    fetch(f"{server.url}/f.bin", tmp_path / "f.bin", digest=digest, pauses=FAST)
    assert len(server.requests) == 2
    assert (tmp_path / "f.bin").read_bytes() == BODY
    with pytest.raises(UserError, match=f"its {algorithm} is"):
        fetch(f"{server.url}/f.bin", tmp_path / "g.bin", digest=f"{algorithm}:0", pauses=FAST)
    assert names(tmp_path) == ["f.bin"]


def test_gzip_is_read_to_its_end(server, tmp_path):
    packed = gzip.compress(BODY, mtime=0)
    server.files = {"/whole.gz": packed, "/cut.gz": packed[:-9], "/none.gz": BODY}
    fetch(f"{server.url}/whole.gz", tmp_path / "whole.gz", pauses=FAST)
    with pytest.raises(UserError, match="damaged"):
        fetch(f"{server.url}/cut.gz", tmp_path / "cut.gz", pauses=FAST)
    with pytest.raises(UserError, match="not gzip"):
        fetch(f"{server.url}/none.gz", tmp_path / "none.gz", pauses=FAST)
    assert "whole.gz" in names(tmp_path)
    assert not {"cut.gz", "none.gz"} & set(names(tmp_path))


def test_full_disk_is_seen_before_the_first_byte(server, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    with pytest.raises(UserError, match="are free"):
        fetch(f"{server.url}/f.bin", tmp_path / "f.bin", pauses=FAST)
    assert names(tmp_path) == []


def test_no_connection_and_no_http(tmp_path):
    with pytest.raises(UserError, match="in 2 attempts; the last one: no connection"):
        fetch("http://127.0.0.1:9/f.bin", tmp_path / "f.bin", pauses=(0.0,))
    with pytest.raises(UserError, match="must begin with http"):
        fetch("file:///etc/hostname", tmp_path / "f.bin")


@pytest.fixture
def three_files(server, monkeypatch):
    """KiTS19 with three files in place of 420."""
    packed = gzip.compress(BODY, mtime=0)
    paths = ["case_00000/imaging.nii.gz", "case_00000/segmentation.nii.gz", "case_00001/imaging.nii.gz"]
    server.files = {f"/mirror/{path}": packed for path in paths}
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
    sound.write_bytes(gzip.compress(b"placed by hand"))
    broken.write_bytes(gzip.compress(BODY)[:50])
    download_dataset("kits19", tmp_path, f"{server.url}/mirror/", pauses=FAST)
    assert sorted(path for path, _ in server.requests) == [f"/mirror/{path}" for path in three_files[1:]]
    assert gzip.decompress(sound.read_bytes()) == b"placed by hand"
    assert all(gzip.decompress((tmp_path / "data" / path).read_bytes()) == BODY for path in three_files[1:])
    download_dataset("kits19", tmp_path, f"{server.url}/mirror", pauses=FAST)
    assert len(server.requests) == 2


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
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=10_000_000))
    with pytest.raises(UserError, match=r"about 0\.2 GB are needed"):
        download_dataset("kits19", tmp_path, f"{server.url}/mirror", pauses=FAST)
    assert server.requests == []


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
    assert names(root) == ["dataset.json", "imagesTr", "labelsTr"]
    assert names(root / "imagesTr") == ["h_001.nii.gz"]
    assert names(root.parent) == ["Task04_Hippocampus"]
    download_dataset("msd", root, server.url + ending, pauses=FAST)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (task(evil=True), "unsafe path"),
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
    assert names(root.parent) == ["Task04_Hippocampus.tar"]
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
