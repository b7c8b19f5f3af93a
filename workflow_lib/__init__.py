"""Comparison of loss functions for class-imbalanced medical image segmentation."""

__version__ = "0.1.0"
