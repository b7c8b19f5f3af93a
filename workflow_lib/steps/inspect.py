"""Read every file of a dataset once and describe its content, including faults."""

from collections.abc import Mapping, Sequence
from typing import Any

from workflow_lib.base.errors import UserError
from workflow_lib.base.files import canonical_json, read_json, sha256_text, write_json
from workflow_lib.datasets.formats import registry
from workflow_lib.datasets.inspection import Finding, inspect_cases
from workflow_lib.images.cases import Case, LabelMap, Reading
from workflow_lib.images.files_read import file_state
from workflow_lib.steps.command import Context, Countdown, run, say
from workflow_lib.study.settings.inspect import Settings

CONTEXT = "context"
"""Key of the earlier inspection: a digest of everything but the files that a finding depends on."""


def work(context: Context[Settings]) -> None:
    """Write `inspection`: the content of `files`, and the findings of every case. Faults are recorded and do not stop the step.

    A case keeps the findings of an earlier inspection if files, settings and code have not changed since.
    """
    content = read_json(context.path("files"))
    cases = [Case.from_json(entry) for entry in content["cases"]]
    known = _known(context, content, cases)
    left = [case for case in cases if case.id not in known]
    if known:
        say(f"{len(known)} of {len(cases)} cases are as they were at the last inspection")
    countdown = Countdown()
    findings = inspect_cases(
        left,
        LabelMap.from_json(content["label_map"]),
        Reading.from_json(content["reading"]),
        progress=countdown.say,
        workers=context.workers,
        explain=registry.get(content["format"]).explain_labels,
    )
    found = known | {case.id: finding.to_json() for case, finding in zip(left, findings, strict=True)}
    described = [case.to_json() | {"found": found[case.id]} for case in cases]
    write_json(context.path("inspection"), content | {"cases": described})
    for earlier in context.paths.get("earlier", []):
        write_json(earlier, {CONTEXT: _digest(context, content), "cases": described})
    say(f"{sum(not entry['faults'] for entry in found.values())} of {len(found)} cases are sound")


def _digest(context: Context[Settings], content: Mapping[str, Any]) -> str:
    shared = {key: content[key] for key in ("format", "label_map", "reading")}
    return sha256_text(canonical_json({"fingerprint": context.fingerprint, "files": shared}))


def _known(context: Context[Settings], content: Mapping[str, Any], cases: Sequence[Case]) -> dict[str, dict[str, Any]]:
    """Return the earlier findings of the cases whose files have not changed, by case."""
    for path in context.paths.get("earlier", []):
        try:
            earlier = read_json(path)
            if earlier[CONTEXT] == _digest(context, content):
                entries = {entry["id"]: entry for entry in earlier["cases"]}
                return {case.id: entries[case.id]["found"] for case in cases if _is_unchanged(case, entries.get(case.id))}
        except (UserError, OSError, KeyError, TypeError):
            continue
    return {}


def _is_unchanged(case: Case, entry: Mapping[str, Any] | None) -> bool:
    if entry is None or Case.from_json(entry) != case:
        return False
    finding = Finding.from_json(entry["found"])
    return all(tuple(finding.states.get(path.as_posix(), ())) == file_state(path) for path in case.files)


if __name__ == "__main__":
    run("inspect", __doc__, work, Settings)
