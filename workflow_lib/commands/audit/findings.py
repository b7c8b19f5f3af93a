"""The findings of an audit, one per line."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from workflow_lib.base.terminal import printable

State = Literal["fails", "not checked", "note", "holds"]
NEED_IMAGES = "files need the images (--rescore)"
"""End of the line on figures that are only checked with --rescore."""

STATES: tuple[State, ...] = ("fails", "not checked", "note", "holds")
"""In the order in which they are shown. A "note" is not a fault, such as other code or another machine."""


@dataclass(frozen=True)
class Finding:
    """One line of the audit: the subject, whether it holds, and what is wrong or was not checked."""

    subject: str
    state: State
    text: str = ""


def table(found: Sequence[Finding]) -> str:
    """Return the findings as text, what fails first, and a line that counts them."""
    width = max(map(len, STATES))
    lines = [f"{f.state.ljust(width)}  {f.subject}: {f.text}" for state in STATES for f in found if f.state == state]
    counts = ", ".join(f"{sum(f.state == state for f in found)} {state}" for state in STATES)
    return printable("\n".join([*lines, "", counts]))
