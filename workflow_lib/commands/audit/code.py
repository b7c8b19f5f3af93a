"""Compare the code that made the results with the code of this checkout. A difference is a note, not a fault."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from workflow_lib.commands.audit import records
from workflow_lib.commands.audit.agreement import made_with, tables_of_code
from workflow_lib.commands.audit.findings import Finding
from workflow_lib.provenance.fingerprints import PACKAGE, code_table, module_path, report_file

SHOWN = 6
_MODULE = re.compile(rf"{PACKAGE}(\.[A-Za-z_][A-Za-z0-9_]*)*")


def check(study: Path) -> Iterator[Finding]:
    """Yield for every step whether its results were made with the code of this checkout, and which modules differ."""
    tables = tables_of_code(study)
    differing: dict[tuple[str, str], int] = {}
    same = 0
    for record in records.every(study):
        table = made_with(record, tables)
        if table is None:
            continue
        words = in_words(differences(table, here(record.step, table)))
        if words:
            differing[record.step, words] = differing.get((record.step, words), 0) + 1
        else:
            same += 1
    for (step, words), count in differing.items():
        yield Finding(f"code of {step}", "note", f"{_results(count)} made with other code than this checkout's: {words}")
    if same:
        yield Finding("code", "note", f"{_results(same)} made with the very code of this checkout")


def here(step: str, table: Mapping[str, str]) -> dict[str, str]:
    """Return the code table of this checkout that corresponds to a recorded one. Files of the user are taken from `table`."""
    roots = [name for name in [f"{PACKAGE}.steps.{step}", *table] if _MODULE.fullmatch(name) and module_path(name)]
    files = [path for name in table if (path := report_file(name)) is not None]
    return code_table([*roots, *files]) | {name: digest for name, digest in table.items() if name.endswith(".py")}


def differences(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the modules that are "changed", "new" or "gone" between two code tables. Empty groups are omitted."""
    found = {
        "changed": sorted(name for name in {*before} & {*after} if before[name] != after[name]),
        "new": sorted({*after} - {*before}),
        "gone": sorted({*before} - {*after}),
    }
    return {kind: names for kind, names in found.items() if names}


def in_words(found: Mapping[str, list[str]]) -> str:
    """Return the differences in one line, or an empty text if there are none."""
    return "; ".join(f"{kind}: {_cut(names)}" for kind, names in found.items())


def _cut(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _results(count: int) -> str:
    return "1 result was" if count == 1 else f"{count} results were"
