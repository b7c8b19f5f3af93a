"""The table "To add a ..., touch ..." of docs/architecture.md: its files, its tests, and the rows without another test."""

import json
import re
import shutil
import subprocess
import sys

import pytest

from workflow_lib.provenance.fingerprints import PACKAGE_FOLDER

FAMILY = re.compile(r"\bFamily\(\s*\"([\w.]+)\"")
CODE = re.compile(r"`([^`]+)`")


@pytest.fixture(scope="module")
def rows(root):
    """Return the cells of every row of the table by the kind of member."""
    text = (
        (root / "docs" / "architecture.md").read_text(encoding="utf-8").split("## To add a ..., touch ...\n")[1].split("\n## ")[0]
    )
    lines = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines() if line.startswith("| ")]
    return {cells[0]: cells[1:] for cells in lines[1:]}


def test_the_files_and_tests_of_every_row_are_there(root, rows):
    assert all(len(cells) == 4 for cells in rows.values())
    for added, (written, beside, read, followed) in rows.items():
        paths = [path for path in CODE.findall(f"{written} {beside} {read}") if "/" in path or "." in path]
        assert paths, added
        for path in paths:
            assert list(root.glob(path.replace("<name>", "*"))), f"{added}: {path}"
        (test,) = CODE.findall(followed)
        file, name = test.split("::")
        assert f"\ndef {name}(" in (root / file).read_text(encoding="utf-8"), f"{added}: {test}"


def test_every_family_of_the_code_is_a_row_of_one_file(rows):
    sources = {path: path.read_text(encoding="utf-8") for path in PACKAGE_FOLDER.rglob("*.py")}
    families = {package for source in sources.values() for package in FAMILY.findall(source)}
    assert len(families) >= 9
    one_file = {tuple(CODE.findall(cells[0])) for cells in rows.values()}
    assert {(f"workflow_lib/{package.replace('.', '/')}/<name>.py",) for package in families} <= one_file


# The rows without another test, in a copy of the package to which only the one file is added.

LOSS = '''"""Half the Dice loss."""

from typing import Any

from workflow_lib.losses import dice
from workflow_lib.losses.toolkit import LossFunction, LossParameters, Ops, Tensor, loss_function

NAME = "half_dice"
LABEL = "Half Dice loss"
CITATION = "This test."
EQUATION = "D / 2"
FAMILY = "region"


class Parameters(LossParameters):
    """No parameters."""


def formula(ops: Ops, y: Tensor, p: Tensor, parameters: Parameters) -> Tensor:
    """Return half the Dice loss."""
    return 0.5 * dice.formula(ops, y, p, dice.Parameters())


def half_dice(**parameters: Any) -> LossFunction:
    """Return half the Dice loss."""
    return loss_function(NAME, Parameters, formula, parameters)
'''

FORMAT = '''"""Images beside their masks."""

from workflow_lib.datasets.formats.interface import no_downloads as downloads
from workflow_lib.datasets.formats.interface import no_explanation as explain_labels
from workflow_lib.images.cases import Case, LabelMap, Reading

LABEL, LICENCE, URL = "Pairs", "CC0", "https://example.org"
INSTRUCTIONS = "Put a.png beside a_mask.png."
DOWNLOADABLE, PHANTOM, GROUP = False, None, None


def find_cases(root, options):
    """Return the pairs."""
    masks = sorted(root.glob("*_mask.png"))
    return [Case(mask.stem[:-5], (mask.with_name(mask.stem[:-5] + ".png"),), (mask,)) for mask in masks]


def label_map(root, options):
    """Return two classes."""
    return LabelMap(("background", "lesion"), ((0,), (255,)))


def reading(root, options):
    """Return grey values."""
    return Reading(colour="grey")


def option_faults(options):
    """Return nothing."""
    return []
'''

COMMAND = '''"""Greet somebody."""

import argparse

SUMMARY = "greet somebody"
EXAMPLE = "whichloss say-hello Ada"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("whom")


def run(arguments: argparse.Namespace) -> int:
    """Greet."""
    print(f"Hello {arguments.whom}")
    return 0
'''

