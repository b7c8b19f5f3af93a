"""A forger who edits results and then recomputes every digest in records, manifest, report and checksums, as a step would."""

from pathlib import Path

from workflow_lib.base.files import read_json, sha256_file, write_json
from workflow_lib.commands.audit import records
from workflow_lib.provenance.manifest import MANIFEST, SUMS, build, sums, write_sums
from workflow_lib.provenance.records import digest
from workflow_lib.steps.command import Context


def edit(folder: Path, name: str, old: str, new: str) -> None:
    """Replace a text in a file of the results."""
    path = folder / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def edit_record(folder: Path, name: str, change) -> None:
    """Change the content of a record or another JSON file."""
    content = read_json(folder / name)
    change(content)
    write_json(folder / name, content)


def seal(folder: Path) -> str:
    """Recompute every digest in the folder from the present files; return the digest of the study."""
    root, old = records.root_of(folder), sha256_file(folder / MANIFEST)
    names = records.names_in_manifest(folder)
    for name in names:
        edit_record(folder, name, lambda content: _refresh(content, folder, root))
    write_json(folder / MANIFEST, build(folder, names, root))
    new = sha256_file(folder / MANIFEST)
    edit(folder, "report.html", old, new)
    for name in records.LAST:
        edit_record(folder, name, lambda content: _refresh(content, folder, root))
    write_sums(folder / SUMS, sums(folder, [*names, *records.LAST], root))
    return new


def _refresh(content, folder: Path, root: Path) -> None:
    for side in ("inputs", "outputs"):
        for entry in (entry for entries in content[side].values() for entry in entries):
            path = folder / Path(entry["path"]).relative_to(root) if entry["path"].startswith(f"{root}/") else None
            if path is not None and path.exists():
                entry.update(digest(path) | {"path": entry["path"]})


def again(folder: Path, step: str, work) -> None:
    """Run a step of the dataset on the results with the settings in its record."""
    root = records.root_of(folder)
    record = records.read(folder, f"records/{step}/toy.json")
    paths = {
        name: [folder / records.inside(entry["path"], root) for entry in entries if entry["path"].startswith(f"{root}/")]
        for name, entries in (record.inputs | record.outputs).items()
    }
    work(Context(records.settings_of(record), record.fingerprint, 1, paths, {}))
