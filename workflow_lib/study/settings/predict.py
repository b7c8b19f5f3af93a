"""Settings of `predict`."""

from workflow_lib.study.sections._section import Section
from workflow_lib.study.sections.network import Network
from workflow_lib.study.sections.prediction import Prediction
from workflow_lib.study.sections.preprocessing import Preprocessing


class Settings(Section):
    """Prediction of the cases of one fold."""

    dataset: str
    loss: str
    fold: int
    patch: tuple[int, ...]
    threads: int
    deterministic: bool
    network: Network
    prediction: Prediction
    preprocessing: Preprocessing
