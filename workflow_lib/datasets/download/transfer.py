"""Transfer one file over HTTP: resumable, repeated with increasing pauses, and renamed only when it is complete."""

import errno
import gzip
import hashlib
import http.client
import os
import shutil
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from workflow_lib.base.errors import UserError

PAUSES = (2.0, 5.0, 15.0, 30.0, 60.0)
"""Seconds to wait before each further attempt."""
TIMEOUT = 60.0
"""Seconds without a response or a byte after which an attempt is given up."""
NO_USE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EEXIST)
"""Errors of the disk that another attempt cannot resolve."""
CHUNK = 1 << 20
LONGEST_PAUSE = 300.0
"""Longest pause in seconds that a server may request (Retry-After)."""
SLOWEST = 1000.0
"""Bytes per second below which a connection is closed and tried again."""
PATIENCE = 60.0
"""Seconds over which this rate is measured."""

Progress = Callable[[str], None]


class CommonFault(UserError):
    """A fault that probably affects the next file as well: no connection, a server that is down, a full disk."""


class _TryAgain(Exception):
    """A fault that another attempt may resolve. `after` is the pause in seconds that the server requests."""

    def __init__(self, reason: str, after: float = 0.0) -> None:
        super().__init__(reason)
        self.after = after


@dataclass(frozen=True)
class Manners:
    """The patience of a transfer, and the receivers of its progress.

    `received` is called with the number of received bytes, or of discarded ones (negative). `stop` ends all pauses and
    transfers.
    """

    pauses: Sequence[float] = PAUSES
    timeout: float = TIMEOUT
    slowest: float = SLOWEST
    patience: float = PATIENCE
    progress: Progress | None = None
    received: Callable[[int], None] | None = None
    stop: threading.Event = field(default_factory=threading.Event)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follow redirects to http and https addresses only."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        if not newurl.lower().startswith(("http://", "https://")):
            raise UserError(f"{req.full_url} leads to {newurl!r}, which is not a web address. Check the address.")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


_OPENER = urllib.request.build_opener(_Redirects)
_HEADERS = {"User-Agent": "workflow-lib", "Accept-Encoding": "identity"}


def check_address(url: str) -> None:
    """Raise UserError unless `url` is an http or https address with a host."""
    try:
        parts = urllib.parse.urlsplit(url)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound:
        raise UserError(
            f"Cannot download from {url!r}: the address must begin with http:// or https:// and a host. Files that lie on a disk "
            "of this machine are not downloaded: name their folder as `root`, with `source: folder`."
        )


def _request(url: str, headers: dict[str, str], method: str = "GET") -> urllib.request.Request:
    # Characters that are not allowed in an address, such as those of ../Größe/, are percent-encoded. Existing escapes are kept.
    return urllib.request.Request(urllib.parse.quote(url, safe="%/:=&?~#+!$,;'@()*[]"), headers=headers, method=method)


def remote_size(url: str, timeout: float = TIMEOUT) -> int | None:
    """Return the length of a file according to its server (HEAD), or None if unknown. Raises OSError without a connection."""
    try:
        with _OPENER.open(_request(url, _HEADERS, "HEAD"), timeout=timeout) as response:
            return None if "html" in response.headers.get("Content-Type", "") else _length(response)
    except (urllib.error.HTTPError, http.client.HTTPException, ValueError, UserError):
        return None


