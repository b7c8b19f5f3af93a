"""Faults that a user can correct, reported without a traceback."""

from collections.abc import Sequence


class UserError(Exception):
    """What is wrong, where, and what to do about it, in words for the person who runs the study."""


class Faults(UserError):
    """Several faults found in one look, so that nobody mends them one run at a time."""

    def __init__(self, heading: str, faults: Sequence[str]) -> None:
        self.heading = heading
        self.faults = list(faults)
        super().__init__("\n".join([heading, *(f"  - {fault}" for fault in self.faults)]))

    def __reduce__(self) -> tuple[type["Faults"], tuple[str, list[str]]]:
        """Let it pass from one process to another."""
        return Faults, (self.heading, self.faults)
