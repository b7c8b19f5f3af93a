"""Exactly what a change touches runs again, and nothing else."""

import os

import yaml

AGGREGATES = {"collect", "statistics", "tables", "figures_dataset", "figures_losses", "report_page"}


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


def test_adding_a_loss_plans_its_own_trainings_and_the_aggregates(finished_copy):
    change_study(finished_copy, lambda study: study["datasets"]["toy"]["losses"].append("tversky"))
    planned = finished_copy.planned()
    assert planned == {"train": 2, "predict": 2, "evaluate": 2} | dict.fromkeys(AGGREGATES, 1)
    assert finished_copy.planned_trainings() == {("tversky", 1), ("tversky", 2)}


def test_removing_a_loss_runs_aggregates_only(finished_copy):
    change_study(finished_copy, lambda study: study["datasets"]["toy"].update(losses=["focal"]))
    assert set(finished_copy.planned()) <= AGGREGATES


def test_editing_one_loss_plans_that_loss(finished_copy):
    edit(finished_copy.folder / "workflow_lib/losses/dice.py", "def dice(", "_EDITED = 1\n\n\ndef dice(")
    assert finished_copy.planned_trainings() == {("dice", 1), ("dice", 2)}


def test_a_loss_that_is_not_used_touches_nothing(finished_copy):
    edit(finished_copy.folder / "workflow_lib/losses/combo.py", "def combo(", "_EDITED = 1\n\n\ndef combo(")
    assert finished_copy.planned() == {}


def test_a_comment_a_docstring_and_a_touch_plan_nothing(finished_copy):
    folder = finished_copy.folder
    path = folder / "workflow_lib/losses/dice.py"
    path.write_text("# a comment\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    edit(folder / "workflow_lib/training/loop.py", '"""', '"""Said otherwise. ')
    for file in [*folder.rglob("*.py"), *folder.rglob("*.smk"), folder / "Snakefile", folder / "config.yaml"]:
        os.utime(file)
    assert finished_copy.planned() == {}


def test_what_only_steers_a_run_plans_nothing(finished_copy):
    def steer(study):
        study["datasets"]["toy"]["training"].update(memory_mb=3000, minutes=10, checkpoint_minutes=1)

    change_study(finished_copy, steer)
    assert finished_copy.planned() == {} or set(finished_copy.planned()) == {"report_page"}


def test_a_changed_label_is_a_matter_of_tables_and_figures(finished_copy):
    change_study(finished_copy, lambda study: study.update(losses={"dice": {"loss": "dice", "label": "Soft Dice"}}))
    assert set(finished_copy.planned()) <= {"tables", "figures_dataset", "report_page"}


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


def test_a_new_look_of_the_pages_decides_nothing_again(finished_copy):
    edit(finished_copy.folder / "reports/templates/cases_page.html.j2", "<h1>", "<h1 >")
    assert finished_copy.planned() == {"cases_page": 1, "report_page": 1}


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
        finished_copy.folder / "workflow_lib/config.py",
        "class Statistics(Section):",
        "_EDITED = 1\n\n\nclass Statistics(Section):",
    )
    assert "train" not in finished_copy.planned()
    edit(
        finished_copy.folder / "workflow_lib/sections/training.py",
        'description="Number of epochs, at most."',
        'description="How many epochs."',
    )
    assert "train" not in finished_copy.planned()
