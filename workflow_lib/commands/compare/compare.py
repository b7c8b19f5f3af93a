"""Read and compare two folders of results."""

from pathlib import Path
from typing import Any

from workflow_lib.base.errors import UserError
from workflow_lib.commands.compare.describe import describe
from workflow_lib.commands.compare.sides import read


def compare(a: Path, b: Path) -> dict[str, Any]:
    """Return the comparison of two folders. Raises UserError if one is not a folder of results or has invalid content."""
    sides = read(a), read(b)
    try:
        return describe(*sides)
    except (TypeError, KeyError, ValueError, AttributeError, RecursionError) as error:  # the content is untrusted
        raise UserError(
            f"{a} and {b} cannot be compared: the settings or tables of one are invalid ({repr(error)[:300]})"
        ) from None
