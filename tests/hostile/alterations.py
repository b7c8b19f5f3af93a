"""Alterations of a dataset, each a thing that happens to files. They say what they did in `Dataset.notes`."""

import gzip
import io
import json
import os
import shutil
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from PIL import Image

from tests.hostile.sound import AFFINE, Dataset, save

Alteration = Callable[[Dataset, np.random.Generator], str | None]
"""Changes files and returns what it did, or None if the dataset has no such file."""

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"4" * 64 + b"\nsize 12345\n"
VOLUMES = (".nii", ".nii.gz")
PICTURES = (".png", ".tif", ".gif")


def alter(dataset: Dataset, rng: np.random.Generator) -> None:
    """Apply one alteration that fits the dataset, sometimes a second one."""
    for _ in range(1 + (rng.random() < 0.25)):
        for index in rng.permutation(len(ALTERATIONS)):
            note = ALTERATIONS[index](dataset, rng)
            if note is not None:
                dataset.notes.append(f"{ALTERATIONS[index].__name__.strip('_')}: {note}")
                break


def _choose(paths: list[Path], rng: np.random.Generator) -> Path | None:
    there = [path for path in paths if path.is_file() and not path.is_symlink()]
    return there[int(rng.integers(len(there)))] if there else None


def _any(dataset: Dataset, rng: np.random.Generator, *endings: str) -> Path | None:
    return _choose(dataset.files(*endings), rng)


def _of(dataset: Dataset, rng: np.random.Generator, mask: bool, *endings: str) -> Path | None:
    return _choose([path for path in dataset.files(*endings) if (path in dataset.masks) == mask], rng)


def _short(dataset: Dataset, path: Path) -> str:
    return str(path.relative_to(dataset.root))


# Whole files.


def _truncated(dataset: Dataset, rng: np.random.Generator) -> str | None:
    path = _any(dataset, rng)
    if path is None:
        return None
    content = path.read_bytes()
    kept = int(rng.integers(0, max(len(content), 1)))
    path.write_bytes(content[:kept])
    return f"{_short(dataset, path)} to {kept} of {len(content)} bytes"


def _replaced(dataset: Dataset, rng: np.random.Generator) -> str | None:
    path = _any(dataset, rng)
    kinds = {
        "empty": b"",
        "a web page": b"<!DOCTYPE html><html><body>404</body></html>",
        "a pointer of Git LFS": POINTER,
        "zeros": bytes(4096),
        "noise": rng.bytes(2048),
        "compressed noise": gzip.compress(rng.bytes(3000)),
        "text": b"see the shared drive\n",
    }
    if path is None:
        return None
    kind = list(kinds)[int(rng.integers(len(kinds)))]
    path.write_bytes(kinds[kind])
    return f"{_short(dataset, path)} by {kind}"


def _flipped_bits(dataset: Dataset, rng: np.random.Generator) -> str | None:
    path = _any(dataset, rng)
    if path is None:
        return None
    content = bytearray(path.read_bytes())
    for _ in range(int(rng.integers(1, 4))):
        if content:
            content[int(rng.integers(len(content)))] ^= 1 << int(rng.integers(8))
    path.write_bytes(bytes(content))
    return _short(dataset, path)


def _swapped(dataset: Dataset, rng: np.random.Generator) -> str | None:
    first, second = _any(dataset, rng), _any(dataset, rng)
    if first is None or second is None or first.suffix != second.suffix:
        return None
    one, other = first.read_bytes(), second.read_bytes()
    first.write_bytes(other)
    second.write_bytes(one)
    return f"{_short(dataset, first)} and {_short(dataset, second)}"


def _removed(dataset: Dataset, rng: np.random.Generator) -> str | None:
    path = _any(dataset, rng)
    if path is None:
        return None
    path.unlink()
    _forget(dataset, path)
    return _short(dataset, path)


def _forget(dataset: Dataset, path: Path) -> None:
    case = dataset.owners[path]
    if not any(os.path.lexists(other) for other, owner in dataset.owners.items() if owner == case):
        dataset.gone.add(case)


def _folder_in_place(dataset: Dataset, rng: np.random.Generator) -> str | None:
    path = _any(dataset, rng)
    if path is None:
        return None
    path.unlink()
    path.mkdir()
    (path / "inside.txt").write_text("x")
    return _short(dataset, path)


