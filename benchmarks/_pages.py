"""docs/performance.md and the README's part on performance, written from results.json.

The prose stands in `performance.md.j2` and `readme.md.j2`; every measured number in them is taken from a row, named by its
benchmark and what was done. A row that is missing is an error that says which benchmark to run.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from benchmarks._measure import ROOT, Row
from workflow_lib.base.errors import Faults, UserError
from workflow_lib.base.files import write_text

FOLDER = Path(__file__).resolve().parent
BEGIN, END = "<!-- Written by python -m benchmarks; begin -->", "<!-- Written by python -m benchmarks; end -->"


def contents(results: Mapping[str, Any], names: Sequence[str], root: Path = ROOT) -> dict[str, str]:
    """Return the text of both pages by their paths. Raises UserError when a benchmark is missing or was only tried."""
    check(results, names)
    readme = (root / "README.md").read_text(encoding="utf-8")
    return {
        "docs/performance.md": render("performance.md.j2", results),
        "README.md": _between_marks(readme, render("readme.md.j2", results)),
    }


def write(results: Mapping[str, Any], names: Sequence[str], root: Path = ROOT) -> None:
    """Write both pages."""
    for path, text in contents(results, names, root).items():
        write_text(root / path, text)


def check(results: Mapping[str, Any], names: Sequence[str]) -> None:
    """Raise Faults unless every benchmark was measured, and none with `--quick` only."""
    found = results["benchmarks"]
    missing = [name for name in names if name not in found]
    tried = [name for name in names if name in found and found[name]["quick"]]
    faults = [f"{name} was not measured" for name in missing] + [f"{name} was only tried (--quick)" for name in tried]
    if faults:
        command = f"python -m benchmarks --only {' '.join(missing + tried)}"
        raise Faults(f"The pages on performance need every benchmark, measured in full. Run: {command}", faults)


def render(template: str, results: Mapping[str, Any], folder: Path = FOLDER) -> str:
    """Return a template filled with the results."""
    loader = FileSystemLoader(folder)
    environment = Environment(
        loader=loader,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters |= {"number": number, "ratio": ratio, "agreement": agreement, "shape": shape, "whole": whole}

    def row(benchmark: str, what: str) -> Row:
        return find(results, benchmark, what)

    def rows(benchmark: str) -> list[Row]:
        return list(results["benchmarks"][benchmark]["rows"])

    return environment.get_template(template).render(row=row, rows=rows, provenance=provenance(results))


def find(results: Mapping[str, Any], benchmark: str, what: str) -> Row:
    """Return a row by its benchmark and what was done. Raises UserError when there is none."""
    entry = results["benchmarks"].get(benchmark, {"rows": []})
    for row in entry["rows"]:
        if row["what"] == what:
            return dict(row)
    raise UserError(f"There is no row {what!r} of the benchmark {benchmark}. Run: python -m benchmarks --only {benchmark}")


def provenance(results: Mapping[str, Any]) -> list[str]:
    """Return when, where and with what the numbers were measured: one paragraph if all are of one run, else one for each run."""
    of_run: dict[str, list[str]] = {}
    for name, entry in results["benchmarks"].items():
        of_run.setdefault(entry["run"], []).append(name)
    if len(of_run) == 1:
        (run,) = of_run
        return [f"All in one run: {_run_in_words(results, run)}"]
    lines = ["These numbers are not of one run; ratios are, because both sides of each were measured together."]
    return lines + [f"{', '.join(sorted(of_run[run]))}: {_run_in_words(results, run)}" for run in sorted(of_run)]


def _run_in_words(results: Mapping[str, Any], date: str) -> str:
    """Return a run's circumstances; the load of the machine is told because others' work shows in the seconds."""
    run, loads = results["runs"][date], [entry["load"] for entry in results["benchmarks"].values() if entry["run"] == date]
    machine, versions = run["machine"], dict(run["versions"])
    commit = f"commit {run['commit'][:10]}" if run["commit"] else "no commit known"
    changed = "" if run["clean"] or run["commit"] is None else " with changes"
    place = f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']:g} GiB, {machine['os']}"
    packages = ", ".join(f"{name} {version}" for name, version in versions.items())
    load = f"{run['load'][0]:g} at the start, {min(loads):g} to {max(loads):g} before each benchmark"
    return f"{run['date'][:10]}, {commit}{changed}, on {place}; load average {load}; {packages}."


def number(value: float, digits: int = 2) -> str:
    """Return a number with so many significant digits, never with an exponent; digits before the point are not rounded away."""
    if value == 0:
        return "0"
    if abs(value) >= 10**digits:
        return f"{value:,.0f}".replace(",", " ") if abs(value) >= 10000 else f"{value:.0f}"
    rounded, exponent = float(f"{value:.{digits}g}"), int(f"{value:.{digits - 1}e}".split("e")[1])
    return f"{rounded:.{max(0, digits - 1 - exponent)}f}"


def whole(value: float) -> str:
    """Return a number without decimals."""
    return f"{value:.0f}"


def ratio(value: float) -> str:
    """Return a ratio: whole from 10 on, else with one decimal; below 1 with two."""
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def shape(sides: Sequence[int]) -> str:
    """Return a shape in words."""
    return " x ".join(map(str, sides))


def agreement(row: Row) -> str:
    """Return in words how far two results agree."""
    found = row["agreement"]
    if "differ" in found:
        of = f"{found['of'] / 1e6:.0f} million" if found["of"] >= 1e6 else str(found["of"])
        return f"{found['differ'] or 'none'} of {of} voxels differ" if found["differ"] else f"no voxel of {of} differs"
    largest = float(found["largest_difference"])
    return "equal" if largest == 0 else "largest difference " + re.sub(r"e-0?", "e-", f"{largest:.1e}")


def _between_marks(text: str, part: str) -> str:
    """Return a text with another part between its marks."""
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise UserError(f"README.md must hold the lines\n{BEGIN}\n{END}\nonce each, in this order. Put them back.")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    return f"{before}{BEGIN}\n{part}{END}{after}"
