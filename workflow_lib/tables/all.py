"""All tables of one dataset."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from workflow_lib.base.files import write_text
from workflow_lib.base.frames import write_frame
from workflow_lib.tables import claims
from workflow_lib.tables.comparison import AGREEMENT_COLUMNS, COLUMNS, P_COLUMNS, p_comparison, rank_agreement, score_comparison
from workflow_lib.tables.latex import pvalues_latex, scores_latex
from workflow_lib.tables.protocol import departures
from workflow_lib.tables.published import Published
from workflow_lib.tables.pvalue_table import pvalue_table
from workflow_lib.tables.scores_table import scores_table

STEMS = ("scores", "pvalues", "comparison", "comparison_p", "agreement", "claims")
"""Names of the tables; the files are `<dataset>_<name>.csv`."""


def build(
    statistics: Mapping[str, pd.DataFrame],
    protocol: Mapping[str, Any],
    classes: Sequence[str],
    n_cases: int,
    synthetic: bool,
    published: Published | None,
) -> dict[str, pd.DataFrame]:
    """Return the tables `STEMS` of one dataset.

    `statistics` holds the tables `means` and `ranksum`; `protocol` the sections of the dataset as plain data with `losses` as a
    list of {name, label, loss, parameters} in the order of the tables; `classes` the foreground classes, regions left out;
    `n_cases` the number of cases scored. Without published numbers the last four have no rows.
    """
    entries = protocol["losses"]
    labels = {str(entry["name"]): str(entry["label"]) for entry in entries}
    comparison, comparison_p = pd.DataFrame(columns=list(COLUMNS)), pd.DataFrame(columns=list(P_COLUMNS))
    agreement, claimed = pd.DataFrame(columns=list(AGREEMENT_COLUMNS)), pd.DataFrame(columns=list(claims.COLUMNS))
    if published is not None:
        found = departures(protocol, n_cases, synthetic, published)
        comparison = score_comparison(published, statistics["means"], entries, found)
        comparison_p = p_comparison(published, statistics["ranksum"], entries)
        agreement = rank_agreement(comparison, comparison_p)
        claimed = claims.check_claims(published, comparison, comparison_p)
    return {
        "scores": scores_table(statistics["means"], labels, classes),
        "pvalues": pvalue_table(statistics["ranksum"], classes),
        "comparison": comparison,
        "comparison_p": comparison_p,
        "agreement": agreement,
        "claims": claimed,
    }


def write(folder: str | Path, dataset: str, tables: Mapping[str, pd.DataFrame]) -> None:
    """Write every table as `<folder>/<dataset>_<name>.csv`."""
    for name, table in tables.items():
        write_frame(Path(folder) / f"{dataset}_{name}.csv", table)


def write_latex(
    folder: str | Path, dataset: str, tables: Mapping[str, pd.DataFrame], labels: Mapping[str, str], classes: Sequence[str]
) -> None:
    """Write `<folder>/<dataset>_scores.tex` and `<dataset>_pvalues.tex`, each one tabular in the paper's form."""
    folder = Path(folder)
    write_text(folder / f"{dataset}_scores.tex", scores_latex(tables["scores"], classes))
    write_text(folder / f"{dataset}_pvalues.tex", pvalues_latex(tables["pvalues"], labels, classes))
