"""Scores with other rules for empty masks, for the sensitivity analyses."""

import pandas as pd

from workflow_lib.metrics.interface import BOTH_EMPTY, EMPTY_PREDICTION


def both_empty_one(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the scores with a DSC of 1 if both masks are empty."""
    return frame.assign(dsc=frame["dsc"].mask(frame["note"] == BOTH_EMPTY, 1.0))


def without_missed(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the scores with an undefined DSC for empty predictions."""
    return frame.assign(dsc=frame["dsc"].mask(frame["note"] == EMPTY_PREDICTION))
