"""The comparison of two studies: identical, changed and malicious results."""

import re
import shutil
import subprocess
import sys

import pytest

from tests.workflow.forger import again, edit_record
from workflow_lib.base.errors import UserError
from workflow_lib.commands.compare.compare import compare
from workflow_lib.commands.compare.describe import DIFFERENT, NOT_COMPARABLE, SAME, text
from workflow_lib.evaluation.scores import metrics_of, read_scores, write_scores
from workflow_lib.provenance.fingerprints import PACKAGE_FOLDER
from workflow_lib.report.page import render
from workflow_lib.steps import statistics, tables

EVIL = "<script>alert('x')</script>\x1b[2J\u202e"


@pytest.fixture
def honest(finished):
    return finished.folder / "results" / "tiny"


@pytest.fixture
def other(honest, tmp_path):
    return shutil.copytree(honest, tmp_path / "other")


def test_the_same_study_is_the_same(honest, other):
    found = compare(honest, other)
    assert found["status"] == SAME
    assert found["verdict"] == "All 32 numbers are the same."
    assert (found["settings"], found["code"], found["versions"], found["alone"]) == ([], [], [], [])
    assert found["datasets"][0]["data"] == ["the same 4 cases, byte for byte, in the same folds"]


def test_every_difference_is_shown_and_judged(honest, other, tmp_path):
    scores = read_scores(other / "scores/toy.csv")
    better = scores["loss"] == "dice"
    scores.loc[better, "dsc"] = scores.loc[better, "dsc"] + 0.25 + 0.001 * scores.loc[better, "fold"]
    write_scores(other / "scores/toy.csv", scores, metrics_of(scores))
    again(other, "statistics", statistics.work)
    again(other, "tables", tables.work)
    edit_record(other, "records/report.json", lambda c: c["settings"]["config"]["datasets"]["toy"]["training"].update(epochs=7))
    edit_record(other, "records/tables/toy.json", lambda c: c["versions"].update(numpy="1.0"))
    page = tmp_path / "page.html"
    done = subprocess.run(
        [sys.executable, "-m", "workflow_lib", "compare", str(honest), str(other), "--page", str(page)],
        cwd=PACKAGE_FOLDER.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == DIFFERENT, done.stderr
    for said in (
        "datasets.toy.training.epochs 1 -> 7",
        "numpy 2.",
        "the same 4 cases, byte for byte, in the same folds",
        "12 of 24 scores of single cases and classes are the same",
        "Means of the tables of toy: 15 of 18 the same",
        "(+0.2515); beyond seed variation [folds ",
        "Within seed variation: of the same cases in the same folds",
    ):
        assert said in done.stdout, done.stdout
    html = page.read_text(encoding="utf-8")
    assert "(+0.2515)" not in html
    assert "+0.2515" in html
    assert "beyond seed variation" in html
    assert "Content-Security-Policy" in html
    # Self-contained: it only refers to its own parts.
    assert not re.search(r"(src|href)=\"(?!#|data:)", html)


def test_the_code_of_a_step_is_compared_by_its_modules(honest, other):
    for path in (other / "code").glob("*.json"):
        path.unlink()
    found = compare(honest, other)
    assert {"step": "train", "words": "the code of one side is unknown"} in found["code"]
    assert found["status"] == SAME


def test_a_loss_on_one_side_only_and_nothing_in_common(honest, other):
    for name in ("statistics/toy/means.csv", "statistics/toy/surface.csv"):
        lines = (other / name).read_text(encoding="utf-8").replace("focal,", "combo,")
        (other / name).write_text(lines, encoding="utf-8")
    found = compare(honest, other)
    assert found["status"] == DIFFERENT
    assert "toy: focal · kidney" in found["alone"]
    assert "toy: combo · kidney" in found["alone"]
    edit_record(other, "records/report.json", lambda c: c["settings"].update(datasets=[]))
    found = compare(honest, other)
    assert found["status"] == NOT_COMPARABLE
    assert "nothing to compare" in text(found)


def test_other_cases_and_folds_are_told_and_nothing_is_claimed(honest, other):
    def changed(content):
        content["cases"][0]["sha256"][content["cases"][0]["masks"][0]] = "0" * 64

    edit_record(other, "data/toy/cases.json", changed)
    means = (other / "statistics/toy/means.csv").read_text(encoding="utf-8")
    (other / "statistics/toy/means.csv").write_text(means.replace("dsc,0.", "dsc,0.1"), encoding="utf-8")
    (dataset,) = compare(honest, other)["datasets"]
    masks, digest = dataset["data"]
    assert masks == "the masks of 1 case differ: case_00000"
    assert re.fullmatch("digest of the data: [0-9a-f]{12}… in A, [0-9a-f]{12}… in B", digest)
    said = {cell["words"] for cell in dataset["parts"][0]["cells"]}
    assert said == {"the same", "not decided: not the same masks"}


def test_hostile_names_are_escaped_on_the_page_and_in_the_text(honest, other):
    edit_record(other, "records/report.json", lambda c: c["settings"].update(title=EVIL))
    edit_record(other, "records/report.json", lambda c: c["settings"]["config"].update({EVIL: {EVIL: EVIL}}))
    html = render(compare(honest, other), template="compare.html.j2")
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert" in html


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("records/report.json", b'{"a":' * 100_000),
        ("records/report.json", b"{}"),
        ("data/toy/cases.json", b'{"cases": 5}'),
        ("scores/toy.csv", b"loss\n" + b"x" * 200_000),
        ("statistics/toy/means.csv", b"loss,class\na,b\n"),
        ("data/toy/folds.csv", b"\xff\xfe"),
    ],
)
def test_results_made_to_harm_are_an_error_in_words(honest, other, name, content):
    (other / name).write_bytes(content)
    with pytest.raises(UserError, match="cannot be compared"):
        compare(honest, other)


def test_a_dataset_whose_name_leads_out_and_settings_of_no_kind(honest, other):
    edit_record(other, "records/report.json", lambda c: c["settings"]["datasets"][0].update(name="../../etc"))
    with pytest.raises(UserError, match="a dataset has an invalid name"):
        compare(honest, other)
    with pytest.raises(UserError, match="is not a folder"):
        compare(honest, other / "nothing")
