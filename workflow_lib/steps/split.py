"""Divide the cases of a dataset into folds, or into training, validation and test cases, once for all losses."""

from collections import Counter

from workflow_lib.division import divide, read_groups, read_table
from workflow_lib.folds import write_folds
from workflow_lib.sections.cross_validation import CrossValidation
from workflow_lib.steps._command import Context, run, say
from workflow_lib.steps._study import read_cases


def work(context: Context) -> None:
    """Write the fold table; `groups` and `table` are CSV files of the user's own, if there are any."""
    cases = list(read_cases(context.path("cases")).cases.values())
    groups = next((read_groups(path) for path in context.paths["groups"]), None)
    table = next((read_table(path) for path in context.paths["table"]), None)
    settings = CrossValidation.model_validate(context.settings["cross_validation"])
    places = divide(cases, settings, context.settings["seed"], groups, table)
    write_folds(context.path("folds"), places)
    sizes = Counter(place.part or f"fold {place.fold}" for place in places.values())
    say(", ".join(f"{name}: {sizes[name]}" for name in sorted(sizes)))


if __name__ == "__main__":
    run("split", __doc__, work, inputs=["cases", "groups?", "table?"], outputs=["folds"])
