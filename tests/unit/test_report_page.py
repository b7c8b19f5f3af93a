"""The complete page: reproducible, safe, self-contained and readable, with visible gaps and departures."""

import base64
import copy
import hashlib
import json
import re
import shutil
from dataclasses import asdict, replace
from html.parser import HTMLParser
from typing import Any

import pytest

from tests.report_fixture import HOSTILE, PAPER_LOSSES, make_study, shown
from tests.report_fixture_scores import write
from workflow_lib.datasets.identity import data_digest
from workflow_lib.report.assemble import build
from workflow_lib.report.data import read_rows
from workflow_lib.report.page import render
from workflow_lib.report.study import read_dataset

VOID = {"meta", "img", "br", "link", "input", "hr"}
LOSSES = dict(list(PAPER_LOSSES.items())[-3:])


class Page(HTMLParser):
    """Elements with their attributes, the text in each kind of element, and whether all tags are closed in order."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.text, self.balanced = [], [], [], True
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        self.balanced &= bool(self.open) and self.open.pop() == tag

    def handle_data(self, data):
        self.text.append((self.open[-1] if self.open else "", data))

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    def visible(self):
        return " ".join(" ".join(data for tag, data in self.text if tag not in ("style", "script")).split())


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A small study without pictures: (description, folder)."""
    folder = tmp_path_factory.mktemp("results")
    return make_study(folder, losses=LOSSES, cases=8, folds=2, missing=[("combo", 2)]), folder


@pytest.fixture(scope="module")
def text(made):
    return build(shown(made[0]), made[1])


@pytest.fixture(scope="module")
def page(text):
    return Page(text)


def run_facts_removed(text):
    start, end = text.index('<section id="run-facts"'), text.index("</section>", text.index('<section id="run-facts"'))
    return text[:start] + text[end:]


def test_the_same_inputs_give_the_same_page_wherever_they_lie(made, text, tmp_path):
    study, folder = made
    assert build(shown(copy.deepcopy(study)), folder) == text
    shutil.copytree(folder, tmp_path / "elsewhere")
    assert build(shown(study), tmp_path / "elsewhere") == text
    assert str(folder) not in text


def test_the_first_screen_says_that_images_have_changed_since(made, text, tmp_path):
    study = copy.deepcopy(made[0])
    changes = [f"case_{number:05d}: mask changed" for number in range(7)]
    study["datasets"][0]["frozen"] = ["inspected on 1 December 2026", *changes]
    visible = Page(build(shown(study), made[1])).visible()
    assert "The images have changed since these results were made." in visible
    assert "case_00004: mask changed" in visible
    assert "case_00005: mask changed" not in visible
    assert "2 more" in visible
    assert "The images have changed" not in text


def test_times_and_machines_are_in_the_run_facts_alone(made, text, tmp_path):
    study, folder = made
    shutil.copytree(folder, tmp_path / "other")
    for path in (tmp_path / "other").rglob("training.json"):
        content = json.loads(path.read_text())
        content |= {"seconds": 7.0, "peak_memory_mib": 1.0}
        content["attempts"] = [{**content["attempts"][0], "host": "elsewhere", "device": "CPU", "started": "1999"}] * 2
        path.write_text(json.dumps(content))
    other = build(shown(study), tmp_path / "other")
    assert other != text
    assert "elsewhere" in other
    assert run_facts_removed(other) == run_facts_removed(text)
    assert "node17" not in run_facts_removed(text)


def test_a_changed_number_changes_page_and_digest(made, text, tmp_path):
    study, folder = made
    shutil.copytree(folder, tmp_path / "other")
    path = tmp_path / "other/tables/kits19_scores.csv"
    path.write_text(path.read_text().replace("0.9", "0.8", 1))
    pattern = re.compile(r"Digest of these results: <code>(\w{64})</code>")
    assert pattern.findall(build(shown(study), tmp_path / "other")) != pattern.findall(text)
    assert len(pattern.findall(text)) == 1


