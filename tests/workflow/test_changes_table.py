"""What follows from every change of tests/changes_table.py is what docs/incremental.md says."""

import pytest

from tests import changes_table

DOCUMENTED = changes_table.written()


@pytest.mark.parametrize("change", changes_table.CHANGES, ids=[change.words for change in changes_table.CHANGES])
def test_what_follows_is_what_the_document_says(finished, tmp_path, change):
    found = changes_table.row(change, finished.folder, tmp_path / "study")
    assert changes_table.table([found]).splitlines()[-1] in DOCUMENTED


def test_the_document_has_no_other_rows():
    rows = [line for line in DOCUMENTED.splitlines() if line.startswith("| ") and not line.startswith("| change |")]
    assert len(rows) == len(changes_table.CHANGES)
