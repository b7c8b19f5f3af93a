"""Show two folders of results side by side: settings, code, versions, data, and every number of the tables.

    whichloss compare results/first results/second
    whichloss compare results/first results/second --page difference.html

Whether each folder is what it says it is, `whichloss audit` checks.
Exit code 0: every number is the same; 1: some differ, or are on one side only; 2: nothing to compare, or a folder is none.
"""

import argparse
from pathlib import Path

from workflow_lib.base.files import write_text
from workflow_lib.base.terminal import printable

SUMMARY = "two studies side by side, number by number"
EXAMPLE = "whichloss compare results/a results/b"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("a", type=Path, help="folder of a study's results")
    parser.add_argument("b", type=Path, help="folder of another study's results")
    parser.add_argument("--page", type=Path, help="write the comparison as one self-contained HTML page, too")


def run(arguments: argparse.Namespace) -> int:
    """Compare the folders that the arguments name."""
    # Imported here: it takes a second, which the help need not wait for.
    from workflow_lib.commands.compare.compare import compare
    from workflow_lib.commands.compare.describe import text
    from workflow_lib.report.page import render

    found = compare(arguments.a, arguments.b)
    if arguments.page is not None:
        page = render(found, template="compare.html.j2")
        # A name in the results may hold half a character.
        write_text(arguments.page, page.encode("utf-8", "replace").decode("utf-8"))
    print(printable(text(found)))
    return int(found["status"])
