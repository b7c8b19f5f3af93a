"""The number of the style of each loss in figures (see `style`).

The module does not import matplotlib, because the plan of a study also uses it.
"""

from collections.abc import Iterable

LOOKS = 64
"""The number of different styles."""

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
    """Return a different style number for each loss, in the order of `names`.

    The losses of the paper and cross entropy have the same number in every study. The others get the free
    numbers in the order of `names`, so pass all losses of the study. Raises ValueError if there are more
    losses than styles.
    """
    ordered = list(dict.fromkeys(names))
    if len(ordered) > LOOKS:
        raise ValueError(f"more than {LOOKS} losses in one figure")
    taken = {_FIXED[name] for name in ordered if name in _FIXED}
    free = (number for number in range(LOOKS) if number not in taken)
    return {name: _FIXED[name] if name in _FIXED else next(free) for name in ordered}
