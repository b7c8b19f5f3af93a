"""Faults that a user can correct, reported without a traceback."""

from collections.abc import Sequence


class UserError(Exception):
    """A fault with its place and remedy, in words for the user."""


class Faults(UserError):
    """Several faults that are reported together, so that the user can correct all of them before the next run."""

    def __init__(self, heading: str, faults: Sequence[str]) -> None:
        self.heading = heading
        self.faults = list(faults)
        super().__init__("\n".join([heading, *(f"  - {fault}" for fault in self.faults)]))

    def __reduce__(self) -> tuple[type["Faults"], tuple[str, list[str]]]:
        """Support pickling, which transfers exceptions between processes."""
        return Faults, (self.heading, self.faults)
