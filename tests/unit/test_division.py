"""Every case has one place, groups stay together, and the shares are those of the published studies."""

from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from workflow_lib.base.errors import UserError
from workflow_lib.base.files import sha256_file
from workflow_lib.datasets.division import assign_folds, divide, folds_in, read_groups, read_table
from workflow_lib.datasets.folds import Assignment, read_folds, write_folds
from workflow_lib.images.cases import Case
from workflow_lib.steps import split
from workflow_lib.steps.command import Context
from workflow_lib.study.sections.cross_validation import CrossValidation
from workflow_lib.study.settings.split import Settings

NAMES = st.sets(st.text("abc0123456789", min_size=1, max_size=6), min_size=2, max_size=60)


def cases(count, groups=None, official=0):
    return [
        Case(f"c{n:03d}", (Path("i"),), (Path("m"),), None, groups(n) if groups else "", "test" if n < official else "training")
        for n in range(count)
    ]


def settings(**keys):
    return CrossValidation.model_validate(keys)


def sizes(places):
    return dict(Counter(place.part or place.fold for place in places.values()))


@given(NAMES, st.integers(2, 10), st.integers(0, 99))
def test_folds_are_a_balanced_partition(ids, folds, seed):
    if folds > len(ids):
        with pytest.raises(UserError, match="only"):
            assign_folds(sorted(ids), folds, seed)
        return
    assignment = assign_folds(sorted(ids), folds, seed)
    counts = [list(assignment.values()).count(fold) for fold in range(1, folds + 1)]
    assert set(assignment) == ids
    assert sum(counts) == len(ids)
    assert max(counts) - min(counts) <= 1


def test_folds_depend_on_the_seed_and_not_on_the_order():
    made = cases(50)
    assert divide(made, settings(), 1) == divide(made[::-1], settings(), 1)
    assert divide(made, settings(), 1) != divide(made, settings(), 2)
    assert sizes(divide(made, settings(), 1)) == dict.fromkeys(range(1, 6), 10)
    names = [case.id for case in made]
    assert assign_folds(names, 5, 1) == assign_folds(names[::-1], 5, 1)


def test_large_groups_are_placed_first_so_that_the_small_ones_fill_what_is_left():
    """One group of six cases and six of one: in random order, the large group could be added to small ones."""
    made = cases(12, lambda n: "large" if n < 6 else f"small {n}")
    for seed in range(10):
        assert sizes(divide(made, settings(folds=2, by_group=True), seed)) == {1: 6, 2: 6}


@given(st.lists(st.integers(0, 12), min_size=1, max_size=80), st.integers(2, 6), st.integers(0, 50))
def test_no_group_straddles_folds(group_of, folds, seed):
    made = cases(len(group_of), lambda n: f"g{group_of[n]}")
    groups = len(set(group_of))
    if folds > groups:
        with pytest.raises(UserError, match=f"there are {groups}"):
            divide(made, settings(folds=folds, by_group=True), seed)
        return
    places = divide(made, settings(folds=folds, by_group=True), seed)
    assert len({(place.group, place.fold) for place in places.values()}) == groups
    assert {place.fold for place in places.values()} == set(range(1, folds + 1))
    # At most the size of the largest group above the mean.
    largest = max(Counter(group_of).values())
    assert max(sizes(places).values()) <= len(group_of) / folds + largest


@pytest.mark.parametrize(("count", "expected"), [(612, (392, 98, 122)), (163, (104, 26, 33))])
def test_shares_of_the_published_studies(count, expected):
    places = divide(cases(count), settings(fixed={"test": 0.2, "validation": 0.2}), 3)
    assert sizes(places) == dict(zip(("training", "validation", "test"), expected, strict=True))
    assert {place.fold for place in places.values()} == {1}


def test_official_test_set():
    places = divide(cases(40, official=20), settings(fixed={"test": "official", "validation": 0.2}), 3)
    assert sizes(places) == {"test": 20, "training": 16, "validation": 4}
    assert all(places[f"c{n:03d}"].part == "test" for n in range(20))
    with pytest.raises(UserError, match="no included case is in an official test set"):
        divide(cases(20), settings(fixed={"test": "official"}), 3)


