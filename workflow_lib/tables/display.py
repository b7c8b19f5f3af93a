"""How numbers are written for people. Files keep full precision; rounding happens here only."""

import math
from collections.abc import Iterable, Sequence

from workflow_lib.metrics.paper import LABELS as METRIC_NAMES
from workflow_lib.statistics.holm import mark

__all__ = ["METRIC_NAMES", "NOTHING", "best", "difference", "mark", "mean_ci", "number", "p_value", "scientific"]

NOTHING = "–"
"""The text for a number that does not exist."""

_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_MINUS = "−"


def number(value: float, decimals: int = 3) -> str:
    """Return '0.945', with a real minus sign; NOTHING for NaN."""
    if math.isnan(value):
        return NOTHING
    text = f"{value:.{decimals}f}"
    # -0.0004 is written 0.000, not −0.000.
    return text.replace("-", _MINUS) if float(text) else text.lstrip("-")


def mean_ci(mean: float, half: float, decimals: int = 3) -> str:
    """Return '0.945 ± 0.017'; the mean alone where the half width is NaN, NOTHING where both are."""
    if math.isnan(mean) or math.isnan(half):
        return number(mean, decimals)
    return f"{number(mean, decimals)} ± {number(half, decimals)}"


def difference(value: float, decimals: int = 3) -> str:
    """Return '+0.012' or '−0.003'; '0.000' has no sign."""
    text = number(value, decimals)
    return text if math.isnan(value) or value < 0 or not float(text) else "+" + text


def p_value(p: float) -> str:
    """Return p to three significant digits: '0.00468' where the unrounded p is 1e-3 or more, else '8.30 × 10⁻⁴'."""
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
    """Return mantissa with three significant digits and exponent: ('8.30', -4)."""
    mantissa, exponent = f"{value:.2e}".split("e")
    return mantissa, int(exponent)


def best(values: Sequence[float] | Iterable[float], decimals: int = 3) -> list[bool]:
    """Return which values are the highest once rounded as they are shown; all that tie are. NaN never is."""
    rounded = [math.nan if math.isnan(value) else float(f"{value:.{decimals}f}") for value in values]
    highest = max((value for value in rounded if not math.isnan(value)), default=math.nan)
    return [value == highest for value in rounded]
