"""The finished tiny study: its files, Snakemake's own report, a step run manually, and reproducibility."""

import json
import re
import subprocess
import sys
import zipfile

from workflow_lib.base.files import read_json, sha256_file


def results(checkout):
    return checkout.folder / "results" / "tiny"


def test_all_parts_of_the_paper_are_there(finished):
    page = (results(finished) / "report.html").read_text(encoding="utf-8")
    for part in ("Table 1", "Table 2", "Figure 1", "Figure 2", "Figure 3"):
        assert part in page
    for table in ("scores.csv", "pvalues.csv", "comparison.csv", "comparison_p.csv", "scores.tex", "pvalues.tex"):
        assert (results(finished) / f"tables/toy_{table}").stat().st_size > 0
    figures = {path.name for path in (results(finished) / "figures").iterdir()}
    assert {"loss_families.svg", "gamma_curves.png", "segmentations_toy.svg", "training_curves_toy.png"} <= figures


def test_the_first_screen_says_that_this_is_no_reproduction(finished):
    page = (results(finished) / "report.html").read_text(encoding="utf-8")
    banner = page.index("This is not a reproduction")
    assert banner < page.index("Table 1")
    assert "epochs: 1 instead of 500" in page
    text = re.sub(r"<[^>]+>", "", page)
    assert not re.search(r"\b[1-9]\d* consistent", text)


def test_every_step_left_a_record_that_holds(finished):
    records = sorted((results(finished) / "records").rglob("*.json"))
    assert len(records) == 26
    for path in records:
        record = read_json(path)
        assert re.fullmatch(r"[0-9a-f]{64}", record["fingerprint"])
        for group in (*record["inputs"].values(), *record["outputs"].values()):
            for entry in group:
                file = finished.folder / entry["path"]
                if file.is_file():
                    assert sha256_file(file) == entry["sha256"], entry["path"]


def test_all_losses_of_a_fold_meet_the_same_cases(finished):
    for fold in (1, 2):
        first, second = (
            read_json(results(finished) / f"training/toy/{loss}/fold_{fold}/training.json") for loss in ("dice", "focal")
        )
        assert first["training_cases"] == second["training_cases"]
        assert first["validation_cases"] == second["validation_cases"]
        assert not set(first["training_cases"]) & set(first["validation_cases"])
    seeds = {
        json.dumps(read_json(path)["settings"]["seed"]) for path in (results(finished) / "records/train/toy").rglob("fold_1.json")
    }
    assert len(seeds) == 1


def embedded(page, name):
    """Return the value that a script of the page assigns to a variable."""
    (content,) = re.findall(rf"var {name} = (\{{.*?\}});?\s*</script>", page, re.DOTALL)
    return json.loads(content)


def test_snakemakes_own_report(finished_copy):
    finished_copy.snakemake("--report", "snakemake-report.zip")
    with zipfile.ZipFile(finished_copy.folder / "snakemake-report.zip") as archive:
        (page,) = [name for name in archive.namelist() if name.count("/") == 1 and name.endswith("/report.html")]
        folder = page.removesuffix("report.html")
        text = archive.read(page).decode("utf-8")
        shown = embedded(text, "results")
        packed = {name: archive.read(folder + entry["data_uri"]) for name, entry in shown.items()}
    for name, content in packed.items():
        assert content == (finished_copy.folder / name).read_bytes()
    own = {path.relative_to(finished_copy.folder).as_posix() for path in results(finished_copy).glob("tables/*")}
    own |= {path.relative_to(finished_copy.folder).as_posix() for path in results(finished_copy).glob("figures/*.[sp]*g")}
    assert own < set(packed)
    assert "results/tiny/report.html" in packed
    assert set(embedded(text, "categories")) == {"Report", "Data", "Scores", "Tables", "Figures"}
    labels = [json.dumps(entry["labels"], sort_keys=True) for entry in shown.values()]
    assert "null" not in labels
    assert len(set(labels)) == len(labels)
    # Offline: scripts and styles are embedded in the page.
    assert re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=[\"']?https?:[^>]*>", text) == []


def test_a_step_runs_by_hand_from_its_record_and_gives_the_same(finished_copy):
    record = read_json(results(finished_copy) / "records/statistics/toy.json")
    outputs = [entry["path"] for entry in record["outputs"]["results"]]
    before = [sha256_file(finished_copy.folder / path) for path in outputs]
    for path in outputs:
        (finished_copy.folder / path).unlink()
    command = [sys.executable, "-m", "workflow_lib.steps.statistics", "--settings", json.dumps(record["settings"])]
    command += ["--scores", "results/tiny/scores/toy.csv", "--results", *outputs]
    subprocess.run(command, cwd=finished_copy.folder, check=True)
    assert [sha256_file(finished_copy.folder / path) for path in outputs] == before
