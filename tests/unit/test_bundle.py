"""Which terms of a dataset allow sharing predictions made from it."""

import pytest

from workflow_lib.base.files import write_json
from workflow_lib.commands import bundle
from workflow_lib.datasets.formats import registry
from workflow_lib.datasets.identity import data_digest

RECORD = {"settings": {"config": {"datasets": {"toy": {"format": "msd", "source": "download"}}}}}


@pytest.mark.parametrize(
    ("terms", "packs"),
    [
        ("CC0 1.0", True),
        ("CC BY 4.0", True),
        ("CC BY-SA 4.0", True),
        ("CC BY-NC 4.0", True),
        ("CC BY-NC-SA 4.0", True),
        # A prediction is derived from the images, so terms that forbid sharing derived data exclude it.
        ("CC BY-ND 4.0", False),
        ("CC BY-NC-ND 4.0", False),
        ("research use; not CC0", False),
        ("CC", False),
    ],
)
def test_terms_that_do_not_let_anything_made_from_images_be_given_on_keep_predictions_out(monkeypatch, terms, packs):
    monkeypatch.setattr(registry.get("msd"), "LICENCE", terms)
    reason = bundle._refusal(RECORD, "toy", True, [])
    assert (reason == "") == packs
    assert packs or reason.endswith(terms)


def test_the_images_that_are_not_packed_are_named_by_one_digest(tmp_path):
    case = {"id": "c", "images": ["i"], "masks": ["m"], "field_of_view": None, "sha256": {"i": "1" * 64, "m": "2" * 64}}
    write_json(tmp_path / "data/toy/cases.json", {"cases": [case]})
    assert bundle._data(tmp_path, "toy") == {"cases": 1, "sha256": data_digest([case])}
