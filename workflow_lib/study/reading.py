"""Read study files as Snakemake does, and say where one is wrong: file, line, column, and the line itself."""

import difflib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from workflow_lib.base.errors import Faults, UserError

_SHOWN = 100
"""Limit of the characters of a line that are shown."""
_MARKS = (b"\xff\xfe", b"\xfe\xff")


def read_study_file(path: Path) -> dict[str, Any]:
    """Return the content of a study file, YAML or JSON; that of an empty one is empty.

    Raises UserError if it is missing, is not text in UTF-8 or not YAML, contains something else than keys and values, or has a
    key twice in one section, of which YAML would silently use the last.
    """
    text = _text(path)
    try:
        content = json.loads(text) if text.lstrip()[:1] == "{" and _is_json(text) else yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UserError(_yaml_fault(path, text, error)) from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        kind = "a list" if isinstance(content, list) else "a single value"
        raise UserError(f"{path} contains {kind}. A study file has keys with values, as in `study: {{name: mine, ...}}`.")
    check_keys([path])
    return content


def check_keys(paths: Sequence[Path]) -> None:
    """Raise Faults if a section of a study file has a key twice: YAML and JSON silently use the last one."""
    faults = []
    for path in paths:
        try:
            root = yaml.compose(_text(path), Loader=yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader)
        except yaml.YAMLError:
            continue  # Snakemake has read it, as JSON
        faults += [
            f"{path}, line {second}: the key `{key}` is already set in line {first}" for key, first, second in _repeated(root, "")
        ]
    if faults:
        raise Faults("A key is set twice in one section, and only the last would count. Remove one:", faults)


def _repeated(node: yaml.Node | None, prefix: str) -> Iterator[tuple[str, int, int]]:
    """Yield keys that are set twice in a mapping, with their lines."""
    if isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _repeated(value, prefix)
    if not isinstance(node, yaml.MappingNode):
        return
    lines: dict[str, int] = {}
    for key, value in node.value:
        name = f"{prefix}{key.value}"
        line = key.start_mark.line + 1
        # `<<` merges another mapping, and may be there several times.
        if name in lines and key.value != "<<":
            yield name, lines[name], line
        lines[name] = line
        yield from _repeated(value, f"{name}.")


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _text(path: Path) -> str:
    if path.is_dir():
        raise UserError(f"{path} is a folder. Give a study file in it.")
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path} does not exist{_nearest(path)}") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}. Check its permissions.") from None
    if content.startswith(_MARKS):
        raise UserError(f"{path} is in UTF-16. Save it in UTF-8.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UserError(f"{path}, line {line} is not text in UTF-8. Save it in UTF-8.") from None


def _nearest(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f", and neither does the folder {folder}."
    names = [entry.name for entry in folder.iterdir() if entry.suffix in (".yaml", ".yml", ".json")]
    close = difflib.get_close_matches(path.name, names, n=1)
    return (
        f"; did you mean {folder / close[0]}?"
        if close
        else f"; in {folder} are {', '.join(sorted(names)[:5]) or 'no study files'}."
    )


def _yaml_fault(path: Path, text: str, error: yaml.YAMLError) -> str:
    """Return the place and the likely cause of an error in YAML."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    if mark is None:
        return f"{path} is not valid YAML: {problem}."
    lines = text.splitlines() or [""]
    # A bracket that is never closed is only noticed at the end of the file.
    begin = getattr(error, "context_mark", None)
    opened = (
        f" (after line {begin.line + 1}: {lines[min(begin.line, len(lines) - 1)].strip()[:_SHOWN]!r})"
        if begin is not None
        else ""
    )
    line = lines[min(mark.line, len(lines) - 1)]
    cause = ""
    if "\t" in line[: len(line) - len(line.lstrip())]:
        cause = "\n    The line begins with a tab; YAML indents with spaces."
    elif mark.line > 0 and "\t" in lines[mark.line - 1]:
        cause = "\n    The line before has a tab; YAML indents with spaces."
    place = f"{path}, line {mark.line + 1}, column {mark.column + 1}"
    return f"{place}: not valid YAML: {problem}{opened}:\n    {line.rstrip().expandtabs(4)[:_SHOWN]}{cause}"
