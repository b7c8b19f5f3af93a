"""All statistics of a dataset of the paper, and the report of a study: CPU seconds of this project; MIScnn has neither.

Scores of 7 losses and 204 cases in five folds, two classes and their union, synthetic: those of the tests' fixture for
statistics and report. The report is built from a study of that size with its figures, and the page's size is told. Then the
paper's whole study at once, with the 342 cases and 3 losses of its other dataset: statistics, tables, figures and page.

    OMP_NUM_THREADS=1 python -m benchmarks.report
"""

import tempfile
from pathlib import Path
from typing import Any

from benchmarks._measure import OURS, Row, alone, cpu_seconds, row, side
from tests.report_fixture import PAPER_LOSSES, make_study
from tests.report_fixture_figures import draw_figures
from workflow_lib.base.frames import write_frame
from workflow_lib.evaluation.scores import read_scores
from workflow_lib.report.assemble import build
from workflow_lib.statistics import registry as statistics
from workflow_lib.tables import published
from workflow_lib.tables import registry as all_tables

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
    whole = whole_study(cases, 342 if cases == CASES else cases, settings)
    sizes: Row = {"losses": len(PAPER_LOSSES), "cases": cases, "regions": len(CLASSES) - 1, "bootstrap": bootstrap}
    return [
        row("all statistics", side(OURS, times), **sizes, tables=len(tables)),
        row("building the report's page", side(OURS, built), page_mb=len(page.encode()) / 1e6),
        row("the whole report of the paper's study", side(OURS, whole)),
    ]


def whole_study(kits19: int, brats20: int, settings: dict[str, Any]) -> list[float]:
    """Return the CPU seconds from the scores of both datasets, of so many cases, to the page: statistics, tables, figures."""
    three = dict(list(PAPER_LOSSES.items())[-3:])
    sets = {"kits19": (CLASSES[:3], PAPER_LOSSES, kits19), "brats20": (["background", "tumour"], three, brats20)}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        studies = [make_study(folder, {key: classes}, losses, cases) for key, (classes, losses, cases) in sets.items()]
        study, other = studies
        study["datasets"] += other["datasets"]
        study["config"]["datasets"] |= other["config"]["datasets"]

        def work() -> str:
            for key, (classes, losses, cases) in sets.items():
                tables = statistics.compute(read_scores(folder / f"scores/{key}.csv"), list(losses), settings, 1)
                for stem, table in tables.items():
                    write_frame(folder / f"statistics/{key}/{stem}.csv", table)
                protocol = {**study["config"]["datasets"][key], "losses": _entries(study, key)}
                made = all_tables.build(tables, protocol, classes[1:], cases, True, published.load(key))
                all_tables.write(folder / "tables", key, made)
                draw_figures(folder, key, key, classes, losses, list(PAPER_LOSSES))
            return build(study, folder)

        return cpu_seconds(work, 1, warm=False)[0]


def _entries(study: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return next(dataset["losses"] for dataset in study["datasets"] if dataset["name"] == name)


if __name__ == "__main__":
    alone(__doc__, rows)