def test_an_official_test_set_that_shares_groups_is_refused_by_group():
    by_group = settings(fixed={"test": "official", "validation": 0.2}, by_group=True)
    with pytest.raises(UserError, match=r"shares groups or images with the other cases: g1\."):
        divide(cases(12, lambda n: f"g{n // 3}", official=5), by_group, 3)
    places = divide(cases(12, lambda n: f"g{n // 3}", official=6), by_group, 3)
    assert sizes(places) == {"test": 6, "training": 3, "validation": 3}


@example([0, 1, 1, 1, 1, 1, 1, 2], 0)
@given(st.lists(st.integers(0, 12), min_size=3, max_size=80), st.integers(0, 50))
def test_no_group_straddles_a_fixed_split(group_of, seed):
    made = cases(len(group_of), lambda n: f"g{group_of[n]}")
    try:
        places = divide(made, settings(fixed={}, by_group=True), seed)
    except UserError:
        assert len(set(group_of)) < 3 or len(group_of) < 5
        return
    assert len({(place.group, place.part) for place in places.values()}) == len(set(group_of))
    assert set(sizes(places)) == {"training", "validation", "test"}


def test_sequences_of_about_the_published_size_come_near_the_shares():
    made = cases(612, lambda n: f"sequence {n // 21}")
    found = sizes(divide(made, settings(fixed={"test": 0.2, "validation": 0.2}, by_group=True), 7))
    assert found["test"] == pytest.approx(122, abs=11)
    assert found["validation"] == pytest.approx(98, abs=11)


def test_groups_of_a_table_go_before_those_of_the_format(tmp_path):
    (tmp_path / "groups.csv").write_text("case,group\n" + "".join(f"c{n:03d},p{n % 4}\n" for n in range(12)))
    groups = read_groups(tmp_path / "groups.csv")
    places = divide(cases(12, lambda n: "one"), settings(folds=4, by_group=True), 1, groups)
    assert {place.group for place in places.values()} == {"p0", "p1", "p2", "p3"}
    assert sizes(places) == dict.fromkeys(range(1, 5), 3)


def test_a_case_without_group_is_named():
    with pytest.raises(UserError, match=r"12 of 12 cases have no group, such as c000, .*Name their groups in a CSV"):
        divide(cases(12), settings(by_group=True), 1)


def test_tables_of_folds_and_of_parts(tmp_path):
    path = tmp_path / "division.csv"
    path.write_text(
        "\ufeffcase, fold\n" + "".join(f"c{n:03d},{n % 3 + 1}\n" for n in range(9)) + "left_out,1\n", encoding="utf-8"
    )
    table = read_table(path)
    assert folds_in(table) == 3
    places = divide(cases(9), settings(table=str(path)), 1, None, table)
    assert {case: place.fold for case, place in places.items()} == {f"c{n:03d}": n % 3 + 1 for n in range(9)}
    path.write_text("case,part\nc000,test\nc001,training\nc002,validation\n")
    assert folds_in(read_table(path)) == 1
    assert divide(cases(3), settings(table=str(path)), 1, None, read_table(path))["c000"] == Assignment(1, "test", "")
    with pytest.raises(UserError, match="lacks 1 of 4 cases: c003"):
        divide(cases(4), settings(table=str(path)), 1, None, read_table(path))
    with pytest.raises(UserError, match="none of the included cases is in validation"):
        divide(cases(2), settings(table=str(path)), 1, None, read_table(path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("case,fold\na,1\nb,3\n", r"missing: \[2\]"),
        ("case,fold\na,1\nb,0\n", "'0' is not a number from 1"),
        ("case,fold\na,1\nb,1\n", "at least two folds"),
        ("case,fold\na,1\na,2\n", "is listed twice"),
        ("case,part\na,train\n", "'train' is none of training, validation, test"),
        ("case,part\na,training\nb,test\n", "no case is in the part validation"),
        ("case,fold,part\na,1,test\n", "needs one of the columns"),
        ("name,fold\na,1\n", "lacks the column case"),
        ("case\na\n", "needs one of the columns"),
        ("", "lacks the column case"),
    ],
)
def test_faults_of_a_table(tmp_path, text, message):
    path = tmp_path / "division.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        read_table(path)


