"""One file from a server with failures."""

import errno
import gzip
import hashlib
import io
import shutil
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace

import pytest

from tests.unit.download_support import BODY, FAST, HURRIED, IMAGE, names, server
from workflow_lib.base.errors import UserError
from workflow_lib.datasets.download import transfer as _transfer
from workflow_lib.datasets.download.transfer import Manners, fetch

__all__ = ["server"]


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
        ("html, letter by letter", "a web page in place of the file"),
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


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://host/f", "/etc/hostname", "http://", "http://[::1/f", "http:f"])
def test_what_is_no_web_address(tmp_path, url):
    with pytest.raises(UserError, match=r"must begin with http://.*`source: folder`"):
        fetch(url, tmp_path / "f.bin")
    assert names(tmp_path) == []


@pytest.mark.parametrize("path", ["/Gr\u00f6\u00dfe 1/f.bin", "/Gr%C3%B6%C3%9Fe%201/f.bin"])
def test_an_address_with_letters_and_spaces(server, tmp_path, path):
    server.files = {"/Gr%C3%B6%C3%9Fe%201/f.bin": BODY}
    fetch(server.url + path, tmp_path / "f.bin", manners=HURRIED)
    assert (tmp_path / "f.bin").read_bytes() == BODY


def test_a_host_that_cannot_be_asked_for(tmp_path):
    with pytest.raises(UserError, match="Check the address"):
        fetch(f"http://{'x' * 70}.example/f.bin", tmp_path / "f.bin", manners=HURRIED)


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


@pytest.mark.parametrize(("act", "message"), [("elsewhere", "not a web address"), ("in a circle", "30[12]")])
def test_redirects_that_lead_nowhere(server, tmp_path, act, message):
    server.plan = [act]
    with pytest.raises(UserError, match=message):
        fetch(f"{server.url}/f.bin", tmp_path / "f.bin", manners=HURRIED)
    assert not (tmp_path / "f.bin").exists()


def test_a_silent_server_is_left_and_continued(server, tmp_path):
    server.plan = ["stall"]
    said: list[str] = []
    fetch(f"{server.url}/f.bin", tmp_path / "f.bin", manners=Manners(pauses=FAST, timeout=0.1, progress=said.append))
    assert "timed out" in said[0]
    assert [wanted for _, wanted in server.requests] == [None, f"bytes={len(BODY) // 2}-"]
    assert (tmp_path / "f.bin").read_bytes() == BODY


@pytest.mark.parametrize("act", ["odd length", "odd range"])
def test_headers_that_make_no_sense(server, tmp_path, act):
    server.plan = [act]
    fetch(f"{server.url}/f.bin", tmp_path / "f.bin", manners=HURRIED)
    assert (tmp_path / "f.bin").read_bytes() == BODY


def test_an_answer_with_part_of_the_rest_is_not_taken_for_the_whole(server, tmp_path):
    server.plan = ["drop", "part of the rest"]
    fetch(f"{server.url}/f.bin", tmp_path / "f.bin", manners=HURRIED)
    half = len(BODY) // 2
    assert [wanted for _, wanted in server.requests] == [None, f"bytes={half}-", f"bytes={half + 1000}-"]
    assert (tmp_path / "f.bin").read_bytes() == BODY


@pytest.mark.parametrize("tag", [b"\xff\xfe", b'"v1"\r\nX-Evil: 1', b""])
def test_a_damaged_tag_is_not_sent(server, tmp_path, tag):
    (tmp_path / "f.bin.part").write_bytes(b"something else")
    (tmp_path / "f.bin.part.tag").write_bytes(tag)
    fetch(f"{server.url}/f.bin", tmp_path / "f.bin", manners=HURRIED)
    assert server.requests == [("/f.bin", None)]
    assert (tmp_path / "f.bin").read_bytes() == BODY


def test_a_disk_that_becomes_full_on_the_way_keeps_what_is_there(server, tmp_path, monkeypatch):
    class Full(io.FileIO):
        def write(self, data):
            if self.tell() + len(data) > 3000:
                super().write(bytes(data)[: 3000 - self.tell()])
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(data)

    def limited(path, mode):
        return Full(path, mode) if mode == "ab" else open(path, mode)

    with monkeypatch.context() as patch:
        patch.setattr(_transfer, "open", limited, raising=False)
        with pytest.raises(_transfer.CommonFault, match=r"No space left on device.*is kept.*run again"):
            fetch(f"{server.url}/f.bin", tmp_path / "f.bin", manners=HURRIED)
    assert len(server.requests) == 1
    assert (tmp_path / "f.bin.part").read_bytes() == BODY[:3000]
    fetch(f"{server.url}/f.bin", tmp_path / "f.bin", manners=HURRIED)
    assert server.requests[-1] == ("/f.bin", "bytes=3000-")
    assert (tmp_path / "f.bin").read_bytes() == BODY


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        ("7", 7, 7),
        ("999999999999", 300, 300),
        ("soon", 0, 0),
        ("", 0, 0),
        ("-5", 0, 0),
        (format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True), 300, 3600),
        (format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True), 0, 0),
    ],
    # Without the times, because test processes that collect the tests at different times must use the same names.
    ids=["seconds", "for ever", "no number", "nothing", "less than nothing", "in an hour", "an hour ago"],
)
def test_how_long_a_server_asks_to_wait(header, least, most):
    assert least <= _transfer._asked_pause(header) <= most


def test_a_pause_of_hours_is_not_waited_for(server, tmp_path, monkeypatch):
    monkeypatch.setattr(_transfer, "LONGEST_PAUSE", 0.01)
    date = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    server.plan = [f"wait 429 {date}"]
    said: list[str] = []
    fetch(f"{server.url}/f.bin", tmp_path / "f.bin", manners=Manners(pauses=FAST, progress=said.append))
    assert "attempt 2 in 0.01 s" in said[0]


def test_bytes_are_counted_also_those_thrown_away(server, tmp_path):
    server.plan = ["flip"]
    counts: list[int] = []
    digest = f"md5:{hashlib.md5(BODY).hexdigest()}"
    fetch(f"{server.url}/f.bin", tmp_path / "f.bin", digest=digest, manners=Manners(pauses=FAST, received=counts.append))
    assert sum(counts) == len(BODY)
    assert -len(BODY) in counts
