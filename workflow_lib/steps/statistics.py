"""Test the differences between the losses of a dataset, as published and as the same cases allow."""

from workflow_lib.base.frames import write_frame
from workflow_lib.evaluation.scores import read_scores
from workflow_lib.statistics import registry
from workflow_lib.steps.command import Context, run
from workflow_lib.study.settings.statistics import Settings


def work(context: Context[Settings]) -> None:
    """Write one CSV for each kind of statistic, named as the outputs are."""
    settings = context.settings
    tables = registry.compute(
        read_scores(context.path("scores")), settings.losses, settings.statistics.model_dump(), settings.seed
    )
    for path in context.paths["results"]:
        write_frame(path, tables[path.stem])


if __name__ == "__main__":
    run("statistics", __doc__, work, Settings)