def fetch(
    url: str,
    destination: Path,
    expected_size: int | None = None,
    digest: str | None = None,
    check: Callable[[Path], None] | None = None,
    manners: Manners | None = None,
) -> Path:
    """Download `url` to `destination` and return `destination`.

    The bytes are collected in `<name>.part`. A later call continues it if the server still has the same file (`<name>.part.tag`
    stores its ETag or date). The file gets its final name when all of these hold: its length is the one that the server and
    `expected_size` give, its digest ("sha256:<hex>" or "md5:<hex>") is correct, it can be decompressed completely (if its name
    ends
    in .gz), and `check` accepts it. A UserError of `check` discards the file.
    Raises UserError if the address is refused, returns a web page or a file of another length, or if the transfer is stopped;
    raises its subclass CommonFault if the disk is full or all attempts failed.
    """
    manners = manners or Manners()
    check_address(url)
    part = destination.with_name(destination.name + ".part")
    reason, asked = "", 0.0
    for number, usual in enumerate((0.0, *manners.pauses)):
        pause = max(usual, min(asked, LONGEST_PAUSE))
        if number and manners.progress:
            manners.progress(f"{destination.name}: {reason}; attempt {number + 1} in {pause:g} s")
        if manners.stop.wait(pause):
            raise UserError(f"{destination.name}: stopped. What was fetched so far is kept; run again to go on.")
        try:
            destination.parent.mkdir(parents=True, exist_ok=True)
            _transfer(url, part, destination.name, expected_size, manners)
            _verify(url, part, destination.name, digest, check, manners)
        except (_TryAgain, http.client.HTTPException, OSError) as error:
            if isinstance(error, OSError) and error.errno in NO_USE:
                raise CommonFault(
                    f"Cannot write {part}: {error.strerror}. What was fetched is kept; solve this, and run again to continue."
                ) from error
            reason, asked = _readable(error), error.after if isinstance(error, _TryAgain) else 0.0
            continue
        except ValueError as error:
            raise UserError(f"{url} is not a valid address ({error}). Check the address.") from error
        part.replace(destination)
        _tag_of(part).unlink(missing_ok=True)
        return destination
    raise CommonFault(f"Could not download {url} in {len(manners.pauses) + 1} attempts; the last one: {reason}.")


def _readable(error: Exception) -> str:
    if isinstance(error, urllib.error.URLError):
        return f"no connection ({error.reason})"
    return str(error) or type(error).__name__


def _tag_of(part: Path) -> Path:
    return part.with_name(part.name + ".tag")


def _transfer(url: str, part: Path, name: str, expected_size: int | None, manners: Manners) -> None:
    """Append the missing bytes to `part`.

    Raises _TryAgain if the connection is lost, UserError if another attempt is useless.
    """
    have = part.stat().st_size if part.exists() else 0
    tag = _tag_of(part).read_text(encoding="utf-8", errors="replace") if have and _tag_of(part).exists() else ""
    headers = dict(_HEADERS)
    if tag and tag.isascii() and tag.isprintable():
        headers |= {"Range": f"bytes={have}-", "If-Range": tag}
    try:
        response = _OPENER.open(_request(url, headers), timeout=manners.timeout)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:
            if error.headers.get("Content-Range") == f"bytes */{have}":
                return  # the process was killed between the last byte and the renaming; the file is complete
            _discard(part, manners)
            raise _TryAgain("the server has another file than the one begun") from error
        if error.code in (408, 425, 429) or error.code >= 500:
            asked = _asked_pause(error.headers.get("Retry-After", ""))
            raise _TryAgain(f"the server answered {error.code} {error.reason}", asked) from error
        raise UserError(f"{url}: the server answered {error.code} {error.reason}. Check the address.") from error
    with response:
        if "html" in response.headers.get("Content-Type", ""):
            raise _web_page(url)
        resumed = response.status == 206 and _range_start(response.headers.get("Content-Range", "")) == have
        if response.status == 206 and not resumed:
            _discard(part, manners)
            raise _TryAgain("the server answered with another part of the file than the one asked for")
        total = _total(response, have if resumed else 0)
        if expected_size is not None and total is not None and total != expected_size:
            raise UserError(f"{url}: the server's file has {total} bytes, but {expected_size} are expected. It is another file.")
        have = have if resumed else 0
        _check_space(part, (total or expected_size or 0) - have)
        if not resumed:
            _discard(part, manners)
            _tag_of(part).write_text(_validator(response), encoding="utf-8")
        received = _receive(response, part, have, url, name, manners)
    wanted = total if total is not None else expected_size
    if wanted is not None and received != wanted:
        if received > wanted:
            _discard(part, manners)
        raise _TryAgain(f"the connection broke off after {received} of {wanted} bytes")


def _receive(response: http.client.HTTPResponse, part: Path, have: int, url: str, name: str, manners: Manners) -> int:
    """Append the bytes of the response to `part` and return its size. Bytes that arrive before an error are kept."""
    since, arrived = time.monotonic(), 0
    with open(part, "ab") as stream:
        try:
            # read1 returns the bytes that have arrived. read would wait for a complete chunk, even on a slow connection.
            while chunk := response.read1(CHUNK):
                if manners.stop.is_set():
                    raise UserError(f"{name}: stopped. What was fetched so far is kept; run again to go on.")
                if have == 0:
                    _refuse_text(url, name, chunk)
                stream.write(chunk)
                stream.flush()  # a killed process must not lose the bytes that arrived
                have += len(chunk)
                arrived += len(chunk)
                if manners.received:
                    manners.received(len(chunk))
                if time.monotonic() - since > manners.patience:
                    if arrived < manners.slowest * manners.patience:
                        raise _TryAgain(f"the server sends less than {manners.slowest:g} bytes a second")
                    since, arrived = time.monotonic(), 0
        except http.client.IncompleteRead as error:
            stream.write(error.partial)
            have += len(error.partial)
        finally:
            stream.flush()
            os.fsync(stream.fileno())
    return have


