"""Fingerprints: what of the code, settings and files counts, and what does not."""

import subprocess
import sys

import pytest

from workflow_lib.provenance import fingerprints
from workflow_lib.provenance.fingerprints import effective_source, fingerprint, import_closure, module_path

SOURCE = '''"""Module."""
import os  # why


def f(x):
    """Double."""
    # halves
    return x * 2  # here

class A:
    """Only a docstring."""
'''


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# halves", "# something else entirely"),
        ('"""Double."""', '"""Two\n    lines."""'),
        ("  # why", ""),
        ("\n\n\ndef", "\n\n\n\n\ndef"),
        ('"""Module."""', ""),
        ("# here", "# there   "),
    ],
)
def test_comments_docstrings_and_blank_lines_do_not_count(old, new):
    assert old in SOURCE
    assert effective_source(SOURCE.replace(old, new)) == effective_source(SOURCE)


@pytest.mark.parametrize(("old", "new"), [("x * 2", "x * 3"), ("import os", "import re"), ("def f", "def g")])
def test_code_counts(old, new):
    assert effective_source(SOURCE.replace(old, new)) != effective_source(SOURCE)


LOSS = """NAME = "mine"
LABEL = "Mine"
CITATION = (
    "Somebody, "
    "somewhere"
)
FAMILY = "region"
NOTES: tuple[str, ...] = ("A note.",)
SCALE = 2


def mine():
    return SCALE
"""


@pytest.mark.parametrize(
    ("old", "new"), [('"Mine"', '"Ours"'), ('"Somebody, "', '"Another, "'), ('"region"', '"boundary"'), ('"A note."', '"Other."')]
)
def test_what_a_loss_file_tells_about_its_loss_does_not_count(old, new):
    assert old in LOSS
    assert effective_source(LOSS.replace(old, new)) == effective_source(LOSS)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('LABEL = "Mine"', 'LABEL = "Mine"; OTHER = 3'),
        ("return SCALE", '"doc"; return SCALE + 1'),
        ("SCALE = 2", "\x0c# page\nSCALE = 3"),
        ("SCALE = 2", "# \u2028 odd\nSCALE = 3"),
    ],
)
def test_code_beside_what_does_not_count_counts(old, new):
    assert effective_source(LOSS.replace(old, new)) != effective_source(LOSS)
    assert effective_source(LOSS.replace(old, new)) != effective_source(
        LOSS.replace(old, new.replace("3", "4").replace("1", "2"))
    )


def test_what_its_code_uses_counts_and_so_do_other_files():
    assert effective_source(LOSS.replace("SCALE = 2", "SCALE = 3")) != effective_source(LOSS)
    assert effective_source(LOSS.replace('NAME = "mine"', 'NAME = "other"')) != effective_source(LOSS)
    using = LOSS.replace("return SCALE", "return SCALE * len(LABEL)")
    assert effective_source(using.replace('"Mine"', '"My"')) != effective_source(using)
    no_loss = LOSS.replace("NAME =", "TITLE =")
    assert effective_source(no_loss.replace('"Mine"', '"Ours"')) != effective_source(no_loss)


METRIC = """NAME = "mine"
LABEL = "Mine"
MEASURED = "counts"
EMPTY = {"both empty": 0.0}
CITATION = "Somebody"
EQUATION = "x"
NOTES = ("A note.",)
"""


@pytest.mark.parametrize(
    ("line", "counts"),
    [
        ('CITATION = "Somebody"', False),
        ('EQUATION = "x"', False),
        ('NOTES = ("A note.",)', False),
        ('LABEL = "Mine"', True),
        ('EMPTY = {"both empty": 0.0}', True),
    ],
)
def test_of_a_metric_only_its_documentation_does_not_count(line, counts):
    assert line in METRIC
    assert (effective_source(METRIC.replace(line, line[:-1] + " " + line[-1])) != effective_source(METRIC)) is counts


def test_files_of_one_s_own_count_with_what_they_import(tmp_path, monkeypatch):
    path = tmp_path / "own.py"
    path.write_text("from workflow_lib.losses import dice\nX = 1\n")
    before = fingerprint({}, ["workflow_lib.base.errors", path])
    assert before != fingerprint({}, ["workflow_lib.base.errors"])
    path.write_text("from workflow_lib.losses import dice  # why\n\nX = 1\n")
    assert fingerprint({}, [path, "workflow_lib.base.errors"]) == before
    moved = tmp_path / "elsewhere" / "own.py"
    moved.parent.mkdir()
    path.rename(moved)
    assert fingerprint({}, [moved, "workflow_lib.base.errors"]) == before
    real = fingerprints._module

    def edited(name):
        imports, digest = real(name)
        return imports, "edited" if name.endswith("losses.dice") else digest

    monkeypatch.setattr(fingerprints, "_module", edited)
    fingerprints._table_of_modules.cache_clear()
    assert fingerprint({}, [moved, "workflow_lib.base.errors"]) != before
    monkeypatch.undo()
    moved.write_text("from workflow_lib.losses import dice\nX = 2\n")
    assert fingerprint({}, [moved, "workflow_lib.base.errors"]) != before


