"""MIScnn 1.4.0 on the installed stack: the stand-ins without which it cannot be imported or called there.

- `tensorflow_addons`, which one of its networks imports and no comparison needs, is an empty module.
- Where TensorFlow shall stay out of the process, so that memory is that of the work, its package is entered without its __init__.
- batchgenerators 0.25.5 has lost the argument `cval` of its label function, which MIScnn passes as 0; it is dropped on the way.
"""

import importlib.util
import sys
import types
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from workflow_lib.networks import runtime


def allow_import() -> None:
    """Make MIScnn importable, with TensorFlow and its messages kept quiet."""
    sys.modules.setdefault("tensorflow_addons", types.ModuleType("tensorflow_addons"))
    runtime.import_keras()


def allow_import_without_tensorflow() -> None:
    """Make those parts of MIScnn importable that do not need TensorFlow. For a process of its own: it stays so."""
    spec = importlib.util.find_spec("miscnn")
    if spec is None or spec.submodule_search_locations is None:
        raise SystemExit("MIScnn is not installed in this environment; make venv installs it.")
    package = types.ModuleType("miscnn")
    package.__path__ = list(spec.submodule_search_locations)
    sys.modules["miscnn"] = package


def subfunctions(clip: Sequence[float], spacing: Sequence[float]) -> tuple[Any, Any, Any]:
    """Return MIScnn's subfunctions Clipping, Normalization and Resampling. One of the above comes first."""
    from miscnn.processing.subfunctions import clipping, normalization, resampling

    return clipping.Clipping(*clip), normalization.Normalization(), fitted(resampling).Resampling(tuple(spacing))


def fitted(resampling: Any) -> Any:
    """Fit MIScnn's module to the installed batchgenerators, once, and return it."""
    if not hasattr(resampling, "fitted_to_batchgenerators"):
        resize, augment = resampling.resize_segmentation, resampling.augment_resize
        resampling.resize_segmentation = lambda *arguments, cval=0, **named: resize(*arguments, **named)
        resampling.augment_resize = lambda *arguments, cval_seg=0, **named: augment(*arguments, **named)
        resampling.fitted_to_batchgenerators = True
    return resampling


def load(path: Path) -> np.ndarray:
    """Return a file's voxels as MIScnn's NIfTI interface loads them: float64, channels last."""
    import nibabel

    loaded: Any = nibabel.load(path)
    values: np.ndarray = loaded.get_fdata()[..., np.newaxis]
    return values


def sample(image: np.ndarray, mask: np.ndarray | None, spacing: Sequence[float], shape: Sequence[int]) -> SimpleNamespace:
    """Return what MIScnn's subfunctions take for a sample."""
    extended = {"spacing": np.array(spacing), "original_shape": tuple(shape)}
    return SimpleNamespace(img_data=image, seg_data=mask, extended=extended, get_extended_data=lambda: extended)
