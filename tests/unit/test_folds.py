"""The fold table: there and back, who trains, validates and scores, and tables that were changed."""

import pytest

from workflow_lib.base.errors import UserError
from workflow_lib.datasets.folds import Assignment, Split, read_folds, scored_in, split_cases, write_folds

FOLDS = {"a": Assignment(1, group="x"), "b": Assignment(2, group="y"), "c": Assignment(3, group="x"), "d": Assignment(1)}
FIXED = {
    "a": Assignment(1, "training"),
    "b": Assignment(1, "validation"),
    "c": Assignment(1, "test"),
    "d": Assignment(1, "training"),
}


@pytest.mark.parametrize("places", [FOLDS, FIXED])
def test_table_round_trip(tmp_path, places):
    write_folds(tmp_path / "folds.csv", places)
    assert read_folds(tmp_path / "folds.csv") == places


def test_folds_score_the_cases_that_choose_the_weights():
    assert split_cases(FOLDS, 1) == Split(["b", "c"], ["a", "d"], ["a", "d"])
    assert split_cases(FOLDS, 2) == Split(["a", "c", "d"], ["b"], ["b"])
    assert scored_in(FOLDS) == {"a": 1, "b": 2, "c": 3, "d": 1}


def test_a_fixed_split_scores_other_cases():
    assert split_cases(FIXED, 1) == Split(["a", "d"], ["b"], ["c"])
    assert scored_in(FIXED) == {"c": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("case,fold,part,group\na,1,,\na,2,,\n", "more than one row"),
        ("case,fold,part,group\na,1,,\na,1,,\n", "more than one row"),
        ("case,fold,part,group\na,one,,\n", "not a row of a fold table"),
        ("case,fold\na,1\n", "not a row of a fold table"),
        ("case,fold,part,group\na,1,tset,\n", "the part 'tset'"),
    ],
)
def test_a_table_that_was_changed(tmp_path, text, message):
    (tmp_path / "folds.csv").write_text(text)
    with pytest.raises(UserError, match=message):
        read_folds(tmp_path / "folds.csv")
