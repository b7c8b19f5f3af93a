"""Check that every record belongs to the step in its name, and that it lists the inputs and outputs of that step.

Only some steps are recomputed. A false step name, other output paths, or files claimed by another step would exclude a result
from the audit.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from workflow_lib.base.errors import UserError
from workflow_lib.commands.audit import records
from workflow_lib.commands.audit.findings import Finding
from workflow_lib.commands.audit.records import NAME, Record
from workflow_lib.provenance import layout


def check(study: Path) -> Iterator[Finding]:
    """Yield the records with another step than their name says, or with inputs or outputs of other steps.

    `study` is the copy.
    """
    root, every = records.root_of(study), list(records.every(study))
    faults = [Finding(record.name, "fails", fault) for record in every if (fault := _fault(record, root))]
    yield from faults
    if not faults:
        yield Finding("steps", "holds", f"{len(every)} records read and write what their steps do")


def _fault(record: Record, root: Path) -> str:
    step, (dataset, loss, number) = record.step, record.about
    if step not in layout.STEPS or record.name != layout.record(step, dataset, loss, number):
        return f"is not where a record of the step {step[:80]!r} of its settings lies"
    if any(part and not NAME.fullmatch(part) for part in (dataset, loss)):
        return "names a dataset or a loss that cannot be one"
    this = layout.STEPS[step]
    expected = {name: sorted(layout.filled(path, dataset, loss, number) for path in paths) for name, paths in this.writes.items()}
    if {name: sorted(_places(record.outputs[name], root)) for name in record.outputs} != expected:
        return f"names other results than this checkout's step {step} writes"
    for name, entries in record.inputs.items():
        if name in this.outside:
            continue
        allowed = _allowed(record, name)
        for place in _places(entries, root):
            if not re.fullmatch(allowed, place):
                return f"says that it read {place} as {name}, which this checkout's step {step} does not"
    return ""


def _allowed(record: Record, name: str) -> str:
    """Return a regular expression for the paths that a step may read as input `name`, or "" if it has no such input."""
    output = layout.STEPS[record.step].reads.get(name)
    if output is None:
        return ""
    if output == layout.WHOLE:
        return "|".join(_everything())
    patterns = (layout.pattern(template, record.step, *record.about, name=NAME.pattern) for template in layout.templates(output))
    return "|".join(patterns)


def _everything() -> Iterator[str]:
    """Yield regular expressions for all files that steps write, and for all records."""
    for step, this in layout.STEPS.items():
        if step not in layout.LAST or step == layout.maker(layout.MANIFEST):
            templates = [path for paths in this.writes.values() for path in paths]
            yield from (
                layout.pattern(path, "", "", "", "", name=NAME.pattern) for path in [*templates, layout.record_template(step)]
            )


def _places(entries: Sequence[Mapping[str, str]], root: Path) -> list[str]:
    """Return the paths relative to the results. The path of a file outside them is returned unchanged."""
    found = []
    for entry in entries:
        try:
            found.append(records.inside(entry["path"], root))
        except UserError:
            found.append(entry["path"])
    return found
