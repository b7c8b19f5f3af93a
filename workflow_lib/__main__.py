"""`whichloss COMMAND`, the same as `python -m workflow_lib COMMAND`: the entry point of all commands.

Exit codes: that of the command; 2 for a fault of the user; 130 after Ctrl-C; 141 if the reader of its output has gone.
"""

import os
import sys
from collections.abc import Sequence

if sys.version_info < (3, 11):  # noqa: UP036  # reached where somebody starts it with another Python
    sys.exit(f"whichloss needs Python 3.11, 3.12 or 3.13; this is {sys.version.split()[0]}. `make venv` finds one and uses it.")

from workflow_lib.base.errors import UserError
from workflow_lib.base.terminal import printable
from workflow_lib.base.version import VERSION
from workflow_lib.commands import registry

INTERRUPTED, NO_READER = 130, 141
"""128 plus the number of the signal, as in a shell: SIGINT, SIGPIPE."""


def main(arguments: Sequence[str]) -> int:
    """Run the command named by the first argument with the remaining arguments; return the exit code."""
    name = arguments[0] if arguments else ""
    if name in ("-h", "--help"):
        print(overview())
        return 0
    if name == "--version":
        print(f"{registry.PROGRAM} {VERSION}")
        return 0
    if not name:
        return _fault(overview())
    if name not in registry.names():
        return _fault(registry.unknown(name) if not name.startswith("-") else f"There is no option {name!r}; see --help.")
    try:
        return registry.load(name).run(registry.parser(name).parse_args(arguments[1:]))
    except UserError as error:
        return _fault(printable(str(error)))
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] == __package__:
            raise
        return _fault(
            f"The Python package {error.name} is not installed for {sys.executable}. Use the environment of the project: "
            f"`make venv`, then .venv/bin/{registry.PROGRAM} {' '.join(arguments)}"
        )
    except BrokenPipeError:
        raise
    except OSError as error:
        if error.filename is None:
            raise
        return _fault(printable(f"{error.filename}: {error.strerror}"))


def overview() -> str:
    """Return the help on all commands, with an example of each."""
    entries = [registry.about(name) for name in registry.names()]
    width = max(len(entry.example) for entry in entries)
    return "\n".join(
        [
            f"usage: {registry.PROGRAM} COMMAND ...",
            "",
            "Train with many losses and compare them. Snakemake runs a study; these commands do the rest.",
            "",
            *(f"  {entry.example:{width}}  {entry.summary}" for entry in entries),
            "",
            f"  {registry.PROGRAM} COMMAND --help",
            f"  {registry.PROGRAM} --version",
        ]
    )


def _fault(text: str) -> int:
    print(f"\n{text}\n", file=sys.stderr)
    return 2


def start() -> int:
    """Run the command given on the command line and return the exit code. An interrupt is not reported."""
    try:
        try:
            return main(sys.argv[1:])
        finally:
            # Flush here: at the exit of Python, a closed pipe would be reported.
            sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Otherwise Python would try to write its buffered output at exit, and fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NO_READER


if __name__ == "__main__":
    sys.exit(start())
