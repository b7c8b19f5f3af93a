"""Read and write tables of results as CSV: full precision, LF line ends, and text columns that are kept as text."""

import csv
from pathlib import Path

import pandas as pd

from workflow_lib.base.csv_text import csv_text
from workflow_lib.base.errors import UserError
from workflow_lib.base.files import write_text

TEXT = frozenset(
    (
        *("dataset", "loss", "label", "case", "class", "kind", "note", "metric", "row", "column", "mark", "sign", "best"),
        *("status", "shape", "spacing", "orientation", "labels", "image_dtype", "mask_dtype", "group", "part"),
        *("verdict", "reason", "published_p", "published_mark", "ours_mark", "agree"),
    )
)
"""Columns that are always text: a case may be called 007, a class NA, and a published p is kept as printed."""


def write_frame(path: str | Path, frame: pd.DataFrame) -> None:
    """Write a table atomically: floats as the shortest text that is read back equal, NaN as an empty field, LF line ends."""
    columns = [str(column) for column in frame.columns]
    rows = (dict(zip(columns, values, strict=True)) for values in frame.itertuples(index=False, name=None))
    write_text(path, csv_text(columns, rows))


def read_frame(path: str | Path) -> pd.DataFrame:
    """Read a table that `write_frame` wrote: columns of `TEXT` as text, others as numbers with NaN for empty fields.

    Raises UserError if the file is missing or not a table.
    """
    try:
        with open(path, encoding="utf-8", newline="") as stream:
            columns = next(csv.reader(stream), [])
        types = {column: str for column in columns if column in TEXT}
        empty = {column: [""] for column in columns if column not in TEXT}
        return pd.read_csv(path, dtype=types, keep_default_na=False, na_values=empty)
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist. Run the step that makes it first.") from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError) as error:
        raise UserError(f"{path} is not a table ({error}). Delete it and run the step that makes it again.") from error
