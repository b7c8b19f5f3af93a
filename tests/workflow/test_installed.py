"""A wheel, built once: its content, and that audit, compare and losses work with only the wheel installed."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from workflow_lib.provenance.fingerprints import code_digest

SOURCES = ("pyproject.toml", "setup.py", "README.md", "LICENSE", "workflow_lib", "reports")
PIP = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
GHOST = "workflow_lib/losses/_ghost.py"


@pytest.fixture(scope="module")
def wheel(root, tmp_path_factory):
    """The wheel of a copy of the checkout in which an earlier build left a removed module."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    for name in SOURCES:
        if (root / name).is_dir():
            shutil.copytree(root / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            source.mkdir(exist_ok=True)
            shutil.copy2(root / name, source / name)
    (source / "build/lib/workflow_lib/losses").mkdir(parents=True)
    (source / "build/lib" / GHOST).touch()
    before = sorted(source.rglob("*"))
    options = ("--no-index", "--no-build-isolation", "--no-deps")
    subprocess.run([*PIP, "wheel", *options, "--wheel-dir", folder, source], check=True, timeout=120)
    assert sorted(source.rglob("*")) == before, "the build left files in the checkout"
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """A folder in which only the wheel is installed."""
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run([*PIP, "install", "--no-index", "--no-deps", "--target", folder, wheel], check=True, timeout=120)
    return folder


def run(installed, command, where):
    """Run a command of the environment with the installed package, outside of a checkout."""
    environment = os.environ | {"PYTHONPATH": str(installed), "PYTHONSAFEPATH": "1"}
    return subprocess.run(command, cwd=where, env=environment, capture_output=True, text=True, timeout=300, check=False)


def test_the_wheel_holds_the_package_its_templates_and_the_published_numbers_and_nothing_else(root, wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    code = {path.relative_to(root).as_posix() for path in (root / "workflow_lib").rglob("*.py")} | {"workflow_lib/py.typed"}
    data = {path for folder in ("templates", "published") for path in (root / "reports" / folder).rglob("*") if path.is_file()}
    copied = {f"workflow_lib/_reports/{path.relative_to(root / 'reports').as_posix()}" for path in data if path.suffix != ".md"}
    assert len(copied) > 20
    assert names == code | copied


def test_the_command_is_there_and_knows_where_its_files_are(installed, tmp_path):
    done = run(installed, [str(installed / "bin/whichloss"), "--version"], tmp_path)
    assert (done.stdout.split()[0], done.stderr) == ("whichloss", "")
    code = (
        "import workflow_lib; from workflow_lib.tables import published; from workflow_lib.losses import registry;"
        "from workflow_lib.provenance import records, fingerprints;"
        "print(workflow_lib.__file__); print(published.load('kits19').cases, registry.build('dice', {}).name, records.commit());"
        "print(fingerprints.code_digest(['workflow_lib.steps.report_page', 'workflow_lib.losses.dice']))"
    )
    done = run(installed, [sys.executable, "-c", code], tmp_path)
    file, said, digest = done.stdout.splitlines()
    assert Path(file).parent == installed / "workflow_lib", done.stderr
    assert said == "204 dice None"
    assert digest == code_digest(["workflow_lib.steps.report_page", "workflow_lib.losses.dice"])


def test_audit_and_compare_work_outside_the_checkout_and_the_crate_says_what_it_lacks(installed, finished_copy, tmp_path):
    results, elsewhere = finished_copy.folder / "results/tiny", tmp_path / "elsewhere"
    elsewhere.mkdir()
    program = str(installed / "bin/whichloss")
    done = run(installed, [program, "audit", str(results)], elsewhere)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "report.html: assembled again, the same byte for byte" in done.stdout
    assert "results were made with the very code of this checkout" in done.stdout, "its fingerprints differ"
    done = run(installed, [program, "compare", str(results), str(results), "--page", "page.html"], elsewhere)
    assert done.returncode == 0, done.stderr
    assert "All 32 numbers are the same." in (elsewhere / "page.html").read_text(encoding="utf-8")
    shutil.rmtree(finished_copy.folder / ".git")
    done = run(installed, [program, "crate", str(results)], elsewhere)
    assert done.returncode == 2
    assert "installed without them. Run the same command with the whichloss of a clone" in done.stderr
