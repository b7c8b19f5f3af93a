"""Only the jobs that a change affects are repeated."""

import itertools
import json
import os
import shutil
import subprocess
import sys
from datetime import datetime, timedelta

import pytest
import yaml

from workflow_lib.base.files import read_json

AGGREGATES = {"collect", "statistics", "tables", "figures_dataset", "figures_losses", "manifest", "report_page"}


def change_study(checkout, change):
    study = yaml.safe_load((checkout.folder / "tiny.yaml").read_text())
    change(study)
    checkout.write_study(study)


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_a_finished_study_has_nothing_to_do(finished):
    assert finished.planned() == {}


def test_on_cpus_trainings_run_one_after_the_other(finished):
    attempts = [read_json(path)["attempts"] for path in finished.folder.glob("results/tiny/training/*/*/*/training.json")]
    begun = sorted((datetime.fromisoformat(only["started"]), timedelta(seconds=only["seconds"])) for (only,) in attempts)
    assert len(begun) == 4
    for (start, seconds), (next_start, _) in itertools.pairwise(begun):
        # Start times are whole seconds.
        assert next_start > start + seconds - timedelta(seconds=1)


def test_adding_a_loss_plans_its_own_trainings_and_the_aggregates(finished_copy):
    change_study(finished_copy, lambda study: study["datasets"]["toy"]["losses"].append("tversky"))
    planned = finished_copy.planned()
    assert planned == {"train": 2, "predict": 2, "evaluate": 2} | dict.fromkeys(AGGREGATES, 1)
    assert finished_copy.planned_trainings() == {("tversky", 1), ("tversky", 2)}


def test_removing_a_loss_runs_aggregates_only(finished_copy):
    change_study(finished_copy, lambda study: study["datasets"]["toy"].update(losses=["focal"]))
    assert set(finished_copy.planned()) <= AGGREGATES


def test_another_order_of_the_losses_is_a_matter_of_tables_and_figures(finished_copy):
    change_study(finished_copy, lambda study: study["datasets"]["toy"].update(losses=["focal", "dice"]))
    planned = finished_copy.planned()
    assert set(planned) <= AGGREGATES - {"figures_losses"}
    assert {"tables", "figures_dataset"} <= set(planned)


def test_editing_one_loss_plans_that_loss(finished_copy):
    edit(finished_copy.folder / "workflow_lib/losses/dice.py", "def dice(", "_EDITED = 1\n\n\ndef dice(")
    assert finished_copy.planned_trainings() == {("dice", 1), ("dice", 2)}


def test_a_loss_that_is_not_used_touches_nothing(finished_copy):
    edit(finished_copy.folder / "workflow_lib/losses/combo.py", "def combo(", "_EDITED = 1\n\n\ndef combo(")
    assert finished_copy.planned() == {}


WORDS = [
    ("training/device.py", "no GPU was found; training on the CPU", "there is no GPU"),
    ("losses/_files.py", "is no Python{f', line {line}'", "cannot be parsed{f', in line {line}'"),
    ("images/cases.py", "label values outside the declared set: {unknown}", "unknown label values: {unknown}"),
    ("networks/costs.py", "BACKWARD_TENSORS = 13", "BACKWARD_TENSORS = 14"),
    ("host/memory.py", "UNLIMITED = 2**60", "UNLIMITED = 2**59"),
    ("training/step.py", "def train_step(data: Any) -> Any:", "def train_step(data: object) -> object:"),
]
"""Modules of trainings and of images with a message or an estimate, and a changed version of it."""


