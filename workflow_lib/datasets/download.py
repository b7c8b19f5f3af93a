"""Downloading datasets that are given out freely. What is there and sound is not fetched again."""

import contextlib
import errno
import shutil
import sys
import threading
import urllib.parse
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from workflow_lib.datasets import registry
from workflow_lib.datasets._archives import unpack
from workflow_lib.datasets._checksums import FILE, Checksums
from workflow_lib.datasets._download_progress import Meter, size
from workflow_lib.datasets._format import RemoteArchive, RemoteFile
from workflow_lib.datasets._transfer import (
    PAUSES,
    CommonFault,
    Manners,
    check_address,
    digest_fault,
    fetch,
    gzip_fault,
    remote_size,
)
from workflow_lib.errors import Faults, UserError
from workflow_lib.files import sha256_file
from workflow_lib.volumes import read_header

__all__ = ["download_dataset", "fetch"]

PARALLEL = 4
"""Connections to a server at a time."""
LOCK = ".download.lock"
LONGEST_ROW = 20
"""Files of one server that may fail one after the other before the others are given up."""
_SHOWN = 20

Progress = Callable[[str], None]


@dataclass(frozen=True)
class _Job:
    """A download under way: where to, with how many connections, and whom it tells."""

    name: str
    root: Path
    progress: Progress | None
    parallel: int
    pauses: Sequence[float]

    def say(self, text: str) -> None:
        if self.progress:
            self.progress(text)


def download_dataset(
    name: str,
    root: Path,
    url: str | None = None,
    progress: Progress | None = None,
    parallel: int = PARALLEL,
    pauses: Sequence[float] = PAUSES,
) -> None:
    """Bring the dataset of format `name` into `root`, from the mirror `url` or the official place.

    A call that broke off is continued by the next one; nothing half-fetched stands under a final name. The SHA-256 of every file
    is kept in `checksums.json` when it is first seen and compared by each later call. Where all files are there and as recorded,
    no connection is made. Raises UserError, with the way to place the files by hand, where the data need a registration, the disk
    is too small, the network fails, a file has changed, `root` holds something else, or another process downloads into it.
    """
    module = registry.get(name)
    if url is not None:
        check_address(url)
    remote = module.downloads(Path.cwd() / root, url)
    if remote is None:
        raise UserError(f"{module.LABEL} cannot be downloaded without registration.\n{module.INSTRUCTIONS}")
    # Of a folder that is reached through a link, the neighbour and the lock are those of its real place.
    job = _Job(name, root.resolve(), progress, max(1, parallel), pauses)
    try:
        if _is_settled(job, remote):
            return
        with _only_one(job.root):
            if isinstance(remote, RemoteArchive):
                _fetch_archive(job, remote)
            else:
                _fetch_files(job, remote)
    except UserError as error:
        raise UserError(f"{error}\n{module.INSTRUCTIONS}") from error
    except OSError as error:
        raise UserError(
            f"Cannot read or write {error.filename or job.root}: {error.strerror or error}. What was fetched so far is kept; "
            "mend that, and run again to go on."
        ) from error


def _is_settled(job: _Job, remote: Sequence[RemoteFile] | RemoteArchive) -> bool:
    """Return whether all files are there and as recorded. Any number of processes may look at the same time."""
    if isinstance(remote, RemoteArchive):
        if not _is_complete(job.name, job.root):
            return False
        paths = _files_of(job.name, job.root)
    else:
        paths = [file.path for file in remote]
    checksums = Checksums(job.root)
    if not all(map(checksums.seems_same, paths)):
        return False
    if not isinstance(remote, RemoteArchive):
        _compare_shapes(job)
    job.say(f"{job.root}: all {len(paths)} files are there, as they were when they were first seen")
    return True


@contextlib.contextmanager
def _only_one(root: Path) -> Iterator[None]:
    """Hold the lock of a folder. It ends with the process, so that none stays behind a killed one."""
    stream = _lock_file(root)
    if stream is None:
        # A place that cannot be written: if something is to be fetched, that will be told.
        yield
        return
    with stream:
        try:
            import fcntl

            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:
            pass  # no locks on this system
        except OSError as error:
            # Some network file systems have no locks either.
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                raise UserError(f"Another process is downloading into {root}. Wait for it, or stop it first.") from error
        yield


def _lock_file(root: Path) -> IO[str] | None:
    """Open the file beside `root` that is locked, since an archive replaces `root` itself; or else one in it; or none."""
    for path in (root.with_name(f".{root.name}{LOCK}"), root / LOCK):
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            return open(path, "w", encoding="utf-8")
    return None


def _fetch_files(job: _Job, files: Sequence[RemoteFile]) -> None:
    checksums = Checksums(job.root)
    with ThreadPoolExecutor(job.parallel) as pool:
        states = dict(zip([file.path for file in files], pool.map(lambda file: _look(job, checksums, file), files), strict=True))
    _keep(job, checksums)
    _refuse_changed(job, states, "Delete them to fetch them again")
    missing = [file for file in files if states[file.path] == "missing"]
    told: list[str] = []
    try:
        if missing:
            job.say(f"{len(files) - len(missing)} of {len(files)} files are there; fetching {len(missing)}")
            _fetch_missing(job, checksums, missing, len(files))
        else:
            job.say(f"{job.root}: all {len(files)} files are there")
    except Faults as faults:
        told.append(str(faults))
    try:
        _compare_shapes(job)
    except Faults as faults:
        told.append(str(faults))
    if told:
        raise UserError("\n".join(told))


