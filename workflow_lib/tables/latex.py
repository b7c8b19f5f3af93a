"""The tables as LaTeX, for a manuscript. They need the package booktabs."""

import math
from collections.abc import Hashable, Mapping, Sequence

import pandas as pd

from workflow_lib.metrics.registry import PAPER as METRICS
from workflow_lib.tables.display import METRIC_NAMES, number, p_value, scientific

_SPECIAL = {
    **{character: "\\" + character for character in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}
_GREEK = dict(zip("αβγδλμσ", ("alpha", "beta", "gamma", "delta", "lambda", "mu", "sigma"), strict=True))
_MARKS = {"*": "$^{*}$", "**": "$^{**}$", "‡": r"$^{\ddagger}$"}
_SIGNS = {"+": r"$\uparrow$", "-": r"$\downarrow$"}
_NOTHING = "--"


def escape(text: str) -> str:
    """Return text that LaTeX prints as it is, on one line; Greek letters of loss names become mathematics.

    Without characters that cannot be seen, such as those that turn the direction of writing.
    """
    line = " ".join("".join(c for c in text if c.isprintable() or c.isspace()).split())
    return "".join(_SPECIAL.get(c) or (rf"$\{_GREEK[c]}$" if c in _GREEK else c) for c in line)


def scores_latex(table: pd.DataFrame, classes: Sequence[str]) -> str:
    """Return a table of `scores_table` as a tabular: a row per loss, DSC, precision and recall under each class, best in bold."""
    width = len(METRICS)
    spans = [(2 + width * position, 1 + width * (position + 1)) for position in range(len(classes))]
    lines = [
        rf"\begin{{tabular}}{{l{'c' * (width * len(classes))}}}",
        r"\toprule",
        " & ".join(["", *(rf"\multicolumn{{{width}}}{{c}}{{{escape(name)}}}" for name in classes)]).lstrip() + r" \\",
        " ".join(rf"\cmidrule(lr){{{first}-{last}}}" for first, last in spans),
        " & ".join(["Loss", *(METRIC_NAMES[metric] for _ in classes for metric in METRICS)]) + r" \\",
        r"\midrule",
    ]
    for row in table.to_dict("records"):
        best = str(row["best"]).split(";")
        columns = [f"{metric}_{name}" for name in classes for metric in METRICS]
        cells = [_mean_ci(float(row[column]), float(row[f"{column}_ci95"]), column in best) for column in columns]
        lines.append(" & ".join([escape(str(row["label"])), *cells]) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def pvalues_latex(table: pd.DataFrame, labels: Mapping[str, str], classes: Sequence[str]) -> str:
    r"""Return the lower triangle of `pvalue_table` as one tabular: per loss a line for each class, one above the other.

    Marks are raised; an arrow up says that the row's loss scored higher, an arrow down that it scored lower. With one class there
    is no column of classes.
    """
    cells = {(row["class"], row["row"], row["column"]): row for row in table.to_dict("records")}
    several = len(classes) > 1
    lines = [
        rf"\begin{{tabular}}{{l{'l' if several else ''}{'c' * len(labels)}}}",
        r"\toprule",
        " & ".join(["Loss", *(["Class"] if several else []), *map(escape, labels.values())]) + r" \\",
        r"\midrule",
    ]
    for position, (row, label) in enumerate(labels.items()):
        if several and position:
            lines.append(r"\addlinespace")
        for line, name in enumerate(classes):
            texts = [escape(label) if line == 0 else "", *([escape(name)] if several else [])]
            for place, column in enumerate(labels):
                cell = cells.get((name, row, column))
                texts.append("-" if place == position else _p(cell) if place < position and cell is not None else "")
            lines.append(" & ".join(texts) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def _mean_ci(mean: float, half: float, bold: bool) -> str:
    if math.isnan(mean):
        return _NOTHING
    text = number(mean) if math.isnan(half) else rf"{number(mean)} $\pm$ {number(half)}"
    return rf"\textbf{{{text}}}" if bold else text


def _p(cell: Mapping[Hashable, object]) -> str:
    p = float(str(cell["p_holm"]))
    if math.isnan(p):
        return _NOTHING
    text = p_value(p)
    if 0 < p < 1e-3:
        mantissa, exponent = scientific(p)
        text = rf"${mantissa} \times 10^{{{exponent}}}$"
    return f"{text}{_MARKS.get(str(cell['mark']), '')} {_SIGNS.get(str(cell['sign']), '')}".rstrip()
