"""Whether the ranking of losses holds across networks: the statistic, and its table on the page."""

import itertools
import math

import pytest

from tests.report_fixture import make_study, shown
from tests.report_fixture_scores import write
from workflow_lib.report import across_networks, assemble
from workflow_lib.report.sources import Sources
from workflow_lib.statistics.across_networks import rank_agreement

MEANS = {"dice": 0.8, "focal": 0.6, "combo": 0.9, "tversky": 0.7}


def test_tau_and_its_p_are_those_of_all_orders_counted():
    """Of the 24 orders of four losses, those at least as far from 0 as the one at hand are counted here."""
    other = dict(zip(MEANS, (0.1, 0.2, 0.4, 0.3), strict=True))

    def tau(values):
        pairs = list(itertools.combinations(range(4), 2))
        signs = [(list(MEANS.values())[a] - list(MEANS.values())[b]) * (values[a] - values[b]) for a, b in pairs]
        return sum(math.copysign(1, sign) for sign in signs) / len(pairs)

    orders = list(map(tau, itertools.permutations(other.values())))
    found = rank_agreement(MEANS, other | {"another": 0.5})
    assert found.losses == 4
    assert found.tau == pytest.approx(tau(list(other.values())))
    assert found.p == pytest.approx(sum(abs(one) >= abs(found.tau) - 1e-9 for one in orders) / 24)
    assert found.smallest_p == 2 / 24 == rank_agreement(MEANS, MEANS).p


def test_losses_that_tie_have_a_tau_and_no_p_and_missing_ones_do_not_count():
    tied = rank_agreement(MEANS, {"dice": 0.5, "focal": 0.4, "combo": 0.5 + 1e-15, "tversky": math.nan})
    assert tied.losses == 3
    assert tied.tau == pytest.approx(2 / math.sqrt(3 * 2))
    assert math.isnan(tied.p)
    for means in ({}, {"dice": 0.5}, dict.fromkeys(MEANS, 0.5)):
        assert math.isnan(rank_agreement(MEANS, means).tau)


def test_the_page_compares_entries_that_share_images_and_differ_in_the_network(tmp_path):
    study = make_study(tmp_path, {name: ["background", "kidney"] for name in "abc"}, cases=8, folds=2, published=False)
    assert across_networks.describe(Sources(tmp_path), shown(study)) is None
    config = study["config"]["datasets"]
    for name, architecture, root in (("a", "standard", "here"), ("b", "residual", "here"), ("c", "dense", "elsewhere")):
        network = {"architecture": architecture, "filters": 8}
        division = {"like": "a"} if name == "b" else {}
        config[name] |= {"format": "kits19", "root": root, "network": network, "cross_validation": division}
    losses = [loss["name"] for loss in study["datasets"][1]["losses"]]
    for name, values in (("a", (0.7, 0.8, 0.9)), ("b", (0.1, 0.3, 0.2))):
        means = zip(losses, values, strict=True)
        rows = [{"loss": loss, "class": "kidney", "metric": "dsc", "mean": value} for loss, value in means]
        write(tmp_path / f"statistics/{name}/means.csv", ["loss", "class", "metric", "mean"], rows)
    described = across_networks.describe(Sources(tmp_path), shown(study))
    assert described is not None
    (row,) = described["rows"]
    assert (row["networks"], row["class"], row["losses"], row["apart"]) == (["standard", "residual"], "kidney", 3, "")
    assert (row["tau"]["text"], row["p"]["text"], row["smallest"]["text"]) == ("0.33", "1.00", "0.333")

    config["b"]["cross_validation"] = {}
    config["b"]["training"] = config["b"]["training"] | {"epochs": 7}
    described = across_networks.describe(Sources(tmp_path), shown(study))
    assert described is not None
    (row,) = described["rows"]
    assert row["apart"] == "training.epochs and the folds"


def test_the_page_shows_the_table_where_there_is_one(tmp_path):
    study = make_study(tmp_path, {name: ["background", "kidney"] for name in "ab"}, cases=8, folds=2, published=False)
    assert "across-networks" not in assemble.build(shown(study), tmp_path)
    for name, architecture in (("a", "standard"), ("b", "residual")):
        study["config"]["datasets"][name] |= {"format": "kits19", "root": "here", "network": {"architecture": architecture}}
    page = assemble.build(shown(study), tmp_path)
    assert '<a href="#across-networks">' in page
    assert "<code>standard</code>, <code>residual</code>" in page
