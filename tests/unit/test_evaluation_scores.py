"""The table of scores: reading back what was written, and what is missing from it."""

import math

import numpy as np
import pandas as pd
import pytest

from workflow_lib.base.errors import Faults, UserError
from workflow_lib.base.frames import read_frame, write_frame
from workflow_lib.evaluation.scores import (
    check_complete,
    check_references,
    class_names,
    columns,
    metrics_of,
    read_scores,
    reference_faults,
    write_scores,
)
from workflow_lib.metrics.registry import FIRST

METRICS = (*FIRST, "assd", "volume_difference")
COLUMNS = columns(METRICS)

FOLDS = {"a": 1, "b": 2, "c": 1, "d": 2}
LOSSES = ["dice", "focal"]


def complete():
    return pd.DataFrame(
        [
            ("set", loss, fold, case, name, "class", 1, 2, 3, 0.1 + 0.2, 1 / 3, 0.25, 3.5, 0.75, 1.5, 0.5, "")
            for loss in LOSSES
            for case, fold in FOLDS.items()
            for name in ("kidney", "tumour")
        ],
        columns=list(COLUMNS),
    )


def faults_of(frame, **options):
    with pytest.raises(Faults) as raised:
        check_complete(frame, LOSSES, FOLDS, **options)
    return raised.value.faults


def test_scores_come_back_as_they_were(tmp_path):
    frame = complete()
    frame.loc[0, ["dsc", "precision", "recall"]] = math.nan
    frame.loc[0, "note"] = "both empty"
    frame.loc[1, "case"] = "007"
    frame.loc[2, "class"] = "NA"
    frame.loc[3, "case"] = 'with "quotes", and a comma'
    write_scores(tmp_path / "scores.csv", frame, METRICS)
    back = read_scores(tmp_path / "scores.csv")
    pd.testing.assert_frame_equal(back, frame, check_exact=True, check_dtype=False)
    assert [str(back[c].dtype) for c in ("fold", "tp", "dsc")] == ["int64", "int64", "float64"]
    text = (tmp_path / "scores.csv").read_bytes()
    assert text.startswith(
        b"dataset,loss,fold,case,class,kind,tp,fp,fn,dsc,precision,recall,hd95,nsd,assd,volume_difference,note\n"
    )
    assert b"\r" not in text
    assert b",0.30000000000000004," in text


def test_rows_may_be_dictionaries_in_any_order(tmp_path):
    rows = [dict(reversed(list(row.items()))) for row in complete().to_dict("records")]
    write_scores(tmp_path / "scores.csv", rows, METRICS)
    pd.testing.assert_frame_equal(read_scores(tmp_path / "scores.csv"), complete(), check_dtype=False)


def test_scores_of_no_case_are_a_table(tmp_path):
    write_scores(tmp_path / "scores.csv", [], METRICS)
    back = read_scores(tmp_path / "scores.csv")
    assert list(back.columns) == list(COLUMNS)
    assert back.empty


def test_a_table_says_itself_which_metrics_it_holds(tmp_path):
    write_scores(tmp_path / "scores.csv", complete(), FIRST)
    assert metrics_of(read_scores(tmp_path / "scores.csv")) == list(FIRST)
    write_frame(tmp_path / "scores.csv", complete().assign(sharpness="0.5"))
    back = read_scores(tmp_path / "scores.csv")
    assert metrics_of(back) == [*METRICS, "sharpness"]
    assert list(back.columns)[-1] == "note"
    assert (back["sharpness"] == 0.5).all()
    write_frame(tmp_path / "scores.csv", complete().drop(columns="nsd"))
    with pytest.raises(UserError, match="lacks the columns nsd"):
        read_scores(tmp_path / "scores.csv")


def test_frames_keep_numbers_and_text_apart(tmp_path):
    frame = pd.DataFrame(
        {"loss": ["1", "02"], "mean": [math.nan, 1e-300], "ci95": [math.inf, np.pi], "published_p": ["1.00", ""]}
    )
    write_frame(tmp_path / "t.csv", frame)
    pd.testing.assert_frame_equal(read_frame(tmp_path / "t.csv"), frame, check_exact=True, check_dtype=False)


def test_every_float_reads_back_equal(tmp_path):
    # pandas' parser once was off by one unit in the last place for some numbers.
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({"mean": np.concatenate([rng.random(20000), rng.random(2000) * 10.0 ** rng.integers(-300, 300, 2000)])})
    write_frame(tmp_path / "t.csv", frame)
    assert (read_frame(tmp_path / "t.csv")["mean"] == frame["mean"]).all()


