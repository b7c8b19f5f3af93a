"""The constants of the members of statistics, tables and figures, and everything that is derived from them."""

import re

import pytest
import yaml

from tests.unit.test_statistics_intervals import SETTINGS, scores
from workflow_lib.base import families
from workflow_lib.commands import generated
from workflow_lib.figures import registry as figures
from workflow_lib.figures.interface import Drawn, LossesData
from workflow_lib.figures.style import new_figure
from workflow_lib.plan import jobs
from workflow_lib.provenance.fingerprints import PACKAGE_FOLDER
from workflow_lib.provenance.source import effective_source
from workflow_lib.statistics import registry as statistics
from workflow_lib.tables import published
from workflow_lib.tables import registry as tables

SAID = {
    statistics: ("NAME", "TITLE", "ORDER", "KEYS", "COLUMNS"),
    tables: ("NAME", "TITLE", "ORDER", "KEYS", "COLUMNS"),
    figures: ("NAME", "OF", "ORDER", "CAPTION", "ALT"),
}
NOTHING = LossesData({})
MEMBERS = [(family, name) for family in SAID for name in family.FAMILY.names()]


@pytest.mark.parametrize(("family", "name"), MEMBERS, ids=[f"{f.FAMILY.package}/{n}" for f, n in MEMBERS])
def test_a_member_says_all_of_it_in_literals_under_the_name_of_its_file(family, name):
    module, facts = family.FAMILY.get(name), family.FAMILY.facts(name)
    assert facts["NAME"] == name
    # A computed constant would exist for code that imports the module, but not for the plan.
    assert {key: facts.get(key) for key in SAID[family]} == {key: getattr(module, key) for key in SAID[family]}
    orders = [family.FAMILY.facts(other)["ORDER"] for other in family.FAMILY.names()]
    assert orders.count(facts["ORDER"]) == 1
    assert set(facts.get("KEYS", ())) <= set(facts.get("COLUMNS", ()))


def fits(said: str, column: str) -> bool:
    """Return whether a column matches a declared name, in which <...> stands for any text."""
    return re.fullmatch(re.sub(r"<[^>]*>", ".+?", said), column) is not None


@pytest.mark.parametrize("compares", [True, False])
def test_every_table_has_the_columns_that_its_member_names_and_no_others(compares):
    frame = scores(["focal", "dice", "tversky"])
    computed = statistics.compute(frame, ["focal", "dice", "tversky"], SETTINGS, 1)
    numbers = published.load("kits19") if compares else None
    entries: list[dict[str, object]] = [
        {"name": name, "label": name, "loss": name, "parameters": {}} for name in ("focal", "dice", "tversky")
    ]
    made = tables.build(computed, {"losses": entries}, ["kidney", "tumour"], 12, False, numbers)
    assert len(made["comparison"]) == (len(numbers.scores) if numbers is not None else 0)
    for family, results in ((statistics, computed), (tables, made)):
        assert list(results) == list(family.names())
        for name, table in results.items():
            columns = [str(column) for column in table.columns]
            said = list(family.columns(name))
            assert [column for column in columns if not any(fits(word, column) for word in said)] == [], name
            plain = [word for word in said if "<" not in word]
            assert [column for column in columns if column in plain] == plain, name


def saying(monkeypatch, package, name, **facts):
    """Replace a member's constants, as if its file contained others."""
    facts_of = families._facts

    def changed(of, member):
        constants, functions = facts_of(of, member)
        return ({**constants, **facts} if (of, member) == (package, name) else constants), functions

    monkeypatch.setattr(families, "_facts", changed)


@pytest.mark.parametrize("needs", [(), ("fold_means", "ranksum")])
def test_a_table_is_given_what_it_names_and_nothing_else(monkeypatch, needs):
    saying(monkeypatch, "statistics", "means", NEEDS=needs)
    given: list[list[str]] = []
    means = statistics.get("means")
    compute = means.compute

    def watched(data):
        given.append(sorted(data.tables))
        return compute(data)

    monkeypatch.setattr(means, "compute", watched)
    if needs:
        statistics.compute(scores(["a", "b"]), ["a", "b"], SETTINGS, 1)
        assert given == [sorted(needs)]
    else:
        with pytest.raises(KeyError, match="fold_means"):
            statistics.compute(scores(["a", "b"]), ["a", "b"], SETTINGS, 1)


