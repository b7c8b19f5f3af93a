"""Settings of `cases_page`."""

from workflow_lib.study.settings.check import Settings as Check


class Settings(Check):
    """The settings of `check`, and additional settings of the page.

    Parameters
    ----------
    seed : int
        Seed of the jitter of points.
    captions : str
        Digest of the texts of the figure.
    """

    label: str
    seed: int
    captions: str