def _link(dataset: Dataset, rng: np.random.Generator) -> str | None:
    path, other = _any(dataset, rng), _any(dataset, rng)
    if path is None or other is None or path.suffix != other.suffix or path == other:
        return None
    path.unlink()
    kind = int(rng.integers(4))
    target = [other, dataset.root / "nowhere.nii.gz", path, other.parent][kind]
    path.symlink_to(target)
    return f"{_short(dataset, path)} leads to {('another file', 'nothing', 'itself', 'a folder')[kind]}"


def _pipe(dataset: Dataset, rng: np.random.Generator) -> str | None:
    path = _any(dataset, rng)
    if path is None:
        return None
    path.unlink()
    os.mkfifo(path)
    return _short(dataset, path)


def _double(dataset: Dataset, rng: np.random.Generator) -> str | None:
    """Copy the image and mask of one case over those of another."""
    cases = dataset.cases
    if len(cases) < 2:
        return None
    first, second = rng.choice(cases, 2, replace=False)
    sources = [path for path in sorted(dataset.owners) if dataset.owners[path] == first]
    targets = [path for path in sorted(dataset.owners) if dataset.owners[path] == second]
    if len(sources) != len(targets) or not all(path.is_file() for path in (*sources, *targets)):
        return None
    for source, target in zip(sources, targets, strict=True):
        target.write_bytes(source.read_bytes())
    return f"{first} over {second}"


# Names.


def _renamed(dataset: Dataset, rng: np.random.Generator) -> str | None:
    """Give one file another name: its case is then incomplete, or another."""
    path = _any(dataset, rng)
    if path is None:
        return None
    names = [f"_{path.name}", path.name.upper(), f"{path.name} ", f"{path.stem}", f"copy of {path.name}", f"é{path.name}"]
    names += [f"-{path.name}", f"{path.name}.part", path.name.replace(".", "..", 1), f"{path.name[:1]}\n{path.name[1:]}"]
    target = path.with_name(names[int(rng.integers(len(names)))])
    if target.exists():
        return None
    path.rename(target)
    case = dataset.owners.pop(path)
    if path in dataset.masks:
        dataset.masks.remove(path)
    if not any(os.path.lexists(other) for other, owner in dataset.owners.items() if owner == case):
        dataset.gone.add(case)
    return f"{_short(dataset, path)} to {target.name!r}"


def _odd_case_name(dataset: Dataset, rng: np.random.Generator) -> str | None:
    """Rename all files of a case alike, where the format takes names from the files."""
    if dataset.keys["format"] not in ("folders", "nnunet_raw", "bus2017"):
        return None
    case = str(rng.choice(dataset.cases))
    name = ["_a", "Ünïcode", unicodedata.normalize("NFD", "é1"), "with space", "a.b", "A", "x" * 160, "a'b", "0", "日本"][
        int(rng.integers(10))
    ]
    files = [path for path, owner in dataset.owners.items() if owner == case]
    if not all(path.is_file() for path in files):
        return None
    for path in files:
        relative = str(path.relative_to(dataset.root))
        target = dataset.root / relative.replace(case, name)
        if target.exists() or target == path:
            return None
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
        del dataset.owners[path]
        dataset.owners[target] = name
        if path in dataset.masks:
            dataset.masks.remove(path)
            dataset.masks.add(target)
    return f"{case} to {name!r}"


def _other_files(dataset: Dataset, rng: np.random.Generator) -> str | None:
    """Add files that lie about: they are no cases."""
    folder = dataset.images[0].parent if dataset.images else dataset.root
    if not folder.is_dir():
        return None
    for name in (".DS_Store", "Thumbs.db", "desktop.ini", f"._{dataset.images[0].name}", ".hidden"):
        (folder / name).write_bytes(b"\0\5\x16\7" + rng.bytes(20))
    (dataset.root / "__MACOSX").mkdir(exist_ok=True)
    return "of operating systems"