@pytest.mark.parametrize("text", ["", "loss,fold\ndice,1\n", "not a table\n1,2,3\n"])
def test_what_is_no_table_of_scores_is_refused(tmp_path, text):
    (tmp_path / "scores.csv").write_text(text)
    with pytest.raises(UserError, match=r"scores\.csv"):
        read_scores(tmp_path / "scores.csv")


def test_a_word_where_a_number_belongs_is_refused(tmp_path):
    frame = complete().astype({"dsc": object})
    frame.loc[0, "dsc"] = "high"
    write_scores(tmp_path / "scores.csv", frame, METRICS)
    with pytest.raises(UserError, match="high"):
        read_scores(tmp_path / "scores.csv")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"nowhere\.csv does not exist"):
        read_scores(tmp_path / "nowhere.csv")


def test_class_names_keep_the_order():
    frame = complete()
    frame.loc[frame["class"] == "kidney", "kind"] = "region"
    assert class_names(frame) == ["kidney", "tumour"]
    assert class_names(frame, "class") == ["tumour"]


def test_complete_scores_pass():
    shuffled = complete().sample(frac=1, random_state=1)
    check_complete(shuffled, LOSSES, FOLDS)
    check_complete(shuffled, LOSSES, FOLDS, classes=["kidney", "tumour"])


def test_a_missing_row_is_named():
    frame = complete()
    gone = (frame["loss"] == "focal") & (frame["case"] == "b") & (frame["class"] == "tumour")
    assert faults_of(frame[~gone]) == ["loss focal, fold 2, case b, class tumour: missing"]


def test_a_missing_training_is_named_in_one_line():
    frame = complete()
    part = frame[~((frame["loss"] == "focal") & (frame["fold"] == 2))]
    (fault,) = faults_of(part)
    assert fault == "loss focal, fold 2: no complete scores of its 2 case(s)"
    # Unless it is known to have diverged; then every other one must be there.
    check_complete(part, LOSSES, FOLDS, diverged=[("focal", 2)])
    assert faults_of(part, diverged=[("focal", 1)]) == [fault]


def test_a_missing_loss_and_a_missing_class_are_named():
    frame = complete()
    assert len(faults_of(frame[frame["loss"] == "dice"])) == 2
    assert faults_of(frame[frame["class"] == "kidney"], classes=["kidney", "tumour"])
    check_complete(frame[frame["class"] == "kidney"], LOSSES, FOLDS)


def test_double_rows_and_strangers_are_named():
    frame = complete()
    other = frame.iloc[[0]].assign(loss="hinge")
    unknown = frame.iloc[[0]].assign(case="z")
    assert faults_of(pd.concat([frame, frame.iloc[[3]], other, unknown])) == [
        "loss dice, case b, class tumour: 2 rows",
        "loss hinge, case a: not part of the study",
        "loss dice, case z: not part of the study",
    ]


def test_another_fold_than_the_tables_is_named():
    frame = complete()
    frame.loc[(frame["loss"] == "dice") & (frame["case"] == "c"), "fold"] = 2
    assert faults_of(frame) == ["loss dice, case c: scored in fold 2, but the fold table says 1"]
    frame = complete()
    frame.loc[(frame["loss"] == "dice") & (frame["case"] == "b"), "fold"] = 1
    assert faults_of(frame) == ["loss dice, case b: scored in fold 1, but the fold table says 2"]


def test_many_faults_are_cut_short():
    folds = {f"case_{i}": i % 2 + 1 for i in range(100)}
    frame = complete().iloc[:0]
    rows = [
        ("s", "dice", folds[c], c, "kidney", "class", 1, 1, 1, 0.5, 0.5, 0.5, 1.0, 0.5, 0.5, 0.1, "")
        for c in folds
        if c != "case_1"
    ]
    frame = pd.DataFrame(rows + rows, columns=list(COLUMNS))
    with pytest.raises(Faults) as raised:
        check_complete(frame, ["dice"], folds)
    assert raised.value.faults[-1] == "and 79 more like the last"
    assert len(raised.value.faults) == 22


def test_losses_scored_with_other_masks_are_named():
    frame = complete()
    check_references(frame)
    # Another prediction of the same mask.
    frame.loc[(frame["loss"] == "focal") & (frame["case"] == "a"), ["tp", "fn"]] = (2, 2)
    check_references(frame)
    forged = (frame["loss"] == "focal") & (frame["case"] == "b") & (frame["class"] == "tumour")
    frame.loc[forged, "fn"] = 2944
    assert reference_faults(frame) == ["case b of set, class tumour: 4 (dice); 2945 (focal)"]
    with pytest.raises(Faults, match=r"different masks.*Delete the scores of the losses named here"):
        check_references(frame)
    # A case of that name in another dataset is another case.
    frame.loc[frame["loss"] == "focal", "dataset"] = "other"
    check_references(frame)
