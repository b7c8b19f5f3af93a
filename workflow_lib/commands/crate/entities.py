"""The entities of the crate (files, jobs, workflow and data), built from the records of a study only."""

import datetime
import mimetypes
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from workflow_lib.base.files import read_json
from workflow_lib.base.version import VERSION
from workflow_lib.datasets.formats import registry
from workflow_lib.datasets.identity import data_digest
from workflow_lib.provenance.manifest import MANIFEST, SUMS

WORKFLOW = "workflow"
"""Folder of the code in the crate."""

MAIN = f"{WORKFLOW}/Snakefile"
SNAKEMAKE = "https://snakemake.github.io/"
ENGINE = "#snakemake-engine"
RUN = "#run"
STEPS = f"{WORKFLOW}/workflow_lib/steps"

Entity = dict[str, Any]


def refs(ids: Sequence[str]) -> Any:
    """Return references to entities. A single reference is not put into a list."""
    found = [{"@id": name} for name in dict.fromkeys(ids)]
    return found[0] if len(found) == 1 else found


def root_entity(record: Mapping[str, Any], digest: str, origin: str) -> Entity:
    """Return the properties of the root entity."""
    settings = record["settings"]
    return {
        "name": settings["title"],
        "description": (
            f"Study {settings['name']}: one network trained with several loss functions on class-imbalanced medical images, and "
            f"what came out. Digest of the results: {digest}. Code: {origin}. Images are not part of this crate."
        ),
        "datePublished": record["facts"]["started"],
        "license": {"@id": "#licence"},
        "identifier": f"sha256:{digest}",
    }


def licence() -> Entity:
    """Return the statement on the licence of the results."""
    return {
        "@id": "#licence",
        "@type": "CreativeWork",
        "name": "No licence stated",
        "description": "The people who ran the study have to say under which terms its results may be used. The workflow is "
        "GPL-3.0-or-later; the terms of the images stand at the datasets.",
    }


def profiles() -> list[Entity]:
    """Return the profiles that the crate follows."""
    wrroc = [(f"https://w3id.org/ro/wfrun/{name}/0.5", f"{name.capitalize()} Run Crate", "0.5") for name in _PROFILES]
    all_of_them = [*wrroc, ("https://w3id.org/workflowhub/workflow-ro-crate/1.0", "Workflow RO-Crate", "1.0")]
    return [{"@id": url, "@type": "CreativeWork", "name": name, "version": version} for url, name, version in all_of_them]


_PROFILES = ("process", "workflow", "provenance")


def workflow(steps: Sequence[str], study: str, versions: Mapping[str, str], commit: str | None) -> list[Entity]:
    """Return the workflow, its language and engine, its parameters, and a tool for every step."""
    version = commit or f"workflow_lib {VERSION}"
    tools: list[Entity] = [
        {
            "@id": f"{STEPS}/{step}.py",
            "@type": ["File", "SoftwareSourceCode"],
            "name": f"Step {step}",
            "version": version,
            "programmingLanguage": {"@id": "https://www.python.org/"},
            "encodingFormat": "text/x-python",
        }
        for step in steps
    ]
    how: list[Entity] = [
        {"@id": f"{MAIN}#{step}", "@type": "HowToStep", "name": step, "position": str(place), "workExample": refs([tool["@id"]])}
        for place, (step, tool) in enumerate(zip(steps, tools, strict=True), start=1)
    ]
    main: Entity = {
        "@id": MAIN,
        "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"],
        "name": "Snakemake workflow that compares loss functions",
        "conformsTo": {"@id": "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"},
        "programmingLanguage": {"@id": SNAKEMAKE},
        "version": version,
        "encodingFormat": "text/plain",
        "license": {"@id": "https://spdx.org/licenses/GPL-3.0-or-later"},
        "hasPart": refs([tool["@id"] for tool in tools]),
        "step": refs([step["@id"] for step in how]),
        "input": {"@id": "#parameter-study"},
        "output": {"@id": "#parameter-report"},
    }
    around = [
        {"@id": SNAKEMAKE, "@type": "ComputerLanguage", "name": "Snakemake", "url": SNAKEMAKE, "identifier": SNAKEMAKE},
        {"@id": "https://www.python.org/", "@type": "ComputerLanguage", "name": "Python", "version": versions["python"]},
        {
            "@id": ENGINE,
            "@type": "SoftwareApplication",
            "name": "Snakemake",
            "url": SNAKEMAKE,
            "softwareVersion": versions["snakemake"],
        },
        {"@id": "https://spdx.org/licenses/GPL-3.0-or-later", "@type": "CreativeWork", "name": "GPL-3.0-or-later"},
        {
            "@id": "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE",
            "@type": "CreativeWork",
            "name": "Bioschemas ComputationalWorkflow profile",
        },
        _parameter("#parameter-study", "study", "The study as YAML", f"{WORKFLOW}/{study}.yaml"),
        _parameter("#parameter-report", "report", "The report", "report.html"),
    ]
    return [main, *tools, *how, *around]


