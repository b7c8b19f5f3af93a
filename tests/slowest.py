"""Report the slowest test files at the end of a test run, with their time and what they check."""

import ast
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def file_seconds(reports: Iterable[Any]) -> Counter[str]:
    """Return the seconds of each test file, including its fixtures, from pytest's reports of its tests."""
    seconds: Counter[str] = Counter()
    for report in reports:
        if hasattr(report, "duration") and "::" in getattr(report, "nodeid", ""):
            seconds[report.nodeid.split("::")[0]] += report.duration
    return seconds


def first_sentence(path: Path) -> str:
    """Return the first line of a module's docstring, which states what its tests check."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n")[0]


def lines(seconds: Counter[str], number: int, root: Path) -> list[str]:
    """Return a line for each of the slowest files."""
    return [
        f"{spent:7.1f} s  {name.removeprefix('tests/')}: {first_sentence(root / name)}"
        for name, spent in seconds.most_common(number)
    ]
