"""Decide which cases the study uses. Stop if one has a fault, and report all faults together."""

from typing import Any

from workflow_lib.base.errors import Faults
from workflow_lib.base.files import write_json
from workflow_lib.datasets import check
from workflow_lib.datasets.inspection import Finding
from workflow_lib.datasets.similarity import groups
from workflow_lib.images.cases import Case
from workflow_lib.steps._inspection import read_inspection
from workflow_lib.steps.command import Context, run, say
from workflow_lib.study.settings.check import Settings

PAGE = "cases.html"
FAULTS = "faults.csv"
"""File next to the outputs if the step fails: the table that it would have written, to sort and filter the faults."""


def work(context: Context[Settings]) -> None:
    """Write `table`, a row per case, and `cases`, the cases in use. Raises Faults if a case has a fault."""
    inspection = read_inspection(context.path("inspection"), context.settings)
    rows = inspection.rows
    faults_file = context.path("table").with_name(FAULTS)
    faults = check.fault_report(rows, inspection.labels)
    if faults is not None:
        check.write_cases_csv(faults_file, rows, inspection.labels)
        raise Faults(f"All cases: {faults_file.with_name(PAGE)} (to look at), {faults_file}\n{faults.heading}", faults.faults)
    faults_file.unlink(missing_ok=True)
    check.write_cases_csv(context.path("table"), rows, inspection.labels)
    by_id = {case.id: case for case in inspection.cases}
    included = [row for row in rows if row.status == "included"]
    content = {key: inspection.content[key] for key in ("format", "synthetic", "label_map", "reading", "group")}
    first = included[0].finding
    entries = [_entry(by_id[row.case], row.finding) for row in included]
    axes = len(first.shape or ())
    found = {
        case.id: Finding.from_json(entry["found"])
        for case, entry in zip(inspection.cases, inspection.content["cases"], strict=True)
    }
    similar = groups(check.similar_cases([by_id[row.case] for row in included], [found[row.case] for row in included]))
    content |= {"similar": similar} if similar else {}
    write_json(context.path("cases"), content | {"channels": first.channels, "axes": axes, "cases": entries})
    for name in check.absent_classes(rows, inspection.labels):
        say(f"warning: no included case contains the class {name}; check whether the masks use another value for it")
    say(f"{len(included)} of {len(rows)} cases included")


def _entry(case: Case, finding: Finding) -> dict[str, Any]:
    # Later steps compare the files that they read with these digests of the inspected files.
    return case.to_json() | {"spacing": list(finding.spacing or ()), "sha256": dict(finding.sha256)}


if __name__ == "__main__":
    run("check", __doc__, work, Settings)
