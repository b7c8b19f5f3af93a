"""Download datasets that are freely available. Files that are already present and intact are not fetched again."""

import contextlib
import errno
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from workflow_lib.base.errors import UserError
from workflow_lib.datasets.download.archive import fetch_archive, files_of, is_complete
from workflow_lib.datasets.download.checksums import Checksums
from workflow_lib.datasets.download.files import compare_shapes, fetch_files
from workflow_lib.datasets.download.job import LOCK, Job, Progress
from workflow_lib.datasets.download.transfer import PAUSES, check_address
from workflow_lib.datasets.formats import registry
from workflow_lib.datasets.formats.interface import RemoteArchive, RemoteFile

PARALLEL = 4
"""Simultaneous connections to a server."""


def download_dataset(
    name: str,
    root: Path,
    url: str | None = None,
    progress: Progress | None = None,
    parallel: int = PARALLEL,
    pauses: Sequence[float] = PAUSES,
) -> None:
    """Download the dataset of format `name` into `root`, from the mirror `url` or the official address.

    An interrupted download is continued by the next call; an incomplete file never has its final name. The SHA-256 of every
    file
    is stored in `checksums.json` when it is first seen, and compared in later calls. If all files are present and unchanged, no
    connection is made. Raises UserError, with instructions to place the files by hand, if the dataset requires registration,
    the
    disk is too small, the network fails, a file has changed, `root` contains something else, or another process downloads into
    it.
    """
    module = registry.get(name)
    if url is not None:
        check_address(url)
    remote = module.downloads(Path.cwd() / root, url)
    if remote is None:
        raise UserError(f"{module.LABEL} cannot be downloaded without registration.\n{module.INSTRUCTIONS}")
    # If the folder is reached through a link, the archive and the lock file are put next to the real folder.
    job = Job(name, root.resolve(), progress, max(1, parallel), pauses)
    try:
        if _is_settled(job, remote):
            return
        with _only_one(job.root):
            if isinstance(remote, RemoteArchive):
                fetch_archive(job, remote)
            else:
                fetch_files(job, remote)
    except UserError as error:
        raise UserError(f"{error}\n{module.INSTRUCTIONS}") from error
    except OSError as error:
        raise UserError(
            f"Cannot read or write {error.filename or job.root}: {error.strerror or error}. What was fetched so far is kept; "
            "solve this, and run again to continue."
        ) from error


def _is_settled(job: Job, remote: Sequence[RemoteFile] | RemoteArchive) -> bool:
    """Return whether all files are present and unchanged. Needs no lock."""
    if isinstance(remote, RemoteArchive):
        if not is_complete(job.name, job.root):
            return False
        paths = files_of(job.name, job.root)
    else:
        paths = [file.path for file in remote]
    checksums = Checksums(job.root)
    if not all(map(checksums.seems_same, paths)):
        return False
    if not isinstance(remote, RemoteArchive):
        compare_shapes(job)
    job.say(f"{job.root}: all {len(paths)} files are there, as they were when they were first seen")
    return True


@contextlib.contextmanager
def _only_one(root: Path) -> Iterator[None]:
    """Hold the lock of a folder. The system releases it when the process ends, even if it is killed."""
    stream = _lock_file(root)
    if stream is None:
        # The place is not writable. If something must be fetched, this is reported later.
        yield
        return
    with stream:
        try:
            import fcntl

            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:
            pass  # no locks on this system
        except OSError as error:
            # Some network file systems do not support locks either.
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                raise UserError(f"Another process is downloading into {root}. Wait for it, or stop it first.") from error
        yield


def _lock_file(root: Path) -> IO[str] | None:
    """Open the lock file next to `root` (an archive replaces `root` itself), else one inside it, else return None."""
    for path in (root.with_name(f".{root.name}{LOCK}"), root / LOCK):
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            return open(path, "w", encoding="utf-8")
    return None