def _parameter(name: str, short: str, description: str, example: str) -> Entity:
    return {
        "@id": name,
        "@type": "FormalParameter",
        "name": short,
        "description": description,
        "additionalType": "File",
        "workExample": {"@id": example},
    }


def study_file(study: str) -> Entity:
    """Return the YAML file of the study."""
    return {
        "@id": f"{WORKFLOW}/{study}.yaml",
        "@type": "File",
        "name": "The study",
        "encodingFormat": "application/yaml",
        "exampleOfWork": {"@id": "#parameter-study"},
    }


def result_file(folder: Path, path: str, sha256: str | None, left_out: str = "is not part of this crate") -> Entity:
    """Return a file or folder of the results; if the crate does not contain it, return its name and digest."""
    lies = folder / path
    known = {"sha256": sha256} if sha256 else {}
    if not lies.exists():
        return {"@id": f"#{quote(path)}", "@type": "CreativeWork", "name": path, "description": f"It {left_out}.", **known}
    if lies.is_dir():
        return {
            "@id": f"{quote(path)}/",
            "@type": "Dataset",
            "name": path,
            **({"identifier": f"sha256:{sha256}"} if sha256 else {}),
        }
    kind = _KINDS.get(lies.suffix) or mimetypes.types_map.get(lies.suffix, "application/octet-stream")
    entity: Entity = {"@id": quote(path), "@type": "File", "name": path, "encodingFormat": kind}
    if path == "report.html":
        entity["exampleOfWork"] = {"@id": "#parameter-report"}
    return {**entity, "contentSize": str(lies.stat().st_size), **known}


_KINDS = {
    ".csv": "text/csv",
    ".gz": "application/gzip",
    ".h5": "application/x-hdf5",
    ".html": "text/html",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".tex": "application/x-tex",
    "": "text/plain",
}


def images(folder: Path, record: Mapping[str, Any]) -> Iterator[tuple[str, list[Entity]]]:
    """Yield the name of every dataset with its entity and those of its files. Files are identified by name and SHA-256 only."""
    for described in record["settings"]["datasets"]:
        name = described["name"]
        settings = record["settings"]["config"]["datasets"][name]
        module = registry.get(settings["format"])
        synthetic = settings["source"] == "phantom"
        addresses, whole = _addresses(module, settings)
        cases = read_json(folder / "data" / name / "cases.json")["cases"]
        files = [
            {
                "@id": f"#images/{quote(name)}/{quote(case['id'])}/{quote(PurePosixPath(path).name)}",
                "@type": "CreativeWork",
                "name": f"{case['id']}/{PurePosixPath(path).name}",
                "sha256": digest,
                **({"url": addresses[path]} if path in addresses else {}),
            }
            for case in cases
            for path, digest in sorted(case["sha256"].items())
        ]
        entity: Entity = {
            "@id": f"#images/{quote(name)}",
            "@type": "Collection",
            "name": described["label"],
            "description": "Synthetic images, generated by this workflow."
            if synthetic
            else f"{module.LABEL}. Terms: {module.LICENCE}. The images are not part of this crate.",
            "hasPart": refs([file["@id"] for file in files]),
            "mainEntity": refs([files[0]["@id"]]),
            "identifier": f"sha256:{data_digest(cases)}",
        }
        if whole:
            entity["isBasedOn"] = whole
        if not synthetic:
            entity |= {"url": module.URL} if module.URL.startswith("http") else {}
            entity["license"] = module.LICENCE
        yield name, [entity, *files]


