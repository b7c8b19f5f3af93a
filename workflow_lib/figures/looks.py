"""Which of the looks of `style` each loss has, as a number. Without matplotlib, so that the plan of a study can determine it."""

from collections.abc import Iterable

LOOKS = 64
"""The number of losses that have different looks."""

_FIXED = {
    "cross_entropy": 0,
    "focal": 1,
    "dice": 2,
    "tversky": 3,
    "cosine_tversky": 4,
    "focal_tversky": 5,
    "combo": 6,
    "mixed_focal": 7,
}


def look_numbers(names: Iterable[str]) -> dict[str, int]:
    """Return the number of the look of each loss, in the order of `names`, each another one.

    The paper's losses and cross entropy have theirs in every study; the others take the free ones in the order of `names`, so
    pass the whole list of a study. Raises ValueError when there are more losses than looks.
    """
    ordered = list(dict.fromkeys(names))
    if len(ordered) > LOOKS:
        raise ValueError(f"more than {LOOKS} losses in one figure")
    taken = {_FIXED[name] for name in ordered if name in _FIXED}
    free = (number for number in range(LOOKS) if number not in taken)
    return {name: _FIXED[name] if name in _FIXED else next(free) for name in ordered}
