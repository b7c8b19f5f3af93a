"""The table of scores: one row per loss, case and class."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from workflow_lib.base.errors import Faults, UserError
from workflow_lib.base.frames import read_frame, write_frame
from workflow_lib.metrics import registry

HEAD = ("dataset", "loss", "fold", "case", "class", "kind", "tp", "fp", "fn")
"""Columns before those of the metrics; the last column is `note`."""

_COUNTS = ("fold", "tp", "fp", "fn")
_SHOWN = 20  # maximum number of faults of a kind that are listed


def columns(metrics: Sequence[str]) -> tuple[str, ...]:
    """Return the columns of a table of scores in these metrics."""
    return (*HEAD, *metrics, "note")


def empty_scores(metrics: Sequence[str]) -> pd.DataFrame:
    """Return a table of scores without rows."""
    return pd.DataFrame(columns=list(columns(metrics)))


def write_scores(path: str | Path, rows: pd.DataFrame | Iterable[Mapping[str, object]], metrics: Sequence[str]) -> None:
    """Write scores atomically as CSV with the columns of `metrics`; an undefined value becomes an empty field."""
    names = list(columns(metrics))
    frame = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(list(rows), columns=names)
    write_frame(path, frame[names])


def read_scores(path: str | Path) -> pd.DataFrame:
    """Read a table of scores: counts and folds as int64, metrics as float64 with NaN where undefined, the rest as text.

    The header of the table determines the metrics; it must include those of `registry.FIRST`.
    Raises UserError when the file is missing, lacks a column, or has a non-numeric value in a numeric column.
    """
    frame = read_frame(path)
    missing = [column for column in columns(registry.FIRST) if column not in frame.columns]
    if missing:
        raise UserError(f"{path} lacks the columns {', '.join(missing)}. Delete it and run the step that makes it again.")
    metrics = metrics_of(frame)
    frame = frame[list(columns(metrics))]
    try:
        return frame.astype(dict.fromkeys(_COUNTS, "int64") | dict.fromkeys(metrics, "float64"))
    except (ValueError, TypeError) as error:
        raise UserError(f"{path} holds something else than a number ({error}). Delete it and make it again.") from error


def metrics_of(frame: pd.DataFrame) -> list[str]:
    """Return the metrics that a table of scores holds, in the order of its columns."""
    return [str(column) for column in frame.columns if column not in (*HEAD, "note")]


def class_names(frame: pd.DataFrame, kind: str | None = None) -> list[str]:
    """Return the classes and regions of a table of scores in the order they first appear in, of one `kind` if it is given."""
    part = frame if kind is None else frame[frame["kind"] == kind]
    return [str(name) for name in part["class"].unique()]


def check_complete(
    frame: pd.DataFrame,
    losses: Sequence[str],
    folds: Mapping[str, int],
    classes: Sequence[str] | None = None,
    diverged: Collection[tuple[str, int]] = (),
) -> None:
    """Check that every loss scored every case of the fold table once per class, in the case's own fold.

    `classes` are the classes and regions that must be there; None takes those that the table holds. Trainings that `diverged`,
    by loss and fold, have no scores.
    Raises Faults that names rows that are missing, duplicate, in the wrong fold, or not part of the study.
    """
    expected = pd.MultiIndex.from_tuples(
        [
            (loss, case, name)
            for loss in losses
            for case, fold in folds.items()
            if (loss, fold) not in diverged
            for name in classes or class_names(frame)
        ],
        names=["loss", "case", "class"],
    )
    found = pd.MultiIndex.from_frame(frame[["loss", "case", "class"]])
    known = frame["loss"].isin(list(losses)) & frame["case"].isin(list(folds))
    faults = _missing(expected.difference(found, sort=False), folds)
    faults += _cut([f"{_name(key)}: {n} rows" for key, n in found.value_counts(sort=False).items() if n > 1])
    strangers = frame.loc[~known, ["loss", "case"]].drop_duplicates().itertuples(index=False, name=None)
    faults += _cut([f"loss {loss}, case {case}: not part of the study" for loss, case in strangers])
    if classes is not None:
        faults += _cut([f"class {name}: not part of the study" for name in class_names(frame) if name not in classes])
    own = frame["case"].map(dict(folds))
    wrong = frame[known & (frame["fold"] != own)].drop_duplicates(["loss", "case"])
    faults += _cut(
        [
            f"loss {row.loss}, case {row.case}: scored in fold {row.fold}, but the fold table says {folds[str(row.case)]}"
            for row in wrong.itertuples()
        ]
    )
    if faults:
        raise Faults("The scores are not complete; delete the scores named here and run the workflow again:", faults)


def reference_faults(frame: pd.DataFrame) -> list[str]:
    """Return the cases and classes whose reference voxels (tp + fn) are not the same for all losses and folds.

    These voxels depend only on the reference mask, so a different number means a different mask.
    """
    voxels = frame["tp"] + frame["fn"]
    keys = [frame["dataset"], frame["case"], frame["class"]]
    differing = voxels.groupby(keys, sort=False).transform("nunique") > 1
    faults = []
    for (dataset, case, name), rows in frame[differing].groupby(["dataset", "case", "class"], sort=False):
        losses_of: dict[int, list[str]] = {}
        for loss, number in zip(rows["loss"], voxels[rows.index], strict=True):
            losses_of.setdefault(int(number), []).append(str(loss))
        numbers = "; ".join(f"{number} ({', '.join(losses)})" for number, losses in losses_of.items())
        faults.append(f"case {case} of {dataset}, class {name}: {numbers}")
    return _cut(faults)


def check_references(frame: pd.DataFrame) -> None:
    """Raise Faults if losses or folds were scored with different masks, as `reference_faults` names them."""
    faults = reference_faults(frame)
    if faults:
        raise Faults(
            "Losses were scored with different masks: the reference voxels (tp + fn) of a case are not the same. Delete the "
            "scores of the losses named here (scores/<dataset>/<loss>/) and run the workflow again, which makes them from the "
            "masks as they were inspected:",
            faults,
        )


def _missing(keys: pd.MultiIndex, folds: Mapping[str, int]) -> list[str]:
    """Name the missing rows; a whole training takes one line."""
    cases_of: dict[tuple[str, int], list[str]] = {}
    for loss, case, name in keys:
        cases_of.setdefault((loss, folds[case]), []).append(f"case {case}, class {name}")
    sizes = pd.Series(folds).value_counts()
    faults = []
    for (loss, fold), gone in cases_of.items():
        cases = {item.rpartition(", class ")[0] for item in gone}
        if len(cases) == sizes[fold] and len(gone) > 1:
            faults.append(f"loss {loss}, fold {fold}: no complete scores of its {len(cases)} case(s)")
        else:
            faults += [f"loss {loss}, fold {fold}, {item}: missing" for item in gone]
    return _cut(faults)


def _name(key: object) -> str:
    assert isinstance(key, tuple)
    return "loss {}, case {}, class {}".format(*key)


def _cut(faults: list[str]) -> list[str]:
    rest = len(faults) - _SHOWN
    return [*faults[:_SHOWN], f"and {rest} more like the last"] if rest > 0 else faults
