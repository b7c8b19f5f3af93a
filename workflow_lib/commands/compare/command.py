"""Compare two studies: settings, code, versions, data, and every number of the tables.

    whichloss compare results/first results/second
    whichloss compare results/first results/second --page difference.html

The contents of the two folders are not verified; `whichloss audit` does that.
Exit code 0: all numbers are the same; 1: some differ, or exist on one side only; 2: the two cannot be compared.
"""

import argparse
from pathlib import Path

from workflow_lib.base.files import write_text
from workflow_lib.base.terminal import printable

SUMMARY = "compare two studies number by number"
EXAMPLE = "whichloss compare results/a results/b"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("a", type=Path, help="folder of a study's results")
    parser.add_argument("b", type=Path, help="folder of another study's results")
    parser.add_argument("--page", type=Path, help="also write the comparison as one self-contained HTML page")


def run(arguments: argparse.Namespace) -> int:
    """Compare the given folders."""
    # Imported here, because it takes a second that --help does not need.
    from workflow_lib.commands.compare.compare import compare
    from workflow_lib.commands.compare.describe import text
    from workflow_lib.report.page import render

    found = compare(arguments.a, arguments.b)
    if arguments.page is not None:
        page = render(found, template="compare.html.j2")
        # A name in untrusted results may contain an unpaired surrogate.
        write_text(arguments.page, page.encode("utf-8", "replace").decode("utf-8"))
    print(printable(text(found)))
    return int(found["status"])
