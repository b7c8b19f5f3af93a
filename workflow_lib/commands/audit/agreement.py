"""Check that the records agree with each other beyond their digests: settings, seeds, fingerprints, predictions.

A forger who edits one file and recomputes all digests must make the same edit in every record that repeats the statement.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from workflow_lib.base.errors import UserError
from workflow_lib.base.files import canonical_json, sha256_text
from workflow_lib.base.seeds import derive
from workflow_lib.commands.audit import folder as safe
from workflow_lib.commands.audit import left_out, outcomes, records, report_record
from workflow_lib.commands.audit.findings import Finding
from workflow_lib.commands.audit.records import Record
from workflow_lib.datasets.folds import read_folds, split_cases
from workflow_lib.images.casefiles import DIVERGED
from workflow_lib.provenance import layout
from workflow_lib.provenance.fingerprints import combined, table_digest
from workflow_lib.report.text import count

CODE = "code"
TAKEN: Mapping[str, tuple[str, ...]] = {
    "obtain": ("format", "source", "phantom"),
    "check": ("exclude", "faulty", "field_of_view", "require"),
    "cases_page": ("exclude", "faulty", "field_of_view", "require"),
    "split": ("cross_validation",),
    "preprocess": ("preprocessing",),
    "train": ("augmentation", "network", "training"),
    "predict": ("network", "prediction", "preprocessing"),
    "evaluate": ("evaluation", "field_of_view"),
    "statistics": ("statistics",),
    "tables": ("published", "protocol"),
    "figures_dataset": ("field_of_view",),
}
"""The parts of a step's settings on its dataset that the report also contains."""

ASIDE = {"table", "gpus", "interval_over"}
"""Keys of sections that may differ between the two: a path of a user's file, GPUs, and a value that follows from the division.
The parts of them that affect results are checked separately (`_of_step`)."""

DIVISION = "division_files"
"""Key of protocols and of the settings of `split`: the digests of the user's files that define the division, if any."""

SEEDED = {
    "train": "training",
    "split": "folds",
    "statistics": "statistics",
    "figures_dataset": "figures",
    "cases_page": "figures",
}
"""Steps with a seed, and the name from which their seed is derived."""

BY_HAND = "by-hand"
"""Fingerprint of a step that was run without Snakemake."""


def tables_of_code(study: Path) -> dict[str, dict[str, str]]:
    """Return the code tables by the digest in their file name."""
    found = {}
    for path in sorted((study / CODE).glob("*.json")):
        content = safe.read_json(study, f"{CODE}/{path.name}")
        if all(isinstance(value, str) for value in content.values()):
            found[path.stem] = content
    return found


def check(study: Path) -> Iterator[Finding]:
    """Yield the contradictions between the records. `study` is the private copy."""
    every = list(records.every(study))
    faults = [
        *_settings(study, every),
        *_fold_tables(study),
        *_fingerprints(study, every),
        *(finding for record in every if record.step == "train" for finding in _summary(study, record)),
        *outcomes.check(study, every),
    ]
    yield from faults
    if not any(finding.state == "fails" for finding in faults):
        yield Finding("settings and seeds", "holds", f"{len(every)} records say the same as the report's configuration")
    marked = report_record.stale(records.read(study, records.REPORT_RECORD).settings, every)
    if marked:
        yield Finding(records.REPORT_RECORD, "note", marked)


def _settings(study: Path, every: list[Record]) -> Iterator[Finding]:
    report = records.read(study, records.REPORT_RECORD).settings
    seed = report["config"]["study"]["seed"]
    yield from (Finding(records.REPORT_RECORD, "fails", fault) for fault in report_record.faults(report, every))
    for dataset in report["datasets"]:
        name, protocol = dataset["name"], dataset["protocol"]
        config, chosen = report["config"]["datasets"][name], [key for key in protocol if key not in ("losses", DIVISION)]
        for key in _different(config, protocol, chosen, whole=False):
            yield Finding(records.REPORT_RECORD, "fails", f"{name}: its configuration and its protocol disagree about {key}")
        for record in every:
            if record.settings.get("dataset") != name:
                continue
            for key in _different(record.settings, {**protocol, "protocol": protocol}, TAKEN.get(record.step, ())):
                yield Finding(record.name, "fails", f"its settings say something else about {key} than the report does")
            yield from _of_step(record, dataset, config, seed)


