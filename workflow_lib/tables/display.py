"""Formatting of numbers for the reader. Files have full precision; only this module rounds."""

import math
from collections.abc import Iterable, Sequence

from workflow_lib.metrics.paper import LABELS as METRIC_NAMES
from workflow_lib.statistics.holm import mark

__all__ = ["METRIC_NAMES", "NOTHING", "best", "difference", "mark", "mean_ci", "number", "p_value", "scientific"]

NOTHING = "–"
"""The text for a missing number."""

_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_MINUS = "−"


def number(value: float, decimals: int = 3) -> str:
    """Return a number such as '0.945', with the Unicode minus sign; NOTHING for NaN."""
    if math.isnan(value):
        return NOTHING
    text = f"{value:.{decimals}f}"
    # -0.0004 is formatted as 0.000, not −0.000.
    return text.replace("-", _MINUS) if float(text) else text.lstrip("-")


def mean_ci(mean: float, half: float, decimals: int = 3) -> str:
    """Return '0.945 ± 0.017'; only the mean if the half width is NaN, and NOTHING if the mean is NaN."""
    if math.isnan(mean) or math.isnan(half):
        return number(mean, decimals)
    return f"{number(mean, decimals)} ± {number(half, decimals)}"


def difference(value: float, decimals: int = 3) -> str:
    """Return a difference with its sign, such as '+0.012' or '−0.003'; '0.000' has no sign."""
    text = number(value, decimals)
    return text if math.isnan(value) or value < 0 or not float(text) else "+" + text


def p_value(p: float) -> str:
    """Return p with three significant digits: '0.00468' for p of 1e-3 or more, '8.30 × 10⁻⁴' for smaller p."""
    if math.isnan(p):
        return NOTHING
    if p == 0:
        return "0"
    if p < 1e-3:
        mantissa, exponent = scientific(p)
        return f"{mantissa} × 10{str(exponent).translate(_SUPERSCRIPT)}"
    exponent = scientific(p)[1]
    return f"{p:.{max(0, 2 - exponent)}f}"


def scientific(value: float) -> tuple[str, int]:
    """Return the mantissa with three significant digits and the exponent, such as ('8.30', -4)."""
    mantissa, exponent = f"{value:.2e}".split("e")
    return mantissa, int(exponent)


def best(values: Sequence[float] | Iterable[float], decimals: int = 3) -> list[bool]:
    """Return which values are the highest after rounding. All tied values are; NaN never is."""
    rounded = [math.nan if math.isnan(value) else float(f"{value:.{decimals}f}") for value in values]
    highest = max((value for value in rounded if not math.isnan(value)), default=math.nan)
    return [value == highest for value in rounded]
