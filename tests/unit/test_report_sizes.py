"""From one loss, case and fold to 30 losses, 15 classes, six datasets and a thousand cases: a page below 5 MB."""

import re

import pytest

from tests.report_fixture import clone_dataset, make_study, shown
from tests.report_fixture_scores import write
from tests.unit.test_report_page import Page
from workflow_lib.base.files import write_json
from workflow_lib.figures import registry as figures
from workflow_lib.report import assemble
from workflow_lib.report.assemble import build
from workflow_lib.report.sources import Sources


def losses(number):
    return {f"loss_{n}": f"Loss number {n}" for n in range(number)}


def links(page):
    """Return the files to which the page links."""
    return {a["href"] for a in page.all("a") if not a["href"].startswith(("#", "data:"))}


@pytest.mark.parametrize(("number", "cases", "folds", "classes"), [(1, 5, 1, 1), (2, 5, 5, 1), (3, 6, 2, 3)])
def test_small_studies(number, cases, folds, classes, tmp_path):
    names = ["background", *(f"organ {n}" for n in range(classes))]
    study = make_study(tmp_path, {"tiny": names}, losses(number), cases, folds, published=False)
    text = build(shown(study), tmp_path)
    page = Page(text)
    assert page.balanced
    assert "too many for this page" not in page.visible()
    assert links(page) == set()
    if number == 1:
        assert "It is the only loss." in page.visible()


@pytest.mark.large
def test_the_largest_study_stays_below_five_megabytes_and_leads_to_the_rest(tmp_path):
    names = ["background", *(f"organ {n}" for n in range(14))]
    study = make_study(tmp_path, {"large": names}, losses(30), 10, 10, published=False)
    # As many cases in the list as a study may have.
    path = tmp_path / "data/large/cases.csv"
    head, first, *_ = path.read_text().splitlines()
    path.write_text("\n".join([head, *(first.replace("case_00000", f"case_{n:05d}") for n in range(1000)), ""]))
    # Pictures of the largest embedded size.
    (tmp_path / "figures").mkdir()
    for stem in ("segmentations", "distributions", "training_curves", "share_effect", "gallery_worst", "gallery_best"):
        (tmp_path / f"figures/{stem}_large.svg").write_text(f'<svg width="10pt" height="10pt">{" " * 390_000}</svg>')
    clone_dataset(tmp_path, study, 5)
    # All numbers are stale, for example after a change of code with --rerun-triggers mtime.
    jobs = {f"{step}/loss_{n}": ["0" * 12] * 5 for step in ("train", "predict", "evaluate") for n in range(30)}
    for name in study["config"]["datasets"]:
        study.setdefault("fingerprints", {})[name] = jobs
        for job in jobs:
            for fold in range(1, 6):
                step, loss = job.split("/")
                write_json(tmp_path / f"records/{step}/{name}/{loss}/fold_{fold}.json", {"fingerprint": "9" * 64})
    text = build(shown(study), tmp_path)
    assert len(text.encode()) < 5_000_000
    page = Page(text)
    assert page.balanced
    assert {"tables/large_pvalues.csv", "data/large/cases.html", "figures/gallery_best_large.svg"} <= links(page)
    missing = {link for link in links(page) if not (tmp_path / link).is_file()}
    assert {link for link in missing if not link.endswith("cases.html")} == set()
    assert "too long for this page" in page.visible()
    assert text.count('<span class="stale">stale</span>') > 6 * 30 * 14 * 3
    # Content that is never omitted.
    assert len(re.findall(r'<table class="scores', text)) == 6
    assert len(re.findall("(has|share) the highest mean DSC", page.visible())) == 6 * 14
    assert "and 27 more share the highest mean DSC" in page.visible()
    assert "10 folds of 1, 1, 1" in page.visible()


def test_pictures_that_do_not_fit_are_linked_galleries_first(tmp_path):
    (tmp_path / "figures").mkdir()
    for stem in ("gallery_worst", "ranking"):
        (tmp_path / f"figures/{stem}_a.svg").write_text('<svg width="30pt" height="15pt">' + " " * 3000 + "</svg>")
    sources = Sources(tmp_path, pictures=6000)
    shown = [figures.describe(stem) for stem in ("gallery_worst", "ranking")]
    made = [assemble._figure(sources, figure, f"{figure.name}_a", 1, {"files": []}, ("c", "a")) for figure in shown]
    datasets = [{"figures": made}]
    assemble._add_galleries(sources, datasets)
    gallery, ranking = (item["image"] for item in datasets[0]["figures"])
    assert ranking["uri"].startswith("data:image/svg+xml")
    assert (gallery["uri"], gallery["link"]) == ("", "figures/gallery_worst_a.svg")
    assert (gallery["width"], gallery["height"]) == (40, 20)


def test_a_long_csv_is_linked(tmp_path):
    write(tmp_path / "tables/a b.csv", ["x"], [{"x": "y" * 70_000}])
    write(tmp_path / "tables/short.csv", ["x"], [{"x": "y"}])
    sources = Sources(tmp_path)
    assert sources.csv_link("tables/a b.csv") == "tables/a%20b.csv"
    assert str(sources.csv_link("tables/short.csv")).startswith("data:text/csv")
