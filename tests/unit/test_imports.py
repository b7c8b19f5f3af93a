"""Imports without optional dependencies, which do not affect later imports."""

import gc
import importlib
import sys
import threading
import typing

import pytest

from workflow_lib.base import imports


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package whose `__init__` imports one of its modules, and an optional dependency."""
    (tmp_path / "heavy_one" / "inner").mkdir(parents=True)
    (tmp_path / "heavy_one" / "__init__.py").write_text("from heavy_one import other\nALL = True\n")
    (tmp_path / "heavy_one" / "other.py").write_text("")
    (tmp_path / "heavy_one" / "inner" / "__init__.py").write_text("raise ImportError('not needed')\n")
    (tmp_path / "heavy_one" / "inner" / "wanted.py").write_text("from heavy_one.base import NUMBER\n")
    (tmp_path / "heavy_one" / "base.py").write_text("NUMBER = 7\n")
    (tmp_path / "optional_one.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    for name in [name for name in sys.modules if name.split(".")[0] in {"heavy_one", "optional_one"}]:
        del sys.modules[name]


def test_a_refused_package_is_there_again_afterwards(package):
    finders = list(sys.meta_path)
    with pytest.raises(ModuleNotFoundError, match="optional_one is kept out"), imports.refused(["optional_one"]):
        importlib.import_module("optional_one")
    assert sys.meta_path == finders
    importlib.import_module("optional_one")
    with imports.refused(["optional_one"]):
        importlib.import_module("optional_one")


def test_another_thread_can_import_what_is_refused(package):
    thread = threading.Thread(target=importlib.import_module, args=("optional_one",))
    with imports.refused(["optional_one"]):
        thread.start()
        thread.join()
    assert "optional_one" in sys.modules


def test_a_module_comes_without_its_package_and_the_package_as_ever_later(package):
    assert imports.module_alone("heavy_one.inner.wanted").NUMBER == 7
    assert not [name for name in sys.modules if name.startswith("heavy_one")]
    assert importlib.import_module("heavy_one").ALL
    # Now it is the package's own module, with its parents.
    with pytest.raises(ImportError, match="not needed"):
        imports.module_alone("heavy_one.inner.wanted")


def test_a_package_that_is_not_installed_is_told():
    with pytest.raises(ModuleNotFoundError, match="nothing_of_the_kind"):
        imports.module_alone("nothing_of_the_kind.module")


def test_garbage_is_looked_for_again_afterwards_if_it_was_before():
    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError), imports.uncollected():
        assert not gc.isenabled()
        raise ZeroDivisionError
    assert gc.isenabled()
    with imports.uncollected(), imports.uncollected():
        pass
    with imports.uncollected():
        with imports.uncollected():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()


def test_names_of_types_mean_the_same():
    with imports.type_names_compiled_once():
        first, second = typing.ForwardRef("list[int]"), typing.ForwardRef("list[int]")
        with pytest.raises(SyntaxError):
            typing.ForwardRef("list[")
    assert first.__forward_code__ is second.__forward_code__
    assert eval(first.__forward_code__) == list[int]
    assert "compile" not in vars(typing)
    assert typing.ForwardRef("list[int]").__forward_code__ == first.__forward_code__
