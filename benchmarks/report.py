"""All statistics of the paper's larger dataset, and the report of a study: CPU seconds of this project; MIScnn has neither.

Scores of 7 losses and 204 cases in five folds, two classes and their union, synthetic: those of the tests' fixture for
statistics and report. The report is built from a study of that size with its figures, and the page's size is told.

    OMP_NUM_THREADS=1 python -m benchmarks.report
"""

import tempfile
from pathlib import Path

from benchmarks._measure import OURS, Row, alone, cpu_seconds, row, side
from tests.report_fixture import PAPER_LOSSES, make_study
from workflow_lib.evaluation.scores import read_scores
from workflow_lib.report.assemble import build
from workflow_lib.statistics import all as statistics

CASES, REPEATS, BOOTSTRAP = 204, 3, 10_000
CLASSES = ["background", "kidney", "tumour", "kidney and tumour"]


def rows(quick: bool, cases: int = CASES, bootstrap: int = BOOTSTRAP) -> list[Row]:
    """Return the rows of the statistics and of the report."""
    repeats = 1 if quick else REPEATS
    settings = {"bootstrap": bootstrap, "confidence": 0.95, "interval_over": "folds"}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        study = make_study(folder, {"kits19": CLASSES}, cases=cases, figures=True)
        scores = read_scores(folder / "scores" / "kits19.csv")
        times, tables = cpu_seconds(lambda: statistics.compute(scores, list(PAPER_LOSSES), settings, 1), repeats, warm=not quick)
        built, page = cpu_seconds(lambda: build(study, folder), repeats, warm=not quick)
    sizes: Row = {"losses": len(PAPER_LOSSES), "cases": cases, "regions": len(CLASSES) - 1, "bootstrap": bootstrap}
    return [
        row("all statistics", side(OURS, times), **sizes, tables=len(tables)),
        row("building the report's page", side(OURS, built), page_mb=len(page.encode()) / 1e6),
    ]


if __name__ == "__main__":
    alone(__doc__, rows)
