"""Read weight files as plain arrays, without following links and without executing content.

An HDF5 file can contain links to other files, arrays stored elsewhere, and arrays that decompress to any size. Keras writes
none of these, so a file that contains one is refused before an array is read.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from workflow_lib.base.errors import UserError
from workflow_lib.commands.audit import folder as safe
from workflow_lib.commands.audit import left_out, records
from workflow_lib.commands.audit.findings import Finding

OBJECTS = 100_000
DEPTH = 20
BYTES = 4 << 30
"""Size limit of all arrays of a file together. MIScnn's U-Net of depth 4 has 100 MB."""


def check(folder: Path, study: Path) -> Iterator[Finding | str]:
    """Check that the weight files contain arrays and nothing else. `study` is the private copy of the small files."""
    root, count, faults, declared = records.root_of(study), 0, 0, left_out.declared(study)
    for record in records.every(study):
        if record.step != "train":
            continue
        name = records.inside(record.outputs["weights"][0]["path"], root)
        if name in declared and not (folder / name).exists():
            continue
        count += 1
        try:
            shapes(safe.safe_path(folder, name))
        except UserError as error:
            faults += 1
            yield Finding(name, "fails", str(error))
    if count and not faults:
        yield Finding("weights", "holds", f"{count} files hold arrays of numbers and nothing that leads out of them")


def shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the shape of every array of a weight file.

    Raises UserError if the file is invalid or holds anything but arrays.
    """
    return {name: array.shape for name, array in _look(path, values=False).items()}


def read(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of a weight file by their path in it. Raises UserError as `shapes` does."""
    return _look(path, values=True)


def _look(path: Path, values: bool) -> dict[str, np.ndarray]:
    import h5py

    found: dict[str, np.ndarray] = {}
    total, seen = 0, 0
    try:
        with h5py.File(path, "r") as file:
            waiting = [(file["/"], "", 0)]
            while waiting:
                group, place, depth = waiting.pop()
                if depth > DEPTH:
                    raise UserError("its groups lie too deep in each other, which Keras's do not")
                for key in group:
                    seen += 1
                    if seen > OBJECTS:
                        raise UserError(f"it holds more than {OBJECTS} objects, which Keras's files do not")
                    name = f"{place}/{key}"
                    if not isinstance(group.get(key, getlink=True), h5py.HardLink):
                        raise UserError(f"{name} in it is a link that leads elsewhere, which Keras writes none of")
                    item = group[key]
                    if isinstance(item, h5py.Group):
                        waiting.append((item, name, depth + 1))
                        continue
                    total += _size(name, item)
                    if total > BYTES:
                        raise UserError(f"its arrays take more than {BYTES} bytes, so they are not read")
                    # If values are not needed, an array without memory of its own represents the shape.
                    found[name] = np.asarray(item[()]) if values else np.broadcast_to(np.float32(0), item.shape)
    except UserError:
        raise
    except (OSError, ValueError, KeyError, RuntimeError, TypeError, MemoryError) as error:
        raise UserError(f"cannot be read as weights ({str(error)[:200]})") from None
    return found


def _size(name: str, item: object) -> int:
    """Return the size of an array in bytes. Raises UserError if it is stored in another file or does not contain numbers."""
    import h5py

    if not isinstance(item, h5py.Dataset) or item.dtype.kind not in "fiub":
        raise UserError(f"{name} in it is not an array of numbers")
    if item.external or item.is_virtual:
        raise UserError(f"the values of {name} in it lie in another file, which Keras's do not")
    return int(item.size or 0) * int(item.dtype.itemsize)


def largest_difference(one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> float | None:
    """Return the largest absolute difference between the weights of two networks, or None if their layers differ."""
    if {name: array.shape for name, array in one.items()} != {name: array.shape for name, array in other.items()}:
        return None
    pairs = ((np.asarray(one[name], float), np.asarray(other[name], float)) for name in one)
    return max((float(np.max(np.abs(first - second))) for first, second in pairs if first.size), default=0.0)