def test_the_policy_allows_this_style_and_script_and_nothing_else(text, page):
    (policy,) = [m["content"] for m in page.all("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    hashes = {}
    for tag in ("style", "script"):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, flags=re.DOTALL)
        hashes[tag] = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; img-src data:; style-src 'sha256-{hashes['style']}'; script-src 'sha256-{hashes['script']}'; "
        "base-uri 'none'; form-action 'none'"
    )
    names = {name for _, attributes in page.elements for name in attributes}
    assert not {name for name in names if name.startswith("on") or name == "style"}
    # The policy must precede the content that it governs.
    assert text.index("Content-Security-Policy") < text.index("<style>")


def test_nothing_is_loaded_from_anywhere(text, page):
    for _, attributes in page.elements:
        for name in ("src", "href", "srcset", "action", "data"):
            assert attributes.get(name, "#").startswith(("#", "data:")), attributes
    (style,) = re.findall(r"<style>(.*?)</style>", text, flags=re.DOTALL)
    assert "url(" not in style
    assert "@import" not in style


def test_structure(page):
    assert page.balanced
    assert page.open == []
    ids = [a["id"] for _, a in page.elements if "id" in a]
    assert len(ids) == len(set(ids))
    for _, attributes in page.elements:
        targets = attributes.get("aria-labelledby", "").split()
        if attributes.get("href", "").startswith("#"):
            targets.append(attributes["href"][1:])
        assert set(targets) <= set(ids)
    assert page.all("html")[0]["lang"] == "en"
    assert [tag for tag, _ in page.elements].count("main") == 1
    assert [tag for tag, _ in page.elements].count("h1") == 1
    assert len(page.all("caption")) == len(page.all("table"))
    assert all(th.get("scope") in ("row", "col", "colgroup", "rowgroup") for th in page.all("th"))


def test_the_first_screen_says_that_scores_of_folds_are_optimistic(page):
    """The fold that scores a network also selects its epoch."""
    assert "so every score is optimistic, for all losses alike" in page.visible()


def test_hostile_names_are_text(tmp_path):
    study = make_study(tmp_path, {"kits19": ["background", "<i>kidney</i>"]}, HOSTILE, cases=4, folds=2, published=False)
    study["title"] = "</title><script>alert(1)</script>"
    text = build(shown(study), tmp_path)
    page = Page(text)
    assert page.balanced
    assert len(page.all("script")) == 1
    assert not page.all("i")
    visible = page.visible()
    for label in [*HOSTILE.values(), study["title"], "../../x", "<b>no</b> tumour", "<i>kidney</i>"]:
        assert " ".join(label.split()) in visible


def test_departures_are_named_and_nothing_is_called_a_reproduction(made, page):
    visible = page.visible()
    assert "This is not a reproduction of the paper" in visible
    assert "Synthetic data: KITS19 and BRATS20" in visible
    for departure in (
        "cases: 8 instead of 204",
        "epochs: 30 instead of 500",
        "folds: 2 instead of 5",
        "filters of the first level",
    ):
        assert departure in visible
    assert "losses left out: Focal loss" in visible
    assert "reproduced" not in visible


def unflattened(settings):
    nested: dict[str, Any] = {}
    for path, value in settings.items():
        *parents, key = path.split(".")
        place = nested
        for parent in parents:
            place = place.setdefault(parent, {})
        place[key] = value
    return nested


def test_the_paper_s_own_protocol_has_no_departures(made, tmp_path):
    from workflow_lib.study.config import merge
    from workflow_lib.tables.published import load

    study = copy.deepcopy(made[0])
    published = load("kits19")
    assert published is not None
    (dataset,) = study["datasets"] = study["datasets"][:1]
    dataset |= {"synthetic": False}
    dataset["losses"] = [
        {"name": n, "label": published.labels[n], "loss": n, "parameters": dict(published.parameters[n])}
        for n in published.losses
    ]
    settings = merge(study["config"]["datasets"]["kits19"], unflattened(published.settings))
    settings["exclude"] = dict.fromkeys(published.settings["exclude"], "as published")
    study["datasets"][0]["protocol"] = settings
    (tmp_path / "data/kits19").mkdir(parents=True)
    header = (made[1] / "data/kits19/cases.csv").read_text().splitlines()[:2]
    lines = [header[1].replace("case_00000", f"case_{i}") for i in range(204)]
    (tmp_path / "data/kits19/cases.csv").write_text("\n".join([header[0], *lines, ""]))
    visible = Page(build(shown(study), tmp_path)).visible()
    assert "The published protocol was kept." in visible
    assert "not a reproduction" not in visible
    settings["training"]["epochs"] = 499
    visible = Page(build(shown(study), tmp_path)).visible()
    assert "epochs: 499 instead of 500" in visible
    assert "The published protocol was kept." not in visible


