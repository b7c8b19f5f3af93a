"""The instructions of docs/add-a-loss.md, followed literally, and other definitions of losses in a study."""

import os
import re
import subprocess

import yaml

from tests.workflow.conftest import command_of_the_checkout

BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
NAMED = re.compile(r"[Ss]ave this as `([^`]+)`")
AGGREGATES = {"collect", "statistics", "tables", "figures_dataset", "manifest", "report_page"}


def blocks(text):
    """Return the fenced blocks as (language, text, file name if the text before it gives one)."""
    found, last = [], 0
    for match in BLOCK.finditer(text):
        names = NAMED.findall(text[last : match.start()])
        found.append((match[1], match[2], names[-1] if names else None))
        last = match.end()
    return found


def run(command, folder):
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    path = command_of_the_checkout(folder.parent / "bin")
    return subprocess.run(
        ["bash", "-e", "-c", command], cwd=folder, env=environment | {"PATH": path, "CUDA_VISIBLE_DEVICES": "-1"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=900,
    )  # fmt: skip


def counts(text):
    lines = (line.split() for line in text.splitlines())
    return {line[0]: int(line[1]) for line in lines if len(line) == 2 and line[1].isdigit() and line[0] not in {"all", "total"}}


def test_the_text_followed_to_the_letter(finished_copy, root):
    folder = finished_copy.folder
    text = (root / "docs" / "add-a-loss.md").read_text(encoding="utf-8")
    output, seen = "", []
    for language, block, name in blocks(text):
        seen.append(language)
        if name is not None:
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(block, encoding="utf-8")
        elif language == "bash":
            done = run(block, folder)
            output = done.stdout
            assert done.returncode == 0, f"{block}\n{output[-4000:]}"
            assert "Traceback" not in output
            assert "FAILS" not in output
        else:
            assert language == "text"
            assert counts(output) == counts(block)
            assert len(counts(block)) >= 8
    assert seen == ["bash", "python", "bash", "yaml", "bash", "text", "bash", "bash", "text"]
    page = (folder / "results/tiny/report.html").read_text(encoding="utf-8")
    assert "Soft F1 loss" in page
    assert "Soft F2 loss" in page
    families = (folder / "results/tiny/figures/loss_families.svg").read_text(encoding="utf-8")
    assert len(families) > 1000


OWN = """
from workflow_lib.losses import dice
from workflow_lib.losses.toolkit import LossParameters, loss_function

NAME = "{name}"
LABEL = "{name}"
CITATION = "here"
EQUATION = "2 D"
FAMILY = "region"


class Parameters(LossParameters):
    pass


def formula(ops, y, p, parameters):
    return 2 * dice.formula(ops, y, p, dice.Parameters())


def {name}(**parameters):
    return loss_function(NAME, Parameters, formula, parameters)
"""


def test_files_and_sums_plan_exactly_what_they_touch(finished_copy):
    """Users' files as losses and as terms of a sum; after edits and moves, trainings of other losses are not repeated."""
    folder = finished_copy.folder
    for name in ("first", "second"):
        (folder / f"{name}.py").write_text(OWN.format(name=name), encoding="utf-8")
    study = yaml.safe_load((folder / "tiny.yaml").read_text())
    term = {"loss": "second.py", "weight": 0.5}
    terms = [{"loss": "focal"}, term]
    first = {"loss": "first.py"}
    study["losses"] = {
        "first": first,
        "sum": {"loss": "weighted_sum", "label": "Focal + second", "parameters": {"terms": terms}},
        "literal": {"loss": "dice", "preset": "paper-literal", "label": "Dice (sum)"},
    }
    study["datasets"]["toy"]["losses"] = ["dice", "focal", "first", "sum", "literal"]
    finished_copy.write_study(study)
    both = {(name, fold) for name in ("first", "sum", "literal") for fold in (1, 2)}
    assert finished_copy.planned_trainings() == both
    finished_copy.snakemake("--cores", "2")
    assert finished_copy.planned() == {}
    page = (folder / "results/tiny/report.html").read_text(encoding="utf-8")
    assert "Focal + second" in page
    assert "0.5 × second" in page
    assert page.count("user's file") == 2

    second = folder / "second.py"
    second.write_text(second.read_text().replace("return 2 *", "return 3 *"))
    assert finished_copy.planned_trainings() == {("sum", 1), ("sum", 2)}
    second.write_text(second.read_text().replace("return 3 *", "return 2 *") + "# a comment\n")
    assert finished_copy.planned() == {}
    second.write_text(second.read_text().replace('CITATION = "here"', 'CITATION = "there"'))
    assert "train" not in finished_copy.planned()

    (folder / "mine").mkdir()
    for name in ("first", "second"):
        (folder / f"{name}.py").rename(folder / "mine" / f"{name}.py")
    first["loss"] = "mine/first.py"
    term["loss"] = "mine/second.py"
    finished_copy.write_study(study)
    assert set(finished_copy.planned()) <= {"tables", "manifest", "report_page"}

    dice = folder / "workflow_lib/losses/dice.py"
    dice.write_text(dice.read_text(encoding="utf-8").replace("def dice(", "_EDITED = 1\n\n\ndef dice("), encoding="utf-8")
    assert finished_copy.planned_trainings() == {(name, fold) for name in ("dice", "first", "sum", "literal") for fold in (1, 2)}


def test_faults_of_files_sums_and_presets_come_together_before_anything_runs(checkout):
    (checkout.folder / "broken.py").write_text("NAME = \n")
    study = yaml.safe_load((checkout.folder / "tiny.yaml").read_text())
    study["losses"] = {
        "a": {"loss": "nowhere.py"},
        "b": {"loss": "broken.py"},
        "c": {"loss": "weighted_sum", "parameters": {"terms": [{"loss": "dise"}, {"loss": "focal", "parameters": {"gama": 1}}]}},
        "d": {"loss": "asymmetric_unified_focal", "preset": "paper-literal"},
        "e": {"loss": "dice", "preset": "papre"},
        "f": {
            "loss": "weighted_sum",
            "label": "F",
            "parameters": {"terms": [{"loss": "focal", "parameters": {"alpha": [1, 2]}}]},
        },
    }
    study["datasets"]["toy"]["losses"] = ["a", "b", "c", "d", "e", "f"]
    checkout.write_study(study)
    done = checkout.snakemake("-n", check=False)
    assert done.returncode != 0
    assert "Traceback" not in done.stdout
    for words in (
        "losses.a: The loss file nowhere.py does not exist",
        "losses.b: The loss file broken.py is no Python, line 1",
        "losses.c: loss 'weighted_sum': parameter 'terms', number 1: there is no loss 'dise'; did you mean 'dice'?",
        "losses.c: loss 'weighted_sum': parameter 'terms', number 2: loss 'focal' has no parameter 'gama'",
        "losses.d: loss 'asymmetric_unified_focal' has no preset 'paper-literal'",
        "losses.e.preset: should be 'paper' or 'paper-literal'",
    ):
        assert words in done.stdout, done.stdout
    for name in "abcde":
        del study["losses"][name]
    study["datasets"]["toy"]["losses"] = ["f"]
    checkout.write_study(study)
    assert "'alpha' has 2 values for 3 classes" in checkout.snakemake("-n", check=False).stdout