def _look(job: _Job, checksums: Checksums, file: RemoteFile) -> str:
    """Return the state of a file. One that is seen for the first time is recorded; it counts as missing if it is cut short or
    damaged, and if it cannot be read, or is no image, the state says so.
    """  # noqa: D205
    try:
        state = checksums.state(file.path)
        if state != "new":
            return state
        path = job.root / file.path
        fault = gzip_fault(path) if path.name.endswith(".gz") else ""
        if fault:
            job.say(f"{path} is cut short or damaged ({fault}); it is fetched again")
            return "missing"
        _check_header(path)
        checksums.record(file.path)
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    except UserError as error:
        return str(error)
    return "new"


def _keep(job: _Job, checksums: Checksums) -> None:
    """Write the checksums. A folder that cannot be written, where all files are there, is no fault."""
    try:
        checksums.write()
    except UserError as error:
        job.say(f"the checksums cannot be kept: {error}")


def _refuse_changed(job: _Job, states: Mapping[str, str], remedy: str) -> None:
    """Raise Faults where files are no longer what they were, or were never what they should be."""
    known = {"changed": "is no longer what it was when it was first seen"}
    faults = [f"{path}: {known.get(state, state)}" for path, state in states.items() if state not in ("missing", "new", "same")]
    if faults:
        raise Faults(
            f"{len(faults)} file(s) in {job.root} cannot be used. {remedy}; if a change was meant, delete the entry in {FILE}:",
            _first(faults),
        )


def _fetch_missing(job: _Job, checksums: Checksums, missing: Sequence[RemoteFile], count: int) -> None:
    sizes = _sizes(job, missing)
    begun = sum(_begun(job.root / file.path) for file in missing)
    needed = max(0, sum(sizes) - begun)
    _check_space(job.root, needed)
    job.say(f"{size(needed)} to fetch, {size(_free(job.root))} free on the disk")
    meter = _meter(job, sum(sizes), begun)
    manners = Manners(pauses=job.pauses, progress=meter.say, received=meter.add)
    faults: list[str] = []
    rows: dict[str, list[bool]] = defaultdict(list)

    def attempt(file: RemoteFile) -> bool:
        """Fetch one file, unless so many of its server failed in a row that more are no use; return whether it was tried."""
        row = rows[urllib.parse.urlsplit(file.url).netloc]
        if manners.stop.is_set() or sum(row) >= job.parallel or len(row) >= LONGEST_ROW:
            return False
        try:
            fetch(file.url, job.root / file.path, check=lambda part: _accept(checksums, file, part), manners=manners)
            checksums.record(file.path)
            checksums.write()
        except UserError as error:
            faults.append(str(error))
            row.append(isinstance(error, CommonFault))
        else:
            row.clear()
        return True

    try:
        tried = _in_parallel(attempt, missing, job.parallel, manners.stop)
    finally:
        meter.close()
    if faults:
        untried = f", {len(missing) - tried} were not tried" if tried < len(missing) else ""
        raise Faults(f"{len(faults)} of {count} files could not be fetched{untried}; run again to go on:", _first(sorted(faults)))
    job.say(f"{len(missing)} files fetched")


def _meter(job: _Job, total: int, have: int) -> Meter:
    terminal = sys.stdout if job.progress is not None and sys.stdout.isatty() else None
    return Meter(total, job.progress, have=have, terminal=terminal)


def _first(faults: Sequence[str]) -> list[str]:
    more = [f"and {len(faults) - _SHOWN} more"] if len(faults) > _SHOWN else []
    return [*faults[:_SHOWN], *more]


def _in_parallel(attempt: Callable[[RemoteFile], bool], files: Sequence[RemoteFile], parallel: int, stop: threading.Event) -> int:
    """Return how many files were tried. An interruption stops the transfers under way, whose bytes are kept, and goes on."""
    with ThreadPoolExecutor(parallel) as pool:
        try:
            return sum(pool.map(attempt, files))
        except BaseException:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _accept(checksums: Checksums, file: RemoteFile, part: Path) -> None:
    """Raise UserError unless a file that arrived is an image, and the one that was first seen under this name."""
    _check_header(part)
    first = checksums.recorded(file.path)
    if first is not None and sha256_file(part) != first:
        raise UserError(
            f"{file.url} is no longer the file that was first seen as {file.path} (SHA-256 {first}). If the new one is wanted, "
            f"delete its entry in {FILE}."
        )


def _check_header(path: Path) -> None:
    """Raise UserError unless a file begins with a sound NIfTI header, for the names that are NIfTI."""
    if path.name.removesuffix(".part").endswith((".nii", ".nii.gz")):
        read_header(path)