def _addresses(module: Any, settings: Mapping[str, Any]) -> tuple[dict[str, str], str]:
    """Return the address of every downloaded file by its path, and the address of the archive with all files, or ""."""
    if settings["source"] != "download":
        return {}, ""
    root = Path(settings["root"]).expanduser()
    remote = module.downloads(root, settings.get("url"))
    if isinstance(remote, list):
        return {(root / file.path).as_posix(): file.url for file in remote}, ""
    return {}, remote.url if remote else ""


def actions(records: Mapping[str, Mapping[str, Any]], ids: Mapping[str, str], sets: Mapping[str, str]) -> list[Entity]:
    """Return a CreateAction for every job, and a ControlAction that links it to its step.

    `records`: path in the results -> record; `ids`: recorded path -> entity; `sets`: dataset -> entity of its images.
    """
    found = []
    for path, record in records.items():
        settings, job = record["settings"], f"#job/{path.removeprefix('records/').removesuffix('.json')}"
        where = ", ".join(filter(None, [settings.get("dataset"), _loss(settings)]))
        inputs = [ids[entry["path"]] for entry in _entries(record, "inputs") if entry["path"] in ids]
        if record["step"] in ("obtain", "inspect", "preprocess", "predict", "evaluate") and settings.get("dataset") in sets:
            inputs.append(sets[settings["dataset"]])
        started, ended = times([record])
        action = {
            "@id": job,
            "@type": "CreateAction",
            "name": f"{record['step']}{': ' if where else ''}{where}",
            "description": f"Fingerprint {record['fingerprint']}; settings, versions and machine stand in {path}",
            "instrument": {"@id": f"{STEPS}/{record['step']}.py"},
            "result": refs([ids[entry["path"]] for entry in _entries(record, "outputs")]),
            "startTime": started,
            "endTime": ended,
            "actionStatus": "http://schema.org/CompletedActionStatus",
            "subjectOf": {"@id": path},
        }
        found.append(action | ({"object": refs(inputs)} if inputs else {}))
        control = {"@id": f"{job}/control", "@type": "ControlAction", "name": f"Run {record['step']}", "object": {"@id": job}}
        found.append(control | {"instrument": {"@id": f"{MAIN}#{record['step']}"}})
    return found


def _loss(settings: Mapping[str, Any]) -> str:
    if "loss" not in settings:
        return ""
    loss = settings["loss"]
    return f"{loss['name'] if isinstance(loss, dict) else loss}, fold {settings['fold']}"


def _entries(record: Mapping[str, Any], side: str) -> list[Mapping[str, Any]]:
    return [entry for entries in record[side].values() for entry in entries]


def times(records: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """Return the start of the first job and the end of the last one in ISO 8601."""
    spans = []
    for record in records:
        start = datetime.datetime.fromisoformat(record["facts"]["started"])
        spans.append((start, start + datetime.timedelta(seconds=round(record["facts"]["seconds"]))))
    return min(start for start, _ in spans).isoformat(), max(end for _, end in spans).isoformat()


def whole_run(records: Mapping[str, Mapping[str, Any]], study: str, sets: Sequence[str], controls: Sequence[str]) -> list[Entity]:
    """Return the run of the workflow as one action, and the OrganizeAction of the engine."""
    started, ended = times(list(records.values()))
    run = {
        "@id": RUN,
        "@type": "CreateAction",
        "name": f"Run of the study {study}",
        "description": f"All jobs of the study, of one or several calls of Snakemake; {len(records)} records",
        "instrument": {"@id": MAIN},
        "object": refs([f"{WORKFLOW}/{study}.yaml", *sets]),
        "result": refs(["report.html", MANIFEST, SUMS]),
        "startTime": started,
        "endTime": ended,
        "actionStatus": "http://schema.org/CompletedActionStatus",
    }
    organised = {"@id": "#organise", "@type": "OrganizeAction", "name": "Snakemake runs the jobs", "instrument": {"@id": ENGINE}}
    return [run, organised | {"result": {"@id": RUN}, "object": refs(controls)}]
