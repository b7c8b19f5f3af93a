"""Compile the innermost loops of the project with numba, once per machine.

Without fast-math no operation is reordered or fused, so that every processor gives the same numbers. The functions release the
GIL. Modules with such loops are named `_kernels` and are imported inside functions, because importing numba takes half a
second.
"""

from collections.abc import Callable
from typing import TypeVar, cast

from numba import njit

_Function = TypeVar("_Function", bound=Callable[..., None])


def compiled(function: _Function) -> _Function:
    """Return the function compiled at its first call, cached next to its source or in the user's cache folder."""
    try:
        return cast(_Function, njit(nogil=True, cache=True, error_model="numpy")(function))
    except RuntimeError:
        # No cache folder is writable: the function is compiled in every process, which takes some seconds.
        return cast(_Function, njit(nogil=True, error_model="numpy")(function))
