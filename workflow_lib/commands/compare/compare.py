"""Two folders, read and compared."""

from pathlib import Path
from typing import Any

from workflow_lib.base.errors import UserError
from workflow_lib.commands.compare.describe import describe
from workflow_lib.commands.compare.sides import read


def compare(a: Path, b: Path) -> dict[str, Any]:
    """Return the comparison of two folders. Raises UserError where one is none, or holds what no step writes."""
    sides = read(a), read(b)
    try:
        return describe(*sides)
    except (TypeError, KeyError, ValueError, AttributeError, RecursionError) as error:  # what is read was made by a stranger
        raise UserError(
            f"{a} and {b} cannot be compared: one holds settings or tables that no step writes ({repr(error)[:300]})"
        ) from None
