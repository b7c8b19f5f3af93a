"""Clip, normalise and resample the cases of one shard, once for all losses and folds."""

import numpy as np

from workflow_lib.cases import Case, LabelMap
from workflow_lib.config import Preprocessing
from workflow_lib.errors import UserError
from workflow_lib.files import atomic_folder
from workflow_lib.preprocessing import pipeline, store
from workflow_lib.steps._command import Context, run, say
from workflow_lib.steps._study import read_cases
from workflow_lib.volumes import read_volume


def work(context: Context) -> None:
    """Write the shard's folder of the store."""
    settings = context.settings
    study = read_cases(context.path("cases"))
    mine = sorted(study.cases)[settings["shard"] - 1 :: settings["shards"]]
    preprocessing = Preprocessing.model_validate(settings["preprocessing"])
    with atomic_folder(context.path("store")) as folder:
        for number, name in enumerate(mine, start=1):
            try:
                _preprocess(study.cases[name], study.labels, preprocessing, folder)
            except UserError as error:
                raise UserError(f"{name}: {error}") from error
            say(f"{number}/{len(mine)} {name}")
        store.write_index(folder)


if __name__ == "__main__":
    run("preprocess", __doc__, work, inputs=["cases"], outputs=["store"])
