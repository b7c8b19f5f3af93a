"""Reading the files of a study for the report: a file that is missing is a gap to show, never an exception."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

TEXT = frozenset(
    "dataset loss case class kind note metric row column mark sign label verdict reason status shape spacing orientation "
    "image_dtype mask_dtype published_mark ours_mark agree".split()
)
"""Columns that hold names and words; every other column holds numbers, an empty field being undefined (NaN)."""


def read_rows(path: Path) -> list[dict[str, str]] | None:
    """Return the rows of a CSV as text, or None when the file does not exist."""
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            return list(csv.DictReader(stream))
    except FileNotFoundError:
        return None


def read_table(path: Path) -> pd.DataFrame | None:
    """Return a CSV of the study as a table, or None when the file does not exist.

    Names stay text whatever they look like ("001", "NA"), numbers are floats to the last bit.
    """
    rows = read_rows(path)
    if rows is None:
        return None
    with path.open(encoding="utf-8", newline="") as stream:
        columns = next(csv.reader(stream), [])
    values: dict[str, list[Any]] = {}
    for name in columns:
        column = [row[name] or "" for row in rows]
        values[name] = column if name in TEXT else [number(value) for value in column]
    return pd.DataFrame(values, columns=columns)


def number(text: str | None) -> float:
    """Return the number in a CSV field; NaN when it is empty or absent."""
    return float(text) if text else math.nan


def read_optional_json(path: Path) -> Mapping[str, Any] | None:
    """Return a JSON object, or None when the file does not exist."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return content if isinstance(content, dict) else None
