"""The commands of `whichloss`, one file each, found by its name. A command of several files is a folder with a `command.py`.

The file of a command assigns the texts `SUMMARY` and `EXAMPLE`, which `whichloss --help` shows, and defines
`add_arguments(parser)` and `run(arguments) -> exit code`. Its docstring is the description in its own help.
"""

import argparse
import ast
import difflib
import importlib
from dataclasses import dataclass
from typing import Protocol, cast

from workflow_lib.base.families import PACKAGE_FOLDER, Family

PROGRAM = "whichloss"
_FAMILY = Family("commands", "command", frozenset({"generated"}), entry="command")
"""`generated` is excluded: it writes files of the repository (`make generated`) and is not for users."""


class Command(Protocol):
    """The interface of a command's module."""

    __doc__: str
    SUMMARY: str
    EXAMPLE: str

    @staticmethod
    def add_arguments(parser: argparse.ArgumentParser) -> None:
        """Declare the arguments."""

    @staticmethod
    def run(arguments: argparse.Namespace) -> int:
        """Run the command and return the exit code. Raises UserError for faults that the user can correct (exit code 2)."""


@dataclass(frozen=True)
class About:
    """The entry of a command in the list of commands.

    Parameters
    ----------
    summary : str
        What it does, in a few words.
    example : str
        A valid command line.
    """

    summary: str
    example: str


def names() -> tuple[str, ...]:
    """Return the sorted names of all commands as they are typed, without importing the commands."""
    return tuple(name.replace("_", "-") for name in _FAMILY.names())


def about(name: str) -> About:
    """Return the summary and example of a command from its source text, because importing all commands would take seconds."""
    path = PACKAGE_FOLDER.parent.joinpath(*_module(name).split(".")).with_suffix(".py")
    assigned = [node for node in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(node, ast.Assign)]
    values = {target.id: node.value for node in assigned for target in node.targets if isinstance(target, ast.Name)}
    return About(ast.literal_eval(values["SUMMARY"]), ast.literal_eval(values["EXAMPLE"]))


def load(name: str) -> Command:
    """Return the module of a command."""
    return cast(Command, importlib.import_module(_module(name)))


def parser(name: str) -> argparse.ArgumentParser:
    """Return the parser of a command's arguments."""
    command = load(name)
    made = argparse.ArgumentParser(
        prog=f"{PROGRAM} {name}", description=command.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    command.add_arguments(made)
    return made


def unknown(name: str) -> str:
    """Return the error message for an unknown command."""
    close = difflib.get_close_matches(name, names(), n=1)
    hint = f"Did you mean {close[0]!r}? " if close else ""
    return f"There is no command {name!r}. {hint}There are: {', '.join(names())}."


def _module(name: str) -> str:
    return _FAMILY.module(name.replace("-", "_"))
