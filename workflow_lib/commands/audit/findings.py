"""The findings of an audit, one per line of output."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from workflow_lib.base.terminal import printable

State = Literal["fails", "not checked", "note", "holds"]
NEED_IMAGES = "files need the images (--rescore)"
"""End of the finding on figures that are only checked with --rescore."""

STATES: tuple[State, ...] = ("fails", "not checked", "note", "holds")
"""The states in their order of display. A "note" is not a fault; examples are other code or another machine."""


@dataclass(frozen=True)
class Finding:
    """One finding: the subject, the state of the check, and an explanation."""

    subject: str
    state: State
    text: str = ""


def table(found: Sequence[Finding]) -> str:
    """Return the findings as text, failures first, with a last line that counts them."""
    width = max(map(len, STATES))
    lines = [f"{f.state.ljust(width)}  {f.subject}: {f.text}" for state in STATES for f in found if f.state == state]
    counts = ", ".join(f"{sum(f.state == state for f in found)} {state}" for state in STATES)
    return printable("\n".join([*lines, "", counts]))
