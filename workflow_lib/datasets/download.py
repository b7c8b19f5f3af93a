"""Downloading datasets that are given out freely. What is there and sound is not fetched again."""

import shutil
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from workflow_lib.datasets import registry
from workflow_lib.datasets._format import RemoteArchive, RemoteFile
from workflow_lib.datasets._transfer import PAUSES, fetch, gzip_fault
from workflow_lib.errors import Faults, UserError

__all__ = ["download_dataset", "fetch"]

PARALLEL = 4
"""Files fetched at a time."""

Progress = Callable[[str], None]


def download_dataset(
    name: str,
    root: Path,
    url: str | None = None,
    progress: Progress | None = None,
    parallel: int = PARALLEL,
    pauses: Sequence[float] = PAUSES,
) -> None:
    """Bring the dataset of format `name` into `root`, from the mirror `url` or the official place.

    A call that broke off is continued by the next one; nothing half-fetched stands under a final name.
    Raises UserError, with the way to place the files by hand, where the data need a registration, the disk is too small, the
    network fails, or `root` holds something else.
    """
    module = registry.get(name)
    remote = module.downloads(root, url)
    if remote is None:
        raise UserError(f"{module.LABEL} cannot be downloaded without registration.\n{module.INSTRUCTIONS}")
    try:
        if isinstance(remote, RemoteArchive):
            _fetch_archive(name, remote, root, progress, pauses)
        else:
            _fetch_files(remote, root, progress, parallel, pauses)
    except UserError as error:
        raise UserError(f"{error}\n{module.INSTRUCTIONS}") from error


def _fetch_files(
    files: Sequence[RemoteFile], root: Path, progress: Progress | None, parallel: int, pauses: Sequence[float]
) -> None:
    with ThreadPoolExecutor(parallel) as pool:
        sound = list(pool.map(lambda file: _is_sound(root / file.path), files))
    missing = [file for file, there in zip(files, sound, strict=True) if not there]
    if progress:
        progress(f"{len(files) - len(missing)} of {len(files)} files are there; fetching {len(missing)}")
    _check_space(root, sum(file.about_bytes for file in missing))
    faults: list[str] = []

    def attempt(file: RemoteFile) -> bool:
        """Fetch one file, unless so many failed that the network must be to blame; return whether it was tried."""
        if len(faults) >= parallel:
            return False
        try:
            fetch(file.url, root / file.path, progress=progress, pauses=pauses)
            if progress:
                progress(f"{file.path}: done")
        except UserError as error:
            faults.append(str(error))
        return True

    with ThreadPoolExecutor(parallel) as pool:
        tried = sum(pool.map(attempt, missing))
    if faults:
        untried = f", {len(missing) - tried} were not tried" if tried < len(missing) else ""
        raise Faults(f"{len(faults)} of {len(files)} files could not be fetched{untried}; run again to go on:", sorted(faults))


def _is_sound(path: Path) -> bool:
    return path.is_file() and not gzip_fault(path)


def _fetch_archive(name: str, remote: RemoteArchive, root: Path, progress: Progress | None, pauses: Sequence[float]) -> None:
    if _is_complete(name, root):
        if progress:
            progress(f"{root}: all files are there")
        return
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise UserError(f"{root} holds something else than the whole dataset. Move it away or choose another `root`.")
    archive = fetch(remote.url, root.with_name(root.name + ".tar"), digest=remote.digest, progress=progress, pauses=pauses)
    _check_space(root, archive.stat().st_size)
    folder = Path(tempfile.mkdtemp(dir=root.parent, prefix=f".unpacking-{root.name}-"))
    try:
        _unpack(archive, folder)
        if not _is_complete(name, folder / remote.folder):
            raise UserError(f"{remote.url} does not hold the whole dataset: {remote.folder}/ or files listed in it are missing.")
        if root.exists():
            root.rmdir()
        (folder / remote.folder).replace(root)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    archive.unlink()


def _is_complete(name: str, root: Path) -> bool:
    """Return whether every file of every case is there."""
    try:
        cases = registry.find_cases(name, root)
    except UserError:
        return False
    return all(path.is_file() for case in cases for path in case.files)


def _unpack(archive: Path, folder: Path) -> None:
    """Unpack a tar archive into `folder`, without members that point outside it and without resource forks of macOS."""
    try:
        with tarfile.open(archive) as tar:
            members = [member for member in tar if not Path(member.name).name.startswith("._")]
            tar.extractall(folder, members, filter="data")
    except tarfile.FilterError as error:
        raise UserError(f"{archive} holds an unsafe path ({error}); it is not unpacked.") from error
    except (tarfile.TarError, EOFError) as error:
        raise UserError(f"{archive} is no sound tar archive ({error}). Delete it and run again.") from error


def _check_space(root: Path, needed: int) -> None:
    there = next(path for path in (root, *root.parents) if path.exists())
    free = shutil.disk_usage(there).free
    if needed > free:
        raise UserError(
            f"{root}: about {needed / 1e9:.1f} GB are needed, {free / 1e9:.1f} GB are free. Make room, then run again."
        )
