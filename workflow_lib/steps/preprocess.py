"""Clip, normalise and resample the cases of one shard, once for all losses and folds."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from workflow_lib.cases import Case, LabelMap
from workflow_lib.errors import UserError
from workflow_lib.files import atomic_folder, sha256_file
from workflow_lib.preprocessing import pipeline, store
from workflow_lib.sections.preprocessing import Preprocessing
from workflow_lib.steps._command import Context, run, say
from workflow_lib.steps._study import read_cases
from workflow_lib.volumes import read_volume


def work(context: Context) -> None:
    """Write the shard's folder of the store: every n-th case, n being the number of shards."""
    settings = context.settings
    study = read_cases(context.path("cases"))
    mine = sorted(study.cases)[settings["shard"] - 1 :: settings["shards"]]
    preprocessing = Preprocessing.model_validate(settings["preprocessing"])
    with atomic_folder(context.path("store")) as folder:
        for number, name in enumerate(mine, start=1):
            try:
                _verify(study.cases[name], study.digests)
                _preprocess(study.cases[name], study.labels, preprocessing, folder)
            except UserError as error:
                raise UserError(f"{name}: {error}") from error
            say(f"{number}/{len(mine)} {name}")
        store.write_index(folder)


def _verify(case: Case, digests: Mapping[Path, str]) -> None:
    for path in (*case.images, case.mask):
        if not path.is_file() or sha256_file(path) != digests[path]:
            raise UserError(
                f"{path} is missing or has changed since it was checked. Put it back, or check the dataset again: "
                "snakemake --forcerun check ..."
            )


def _preprocess(case: Case, labels: LabelMap, settings: Preprocessing, folder: Path) -> None:
    channels = [read_volume(path) for path in case.images]
    first = channels[0]
    mask = read_volume(case.mask).data
    # One channel, the usual case, is not copied.
    raw = first.data[..., np.newaxis] if len(channels) == 1 else np.stack([volume.data for volume in channels], axis=-1)
    image, classes = pipeline.preprocess(raw, mask, first.spacing, settings, labels)
    geometry = store.Geometry(
        original_shape=first.data.shape,
        spacing=first.spacing,
        image_source=case.images[0].as_posix(),
        mask_source=case.mask.as_posix(),
    )
    store.write_case(folder, case.id, image, classes, geometry)


if __name__ == "__main__":
    run("preprocess", __doc__, work, inputs=["cases"], outputs=["store"])