def test_words_and_a_touch_plan_nothing(finished_copy):
    folder = finished_copy.folder
    path = folder / "workflow_lib/losses/dice.py"
    path.write_text("# a comment\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    edit(folder / "workflow_lib/training/loop.py", '"""', '"""Said otherwise. ')
    for module, old, new in WORDS:
        edit(folder / "workflow_lib" / module, old, new)
    for file in [*folder.rglob("*.py"), *folder.rglob("*.smk"), folder / "Snakefile", folder / "config.yaml"]:
        os.utime(file)
    assert finished_copy.planned() == {}


def test_what_only_steers_a_run_plans_nothing(finished_copy):
    def steer(study):
        study["datasets"]["toy"]["training"].update(memory_mb=3000, minutes=10, checkpoint_minutes=1)

    change_study(finished_copy, steer)
    assert finished_copy.planned() == {} or set(finished_copy.planned()) == {"report_page"}


def test_how_many_cores_and_where_plan_nothing(finished_copy):
    assert finished_copy.planned("--cores", "7") == {}
    assert finished_copy.planned("--profile", "slurm", "--executor", "local") == {}


AFTER = {
    "evaluation/_kernels.py": {"evaluate"},
    "statistics/friedman.py": {"statistics"},
    "tables/latex.py": {"tables"},
    "inference/predict.py": {"predict"},
    "figures/recall_precision.py": {"figures_dataset"},
    "training/batches.py": {"train"},
    "preprocessing/resample_labels.py": {"preprocess", "predict"},
    "report/details.py": {"report_page"},
}
"""Modules, and the steps that import them (not steps that only use their results)."""


@pytest.mark.parametrize("module", AFTER)
def test_editing_a_module_touches_exactly_the_steps_that_import_it(finished, tmp_path, module):
    before = codes(finished.folder)
    shutil.copytree(finished.folder / "workflow_lib", tmp_path / "workflow_lib")
    shutil.copytree(finished.folder / "reports", tmp_path / "reports")
    for name in ("Snakefile", "config.yaml"):
        shutil.copy2(finished.folder / name, tmp_path)
    shutil.copy2(finished.folder / "tiny.yaml", tmp_path)
    path = tmp_path / "workflow_lib" / module
    path.write_text(path.read_text(encoding="utf-8") + "\n_EDITED = 1\n", encoding="utf-8")
    after = codes(tmp_path)
    # The page contains the fingerprints of all earlier steps.
    assert {step for step in before if before[step] != after[step]} == AFTER[module] | {"report_page"}


def codes(folder):
    """Return the fingerprints of a checkout's jobs as one text per step."""
    code = (
        "import json, pathlib; from workflow_lib.commands.trainings import read_plan;"
        "plan = read_plan([pathlib.Path('tiny.yaml')]);"
        "print(json.dumps([[p.step, plan.job(p.step, p.dataset, p.loss, p.number).fingerprint] for p in plan.jobs()]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True,
        env=os.environ | {"PYTHONPATH": str(folder)},
    )  # fmt: skip
    found: dict[str, str] = {}
    for step, digest in json.loads(done.stdout):
        found[step] = found.get(step, "") + digest
    return found


def test_without_snakemakes_own_records_nothing_is_stale_unnoticed(finished_copy):
    """A comparison of times only would not detect this."""
    folder = finished_copy.folder
    shutil.rmtree(folder / ".snakemake")
    assert finished_copy.planned() == {}
    edit(folder / "workflow_lib/losses/dice.py", "def dice(", "_EDITED = 1\n\n\ndef dice(")
    gamma = {"focal": {"loss": "focal", "parameters": {"gamma": 3}}}
    change_study(finished_copy, lambda study: study.update(losses=gamma, statistics={"bootstrap": 200}))
    planned = finished_copy.planned()
    assert planned == {"train": 4, "predict": 4, "evaluate": 4} | dict.fromkeys(AGGREGATES - {"figures_losses"}, 1)
    # Also if a single result is requested with its dependencies.
    page = "results/tiny/training/toy/focal/fold_1/training.json"
    assert finished_copy.planned("--", page) == {"train": 1}
    # Users can request that only times are compared.
    assert finished_copy.planned("--rerun-triggers", "mtime") == {}
    record = folder / "results/tiny/records/check/toy.json"
    finished_copy.write_study(yaml.safe_load((folder / "studies/tiny.yaml").read_text()))
    edit(folder / "workflow_lib/losses/dice.py", "_EDITED = 1\n\n\n", "")
    assert finished_copy.planned() == {}
    record.write_text("{")
    os.utime(record, (0, 0))
    assert finished_copy.planned()["check"] == 1


def test_more_epochs_go_on_from_the_state_that_was_kept(finished_copy):
    shutil.rmtree(finished_copy.folder / ".snakemake")
    target = "results/tiny/training/toy/dice/fold_1/training.json"
    first = read_json(finished_copy.folder / target)
    for epochs in (2, 3):
        change_study(finished_copy, lambda study, epochs=epochs: study["datasets"]["toy"]["training"].update(epochs=epochs))
        assert finished_copy.planned()["train"] == 4
        assert finished_copy.planned("--", target) == {"train": 1}
        finished_copy.snakemake("--cores", "1", target)
    attempts = read_json(finished_copy.folder / target)["attempts"]
    assert attempts[0] == first["attempts"][0]
    assert [(attempt["first_epoch"], attempt["last_epoch"]) for attempt in attempts] == [(1, 1), (2, 2), (3, 3)]
    assert finished_copy.planned("--", target) == {}
    # Fewer than before: trained from the beginning.
    change_study(finished_copy, lambda study: study["datasets"]["toy"]["training"].update(epochs=2))
    finished_copy.snakemake("--cores", "1", target)
    (attempt,) = read_json(finished_copy.folder / target)["attempts"]
    assert (attempt["first_epoch"], attempt["last_epoch"]) == (1, 2)


def test_a_changed_label_is_a_matter_of_tables_and_figures(finished_copy):
    change_study(finished_copy, lambda study: study.update(losses={"dice": {"loss": "dice", "label": "Soft Dice"}}))
    assert set(finished_copy.planned()) <= {"tables", "figures_dataset", "manifest", "report_page"}


def test_swapped_parameters_are_seen(finished_copy):
    change_study(
        finished_copy, lambda study: study.update(losses={"focal": {"loss": "focal", "parameters": {"alpha": 0.5, "gamma": 1}}})
    )
    assert finished_copy.planned_trainings() == {("focal", 1), ("focal", 2)}


def test_editing_the_training_loop_plans_all_trainings_but_no_preprocessing(finished_copy):
    path = finished_copy.folder / "workflow_lib/training/loop.py"
    path.write_text(path.read_text(encoding="utf-8") + "\n_EDITED = 1\n", encoding="utf-8")
    planned = finished_copy.planned()
    assert planned["train"] == 4
    assert not {"obtain", "inspect", "cases_page", "check", "split", "preprocess"} & set(planned)


def test_a_new_look_of_a_page_is_a_matter_of_that_page(finished_copy):
    templates = finished_copy.folder / "reports/templates"
    edit(templates / "losses.html.j2", "<h2", "<h2 ")
    assert finished_copy.planned() == {"report_page": 1}
    edit(templates / "cases_page.html.j2", "<h1>", "<h1 >")
    assert finished_copy.planned() == {"cases_page": 1, "manifest": 1, "report_page": 1}


def test_leaving_a_case_out_reads_no_image_again(finished_copy):
    change_study(finished_copy, lambda study: study["datasets"]["toy"].update(exclude={"case_00001": "for a test"}))
    planned = finished_copy.planned()
    assert planned["check"] == planned["cases_page"] == 1
    assert "inspect" not in planned


def test_dividing_anew_preprocesses_nothing_again(finished_copy):
    change_study(finished_copy, lambda study: study["datasets"]["toy"].update(cross_validation={"fixed": {"test": 0.25}}))
    planned = finished_copy.planned()
    assert (planned["split"], planned["train"]) == (1, 2)
    assert not {"inspect", "check", "preprocess"} & set(planned)


def test_a_new_key_of_the_statistics_section_repeats_no_training(finished_copy):
    edit(
        finished_copy.folder / "workflow_lib/study/sections/statistics.py",
        "class Statistics(Section):",
        "_EDITED = 1\n\n\nclass Statistics(Section):",
    )
    assert "train" not in finished_copy.planned()
    edit(
        finished_copy.folder / "workflow_lib/study/sections/training.py",
        'description="Number of epochs, at most."',
        'description="How many epochs."',
    )
    assert "train" not in finished_copy.planned()
