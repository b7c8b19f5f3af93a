"""Segment the cases of a fold with the network that did not see them in training, on their original grids."""

import numpy as np

from workflow_lib.base.files import atomic_folder, read_json, write_json
from workflow_lib.datasets.folds import read_folds, split_cases
from workflow_lib.host import gpus, memory
from workflow_lib.images.casefiles import DIVERGED, prediction_name, write_prediction
from workflow_lib.images.selection import read_cases
from workflow_lib.inference import predict
from workflow_lib.networks import runtime
from workflow_lib.preprocessing.pipeline import restore_labels
from workflow_lib.preprocessing.store import Store
from workflow_lib.steps.command import Context, Countdown, run, say
from workflow_lib.study.settings.predict import Settings


def work(context: Context[Settings]) -> None:
    """Write a file per case into the folder `predictions`, with the labels and the geometry of the case's own image.

    No image is opened: the store holds the header of each.

    After a training that diverged, the folder contains only a file that states this.
    """
    settings = context.settings
    diverged = read_json(context.path("summary"))["diverged"]
    if diverged:
        with atomic_folder(context.path("predictions")) as folder:
            write_json(folder / DIVERGED, diverged)
        say("the training diverged, so nothing is predicted")
        return
    study = read_cases(context.path("cases"))
    names = split_cases(read_folds(context.path("folds")), settings.fold).test
    store = Store(context.paths["stores"])
    prediction, preprocessing = settings.prediction, settings.preprocessing
    gpus.take(context.numbers["gpus"])
    device = runtime.configure_runtime(settings.threads, settings.deterministic, gpus=context.numbers["gpus"])
    countdown = Countdown()
    with (
        memory.explained(lambda: predict.exhausted(device), lambda: predict.exhausted("cpu")),
        atomic_folder(context.path("predictions")) as folder,
    ):
        model = predict.load_model(
            context.path("weights"),
            study.labels.n_classes,
            study.channels,
            settings.patch,
            settings.network,
        )
        for number, name in enumerate(names, start=1):
            case = store[name]
            classes = predict.predict_case(
                model,
                np.asarray(case.image),
                settings.patch,
                prediction.overlap,
                prediction.batch_size,
                prediction.blending,
            )
            whole = restore_labels(classes, case.original_shape, preprocessing, study.labels.n_classes, case.orientation)
            original = study.cases[name]
            write_prediction(folder / prediction_name(original), study.labels.to_raw(whole), original, case.header)
            countdown.say(number, len(names), name)


if __name__ == "__main__":
    run("predict", __doc__, work, Settings)
