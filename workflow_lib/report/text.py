"""Small pieces of plain text: counts, lists, durations. The templates escape it."""

from __future__ import annotations

import math
from collections.abc import Sequence


def count(number: int, one: str, many: str | None = None) -> str:
    """Return "1 case", "20 cases", with thin spaces in large numbers."""
    return f"{grouped(number)} {one if number == 1 else many or one + 's'}"


def grouped(number: int) -> str:
    """Return an integer with a narrow no-break space between groups of three digits from 10 000 on."""
    return f"{number:,}".replace(",", "\u202f") if abs(number) >= 10_000 else str(number)


def listed(items: Sequence[str]) -> str:
    """Return "a", "a and b", "a, b and c"."""
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1] if items else ""


def full(value: float) -> str:
    """Return a number in full precision, for titles and sorting; empty if it is undefined."""
    return repr(float(value)) if math.isfinite(value) else ""


def duration(seconds: float) -> str:
    """Return a wall time: "45 s", "12 min", "3 h 05 min", "2 d 4 h"."""
    if not math.isfinite(seconds):
        return "–"
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes:02d} min"
    return f"{hours // 24} d {hours % 24} h"
