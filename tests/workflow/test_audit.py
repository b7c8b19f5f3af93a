"""The audit of the finished tiny study: it holds, and whatever is changed in it is found and named."""

import pytest

from workflow_lib.audit import folder as safe
from workflow_lib.audit import integrity
from workflow_lib.audit.__main__ import audit
from workflow_lib.files import sha256_file
from workflow_lib.provenance.manifest import MANIFEST, SUMS


def results(checkout):
    return checkout.folder / "results" / "tiny"


def failing(found):
    return {finding.subject: finding.text for finding in found if finding.state == "fails"}


def forge(folder, name, old, new):
    """Change a text and let the list of checksums say that nothing happened."""
    path = folder / name
    before = sha256_file(path)
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    list_of = folder / SUMS
    list_of.write_text(list_of.read_text(encoding="utf-8").replace(before, sha256_file(path)), encoding="utf-8")


def test_a_finished_study_holds_and_shows_its_digest(finished):
    folder = results(finished)
    digest = sha256_file(folder / MANIFEST)
    found = list(audit(folder, digest))
    assert failing(found) == {}
    held = {finding.subject for finding in found if finding.state == "holds"}
    assert {"every file", "chain of records", "collect of toy", "statistics of toy", "tables of toy", "report.html"} <= held
    assert digest in (folder / "report.html").read_text(encoding="utf-8")
    assert MANIFEST in failing(audit(folder, "0" * 64))


def test_a_changed_byte_in_any_file_is_found_and_named(finished_copy):
    folder = results(finished_copy)
    names = [line[66:] for line in (folder / SUMS).read_text(encoding="utf-8").splitlines()]
    assert len(names) > 80
    for name in [*names, SUMS]:
        path = folder / name
        whole = path.read_bytes()
        middle = len(whole) // 2
        path.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
        if name == SUMS:
            assert failing(audit(folder))
        else:
            listed = {name: safe.read_sums(folder, SUMS)[name]}
            assert [f.subject for f in integrity._changed(folder, listed, set())] == [name]
        path.write_bytes(whole)
    # Nothing of the results: what is printed on request, and what a training left.
    (folder / "report.pdf").write_text("%PDF")
    (folder / "predictions" / ".writing-fold_1-abc").mkdir()
    (folder / "predictions" / ".writing-fold_1-abc" / "a.nii.gz").write_text("cut")
    assert failing(integrity.check(folder)) == {}
    (folder / "tables" / "stranger.csv").write_text("1")
    assert list(failing(integrity.check(folder))) == ["tables/stranger.csv"]


def test_a_swapped_prediction_is_found(finished_copy):
    folder = results(finished_copy)
    first, second = sorted((folder / "predictions/toy/dice/fold_1").glob("*.nii.gz"))
    content = first.read_bytes(), second.read_bytes()
    first.write_bytes(content[1])
    second.write_bytes(content[0])
    names = {path.relative_to(folder).as_posix() for path in (first, second)}
    assert names <= set(failing(integrity.check(folder)))


def test_a_number_edited_together_with_its_checksum_is_found(finished_copy):
    folder = results(finished_copy)
    row = (folder / "statistics/toy/means.csv").read_text(encoding="utf-8").splitlines()[1]
    forge(folder, "statistics/toy/means.csv", row, row.replace("dice", "focal"))
    forge(folder, "report.html", "<td", "<td ")
    found = failing(audit(folder))
    assert "computes from its inputs" in found["statistics/toy/means.csv"] or "disagree" in found["statistics/toy/means.csv"]
    assert "report.html" in found


@pytest.mark.parametrize("change", ["missing", "double"])
def test_a_case_missing_or_twice_is_named(finished_copy, change):
    folder = results(finished_copy)
    name = "scores/toy/dice/fold_1.csv"
    row = (folder / name).read_text(encoding="utf-8").splitlines()[1] + "\n"
    forge(folder, name, row, "" if change == "missing" else row + row)
    case = row.split(",")[3]
    assert case in failing(audit(folder))["collect of toy"]


def test_a_fold_table_changed_afterwards_is_found(finished_copy):
    folder = results(finished_copy)
    row = (folder / "data/toy/folds.csv").read_text(encoding="utf-8").splitlines()[1]
    case, fold, rest = row.split(",", 2)
    forge(folder, "data/toy/folds.csv", row, f"{case},{3 - int(fold)},{rest}")
    found = failing(audit(folder))
    assert "data/toy/folds.csv" in found
    assert case in found["collect of toy"]


def test_nothing_outside_the_folder_is_read(finished_copy):
    folder = results(finished_copy)
    (folder / "tables" / "linked.csv").symlink_to("/etc/hostname")
    assert list(failing(audit(folder))) == ["tables/linked.csv"]
    (folder / "tables" / "linked.csv").unlink()
    listed = folder / SUMS
    listed.write_text("0" * 64 + "  ../../secret\n" + listed.read_text(encoding="utf-8"), encoding="utf-8")
    assert any(f.subject == "../../secret" and "leads out" in f.text for f in integrity.check(folder))
