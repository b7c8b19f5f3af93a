"""The page that shows every case of a dataset, made before the first training."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from workflow_lib.base.csv_text import csv_text
from workflow_lib.figures import registry as figures
from workflow_lib.report.cases import case_rows, class_warnings, imbalance_rows, status_words
from workflow_lib.report.page import render
from workflow_lib.report.sources import svg_size
from workflow_lib.report.templates import FOLDER as TEMPLATES


def build(
    name: str,
    label: str,
    synthetic: bool,
    table: pd.DataFrame,
    classes: Sequence[str],
    figure: bytes,
    templates: Path = TEMPLATES,
    remarks: Sequence[str] = (),
) -> str:
    """Return the page as HTML. `table` is cases.csv with faulty cases; `figure` is the SVG of the class imbalance, or empty.

    `remarks`: what was noticed about the folder of the dataset as a whole.
    """
    cases = case_rows(table, classes)
    caption, alt = figures.describe("imbalance").texts(label, unit=cases["unit"])
    context = {
        "label": label,
        "synthetic": synthetic,
        "words": status_words(table),
        "warnings": [*class_warnings(table, classes), *remarks],
        "faults": int((table["status"] == "fault").sum()),
        "shares": imbalance_rows(table, classes),
        "cases": cases,
        "csv": _csv_link(table),
        "csv_name": f"{name}_cases.csv",
        "figure": {"id": "imbalance", "number": "1", "caption": caption, "alt": alt, "image": _image(figure)}
        | {"wide": False, "origin": ""},
    }
    return render(context, templates, "cases_page.html.j2")


def _image(svg: bytes) -> dict[str, Any] | None:
    if not svg:
        return None
    width, height = svg_size(svg)
    return {
        "link": "",
        "uri": "data:image/svg+xml;base64," + base64.b64encode(svg).decode("ascii"),
        "width": width,
        "height": height,
    }


def _csv_link(table: pd.DataFrame) -> str:
    text = csv_text(
        [str(column) for column in table.columns],
        [{str(key): value for key, value in row.items()} for row in table.to_dict("records")],
    )
    return "data:text/csv;charset=utf-8;base64," + base64.b64encode(text.encode("utf-8")).decode("ascii")
