"""Show two folders of results side by side: settings, code, versions, data, and every number of the tables.

    whichloss compare results/first results/second
    whichloss compare results/first results/second --page difference.html

Whether each folder is what it says it is, `whichloss audit` tells.
Exit code 0: every number is the same; 1: some differ, or are on one side only; 2: nothing to compare, or a folder is none.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from workflow_lib.base.errors import UserError
from workflow_lib.base.files import write_text
from workflow_lib.commands.audit.folder import printable
from workflow_lib.commands.compare.describe import NOT_COMPARABLE, describe, text
from workflow_lib.commands.compare.sides import read
from workflow_lib.report.page import render


def compare(a: Path, b: Path) -> dict[str, Any]:
    """Return the comparison of two folders. Raises UserError where one is none, or holds what no step writes."""
    sides = read(a), read(b)
    try:
        return describe(*sides)
    except (TypeError, KeyError, ValueError, AttributeError, RecursionError) as error:  # what is read was made by a stranger
        raise UserError(
            f"{a} and {b} cannot be compared: one holds settings or tables that no step writes ({repr(error)[:300]})"
        ) from None


def main() -> None:
    """Compare the folders that the arguments name."""
    parser = argparse.ArgumentParser(
        prog="whichloss compare", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("a", type=Path, help="folder of a study's results")
    parser.add_argument("b", type=Path, help="folder of another study's results")
    parser.add_argument("--page", type=Path, help="write the comparison as one self-contained HTML page, too")
    arguments = parser.parse_args()
    try:
        found = compare(arguments.a, arguments.b)
        if arguments.page is not None:
            page = render(found, template="compare.html.j2")
            # A name in the results may hold half a character.
            write_text(arguments.page, page.encode("utf-8", "replace").decode("utf-8"))
    except UserError as error:
        print(f"\n{printable(str(error))}\n", file=sys.stderr)
        sys.exit(NOT_COMPARABLE)
    print(printable(text(found)))
    sys.exit(found["status"])


if __name__ == "__main__":
    main()
