"""Scores under other rules for empty masks, for the tables on other choices."""

import pandas as pd

from workflow_lib.metrics.interface import BOTH_EMPTY, EMPTY_PREDICTION


def both_empty_one(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the scores with a DSC of 1 where both masks are empty."""
    return frame.assign(dsc=frame["dsc"].mask(frame["note"] == BOTH_EMPTY, 1.0))


def without_missed(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the scores without a DSC where the prediction is empty."""
    return frame.assign(dsc=frame["dsc"].mask(frame["note"] == EMPTY_PREDICTION))
