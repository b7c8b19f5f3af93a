"""The bundle for a reviewer: its content, its reproducibility, and the audit's report on omitted files."""

import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.workflow.test_crate import offline, validated
from workflow_lib.base.errors import UserError
from workflow_lib.base.files import read_json, sha256_file
from workflow_lib.commands import bundle
from workflow_lib.commands.audit import integrity
from workflow_lib.commands.audit.audit import audit
from workflow_lib.datasets.identity import data_digest

__all__ = ["offline"]


def run(checkout, *arguments):
    """Run the command in the checkout that made the results."""
    command = [sys.executable, "-m", "workflow_lib", "bundle", "results/tiny", *arguments]
    return subprocess.run(command, cwd=checkout.folder, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def packed(finished, tmp_path_factory):
    """The bundle of the finished study, the output of the command, and the unpacked folder."""
    folder = tmp_path_factory.mktemp("bundle")
    done = run(finished, "--output", str(folder / "tiny.tar.gz"))
    assert done.returncode == 0, done.stderr
    with tarfile.open(folder / "tiny.tar.gz") as tar:
        tar.extractall(folder, filter="data")
    return folder / "tiny.tar.gz", done.stdout, folder / "tiny"


def test_what_a_reviewer_needs_is_there_and_no_image_is(packed, finished):
    _, said, folder = packed
    results = finished.folder / "results/tiny"
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    for name in (
        "report.html",
        "manifest.json",
        "SHA256SUMS",
        "scores/toy.csv",
        "tables/toy_scores.csv",
        "figures/segmentations_toy.svg",
        "statistics/toy/means.csv",
        "records/train/toy/dice/fold_1.json",
        "training/toy/dice/fold_1/history.csv",
    ):
        assert (folder / name).read_bytes() == (results / name).read_bytes()
    assert {
        "ro-crate-metadata.json",
        "workflow/Snakefile",
        "workflow/tiny.yaml",
        "workflow/envs/lock.txt",
        "workflow/LICENSE",
    } <= there
    assert any(name.startswith("code/") for name in there)
    assert not [name for name in there if name.endswith((".nii.gz", ".npy", ".h5"))]
    assert "single slices" in said
    cases = read_json(results / "data/toy/cases.json")["cases"]
    assert read_json(folder / "bundle.json")["data"] == {"toy": {"cases": 4, "sha256": data_digest(cases)}}
    assert f"{data_digest(cases)[:12]}…" in (folder / "report.html").read_text(encoding="utf-8")


def test_its_audit_holds_and_says_what_was_not_checked(packed):
    found = list(audit(packed[2]))
    assert [f for f in found if f.state == "fails"] == []
    unchecked = {f.subject: f.text for f in found if f.state == "not checked"}
    assert unchecked["preprocessed images"] == "8 files are not in the folder: images are never packed"
    assert unchecked["predictions"] == "8 files are not in the folder: not asked for (--predictions)"
    assert unchecked["weights"] == "4 files are not in the folder: not asked for (--weights)"


def test_what_is_missing_without_being_declared_or_must_not_be_is_a_fault(packed, tmp_path):
    folder = tmp_path / "tiny"
    shutil.copytree(packed[2], folder)
    declared = read_json(folder / "bundle.json")
    weights = "training/toy/dice/fold_1/model.weights.h5"
    (folder / "bundle.json").write_text(
        json.dumps(
            {"left_out": {name: why for name, why in declared["left_out"].items() if name != weights} | {"scores/toy.csv": ""}}
        )
    )
    (folder / "scores/toy.csv").unlink()
    failing = {f.subject for f in integrity.check(folder) if f.state == "fails"}
    assert {weights, "scores/toy.csv"} <= failing


def test_the_crate_in_the_bundle_is_valid(packed, offline):
    assert validated(packed[2], offline, "REQUIRED") == []


def test_the_same_results_give_the_same_bytes(packed, finished_copy):
    target, said, _ = packed
    (finished_copy.folder / "results/tiny/report.html").touch()
    again = finished_copy.folder / "again.tar.gz"
    assert run(finished_copy, "--output", str(again)).returncode == 0
    assert sha256_file(again) == sha256_file(target)
    assert f"SHA-256 {sha256_file(target)}" in said
    with tarfile.open(target) as tar:
        assert {(entry.mtime, entry.uid, entry.gid, entry.uname) for entry in tar} == {(0, 0, 0, "")}
        assert {entry.name.split("/")[0] for entry in tar} == {"tiny"}


def test_predictions_of_synthetic_images_and_weights_come_on_request(finished_copy):
    target = finished_copy.folder / "all.tar.gz"
    assert run(finished_copy, "--output", str(target), "--predictions", "--weights").returncode == 0
    with tarfile.open(target) as tar:
        names = tar.getnames()
    assert sum(name.endswith(".nii.gz") for name in names) == 8
    assert sum(name.endswith(".weights.h5") for name in names) == 4


@pytest.mark.parametrize(
    ("format_", "source", "allowed", "packs"),
    [
        ("kits19", "download", [], True),
        ("msd", "download", [], True),
        ("msd", "folder", [], False),
        ("msd", "folder", ["toy"], True),
        ("brats20", "folder", [], False),
        ("folders", "folder", [], False),
        ("brats20", "folder", ["toy"], True),
        ("brats20", "phantom", [], True),
    ],
)
def test_the_terms_of_a_dataset_decide_about_its_predictions(format_, source, allowed, packs):
    record = {"settings": {"config": {"datasets": {"toy": {"format": format_, "source": source}}}}}
    assert (bundle._refusal(record, "toy", True, allowed) == "") == packs
    assert bundle._refusal(record, "toy", False, allowed) == "not asked for (--predictions)"


def test_results_that_do_not_hold_or_are_not_finished_are_not_packed(finished_copy, tmp_path):
    folder = finished_copy.folder / "results/tiny"
    (folder / "tables/toy_scores.csv").write_text("loss\n")
    done = run(finished_copy, "--output", "x.tar.gz")
    assert done.returncode == 2
    assert "tables/toy_scores.csv: is not what was written" in done.stderr
    assert not (finished_copy.folder / "x.tar.gz").exists()
    with pytest.raises(UserError, match="no finished study"):
        bundle.pack(tmp_path, Path(tmp_path / "x.tar.gz"))
