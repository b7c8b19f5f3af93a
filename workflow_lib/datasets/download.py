"""Downloading datasets that are given out freely. What is there and sound is not fetched again."""

import contextlib
import errno
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from workflow_lib.datasets import registry
from workflow_lib.datasets._archives import unpack
from workflow_lib.datasets._checksums import FILE, Checksums
from workflow_lib.datasets._download_progress import Meter, size
from workflow_lib.datasets._format import RemoteArchive, RemoteFile
from workflow_lib.datasets._transfer import PAUSES, Manners, fetch, gzip_fault, remote_size
from workflow_lib.errors import Faults, UserError
from workflow_lib.files import sha256_file
from workflow_lib.volumes import read_header

__all__ = ["download_dataset", "fetch"]

PARALLEL = 4
"""Connections to a server at a time."""
LOCK = ".download.lock"
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
    remote = module.downloads(root, url)
    if remote is None:
        raise UserError(f"{module.LABEL} cannot be downloaded without registration.\n{module.INSTRUCTIONS}")
    job = _Job(name, root, progress, max(1, parallel), pauses)
    try:
        with _only_one(root):
            if isinstance(remote, RemoteArchive):
                _fetch_archive(job, remote)
            else:
                _fetch_files(job, remote)
    except UserError as error:
        raise UserError(f"{error}\n{module.INSTRUCTIONS}") from error


@contextlib.contextmanager
def _only_one(root: Path) -> Iterator[None]:
    """Hold the lock of a folder. It ends with the process, so that none stays behind a killed one."""
    try:
        import fcntl

        root.parent.mkdir(parents=True, exist_ok=True)
        stream = open(root.with_name(f".{root.name}{LOCK}"), "w", encoding="utf-8")  # noqa: SIM115 -- held over the work
    except (ImportError, OSError):
        # No locks on this system, or a place that cannot be written: if something is to be fetched, that will be told.
        yield
        return
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                raise UserError(f"Another process is downloading into {root}. Wait for it, or stop it first.") from error
        yield


def _fetch_files(job: _Job, files: Sequence[RemoteFile]) -> None:
    checksums = Checksums(job.root)
    with ThreadPoolExecutor(job.parallel) as pool:
        states = dict(zip([file.path for file in files], pool.map(lambda file: _look(job, checksums, file), files), strict=True))
    _keep(job, checksums)
    _refuse_changed(job, states, "Delete them to fetch them again")
    missing = [file for file in files if states[file.path] == "missing"]
    if missing:
        job.say(f"{len(files) - len(missing)} of {len(files)} files are there; fetching {len(missing)}")
        _fetch_missing(job, checksums, missing, len(files))
    else:
        job.say(f"{job.root}: all {len(files)} files are there")
    if any(state != "same" for state in states.values()):
        _compare_shapes(job)


def _look(job: _Job, checksums: Checksums, file: RemoteFile) -> str:
    """Return the state of a file. One that is seen for the first time is recorded; it counts as missing if it is cut short or
    damaged, and if it is no image, the state says so.
    """  # noqa: D205
    state = checksums.state(file.path)
    if state != "new":
        return state
    path = job.root / file.path
    if gzip_fault(path):
        return "missing"
    try:
        _check_header(path)
    except UserError as error:
        return str(error)
    checksums.record(file.path)
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
        more = [f"and {len(faults) - _SHOWN} more"] if len(faults) > _SHOWN else []
        raise Faults(
            f"{len(faults)} file(s) in {job.root} cannot be used. {remedy}; if a change was meant, delete the entry in {FILE}:",
            [*faults[:_SHOWN], *more],
        )


def _fetch_missing(job: _Job, checksums: Checksums, missing: Sequence[RemoteFile], count: int) -> None:
    sizes = _sizes(job, missing)
    begun = sum(_begun(job.root / file.path) for file in missing)
    total = max(0, sum(sizes) - begun)
    _check_space(job.root, total)
    job.say(f"{size(total)} to fetch, {size(_free(job.root))} free on the disk")
    meter = Meter(total, job.progress)
    manners = Manners(pauses=job.pauses, progress=job.progress, received=meter.add)
    faults: list[str] = []

    def attempt(file: RemoteFile) -> bool:
        """Fetch one file, unless so many failed that the network must be to blame; return whether it was tried."""
        if len(faults) >= job.parallel or manners.stop.is_set():
            return False
        try:
            fetch(file.url, job.root / file.path, check=lambda part: _accept(checksums, file, part), manners=manners)
            checksums.record(file.path)
            checksums.write()
        except UserError as error:
            faults.append(str(error))
        return True

    tried = _in_parallel(attempt, missing, job.parallel, manners.stop)
    if faults:
        untried = f", {len(missing) - tried} were not tried" if tried < len(missing) else ""
        raise Faults(f"{len(faults)} of {count} files could not be fetched{untried}; run again to go on:", sorted(faults))
    job.say(f"{len(missing)} files fetched")


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
    faults = []
    for case in registry.find_cases(job.name, job.root):
        for mask in case.masks:
            pair = (case.images[0], mask)
            if all(path.is_file() for path in pair):
                shapes = [read_header(path).shape for path in pair]
                if shapes[0] != shapes[1]:
                    faults.append(f"{case.id}: the image has {shapes[0]} voxels, its mask {shapes[1]}")
    if faults:
        raise Faults(
            f"{len(faults)} images do not fit their masks. Delete both files of each case, and run again:", faults[:_SHOWN]
        )


def _fetch_archive(job: _Job, remote: RemoteArchive) -> None:
    root = job.root
    if _is_complete(job.name, root):
        _compare_archive(job)
        job.say(f"{root}: all files are there")
        return
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise UserError(f"{root} holds something else than the whole dataset. Move it away or choose another `root`.")
    expected = _archive_size(remote)
    _check_space(root, 2 * (expected or 0))
    meter = Meter(expected or 0, job.progress)
    manners = Manners(pauses=job.pauses, progress=job.progress, received=meter.add)
    archive = fetch(remote.url, root.with_name(root.name + ".tar"), digest=remote.digest, manners=manners)
    folder = Path(tempfile.mkdtemp(dir=root.parent, prefix=f".unpacking-{root.name}-"))
    try:
        unpack(archive, folder)
        whole = folder / remote.folder
        if not _is_complete(job.name, whole):
            raise UserError(f"{remote.url} does not hold the whole dataset: {remote.folder}/ or files listed in it are missing.")
        checksums = Checksums(whole)
        for path in _files_of(job.name, whole):
            checksums.record(path)
        checksums.write()
        if root.exists():
            root.rmdir()
        whole.replace(root)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    archive.unlink()


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
        raise UserError(
            f"{root}: about {needed / 1e9:.1f} GB are needed, {free / 1e9:.1f} GB are free. Make room, then run again."
        )
