"""Download a dataset that is distributed as one archive: fetch it, unpack it next to its destination, and move it there."""

import shutil
from pathlib import Path

from workflow_lib.base.errors import UserError
from workflow_lib.datasets.download.checksums import Checksums
from workflow_lib.datasets.download.job import LOCK, Job, begun, check_space, free_space, keep, meter_of, refuse_changed
from workflow_lib.datasets.download.progress import size
from workflow_lib.datasets.download.transfer import Manners, digest_fault, fetch, remote_size
from workflow_lib.datasets.download.unpacking import unpack
from workflow_lib.datasets.formats import registry
from workflow_lib.datasets.formats.interface import RemoteArchive


def fetch_archive(job: Job, remote: RemoteArchive) -> None:
    """Fetch and unpack the archive unless all its files exist. Raises UserError. A partially unpacked folder is removed."""
    root = job.root
    if is_complete(job.name, root):
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
    # The name is constant, so that the remains of a killed process are removed. The lock excludes other processes.
    folder = root.with_name(f".unpacking-{root.name}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        unpack(archive, folder)
        whole = folder / remote.folder
        if not is_complete(job.name, whole):
            raise UserError(
                f"{archive}, from {remote.url}, does not hold the whole dataset: {remote.folder}/ or files listed in it are "
                "missing. Delete it, and get it from the official address."
            )
        checksums = Checksums(whole)
        for path in files_of(job.name, whole):
            checksums.record(path)
        checksums.write()
        if root.exists():
            (root / LOCK).unlink(missing_ok=True)
            root.rmdir()
        whole.replace(root)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    archive.unlink()


def _fetch_whole(job: Job, remote: RemoteArchive, archive: Path) -> None:
    """Fetch the archive if the disk has room for it and its contents, which have about the same size."""
    expected = _archive_size(remote) or 0
    have = begun(archive)
    needed = max(0, 2 * expected - have)
    check_space(job.root, needed)
    message = f"{size(max(0, expected - have))} to fetch" if expected else "to fetch: the server does not say how much"
    job.say(f"{message}, {size(free_space(job.root))} free on the disk")
    meter = meter_of(job, expected, have)
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


def _compare_archive(job: Job) -> None:
    """Compare the files of an unpacked archive with their recorded digests, and record new ones. Raises Faults."""
    checksums = Checksums(job.root)
    states: dict[str, str] = {path: checksums.state(path) for path in files_of(job.name, job.root)}
    for path, state in states.items():
        if state == "new":
            checksums.record(path)
    keep(job, checksums)
    refuse_changed(job, states, "Move the folder away to fetch it again")


def files_of(name: str, root: Path) -> list[str]:
    """Return the paths of all files of all cases, relative to root."""
    return [path.relative_to(root).as_posix() for case in registry.find_cases(name, root) for path in case.files]


def is_complete(name: str, root: Path) -> bool:
    """Return whether every file of every case exists."""
    try:
        cases = registry.find_cases(name, root)
    except UserError:
        return False
    return all(path.is_file() for case in cases for path in case.files)