def _nested(dataset: Dataset, rng: np.random.Generator) -> str | None:
    """Move everything one folder down, as archives do."""
    inner = dataset.root / "inner"
    entries = [entry for entry in dataset.root.iterdir() if entry != inner]
    inner.mkdir(exist_ok=True)
    for entry in entries:
        shutil.move(entry, inner / entry.name)
    dataset.owners = {inner / path.relative_to(dataset.root): case for path, case in dataset.owners.items()}
    dataset.masks = {inner / path.relative_to(dataset.root) for path in dataset.masks}
    return "everything in a folder"


# Volumes.


def _header(field: str) -> Alteration:
    """Return an alteration of a field of a header, with values that real files have, and others."""
    values: dict[str, list[Any]] = {
        "dim": [
            *([0] * 8, [3, -9, 8, 7, 1, 1, 1, 1], [3, 9, 8, 32767, 1, 1, 1, 1], [7, *[32767] * 7], [3, 9, 8, 6, 1, 1, 1, 1]),
            *([2, 9, 56, 1, 1, 1, 1, 1], [4, 9, 8, 7, 1, 1, 1, 1], [3, 8, 9, 7, 1, 1, 1, 1], [1, 504, 1, 1, 1, 1, 1, 1], [8] * 8),
        ],
        "pixdim": [
            *([1] + [0] * 7, [1, -1.5, 1.25, 2, 0, 0, 0, 0], [1, np.nan, 1, 1, 0, 0, 0, 0], [1, 3, 3, 3, 0, 0, 0, 0]),
            *([-1, 1.5, 1.25, 2, 1, 1, 1, 1], [1, 1e30, 1, 1, 0, 0, 0, 0], [1, 1.5, 1.25, 2.3, 0, 0, 0, 0]),
        ],
        "datatype": [0, 1, 2, 4, 16, 32, 64, 128, 256, 512, 768, 1536, 1792, 999],
        "xyzt_units": [0, 1, 2, 3, 10, 5, 255],
        "scl_slope": [0.0, 2.0, 0.999, -1.0, np.nan, np.inf, 1e-5],
        "scl_inter": [0.0, 1.0, 0.5, np.nan, -np.inf, -1024.0],
        "vox_offset": [0.0, 352.0, 348.0, 1e9, -5.0, np.nan, 353.0, 368.0],
        "sform_code": [0, 1, 2, 4, 99],
        "qform_code": [0, 1, 3, 99],
        "srow_x": [[0, 0, 0, 0], [np.nan] * 4, [0, -1.5, 0, 3], [1.5, 0, 0, -90], [-1.5, 0.5, 0, 90], [-3.0, 0, 0, 90]],
        "quatern_b": [0.0, 0.5, 2.0, np.nan],
        "qoffset_x": [0.0, 1e9, np.nan],
        "magic": [b"n+1", b"ni1", b"n+2", b""],
        "bitpix": [0, 8, 64],
        "intent_code": [0, 1002, 1007],
    }

    def change(dataset: Dataset, rng: np.random.Generator) -> str | None:
        path = _any(dataset, rng, *VOLUMES)
        if path is None:
            return None
        content = _plain(path)
        if len(content) < 352:
            return None
        header = np.frombuffer(bytearray(content[:348]), dtype=nibabel.nifti1.header_dtype)
        value = values[field][int(rng.integers(len(values[field])))]
        with np.errstate(all="ignore"):
            header[field][0] = value
        _store(path, header.tobytes() + content[348:])
        return f"{_short(dataset, path)}: {field} = {value}"

    change.__name__ = f"header_{field}"
    return change


def _plain(path: Path) -> bytes:
    content = path.read_bytes()
    try:
        return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    except (OSError, EOFError, ValueError):
        return b""


def _store(path: Path, content: bytes) -> None:
    path.write_bytes(gzip.compress(content, 1) if path.name.endswith(".gz") else content)


def _random_header(dataset: Dataset, rng: np.random.Generator) -> str | None:
    path = _any(dataset, rng, *VOLUMES)
    content = bytearray(_plain(path)) if path is not None else bytearray()
    if path is None or len(content) < 348:
        return None
    places = rng.integers(0, 348, int(rng.integers(1, 6)))
    for place in places:
        content[int(place)] = int(rng.integers(256))
    _store(path, bytes(content))
    return f"{_short(dataset, path)}, bytes {', '.join(map(str, places))}"


