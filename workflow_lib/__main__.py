"""`whichloss COMMAND`, the same as `python -m workflow_lib COMMAND`: everything that is started by hand, under one name.

Exit codes: what the command returns; 2 after a mistake of the user's; 130 after Ctrl-C; 141 when nobody reads its output.
"""

import os
import sys
from collections.abc import Sequence

from workflow_lib.base.errors import UserError
from workflow_lib.base.terminal import printable
from workflow_lib.base.version import VERSION
from workflow_lib.commands import registry

INTERRUPTED, NO_READER = 130, 141
"""128 and the number of the signal, as a shell counts: SIGINT, SIGPIPE."""


def main(arguments: Sequence[str]) -> int:
    """Run the command that the first argument names, with the others; return the exit code."""
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
    except BrokenPipeError:
        raise
    except OSError as error:
        if error.filename is None:
            raise
        return _fault(printable(f"{error.filename}: {error.strerror}"))


def overview() -> str:
    """Return the help of all commands: on one screen, an example of each."""
    entries = [registry.about(name) for name in registry.names()]
    width = max(len(entry.example) for entry in entries)
    return "\n".join(
        [
            f"usage: {registry.PROGRAM} COMMAND ...",
            "",
            "Which loss, on which class-imbalanced medical images? Snakemake runs a study; the rest is here.",
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
    """Run the command of this process's arguments, quietly where it is interrupted; return the exit code."""
    try:
        try:
            return main(sys.argv[1:])
        finally:
            # Here and not when Python ends, where a reader that has gone would be reported.
            sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # What Python still holds back would be written when it ends, and fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NO_READER


if __name__ == "__main__":
    sys.exit(start())
