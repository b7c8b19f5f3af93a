"""The page is assembled again and compared byte by byte with the stored one."""

import pytest

from workflow_lib.base.files import write_json
from workflow_lib.commands.audit import recompute
from workflow_lib.commands.audit.records import REPORT_RECORD


@pytest.mark.parametrize(
    ("shown", "state"),
    [("DSC 0.945", "holds"), ("DSC 0.954", "fails"), ("DSC 0.945 ", "fails"), ("DSC 0.94", "fails")],
)
def test_a_page_that_differs_in_one_character_does_not_hold(tmp_path, monkeypatch, shown, state):
    study = tmp_path / "study"
    record = {
        "step": "report_page",
        "settings": {"name": "s", "title": "t", "datasets": [], "config": {}, "fingerprints": {}, "captions": ""},
        "fingerprint": "f",
        "versions": {},
        "inputs": {},
        "outputs": {},
    }
    write_json(study / REPORT_RECORD, record | {"facts": {"commit": None}})
    write_json(study / "manifest.json", {"steps": {}})
    (study / "report.html").write_text(shown)
    monkeypatch.setattr(recompute, "build", lambda content, folder: "DSC 0.945")
    (finding,) = recompute._report(study)
    assert (finding.subject, finding.state) == ("report.html", state)
    assert state == "holds" or repr(shown) in finding.text
