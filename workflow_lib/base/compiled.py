"""How the project compiles its innermost loops: numba, once per machine.

Without fast-math no operation is reordered or fused, so that the same numbers come out on every processor. The interpreter's lock
is released. Modules with such loops are named `_kernels` and imported inside functions: numba takes half a second to import.
"""

from collections.abc import Callable
from typing import TypeVar, cast

from numba import njit

_Function = TypeVar("_Function", bound=Callable[..., None])


def compiled(function: _Function) -> _Function:
    """Return the function compiled at its first call, and kept beside its source or in the user's cache folder."""
    try:
        return cast(_Function, njit(nogil=True, cache=True, error_model="numpy")(function))
    except RuntimeError:
        # No folder can be written: compiled anew in every process, which takes some seconds.
        return cast(_Function, njit(nogil=True, error_model="numpy")(function))
