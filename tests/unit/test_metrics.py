"""The family of metrics: bounds and rules for empty masks; a metric added as its only file."""

import json
import math
import re
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import workflow_lib.metrics
from workflow_lib.base.errors import UserError
from workflow_lib.evaluation.case import score_case
from workflow_lib.evaluation.scores import HEAD, columns, read_scores, write_scores
from workflow_lib.images.cases import LabelMap
from workflow_lib.metrics import documentation, registry
from workflow_lib.metrics.interface import EMPTY_NOTES, EMPTY_PREDICTION, EMPTY_REFERENCE, Counts, Surfaces
from workflow_lib.metrics.paper import LABELS
from workflow_lib.tables import published
from workflow_lib.tables.agreement import rank_agreement
from workflow_lib.tables.claims import check_claims
from workflow_lib.tables.comparison import score_comparison
from workflow_lib.tables.comparison_p import p_comparison

MEMBERS = registry.names()

F2 = '''"""F2 score, which weighs recall above precision."""

from workflow_lib.metrics.interface import BOTH_EMPTY, UNDEFINED, Better, Counts, Measured

NAME = "f2"
LABEL = "F2"
UNIT = ""
BETTER: Better = "higher"
RANGE = (0.0, 1.0)
MEASURED: Measured = "counts"
EMPTY = {BOTH_EMPTY: UNDEFINED}
CITATION = "C. J. van Rijsbergen, Information Retrieval, 1979."
EQUATION = "5TP / (5TP + 4FN + FP)"


def f2(counts: Counts) -> float:
    """Return the F2 score."""
    if counts.note in EMPTY:
        return EMPTY[counts.note]
    return 5 * counts.tp / (5 * counts.tp + 4 * counts.fn + counts.fp)
'''


@pytest.fixture
def add_metric(tmp_path, monkeypatch):
    """Return a function that adds the file of a metric to the family, in a folder of its own, for the time of a test."""
    added = []

    def add(name, source):
        (tmp_path / f"{name}.py").write_text(source, encoding="utf-8")
        added.append(name)
        # Folders are listed once per process, so this one joins them with its file.
        monkeypatch.setattr(workflow_lib.metrics, "__path__", [*workflow_lib.metrics.__path__, str(tmp_path)])

    yield add
    for name in added:
        sys.modules.pop(registry.module(name), None)
        if hasattr(workflow_lib.metrics, name):
            delattr(workflow_lib.metrics, name)


# Members


def test_the_columns_of_scores_keep_their_order():
    assert columns(MEMBERS) == (
        *("dataset", "loss", "fold", "case", "class", "kind", "tp", "fp", "fn", "dsc", "precision", "recall", "hd95", "nsd"),
        *("assd", "relative_volume_difference", "volume_difference", "note"),
    )
    assert LABELS == {"dsc": "DSC", "precision": "Precision", "recall": "Recall"}
    assert tuple(LABELS) == registry.PAPER


