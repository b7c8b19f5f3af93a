"""A local web server that interrupts transfers, lies, and refuses requests in every way seen in practice."""

import contextlib
import gzip
import http.server
import threading
from types import SimpleNamespace

import nibabel
import numpy as np
import pytest

from workflow_lib.datasets.download.transfer import Manners
from workflow_lib.datasets.formats import registry
from workflow_lib.datasets.formats.interface import RemoteFile

BODY = bytes(range(256)) * 40
FAST = (0.0, 0.0)
HURRIED = Manners(pauses=FAST)


def nifti(shape=(3, 4, 5), kind=np.int16):
    """Return a small gzipped NIfTI file."""
    image = nibabel.Nifti1Image(np.arange(np.prod(shape)).reshape(shape).astype(kind), np.eye(4))
    return gzip.compress(image.to_bytes(), mtime=0)


IMAGE = nifti()


class Handler(http.server.BaseHTTPRequestHandler):
    """Serve `server.files`. Each request takes the next entry of `server.plan`, a list of failures."""

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
            _, status, pause = act.split(maxsplit=2)
            return self.answer(int(status), b"", {"Retry-After": pause})
        if act == "elsewhere":
            return self.answer(302, b"", {"Location": "ftp://127.0.0.1/f.bin"})
        if act == "in a circle":
            server.plan.insert(0, act)
            return self.answer(302, b"", {"Location": self.path})
        if act == "html":
            return self.answer(200, b"<!DOCTYPE html><html>please log in</html>", kind="text/html; charset=utf-8")
        if act == "disguised html":
            return self.answer(200, b"\n<HTML>please log in</HTML>")
        if act == "html, letter by letter":
            return self.answer(200, b"<html>no</html>", by=1)
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
        if act == "odd length":
            return self.answer(200, part, {"Content-Length": "many"}, length=False)
        if act == "odd range":
            return self.answer(206, part, {"Content-Range": "bytes \u00b2-\u00b2/\u00b2"})
        if act == "part of the rest" and start:
            return self.answer(206, part[:1000], headers)
        if act == "stall":
            return self.answer(206 if start else 200, part, headers, by=len(part) // 2, pause=60)
        if act in ("trickle", "slow"):
            return self.answer(206 if start else 200, part, headers, by=(1 if act == "trickle" else len(part) // 4))
        drop = len(part) // 2 if act == "drop" else None
        return self.answer(206 if start else 200, part, headers, drop=drop)

    def answer(
        self, status, body, headers=None, kind="application/octet-stream", drop=None, more=b"", length=True, by=0, pause=0.02
    ):
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
            with contextlib.suppress(OSError):  # the client may have closed the connection
                for position in range(0, len(body) - by, by):
                    self.wfile.write(body[position : position + by])
                    self.wfile.flush()
                    if self.server.state.closing.wait(pause):  # type: ignore[attr-defined]
                        return
            body = body[-by:] if len(body) % by == 0 else body[-(len(body) % by) :]
        # Before the last byte, because the client may open its next connection as soon as that arrives.
        with self.server.state.lock:  # type: ignore[attr-defined]
            self.server.state.open -= 1  # type: ignore[attr-defined]
        with contextlib.suppress(OSError):
            self.wfile.write(body[:drop] + more)


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    state = SimpleNamespace(files={"/f.bin": BODY}, plan=[], requests=[], ranges=True, etag='"v1"', heads=[], answers_head=True)
    state.open, state.most_open, state.closing, state.lock = 0, 0, threading.Event(), threading.Lock()
    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    web.state = state  # type: ignore[attr-defined]
    state.url = f"http://127.0.0.1:{web.server_port}"
    thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield state
    state.closing.set()
    web.shutdown()
    web.server_close()
    thread.join()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def three_files(server, monkeypatch):
    """KiTS19 with three files instead of 420."""
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


def many_files(server, monkeypatch, count, body=IMAGE):
    """KiTS19 with `count` images of cases without masks."""
    names_ = [f"case_{number:05d}/imaging.nii.gz" for number in range(count)]
    server.files = {f"/mirror/{name}": body for name in names_}
    files = [RemoteFile(f"{server.url}/mirror/{name}", f"data/{name}", len(body)) for name in names_]
    monkeypatch.setattr(registry.get("kits19"), "downloads", lambda root, url: files)
    return [f"data/{name}" for name in names_]
