"""Settings of `preprocess`."""

from workflow_lib.study.sections.preprocessing import Preprocessing
from workflow_lib.study.sections.section import Section


class Settings(Section):
    """The preprocessing of every `shards`-th case, starting with case number `shard` (from 1)."""

    dataset: str
    preprocessing: Preprocessing
    shard: int
    shards: int