def test_descriptions_of_settings_do_not_count_and_their_neighbours_do():
    source = 'a: int = Field(\n    1, ge=0, description="Größe "\n    "in mm")\nb = Field(description="x", c=2)\n'
    said_otherwise = 'a: int = Field(\n    1, ge=0, description="size")\nb = Field(description="", c=2)\n'
    assert effective_source(source) == effective_source(said_otherwise)
    assert effective_source(source) != effective_source(source.replace("ge=0", "ge=1"))
    assert effective_source(source) != effective_source(source.replace("c=2", "c=3"))
    assert effective_source("Field(description=x)") != effective_source("Field(description=y)")
    assert effective_source('f(description="x")') != effective_source('f(description="y")')


def test_a_hash_sign_in_a_string_is_no_comment():
    assert effective_source('x = "#fff"') != effective_source('x = "#000"')
    assert effective_source("x = f'#{a}'") == "x = f'#{a}'"


def test_the_closure_follows_imports_inside_functions_and_leaves_out_what_is_not_imported():
    closure = import_closure(["workflow_lib.steps.split"])
    assert {
        "workflow_lib.steps.split",
        "workflow_lib.images.cases",
        "workflow_lib.base.seeds",
        "workflow_lib.base.files",
    } <= closure
    assert "workflow_lib.study.config" not in closure
    assert "workflow_lib.provenance.records" not in closure


def test_training_with_one_loss_does_not_reach_the_others():
    closure = import_closure(["workflow_lib.steps.train", "workflow_lib.losses.dice"])
    assert "workflow_lib.losses._terms" in closure
    assert "workflow_lib.losses.dice" in closure
    for other in ("focal", "combo", "mixed_focal", "cross_entropy"):
        assert f"workflow_lib.losses.{other}" not in closure
    assert "workflow_lib.study.config" not in closure
    assert "workflow_lib.study.sections.phantom" not in closure
    for room in ("report", "figures", "statistics", "tables", "evaluation"):
        assert not any(name.startswith(f"workflow_lib.{room}") for name in closure)


def test_a_training_reaches_all_that_decides_what_comes_out_of_it():
    """Of the modules of training those alone are left out that only tell about it."""
    folder = fingerprints.PACKAGE_FOLDER / "training"
    modules = {f"workflow_lib.training.{path.stem}" for path in folder.glob("*.py") if path.stem != "__init__"}
    telling = {f"workflow_lib.training.{name}" for name in ("attempts", "budget", "events", "progress")}
    assert modules - import_closure(["workflow_lib.steps.train"]) == telling


def test_settings_and_modules_change_the_fingerprint():
    first = fingerprint({"a": 1}, ["workflow_lib.images.cases"])
    assert fingerprint({"a": 1}, ["workflow_lib.images.cases"]) == first
    assert fingerprint({"a": 2}, ["workflow_lib.images.cases"]) != first
    assert fingerprint({"a": 1}, ["workflow_lib.study.config"]) != first


def test_swapped_values_change_the_fingerprint():
    first = fingerprint({"alpha": 0.3, "beta": 0.7}, ["workflow_lib.images.cases"])
    assert fingerprint({"alpha": 0.7, "beta": 0.3}, ["workflow_lib.images.cases"]) != first
    assert fingerprint({"beta": 0.7, "alpha": 0.3}, ["workflow_lib.images.cases"]) == first


def test_every_module_can_be_digested():
    for path in sorted(fingerprints.PACKAGE_FOLDER.rglob("*.py")):
        name = ".".join(path.relative_to(fingerprints.PACKAGE_FOLDER.parent).with_suffix("").parts).removesuffix(".__init__")
        assert module_path(name) == path
        assert len(fingerprint({}, [name])) == 64


def test_planning_imports_no_heavy_library():
    heavy = "tensorflow keras miscnn batchgenerators matplotlib torch jax"
    code = f"import sys, workflow_lib.plan.jobs; print([m for m in '{heavy}'.split() if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=fingerprints.PACKAGE_FOLDER.parent
    )
    assert done.stdout.strip() == "[]"
