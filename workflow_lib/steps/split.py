"""Divide the cases of a dataset into folds, or into training, validation and test cases, once for all losses."""

from collections import Counter

from workflow_lib.base.errors import UserError
from workflow_lib.base.files import sha256_file
from workflow_lib.datasets.division import divide, names_without_case, read_groups, read_table
from workflow_lib.datasets.folds import write_folds
from workflow_lib.images.selection import read_cases
from workflow_lib.steps.command import Context, run, say
from workflow_lib.study.settings.split import Settings


def work(context: Context[Settings]) -> None:
    """Write the fold table; `groups` and `table` are CSV files of the user, if there are any."""
    study = read_cases(context.path("cases"))
    cases = list(study.cases.values())
    groups = next((read_groups(path) for path in context.paths["groups"]), None)
    warning = names_without_case(groups, cases) if groups else ""
    if warning:
        say(f"warning: {warning}")
    table = next((read_table(path) for path in context.paths["table"]), None)
    _require_planned(context)
    places = divide(cases, context.settings.cross_validation, context.settings.seed, groups, table, study.similar)
    write_folds(context.path("folds"), places)
    sizes = Counter(place.part or f"fold {place.fold}" for place in places.values())
    say(", ".join(f"{name}: {sizes[name]}" for name in sorted(sizes)))


def _require_planned(context: Context[Settings]) -> None:
    """Raise UserError unless the user's files are those of the settings."""
    for name, digest in context.settings.division_files.items():
        if [sha256_file(path) for path in context.paths[name]] != [digest]:
            raise UserError(
                f"The file of {name} has changed since this division was planned. Start Snakemake again, so that it is planned "
                "as it is now."
            )


if __name__ == "__main__":
    run("split", __doc__, work, Settings)
