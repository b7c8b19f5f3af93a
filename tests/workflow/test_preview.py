"""The preview: what a run would do, why, and its cost."""

import os
import re
import shutil
import subprocess
import sys

import yaml

AFTER = (
    "then {0} predictions, {0} scores, collect the scores of toy, statistics of toy, tables of toy, figures of toy,{1} manifest, "
    "report"
)
COST = r"about 0\.\d+ CPU-hours \(by earlier trainings (of the same loss|on toy)\), \d+ kB of disk"


def said(checkout, *arguments, code=0):
    """Return the output lines of the command."""
    done = subprocess.run(
        [sys.executable, "-m", "workflow_lib", "preview", "--configfile", "tiny.yaml", *arguments],
        cwd=checkout.folder, capture_output=True, text=True, timeout=120, check=False,
        env=os.environ | {"PYTHONPATH": str(checkout.folder)},
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout if code == 0 else done.stderr


def changed(checkout, **study):
    """Return what would run if keys of the study or its dataset are changed."""
    original = (checkout.folder / "tiny.yaml").read_text()
    settings = yaml.safe_load(original)
    toy = settings["datasets"]["toy"]
    for key, value in study.items():
        if key in ("losses_of_toy", "training"):
            toy[key.removesuffix("_of_toy")] = value if key == "losses_of_toy" else toy["training"] | value
        else:
            settings[key] = value
    checkout.write_study(settings)
    lines = said(checkout).splitlines()
    (checkout.folder / "tiny.yaml").write_text(original)
    return [line.strip() for line in lines if line.strip()]


def test_reasons_and_costs_in_a_user_s_terms(finished_copy):
    assert said(finished_copy).startswith("results/tiny: nothing to do")
    head, training, after, last = changed(finished_copy, losses_of_toy=["dice", "focal", "tversky"])
    assert head == "results/tiny:"
    assert re.fullmatch(f"add tversky: 2 trainings on toy, {COST}", training)
    assert after == AFTER.format(2, " figures of the losses,")
    assert last == "13 jobs; nothing else."
    gamma = {"focal": {"loss": "focal", "parameters": {"gamma": 3}}}
    _, training, after, last = changed(finished_copy, losses=gamma)
    assert re.fullmatch(rf"repeat focal \(parameter gamma 2\.0 -> 3\.0\): 2 trainings on toy, {COST}", training)
    assert after == AFTER.format(2, "")
    _, training, *_ = changed(finished_copy, training={"epochs": 4})
    assert re.fullmatch(rf"continue dice, focal from epoch 1 \(training\.epochs 1 -> 4\): 4 trainings on toy, {COST}", training)
    _, *lines, last = changed(finished_copy, statistics={"bootstrap": 200})
    assert lines[0] == "statistics of toy (statistics.bootstrap 100 -> 200)"
    assert not any("training" in line.split("(")[0] for line in lines)
    assert last == f"{len(lines)} jobs; nothing else."


def test_code_templates_and_missing_files_are_named(finished_copy):
    folder = finished_copy.folder
    loop = folder / "workflow_lib/losses/focal.py"
    loop.write_text(loop.read_text(encoding="utf-8") + "\n_EDITED = 1\n", encoding="utf-8")
    summary = "results/tiny/training/toy/dice/fold_2/training.json"
    (folder / summary).unlink()
    text = said(finished_copy)
    assert "repeat focal (code changed: workflow_lib/losses/focal.py): 2 trainings on toy" in text
    assert f"repeat dice (missing: {summary.removeprefix('results/tiny/')}): 1 training on toy" in text
    assert "All trainings: about 0.0" in text
    shutil.copy2(folder / "studies/tiny.yaml", folder / "tiny.yaml")
    shutil.rmtree(folder / "results/tiny/records/train")
    shutil.rmtree(folder / "results/tiny/training")
    assert "train dice, focal: 4 trainings on toy, about " in said(finished_copy)


def test_a_changed_template_is_named(finished_copy):
    template = finished_copy.folder / "reports/templates/losses.html.j2"
    template.write_text(template.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    _, line, last = (line.strip() for line in said(finished_copy).splitlines() if line.strip())
    assert line == "report (template changed: reports/templates/losses.html.j2)"
    assert last == "1 job; nothing else."


def test_a_fresh_study_is_the_whole_and_snakemake_s_options_and_faults_pass_through(checkout):
    text = said(checkout)
    assert "26 jobs: the whole study." in text
    assert re.search(
        r"train dice, focal: 4 trainings on toy, about 0\.01 CPU-hours \(by the network's size, if its device ", text
    )
    assert "find or download toy (never run)" in text
    assert "find or download toy" in said(checkout, "--", "--until", "obtain")
    assert "no_such_rule" in said(checkout, "--", "--until", "no_such_rule", code=2)
    (checkout.folder / "tiny.yaml").write_text("study: {nonsense: 1}")
    assert "nonsense" in said(checkout, code=2)


def test_a_start_prints_what_it_costs_from_the_hours_on_that_the_study_says(finished_copy):
    weights = "results/tiny/training/toy/dice/fold_2/model.weights.h5"
    (finished_copy.folder / weights).unlink()
    always = ("--config", "study={'announce_hours': 0, 'missing_weights': 'repeat'}", "--", weights)
    assert "This run trains" not in finished_copy.snakemake("-n", *always).stdout
    output = finished_copy.snakemake("--cores", "1", "--quiet", "all", *always).stdout
    assert output.count("This run trains 1 network: about 0.01 CPU-hours (by earlier trainings of the same loss), ") == 1
    assert "  toy: 1 network (dice), about 0.01 CPU-hours\nCtrl-C stops it. What was trained stays" in output
    (finished_copy.folder / weights).unlink()
    repeats = ("--config", "study={'missing_weights': 'repeat'}", "--", weights)
    assert "This run trains" not in finished_copy.snakemake("--cores", "1", *repeats).stdout
