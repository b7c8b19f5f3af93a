"""Augmentation of the training patches: pure functions of arrays, drawn parameters and a generator."""

from workflow_lib.augmentation.patches import PatchSource, augmented_patch, plain_patch
from workflow_lib.augmentation.spatial import OUTSIDE

__all__ = ["OUTSIDE", "PatchSource", "augmented_patch", "plain_patch"]
