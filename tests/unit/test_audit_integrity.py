"""What lies beside the results is told, and nothing hides behind the like of its name."""

import pytest

from workflow_lib.audit import integrity
from workflow_lib.files import sha256_file


@pytest.fixture
def results(tmp_path):
    (tmp_path / "a.csv").write_text("1")
    (tmp_path / "SHA256SUMS").write_text(f"{sha256_file(tmp_path / 'a.csv')}  a.csv\n")
    return tmp_path


def states(folder):
    return {finding.subject: finding.state for finding in integrity.check(folder)}


def test_what_was_written_on_request_is_told_as_not_checked(results):
    assert states(results) == {"every file": "holds"}
    (results / "workflow").mkdir()
    for name in ("report.pdf", "ro-crate-metadata.json", "workflow/Snakefile"):
        (results / name).write_text("anything")
    beside = dict.fromkeys(("report.pdf", "ro-crate-metadata.json", "workflow/"), "not checked")
    assert states(results) == {"every file": "holds"} | beside


@pytest.mark.parametrize("name", ["report.pdf.csv", "bundle.json2", "ro-crate-metadata.json.html"])
def test_a_name_that_only_begins_like_theirs_is_a_stranger(results, name):
    (results / name).write_text("anything")
    assert states(results)[name] == "fails"
