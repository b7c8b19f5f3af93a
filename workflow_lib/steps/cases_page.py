"""Show every case of a dataset on a page: faults, geometry, intensities and class imbalance."""

import tempfile
from pathlib import Path

import pandas as pd

from workflow_lib.base.files import write_text
from workflow_lib.datasets.check import columns, csv_row
from workflow_lib.evaluation.imbalance import unit_of
from workflow_lib.figures import imbalance, style
from workflow_lib.report.cases_page import build
from workflow_lib.steps._inspection import read_inspection
from workflow_lib.steps.command import Context, run, say
from workflow_lib.study.settings.cases_page import Settings


def work(context: Context[Settings]) -> None:
    """Write `page`, also if cases have faults: users can view it before `check` stops the study because of them."""
    settings = context.settings
    inspection = read_inspection(context.path("inspection"), settings)
    table = pd.DataFrame([csv_row(row) for row in inspection.rows], columns=columns(inspection.labels))
    names = inspection.labels.names
    numbers = [f"{kind}_{name}" for kind in ("voxels", "share") for name in names]
    numbers += ["channels", "intensity_min", "intensity_max"]
    table = table.astype(dict.fromkeys(numbers, "float64"))
    table = table.fillna(dict.fromkeys(set(table.columns) - set(numbers), ""))
    figure = _figure(table, names, settings.seed)
    synthetic = bool(inspection.content["synthetic"])
    remarks = inspection.content.get("remarks", [])
    page = build(settings.dataset, settings.label, synthetic, table, names, figure, remarks=remarks)
    write_text(context.path("page"), page)
    say(f"{context.path('page')}: {len(table)} cases")


def _figure(table: pd.DataFrame, names: tuple[str, ...], seed: int) -> bytes:
    """Return the figure of the class imbalance as SVG; empty if no case is included."""
    if not (table["status"] == "included").any():
        return b""
    with tempfile.TemporaryDirectory() as folder:
        stem = Path(folder) / "imbalance"
        style.save(imbalance.plot(table, names, seed, unit_of(table)), stem)
        return stem.with_suffix(".svg").read_bytes()


if __name__ == "__main__":
    run("cases_page", __doc__, work, Settings)
