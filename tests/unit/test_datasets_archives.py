"""Archives that try to write outside the folder, fill the disk or overwrite files: nothing is unpacked."""

import contextlib
import gzip
import io
import os
import shutil
import tarfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workflow_lib.base.errors import UserError
from workflow_lib.datasets.download import unpacking as _archives
from workflow_lib.datasets.download.unpacking import unpack


def member(name, content=b"x", **changes):
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in changes.items():
        setattr(info, key, value)
    return info, content


def archive(path, *members, compress=False):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content) if info.isreg() else None)
    path.write_bytes(gzip.compress(stream.getvalue()) if compress else stream.getvalue())
    return path


def tree(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def target(tmp_path):
    folder = tmp_path / "a" / "target"
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize("compress", [False, True])
def test_a_sound_archive_is_unpacked_whole_and_with_plain_permissions(tmp_path, target, compress):
    made = archive(
        tmp_path / "a.tar",
        member("Task/", type=tarfile.DIRTYPE, mode=0),
        member("Task/Bilder älter/ä.nii", b"abc", mode=0o4777, uid=0),
        member("Task/._resource fork"),
        member("Task/" + "long" * 40 + ".nii", b"d" * 5000),
        compress=compress,
    )
    unpack(made, target)
    assert tree(target) == {"Task/Bilder älter/ä.nii": b"abc", "Task/" + "long" * 40 + ".nii": b"d" * 5000}
    assert (target / "Task/Bilder älter/ä.nii").stat().st_mode & 0o7111 == 0


def test_what_is_unpacked_is_on_the_disk(tmp_path, target, monkeypatch):
    """Otherwise, after a power failure, the recorded checksum could belong to bytes that were never written."""
    synced: set[int] = set()
    monkeypatch.setattr(os, "fsync", lambda handle: synced.add(os.fstat(handle).st_ino))
    unpack(archive(tmp_path / "a.tar", member("Task/a.nii", b"abc"), member("Task/b.nii", b"d" * 5000)), target)
    assert synced == {path.stat().st_ino for path in (target / "Task").iterdir()}


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([member("../evil")], "leads outside"),
        ([member("a/../../evil")], "leads outside"),
        ([member("/tmp/evil")], "leads outside"),
        ([member("..")], "leads outside"),
        ([member("C:\\evil")], "leads outside"),
        ([member("a\\..\\..\\evil")], "leads outside"),
        ([member("a\nb")], "control character"),
        ([member("x" * 300)], "too long"),
        ([member("link", b"", type=tarfile.SYMTYPE, linkname="/etc")], "is a link"),
        ([member("link", b"", type=tarfile.SYMTYPE, linkname=".."), member("link/evil")], "is a link"),
        ([member("a"), member("hard", b"", type=tarfile.LNKTYPE, linkname="a")], "is a link"),
        ([member("pipe", b"", type=tarfile.FIFOTYPE)], "a device"),
        ([member("disk", b"", type=tarfile.BLKTYPE)], "a device"),
        ([member("a"), member("a", b"y")], "one file on some systems"),
        ([member("Scan.nii"), member("scan.NII")], "one file on some systems"),
        ([member("\u00e4"), member("a\u0308")], "one file on some systems"),
        ([member("A/x"), member("a/y")], "one file on some systems"),
        ([member("a"), member("a/b")], "one file on some systems"),
        ([member("a/b"), member("a")], "one file on some systems"),
        ([member("ok"), member("../evil")], "leads outside"),
    ],
)
def test_what_is_not_safe_leaves_nothing(tmp_path, target, members, message):
    made = archive(tmp_path / "a.tar", *members)
    before = set(tmp_path.rglob("*"))
    with pytest.raises(UserError, match=message):
        unpack(made, target)
    assert set(tmp_path.rglob("*")) == before


def test_claims_beyond_the_archive_and_the_disk(tmp_path, target, monkeypatch):
    bomb = archive(tmp_path / "bomb.tar", member("zeros", bytes(20_000_000)), compress=True)
    with pytest.raises(UserError, match="claim to hold 20000000"):
        unpack(bomb, target)
    made = archive(tmp_path / "a.tar", member("a", bytes(3000)))
    usage = type("Usage", (), {"free": 2000})
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(UserError, match="are free"):
        unpack(made, target)
    assert tree(target) == {}


