"""The files of a report. Each is recorded with its digest when it is first read."""

from __future__ import annotations

import base64
import math
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd

from workflow_lib.base.files import sha256_file, sha256_text
from workflow_lib.base.frames import read_frame
from workflow_lib.report.data import read_optional_json, read_rows

SVG_LIMIT = 400_000
"""Size in bytes above which a figure is embedded as PNG instead of SVG."""

PICTURES_LIMIT = 3_300_000
"""Bytes of all embedded figures. Further figures are links to files in the same folder."""

CSV_LIMIT = 60_000
"""Size in bytes above which a CSV is linked instead of embedded."""

RUN_FACTS = "training.json"
"""A file with times and host names in addition to results. Its digest is not shown in the body of the page."""


@dataclass
class Sources:
    """A study's results folder. `digests` maps the relative path of every file read so far to its SHA-256."""

    folder: Path
    digests: dict[str, str] = field(default_factory=dict)
    pictures: int = PICTURES_LIMIT
    """Limit of the bytes of embedded figures."""
    embedded: int = 0
    """Bytes of the figures embedded so far."""

    def table(self, relative: str) -> pd.DataFrame | None:
        """Return a CSV file as a table with numbers, or None if it does not exist."""
        path = self._note(relative)
        return read_frame(path) if path.is_file() else None

    def rows(self, relative: str) -> list[dict[str, str]] | None:
        """Return the rows of a CSV file as text, or None if it does not exist."""
        return read_rows(self._note(relative))

    def json(self, relative: str) -> Mapping[str, Any] | None:
        """Return a JSON object, or None if the file does not exist."""
        return read_optional_json(self._note(relative))

    def source(self, relative: str) -> dict[str, str] | None:
        """Return path, digest and `id` (see `anchor`) of a file for the line under a table, or None if it does not exist."""
        path = self._note(relative)
        return {"path": relative, "sha256": self.digests[relative], "id": anchor(relative)} if path.is_file() else None

    def csv_link(self, relative: str) -> str | None:
        """Return a CSV file as a `data:` URI, above `CSV_LIMIT` as a link to the file; None if it does not exist."""
        path = self._note(relative)
        if not path.is_file():
            return None
        if path.stat().st_size > CSV_LIMIT:
            return quote(relative)
        return "data:text/csv;charset=utf-8;base64," + base64.b64encode(path.read_bytes()).decode("ascii")

    def download(self, relative: str) -> dict[str, Any] | None:
        """Return link, name, path and digest of a CSV file for the line under its table; None if it does not exist."""
        csv = self.csv_link(relative)
        return {"csv": csv, "csv_name": Path(relative).name, "source": self.source(relative)} if csv else None

    def latex_link(self, relative: str) -> str | None:
        """Return a LaTeX file as `csv_link` returns a CSV file."""
        link = self.csv_link(relative)
        return link.replace("data:text/csv", "data:application/x-tex", 1) if link else None

    def figure(self, name: str) -> dict[str, Any] | None:
        """Return `uri`, `width` and `height` (CSS pixels) of figures/<name>, as SVG up to 400 kB, else PNG; None without file.

        If the page would exceed `pictures` bytes of figures, `uri` is empty and `link` points to the file.
        """
        for suffix, media in ((".svg", "image/svg+xml"), (".png", "image/png")):
            path = self._note(f"figures/{name}{suffix}")
            if not path.is_file() or (suffix == ".svg" and path.stat().st_size > SVG_LIMIT):
                continue
            content = path.read_bytes()
            width, height = svg_size(content) if suffix == ".svg" else png_size(content)
            size = 4 * math.ceil(len(content) / 3)
            if self.embedded + size > self.pictures:
                return {"uri": "", "link": quote(f"figures/{name}{suffix}"), "width": width, "height": height}
            self.embedded += size
            uri = f"data:{media};base64," + base64.b64encode(content).decode("ascii")
            return {"uri": uri, "link": "", "width": width, "height": height}
        return None

    def digest(self) -> str:
        """Return one SHA-256 over the names and digests of all files read, sorted by name."""
        return sha256_text("".join(f"{digest}  {path}\n" for path, digest in sorted(self.digests.items())))

    def _note(self, relative: str) -> Path:
        path = self.folder / relative
        if relative not in self.digests and path.is_file() and path.name != RUN_FACTS:
            self.digests[relative] = sha256_file(path)
        return path


def anchor(path: str, start: str = "file") -> str:
    """Return the anchor of the page's entry on the origin of a file, or of whatever `path` represents."""
    return f"{start}-" + re.sub(r"[^A-Za-z0-9_-]", "-", path)


def svg_size(content: bytes) -> tuple[int, int]:
    """Return width and height in CSS pixels from the root element of an SVG in points; (0, 0) if they are missing."""
    head = content[:4000].decode("utf-8", "replace")
    found = {name: re.search(rf'<svg[^>]*\s{name}="([0-9.]+)pt"', head) for name in ("width", "height")}
    if not all(found.values()):
        return 0, 0
    width, height = (math.ceil(float(match.group(1)) * 4 / 3) for match in found.values() if match)
    return width, height


def png_size(content: bytes, dpi: int = 300) -> tuple[int, int]:
    """Return width and height in CSS pixels of a PNG drawn at `dpi`."""
    width, height = struct.unpack(">II", content[16:24])
    return round(width * 96 / dpi), round(height * 96 / dpi)
