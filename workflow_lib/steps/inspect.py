"""Read every file of a dataset once, and note what is in it, faults included."""

from workflow_lib.base.files import read_json, write_json
from workflow_lib.datasets.formats import registry
from workflow_lib.datasets.inspection import inspect_cases
from workflow_lib.images.cases import Case, LabelMap, Reading
from workflow_lib.steps._command import Context, Countdown, run, say
from workflow_lib.study.settings.inspect import Settings


def work(context: Context[Settings]) -> None:
    """Write `inspection`: what `files` holds, and the findings of every case. A fault is noted, and stops nothing here."""
    content = read_json(context.path("files"))
    cases = [Case.from_json(entry) for entry in content["cases"]]
    countdown = Countdown()
    findings = inspect_cases(
        cases,
        LabelMap.from_json(content["label_map"]),
        Reading.from_json(content["reading"]),
        progress=countdown.say,
        workers=context.workers,
        explain=registry.get(content["format"]).explain_labels,
    )
    described = [case.to_json() | {"found": finding.to_json()} for case, finding in zip(cases, findings, strict=True)]
    write_json(context.path("inspection"), content | {"cases": described})
    say(f"{sum(not finding.faults for finding in findings)} of {len(findings)} cases are sound")


if __name__ == "__main__":
    run("inspect", __doc__, work, Settings)
