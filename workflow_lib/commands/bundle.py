"""Pack a finished study for a reviewer: report, tables, figures, scores, records, manifest, code and crate in one file.

    whichloss bundle results/<study>                  writes <study>.bundle.tar.gz and prints its SHA-256
    whichloss bundle results/<study> --predictions    also packs predictions of datasets whose terms allow it

Images are not packed, neither original nor preprocessed ones; but the report and its figures show single slices. The omitted
files are declared in bundle.json, and `whichloss audit` on the unpacked folder reports them. The same file identifies the images
and masks of each dataset by a digest. The output is reproducible: the same results give the same bytes.
"""

import argparse
import gzip
import os
import re
import shutil
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from workflow_lib.base.errors import UserError
from workflow_lib.base.files import atomic_path, read_json, sha256_file, write_json
from workflow_lib.commands.audit import folder as safe
from workflow_lib.commands.audit import integrity
from workflow_lib.commands.crate import crate
from workflow_lib.commands.crate.source import copy_source
from workflow_lib.datasets.formats import registry
from workflow_lib.datasets.identity import data_digest
from workflow_lib.provenance import layout
from workflow_lib.provenance.left_out import BUNDLE
from workflow_lib.provenance.manifest import SUMS

SUMMARY = "pack a study for a reviewer, without images"
EXAMPLE = "whichloss bundle results/demo"

ALLOWS = re.compile(r"CC0|CC BY(-NC)?(-SA)? \d")
"""Start of the terms of datasets that allow sharing predictions made from them. Terms with ND do not allow it."""

MODE, RUNNABLE = 0o644, 0o755


def pack(results: Path, target: Path, predictions: bool = False, weights: bool = False, allowed: Sequence[str] = ()) -> str:
    """Write the bundle of a finished study to `target`; return its SHA-256.

    `predictions`: include the predictions of datasets that are synthetic, whose terms allow it, or that are in `allowed`.
    `weights`: include the trained networks. Raises UserError if the study is not finished or its files differ from its records.
    """
    record_file = results / crate.LAST[1]
    if not record_file.is_file() or not (results / SUMS).is_file():
        raise UserError(f"{results} holds no finished study. Run the study to its report first.")
    integrity.require(results, "packed")
    record = read_json(record_file)
    unknown = sorted(set(allowed) - {dataset["name"] for dataset in record["settings"]["datasets"]})
    if unknown:
        raise UserError(f"--may-share names no dataset of the study: {', '.join(unknown)}")
    terms = {
        dataset["name"]: _refusal(record, dataset["name"], predictions, allowed) for dataset in record["settings"]["datasets"]
    }
    listed = safe.read_sums(results, SUMS)
    reasons = {name: reason for name in listed if (reason := _reason(name, terms, weights))}
    with tempfile.TemporaryDirectory() as private:
        stage = Path(private) / results.resolve().name
        for name in [*(name for name in listed if name not in reasons), SUMS, *_code(results)]:
            if (results / name).is_file():
                (stage / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(results / name, stage / name)
        absent = {name: reasons.get(name, "it was not in the folder") for name in listed if not (stage / name).is_file()}
        write_json(stage / BUNDLE, {"left_out": absent, "data": {name: _data(results, name) for name in terms}})
        crate.write(stage, copy_source(record, stage / "workflow"))
        _archive(stage, target)
    return sha256_file(target)


def _refusal(record: Mapping[str, Any], dataset: str, predictions: bool, allowed: Sequence[str]) -> str:
    """Return why the predictions of a dataset are omitted, or "" if they are packed."""
    if not predictions:
        return "not asked for (--predictions)"
    settings = record["settings"]["config"]["datasets"][dataset]
    if settings["source"] == "phantom" or dataset in allowed:
        return ""
    if settings["source"] == "folder":
        # A folder in the layout of a public dataset may contain images of any origin.
        return f"the images of {dataset} were not downloaded by the workflow, so their terms are not known here (--may-share)"
    licence = registry.get(settings["format"]).LICENCE
    if ALLOWS.match(licence):
        return ""
    return f"the terms of {dataset} do not say that what is made from it may be given on: {licence}"


def _data(results: Path, dataset: str) -> dict[str, Any]:
    """Return what a bundle says of the images and masks that it does not hold: the number of cases, and one digest of all."""
    cases = read_json(results / layout.path("check.cases", dataset))["cases"]
    return {"cases": len(cases), "sha256": data_digest(cases)}


def _reason(name: str, terms: Mapping[str, str], weights: bool) -> str:
    """Return why a file of the results is omitted, or "" if it is packed."""
    if name.startswith("preprocessed/"):
        # The index of a shard contains only digests and shapes, and the chain of records needs it.
        return "" if name.endswith("/index.json") else "images are never packed"
    if name.startswith("predictions/"):
        return terms.get(name.split("/")[1], "of no dataset of the study")
    return "not asked for (--weights)" if name.endswith(".weights.h5") and not weights else ""


def _code(results: Path) -> Iterator[str]:
    """Yield the code tables of the fingerprints."""
    for path in sorted((results / "code").glob("*.json")):
        if not path.is_symlink():
            yield f"code/{path.name}"


def _archive(stage: Path, target: Path) -> None:
    """Write a folder as a .tar.gz file whose bytes depend only on the names and contents of the files."""
    names = sorted(path.relative_to(stage.parent).as_posix() for path in stage.rglob("*") if path.is_file())
    with (
        atomic_path(target) as temporary,
        temporary.open("wb") as stream,
        gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=stream, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name in names:
            path = stage.parent / name
            entry = tarfile.TarInfo(name)
            entry.size = path.stat().st_size
            entry.mode = RUNNABLE if os.access(path, os.X_OK) else MODE
            with path.open("rb") as content:
                tar.addfile(entry, content)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("results", type=Path, help="folder of a study's results")
    parser.add_argument("--output", type=Path, help="file to write (default: <study>.bundle.tar.gz in the working directory)")
    parser.add_argument("--predictions", action="store_true", help="pack the predictions of datasets whose terms allow it")
    parser.add_argument("--weights", action="store_true", help="pack the trained networks")
    parser.add_argument(
        "--may-share", nargs="+", default=[], metavar="DATASET", help="datasets whose terms you have read and which allow sharing"
    )


def run(arguments: argparse.Namespace) -> int:
    """Pack the given folder."""
    target = arguments.output or Path(f"{arguments.results.resolve().name}.bundle.tar.gz")
    digest = pack(arguments.results, target, arguments.predictions, arguments.weights, arguments.may_share)
    print(f"{target}: {target.stat().st_size / 1e6:.1f} MB\nSHA-256 {digest}")
    print("The report and its figures show single slices of the images. Give it to those who may see them.")
    return 0