def test_the_documentation_is_what_the_members_say(root):
    text = (root / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert text == documentation.text(), "docs/metrics.md is not what the members say: run `make generated`"
    assert re.findall(r"^## .*: `(\w+)`$", text, flags=re.MULTILINE) == list(MEMBERS)


def measured(name, truth, prediction, spacing=(2.0, 1.5, 1.0)):
    labels = LabelMap(("background", "x"), ((0,), (1,)))
    (row,) = score_case(truth.astype(np.uint8), prediction.astype(np.uint8), labels, spacing, 1.0, [name])
    return row[name]


@pytest.mark.parametrize("name", MEMBERS)
def test_the_right_prediction_is_the_best_and_all_values_are_within_their_bounds(name):
    rng = np.random.default_rng(8)
    metric = registry.get(name)
    truth = rng.random((5, 7, 6)) < 0.3
    best = {"higher": metric.RANGE[1], "lower": metric.RANGE[0], "near 0": 0.0}[metric.BETTER]
    assert measured(name, truth, truth) == best
    for density in (0.01, 0.3, 0.99):
        value = measured(name, truth, rng.random(truth.shape) < density)
        assert metric.RANGE[0] <= value <= metric.RANGE[1]
        assert value != best
        assert type(value) is float


WHERE_EMPTY = {
    "dsc": (math.nan, 0, 0),
    "precision": (math.nan, 0, 0),
    "recall": (math.nan, 0, math.nan),
    "hd95": (math.nan, math.nan, math.nan),
    "nsd": (math.nan, 0, 0),
    "assd": (math.nan, math.nan, math.nan),
    "volume_difference": (math.nan, 0.003 * 6, 0.003 * 6),
    "relative_volume_difference": (math.nan, -1, math.nan),
}
"""Values where both masks, the prediction, the reference are empty; the other mask holds 6 voxels of 0.003 ml."""


@pytest.mark.parametrize("name", MEMBERS)
def test_where_a_mask_is_empty(name):
    nothing, six = np.zeros((2, 4, 3), bool), np.zeros((2, 4, 3), bool)
    six[:, :3, 1] = True
    found = [measured(name, *pair) for pair in ((nothing, nothing), (six, nothing), (nothing, six))]
    assert found == pytest.approx(WHERE_EMPTY[name], nan_ok=True)


def test_notes_say_which_mask_is_empty():
    far = np.array([np.inf])
    assert [Counts(0, 0, 0).note, Counts(0, 0, 3).note, Counts(0, 3, 0).note, Counts(0, 3, 3).note] == [*EMPTY_NOTES, ""]
    assert [Surfaces(far[:n], far[:m], 1.0).note for n, m in ((0, 0), (1, 0), (0, 1), (1, 1))] == [*EMPTY_NOTES, ""]
    assert EMPTY_NOTES[1:] == (EMPTY_PREDICTION, EMPTY_REFERENCE)
    for counts in ((-1, 0, 0), (0, 0, 0, 0.0), (0, 0, 0, math.nan)):
        with pytest.raises(ValueError, match="0 or more"):
            Counts(*counts)


@pytest.mark.parametrize("seed", range(5))
def test_volume_differences_are_those_of_the_masks(seed):
    rng = np.random.default_rng(seed)
    spacing = tuple(rng.uniform(0.3, 4.0, 3))
    truth, prediction = (rng.random((6, 5, 9)) < density for density in rng.uniform(0.05, 0.95, 2))
    # By the equations, over the voxels of each mask alone.
    in_truth, in_prediction = (math.fsum(math.prod(spacing) / 1000 for _ in np.argwhere(mask)) for mask in (truth, prediction))
    assert measured("volume_difference", truth, prediction, spacing) == pytest.approx(abs(in_prediction - in_truth), rel=1e-12)
    relative = measured("relative_volume_difference", truth, prediction, spacing)
    assert relative == pytest.approx((in_prediction - in_truth) / in_truth, rel=1e-12)


# A metric that is added


def test_a_metric_added_as_its_only_file_has_a_column_and_a_section(add_metric, tmp_path):
    add_metric("f2", F2)
    assert registry.names() == (*MEMBERS[:6], "f2", *MEMBERS[6:])
    rng = np.random.default_rng(2)
    truth, prediction = (rng.integers(0, 2, (4, 5, 6)).astype(np.uint8) for _ in range(2))
    labels = LabelMap(("background", "x"), ((0,), (1,)))
    rows = score_case(truth, prediction, labels, (1.0,) * 3, 1.0, registry.names())
    head = dict(zip(HEAD, ("set", "dice", 1, "a"), strict=False))
    write_scores(tmp_path / "scores.csv", [head | row for row in rows], registry.names())
    (row,) = read_scores(tmp_path / "scores.csv").to_dict("records")
    hit, wrong, missed = (truth & prediction).sum(), (prediction & ~truth & 1).sum(), (truth & ~prediction & 1).sum()
    assert row["f2"] == pytest.approx(5 * hit / (5 * hit + 4 * missed + wrong))
    assert "## F2: `f2`" in documentation.text()


def test_published_comparisons_and_claims_do_not_know_of_an_added_metric(add_metric):
    def everything():
        tables = []
        for name in published.names():
            one = published.load(name)
            assert one is not None
            entries = [
                {"name": loss, "label": one.labels[loss], "loss": loss, "parameters": dict(parameters)}
                for loss, parameters in one.parameters.items()
            ]
            means = pd.DataFrame(
                [
                    {"loss": loss, "class": part, "metric": metric, "mean": cell.mean, "ci95": cell.half, "folds": 5}
                    for (loss, part, metric), cell in one.scores.items()
                ]
            )
            empty = pd.DataFrame(columns=["class", "row", "column", "p", "statistic"])
            scores, p = score_comparison(one, means, entries, []), p_comparison(one, empty, entries)
            tables += [scores, p, rank_agreement(scores, p), check_claims(one, scores, p)]
        return tables

    before = everything()
    assert all(len(table) for table in before)
    add_metric("f2", F2)
    assert "f2" in registry.names()
    for one, other in zip(before, everything(), strict=True):
        pd.testing.assert_frame_equal(one, other)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('CITATION = "C. J. van Rijsbergen, Information Retrieval, 1979."\n', "", "does not define CITATION"),
        ("def f2(", "def f_two(", "does not define f2"),
        ('NAME = "f2"', 'NAME = "f1"', "has NAME = 'f1'; it must be 'f2'"),
        ('Better = "higher"', 'Better = "more"', "has BETTER = 'more'; use higher, lower, near 0"),
        ('Measured = "counts"', 'Measured = "voxels"', "has MEASURED = 'voxels'; use counts, surfaces"),
        ("{BOTH_EMPTY: UNDEFINED}", '{"empty": UNDEFINED}', "the keys of EMPTY must be among 'both empty'"),
    ],
)
def test_a_file_that_is_no_metric_is_refused_with_its_fault(add_metric, old, new, fault):
    assert old in F2
    add_metric("f2", F2.replace(old, new))
    with pytest.raises(UserError, match=re.escape("The metric file workflow_lib/metrics/f2.py")) as raised:
        registry.get("f2")
    assert fault in str(raised.value)


