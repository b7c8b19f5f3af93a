"""The labels of the paper's metrics, for tables and figures: imported by name, so that these depend on no other metric."""

from workflow_lib.metrics import dsc, precision, recall

LABELS = {metric.NAME: metric.LABEL for metric in (dsc, precision, recall)}
"""Name of each metric of `registry.PAPER` to its label, in that order."""
