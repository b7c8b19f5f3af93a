"""Fingerprints: what of the code, settings and files counts, and what does not."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from workflow_lib.base.files import sha256_text
from workflow_lib.provenance import fingerprints, known
from workflow_lib.provenance.fingerprints import fingerprint, import_closure, module_path
from workflow_lib.provenance.source import effective_source

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
        ('EMPTY = {"both empty"', True),
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


COUNTING = [
    # What a formula computes, and what an error does.
    ("x = 1", "x = True"),
    ("x = 1", "x = 1.0"),
    ("x = 'a'", "x = b'a'"),
    ("x = a - b - c", "x = a - (b - c)"),
    ("def f(a, /, b): pass", "def f(a, b, /): pass"),
    ("def f(a, *, b): pass", "def f(a, b): pass"),
    ("def f(*a): pass", "def f(**a): pass"),
    ("x = {**a, 'b': 1}", "x = {'b': 1, **a}"),
    ("raise ValueError('a')", "raise TypeError('a')"),
    ("raise ValueError('a')", "pass"),
    ("raise ValueError(f'{g(x)}')", "raise ValueError(f'{g(y)}')"),
    ("raise ValueError(a) from b", "raise ValueError(a) from None"),
    ("raise OSError(1, 'a')", "raise OSError(2, 'a')"),
    # Texts that mean something.
    ("raise DivergedError('a', 'training')", "raise DivergedError('a', 'validation')"),
    ("raise self._diverged('training')", "raise self._diverged('validation')"),
    ("raise StopIteration('a')", "raise StopIteration('b')"),
    ("raise UserError(table['a'])", "raise UserError(table['b'])"),
    ("raise UserError('a', name='a')", "raise UserError('a', name='b')"),
    ("class KeyError: pass\nraise KeyError('a')", "class KeyError: pass\nraise KeyError('b')"),
    ("print('a', file=handle)", "print('b', file=handle)"),
    ("def print(x): table.append(x)\nprint('a')", "def print(x): table.append(x)\nprint('b')"),
    ("say(f'{next(x)}')", "pass"),
    ("axes.set(title='a')", "axes.set(title='b')"),
    ("x = f'{a:.1f}'", "x = f'{a:.2f}'"),
    ("x = f'{a!r}'", "x = f'{a}'"),
    ("x = f'a{b}'", "x = f'{b}a'"),
    ("def name_fault(x): return ''", "def name_fault(x): return 'a'"),
    ("def name_fault(x): return f'{x}'", "def name_fault(x): return f'{y}'"),
    ("def faults(x): return ['a']", "def faults(x): return []"),
    ("def faults(x): return find('a')", "def faults(x): return find('b')"),
    ("def faults(x): return {'a': 1}", "def faults(x): return {'b': 1}"),
    ("def _faults():\n x = 'a'\n return table[x]", "def _faults():\n x = 'b'\n return table[x]"),
    ("def default(x): return 'a'", "def default(x): return 'b'"),
    ("def f():\n def fault(): pass\n return 'a'", "def f():\n def fault(): pass\n return 'b'"),
    # Annotations that something reads, or that do something.
    ("class A(Section):\n x: int = 1", "class A(Section):\n x: float = 1"),
    ("@dataclass\nclass A:\n if y:\n  x: int", "@dataclass\nclass A:\n if y:\n  x: float"),
    ("@register\ndef f(x: int): pass", "@register\ndef f(x: str): pass"),
    ("def f(x: g(1)): pass", "def f(x: g(2)): pass"),
    ("def f():\n x: int\n return x", "def f():\n return x"),
    ("y = get_type_hints(f)\ndef f(x: int): pass", "y = get_type_hints(f)\ndef f(x: str): pass"),
    ("from typing import NamedTuple\nclass A(NamedTuple): pass", "from other import NamedTuple\nclass A(NamedTuple): pass"),
    ("if TYPE_CHECKING:\n pass\nelse:\n x = 1", "if TYPE_CHECKING:\n pass\nelse:\n x = 2"),
    ("NAME = FAMILY = 1\nNAME = 'a'\nFAMILY = 'b'\nLABEL = f(1)", "NAME = FAMILY = 1\nNAME = 'a'\nFAMILY = 'b'\nLABEL = f(2)"),
]


@pytest.mark.parametrize(("one", "other"), COUNTING)
def test_what_can_change_a_result_counts(one, other):
    assert effective_source(one) != effective_source(other)


WORDS = [
    ("raise UserError('a')", 'raise UserError("b" "c")'),
    ("raise errors.UserError(f'{path} is gone')", "raise errors.UserError('there is no ' + f'{path!r}')"),
    ("raise ValueError('a, ' + ', '.join(names))", "raise ValueError('b; ' + '; '.join(names))"),
    ("raise Faults('a', [f'b {x}' for x in y])", "raise Faults('c', [f'{x} d' for x in y])"),
    ("raise UserError('a' if x else 'b')", "raise UserError('c' if x else 'd')"),
    ("return UserError('a')", "return UserError('b')"),
    ("assert x, 'a'", "assert x, 'b'"),
    ("def name_fault(x): return 'a'", "def name_fault(x): return 'b'"),
    ("def faults(x): return [f'a {x}' for x in y]", "def faults(x): return [f'{x} b' for x in y]"),
    ("def faults(x): return [*f(x), *g(x)] + ['a' if x else '']", "def faults(x): return [*f(x), *g(x)] + ['b' if x else '']"),
    ("def _faults(x):\n found.append('a')\n found += ['b']", "def _faults(x):\n found.append('c')\n found += ['d']"),
    ("def faults(x): yield 'a'", "def faults(x): yield 'b'"),
    ("say('a')", "pass"),
    ("progress.note(f'{path} is there')", "progress.note('it is there')"),
    ("print('a', file=sys.stderr)", "pass"),
    ("warnings.warn('a', UserWarning)", "warnings.warn('b', UserWarning)"),
    ("parser.add_argument('--a', help='b')", "parser.add_argument('--a', help='c')"),
    ("def f(x: int, *a: int, **b: int) -> int: pass", "def f(x, *a, **b): pass"),
    ("@property\ndef f(self) -> int: pass", "@property\ndef f(self) -> str: pass"),
    ("x: int = 1", "x = 1"),
    ("from typing import Any\nx: Any = 1", "from collections.abc import Sequence\nx: Sequence[int] = 1"),
    ("if TYPE_CHECKING:\n import a", "if TYPE_CHECKING:\n import b"),
    ("x = (1,\n 2,\n)", "x = 1, 2"),
    ("x = 0x10", "x = 1_6"),
    ("x = 'ä'", "x = '\\u00e4'"),
]


@pytest.mark.parametrize(("one", "other"), WORDS)
def test_words_annotations_and_formatting_do_not_count(one, other):
    if one.startswith("return"):
        one, other = f"def f(): {one}", f"def f(): {other}"
    assert effective_source(one) == effective_source(other)


def test_the_errors_of_ours_whose_texts_do_not_count_are_classes_of_the_package():
    """Each is one class of the package; the one that says where a training diverged is none of them."""
    everything = "\n".join(path.read_text(encoding="utf-8") for path in fingerprints.PACKAGE_FOLDER.rglob("*.py"))
    for name in known.OUR_ERRORS:
        assert len(re.findall(rf"^class {name}\(", everything, re.MULTILINE)) == 1
    assert "DivergedError" not in known.ERRORS


SAMPLE = r'''"""A bit of everything."""
from __future__ import annotations
import numpy as np, os.path
from typing import Any
async def f(a, /, b=1, *c, d: int = -2.5, **e) -> Any:
    """Text."""
    global g
    async with a as (x, y), b: x[1:, ::2, ...] = yield
    async for i in b: await i
    for i in range(3):
        if i == 1 < 2: continue
        elif not i or i: break
    else: del x, y[0]
    try: assert a, "why"
    except (ValueError, OSError) as error: raise UserError(f"{error} is {b:.{d}f}") from error
    finally: return lambda *q, r=None: (q if r else {*q, 1e400, 2j})
    while (n := 10**30): nonlocal_ = [z async for z in c if z]
class A(B, metaclass=C):
    x: list[int] = Field(default_factory=list, description="words")
    @property
    def y(self) -> int: return {k: v for k, v in self.x} | {**self.z, "ä\N{SNOWMAN}": b"\xff"}
match p:
    case {"a": [1, *_], **rest} | A(x=None): t = f"{p!r:>{w}} {p=} {{}}" "tail" f"{f'{q}'}"
    case str() as s if s: u = not (a <= b != c), a @ b // c % d << 1 ^ ~e
try: pass
except* OSError: print("words")
'''


def test_the_digest_is_the_same_in_every_version_of_python():
    """A digest that was written down, so that one that differs in this version of Python is noticed here."""
    assert sha256_text(effective_source(SAMPLE)) == "59a1431c50ea0c391647aaa1bae791bdb3286e7a3ab24a9995d25490fad9ce37"


def test_other_versions_of_python_agree():
    """Of the whole package, where other versions are installed."""
    code = (
        "import hashlib, pathlib, sys\n"
        "sys.path.insert(0, str(pathlib.Path(sys.argv[1]).parent))\n"
        "from workflow_lib.provenance import source\n"
        "texts = [path.read_text(encoding='utf-8') for path in sorted(pathlib.Path(sys.argv[1]).rglob('*.py'))] + [sys.argv[2]]\n"
        "print(len(texts), hashlib.sha256(''.join(map(source.effective_source, texts)).encode()).hexdigest())"
    )
    arguments = ["-c", code, str(fingerprints.PACKAGE_FOLDER), SAMPLE]
    others = [path for version in range(11, 15) for path in installed(f"3.{version}")]
    if not others:
        pytest.skip("no other version of Python is installed")
    said = {python: subprocess.run([python, *arguments], capture_output=True, text=True, check=True).stdout for python in others}
    own = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True).stdout
    assert int(own.split()[0]) > 200
    assert set(said.values()) == {own}, said


def installed(version: str) -> list[str]:
    """Return the interpreter of a version, other than the one that runs here, if it is installed and starts."""
    if sys.version.startswith(f"{version}."):
        return []
    versions = sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python"))
    found = str(versions[-1]) if versions else shutil.which(f"python{version}")
    starts = found is not None and subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode == 0
    return [str(found)] if starts else []


def test_a_hash_sign_in_a_string_is_no_comment():
    assert effective_source('x = "#fff"') != effective_source('x = "#000"')
    assert effective_source("x = f'#{a}'") != effective_source("x = f'{a}'")


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
