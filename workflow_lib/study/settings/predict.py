"""Settings of `predict`."""

from workflow_lib.study.sections.network import Network
from workflow_lib.study.sections.prediction import Prediction
from workflow_lib.study.sections.preprocessing import Preprocessing
from workflow_lib.study.sections.section import Section


class Settings(Section):
    """The prediction of the cases of one fold."""

    dataset: str
    loss: str
    fold: int
    patch: tuple[int, ...]
    threads: int
    deterministic: bool
    network: Network
    prediction: Prediction
    preprocessing: Preprocessing
