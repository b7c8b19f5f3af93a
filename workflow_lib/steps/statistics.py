"""Test the differences between the losses of a dataset, as published and as the same cases allow."""

from workflow_lib.config import Statistics
from workflow_lib.evaluation.scores import read_scores
from workflow_lib.statistics import compute
from workflow_lib.steps._command import Context, run
from workflow_lib.steps._tables import write_frames


def work(context: Context) -> None:
    """Write one CSV for each kind of statistic."""
    settings = context.settings
    frames = compute.compute(
        read_scores(context.path("scores")),
        settings["losses"],
        Statistics.model_validate(settings["statistics"]),
        settings["seed"],
    )
    write_frames(frames, context.paths["results"])


if __name__ == "__main__":
    run("statistics", __doc__, work, inputs=["scores"], outputs=["results+"])