def test_a_study_beside_no_published_numbers_says_so_first(made, tmp_path):
    study = copy.deepcopy(made[0])
    for dataset in study["datasets"]:
        dataset["published"], dataset["synthetic"] = None, False
    visible = Page(build(shown(study), tmp_path)).visible()
    assert visible.index("This is not a reproduction of a published study.") < visible.index("Table 1")
    assert "The published protocol was kept" not in visible


def test_a_page_without_a_publication_speaks_of_none(tmp_path):
    """Except in the list of files, some of which are then empty."""
    said = {}
    for published in (True, False):
        folder = tmp_path / str(published)
        study = make_study(folder, losses=LOSSES, cases=8, folds=2, published=published)
        row = {"loss": "combo", "class": "kidney", "cases": 8, "failures": 0}
        numbers = dict.fromkeys(("hd95_median", "hd95_low", "hd95_high", "nsd_mean", "nsd_low", "nsd_high"), 0.5)
        write(folder / "statistics/kits19/surface.csv", [*row, *numbers], [row | numbers])
        visible = Page(build(shown(study), folder)).visible()
        # The reason for the exclusion of a case is text of the study.
        said[published] = visible[: visible.rindex("Where the numbers come from")].replace("left out in the paper", "")
    for text in (
        "not in the paper. Surfaces",
        "scores, as in the paper",
        "published rank-sum test",
        "test, as published",
    ):
        assert text in said[True]
    for word in ("paper", "published", "claims"):
        assert word not in said[False]
    assert "Surfaces are the boundary voxels" in said[False]


def test_the_checks_of_the_claims_are_counted_as_checks(page):
    assert "The paper's claims give 19 checks, one per claim and class." in page.visible()


def test_an_empty_folder_gives_a_page_of_gaps(made, tmp_path):
    visible = Page(build(shown(made[0]), tmp_path)).visible()
    assert visible.count("does not exist") >= 10
    assert "No scores yet." in visible
    assert "no scores yet." in visible


@pytest.mark.parametrize(
    "name",
    [
        "data/kits19/cases.csv",
        "data/kits19/folds.csv",
        "scores/kits19.csv",
        "statistics/kits19/means.csv",
        "statistics/kits19/ranksum.csv",
        "statistics/kits19/signed_rank.csv",
        "statistics/kits19/friedman.csv",
        "tables/kits19_scores.csv",
        "tables/kits19_pvalues.csv",
        "tables/kits19_comparison.csv",
        "tables/kits19_comparison_p.csv",
        "training/kits19/combo/fold_1/training.json",
    ],
)
def test_any_file_may_be_missing(made, text, tmp_path, name):
    study, folder = made
    shutil.copytree(folder, tmp_path / "gap")
    (tmp_path / "gap" / name).unlink()
    page = build(shown(study), tmp_path / "gap")
    assert page != text
    assert Page(page).balanced


def test_a_missing_training_is_marked(page):
    visible = page.visible()
    assert "Incomplete, KITS19 : Combo loss (without fold 2)." in visible.replace("KITS19:", "KITS19 :")


