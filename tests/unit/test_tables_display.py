"""How numbers are written, and the tables as LaTeX."""

import math

import pandas as pd
import pytest

from workflow_lib.tables import display
from workflow_lib.tables.latex import escape
from workflow_lib.tables.pvalues import pvalues_latex
from workflow_lib.tables.scores import scores_latex


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (1.0, "1.00"),
        (0.9996, "1.00"),
        (0.209, "0.209"),
        (0.0962, "0.0962"),
        (0.09996, "0.100"),
        (0.00468, "0.00468"),
        (0.001, "0.00100"),
        (0.00099996, "1.00 × 10⁻³"),  # the unrounded p is below 1e-3
        (8.30e-4, "8.30 × 10⁻⁴"),
        (2.52e-5, "2.52 × 10⁻⁵"),
        (1.234e-120, "1.23 × 10⁻¹²⁰"),
        (0.0, "0"),
        (math.nan, "–"),
    ],
)
def test_p_values(p, text):
    assert display.p_value(p) == text


@pytest.mark.parametrize(
    ("mean", "half", "text"),
    [
        (0.945, 0.017, "0.945 ± 0.017"),
        (0.9454999, 0.01651, "0.945 ± 0.017"),
        (1.0, 0.0, "1.000 ± 0.000"),
        (0.5, math.nan, "0.500"),
        (math.nan, math.nan, "–"),
        (math.nan, 0.1, "–"),
        (-0.25, 0.1, "−0.250 ± 0.100"),
    ],
)
def test_means_with_intervals(mean, half, text):
    assert display.mean_ci(mean, half) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.0123, "+0.012"), (-0.0123, "−0.012"), (0.0004, "0.000"), (-0.0004, "0.000"), (math.nan, "–")]
)
def test_differences_have_a_sign(value, text):
    assert display.difference(value) == text


def test_best_is_decided_after_rounding_and_ties_both():
    assert display.best([0.7944, 0.7941, 0.793]) == [True, True, False]
    assert display.best([0.7946, 0.7944, math.nan]) == [True, False, False]
    assert display.best([math.nan, math.nan]) == [False, False]
    assert display.best([]) == []


def test_marks_are_at_hand():
    assert [display.mark(p) for p in (0.0005, 0.005, 0.04, 0.05)] == ["‡", "**", "*", ""]


def test_text_is_escaped():
    assert escape(r"50 % of a_b & #1 {x} ~ ^ \ $") == (
        r"50 \% of a\_b \& \#1 \{x\} \textasciitilde{} \textasciicircum{} \textbackslash{} \$"
    )
    # An empty line would end the paragraph within a cell.
    assert escape("a\n\n\u202eb\t&") == r"a b \&"
    assert escape("Focal loss (γ = 3)") == r"Focal loss ($\gamma$ = 3)"


def body(latex):
    return latex.split("\\midrule\n")[1].split("\\bottomrule")[0].strip().split("\n")


def test_scores_as_latex():
    columns = {f"{metric}_{name}": [0.5, 0.5004] for name in ("kidney", "left_ear") for metric in ("dsc", "precision", "recall")}
    columns |= {f"{column}_ci95": [0.01, math.nan] for column in columns}
    columns["recall_kidney"] = [math.nan, 0.9]
    table = pd.DataFrame({"label": ["Dice & more", "Focal"], **columns, "best": ["dsc_kidney;dsc_left_ear", "dsc_kidney"]})
    latex = scores_latex(table, ["kidney", "left_ear"])
    assert latex.startswith("\\begin{tabular}{lcccccc}\n\\toprule\n")
    assert latex.endswith("\\bottomrule\n\\end{tabular}\n")
    assert r"& \multicolumn{3}{c}{kidney} & \multicolumn{3}{c}{left\_ear} \\" in latex
    assert r"\cmidrule(lr){2-4} \cmidrule(lr){5-7}" in latex
    first, second = body(latex)
    assert first == (
        r"Dice \& more & \textbf{0.500 $\pm$ 0.010} & 0.500 $\pm$ 0.010 & -- & "
        r"\textbf{0.500 $\pm$ 0.010} & 0.500 $\pm$ 0.010 & 0.500 $\pm$ 0.010 \\"
    )
    assert second.startswith(r"Focal & \textbf{0.500} & 0.500 & 0.900 & ")


def test_p_values_as_latex():
    table = pd.DataFrame(
        [
            ("kidney", "b", "a", 0.00468, "**", "-"),
            ("kidney", "c", "a", 2.52e-5, "‡", "+"),
            ("kidney", "c", "b", 1.0, "", "0"),
            ("tumour", "b", "a", math.nan, "", ""),
        ],
        columns=["class", "row", "column", "p_holm", "mark", "sign"],
    )
    labels = {"a": "A loss", "b": "B_loss", "c": "C"}
    assert body(pvalues_latex(table, labels, ["kidney"])) == [
        r"A loss & - &  &  \\",
        r"B\_loss & 0.00468$^{**}$ $\downarrow$ & - &  \\",
        r"C & $2.52 \times 10^{-5}$$^{\ddagger}$ $\uparrow$ & 1.00 & - \\",
    ]
    both = pvalues_latex(table, labels, ["kidney", "tumour"])
    assert both.startswith("\\begin{tabular}{llccc}\n\\toprule\nLoss & Class & A loss & B\\_loss & C \\\\\n")
    # One class above the other, as in the paper's table.
    assert body(both)[3:5] == [r"B\_loss & kidney & 0.00468$^{**}$ $\downarrow$ & - &  \\", r" & tumour & -- & - &  \\"]
    assert body(both)[2] == r"\addlinespace"