def test_what_a_bomb_claims_is_seen_before_it_is_unpacked(tmp_path, target, monkeypatch):
    members = [member(f"zeros {number}", bytes(2_000_000)) for number in range(10)]
    bomb = archive(tmp_path / "bomb.tar", *members, compress=True)
    read: list[str] = []

    def note(info):
        read.append(info.name)
        return ""

    monkeypatch.setattr(_archives, "_fault", note)
    with pytest.raises(UserError, match="claim to hold"):
        unpack(bomb, target)
    assert len(read) < len(members)


def test_more_members_than_anyone_needs(tmp_path, target, monkeypatch):
    monkeypatch.setattr(_archives, "MOST_MEMBERS", 3)
    unpack(archive(tmp_path / "three.tar", *(member(f"{n}") for n in range(3))), target)
    shutil.rmtree(target)
    target.mkdir()
    with pytest.raises(UserError, match="more than 3 members"):
        unpack(archive(tmp_path / "four.tar", *(member(f"{n}") for n in range(4))), target)
    assert tree(target) == {}


@pytest.mark.parametrize(
    "headers", [{"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}, {"GNU.sparse.map": "0,1", "GNU.sparse.size": "9"}]
)
def test_files_with_holes(tmp_path, target, headers):
    info, content = member("holes", b"1\n0\n1\n" + bytes(600))
    info.pax_headers = headers
    with pytest.raises(UserError, match="holes"):
        unpack(archive(tmp_path / "a.tar", (info, content)), target)
    assert tree(target) == {}


def test_a_header_that_claims_more_than_there_is(tmp_path, target):
    info, _ = member("a", b"")
    info.size = 10_000_000_000_000
    path = tmp_path / "a.tar"
    path.write_bytes(info.tobuf() + bytes(2048))
    with pytest.raises(UserError):
        unpack(path, target)
    extended, _ = member("././@PaxHeader", b"", type=tarfile.XHDTYPE)
    extended.size = 8_000_000_000
    path.write_bytes(extended.tobuf(format=tarfile.GNU_FORMAT) + bytes(2048))
    with pytest.raises(UserError, match="not a valid tar archive"):
        unpack(path, target)


@pytest.mark.parametrize("content", [b"", b"no tar at all" * 100, b"\x1f\x8b" + bytes(100)])
def test_what_is_no_archive(tmp_path, target, content):
    path = tmp_path / "a.tar"
    path.write_bytes(content)
    with pytest.raises(UserError, match="not a valid tar archive"):
        unpack(path, target)


def test_an_archive_cut_short(tmp_path, target):
    made = archive(tmp_path / "a.tar", member("a", bytes(range(256)) * 20), compress=True)
    made.write_bytes(made.read_bytes()[:-20])
    with pytest.raises(UserError, match="not a valid tar archive"):
        unpack(made, target)


def sample():
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info, content in (
            member("Task/", b"", type=tarfile.DIRTYPE),
            member("Task/ä.nii", b"abc"),
            member("Task/" + "n" * 120, b"d" * 700),
            member("Task/sub/b", b""),
        ):
            tar.addfile(info, io.BytesIO(content))
    return stream.getvalue()


SAMPLE = sample()
HEADERS = list(range(0, len(SAMPLE), 512))


@given(
    edits=st.lists(
        st.tuples(
            st.sampled_from(HEADERS), st.integers(0, 511), st.sampled_from([0, 1, 0x2E, 0x2F, 0x30, 0x37, 0x80, 0xFF, 0x78])
        ),
        max_size=6,
    ),
    cut=st.integers(0, len(SAMPLE)),
    keep_sums=st.booleans(),
    compress=st.booleans(),
)
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "300")),
)
def test_damaged_archives_stay_in_their_folder(tmp_path_factory, edits, cut, keep_sums, compress):
    content = bytearray(SAMPLE)
    for block, offset, value in edits:
        content[block + offset] = value
        if keep_sums:
            # A valid checksum, so that tarfile reads the other fields.
            content[block + 148 : block + 156] = b" " * 8
            total = sum(content[block : block + 512])
            content[block + 148 : block + 156] = b"%06o\0 " % total
    content = content[: len(content) - cut // 8]
    base = tmp_path_factory.mktemp("fuzz")
    target, path = base / "in" / "target", base / "in" / "a.tar"
    target.mkdir(parents=True)
    path.write_bytes(gzip.compress(bytes(content), 1) if compress else bytes(content))
    with contextlib.suppress(UserError):
        unpack(path, target)
    outside = {p for p in base.rglob("*") if target not in p.parents} - {base / "in", target, path}
    assert outside == set()
    assert not any(p.is_symlink() for p in base.rglob("*"))
