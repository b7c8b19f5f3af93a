"""Limits for the length of functions and files. Exceptions are listed here with reasons."""

import ast

from workflow_lib.provenance.fingerprints import PACKAGE_FOLDER

FUNCTION_LINES, FILE_LINES = 60, 350

LONG_FUNCTIONS: dict[str, str] = {}
"""`module.py:function` of longer functions, with the reason."""

LONG_FILES: dict[str, str] = {}
"""Longer files, with the reason."""


DOCUMENTED = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module


def docstring_lines(node):
    """Return the number of docstring lines, which do not count."""
    texts = [inner.body[0] for inner in ast.walk(node) if isinstance(inner, DOCUMENTED) and ast.get_docstring(inner) is not None]
    return sum((text.end_lineno or 0) - text.lineno + 1 for text in texts)


def long_parts(sources):
    """Return the functions and files that are too long without docstrings, given sources by path."""
    functions, files = set(), set()
    for path, source in sources.items():
        tree = ast.parse(source)
        if source.count("\n") - docstring_lines(tree) > FILE_LINES:
            files.add(path)
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
                if (node.end_lineno or 0) - first + 1 - docstring_lines(node) > FUNCTION_LINES:
                    functions.add(f"{path}:{node.name}")
    return functions, files


def test_functions_and_files_are_short_but_those_with_a_reason():
    """An exception for a function or file that has become short must be removed from the list."""
    paths = {path.relative_to(PACKAGE_FOLDER).as_posix(): path for path in PACKAGE_FOLDER.rglob("*.py")}
    found = long_parts({name: path.read_text(encoding="utf-8") for name, path in paths.items()})
    assert found == (set(LONG_FUNCTIONS), set(LONG_FILES))


def test_the_limits_are_met_to_the_line():
    def function(lines):
        return "@decorator\ndef f():\n" + "    pass\n" * (lines - 2)

    assert long_parts({"a.py": function(60), "b.py": function(61)}) == ({"b.py:f"}, set())
    assert long_parts({"a.py": "x = 1\n" * 350, "b.py": "x = 1\n" * 351}) == (set(), {"b.py"})
