"""The list of the steps agrees with the rules, the steps' modules, the plan and the documents."""

import fnmatch
import re

import pytest

from workflow_lib.commands.audit.records import NAME
from workflow_lib.plan import jobs as plan
from workflow_lib.provenance import layout, shown

NAMES = {"{dataset}": "<dataset>", "{loss}": "<loss>", "{fold}": "<k>", "{shard}": "<i>"}
RAW = {
    "study": {"name": "s", "title": "t", "datasets": ["a", "b"], "results": "r"},
    "training": {"patch": [16, 16, 16], "epochs": 1, "iterations": 1},
    "prediction": {"overlap": [8, 8, 8]},
    "cross_validation": {"folds": 2},
    "preprocessing": {"shards": 2},
    "datasets": {
        "a": {"label": "A", "format": "kits19", "root": "d", "losses": ["dice", "focal"]},
        "b": {"label": "B", "format": "kits19", "root": "d", "losses": ["dice"]},
    },
}


def in_document(path):
    for name, shown_as in NAMES.items():
        path = path.replace(name, shown_as)
    return path


@pytest.fixture(scope="module")
def documented(root):
    """Return the paths in the table of files, by step."""
    text = (root / "docs/architecture.md").read_text(encoding="utf-8").split("## Files of a study")[1].split("###")[0]
    found: dict[str, list[str]] = {}
    for paths, steps in re.findall(r"^\| (`.*?`) \| (.*?) \|", text, flags=re.MULTILINE):
        for step in steps.split(", "):
            found.setdefault(step, []).extend(re.findall(r"`([^`]+)`", paths))
    return found


def fits(path, pattern):
    return path.startswith(pattern) if pattern.endswith("/") else fnmatch.fnmatchcase(path, pattern)


@pytest.mark.parametrize("step", layout.STEPS)
def test_the_table_of_files_names_all_that_a_step_writes_and_nothing_else(step, documented):
    this = layout.STEPS[step]
    written = [in_document(path) + "/" * (name in this.folders) for name, paths in this.writes.items() for path in paths]
    written += [in_document(path) for paths in this.unrecorded.values() for path in paths]
    # The folders with the state of a training are named by lineage.
    ends = {"checkpoints": "/<lineage>/", "events": "/", "earlier": ""}
    written += [in_document(path) + ends[name] for name, path in this.state.items()]
    patterns = documented[step]
    assert [path for path in written if not any(fits(path, pattern) for pattern in patterns)] == []
    unused = [pattern for pattern in patterns if not any(fits(path, pattern) or pattern.startswith(path) for path in written)]
    # A row with two steps contains the files of both.
    assert [pattern for pattern in unused if step != "figures_sweep"] == []


def test_every_step_has_a_module_and_a_rule_of_its_name(root):
    modules = {path.stem for path in (root / "workflow_lib/steps").glob("[a-z]*.py")} - {"command"}
    rules = "".join(path.read_text(encoding="utf-8") for path in (root / "rules").glob("*.smk"))
    assert modules == set(layout.STEPS)
    assert set(re.findall(r"^rule (\w+):", rules, flags=re.MULTILINE)) == set(layout.STEPS)


def test_a_step_reads_only_what_an_earlier_one_writes():
    order = list(layout.STEPS)
    for step, this in layout.STEPS.items():
        read = [output for output in (*this.reads.values(), *this.after) if output != layout.WHOLE]
        assert all(layout.templates(output) for output in read)
        assert all(order.index(layout.maker(output)) < order.index(step) for output in read)


def test_all_jobs_of_an_output_have_a_file():
    study = plan.load(RAW)
    assert study.paths("evaluate.scores", "a") == [
        "r/s/scores/a/dice/fold_1.csv",
        "r/s/scores/a/dice/fold_2.csv",
        "r/s/scores/a/focal/fold_1.csv",
        "r/s/scores/a/focal/fold_2.csv",
    ]
    assert study.paths("preprocess.store") == [f"r/s/preprocessed/{name}/shard_{n}" for name in "ab" for n in (1, 2)]
    assert study.paths("figures_sweep.texts") == []
    assert study.paths("report_page.page") == ["r/s/report.html"]


def test_an_input_is_several_files_where_there_are_more_of_it():
    assert layout.several("statistics", "results")
    assert layout.several("tables", "results")
    assert layout.several("collect", "parts")
    assert layout.several("split", "table")
    assert not layout.several("predict", "weights")
    assert not layout.several("figures_sweep", "means")
    assert not layout.several("report_page", "sums")


def test_a_job_reads_what_is_of_its_own_fold_and_dataset():
    (weights,) = layout.templates("train.weights")
    own = layout.pattern(weights, "predict", "a", "dice", 1, NAME.pattern)
    assert re.fullmatch(own, "training/a/dice/fold_1/model.weights.h5")
    for other in ("training/a/dice/fold_2/model", "training/a/focal/fold_1/model", "training/b/dice/fold_1/model"):
        assert not re.fullmatch(own, f"{other}.weights.h5")
    (store,) = layout.templates("preprocess.store")
    assert re.fullmatch(layout.pattern(store, "train", "a", "dice", 1, NAME.pattern), "preprocessed/a/shard_7")


def test_records_and_logs_lie_by_step_dataset_loss_and_number():
    assert layout.record("train", "a", "dice", 3) == "records/train/a/dice/fold_3.json"
    assert layout.record("preprocess", "a", number=2) == "records/preprocess/a/shard_2.json"
    assert layout.record("report_page") == "records/report.json"
    assert layout.log_template("predict", "tsv") == "logs/predict/{dataset}/{loss}/fold_{fold}.tsv"


def test_snakemakes_own_report_shows_tables_figures_and_pages_alone():
    all_files = [path for this in layout.STEPS.values() for paths in this.writes.values() for path in paths]
    places = {path: place for path in all_files if (place := shown.place(path)) is not None}
    assert {place.category for place in places.values()} == {"Data", "Scores", "Tables", "Figures", "Report"}
    assert places["tables/{dataset}_pvalues.tex"].labels == {
        "dataset": "{dataset}",
        "table": "p-values",
        "format": "LaTeX",
    }
    assert not any(path.endswith((".json", ".h5")) for path in places)
