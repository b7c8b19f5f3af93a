"""The audit of the finished tiny study: it holds, and every change is detected and named."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from tests.workflow.forger import again, edit, edit_record, seal
from workflow_lib.base.errors import UserError
from workflow_lib.base.files import read_json, sha256_file, write_json
from workflow_lib.base.version import VERSION
from workflow_lib.commands.audit import agreement, code, integrity, recompute, records, rescore, retrain, weights
from workflow_lib.commands.audit import folder as safe
from workflow_lib.commands.audit.audit import audit
from workflow_lib.provenance.fingerprints import combined, table_digest
from workflow_lib.provenance.manifest import MANIFEST, SUMS
from workflow_lib.report.assemble import build
from workflow_lib.report.study import read_study
from workflow_lib.steps import collect, figures_dataset, statistics, tables

SCORES = "scores/toy/dice/fold_1.csv"
TRAINED = "records/train/toy/dice/fold_1.json"


@pytest.fixture
def folder(finished, tmp_path):
    """A private copy of the finished study's results only."""
    return shutil.copytree(finished.folder / "results" / "tiny", tmp_path / "results" / "tiny")


def failing(found):
    return {finding.subject: finding.text for finding in found if not isinstance(finding, str) and finding.state == "fails"}


def whole_list(folder):
    """Return the failed findings on the files, also if the list of checksums is invalid."""
    try:
        return failing(integrity.check(folder))
    except UserError as error:
        return {SUMS: str(error)}


def private(folder):
    """Return the private copy that the audit uses."""
    study = folder.parent / "private" / "study"
    shutil.rmtree(study.parent, ignore_errors=True)
    assert safe.copy(folder, [name for name in safe.listing(folder) if safe.is_copied(name)], study) == []
    return study


def computed(folder, *steps):
    """Return the failed findings on the records and on the recomputed results of these steps."""
    return failing(recompute.check(private(folder), steps))


def rescored(folder, images):
    return list(rescore.check(folder, private(folder), [images]))


