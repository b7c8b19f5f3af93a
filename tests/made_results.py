"""Results of a study that nothing computed: files of a few bytes, with the records that their steps would write."""

import json
from pathlib import Path
from typing import Any

from workflow_lib.base.files import read_json, write_json
from workflow_lib.plan import order
from workflow_lib.plan.jobs import JobId, Plan
from workflow_lib.provenance import layout
from workflow_lib.provenance.manifest import SUMS, sums, write_sums
from workflow_lib.provenance.records import digest


def make(plan: Plan, place: JobId, text: str) -> None:
    """Write the results of a job, with `text` in them, and their record, as its step would."""
    root = Path(plan.results)
    outputs: dict[str, Any] = {}
    for name, templates in layout.STEPS[place.step].writes.items():
        paths = [root / layout.filled(template, place.dataset, place.loss, place.number) for template in templates]
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
            if name in layout.STEPS[place.step].folders:
                path.mkdir(exist_ok=True)
                (path / "case.nii.gz").write_text(f"{path} {text}")
            else:
                path.write_text(f"{path} {text}")
        outputs[name] = [digest(path) for path in paths]
    inputs: dict[str, Any] = {}
    for name, output in layout.STEPS[place.step].reads.items():
        if output == layout.WHOLE:
            files = plan.records() if place.step == "manifest" else [layout.path(layout.MANIFEST)]
            inputs[name] = [digest(root / file) for file in files]
        else:
            inputs[name] = [_entry(plan, place, name, source, number) for source, number in order.sources(plan, place, name)]
    for templates in layout.STEPS[place.step].unrecorded.values():
        for template in templates:
            (root / template).write_text("")
    job = plan.job(place.step, place.dataset, place.loss, place.number)
    record = {"settings": json.loads(job.settings), "fingerprint": job.fingerprint, "inputs": inputs, "outputs": outputs}
    write_json(root / place.record, record)
    if place.step == "report_page":
        write_sums(root / SUMS, sums(root, [*plan.records(), JobId("manifest").record, place.record]))


def _entry(plan: Plan, place: JobId, name: str, source: JobId, number: int) -> Any:
    output = layout.STEPS[place.step].reads[name].split(".")[1].partition(":")[0]
    return read_json(Path(plan.results) / source.record)["outputs"][output][number]
