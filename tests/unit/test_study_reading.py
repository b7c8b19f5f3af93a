"""A study file that cannot be read is answered with its file, line and the line itself."""

import pytest

from workflow_lib.base.errors import UserError
from workflow_lib.study.reading import check_keys, read_study_file


def written(folder, content):
    path = folder / "mine.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("study:\n  name: x\n\ttitle: y\n", ["line 3, column 1: not valid YAML", "begins with a tab"]),
        ("study: {name: x\ntitle: y\n", ["line 2, column 6", "(after line 1: 'study: {name: x')", "\n    title: y"]),
        ("study:\n  name: 'x\n", ["line 3, column 1", "unexpected end"]),
        ("study:\n  name: a: b\n", ["line 2, column 10", "mapping values are not allowed", "name: a: b"]),
        ("study: {name: x}\n  title: y\n", ["line 2"]),
        ("a: *nothing\n", ["line 1, column 4", "undefined alias"]),
        ("- a\n- b\n", ["contains a list", "keys with values"]),
        ("just text\n", ["contains a single value"]),
        ("study: x".encode("utf-16"), ["is in UTF-16. Save it in UTF-8"]),
        (b"a: 1\nstudy: caf\xe9\n", ["line 2 is not text in UTF-8"]),
        ("study:\n  name: a\n  title: t\n  name: b\n", ["line 4: the key `study.name` is already set in line 2"]),
        ('{"training": {"epochs": 1, "epochs": 2}}', ["line 1: the key `training.epochs` is already set in line 1"]),
    ],
)
def test_faults_of_a_file_name_their_place(tmp_path, content, said):
    with pytest.raises(UserError) as caught:
        read_study_file(written(tmp_path, content))
    for part in ("mine.yaml", *said):
        assert part in str(caught.value)


def test_what_is_read(tmp_path):
    assert read_study_file(written(tmp_path, "")) == {}
    assert read_study_file(written(tmp_path, "# nothing yet\n")) == {}
    assert read_study_file(written(tmp_path, b"\xef\xbb\xbfstudy: {name: x}\n")) == {"study": {"name": "x"}}
    assert read_study_file(written(tmp_path, '{"study":\n\t{"name": "x"}}')) == {"study": {"name": "x"}}
    merged = "base: &b {a: 1}\none: {<<: *b, c: 2}\ntwo: {<<: *b, c: 3}\n"
    assert read_study_file(written(tmp_path, merged))["two"] == {"a": 1, "c": 3}
    check_keys([tmp_path / "mine.yaml"])


def test_a_file_that_is_not_there(tmp_path):
    (tmp_path / "demo.yaml").touch()
    with pytest.raises(UserError, match=r"dmo\.yaml does not exist; did you mean .*demo\.yaml\?$"):
        read_study_file(tmp_path / "dmo.yaml")
    with pytest.raises(UserError, match=r"does not exist; in .* are demo\.yaml\.$"):
        read_study_file(tmp_path / "xyz")
    with pytest.raises(UserError, match="neither does the folder"):
        read_study_file(tmp_path / "no" / "demo.yaml")
    with pytest.raises(UserError, match="is a folder"):
        read_study_file(tmp_path)
