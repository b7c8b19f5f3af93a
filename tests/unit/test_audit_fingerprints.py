"""A record whose fingerprint does not identify its code is reported."""

import pytest

from workflow_lib.base.files import write_json
from workflow_lib.commands.audit import agreement
from workflow_lib.commands.audit.records import Record
from workflow_lib.provenance.fingerprints import combined, table_digest

TABLE = {"workflow_lib.steps.statistics": "0" * 64}
SETTINGS = {"dataset": "toy"}


@pytest.mark.parametrize(
    ("fingerprint", "state", "told"),
    [
        (combined(SETTINGS, table_digest(TABLE)), None, ""),
        ("by-hand", "not checked", "1 step called by hand, whose settings and code no fingerprint records"),
        ("0" * 64, "fails", "its fingerprint is not that of its settings and any table"),
    ],
)
def test_what_a_fingerprint_holds(tmp_path, fingerprint, state, told):
    write_json(tmp_path / f"code/{table_digest(TABLE)}.json", TABLE)
    record = Record("records/statistics/toy.json", "statistics", SETTINGS, fingerprint, {}, {}, {})
    found = list(agreement._fingerprints(tmp_path, [record]))
    assert [finding.state for finding in found] == [state] * bool(state)
    assert all(told in finding.text for finding in found)
