"""The labels of the metrics of the paper, for tables and figures.

The metrics are imported explicitly, so that tables and figures do not depend on other metrics.
"""

from workflow_lib.metrics import dsc, precision, recall

LABELS = {metric.NAME: metric.LABEL for metric in (dsc, precision, recall)}
"""Name -> label of the metrics in `registry.PAPER`, in that order."""
