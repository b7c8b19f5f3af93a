"""Limit the size of the page: very long tables are only available as files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PAGE_LIMIT = 5_000_000
"""Bytes of the whole page."""

SPARE = 150_000
"""Bytes that are kept free of pictures, for the text that replaces them in the second rendering."""

TABLE_CELLS = 15_000
"""Cells of the long tables of all datasets together, about 100 bytes each."""


class Room:
    """The number of cells that the long tables of one dataset may still have."""

    def __init__(self, datasets: int) -> None:
        self.left = TABLE_CELLS // max(1, datasets)

    def fit(self, table: dict[str, Any] | None, cells: int) -> dict[str, Any] | None:
        """Return the table with `left_out`: True if it has too many cells, so that the page only refers to its file."""
        if table is None:
            return None
        fits = cells <= self.left
        self.left -= cells if fits else 0
        return {**table, "left_out": not fits, "cells": cells}


def cells(table: Mapping[str, Any] | None, columns: int) -> int:
    """Return the number of cells of a table with `rows`."""
    return columns * len(table["rows"]) if table else 0
