"""The page's description of the division of the cases."""

import pandas as pd
import pytest

from workflow_lib.base.files import write_json, write_text
from workflow_lib.report import division
from workflow_lib.report.cases import class_warnings
from workflow_lib.report.sources import Sources
from workflow_lib.report.study import Dataset, Study

PLAIN = {"folds": 2, "fixed": None, "by_group": False, "table": None}


def described(folder, rows, folds, noun="", **settings):
    write_text(folder / "data/a/folds.csv", "case,fold,part,group\n" + "".join(f"{','.join(row)}\n" for row in rows))
    return division.describe(Sources(folder), study_of(PLAIN | settings), Dataset("a", folds=folds, group=noun))


def study_of(cross_validation):
    return Study("s", "t", (), {"datasets": {"a": {"cross_validation": cross_validation}}}, "", None)


FOLDS = [("a", "1", "", ""), ("b", "2", "", ""), ("c", "1", "", "")]
FIXED = [("a", "1", "training", "x"), ("b", "1", "validation", "y"), ("c", "1", "test", "z"), ("d", "1", "test", "z")]


def test_folds(tmp_path):
    found = described(tmp_path, FOLDS, 2)
    assert found["sentence"] == "2 folds of 2 and 1 cases, divided at random, case by case."
    assert (found["fixed"], found["scored"], found["warning"]) == (False, 3, "")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"fixed": {"test": 0.2, "validation": 0.2}}, "divided at random, case by case"),
        (
            {"fixed": {"test": "official", "validation": 0.2}},
            "the test set is the one the dataset comes with, the others divided",
        ),
        ({"fixed": {"test": 0.2, "validation": 0.2}, "by_group": True}, "by sequence: the cases of each of the 3 sequences stay"),
        ({"table": "mine.csv"}, "divided by a table of the study"),
    ],
)
def test_one_split(tmp_path, settings, words):
    found = described(tmp_path, FIXED, 1, "sequence", **settings)
    assert found["sentence"].startswith("One fixed split: 1 training, 1 validation and 2 test cases, ")
    assert words in found["sentence"]
    assert (found["fixed"], found["scored"], found["warning"]) == (True, 2, "")


def test_groups_on_both_sides_are_told(tmp_path):
    rows = [("a", "1", "", "s1"), ("b", "2", "", "s1"), ("c", "1", "", "s2"), ("d", "2", "", "")]
    found = described(tmp_path, rows, 2, "sequence")
    assert found["warning"].startswith("1 of 2 sequences have cases on both sides")


def test_not_divided_yet(tmp_path):
    assert division.describe(Sources(tmp_path), study_of(PLAIN), Dataset("a", folds=2))["scored"] is None


@pytest.mark.parametrize(
    ("similar", "words"),
    [
        ([["a", "b"]], "2 cases with equal or nearly equal images are on both sides of the division (a and b)"),
        ([["a", "c"]], ""),
        ([["a", "c"], ["b", "c", "a"], ["x", "b"]], "3 cases with equal or nearly equal images"),
    ],
)
def test_similar_images_on_both_sides_are_a_warning(tmp_path, similar, words):
    write_json(tmp_path / "data/a/cases.json", {"similar": similar})
    assert described(tmp_path, FOLDS, 2)["warning"].startswith(words)
    assert bool(described(tmp_path, FOLDS, 2)["warning"]) == bool(words)
    together = described(tmp_path, FOLDS, 2, similar_images="together")["sentence"]
    assert together.endswith("divided at random, cases with equal or nearly equal images together.")


@pytest.mark.parametrize(
    ("kidney", "tumour", "words"),
    [(3, 4, []), (3, 0, ["No included case contains the class tumour"]), (0, 0, ["The masks of all included cases are empty"])],
)
def test_classes_that_no_case_contains_are_a_warning(kidney, tumour, words):
    table = pd.DataFrame({"status": ["included", "excluded"], "voxels_kidney": [kidney, 9], "voxels_tumour": [tumour, 9]})
    found = class_warnings(table, ("background", "kidney", "tumour"))
    assert [text[: len(word)] for text, word in zip(found, words, strict=True)] == words