def _different(
    settings: Mapping[str, Any], protocol: Mapping[str, Any], names: Iterable[str], whole: bool = True
) -> Iterator[str]:
    """Yield the settings that differ or that only one side has. If `whole` is False, `settings` may have more keys."""
    for name in names:
        if name not in settings or name not in protocol:
            yield name
            continue
        one, other = settings[name], protocol[name]
        if name == "protocol" or not (isinstance(one, dict) and isinstance(other, dict)):
            if one != other:
                yield name
            continue
        for key in sorted(({*one, *other} if whole else {*other}) - ASIDE):
            if key not in one or key not in other or one[key] != other[key]:
                yield f"{name}.{key}"


def _of_step(record: Record, dataset: Mapping[str, Any], config: Mapping[str, Any], seed: int) -> Iterator[Finding]:
    name, _, fold = record.about
    if record.step in SEEDED:
        # Datasets that use the same images may share their folds.
        like = (record.settings.get("cross_validation") or {}).get("like") if record.step == "split" else None
        parts: list[str | int] = [SEEDED[record.step], like or name, *([fold] if record.step == "train" else [])]
        if record.settings.get("seed") != derive(seed, *parts):
            yield Finding(record.name, "fails", f"its seed is not the one that follows from the study's seed {seed}")
    if record.step == "split":
        yield from (Finding(record.name, "fails", fault) for fault in _of_split(record, dataset, config))
    if record.step == "train":
        yield from (Finding(record.name, "fails", fault) for fault in _of_train(record, dataset, config))
    if record.step in ("collect", "statistics") and record.settings.get("losses") != [one["name"] for one in dataset["losses"]]:
        yield Finding(record.name, "fails", "its losses are not those of the report")
    over = "folds" if dataset["folds"] > 1 else "cases"
    if record.step == "statistics" and record.settings["statistics"].get("interval_over") != over:
        yield Finding(record.name, "fails", f"its intervals are not over the {over}, as the report's division asks for")
    if record.step == "predict" and record.settings.get("patch") != dataset["protocol"]["training"]["patch"]:
        yield Finding(record.name, "fails", "its settings say something else about training.patch than the report does")


def _of_split(record: Record, dataset: Mapping[str, Any], config: Mapping[str, Any]) -> Iterator[str]:
    recorded = record.settings.get(DIVISION, {})
    if recorded != dataset["protocol"].get(DIVISION, {}):
        yield "it divided the cases by other files than the report says"
    read = {key: entries[0]["sha256"] for key in layout.STEPS["split"].outside if (entries := record.inputs.get(key))}
    if recorded and read != recorded:
        yield "it read other files of the division than its settings say"
    # A division that follows a user's table is not recomputed, so a record must not merely claim that there was a table.
    named = {"groups": config["groups"], "table": config["cross_validation"]["table"]}
    for key, path in named.items():
        if bool(record.inputs.get(key)) != (path is not None):
            there = "no table" if path is not None else "a table"
            yield f"it read {there} of the user's own as {key}, and the report says otherwise"


def _of_train(record: Record, dataset: Mapping[str, Any], config: Mapping[str, Any]) -> Iterator[str]:
    loss = record.about[1]
    own = {entry["name"]: entry for entry in dataset["losses"]}.get(loss, {})
    given = record.settings["loss"]
    if any(given.get(key) != own.get(key) for key in ("loss", "parameters", "files")):
        yield "it trained another loss, or other parameters, than the report says"
    # Several GPUs divide the batch, which changes the result. No GPU and one GPU compute the same.
    gpus = dataset["protocol"]["training"]["gpus"]
    if record.settings["training"].get("gpus") != gpus or (config["training"]["gpus"] or 1) != gpus:
        yield "its settings say something else about training.gpus than the report does"


def _fold_tables(study: Path) -> Iterator[Finding]:
    """Compare the number of folds in the report with the fold tables."""
    for dataset in records.read(study, records.REPORT_RECORD).settings["datasets"]:
        try:
            path = safe.safe_path(study, f"data/{dataset['name']}/folds.csv")
            folds = max((place.fold for place in read_folds(path).values()), default=0)
        except UserError as error:
            yield Finding(records.REPORT_RECORD, "fails", f"its folds cannot be compared: {error}")
            continue
        if dataset["folds"] != folds:
            yield Finding(records.REPORT_RECORD, "fails", f"{dataset['name']}: its fold table has another number of folds")