def test_a_loss_that_diverged_is_not_said_to_be_left_out_of_the_run(made, tmp_path):
    study, folder = made
    shutil.copytree(folder, tmp_path / "gap")
    for path, column in (("tables/kits19_scores.csv", "dsc_"), ("tables/kits19_comparison.csv", "ours")):
        rows = read_rows(tmp_path / "gap" / path) or []
        for row in rows:
            if row["loss"] == "combo":
                row |= {name: "" for name in row if name.startswith(column)}
                row |= {"verdict": "no scores", "reason": "no scores of this loss and class"} if "verdict" in row else {}
        write(tmp_path / "gap" / path, list(rows[0]), rows)
    text = build(shown(study), tmp_path / "gap")
    visible = Page(text).visible()
    assert text.count('<span class="gap">no scores</span>') == 2
    assert "Published, but the scores of this run are not complete." in visible
    assert "not run" not in visible
    assert "not part of this run" not in visible


def test_another_verdict_over_the_published_pairs_stands_in_the_cell(made, tmp_path):
    study, folder = made
    shutil.copytree(folder, tmp_path / "other")
    rows = {name: read_rows(folder / f"tables/kits19_{name}.csv") or [] for name in ("pvalues", "comparison_p")}
    rows["pvalues"][0] |= {"p_holm": "0.06", "mark": ""}
    rows["comparison_p"][0] |= {"ours_p": "0.03", "ours_mark": "*", "published_mark": "*", "agree": "no"}
    for name, table in rows.items():
        write(tmp_path / f"other/tables/kits19_{name}.csv", list(table[0]), table)
    text = build(shown(study), tmp_path / "other")
    assert 'over the published pairs 0.0300<span class="mark">*</span>' in text
    assert 'title="both are significant, in opposite directions">≠' in text
    assert "For this and every other comparison with the paper" in Page(text).visible()


def test_losses_that_share_the_highest_mean_stand_together_on_the_first_screen(made, tmp_path):
    study, folder = made
    shutil.copytree(folder, tmp_path / "tied")
    for name, number in (("kits19", 2), ("brats20", 3)):
        path = f"statistics/{name}/means.csv"
        rows = read_rows(folder / path) or []
        tied = [loss["name"] for loss in study["datasets"][0]["losses"]][:number]
        for row in rows:
            row |= {"mean": "0.9", "ci95": ""} if row["loss"] in tied else {"mean": "0.1"}
        write(tmp_path / "tied" / path, list(rows[0]), rows)
    visible = Page(build(shown(study), tmp_path / "tied")).visible()
    assert "Focal Tversky loss ( 0.900 ) and Combo loss ( 0.900 ) share the highest mean DSC." in visible
    three = "Focal Tversky loss ( 0.900 ), Combo loss ( 0.900 ) and Mixed Focal loss ( 0.900 ) share the highest mean DSC."
    assert three in visible
    assert "has the highest mean DSC" not in visible


def test_csvs_come_with_the_page(made, page):
    links = [a for a in page.all("a") if "download" in a]
    assert {"kits19_scores.csv", "kits19_pvalues.csv", "brats20_means.csv"} <= {a["download"] for a in links}
    assert {f"brats20_{stem}.csv" for stem in ("comparison", "comparison_p", "agreement")} <= {a["download"] for a in links}
    (scores,) = [a["href"] for a in links if a["download"] == "kits19_scores.csv"]
    content = base64.b64decode(scores.split(",", 1)[1])
    assert content == (made[1] / "tables/kits19_scores.csv").read_bytes()


def test_a_name_the_context_lacks_is_an_error():
    from jinja2 import UndefinedError

    with pytest.raises(UndefinedError):
        render({"title": "x"})


def test_the_data_of_a_dataset_are_named_by_their_digest_where_it_is_known(made, text):
    assert "Digest of their images and masks" not in text
    study = shown(made[0])
    case = {"id": "c", "images": ["i"], "masks": ["m"], "field_of_view": None, "sha256": {"i": "1" * 64, "m": "2" * 64}}
    first = study.datasets[0]
    labels = {"names": list(first.classes), "regions": {}}
    known = read_dataset(asdict(first), {"label_map": labels, "group": "", "cases": [case]})
    page = build(replace(study, datasets=(known, *study.datasets[1:])), made[1])
    digest = data_digest([case])
    assert page.count(f'Digest of their images and masks: <code title="{digest}">{digest[:12]}…</code>.') == 1
