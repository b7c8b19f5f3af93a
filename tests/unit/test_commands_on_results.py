"""compare and crate on invalid folders: a message that names the file, without a traceback."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import workflow_lib
from workflow_lib.base.files import sha256_file
from workflow_lib.commands.crate.crate import METADATA

ROOT = Path(workflow_lib.__file__).parents[1]


def command(name, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "workflow_lib", name, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def write(folder, name, content):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(content), encoding="utf-8")


@pytest.fixture
def results(tmp_path):
    """Records of a study whose tables are missing."""
    folder = tmp_path / "tiny"
    common = {"fingerprint": "f", "versions": {}, "inputs": {}, "outputs": {}}
    for name in ("check", "manifest", "report"):
        write(folder, f"records/{name}.json", common | {"step": name, "settings": {}, "facts": {}})
    study = {"title": "Tiny", "config": {}, "datasets": [{"name": "toy"}]}
    write(folder, "records/report.json", common | {"step": "report_page", "settings": study, "facts": {}})
    write(folder, "manifest.json", {"steps": {"records/check.json": {}}})
    write(folder, "data/toy/cases.json", {"cases": []})
    (folder / "data/toy/folds.csv").write_text("case,fold,part,group\na,1,,\n", encoding="utf-8")
    return folder


def test_compare_names_the_file_that_is_missing(results):
    done = command("compare", results, results)
    assert done.returncode == 2
    assert f"{results} cannot be compared: scores/toy.csv is missing" in done.stderr


def test_the_crate_tells_no_digests_of_files_that_are_other_ones(results):
    names = sorted(path.relative_to(results).as_posix() for path in results.rglob("*") if path.is_file())
    (results / "SHA256SUMS").write_text("".join(f"{sha256_file(results / name)}  {name}\n" for name in names), encoding="utf-8")
    write(results, "data/toy/cases.json", {"cases": [1]})
    done = command("crate", results)
    assert done.returncode == 2, done.stderr
    assert "does not hold, so it is not described" in done.stderr
    assert "data/toy/cases.json: is not what was written" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (results / METADATA).exists()
    assert not (results / "workflow").exists()
