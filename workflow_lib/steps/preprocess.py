"""Clip, normalise and resample the cases of one shard, once for all losses and folds."""

from pathlib import Path

from workflow_lib.base.errors import UserError
from workflow_lib.base.files import atomic_folder
from workflow_lib.images import inspected
from workflow_lib.images.selection import Cases, read_cases
from workflow_lib.preprocessing import pipeline, store
from workflow_lib.steps.command import Context, Countdown, run
from workflow_lib.study.sections.preprocessing import Preprocessing
from workflow_lib.study.settings.preprocess import Settings


def work(context: Context[Settings]) -> None:
    """Write the shard's folder of the store: every n-th case, n being the number of shards."""
    settings = context.settings
    study = read_cases(context.path("cases"))
    mine = sorted(study.cases)[settings.shard - 1 :: settings.shards]
    countdown = Countdown()
    with atomic_folder(context.path("store")) as folder:
        for number, name in enumerate(mine, start=1):
            try:
                _preprocess(study, name, settings.preprocessing, folder)
            except UserError as error:
                raise UserError(f"{name}: {error}") from error
            countdown.say(number, len(mine), name)
        store.write_index(folder)


def _preprocess(study: Cases, name: str, settings: Preprocessing, folder: Path) -> None:
    case, image, mask = study.cases[name], inspected.image(study, name), inspected.mask(study, name)
    data, classes = pipeline.preprocess(image.data, mask, image.spacing, settings, study.labels, image.orientation)
    geometry = store.Geometry(
        original_shape=mask.shape,
        spacing=image.spacing,
        image_source=case.images[0].as_posix(),
        mask_source=case.masks[0].as_posix(),
        header=image.header,
        orientation=image.orientation,
    )
    store.write_case(folder, case.id, data, classes, geometry)


if __name__ == "__main__":
    run("preprocess", __doc__, work, Settings)
