"""The comparison as plain data and as text."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from workflow_lib.commands.audit import code
from workflow_lib.commands.compare import numbers
from workflow_lib.commands.compare.numbers import Cell
from workflow_lib.commands.compare.sides import Data, Side
from workflow_lib.datasets.identity import ROLES
from workflow_lib.plan.changes import setting_changes
from workflow_lib.provenance.fingerprints import SHORT
from workflow_lib.report.text import count, full

SAME, DIFFERENT, NOT_COMPARABLE = 0, 1, 2
"""Exit codes: all numbers are the same, some differ, there is nothing to compare."""

DEFINITION = (
    "Within seed variation: of the same cases in the same folds, the difference B - A is averaged over the cases of each fold, "
    "and the 95 % t interval over the folds contains 0. Then other seeds are sufficient to explain a difference of this size; "
    "there may still be a difference. Seeds alone give about 1 in 20 numbers beyond seed variation. With few folds the interval "
    "is wide."
)
CASES = (
    "The interval over the cases (paired bootstrap of the cases within their folds, 95 %) is conditional on the trained "
    "networks: it shows how much the difference would change with other cases. It contains no information about seeds."
)
WORDS = {"same": "the same", "within": "within seed variation", "beyond": "beyond seed variation", "open": "not decided"}
SHOWN = 200
"""Limit of lines of one kind in the text; the page shows all."""


def describe(a: Side, b: Side) -> dict[str, Any]:
    """Return the content of the text and the page, and the exit code."""
    common = [name for name in a.data if name in b.data]
    datasets = [_dataset(a.data[name], b.data[name]) for name in common]
    cells = [cell for dataset in datasets for part in dataset["parts"] for cell in part["cells"]]
    alone = sorted({*a.data} ^ {*b.data}) + [name for dataset in datasets for name in dataset["alone"]]
    kinds = Counter(cell["verdict"] for cell in cells)
    if not cells:
        status, verdict = NOT_COMPARABLE, "There is nothing to compare: no dataset, loss and class is in both."
    elif alone or kinds["same"] < len(cells):
        status, verdict = DIFFERENT, f"{kinds['same']} of {count(len(cells), 'number')} are the same."
    else:
        status, verdict = SAME, f"All {count(len(cells), 'number')} are the same."
    return {
        "status": status,
        "verdict": verdict,
        "counts": [{"words": WORDS[kind], "count": kinds[kind]} for kind in WORDS],
        "sides": [_side(name, side) for name, side in (("A", a), ("B", b))],
        "alone": alone,
        "settings": setting_changes(a.config, b.config),
        "code": [{"step": step, "words": words} for step, words in _code(a, b)],
        "versions": [
            {"package": name, "a": a.versions.get(name, "none"), "b": b.versions.get(name, "none")}
            for name in sorted({*a.versions, *b.versions})
            if a.versions.get(name) != b.versions.get(name)
        ],
        "datasets": datasets,
        "definition": DEFINITION,
        "cases": CASES,
    }


def _side(name: str, side: Side) -> dict[str, str]:
    return {
        "name": name,
        "folder": side.folder,
        "title": side.title,
        "digest": side.digest,
        "commit": side.commit,
        "devices": side.devices or "unknown",
    }


def _code(a: Side, b: Side) -> Iterator[tuple[str, str]]:
    for step in sorted({*a.code, *b.code}):
        if not (a.code.get(step) and b.code.get(step)):
            yield step, "the code of one side is unknown"
        elif words := code.in_words(code.differences(a.code[step], b.code[step])):
            yield step, words
    if not a.code and not b.code:
        yield "all steps", "no code table on either side"


def _dataset(a: Data, b: Data) -> dict[str, Any]:
    both, equal = numbers.scores(a, b)
    parts = [
        {"id": "means", "title": "Means of the tables", "seeds": True, "cells": numbers.means(a, b)},
        {"id": "surface", "title": "Surface distances", "seeds": False, "cells": list(numbers.surface(a, b))},
        {"id": "p", "title": "p-values after Holm", "seeds": False, "cells": numbers.p_values(a, b)},
    ]
    return {
        "name": a.name,
        "data": list(_data(a, b)),
        "alone": sorted(f"{a.name}: {' · '.join(key)}" for key in _keys(a) ^ _keys(b)),
        "scores": f"{equal} of {both} scores of single cases and classes are the same",
        "parts": [part | {"cells": [_cell(cell) for cell in part["cells"]]} for part in parts],  # type: ignore[attr-defined]
    }


def _keys(data: Data) -> set[tuple[str, str]]:
    return {(row["loss"], row["class"]) for row in data.means}


def _data(a: Data, b: Data) -> Iterator[str]:
    """Yield the differences in the cases, their files and their folds."""
    for side, cases in (("A", {*a.cases} - {*b.cases}), ("B", {*b.cases} - {*a.cases})):
        if cases:
            yield f"{count(len(cases), 'case')} only in {side}: {_cut(sorted(cases))}"
    common = sorted({*a.cases} & {*b.cases})
    for role in ROLES:
        changed = [case for case in common if a.cases[case].get(role) != b.cases[case].get(role)]
        if changed:
            yield f"the {role} of {count(len(changed), 'case')} differ: {_cut(changed)}"
    if a.digest != b.digest:
        yield f"digest of the data: {a.digest[:SHORT]}… in A, {b.digest[:SHORT]}… in B"
    moved = [case for case in common if a.folds.get(case) != b.folds.get(case)]
    if moved:
        yield f"{count(len(moved), 'case')} in another fold: {_cut(moved)}"
    if a.digest == b.digest and not moved:
        yield f"the same {count(len(common), 'case')}, byte for byte, in the same folds"


def _cut(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _cell(cell: Cell) -> dict[str, Any]:
    return {
        "name": cell.name,
        "a": _number(cell.a),
        "b": _number(cell.b),
        "difference": _number(cell.difference, sign=True),
        "verdict": cell.verdict,
        "words": WORDS[cell.verdict] + (f": {cell.reason}" if cell.reason else ""),
        "interval": _interval(cell.low, cell.high),
        "cases": _interval(cell.cases_low, cell.cases_high),
    }


def _number(value: float, sign: bool = False) -> dict[str, str]:
    if math.isnan(value):
        return {"text": "–", "sort": ""}
    return {"text": f"{value:{'+' if sign else ''}.4g}", "sort": full(value)}


def _interval(low: float, high: float) -> str:
    return "" if math.isnan(low) else f"{low:+.3g} to {high:+.3g}"


def text(found: Mapping[str, Any]) -> str:
    """Return the comparison as text."""
    lines = [found["verdict"], ""]
    for side in found["sides"]:
        lines.append(f"{side['name']}  {side['folder']}: {side['title']}; commit {side['commit']}; {side['devices']}")
        lines.append(f"   digest {side['digest']}")
    lines += ["", *_block("Settings, A -> B", found["settings"])]
    lines += _block("Code, A -> B", [f"{entry['step']}: {entry['words']}" for entry in found["code"]])
    lines += _block("Versions, A -> B", [f"{row['package']} {row['a']} -> {row['b']}" for row in found["versions"]])
    lines += _block("Only on one side", found["alone"]) if found["alone"] else []
    for dataset in found["datasets"]:
        lines += _block(f"Data of {dataset['name']}", [*dataset["data"], dataset["scores"]])
        for part in dataset["parts"]:
            cells = [cell for cell in part["cells"] if cell["verdict"] != "same"]
            heading = f"{part['title']} of {dataset['name']}: {len(part['cells']) - len(cells)} of {len(part['cells'])} the same"
            lines += [heading, *map(_line, cells[:SHOWN])]
            lines += [f"  and {len(cells) - SHOWN} more (--page)"] if len(cells) > SHOWN else []
            lines.append("")
    return "\n".join([*lines, found["definition"], found["cases"]])


def _block(title: str, lines: Sequence[str]) -> list[str]:
    return [f"{title}:", *(f"  {line}" for line in lines or ["the same"]), ""]


def _line(cell: Mapping[str, Any]) -> str:
    numbers_of = f"{cell['a']['text']} -> {cell['b']['text']} ({cell['difference']['text']})"
    intervals = [f"folds {cell['interval']}"] * bool(cell["interval"]) + [f"cases {cell['cases']}"] * bool(cell["cases"])
    return f"  {cell['name']}: {numbers_of}; {cell['words']}" + (f" [{'; '.join(intervals)}]" if intervals else "")
