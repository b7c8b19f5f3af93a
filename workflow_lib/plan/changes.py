"""Describe how the settings and the code of a record differ from those of the plan, in a user's terms.

A record contains one fingerprint of its settings and code. The digests of the single modules are in `code/` next to the records:
one table for each state of the code, written when a run begins.
"""

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workflow_lib.base.errors import UserError
from workflow_lib.base.files import canonical_json, read_json, write_json
from workflow_lib.plan.jobs import JobId, Plan
from workflow_lib.provenance.fingerprints import combined, table_digest

CODE = "code"
"""Folder of the tables of code."""

SHOWN = 3
"""Number of files that are named."""

NEVER = "never run"

KINDS = {"template": "reports/templates/", "published numbers": "reports/published/", "code": ""}
"""What a table of code holds, by how the names of its files begin."""

DIVISION = {"table": "cross_validation.table", "groups": "groups"}
"""The CSV files that define a division, as the study names them."""

LONGEST = 60
"""Limit of the characters of a value that is shown."""


def planned_fingerprint(plan: Plan, place: JobId) -> str:
    """Return the present fingerprint of a job."""
    return plan.job(place.step, place.dataset, place.loss, place.number).fingerprint


def remember_code(plan: Plan) -> None:
    """Write the missing tables of the present code, so that a later change can be described by its files."""
    for place in plan.jobs():
        table = plan.code(place.step, place.dataset, place.loss, place.number)
        path = Path(plan.results) / CODE / f"{table_digest(table)}.json"
        if not path.exists():
            write_json(path, table)


def differences(plan: Plan, place: JobId, record: Mapping[str, Any]) -> list[str]:
    """Return in which settings and code a record differs from what the plan has now for its job."""
    job, before, found = plan.job(place.step, place.dataset, place.loss, place.number), record["settings"], record["fingerprint"]
    said = setting_changes(before, json.loads(job.settings))
    table = plan.code(place.step, place.dataset, place.loss, place.number)
    if combined(before, table_digest(table)) != found:
        earlier = next((t for t in _tables(Path(plan.results) / CODE) if combined(before, table_digest(t)) == found), None)
        said += _code_changes(earlier, table)
    return said


@functools.cache
def _tables(folder: Path) -> tuple[Mapping[str, str], ...]:
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            found.append(read_json(path))
        except UserError:
            continue
    return tuple(table for table in found if isinstance(table, dict))


def setting_changes(before: Any, after: Any, name: str = "") -> list[str]:
    """Return the differences of settings, such as `training.epochs 1 -> 3`. Lists are compared as a whole or by names."""
    if before == after:
        return []
    if _is_list_of_named(before) and _is_list_of_named(after):
        # Lists of losses, of datasets: by their names, once these are the same.
        one, other = ({item["name"]: item for item in items} for items in (before, after))
        if list(one) == list(other):
            before, after = one, other
    if not (isinstance(before, dict) and isinstance(after, dict)):
        return [f"{name or 'settings'} {_shown(before)} -> {_shown(after)}"]
    said = []
    for key in sorted({*before, *after}):
        inner = f"{name}.{key}" if name else str(key)
        if inner == "fingerprints":
            # Settings of the report: the fingerprints of all jobs, whose reasons are reported separately.
            continue
        if key == "division_files":
            said += _file_changes(before.get(key, {}), after.get(key, {}))
        elif key not in before:
            said.append(f"{inner} is new: {_shown(after[key])}")
        elif key not in after:
            said.append(f"{inner} is gone")
        elif name.endswith("loss.files") and before[key] != after[key]:
            said.append(f"the loss file {key}.py changed")
        else:
            said += setting_changes(before[key], after[key], inner)
    return said


def _file_changes(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    changed = [key for key in DIVISION if before.get(key) != after.get(key)]
    how = {key: "is new" if key not in before else "is gone" if key not in after else "changed" for key in changed}
    return [f"the file of {DIVISION[key]} {how[key]}" for key in changed]


def _shown(value: Any) -> str:
    if _is_list_of_named(value):
        value = [item["name"] for item in value]
    texts = isinstance(value, list) and all(isinstance(item, str) for item in value)
    text = ", ".join(value) if texts else canonical_json(value).strip('"')
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def _is_list_of_named(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) and "name" in item for item in value)


def _code_changes(before: Mapping[str, str] | None, after: Mapping[str, str]) -> list[str]:
    if before is None:
        return ["code changed"]
    changed = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
    said = []
    for what, start in KINDS.items():
        named = [_file(name) for name in changed if name.startswith(start)]
        changed = [name for name in changed if not name.startswith(start)]
        more = f" and {len(named) - SHOWN} more files" if len(named) > SHOWN + 1 else ""
        said += [f"{what} changed: {', '.join(named[:SHOWN] if more else named)}{more}"] if named else []
    return said


def _file(module: str) -> str:
    return module if "/" in module or module.endswith(".py") else module.replace(".", "/") + ".py"
