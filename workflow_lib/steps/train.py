"""Train the network with one loss on one fold, or go on with a training that was stopped."""

from collections.abc import Callable
from pathlib import Path

from workflow_lib.errors import UserError
from workflow_lib.files import canonical_json, sha256_text
from workflow_lib.folds import read_folds, split_cases
from workflow_lib.losses import registry
from workflow_lib.preprocessing.store import Store
from workflow_lib.provenance.fingerprints import source_digest
from workflow_lib.provenance.records import digest
from workflow_lib.sections.augmentation import Augmentation
from workflow_lib.sections.network import Network
from workflow_lib.sections.training import Training
from workflow_lib.steps._command import Context, run
from workflow_lib.steps._study import read_cases
from workflow_lib.training import checkpoints, loop
from workflow_lib.training.request import TrainingRequest


def work(context: Context) -> Callable[[], None]:
    """Write weights, history and summary. The state of an unfinished training stays in the folder `checkpoints`.

    Returns what removes that state, to be called when the outputs cannot be lost any more.
    """
    settings = context.settings
    _read_loss_files(context)
    study = read_cases(context.path("cases"))
    split = split_cases(read_folds(context.path("folds")), settings["fold"])
    store = Store(context.paths["stores"])
    for case in [*split.training, *split.validation]:
        store.verify(case)
    fingerprint = _fingerprint_with_inputs(context)
    state = context.path("checkpoints") / fingerprint[:16]
    loop.train(
        TrainingRequest(
            dataset=settings["dataset"],
            loss=settings["loss"]["name"],
            loss_type=settings["loss"]["loss"],
            parameters=settings["loss"]["parameters"],
            fold=settings["fold"],
            seed=settings["seed"],
            n_classes=study.labels.n_classes,
            channels=study.channels,
            store=store,
            training_cases=split.training,
            validation_cases=split.validation,
            network=Network.model_validate(settings["network"]),
            training=Training.model_validate(settings["training"]),
            augmentation=Augmentation.model_validate(settings["augmentation"]),
            output=context.path("weights").parent,
            checkpoints=state,
            fingerprint=fingerprint,
            events=context.path("events") if context.paths["events"] else None,
            checkpoint_minutes=context.numbers["checkpoint-seconds"] / 60,
            workers=context.workers,
            batch_processes=context.numbers["batch-processes"],
            gpus=context.numbers["gpus"],
        )
    )

    def remove_state() -> None:
        checkpoints.clear(state)
        _remove_empty(context.path("checkpoints"))

    return remove_state


def _read_loss_files(context: Context) -> None:
    """Make the losses of the user's own known. Raises UserError unless they are those that the settings speak of."""
    wanted = context.settings["loss"].get("files", {})
    given = {registry.load_file(path): source_digest(path) for path in context.paths["loss-files"]}
    for name, code in wanted.items():
        if given.get(name) != code:
            change = "is not given (--loss-files)" if name not in given else "has changed since this training was planned"
            raise UserError(f"The file of the loss {name!r} {change}. Start Snakemake again, so that it is planned as it is now.")


def _remove_empty(folder: Path) -> None:
    """Remove <dataset>/<loss>/fold_<k> as far as nothing lies in them."""
    for level in (folder, *folder.parents[:3]):
        try:
            level.rmdir()
        except OSError:
            return


def _fingerprint_with_inputs(context: Context) -> str:
    """Return the digest that names the checkpoints: settings, code, and the content of the inputs."""
    inputs = {name: [digest(path)["sha256"] for path in context.paths[name]] for name in ("cases", "folds", "stores")}
    return sha256_text(canonical_json({"fingerprint": context.fingerprint, "inputs": inputs}))


if __name__ == "__main__":
    run(
        "train",
        __doc__,
        work,
        inputs=["cases", "folds", "stores+", "loss-files+"],
        outputs=["weights", "history", "summary", "checkpoints?", "events?"],
        numbers=["checkpoint-seconds", "batch-processes", "gpus"],
    )