def _sizes(job: _Job, files: Sequence[RemoteFile]) -> list[int]:
    """Return the bytes of the files as their servers say, or else about as many as such files have.

    Where the first servers cannot be reached, no more are asked: the transfer will tell.
    """
    unreachable = threading.Event()

    def ask(file: RemoteFile) -> int:
        if unreachable.is_set():
            return file.about_bytes
        try:
            return remote_size(file.url) or file.about_bytes
        except (OSError, ValueError):
            unreachable.set()
            return file.about_bytes

    with ThreadPoolExecutor(job.parallel) as pool:
        return list(pool.map(ask, files))


def _begun(path: Path) -> int:
    part = path.with_name(path.name + ".part")
    return part.stat().st_size if part.is_file() else 0


def _compare_shapes(job: _Job) -> None:
    """Compare the headers of every image and its masks. Raises Faults that names the pairs which differ."""
    try:
        cases = registry.find_cases(job.name, job.root)
    except UserError:
        return  # nothing was fetched, which is told
    faults = []
    for case in cases:
        for mask in case.masks:
            pair = (case.images[0], mask)
            if all(path.is_file() for path in pair):
                shapes = [read_header(path).shape for path in pair]
                if shapes[0] != shapes[1]:
                    faults.append(f"{case.id}: the image has {shapes[0]} voxels, its mask {shapes[1]}")
    if faults:
        raise Faults(
            f"{len(faults)} images do not fit their masks. Delete both files of each case, and their entries in "
            f"{job.root / FILE}, then run again:",
            _first(faults),
        )


def _fetch_archive(job: _Job, remote: RemoteArchive) -> None:
    root = job.root
    if _is_complete(job.name, root):
        _compare_archive(job)
        job.say(f"{root}: all files are there")
        return
    if root.exists() and (not root.is_dir() or any(path.name != LOCK for path in root.iterdir())):
        raise UserError(f"{root} holds something else than the whole dataset. Move it away or choose another `root`.")
    archive = root.with_name(root.name + ".tar")
    if archive.is_file() and not (remote.digest and digest_fault(archive, remote.digest)):
        job.say(f"{archive} was fetched before; unpacking it")
    else:
        _fetch_whole(job, remote, archive)
    # Always the same name: what a killed process left there is cleared away. The lock is ours.
    folder = root.with_name(f".unpacking-{root.name}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        unpack(archive, folder)
        whole = folder / remote.folder
        if not _is_complete(job.name, whole):
            raise UserError(
                f"{archive}, from {remote.url}, does not hold the whole dataset: {remote.folder}/ or files listed in it are "
                "missing. Delete it, and get it from the official address."
            )
        checksums = Checksums(whole)
        for path in _files_of(job.name, whole):
            checksums.record(path)
        checksums.write()
        if root.exists():
            (root / LOCK).unlink(missing_ok=True)
            root.rmdir()
        whole.replace(root)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    archive.unlink()


def _fetch_whole(job: _Job, remote: RemoteArchive, archive: Path) -> None:
    """Fetch the archive, if the disk holds it and what it unpacks to, which is about as much again."""
    expected = _archive_size(remote) or 0
    begun = _begun(archive)
    needed = max(0, 2 * expected - begun)
    _check_space(job.root, needed)
    told = f"{size(max(0, expected - begun))} to fetch" if expected else "to fetch: the server does not say how much"
    job.say(f"{told}, {size(_free(job.root))} free on the disk")
    meter = _meter(job, expected, begun)
    try:
        fetch(
            remote.url,
            archive,
            digest=remote.digest,
            manners=Manners(pauses=job.pauses, progress=meter.say, received=meter.add),
        )
    finally:
        meter.close()


def _archive_size(remote: RemoteArchive) -> int | None:
    try:
        return remote_size(remote.url)
    except (OSError, ValueError):
        return None


def _compare_archive(job: _Job) -> None:
    """Compare the files of an unpacked archive with their records, and record those that have none. Raises Faults."""
    checksums = Checksums(job.root)
    states: dict[str, str] = {path: checksums.state(path) for path in _files_of(job.name, job.root)}
    for path, state in states.items():
        if state == "new":
            checksums.record(path)
    _keep(job, checksums)
    _refuse_changed(job, states, "Move the folder away to fetch it again")


def _files_of(name: str, root: Path) -> list[str]:
    return [path.relative_to(root).as_posix() for case in registry.find_cases(name, root) for path in case.files]


def _is_complete(name: str, root: Path) -> bool:
    """Return whether every file of every case is there."""
    try:
        cases = registry.find_cases(name, root)
    except UserError:
        return False
    return all(path.is_file() for case in cases for path in case.files)


def _free(root: Path) -> int:
    there = next(path for path in (root, *root.parents) if path.exists())
    return shutil.disk_usage(there).free


def _check_space(root: Path, needed: int) -> None:
    free = _free(root)
    if needed > free:
        raise UserError(f"{root}: about {size(needed)} are needed, {size(free)} are free. Make room, then run again.")
