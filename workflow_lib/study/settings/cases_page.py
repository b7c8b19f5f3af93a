"""Settings of `cases_page`."""

from workflow_lib.study.settings.check import Settings as Check


class Settings(Check):
    """Those of `check`, and what the page shows beside.

    Parameters
    ----------
    seed : int
        Seed of the scatter of points.
    captions : str
        Digest of the texts beside the figure.
    """

    label: str
    seed: int
    captions: str
