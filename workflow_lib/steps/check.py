"""Read every case of a dataset, report all faults at once, and list the cases that the study uses."""

from pathlib import Path

from workflow_lib.cases import Case, LabelMap
from workflow_lib.datasets import check, registry
from workflow_lib.files import read_json, sha256_file, write_json
from workflow_lib.steps._command import Context, run, say


def work(context: Context) -> None:
    """Write `table`, a row per case, and `cases`, what the study uses. Raises Faults when a case is not sound."""
    content = read_json(context.path("files"))
    labels = LabelMap.from_json(content["label_map"])
    cases = [Case(entry["id"], tuple(map(Path, entry["images"])), Path(entry["mask"])) for entry in content["cases"]]
    rows = check.check_cases(
        cases,
        labels,
        excluded=context.settings["exclude"],
        required=context.settings["require"],
        progress=say,
        workers=context.workers,
        explain=registry.get(content["format"]).explain_labels,
    )
    faults = check.fault_report(rows)
    if faults is not None:
        raise faults
    check.write_cases_csv(context.path("table"), rows, labels)
    by_id = {case.id: case for case in cases}
    included = [row for row in rows if row.status == "included"]
    write_json(
        context.path("cases"),
        {
            "format": content["format"],
            "synthetic": content["synthetic"],
            "label_map": content["label_map"],
            "channels": len(cases[0].images),
            "cases": [_entry(by_id[row.case]) for row in included],
        },
    )
    say(f"{len(included)} of {len(rows)} cases included")


def _entry(case: Case) -> dict[str, object]:
    files = [*case.images, case.mask]
    return {
        "id": case.id,
        "images": [path.as_posix() for path in case.images],
        "mask": case.mask.as_posix(),
        # What was checked is what is used: `preprocess` compares.
        "sha256": {path.as_posix(): sha256_file(path) for path in files},
    }


if __name__ == "__main__":
    run("check", __doc__, work, inputs=["files"], outputs=["cases", "table"])
