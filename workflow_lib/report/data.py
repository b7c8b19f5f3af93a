"""Read the files of a study for the report. A missing file is not an error; it becomes a gap on the page."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def read_rows(path: Path) -> list[dict[str, str]] | None:
    """Return the rows of a CSV file as text, or None if the file does not exist."""
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            return list(csv.DictReader(stream))
    except FileNotFoundError:
        return None


def number(text: str | None) -> float:
    """Return the number in a CSV field, or NaN if it is empty or absent."""
    return float(text) if text else math.nan


def read_optional_json(path: Path) -> Mapping[str, Any] | None:
    """Return a JSON object, or None if the file does not exist."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return content if isinstance(content, dict) else None
