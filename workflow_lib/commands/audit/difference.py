"""Describe the difference between two weight files, one of which is untrusted."""

from collections.abc import Iterator
from pathlib import Path

from workflow_lib.base.errors import UserError
from workflow_lib.commands.audit import weights


def check(stored: Path, made: Path) -> Iterator[str]:
    """Yield one line: the largest difference between the weights of two files, or why it is unknown."""
    try:
        largest = weights.largest_difference(weights.read(stored), weights.read(made))
    except UserError as error:
        yield f"the stored weights: {error}"
        return
    yield "they are weights of another network" if largest is None else f"weights differ by {largest:.3g} at most"
