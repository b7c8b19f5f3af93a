"""Names chosen by users as text in a figure: without interpretation as math, and limited in width."""

import textwrap
from collections import Counter
from collections.abc import Mapping

PLACE = 30
"""Minimum number of characters of a label that every figure shows."""


def plain(text: str, limit: int = 40) -> str:
    """Return `text` on one line of at most `limit` characters, with matplotlib's math characters escaped."""
    line = _line(text)
    if len(line) > limit:
        line = line[: limit - 1].rstrip() + "…"
    return line.replace("$", r"\$")


def wrapped(text: str, width: int = 16, lines: int = 3) -> str:
    """Return `text` broken into at most `lines` lines of at most `width` characters, escaped as in `plain`."""
    broken = textwrap.wrap(_line(text), width, max_lines=lines, placeholder="…")
    return "\n".join(broken).replace("$", r"\$")


def heading(text: str, limit: int = 40) -> str:
    """Return `text` as `plain` does, with an upper-case first letter: "Kidney", "LV myocardium"."""
    return plain(text[:1].upper() + text[1:], limit)


def distinct_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """Return name -> label. Labels that would look equal after shortening are cut and followed by the name.

    `labels` maps the names of the losses, which are unique, to their labels. Other labels are unchanged.
    """
    starts = {name: _line(label)[:PLACE] for name, label in labels.items()}
    count = Counter(starts.values())
    alike = {name for name, start in starts.items() if count[start] > 1}
    return {name: f"{_start(label, 14)} ({_end(name, 16)})" if name in alike else label for name, label in labels.items()}


def _line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split()) or " "


def _start(text: str, limit: int) -> str:
    line = _line(text)
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def _end(text: str, limit: int) -> str:
    return text if len(text) <= limit else "…" + text[1 - limit :]