def test_an_unknown_metric_is_named_with_the_nearest():
    with pytest.raises(UserError, match="there is no metric 'hd59'; did you mean 'hd95'"):
        registry.get("hd59")


PLAN = """
import json, sys, yaml
from workflow_lib.plan.jobs import load
plan = load(yaml.safe_load(open(sys.argv[1], encoding="utf-8")))
jobs = {place.record: plan.job(place.step, place.dataset, place.loss, place.number) for place in plan.jobs()}
evaluate = json.loads(jobs["records/evaluate/kits19/dice/fold_1.json"].settings)
print(json.dumps([evaluate["metrics"], {name: job.fingerprint for name, job in jobs.items()}]))
"""


def planned(folder, root):
    command = [sys.executable, "-c", PLAN, str(root / "config.yaml")]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(folder)})
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_an_added_metric_repeats_the_evaluations_and_nothing_before_them(tmp_path, root):
    shutil.copytree(root / "workflow_lib", tmp_path / "workflow_lib", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(root / "reports", tmp_path / "workflow_lib" / "_reports")  # as in an installed package
    metrics, before = planned(tmp_path, root)
    (tmp_path / "workflow_lib/metrics/f2.py").write_text(F2, encoding="utf-8")
    more, after = planned(tmp_path, root)
    assert set(more) - set(metrics) == {"f2"}
    changed = {record.split("/")[1].removesuffix(".json") for record in before if before[record] != after[record]}
    assert changed == {"evaluate", "report"}
    # What its documentation says repeats nothing; what it computes does.
    path = tmp_path / "workflow_lib/metrics/f2.py"
    path.write_text(F2.replace("1979", "1979, chapter 7"), encoding="utf-8")
    assert planned(tmp_path, root)[1] == after
    path.write_text(F2.replace("4 * counts.fn", "3 * counts.fn"), encoding="utf-8")
    again = planned(tmp_path, root)[1]
    assert {record.split("/")[1] for record in after if after[record] != again[record]} == {"evaluate", "report.json"}