@pytest.mark.parametrize("text", [None, {"caption": "c"}])
def test_a_figure_has_a_text_beside_it_exactly_where_it_says_so(monkeypatch, tmp_path, text):
    name = "ranking" if text else "share_effect"
    monkeypatch.setattr(figures.FAMILY.get(name), "draw", lambda data: Drawn(new_figure(), text))
    with pytest.raises(ValueError, match="exactly where TEXT = True"):
        figures.draw(name, NOTHING, tmp_path / name)
    saying(monkeypatch, "figures", name, TEXT=bool(text))
    figures.draw(name, NOTHING, tmp_path / name)
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [*([".json"] if text else []), ".png", ".svg"]


STUDY = """
study: {name: toy, title: Toy, datasets: [a]}
training: {patch: [16, 16, 16], epochs: 2, iterations: 3}
prediction: {overlap: [8, 8, 8]}
network: {depth: 2}
datasets:
  a: {label: A, format: kits19, root: nowhere, losses: [dice, focal]}
"""


def fingerprints():
    plan = jobs.load(yaml.safe_load(STUDY))
    return {place.record: plan.job(place.step, place.dataset, place.loss, place.number).fingerprint for place in plan.jobs()}


@pytest.fixture(scope="module")
def before():
    return fingerprints()


@pytest.mark.parametrize(
    ("package", "name", "said", "stale"),
    [
        ("figures", "distributions", {"CAPTION": "{label}: other words"}, {"records/report.json"}),
        ("figures", "imbalance", {"ALT": "other words"}, {"records/report.json", "records/cases_page/a.json"}),
        ("figures", "ranking", {"ORDER": 1}, {"records/report.json"}),
        ("tables", "scores", {"TITLE": "Other words"}, {"records/report.json"}),
        ("statistics", "means", {"COLUMNS": {"loss": "other words"}}, set()),
    ],
)
def test_what_a_member_says_for_people_reaches_the_pages_alone(monkeypatch, before, package, name, said, stale):
    saying(monkeypatch, package, name, **said)
    after = fingerprints()
    assert {record for record in before if before[record] != after[record]} == stale


@pytest.mark.parametrize(
    ("module", "old", "new", "counts"),
    [
        ("figures.distributions", "Box plots of DSC", "Boxes of DSC", False),
        ("figures.distributions", "ORDER = 50", "ORDER = 51", False),
        ("figures.distributions", "floor(10 * lowest)", "floor(11 * lowest)", True),
        ("figures.segmentations", "IMAGES = True", "IMAGES = False", True),
        ("statistics.means", '"mean over all cases"', '"a mean"', False),
        ("statistics.means", '    "case_mean": ', '    "mean_of_cases": ', True),
        ("tables.agreement", 'TITLE = "Agreement with the paper"', 'TITLE = "Agreement"', False),
        ("tables.agreement", 'NEEDS = ("comparison", "comparison_p")', 'NEEDS = ("comparison",)', True),
    ],
)
def test_the_texts_of_a_member_are_no_code_of_its_results_and_the_rest_is(module, old, new, counts):
    source = PACKAGE_FOLDER.joinpath(*module.split(".")).with_suffix(".py").read_text(encoding="utf-8")
    assert source.count(old) == 1
    assert (effective_source(source) != effective_source(source.replace(old, new))) is counts


def test_the_columns_of_the_document_are_those_of_the_members(root):
    text = (root / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert text == generated.with_columns(text), "run `make generated`"
    assert all(f"`{file.path.format('<dataset>')}` ({file.title}): " in text for file in [*statistics.files(), *tables.files()])
