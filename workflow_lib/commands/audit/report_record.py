"""Compare the report's record with its own configuration and with the records that the digest of the study covers.

The page is assembled from this record: whether images are synthetic, the labels of losses, the publication that is compared.
The manifest does not contain it, so each of its statements must also be in an earlier record, or follow from one.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from workflow_lib.commands.audit.records import LAST, Record
from workflow_lib.provenance.fingerprints import SHORT
from workflow_lib.report.text import count
from workflow_lib.statistics.sweeps import find_sweeps

SHOWN = 80
"""Characters of a name that are shown."""


def faults(report: Mapping[str, Any], every: Sequence[Record]) -> Iterator[str]:
    """Yield the statements of the report's settings that its configuration or the earlier records contradict."""
    config = report["config"]
    names = [dataset["name"] for dataset in report["datasets"]]
    for key in ("name", "title"):
        if report.get(key) != config["study"][key]:
            yield f"its {key} is not that of its configuration"
    if names != config["study"]["datasets"] or {*names} != {*config["datasets"]}:
        yield "it names other datasets than its configuration"
    for other in sorted({record.about[0] for record in every} - {"", *names}):
        yield f"it does not contain the dataset {other[:SHOWN]}, of which there are records"
    for dataset in report["datasets"]:
        own = [record for record in every if record.about[0] == dataset["name"]]
        found = [*_by_configuration(dataset, config), *_by_records(dataset, config, own)]
        yield from (f"{dataset['name']}: {fault}" for fault in found)
    yield from _of_fingerprints(report, every)


def _by_configuration(dataset: Mapping[str, Any], config: Mapping[str, Any]) -> Iterator[str]:
    chosen, protocol = config["datasets"][dataset["name"]], dataset["protocol"]
    division = chosen["cross_validation"]
    expected = {
        "label": chosen["label"],
        "format": protocol["format"],
        "synthetic": chosen["source"] == "phantom",
        "published": protocol["published"],
        "sweep": bool(find_sweeps(protocol["losses"])),
    }
    if division["table"] is None:
        expected["folds"] = 1 if division["fixed"] is not None else division["folds"]
    for key, value in expected.items():
        if dataset.get(key) != value:
            yield f"what it says of {key} does not follow from its configuration"
    if division["table"] != protocol["cross_validation"]["table"]:
        yield "its configuration and its protocol disagree about cross_validation.table"
    losses = [{key: value for key, value in loss.items() if key != "files"} for loss in dataset["losses"]]
    if losses != protocol["losses"] or [loss["name"] for loss in losses] != chosen["losses"]:
        yield "its losses are not those of its protocol and its configuration"
    for loss in losses:
        label = config["losses"].get(loss["name"], {}).get("label")
        if label is not None and label != loss["label"]:
            yield f"its configuration has another label for {loss['name']}"


def _by_records(dataset: Mapping[str, Any], config: Mapping[str, Any], own: Sequence[Record]) -> Iterator[str]:
    expected = _shared(dataset, config["datasets"][dataset["name"]])
    for record in own:
        for key, value in expected.get(record.step, {}).items():
            if key not in record.settings or record.settings[key] != value:
                yield f"it and {record.name} disagree about {key}"
    if bool(dataset["sweep"]) != any(record.step == "figures_sweep" for record in own):
        yield f"there is {'no' if dataset['sweep'] else 'a'} record of the figure over a parameter, and it says otherwise"


def _shared(dataset: Mapping[str, Any], chosen: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return, by step, the statements on a dataset that both the step's settings and the report contain."""
    label = {"label": dataset["label"]}
    labels = [{key: loss[key] for key in ("name", "label")} for loss in dataset["losses"]]
    return {
        "obtain": {key: chosen[key] for key in ("root", "url", "channels", "files")},
        "cases_page": label,
        "collect": {"folds": dataset["folds"]},
        "tables": label | {"synthetic": dataset["synthetic"]},
        "figures_dataset": label | {"losses": labels, "figure_case": chosen["figure_case"]},
        "figures_sweep": label | {"losses": dataset["protocol"]["losses"]},
    }


def _of_fingerprints(report: Mapping[str, Any], every: Sequence[Record]) -> Iterator[str]:
    """Yield missing or superfluous fingerprints in the report. A job without one could never be marked as stale."""
    made = _made(every)
    recorded = report.get("fingerprints", {})
    for dataset in sorted({*made, *recorded}):
        there = {job: len(fingerprints) for job, fingerprints in made.get(dataset, {}).items()}
        if {job: len(fingerprints) for job, fingerprints in recorded.get(dataset, {}).items()} != there:
            yield f"its fingerprints are not of the jobs that there are records of ({dataset[:SHOWN] or 'no dataset'})"


def stale(report: Mapping[str, Any], every: Sequence[Record]) -> str:
    """Return how many results the report marks as made with other settings or code than the study had; "" if none."""
    made, recorded = _made(every), report.get("fingerprints", {})
    other = sum(
        mine != given
        for dataset, jobs in made.items()
        for job, fingerprints in jobs.items()
        for mine, given in zip(fingerprints, recorded.get(dataset, {}).get(job, []), strict=False)
    )
    return f"marks {count(other, 'result')} as made with other settings or code than the study had then" if other else ""


def _made(every: Sequence[Record]) -> dict[str, dict[str, list[str]]]:
    """Return the short fingerprints of the records before the manifest, as in the report: dataset, job, fold or shard."""
    found: dict[str, dict[str, list[str]]] = {}
    for record in sorted(every, key=lambda record: record.about[2]):
        dataset, loss, _ = record.about
        if record.name not in LAST:
            job = f"{record.step}/{loss}" if loss else record.step
            found.setdefault(dataset, {}).setdefault(job, []).append(record.fingerprint[:SHORT])
    return found