def test_table_that_cannot_be_read(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        read_table(tmp_path / "none.csv")
    (tmp_path / "binary.csv").write_bytes(b"case,fold\n\xff\xfe,1\n")
    with pytest.raises(UserError, match="not CSV in UTF-8"):
        read_table(tmp_path / "binary.csv")
    (tmp_path / "groups.csv").write_text("case,group\na,\n")
    with pytest.raises(UserError, match="the group is empty"):
        read_groups(tmp_path / "groups.csv")


def test_a_table_that_changed_after_the_plan_divides_nothing(tmp_path, monkeypatch):
    study = SimpleNamespace(cases={case.id: case for case in cases(2)}, similar=[])
    monkeypatch.setattr(split, "read_cases", lambda path: study)
    table, folds = tmp_path / "table.csv", tmp_path / "folds.csv"
    table.write_text("case,fold\nc000,1\nc001,2\n")
    planned = Settings(dataset="toy", cross_validation=CrossValidation(), seed=1, division_files={"table": sha256_file(table)})
    paths = {"cases": [tmp_path / "cases.json"], "groups": [], "table": [table], "folds": [folds]}
    split.work(Context(planned, "f", 1, paths, {}))
    assert {case: place.fold for case, place in read_folds(folds).items()} == {"c000": 1, "c001": 2}
    folds.unlink()
    table.write_text("case,fold\nc000,2\nc001,1\n")
    with pytest.raises(UserError, match="The file of table has changed since this division was planned"):
        split.work(Context(planned, "f", 1, paths, {}))
    assert not folds.exists()


def test_new_cases_are_added_and_the_others_stay(tmp_path):
    before = divide(cases(20), settings(folds=5), 7)
    path = tmp_path / "folds.csv"
    write_folds(path, before)
    table = read_table(path)
    after = divide(cases(31), settings(table=str(path), new_cases="add"), 7, None, table)
    assert {case: after[case] for case in before} == before
    assert sorted(Counter(place.fold for place in after.values()).values()) == [6, 6, 6, 6, 7]
    assert divide(list(reversed(cases(31))), settings(table=str(path), new_cases="add"), 7, None, table) == after
    with pytest.raises(UserError, match=r"lacks 11 of 31 cases.*new_cases: add"):
        divide(cases(31), settings(table=str(path)), 7, None, table)
    with pytest.raises(ValidationError, match="needs a `table`"):
        settings(new_cases="add")


def test_added_cases_keep_the_shares_of_parts_and_stay_with_their_group(tmp_path):
    path = tmp_path / "folds.csv"
    write_folds(path, divide(cases(20), settings(fixed={"test": 0.2, "validation": 0.25}), 7))
    after = divide(cases(40), settings(table=str(path), new_cases="add"), 7, None, read_table(path))
    assert Counter(place.part for place in after.values()) == {"training": 24, "validation": 8, "test": 8}
    groups = {case.id: f"g{number % 10}" for number, case in enumerate(cases(60))}
    write_folds(path, divide(cases(30), settings(folds=3, by_group=True), 7, groups))
    after = divide(cases(60), settings(table=str(path), new_cases="add"), 7, groups, read_table(path))
    assert all(len({after[case].fold for case in groups if groups[case] == group}) == 1 for group in groups.values())


@pytest.mark.parametrize("by_group", [False, True])
@pytest.mark.parametrize("division", [{"folds": 3}, {"fixed": {"test": 0.2, "validation": 0.2}}])
def test_similar_images_stay_together_on_request_and_keep_their_own_groups(division, by_group):
    made = cases(24, lambda n: f"g{n // 2}")
    similar = [["c000", "c007", "c013"], ["c020", "c021"]]
    apart = divide(made, settings(**division, by_group=by_group), 3, similar=similar)
    assert apart == divide(made, settings(**division, by_group=by_group), 3)
    for seed in range(5):
        together = divide(made, settings(**division, by_group=by_group, similar_images="together"), seed, similar=similar)
        for alike in similar:
            assert len({(together[case].fold, together[case].part) for case in alike}) == 1
        if by_group:
            places: dict[str, object] = {}
            for place in together.values():
                assert places.setdefault(place.group, (place.fold, place.part)) == (place.fold, place.part)
        assert [place.group for place in together.values()] == [case.group for case in made]
    plain = settings(**division, by_group=by_group, similar_images="together")
    assert divide(made, plain, 1) == divide(made, settings(**division, by_group=by_group), 1)


def test_similar_images_and_a_table_exclude_each_other():
    with pytest.raises(ValidationError, match="similar_images"):
        settings(table="t.csv", similar_images="together")