def _fingerprints(study: Path, every: list[Record]) -> Iterator[Finding]:
    tables = tables_of_code(study)
    for name, content in tables.items():
        if table_digest(content) != name:
            yield Finding(f"{CODE}/{name}.json", "fails", "is not the table of code that its name says")
    if not tables:
        yield Finding("fingerprints", "not checked", f"there is no table of code in {CODE}/")
        return
    by_hand = [record for record in every if record.fingerprint == BY_HAND]
    for record in every:
        if record not in by_hand and made_with(record, tables) is None:
            yield Finding(record.name, "fails", f"its fingerprint is not that of its settings and any table in {CODE}/")
    if by_hand:
        why = (
            f"{count(len(by_hand), 'step')} called by hand, whose settings and code no fingerprint records, such as {by_hand[0]}"
        )
        yield Finding("fingerprints", "not checked", why)


def made_with(record: Record, tables: Mapping[str, dict[str, str]]) -> dict[str, str] | None:
    """Return the code table that gives a record's fingerprint, or None if there is none."""
    return next((table for digest, table in tables.items() if combined(record.settings, digest) == record.fingerprint), None)


def _summary(study: Path, record: Record) -> Iterator[Finding]:
    """Compare training.json with the record of the training and with the fold table."""
    name = records.inside(record.outputs["summary"][0]["path"], records.root_of(study))
    content = safe.read_json(study, name)
    inputs = {key: [entry["sha256"] for entry in record.inputs[key]] for key in ("cases", "folds", "stores")}
    expected = sha256_text(canonical_json({"fingerprint": record.fingerprint, "inputs": inputs}))
    if content.get("fingerprint") != expected:
        yield Finding(name, "fails", "is not of the settings, code and inputs that the record of its training names")
    dataset, loss, fold = record.about
    split = split_cases(read_folds(study / f"data/{dataset}/folds.csv"), fold)
    if (content.get("training_cases"), content.get("validation_cases")) != (split.training, split.validation):
        yield Finding(name, "fails", "its cases are not those that the fold table gives this fold")
    if (content.get("dataset"), content.get("loss"), content.get("fold")) != (dataset, loss, fold):
        yield Finding(name, "fails", "is of another training")


def check_predictions(folder: Path, study: Path) -> Iterator[Finding]:
    """Compare the predictions with the digests in the records of the scores. Images are not needed.

    Yield a finding for each prediction that belongs to another case, is missing, is superfluous, or was changed.
    """
    root, count, faults = records.root_of(study), 0, 0
    scored = [record for record in records.every(study) if record.step == "evaluate"]
    for record in scored:
        if any("files" not in entry for entry in record.inputs["predictions"]):
            raise UserError(
                f"{record.name}: was written by an earlier version, which did not name the predictions; score them again"
            )
    owners = {
        digest: f"{file} of {record.about[1]}, fold {record.about[2]}"
        for record in scored
        for entry in record.inputs["predictions"]
        for file, digest in entry["files"].items()
    }
    declared = left_out.declared(study)
    for record in scored:
        (entry,) = record.inputs["predictions"]
        place, files = records.inside(entry["path"], root), entry.get("files", {})
        there = {
            file: digest
            for file, digest in files.items()
            if (folder / place / file).exists() or f"{place}/{file}" not in declared
        }
        for finding in [*_by_digest(folder, place, there, owners), *_complete(study, record, place, files)]:
            faults += 1
            yield finding
        count += len(there)
    if count and not faults:
        yield Finding("predictions", "holds", f"{count} files are those that were scored, one per case of its fold")


def _by_digest(folder: Path, place: str, files: Mapping[str, str], owners: Mapping[str, str]) -> Iterator[Finding]:
    for file, digest in files.items():
        name = f"{place}/{file}"
        try:
            found = safe.sha256(folder, name)
        except UserError as error:
            yield Finding(name, "fails", f"cannot be the prediction that was scored: {error}")
            continue
        if found != digest:
            whose = f"it is {owners[found]}" if found in owners else "it does not belong to this study"
            yield Finding(name, "fails", f"is not the prediction that was scored; {whose}")


def _complete(study: Path, record: Record, place: str, files: Mapping[str, str]) -> Iterator[Finding]:
    dataset, _, fold = record.about
    if set(files) == {DIVERGED}:
        return
    cases = split_cases(read_folds(study / f"data/{dataset}/folds.csv"), fold).test
    have = [file.removesuffix(".nii.gz").removesuffix(".png") for file in files]
    for case in cases:
        if have.count(case) != 1:
            yield Finding(place, "fails", f"{case} has {'no prediction' if case not in have else 'two predictions'}")
    for case in sorted({*have} - {*cases}):
        yield Finding(place, "fails", f"there is a prediction of {case}, which this fold does not score")
