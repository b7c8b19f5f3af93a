"""Comparison of loss functions for class-imbalanced medical image segmentation."""
