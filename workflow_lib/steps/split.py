"""Assign every case of a dataset to a fold, once for all losses."""

from workflow_lib.cases import assign_folds, write_folds
from workflow_lib.steps._command import Context, run
from workflow_lib.steps._study import read_cases


def work(context: Context) -> None:
    """Write the fold table."""
    cases = read_cases(context.path("cases")).cases
    write_folds(context.path("folds"), assign_folds(list(cases), context.settings["folds"], context.settings["seed"]))


if __name__ == "__main__":
    run("split", __doc__, work, inputs=["cases"], outputs=["folds"])
