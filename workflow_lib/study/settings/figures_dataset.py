"""Settings of `figures_dataset`."""

from workflow_lib.study.sections.section import Section


class Named(Section):
    """A loss and its label."""

    name: str
    label: str


class Settings(Section):
    """The figures of one dataset.

    Parameters
    ----------
    colours : dict of str to int
        Loss -> number of its style.
    ct : bool
        Whether images are displayed with the soft-tissue window.
    """

    dataset: str
    label: str
    losses: list[Named]
    colours: dict[str, int]
    figure_case: str | None
    field_of_view: bool
    ct: bool
    seed: int