def command(folder, *arguments, cwd=None, env=None):
    root = recompute.__file__.split("/workflow_lib/")[0]
    path = os.pathsep.join([str(cwd), root]) if cwd else root
    return subprocess.run(
        [sys.executable, "-m", "workflow_lib", "audit", str(folder), *arguments],
        cwd=cwd or folder,
        env=os.environ | {"PYTHONPATH": path} | (env or {}),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


NO_NETWORK = """
import socket
def refuse(*arguments, **options):
    raise AssertionError("the audit asked for the network")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
"""


def test_a_finished_study_holds_without_images_network_and_snakemakes_records(folder, tmp_path):
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone" / "sitecustomize.py").write_text(NO_NETWORK)
    digest = sha256_file(folder / MANIFEST)
    done = command(folder, "--digest", digest, "--rescore", cwd=tmp_path / "alone")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\n0 fails" in done.stdout
    assert digest in (folder / "report.html").read_text(encoding="utf-8")
    assert "has the digest that was given" in done.stdout
    for held in ("every file", "chain of records", "settings and seeds", "predictions", "weights", "report.html"):
        assert f"holds        {held}:" in done.stdout
    for step in ("check", "cases_page", "split", "collect", "statistics", "tables", "figures_dataset"):
        assert f"holds        {step} of toy: computed again" in done.stdout
    # Unavailable data is reported in plain words.
    assert (
        "images of toy: 4 of 4 cases are not available. case_00000: data/toy/case_00000/imaging.nii.gz is not below"
        in done.stdout
    )
    assert "statistics of toy again" in done.stderr


def test_another_digest_and_no_folder(folder, tmp_path):
    found = failing([next(finding for finding in audit(folder, "0" * 64) if finding.subject == MANIFEST)])
    assert "is of another study" in found[MANIFEST]
    (tmp_path / "empty").mkdir()
    for name, said in (("nothing", "is not a folder"), ("empty", "holds no SHA256SUMS")):
        done = command(tmp_path / name, cwd=tmp_path)
        assert done.returncode == 2
        assert said in done.stderr
        assert "Traceback" not in done.stderr


def test_scores_hold_against_predictions_and_masks(finished, folder):
    found = rescored(folder, finished.folder)
    assert failing(found) == {}
    held = {finding.subject: finding.text for finding in found if not isinstance(finding, str)}
    for loss, fold in (("dice", 1), ("dice", 2), ("focal", 1), ("focal", 2)):
        assert "2 cases scored again" in held[f"evaluate of toy, {loss}, fold {fold} from its predictions"]
    assert "12 files" in held["figures_dataset of toy, figures of images"]


def test_a_changed_byte_in_any_file_is_found_and_named(folder):
    names = [line[66:] for line in (folder / SUMS).read_text(encoding="utf-8").splitlines()]
    assert len(names) > 80
    for name in [*names, SUMS]:
        path = folder / name
        whole = path.read_bytes()
        middle = len(whole) // 2
        path.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
        if name == SUMS:
            assert whole_list(folder)
        else:
            listed = {name: safe.read_sums(folder, SUMS)[name]}
            assert [f.subject for f in integrity._changed(folder, listed, set())] == [name]
        path.write_bytes(whole)
    # Not part of the results: the printed report, and files left by a training.
    (folder / "report.pdf").write_text("%PDF")
    (folder / "predictions" / ".writing-fold_1-abc").mkdir()
    (folder / "predictions" / ".writing-fold_1-abc" / "a.nii.gz").write_text("cut")
    assert failing(integrity.check(folder)) == {}
    (folder / "tables" / "stranger.csv").write_text("1")
    assert list(failing(integrity.check(folder))) == ["tables/stranger.csv"]


def test_the_list_of_checksums_alone_does_not_help_a_forger(folder):
    before = sha256_file(folder / "statistics/toy/means.csv")
    edit(folder, "statistics/toy/means.csv", "dice", "focal")
    edit(folder, SUMS, before, sha256_file(folder / "statistics/toy/means.csv"))
    assert "disagree" in computed(folder)["statistics/toy/means.csv"]


@pytest.mark.parametrize(
    ("name", "old", "new", "step"),
    [
        ("data/toy/cases.csv", "case_00000", "case_10000", "check"),
        ("data/toy/cases.html", "case_00000", "case_10000", "cases_page"),
        ("data/toy/folds.csv", "case_00000,2", "case_00000,1", "split"),
        ("scores/toy.csv", "toy,dice,1,", "toy,dice,1,x", "collect"),
        ("statistics/toy/means.csv", "dice,kidney,dsc,0.", "dice,kidney,dsc,0.9", "statistics"),
        ("statistics/toy/ranking.csv", ",1.", ",2.", "statistics"),
        ("tables/toy_scores.csv", "Dice loss,0.", "Dice loss,0.9", "tables"),
        ("tables/toy_scores.tex", "Dice", "Mixed", "tables"),
        ("report.html", '<td class="n', '<td class="n x', "report"),
    ],
)
def test_an_edited_result_is_found_though_every_digest_is_made_anew(folder, name, old, new, step):
    edit(folder, name, old, new)
    seal(folder)
    assert failing(integrity.check(folder)) == {}
    found = computed(folder, step)
    assert "computes from its inputs" in found[name] or "what its files give" in found[name]


def test_an_edited_number_on_the_page_is_shown_beside_the_true_one(folder):
    text = (folder / "report.html").read_text(encoding="utf-8")
    cell = re.search(r'<span class="value">(?:<a [^>]*>)?(0\.[^<]+)<', text)
    assert cell is not None
    value = cell[1]
    edit(folder, "report.html", cell[0], cell[0].replace(f"{value}<", "0.945<"))
    seal(folder)
    found = computed(folder, "report")["report.html"]
    assert "0.945" in found
    assert value in found


def test_edited_figures_histories_and_captions_are_found_though_every_digest_is_made_anew(folder):
    edit(folder, "figures/distributions_toy.svg", "<path d=", "<path  d=")
    edit(folder, "figures/share_effect_toy.json", '"class": "', '"class": "x')
    edit(folder, "figures/gamma_curves.svg", "<path d=", "<path  d=")
    name = "training/toy/dice/fold_1/history.csv"
    loss = (folder / name).read_text(encoding="utf-8").splitlines()[1].split(",")[2]
    edit(folder, name, loss, "0.125")
    with (folder / "figures/ranking_toy.png").open("ab") as stream:
        stream.write(b"more")
    seal(folder)
    found = computed(folder, "figures_dataset", "figures_losses")
    expected = {f"figures/{name}" for name in ("distributions_toy.svg", "share_effect_toy.json", "ranking_toy.png")}
    # An edited history disagrees with the curves drawn from it, and with the best epoch in training.json.
    assert set(found) == expected | {
        "training/toy/dice/fold_1/training.json",
        "figures/gamma_curves.svg",
        "figures/training_curves_toy.svg",
        "figures/training_curves_toy.png",
    }


def test_edited_settings_seeds_and_fingerprints_are_found_though_every_digest_is_made_anew(folder):
    edit_record(folder, TRAINED, lambda content: content["settings"]["training"].update(epochs=500))
    edit_record(folder, "records/statistics/toy.json", lambda content: content["settings"].update(seed=1))
    edit_record(folder, "records/train/toy/focal/fold_2.json", lambda content: content.update(fingerprint="0" * 64))
    edit_record(
        folder, "records/evaluate/toy/focal/fold_1.json", lambda content: content["settings"]["evaluation"].update(tolerance=9.0)
    )
    edit_record(folder, "training/toy/focal/fold_1/training.json", lambda content: content.update(training_cases=["case_00001"]))
    seal(folder)
    found = computed(folder)
    assert "fingerprint" in found[TRAINED] or "training.epochs" in found[TRAINED]
    assert set(found) == {
        TRAINED,
        "records/statistics/toy.json",
        "records/train/toy/focal/fold_2.json",
        "records/evaluate/toy/focal/fold_1.json",
        "training/toy/focal/fold_1/training.json",
        # Its history has one epoch instead of 500.
        "training/toy/dice/fold_1/training.json",
        # Both must be named by their digest over settings, code and inputs.
        "training/toy/focal/fold_2/training.json",
    }


def test_a_page_that_tells_otherwise_under_an_unchanged_digest_is_found(folder):
    honest = sha256_file(folder / MANIFEST)

    def forge(content):
        dataset = content["settings"]["datasets"][0]
        one, other = dataset["losses"]
        one["label"], other["label"] = other["label"], one["label"]
        dataset.update(synthetic=False, published=None)

    edit_record(folder, "records/report.json", forge)
    assemble(folder)
    assert seal(folder) == honest
    assert failing(integrity.check(folder)) == {}
    told = [finding for finding in recompute.check(private(folder), ["report"]) if not isinstance(finding, str)]
    texts = " ".join(finding.text for finding in told if finding.state == "fails")
    assert {finding.subject for finding in told if finding.state == "fails"} == {"records/report.json"}
    for said in ("synthetic", "published", "its losses are not those of its protocol", "figures_dataset/toy.json"):
        assert said in texts


def test_a_training_that_is_only_said_to_have_diverged_is_found(folder):
    where = {"message": "NaN", "phase": "training", "value": "nan", "epoch": 2, "step": 1, "cases": []}
    edit_record(folder, "training/toy/dice/fold_1/training.json", lambda content: content.update(diverged=where))
    seal(folder)
    found = computed(folder)
    assert "says that its training diverged" in found[SCORES]
    assert "says that its training diverged" in found["predictions/toy/dice/fold_1"]
    assert "is of more epochs than the 1" in found["training/toy/dice/fold_1/training.json"]


def test_epochs_edited_on_the_page_and_its_record_are_found(folder):
    def more(content):
        content["settings"]["config"]["datasets"]["toy"]["training"]["epochs"] = 500
        content["settings"]["datasets"][0]["protocol"]["training"]["epochs"] = 500

    edit_record(folder, "records/report.json", more)
    seal(folder)
    assert "training.epochs" in computed(folder)[TRAINED]


def test_a_swapped_prediction_is_named_with_whose_it_is(folder):
    first, second = sorted((folder / "predictions/toy/dice/fold_1").glob("*.nii.gz"))
    content = first.read_bytes(), second.read_bytes()
    first.write_bytes(content[1])
    second.write_bytes(content[0])
    names = {path.relative_to(folder).as_posix(): path.name for path in (first, second)}
    assert set(names) <= set(failing(integrity.check(folder)))
    found = failing(agreement.check_predictions(folder, private(folder)))
    assert set(found) == set(names)
    assert f"it is {second.name} of dice, fold 1" in found[f"predictions/toy/dice/fold_1/{first.name}"]


def test_a_swapped_prediction_is_found_by_its_scores_though_every_digest_is_made_anew(finished, folder):
    first, second = sorted((folder / "predictions/toy/dice/fold_1").glob("*.nii.gz"))
    content = first.read_bytes(), second.read_bytes()
    first.write_bytes(content[1])
    second.write_bytes(content[0])
    (folder / "predictions/toy/dice/fold_2/case_00002.nii.gz").write_bytes(b"\x1f\x8b and then nothing")
    seal(folder)
    assert failing(integrity.check(folder)) == {}
    told = [f"{f.subject} {f.text}" for f in rescored(folder, finished.folder) if not isinstance(f, str) and f.state == "fails"]
    for case in (first, second):
        assert any(f"{SCORES} {case.name.split('.')[0]}, kidney: not what" in line and "tp" in line for line in told)
    assert any("fold_2.csv case_00002 cannot be scored again" in line for line in told)
    assert not any("focal" in line for line in told)


@pytest.mark.parametrize("change", ["missing", "double"])
def test_a_case_missing_or_twice_is_named_though_every_digest_is_made_anew(finished, folder, change):
    rows = [row for row in (folder / SCORES).read_text(encoding="utf-8").splitlines() if ",case_00001," in row]
    assert len(rows) == 3
    for row in rows:
        edit(folder, SCORES, f"{row}\n", "" if change == "missing" else f"{row}\n{row}\n")
    seal(folder)
    assert "case_00001" in computed(folder, "collect")["collect of toy"]
    told = [f.text for f in rescored(folder, finished.folder) if not isinstance(f, str) and f.subject == SCORES]
    assert "case_00001 has no scores, and this fold scores it" in told or "case_00001 is scored twice in class kidney" in told


@pytest.mark.parametrize("change", ["missing", "stranger"])
def test_a_prediction_missing_or_too_many_is_named(folder, change):
    place = folder / "predictions/toy/dice/fold_1"
    if change == "missing":
        (place / "case_00001.nii.gz").unlink()
    else:
        shutil.copy(place / "case_00001.nii.gz", place / "case_00009.nii.gz")
    assert any("case_0000" in name for name in failing(integrity.check(folder)))
    seal(folder)
    (text,) = failing(agreement.check_predictions(folder, private(folder))).values()
    assert ("case_00001 has no prediction" in text) if change == "missing" else ("a prediction of case_00009" in text)


def assemble(folder):
    """Assemble the page again from the present files and the record of the report."""
    report = read_json(folder / "records/report.json")
    cases, digest = read_json(folder / "data/toy/cases.json"), sha256_file(folder / MANIFEST)
    study = read_study(report["settings"], {"toy": cases}, version=VERSION, commit=report["facts"]["commit"], digest=digest)
    (folder / "report.html").write_text(build(study, folder), encoding="utf-8")


def test_what_only_a_digest_kept_elsewhere_or_the_images_can_tell(finished, folder):
    """A forger who recomputes everything from edited scores leaves no contradiction in the folder."""
    honest = sha256_file(folder / MANIFEST)
    row = (folder / SCORES).read_text(encoding="utf-8").splitlines()[1].split(",")
    edit(folder, SCORES, ",".join(row), ",".join([*row[:9], "0.75", *row[10:]]))
    for step, work in (
        ("collect", collect.work),
        ("statistics", statistics.work),
        ("tables", tables.work),
        ("figures_dataset", figures_dataset.draw_numbers),
    ):
        again(folder, step, work)
    seal(folder)
    assemble(folder)
    seal(folder)
    assert failing(integrity.check(folder)) == {}
    assert computed(folder, *recompute.WORKS, "report") == {}
    # The digest that was printed, sent or archived reveals it at once.
    assert sha256_file(folder / MANIFEST) != honest
    told = failing(rescored(folder, finished.folder))
    assert "case_00001, kidney" in told[SCORES]
    assert "dsc 0.75, computed" in told[SCORES]


def test_other_code_than_the_checkouts_is_told_by_its_modules_and_is_no_fault(folder):
    name = "records/statistics/toy.json"
    record = records.read(folder, name)
    table = dict(agreement.made_with(record, agreement.tables_of_code(folder)) or {})
    table["workflow_lib.statistics.holm"] = "0" * 64
    del table["workflow_lib.statistics.pairs"]
    write_json(folder / f"code/{table_digest(table)}.json", table)
    edit_record(folder, name, lambda content: content.update(fingerprint=combined(record.settings, table_digest(table))))
    seal(folder)
    study = private(folder)
    assert failing(recompute.check(study, [])) == {}
    told = {finding.subject: finding for finding in code.check(study)}
    assert told["code of statistics"].state == "note"
    assert "changed: workflow_lib.statistics.holm; new: workflow_lib.statistics.pairs" in told["code of statistics"].text
    assert "very code of this checkout" in told["code"].text
    edit(folder, f"code/{table_digest(table)}.json", "workflow_lib", "workflow_xxx")
    assert f"code/{table_digest(table)}.json" in computed(folder)


def test_the_audit_works_without_the_preprocessed_images(folder):
    shutil.rmtree(folder / "preprocessed")
    assert failing(integrity.check(folder)) == {}
    assert computed(folder) == {}


def test_what_a_bundle_leaves_out_is_not_checked_and_what_is_missing_beside_it_fails(finished, folder):
    gone = [
        f"predictions/toy/dice/fold_{fold}/{case}.nii.gz"
        for fold, case in ((1, "case_00001"), (1, "case_00003"), (2, "case_00000"))
    ]
    gone += ["training/toy/dice/fold_1/model.weights.h5", "training/toy/dice/fold_2/model.weights.h5"]
    for name in gone:
        (folder / name).unlink()
    write_json(folder / "bundle.json", {"left_out": dict.fromkeys(gone[:4], "may not be shared")})
    assert failing(integrity.check(folder)) == {gone[4]: f"{gone[4]}: is missing"}
    study = private(folder)
    assert failing(agreement.check_predictions(folder, study)) == {}
    assert list(failing(weights.check(folder, study))) == [gone[4]]
    found = rescored(folder, finished.folder)
    assert failing(found) == {}
    assert sum("the bundle leaves predictions out" in finding.text for finding in found if not isinstance(finding, str)) == 3
    # A bundle must not omit scores.
    (folder / SCORES).unlink()
    write_json(folder / "bundle.json", {"left_out": {SCORES: "may not be shared"}})
    assert SCORES in failing(integrity.check(folder))


def test_nothing_outside_the_folder_is_read(folder):
    (folder / "tables" / "linked.csv").symlink_to("/etc/hostname")
    assert list(failing(audit(folder))) == ["tables/linked.csv"]
    (folder / "tables" / "linked.csv").unlink()
    listed = folder / SUMS
    listed.write_text("0" * 64 + "  ../../secret\n" + listed.read_text(encoding="utf-8"), encoding="utf-8")
    assert any(f.subject == "../../secret" and "leads out" in f.text for f in integrity.check(folder))


def test_results_made_to_harm_end_in_findings(folder):
    """Each fault is in a different step, so that none hides another; the digests are recomputed first."""
    (folder / "\x1b[31mred").write_text("")
    edit_record(folder, "records/tables/toy.json", lambda content: content["settings"].update(published="../../../../etc"))
    edit_record(folder, "records/collect/toy.json", lambda content: content["settings"].update(losses=[["dice"]] * 3))
    edit_record(folder, "records/statistics/toy.json", lambda content: content["settings"]["statistics"].update(bootstrap=10**9))
    edit_record(folder, "records/figures_losses.json", lambda content: content["settings"].update(losses=[{"name": 1}]))
    edit_record(
        folder, "records/report.json", lambda content: content["settings"]["datasets"][0]["losses"][0].update(name="../dice")
    )
    seal(folder)
    (folder / "data/toy/folds.csv").unlink()
    os.mkfifo(folder / "data/toy/folds.csv")
    (folder / "scores/toy/focal/fold_1.csv").write_text("loss\n" + "x" * 300_000)
    (folder / "data/toy/inspection.json").write_text('{"a":' * 100_000)
    done = command(folder)
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    for said in (
        "fails        \\u001b[31mred: is not in SHA256SUMS",
        "data/toy/folds.csv: is not a regular file",
        "scores/toy/focal/fold_1.csv: has a line of more than",
        "data/toy/inspection.json: is not JSON",
        "tables of toy: cannot be computed again: the published numbers '../../../../etc' are none of this checkout's",
        "fails        collect of toy: cannot be computed again",
        "fails        statistics of toy: cannot be computed again",
        "fails        figures_losses: cannot be computed again",
        "report.html: cannot be computed again: records/report.json names a dataset or a loss that cannot be one",
    ):
        assert said in done.stdout, done.stdout


def test_a_record_of_an_earlier_version_is_told_in_words(finished_copy):
    folder = finished_copy.folder / "results" / "tiny"

    def count(content):
        content["outputs"]["predictions"][0]["files"] = 2

    edit_record(folder, "records/predict/toy/dice/fold_1.json", count)
    assert "earlier version" in computed(folder)["results"]
    step = [sys.executable, "-m", "workflow_lib.steps.report_page", "--settings"]
    step.append(json.dumps(read_json(folder / "records/report.json")["settings"]))
    step += ["--results", "results/tiny", "--page", "results/tiny/report.html", "--sums", "results/tiny/SHA256SUMS"]
    done = subprocess.run(step, cwd=finished_copy.folder, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "was written by an earlier version" in done.stderr
    assert "Traceback" not in done.stderr


def retrained(folder, name, images):
    said: list[str] = []
    found = list(retrain.check(folder, private(folder), retrain.Request(name, [images]), said.append))
    return found, said


def test_a_training_made_again_gives_the_same_weights(finished, folder):
    found, said = retrained(folder, "dice:1", finished.folder)
    assert [finding.state for finding in found] == ["holds"], found
    assert "byte for byte" in found[0].text
    assert any("epoch 1/1" in line for line in said)
    with pytest.raises(UserError, match=r"'dice:7' is not a training of this study\. There are: toy/dice:1, toy/dice:2"):
        retrain.chosen(private(folder), "dice:7")
    assert retrain.chosen(private(folder), "toy/focal:2").name == "records/train/toy/focal/fold_2.json"


def test_other_weights_than_the_training_gives_are_found_also_without_the_preprocessed_images(finished, folder):
    name = "training/toy/dice/fold_1/model.weights.h5"
    shutil.copy(folder / "training/toy/dice/fold_2/model.weights.h5", folder / name)
    seal(folder)
    shutil.rmtree(folder / "preprocessed")
    found, said = retrained(folder, "toy/dice:1", finished.folder)
    assert [(finding.subject, finding.state) for finding in found] == [(name, "fails")]
    assert "weights differ by" in found[0].text
    assert "mean DSC kidney" in found[0].text
    assert any("made again" in line for line in said)
    found, _ = retrained(folder, "toy/dice:1", folder)
    assert "these images are needed and are not available" in found[0].text


def test_what_a_gpu_trained_is_compared_by_its_losses_and_is_no_fault(folder, tmp_path):
    """Two different weight files, as from two kinds of device; nothing is computed here."""
    work = tmp_path / "work"
    shutil.copytree(folder / "training/toy/dice/fold_2", work)
    edit_record(
        folder, "training/toy/dice/fold_1/training.json", lambda content: content["attempts"][0].update(device="NVIDIA H100")
    )
    study, request = private(folder), retrain.Request("dice:1", [tmp_path / "nothing"])
    found = list(retrain._compare(folder, study, retrain.chosen(study, "dice:1"), request, [], work, print))
    assert [finding.state for finding in found] == ["not checked"]
    for said in (
        "a GPU computed one of the two",
        "lowest validation loss",
        "weights differ by",
        "4 of its cases are not available",
    ):
        assert said in found[0].text
    edit_record(study, "training/toy/dice/fold_1/training.json", lambda content: content["attempts"][0].update(device="cpu"))
    found = list(retrain._compare(folder, study, retrain.chosen(study, "dice:1"), request, [], work, print))
    assert {finding.state for finding in found} == {"fails"}
    assert {finding.subject.rpartition("/")[2] for finding in found} == {"model.weights.h5", "history.csv"}


def test_a_training_of_settings_that_no_step_wrote_fails_in_words(folder, tmp_path):
    edit_record(folder, TRAINED, lambda content: content["settings"].pop("network"))
    seal(folder)
    (found,), said = retrained(folder, "dice:1", tmp_path)
    assert found.state == "fails"
    assert "--settings: not those of the step train: network: Field required" in found.text
    assert not any("Traceback" in line for line in said)
