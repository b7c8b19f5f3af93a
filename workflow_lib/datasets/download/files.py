"""Download a dataset that is distributed as single files: fetch the missing ones, several at a time."""

import threading
import urllib.parse
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from workflow_lib.base.errors import Faults, UserError
from workflow_lib.base.files import sha256_file
from workflow_lib.datasets.download.checksums import FILE, Checksums
from workflow_lib.datasets.download.job import Job, begun, check_space, free_space, keep, meter_of, refuse_changed
from workflow_lib.datasets.download.progress import size
from workflow_lib.datasets.download.transfer import CommonFault, Manners, fetch, gzip_fault, remote_size
from workflow_lib.datasets.formats import registry
from workflow_lib.datasets.formats.interface import RemoteFile
from workflow_lib.datasets.formats.layouts import raise_faults
from workflow_lib.images.volumes import read_header

LONGEST_ROW = 20
"""Consecutive failures of one server after which its other files are not tried."""


def fetch_files(job: Job, files: Sequence[RemoteFile]) -> None:
    """Check the present files and fetch the missing ones. Raises UserError with all faults, of files and of pairs."""
    checksums = Checksums(job.root)
    with ThreadPoolExecutor(job.parallel) as pool:
        states = dict(zip([file.path for file in files], pool.map(lambda file: _look(job, checksums, file), files), strict=True))
    keep(job, checksums)
    refuse_changed(job, states, "Delete them to fetch them again")
    missing = [file for file in files if states[file.path] == "missing"]
    messages: list[str] = []
    try:
        if missing:
            job.say(f"{len(files) - len(missing)} of {len(files)} files are there; fetching {len(missing)}")
            _fetch_missing(job, checksums, missing, len(files))
        else:
            job.say(f"{job.root}: all {len(files)} files are there")
    except Faults as faults:
        messages.append(str(faults))
    try:
        compare_shapes(job)
    except Faults as faults:
        messages.append(str(faults))
    if messages:
        raise UserError("\n".join(messages))


def _look(job: Job, checksums: Checksums, file: RemoteFile) -> str:
    """Return the state of a file; a file that is seen for the first time is checked and recorded.

    A truncated or damaged file counts as missing. If a file is unreadable or not an image, the state is an error message.
    """
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


def _fetch_missing(job: Job, checksums: Checksums, missing: Sequence[RemoteFile], count: int) -> None:
    sizes = _sizes(job, missing)
    have = sum(begun(job.root / file.path) for file in missing)
    needed = max(0, sum(sizes) - have)
    check_space(job.root, needed)
    job.say(f"{size(needed)} to fetch, {size(free_space(job.root))} free on the disk")
    meter = meter_of(job, sum(sizes), have)
    manners = Manners(pauses=job.pauses, progress=meter.say, received=meter.add)
    faults: list[str] = []
    rows: dict[str, list[bool]] = defaultdict(list)

    def attempt(file: RemoteFile) -> bool:
        """Fetch one file, unless its server has failed too often in a row. Return whether it was tried."""
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
    untried = f", {len(missing) - tried} were not tried" if tried < len(missing) else ""
    raise_faults(f"{len(faults)} of {count} files could not be fetched{untried}; run again to go on:", sorted(faults))
    job.say(f"{len(missing)} files fetched")


def _in_parallel(attempt: Callable[[RemoteFile], bool], files: Sequence[RemoteFile], parallel: int, stop: threading.Event) -> int:
    """Return the number of files that were tried. On an interrupt, stop the transfers, keep their bytes, and raise it again."""
    with ThreadPoolExecutor(parallel) as pool:
        try:
            return sum(pool.map(attempt, files))
        except BaseException:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _accept(checksums: Checksums, file: RemoteFile, part: Path) -> None:
    """Raise UserError unless a received file is an image and, if its name was seen before, has the recorded digest."""
    _check_header(part)
    first = checksums.recorded(file.path)
    if first is not None and sha256_file(part) != first:
        raise UserError(
            f"{file.url} differs from the file that was first seen as {file.path} (SHA-256 {first}). If the new one is wanted, "
            f"delete its entry in {FILE}."
        )


def _check_header(path: Path) -> None:
    """Raise UserError if a file with a NIfTI name has no valid NIfTI header."""
    if path.name.removesuffix(".part").endswith((".nii", ".nii.gz")):
        read_header(path)


def _sizes(job: Job, files: Sequence[RemoteFile]) -> list[int]:
    """Return the sizes of the files according to their servers, or else typical sizes.

    If a server cannot be reached, the remaining ones are not asked. The transfer will report the error.
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


def compare_shapes(job: Job) -> None:
    """Compare the header of every image with those of its masks. Raises Faults with all pairs that differ."""
    try:
        cases = registry.find_cases(job.name, job.root)
    except UserError:
        return  # nothing was fetched, which has been reported
    faults = []
    for case in cases:
        for mask in case.masks:
            pair = (case.images[0], mask)
            if all(path.is_file() for path in pair):
                shapes = [read_header(path).shape for path in pair]
                if shapes[0] != shapes[1]:
                    faults.append(f"{case.id}: the image has {shapes[0]} voxels, its mask {shapes[1]}")
    remedy = f"Delete both files of each case, and their entries in {job.root / FILE}, then run again:"
    raise_faults(f"{len(faults)} images do not fit their masks. {remedy}", faults)
