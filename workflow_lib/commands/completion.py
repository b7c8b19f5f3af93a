"""Print a script that completes commands, options, choices and file names in a shell.

    eval "$(whichloss completion bash)"                                         bash, in ~/.bashrc
    eval "$(whichloss completion zsh)"                                          zsh, in ~/.zshrc after compinit
    whichloss completion fish > ~/.config/fish/completions/whichloss.fish       fish, once

Printing the script takes half a second. To start the shell faster, write the script to a file and source that.
"""

import argparse
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from workflow_lib.commands import registry

SUMMARY = "print a completion script for bash, zsh or fish"
EXAMPLE = "whichloss completion bash"


@dataclass(frozen=True)
class Argument:
    """One argument of a command, with what is needed to complete it.

    Parameters
    ----------
    flags : tuple of str
        For example ``("--page",)``; empty for a positional argument.
    help : str
        Its help text.
    takes_value : bool
        Whether a value follows the flag.
    choices : tuple of str
        The accepted values, if they are known.
    files : bool
        Whether a value is, or may be, a path.
    several : bool
        Whether any number of values follow.
    """

    flags: tuple[str, ...]
    help: str
    takes_value: bool
    choices: tuple[str, ...]
    files: bool
    several: bool


def arguments_of(name: str) -> list[Argument]:
    """Return the arguments of a command from its parser."""
    return [
        Argument(
            tuple(action.option_strings),
            (action.help or "").partition(";")[0],
            action.nargs != 0,
            tuple(map(str, action.choices or ())),
            action.type is Path or not (action.option_strings or action.choices),
            action.nargs in ("*", "+"),
        )
        for action in registry.parser(name)._actions  # argparse has no public attribute for this
    ]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("shell", choices=sorted(SHELLS), help="the shell that reads the script")


def run(arguments: argparse.Namespace) -> int:
    """Print the script for the given shell."""
    print("\n".join(SHELLS[arguments.shell]()))
    return 0


def _bash() -> Iterator[str]:
    program = registry.PROGRAM
    yield f"_{program}() {{"
    yield '    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} words="" files=""'
    # Bash splits --option=value into three words.
    yield '    if [ "$current" = = ]; then current=""; elif [ "$previous" = = ]; then previous=${COMP_WORDS[COMP_CWORD-2]}; fi'
    yield '    if [ "$COMP_CWORD" = 1 ]; then'
    yield f'        words="{" ".join((*registry.names(), "--help", "--version"))}"'
    yield '    else case "${COMP_WORDS[1]}" in'
    for name in registry.names():
        found = arguments_of(name)
        yield f'    {name}) case "$previous" in'
        for argument in found:
            if argument.flags and argument.takes_value:
                yield f"        {'|'.join(argument.flags)}) {_bash_words(argument.choices, argument.files)} ;;"
        placed = [argument for argument in found if not argument.flags]
        words = [*(flag for argument in found for flag in argument.flags), *(c for argument in placed for c in argument.choices)]
        files = any(argument.files for argument in (placed or found))
        yield f"        *) {_bash_words(words, files)} ;;"
        yield "        esac ;;"
    yield "    esac; fi"
    yield '    COMPREPLY=($(compgen -W "$words" -- "$current"))'
    yield '    if [ "$files" ] && [ "${current:0:1}" != - ]; then'
    yield "        compopt -o filenames 2>/dev/null"
    yield "        local IFS=$'\\n'; COMPREPLY+=($(compgen -f -- \"$current\"))"
    yield "    fi"
    yield "}"
    yield f"complete -F _{program} {program}"


def _bash_words(words: list[str] | tuple[str, ...], files: bool) -> str:
    return f'words="{" ".join(words)}" files={"1" if files else ""}'


def _zsh() -> Iterator[str]:
    program = registry.PROGRAM
    yield f"#compdef {program}"
    yield f"_{program}() {{"
    yield "    if (( CURRENT == 2 )); then"
    yield "        local -a commands=("
    for name in registry.names():
        yield f"            {shlex.quote(f'{name}:{registry.about(name).summary}')}"
    yield "        )"
    yield "        _describe command commands"
    yield "        _arguments --help --version"
    yield "        return"
    yield "    fi"
    yield '    local command="$words[2]"'
    yield "    shift words; (( CURRENT-- ))"
    yield '    case "$command" in'
    for name in registry.names():
        yield f"    {name}) _arguments \\"
        for argument in arguments_of(name):
            for flag in argument.flags or ("",):
                yield f"        {shlex.quote(_zsh_argument(flag, argument))} \\"
        yield "        ;;"
    yield "    esac"
    yield "}"
    yield f"compdef _{program} {program}"


def _zsh_argument(flag: str, argument: Argument) -> str:
    values = f"({' '.join(argument.choices)})" if argument.choices else "_files" if argument.files else " "
    if not flag:
        return f"{'*' * argument.several}:value:{values}"
    text = argument.help.translate({ord("["): "(", ord("]"): ")", ord(":"): ","})
    return f"*{flag}[{text}]" + (f":value:{values}" if argument.takes_value else "")


def _fish() -> Iterator[str]:
    program = registry.PROGRAM
    yield f"complete -c {program} -f"
    first = f"complete -c {program} -n __fish_use_subcommand"
    for name in registry.names():
        yield f"{first} -a {name} -d {_fish_text(registry.about(name).summary)}"
    yield f"{first} -l help"
    yield f"{first} -l version"
    for name in registry.names():
        after = f"complete -c {program} -n '__fish_seen_subcommand_from {name}'"
        for argument in arguments_of(name):
            flags = "".join(f" -{'l' if flag.startswith('--') else 's'} {flag.lstrip('-')}" for flag in argument.flags)
            needs = (" -r" if argument.files else " -x") if argument.flags and argument.takes_value else ""
            values = f" -a {_fish_text(' '.join(argument.choices))}" if argument.choices else " -F" if argument.files else ""
            if flags or values:
                yield f"{after}{flags}{needs}{values} -d {_fish_text(argument.help)}"


def _fish_text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


SHELLS: dict[str, Callable[[], Iterator[str]]] = {"bash": _bash, "fish": _fish, "zsh": _zsh}
