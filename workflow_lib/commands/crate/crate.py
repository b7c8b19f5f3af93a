"""Write the RO-Crate of a finished study: the metadata file, and a copy of the code that made the results."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workflow_lib.base.errors import UserError
from workflow_lib.base.files import read_json, sha256_file, write_json
from workflow_lib.commands.audit import integrity
from workflow_lib.commands.crate import entities
from workflow_lib.commands.crate.source import copy_source
from workflow_lib.provenance.manifest import MANIFEST, SUMS, relative

METADATA = "ro-crate-metadata.json"
TERMS = "https://w3id.org/ro/terms/workflow-run/context"
LAST = ("records/manifest.json", "records/report.json")


def write(folder: Path, origin: str | None = None) -> Path:
    """Write the crate of a finished study into its folder; return the metadata file.

    `origin`: the origin of the code, if it is already in workflow/. The caller must then have checked the files. Raises UserError
    if the study is not finished, or if its files differ from its records.
    """
    if not (folder / LAST[1]).is_file():
        raise UserError(f"{folder} holds no finished study: {LAST[1]} is missing. Run the study to its report first.")
    if origin is None:
        # The crate contains the digests of the records, which would be false for changed files.
        integrity.require(folder, "described")
    report = read_json(folder / LAST[1])
    if origin is None:
        origin = copy_source(report, folder / entities.WORKFLOW)
    path = folder / METADATA
    write_json(path, metadata(folder, report, origin))
    return path


def metadata(folder: Path, report: Mapping[str, Any], origin: str) -> dict[str, Any]:
    """Return the content of ro-crate-metadata.json. `report` is the report's record."""
    # Imported here, because it takes a second that --help does not need.
    from rocrate.model.contextentity import ContextEntity
    from rocrate.model.data_entity import DataEntity
    from rocrate.rocrate import ROCrate

    crate = ROCrate(version="1.1")
    crate.metadata.extra_contexts.append(TERMS)
    parts, around, top = _entities(folder, report, origin)
    for key, value in top.items():
        crate.root_dataset[key] = value
    crate.metadata["conformsTo"] = entities.refs(
        ["https://w3id.org/ro/crate/1.1", "https://w3id.org/workflowhub/workflow-ro-crate/1.0"]
    )
    for entity in parts:
        crate.add(DataEntity(crate, entity["@id"], {k: v for k, v in entity.items() if k != "@id"}))
    for entity in around:
        crate.add(ContextEntity(crate, entity["@id"], {k: v for k, v in entity.items() if k != "@id"}))
    content: dict[str, Any] = crate.metadata.generate()
    return content


def _entities(folder: Path, report: Mapping[str, Any], origin: str) -> tuple[list[Any], list[Any], dict[str, Any]]:
    """Return the data entities, the contextual entities, and the properties of the crate."""
    names = [*read_json(folder / MANIFEST)["steps"], *LAST]
    records = {name: read_json(folder / name) for name in names}
    place = Path(report["outputs"]["page"][0]["path"]).parent
    ids: dict[str, str] = {}
    results: dict[str, Any] = {}
    for record in records.values():
        for entry in (entry for entries in record["outputs"].values() for entry in entries):
            entity = entities.result_file(folder, relative(entry["path"], place), entry["sha256"])
            ids[entry["path"]] = entity["@id"]
            results[entity["@id"]] = entity
    others = [entities.result_file(folder, name, sha256_file(folder / name)) for name in (SUMS, *names)]
    results |= {entity["@id"]: entity for entity in others}
    sets = dict(entities.images(folder, report))
    steps = list(dict.fromkeys(record["step"] for record in records.values()))
    study = report["settings"]["name"]
    workflow = entities.workflow(steps, study, report["versions"], report["facts"]["commit"])
    jobs = entities.actions(records, ids, {name: found[0]["@id"] for name, found in sets.items()})
    controls = [entity["@id"] for entity in jobs if entity["@type"] == "ControlAction"]
    run = entities.whole_run(records, study, [found[0]["@id"] for found in sets.values()], controls)
    everything = [*workflow, entities.study_file(study), *results.values()]
    parts = [entity for entity in everything if _is_data(entity)]
    around = [entity for entity in everything if not _is_data(entity)]
    around += [*(entity for found in sets.values() for entity in found), *jobs, *run, entities.licence(), *entities.profiles()]
    mentioned = [e["@id"] for e in [*jobs, *run] if e["@type"] != "ControlAction"] + [f[0]["@id"] for f in sets.values()]
    top = entities.root_entity(report, sha256_file(folder / MANIFEST), origin) | {
        "conformsTo": entities.refs([profile["@id"] for profile in entities.profiles()]),
        "mainEntity": {"@id": entities.MAIN},
        "mentions": entities.refs(mentioned),
    }
    return parts, around, top


def _is_data(entity: Mapping[str, Any]) -> bool:
    kinds = entity["@type"] if isinstance(entity["@type"], list) else [entity["@type"]]
    return bool({"File", "Dataset"} & set(kinds)) and not entity["@id"].startswith("#")
