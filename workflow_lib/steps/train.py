"""Train the network with one loss on one fold, or resume a training that was stopped."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from workflow_lib.base.errors import UserError
from workflow_lib.base.files import canonical_json, sha256_text
from workflow_lib.datasets.folds import read_folds, split_cases
from workflow_lib.host import gpus
from workflow_lib.images.selection import read_cases
from workflow_lib.losses import registry
from workflow_lib.preprocessing.store import Store
from workflow_lib.provenance.fingerprints import source_digest
from workflow_lib.provenance.records import digest
from workflow_lib.steps.command import Context, run, say
from workflow_lib.study.settings.train import Settings
from workflow_lib.training import checkpoints, loop
from workflow_lib.training.request import TrainingRequest

INPUTS = ("cases", "folds", "stores")
"""Inputs whose content is part of the name of a training's state."""


def work(context: Context[Settings]) -> Callable[[], None]:
    """Write weights, history and summary. The state of an unfinished training remains in the folder `checkpoints`.

    Returns a function that removes that state or keeps its last part, to be called after the outputs are complete.
    """
    settings, training = context.settings, context.settings.training
    gpus.take(max(context.numbers["gpus"], training.gpus if training.gpus > 1 else 0))
    _read_loss_files(context)
    study = read_cases(context.path("cases"))
    split = split_cases(read_folds(context.path("folds")), settings.fold)
    store = Store(context.paths["stores"])
    for case in [*split.training, *split.validation]:
        store.verify(case)
    inputs = {name: [digest(path)["sha256"] for path in context.paths[name]] for name in INPUTS}
    fingerprint, lineage = with_inputs(context.fingerprint, inputs), with_inputs(context.texts["lineage"], inputs)
    state = context.path("checkpoints") / folder_name(lineage)
    keep_state = bool(context.numbers["keep-state"])
    done = checkpoints.prepare(state, training.epochs)
    if done:
        say(f"the training of {done} epochs that was finished before goes on to {training.epochs}")
    result = loop.train(
        TrainingRequest(
            dataset=settings.dataset,
            loss=settings.loss.name,
            loss_type=settings.loss.loss,
            parameters=settings.loss.parameters,
            fold=settings.fold,
            seed=settings.seed,
            n_classes=study.labels.n_classes,
            channels=study.channels,
            store=store,
            training_cases=split.training,
            validation_cases=split.validation,
            network=settings.network,
            training=training,
            augmentation=settings.augmentation,
            output=context.path("weights").parent,
            checkpoints=state,
            fingerprint=fingerprint,
            events=context.path("events") if context.paths["events"] else None,
            checkpoint_minutes=context.numbers["checkpoint-seconds"] / 60,
            workers=context.workers,
            batch_processes=context.numbers["batch-processes"],
            gpus=context.numbers["gpus"],
            lineage=lineage,
            keep_state=keep_state,
        )
    )

    def end_state() -> None:
        checkpoints.forget_kept(state)
        if keep_state and not result.record["diverged"]:
            checkpoints.keep(state, training.epochs)
        else:
            checkpoints.clear(state)
        _remove_empty(context.path("checkpoints"))

    return end_state


def _read_loss_files(context: Context[Settings]) -> None:
    """Load the user's losses. Raises UserError unless they are those of the settings."""
    wanted = context.settings.loss.files
    given = {registry.load_file(path): source_digest(path) for path in context.paths["loss-files"]}
    for name, code in wanted.items():
        if given.get(name) != code:
            change = "is not given (--loss-files)" if name not in given else "has changed since this training was planned"
            raise UserError(f"The file of the loss {name!r} {change}. Start Snakemake again, so that it is planned as it is now.")


def _remove_empty(folder: Path) -> None:
    """Remove <dataset>/<loss>/fold_<k> as far as they are empty."""
    for level in (folder, *folder.parents[:3]):
        try:
            level.rmdir()
        except OSError:
            return


def with_inputs(fingerprint: str, inputs: Mapping[str, Sequence[str]]) -> str:
    """Return the digest of settings, code (the fingerprint, or the lineage) and the content of the inputs."""
    return sha256_text(canonical_json({"fingerprint": fingerprint, "inputs": inputs}))


def folder_name(lineage: str) -> str:
    """Return the name of the folder that holds the state of trainings with this lineage, inputs included."""
    return lineage[:16]


if __name__ == "__main__":
    run("train", __doc__, work, Settings)