SHOW = """
import json, pathlib, sys, yaml
from workflow_lib.datasets import documentation as datasets
from workflow_lib.datasets.formats import registry as formats
from workflow_lib.losses import documentation, registry
from workflow_lib.plan.jobs import load
plan = load(yaml.safe_load(sys.stdin.read()))
jobs = {place.record: plan.job(place.step, place.dataset, place.loss, place.number).fingerprint for place in plan.jobs()}
cases = [case.id for name in formats.formats() if name == "pairs" for case in formats.find_cases(name, pathlib.Path("data"))]
print(json.dumps({
    "losses": registry.names(), "formats": formats.formats(), "jobs": jobs, "cases": cases,
    "pages": documentation.text() + datasets.text(),
}))
"""

STUDY = """
study: {{name: toy, title: Toy, datasets: [{datasets}]}}
training: {{patch: [16, 16], epochs: 2, iterations: 3}}
prediction: {{overlap: [8, 8]}}
network: {{depth: 2}}
datasets:
  a: {{label: A, format: busi, root: nowhere, losses: [{losses}]}}
  b: {{label: B, format: pairs, root: data, losses: [dice]}}
"""


@pytest.fixture
def copy(tmp_path, root):
    shutil.copytree(root / "workflow_lib", tmp_path / "workflow_lib")
    shutil.copytree(root / "reports", tmp_path / "reports")
    shutil.copy2(root / "Snakefile", tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def before(root):
    return shown(root)


def python(folder, *arguments, given=""):
    command = [sys.executable, *arguments]
    done = subprocess.run(
        command, cwd=folder, input=given, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(folder)}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def shown(folder, datasets="a", losses="dice"):
    return json.loads(python(folder, "-c", SHOW, given=STUDY.format(datasets=datasets, losses=losses)))


def different(one, other):
    """Return the records that both sides have with different fingerprints."""
    return {record for record in one["jobs"].keys() & other["jobs"].keys() if one["jobs"][record] != other["jobs"][record]}


TRAININGS = {f"records/train/a/half_dice/fold_{fold}.json" for fold in range(1, 6)}


def test_a_loss_is_one_file(copy, before):
    path = copy / "workflow_lib/losses/half_dice.py"
    path.write_text(LOSS, encoding="utf-8")
    after = shown(copy, losses="dice, half_dice")
    kept = tuple(f"records/{step}/" for step in ("train", "predict", "evaluate"))
    assert set(after["losses"]) - set(before["losses"]) == {"half_dice"}
    assert "### Half Dice loss: `half_dice`" in after["pages"]
    assert set(after["jobs"]) >= TRAININGS
    assert not {record for record in different(before, after) if record.startswith(kept)}
    path.write_text(LOSS.replace("0.5 *", "0.25 *"), encoding="utf-8")
    assert different(after, shown(copy, losses="dice, half_dice")) == {*TRAININGS, "records/report.json"}


def test_a_dataset_format_is_one_file(copy, before):
    path = copy / "workflow_lib/datasets/formats/pairs.py"
    path.write_text(FORMAT, encoding="utf-8")
    (copy / "data").mkdir()
    for name in ("x.png", "x_mask.png"):
        (copy / "data" / name).touch()
    after = shown(copy, "a, b")
    assert set(after["formats"]) - set(before["formats"]) == {"pairs"}
    assert after["cases"] == ["x"]
    assert "### pairs\n" in after["pages"]
    assert different(before, after) == {"records/manifest.json", "records/report.json"}
    path.write_text(FORMAT.replace('"lesion"', '"polyp"'), encoding="utf-8")
    assert different(after, shown(copy, "a, b")) == {"records/obtain/b.json", "records/report.json"}


def test_a_command_is_one_file(copy):
    (copy / "workflow_lib/commands/say_hello.py").write_text(COMMAND, encoding="utf-8")
    assert "whichloss say-hello Ada " in python(copy, "-m", "workflow_lib", "--help")
    assert python(copy, "-m", "workflow_lib", "say-hello", "Ada") == "Hello Ada\n"
    assert "say-hello" in python(copy, "-m", "workflow_lib", "completion", "bash")
