"""Settings of `train`."""

from typing import Any

from pydantic import Field

from workflow_lib.study.sections._section import Section
from workflow_lib.study.sections.augmentation import Augmentation
from workflow_lib.study.sections.network import Network
from workflow_lib.study.sections.training import Training


class Loss(Section):
    """The loss of a training.

    Parameters
    ----------
    name : str
        Its name in the study.
    loss : str
        Its name in the registry.
    parameters : dict
        All of them, defaults included.
    files : dict of str to str
        The user's own loss files that it needs, by the digest of what their code computes.
    """

    name: str
    loss: str
    parameters: dict[str, Any]
    files: dict[str, str] = Field(default_factory=dict)


class Settings(Section):
    """One training. `seed` does not depend on the loss: all losses of a fold start alike and see the same patches."""

    dataset: str
    loss: Loss
    fold: int
    seed: int
    augmentation: Augmentation
    network: Network
    training: Training
