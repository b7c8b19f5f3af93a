"""Settings of `train`."""

from typing import Any

from pydantic import Field

from workflow_lib.study.sections.augmentation import Augmentation
from workflow_lib.study.sections.network import Network
from workflow_lib.study.sections.section import Section
from workflow_lib.study.sections.training import Training


class Loss(Section):
    """The loss of a training.

    Parameters
    ----------
    name : str
        Name in the study.
    loss : str
        Name in the registry.
    parameters : dict
        All parameters, including the defaults.
    files : dict of str to str
        The user's loss files that the loss needs, with digests of their code.
    """

    name: str
    loss: str
    parameters: dict[str, Any]
    files: dict[str, str] = Field(default_factory=dict)


class Settings(Section):
    """One training.

    `seed` does not depend on the loss, so that all losses of a fold have the same initial weights and
    patches.
    """

    dataset: str
    loss: Loss
    fold: int
    seed: int
    augmentation: Augmentation
    network: Network
    training: Training
