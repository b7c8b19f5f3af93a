"""Which results Snakemake's own report (`snakemake --report`) shows, and under which labels."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

FORMATS = {"csv": "CSV", "tex": "LaTeX", "svg": "SVG, for print", "png": "PNG"}
NAMES = {"pvalues": "p-values", "comparison_p": "comparison of p-values"}
OF_DATASET = "{dataset}"


@dataclass(frozen=True)
class ReportEntry:
    """The place of a file in that report; `caption` is a file of reports/captions without its suffix."""

    caption: str
    category: str
    labels: Mapping[str, str]


SINGLE = {
    "data/{dataset}/cases.html": ReportEntry("cases", "Data", {"dataset": OF_DATASET, "table": "cases, to look at"}),
    "data/{dataset}/cases.csv": ReportEntry("cases", "Data", {"dataset": OF_DATASET, "table": "cases"}),
    "scores/{dataset}.csv": ReportEntry("scores", "Scores", {"dataset": OF_DATASET, "table": "every case"}),
    "report.html": ReportEntry("report", "Report", {"file": "the report"}),
}


def place(template: str) -> ReportEntry | None:
    """Return where a result (its path as in `layout`) is shown, or None if it is not."""
    if template in SINGLE:
        return SINGLE[template]
    path = PurePosixPath(template)
    kind = {"tables": "table", "figures": "figure"}.get(path.parts[0])
    suffix = path.suffix.removeprefix(".")
    if kind is None or suffix not in FORMATS:
        return None
    name = path.stem.removeprefix(f"{OF_DATASET}_").removesuffix(f"_{OF_DATASET}")
    of = OF_DATASET if OF_DATASET in path.stem else "all losses"
    labels = {"dataset": of, kind: NAMES.get(name, name.replace("_", " ")), "format": FORMATS[suffix]}
    return ReportEntry(f"{kind}s", f"{kind}s".capitalize(), labels)
