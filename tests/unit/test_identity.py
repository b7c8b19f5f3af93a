"""The digest of a dataset's images and masks: what they hold and what they are for, and not where they lie."""

import hashlib
import json

import pytest

from workflow_lib.datasets.identity import contents, data_digest

SUMS = {name: name * 64 for name in "abcdef"}


def case(name="c1", images="ab", masks="cd", view="e", root="/here"):
    """Return a case of cases.json whose files are called as what they hold."""
    return {
        "id": name,
        "images": [f"{root}/{file}" for file in images],
        "masks": [f"{root}/{file}" for file in masks],
        "field_of_view": f"{root}/{view}" if view else None,
        "sha256": {f"{root}/{file}": SUMS[file] for file in images + masks + view},
    }


def test_the_digest_is_that_of_the_sorted_list():
    files = [
        ["c0", "images", 0, SUMS["f"]],
        ["c0", "masks", 0, SUMS["c"]],
        ["c1", "fields of view", 0, SUMS["e"]],
        ["c1", "images", 0, SUMS["a"]],
        ["c1", "images", 1, SUMS["b"]],
        ["c1", "masks", 0, SUMS["c"]],
        ["c1", "masks", 1, SUMS["d"]],
    ]
    expected = hashlib.sha256(json.dumps(files, separators=(",", ":")).encode()).hexdigest()
    assert data_digest([case(), case("c0", "f", "c", "")]) == expected


def test_neither_the_place_nor_the_order_of_cases_and_masks_counts():
    one = [case("c1"), case("c2")]
    assert data_digest(one) == data_digest([case("c2", root="/there", masks="dc"), case("c1", root="elsewhere")])


@pytest.mark.parametrize(
    "other", [{"images": "ba"}, {"images": "af"}, {"masks": "cf"}, {"masks": "c"}, {"view": "f"}, {"view": ""}, {"name": "c9"}]
)
def test_everything_else_does(other):
    assert data_digest([case(**other)]) != data_digest([case()])


def test_an_image_and_a_mask_that_change_places_are_other_data():
    assert contents(case(images="a", masks="b"))["images"] == contents(case(images="b", masks="a"))["masks"]
    assert data_digest([case(images="a", masks="b")]) != data_digest([case(images="b", masks="a")])
