"""Settings of `preprocess`."""

from workflow_lib.study.sections._section import Section
from workflow_lib.study.sections.preprocessing import Preprocessing


class Settings(Section):
    """From the images to what the network sees, for every `shards`-th case, counted from `shard` (1 is the first)."""

    dataset: str
    preprocessing: Preprocessing
    shard: int
    shards: int
