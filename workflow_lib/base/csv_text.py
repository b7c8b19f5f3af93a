"""Convert rows to the text of a CSV file."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

import numpy as np


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    """Return CSV text with floats in full precision, and None and NaN as empty fields. Unknown columns are an error."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: _csv_value(value) for key, value in row.items()})
    return stream.getvalue()


def _csv_value(value: object) -> object:
    if value is None or (isinstance(value, (float, np.floating)) and np.isnan(value)):
        return ""
    if isinstance(value, (float, np.floating)):
        return repr(float(value))
    return value