def _asked_pause(header: str) -> float:
    """Return the seconds of a Retry-After header, which contains a number or a date; 0 if it contains neither."""
    if header.isdecimal():
        return min(float(header), LONGEST_PAUSE)
    try:
        date = parsedate_to_datetime(header)
    except ValueError:
        return 0.0
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def _length(response: http.client.HTTPResponse) -> int | None:
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() and len(length) < 20 else None


def _total(response: http.client.HTTPResponse, start: int) -> int | None:
    """Return the size of the complete file. A response that begins at `start` may contain less than the rest."""
    total = response.headers.get("Content-Range", "").rpartition("/")[2]
    if start and total.isdecimal() and len(total) < 20:
        return int(total)
    length = _length(response)
    return None if length is None else start + length


def _range_start(header: str) -> int:
    """Return the first byte of a Content-Range header such as `bytes 100-199/200`, or -1."""
    start = header.removeprefix("bytes ").split("-")[0]
    return int(start) if start.isdecimal() and len(start) < 20 else -1


def _validator(response: http.client.HTTPResponse) -> str:
    """Return the identifier of this version of the remote file: a strong ETag, or the modification date."""
    etag = response.headers.get("ETag", "")
    return etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified", "")


def _refuse_text(url: str, name: str, start: bytes) -> None:
    """Raise UserError if the first bytes are a web page, a Git LFS pointer, or not gzip despite the name."""
    if start[:512].lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        raise _web_page(url)
    if start.startswith(b"version https://git-lfs"):
        raise UserError(f"{url} answers with a pointer of Git LFS in place of the file. Take the address of the file itself.")
    if name.endswith(".gz") and len(start) > 1 and not start.startswith(b"\x1f\x8b"):
        raise UserError(f"{url} answers with something that is not gzip, though {name} must be. Check the address.")


def _web_page(url: str) -> UserError:
    return UserError(
        f"{url} answers with a web page in place of the file: a login, a notice, or a proxy. Open it in a browser to see."
    )


def _check_space(part: Path, needed: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if needed > free:
        raise CommonFault(
            f"{part.parent}: {needed / 1e9:.2f} GB are needed, {free / 1e9:.2f} GB are free. Make room, then run again."
        )


def _discard(part: Path, manners: Manners) -> None:
    if manners.received and part.exists():
        manners.received(-part.stat().st_size)
    part.unlink(missing_ok=True)
    _tag_of(part).unlink(missing_ok=True)


def _verify(url: str, part: Path, name: str, digest: str | None, check: Callable[[Path], None] | None, manners: Manners) -> None:
    """Discard the bytes if they are not the expected file, and raise _TryAgain or the UserError of `check`."""
    try:
        with open(part, "rb") as stream:
            # Check again, because the first chunk may have been too short.
            _refuse_text(url, name, stream.read(512))
        fault = gzip_fault(part) if name.endswith(".gz") else ""
        if digest and not fault:
            fault = digest_fault(part, digest)
        if fault:
            raise _TryAgain(f"what arrived is damaged: {fault}")
        if check is not None:
            check(part)
    except (UserError, _TryAgain):
        _discard(part, manners)
        raise


def digest_fault(path: Path, digest: str) -> str:
    """Return how a file differs from its digest ("sha256:<hex>" or "md5:<hex>"), or an empty text."""
    algorithm, wanted = digest.split(":")
    with open(path, "rb") as stream:
        found = hashlib.file_digest(stream, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()
    return "" if found == wanted else f"its {algorithm} is {found}, not {wanted}"


def gzip_fault(path: Path) -> str:
    """Return why a gzip file cannot be decompressed completely, or an empty text. Raises OSError if it cannot be read."""
    try:
        with gzip.open(path) as stream:
            while stream.read(CHUNK):
                pass
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        return str(error) or type(error).__name__
    return ""
