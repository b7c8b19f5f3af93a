"""A table of statistics, a table and a figure, each added as a single file: run, page and audit."""

import subprocess
import sys

from workflow_lib.base.files import read_json
from workflow_lib.base.frames import read_frame

STATISTIC = '''"""The median DSC of every loss."""

from workflow_lib.statistics.pairs import score_table

NAME = "medians"
TITLE = "Medians of the DSC"
ORDER = 65
KEYS = ("class", "loss")
NEEDS = ("ranking",)
COLUMNS = {"class": "class or region", "loss": "loss", "median": "median DSC over all cases"}


def compute(data):
    """Return the table of a dataset."""
    ranking = data.tables["ranking"]
    tables = {name: score_table(data.scores, data.losses, name) for name in data.classes}
    return ranking[["class", "loss"]].assign(
        median=[float(tables[row["class"]][row["loss"]].median()) for row in ranking.to_dict("records")]
    )[list(COLUMNS)]
'''

TABLE = '''"""The losses by their median DSC."""

NAME = "by_median"
TITLE = "Losses by their median"
ORDER = 35
KEYS = ("class", "loss")
COLUMNS = {"class": "class", "loss": "loss", "median": "median DSC over all cases"}


def compute(data):
    """Return the table of a dataset."""
    medians = data.statistics["medians"]
    return medians[medians["class"].isin(list(data.classes))].sort_values(["class", "median", "loss"])[list(COLUMNS)]


def latex(table, labels, classes):
    """Return the table as LaTeX."""
    return "".join(rf"{labels[loss]} \\\\" + "\\n" for loss in table["loss"])
'''

FIGURE = '''"""The median DSC of every loss, as bars."""

from workflow_lib.figures.interface import Drawn
from workflow_lib.figures.style import new_figure

NAME = "bars"
OF = "dataset"
ORDER = 65
TEXT = True
CAPTION = "{label}: the median DSC of every loss."
ALT = "Bars of the median DSC of {classes}."


def draw(data):
    """Return the figure of a dataset."""
    figure = new_figure()
    table = data.statistics("medians")
    figure.subplots().barh(table["class"] + table["loss"], table["median"])
    return Drawn(figure, {"caption": f"Medians of {len(table)} pairs."})
'''


def test_a_member_is_one_file(finished_copy):
    results = finished_copy.folder / "results" / "tiny"
    library = finished_copy.folder / "workflow_lib"
    before = {path for path in results.rglob("*") if path.is_file()}
    for room, name, text in (("statistics", "medians", STATISTIC), ("tables", "by_median", TABLE), ("figures", "bars", FIGURE)):
        (library / room / f"{name}.py").write_text(text, encoding="utf-8")
    again = {"statistics", "tables", "figures_dataset", "manifest", "report_page"}
    assert set(finished_copy.planned()) == again
    finished_copy.snakemake("--cores", "2", "--quiet", "all")
    added = {path.relative_to(results).as_posix() for path in results.rglob("*") if path.is_file() and path not in before}
    assert {path for path in added if not path.startswith(("logs/", "code/"))} == {
        "statistics/toy/medians.csv",
        *("tables/toy_by_median.csv", "tables/toy_by_median.tex"),
        *("figures/bars_toy.svg", "figures/bars_toy.png", "figures/bars_toy.json"),
    }
    medians = read_frame(results / "statistics/toy/medians.csv")
    assert list(medians.columns) == ["class", "loss", "median"]
    assert set(read_frame(results / "tables/toy_by_median.csv")["median"]) <= set(medians["median"])
    assert read_json(results / "figures/bars_toy.json") == {"caption": f"Medians of {len(medians)} pairs."}
    page = (results / "report.html").read_text(encoding="utf-8")
    assert f"Medians of {len(medians)} pairs." in page
    for title, path in (
        ("Medians of the DSC", "statistics/toy/medians.csv"),
        ("Losses by their median", "tables/toy_by_median.csv"),
    ):
        assert title in page
        assert path in page
    command = [sys.executable, "-m", "workflow_lib", "audit", "results/tiny"]
    done = subprocess.run(command, cwd=finished_copy.folder, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