def _wrapped(dataset: Dataset, rng: np.random.Generator) -> str | None:
    path = _any(dataset, rng, ".nii.gz")
    if path is None:
        return None
    kind = int(rng.integers(3))
    path.write_bytes([gzip.compress(path.read_bytes()), _plain(path), path.read_bytes() + b"trailing"][kind])
    return f"{_short(dataset, path)} {('compressed twice', 'not compressed', 'with bytes behind')[kind]}"


def _voxels(name: str, mask: bool, change: Callable[[np.ndarray, np.random.Generator], np.ndarray]) -> Alteration:
    """Return an alteration that writes a volume again with other voxels."""

    def apply(dataset: Dataset, rng: np.random.Generator) -> str | None:
        path = _of(dataset, rng, mask, *VOLUMES)
        if path is None:
            return None
        try:
            data = np.asarray(nibabel.Nifti1Image.from_bytes(_plain(path)).dataobj)
            save(path, change(data.copy(), rng))
        except Exception:
            return None  # An earlier alteration has made it unreadable.
        return _short(dataset, path)

    apply.__name__ = name
    return apply


def _put(data: np.ndarray, value: float) -> np.ndarray:
    data[tuple(side // 2 for side in data.shape)] = value
    return data


def _far(value: float) -> Callable[[np.ndarray, np.random.Generator], np.ndarray]:
    return lambda data, rng: _put(data.astype(np.float32), value)


def _smoothed(data: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    smooth: np.ndarray = (data.astype(np.float32) + np.roll(data, 1, 0)) / np.float32(2)
    return smooth


def _grid(dataset: Dataset, rng: np.random.Generator) -> str | None:
    """Write a volume again on another grid."""
    path = _any(dataset, rng, *VOLUMES)
    if path is None:
        return None
    try:
        data = np.asarray(nibabel.Nifti1Image.from_bytes(_plain(path)).dataobj)
    except Exception:
        return None
    affine, kind = AFFINE.copy(), int(rng.integers(8))
    if kind == 0:
        affine[:3, 3] += 20
    elif kind == 1:
        affine[:3, 3] += 1e-4
    elif kind == 2:
        affine[0] *= -1
    elif kind == 3:
        affine = affine[:, [1, 0, 2, 3]]
    elif kind == 4:
        affine[:3, :3] *= 1.2
    elif kind == 5:
        affine[:3, :3] = affine[:3, :3] @ _turn(0.2)
    elif kind == 6:
        data = np.transpose(data, (1, 0, 2)) if data.ndim == 3 else data
        affine = affine[:, [1, 0, 2, 3]]
    else:
        data = data[1:]
    kinds = ("moved by 20 mm", "moved a little", "mirrored", "axes exchanged in the header", "larger voxels", "turned")
    save(path, data, affine)
    return f"{_short(dataset, path)} {(*kinds, 'axes exchanged', 'a plane less')[kind]}"


def _turn(angle: float) -> np.ndarray:
    return np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])


def micrometres(dataset: Dataset, rng: np.random.Generator) -> str | None:
    """Write all volumes of a case again with lengths in micrometres."""
    case = str(rng.choice(dataset.cases))
    files = [path for path in dataset.files(*VOLUMES) if dataset.owners[path] == case]
    try:
        images = [nibabel.Nifti1Image.from_bytes(_plain(path)) for path in files]
        for path, image in zip(files, images, strict=True):
            scaled = nibabel.Nifti1Image(np.asarray(image.dataobj), np.diag([1000, 1000, 1000, 1]) @ image.affine)
            scaled.header.set_xyzt_units("micron")
            _store(path, scaled.to_bytes())
    except Exception:
        return None  # An earlier alteration has made a file unreadable.
    return case if files else None


def _byte_order(dataset: Dataset, rng: np.random.Generator) -> str | None:
    path = _any(dataset, rng, *VOLUMES)
    if path is None:
        return None
    try:
        data = np.asarray(nibabel.Nifti1Image.from_bytes(_plain(path)).dataobj)
    except Exception:
        return None
    kind = [nibabel.Nifti1Image, nibabel.Nifti2Image][int(rng.integers(2))]
    image = kind(data, AFFINE, kind.header_class(endianness=">"))
    image.header.set_xyzt_units("mm")
    _store(path, image.to_bytes())
    return f"{_short(dataset, path)} as big-endian {kind.__name__}"


# Pictures.


def _repictured(dataset: Dataset, rng: np.random.Generator) -> str | None:
    """Save a picture again in another mode, size or format."""
    path = _any(dataset, rng, *PICTURES)
    if path is None:
        return None
    try:
        image = Image.open(io.BytesIO(path.read_bytes()))
        image.load()
    except Exception:
        return None
    modes = ("L", "RGB", "RGBA", "1", "LA", "P", "CMYK", "I;16", "F")
    mode = modes[int(rng.integers(len(modes)))]
    formats = {".png": ["PNG", "JPEG", "TIFF", "WEBP"], ".tif": ["TIFF", "PNG"], ".gif": ["GIF", "PNG"]}[path.suffix.lower()]
    kind = formats[0] if rng.random() < 0.7 else formats[int(rng.integers(len(formats)))]
    grey = image.convert("L")
    try:
        other = Image.fromarray(np.asarray(grey, np.uint16) * 257) if mode == "I;16" else grey.convert(mode)
        if mode in ("RGBA", "LA") and rng.random() < 0.5:
            other.putalpha(grey.point(lambda value: 255 if value > 100 else 0))
        stream = io.BytesIO()
        other.save(stream, format=kind)
    except (OSError, ValueError, KeyError):
        return None
    path.write_bytes(stream.getvalue())
    return f"{_short(dataset, path)} as {mode} in {kind}"


def _coloured(dataset: Dataset, rng: np.random.Generator) -> str | None:
    path = _any(dataset, rng, ".png", ".tif")
    if path is None:
        return None
    try:
        width, height = Image.open(io.BytesIO(path.read_bytes())).size
    except Exception:
        return None
    Image.fromarray(rng.integers(0, 256, (height, width, 3)).astype(np.uint8)).save(path)
    return f"{_short(dataset, path)} as a photograph"


def _resized(dataset: Dataset, rng: np.random.Generator) -> str | None:
    path = _any(dataset, rng, *PICTURES)
    if path is None:
        return None
    try:
        image = Image.open(io.BytesIO(path.read_bytes()))
        kind = int(rng.integers(3))
        size = (image.width + 1, image.height) if kind == 0 else (image.height, image.width) if kind == 1 else (1, 1)
        image.resize(size).save(path)
    except Exception:
        return None
    return f"{_short(dataset, path)} to {size}"


def _grey_edges(dataset: Dataset, rng: np.random.Generator) -> str | None:
    path = _of(dataset, rng, True, ".png")
    if path is None:
        return None
    try:
        data = np.asarray(Image.open(io.BytesIO(path.read_bytes())).convert("L"), np.float64)
    except Exception:
        return None
    Image.fromarray(((data + np.roll(data, 1, 0)) / 2).astype(np.uint8)).save(path)
    return _short(dataset, path)


def _zero_one(dataset: Dataset, rng: np.random.Generator) -> str | None:
    """Write 0 and 1 for 0 and 255, or the other way round, in all masks."""
    masks = [path for path in dataset.files(*PICTURES) if path in dataset.masks and path.is_file()]
    try:
        planes = [np.asarray(Image.open(io.BytesIO(path.read_bytes())).convert("L")) for path in masks]
    except Exception:
        return None
    if not masks:
        return None
    for path, plane in zip(masks, planes, strict=True):
        Image.fromarray(((plane > 0) * (1 if plane.max() > 1 else 255)).astype(np.uint8)).save(path)
    return f"in {len(masks)} masks"


def _turned_by_exif(dataset: Dataset, rng: np.random.Generator) -> str | None:
    path = _of(dataset, rng, False, ".png")
    if path is None:
        return None
    try:
        image = Image.open(io.BytesIO(path.read_bytes()))
        image.load()
        exif = image.getexif()
        exif[0x0112] = int(rng.integers(1, 9))
        image.save(path, exif=exif)
    except Exception:
        return None
    return f"{_short(dataset, path)}, orientation {exif[0x0112]}"


# Descriptions.


def _description(dataset: Dataset, rng: np.random.Generator) -> str | None:
    """Damage dataset.json as editors, tools and people do."""
    path = dataset.root / "dataset.json"
    if not path.is_file():
        return None
    text = path.read_text(encoding="utf-8", errors="replace")
    try:
        content = json.loads(text)
    except ValueError:
        return None
    key = str(rng.choice(sorted(content)))
    value = [None, 3, "text", [], {}, True, {"0": None}, -1, 1e308, ["a", {}], "x" * 1000][int(rng.integers(11))]
    kind = int(rng.integers(9))
    if kind == 0:
        path.write_text(text.rstrip("}") + ",}", encoding="utf-8")
    elif kind == 1:
        path.write_bytes(text.encode("utf-16"))
    elif kind == 2:
        path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    elif kind == 3:
        path.unlink()
    elif kind == 4:
        path.write_text(json.dumps({k: v for k, v in content.items() if k != key}), encoding="utf-8")
    elif kind == 5:
        path.write_text(json.dumps(content | {key: value}), encoding="utf-8")
    elif kind == 6:
        return None
    elif kind == 7:
        path.write_text(text[: int(rng.integers(len(text)))], encoding="utf-8")
    else:
        path.write_text(f"// nnU-Net\n{text}", encoding="utf-8")
    kinds = ("comma at the end", "UTF-16", "a byte order mark", "removed", f"without {key}", f"{key} = {value!r:.40}")
    return (*kinds, "as it was", "cut short", "with a comment")[min(kind, 8)]


def _nothing(dataset: Dataset, rng: np.random.Generator) -> str | None:
    return "sound"


def _retyped(data: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    kind = _TYPES[int(rng.integers(len(_TYPES)))]
    with np.errstate(all="ignore"):
        retyped: np.ndarray = data.real.astype(kind)
    return retyped


_TYPES: tuple[Any, ...] = (
    np.uint8,
    np.int8,
    np.int16,
    np.uint16,
    np.int32,
    np.uint32,
    np.int64,
    np.uint64,
    np.float32,
    np.float64,
)

ALTERATIONS: tuple[Alteration, ...] = (
    *(
        _truncated,
        _replaced,
        _flipped_bits,
        _swapped,
        _removed,
        _folder_in_place,
        _link,
        _pipe,
        _double,
        _renamed,
        _odd_case_name,
    ),
    *(
        _other_files,
        _nested,
        _random_header,
        _random_header,
        _wrapped,
        _grid,
        _grid,
        micrometres,
        _byte_order,
        _repictured,
        _repictured,
    ),
    *(_coloured, _resized, _grey_edges, _zero_one, _turned_by_exif, _description, _description, _nothing),
    *(
        _header(field)
        for field in (
            "dim",
            "pixdim",
            "datatype",
            "xyzt_units",
            "scl_slope",
            "scl_inter",
            "vox_offset",
            "sform_code",
            "qform_code",
        )
    ),
    *(_header(field) for field in ("srow_x", "quatern_b", "qoffset_x", "magic", "bitpix", "intent_code")),
    _voxels("type of a mask", True, _retyped),
    _voxels("type of an image", False, _retyped),
    _voxels("noise of a mask", True, lambda data, rng: (data * (1 + 2e-6) - 1e-5).astype(np.float32)),
    _voxels("more noise of a mask", True, lambda data, rng: (data * 0.99).astype(np.float32)),
    _voxels("interpolated mask", True, _smoothed),
    _voxels("empty mask", True, lambda data, rng: data * 0),
    _voxels("unknown value", True, lambda data, rng: _put(data, int(rng.integers(5, 250)))),
    _voxels("negative value", True, lambda data, rng: _put(data.astype(np.int16), -1)),
    _voxels("NaN in a mask", True, _far(np.nan)),
    _voxels("NaN in an image", False, _far(np.nan)),
    _voxels("infinity in an image", False, _far(-np.inf)),
    _voxels("constant image", False, lambda data, rng: data * 0 + 7),
    _voxels("huge values", False, _far(1e38)),
    _voxels("complex image", False, lambda data, rng: data.astype(np.complex64)),
    _voxels("more axes", False, lambda data, rng: np.stack([data] * int(rng.integers(1, 4)), axis=-1)),
    _voxels("more axes of a mask", True, lambda data, rng: data[..., np.newaxis, np.newaxis]),
    _voxels("one plane", False, lambda data, rng: data[..., :1]),
)
