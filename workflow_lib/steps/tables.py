"""Write the paper's tables of a dataset, and compare them with the published numbers."""

from workflow_lib.base.files import read_json
from workflow_lib.base.frames import read_frame
from workflow_lib.images.cases import LabelMap
from workflow_lib.steps.command import Context, run
from workflow_lib.study.settings.tables import Settings
from workflow_lib.tables import published, registry


def work(context: Context[Settings]) -> None:
    """Write every table as CSV, and also as LaTeX if it has that form."""
    settings = context.settings
    study = read_json(context.path("cases"))
    classes = list(LabelMap.from_json(study["label_map"]).names[1:])
    statistics = {path.stem: read_frame(path) for path in context.paths["results"]}
    numbers = published.load(settings.published) if settings.published else None
    tables = registry.build(statistics, settings.protocol, classes, len(study["cases"]), settings.synthetic, numbers)
    folder = context.paths["tables"][0].parent
    labels = {entry["name"]: entry["label"] for entry in settings.protocol["losses"]}
    registry.write(folder, settings.dataset, tables)
    registry.write_latex(folder, settings.dataset, tables, labels, classes)


if __name__ == "__main__":
    run("tables", __doc__, work, Settings)
