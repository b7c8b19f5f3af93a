"""Facts about the cases of a dataset: the class imbalance, and a line for every case."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from workflow_lib.evaluation.imbalance import one_in, percent, pooled_shares, unit_of
from workflow_lib.report.text import full, grouped


def imbalance_rows(table: pd.DataFrame, classes: Sequence[str]) -> list[dict[str, Any]]:
    """Return a line per class with its share, pooled over the included cases and in single cases. `table` is cases.csv."""
    included = table[table["status"] == "included"]
    pooled = pooled_shares(table, classes)
    rows = []
    for label in classes:
        values = included[f"share_{label}"].to_numpy(float)
        spread = [f"{percent(float(f(values)))} %" if len(values) else "–" for f in (np.median, np.min, np.max)]
        share = pooled[label]
        rows.append(
            {
                "class": label,
                "pooled": f"{percent(share)} %" if math.isfinite(share) else "–",
                "sort": full(share),
                "one_in": one_in(share),
                "median": spread[0],
                "range": f"{spread[1]} to {spread[2]}",
                "absent": int(np.count_nonzero(values == 0)),
            }
        )
    return rows


def case_rows(table: pd.DataFrame, classes: Sequence[str]) -> dict[str, Any]:
    """Return `heads` and `rows` of the table of all cases in cases.csv. Columns without values are omitted."""
    unit = unit_of(table)
    lines = [_cells(row, classes, unit) for row in table.to_dict("records")]
    heads = [head for head in lines[0] if any(line[head]["text"] for line in lines)] if lines else []
    rows = [
        {"case": case, "fault": status == "fault", "cells": [line[head] for head in heads]}
        for case, status, line in zip(table["case"], table["status"], lines, strict=True)
    ]
    return {"heads": ["Case", *heads], "rows": rows, "unit": unit}


def _cells(row: Mapping[Hashable, Any], classes: Sequence[str], unit: str) -> dict[str, dict[str, str]]:
    """Return a case's cells by column head. A head that begins with ">" belongs to a column of numbers."""
    remark = "; ".join(filter(None, (str(row["reason"]), str(row["note"]))))
    spacing = str(row["spacing"]) if unit == "voxels" else ""
    low, high = float(row["intensity_min"]), float(row["intensity_max"])
    cells = {
        "Status": _cell(str(row["status"])),
        "Reason, remarks": _cell(remark, "reason"),
        "Group": _cell(str(row["group"])),
        "Supplied as": _cell(str(row["part"])),
        ">Shape": _cell(str(row["shape"]).replace("x", " × "), "n nowrap"),
        ">Spacing": _cell(spacing.replace("x", " × "), "n nowrap"),
        "Orientation": _cell(str(row["orientation"])),
        "Label values": _cell(str(row["labels"])),
        "Stored as: image / mask": _cell(" / ".join(filter(None, (str(row["image_dtype"]), str(row["mask_dtype"]))))),
        ">Intensities": _cell(f"{low:.4g} to {high:.4g}" if math.isfinite(low + high) else "", "n nowrap"),
    }
    for label in classes:
        number, share = float(row[f"voxels_{label}"]), float(row[f"share_{label}"])
        cells[f">{label}, {unit}"] = _cell(grouped(int(number)) if math.isfinite(number) else "", "n", full(number))
        cells[f">{label}, share"] = _cell(f"{percent(share)} %" if math.isfinite(share) else "", "n nowrap", full(share))
    return cells


def _cell(text: str, css: str = "", sort: str = "") -> dict[str, str]:
    return {"text": text, "css": css, "sort": sort}


def class_warnings(table: pd.DataFrame, classes: Sequence[str]) -> list[str]:
    """Return a sentence for every class that no included case contains. `classes`: background first."""
    included = table[table["status"] == "included"]
    absent = [name for name in classes[1:] if len(included) and not included[f"voxels_{name}"].to_numpy(float).any()]
    if len(absent) == len(classes) - 1 and absent:
        return ["The masks of all included cases are empty: none contains a class other than the background."]
    return [
        f"No included case contains the class {name}: nothing can be learned or scored of it. Check whether the masks use "
        "another value for it."
        for name in absent
    ]


def status_words(table: pd.DataFrame) -> str:
    """Return the counts in words, for example "204 cases are used, 6 left out"."""
    counts = Counter(table["status"])
    parts = [
        f"{counts['included']} of {len(table)} cases can be used" if counts["fault"] else f"{counts['included']} cases are used"
    ]
    parts += [f"{counts['excluded']} left out"] if counts["excluded"] else []
    parts += [f"{counts['fault']} with faults"] if counts["fault"] else []
    return ", ".join(parts)
