"""Draw the figures over a parameter that the study sweeps: all members of the family `figures` that show a sweep."""

from workflow_lib.figures import registry
from workflow_lib.figures.data import Files
from workflow_lib.steps.command import Context, run
from workflow_lib.study.settings.figures_sweep import Settings


def work(context: Context[Settings]) -> None:
    """Write every figure as SVG and PNG, and `texts`: the description and caption of those that have them."""
    data, folder = Files(context.settings.model_dump(mode="json"), context.paths), context.paths["figures"][0].parent
    for name in registry.of_sweep():
        registry.draw(name, data, folder / f"{name}_{context.settings.dataset}")


if __name__ == "__main__":
    run("figures_sweep", __doc__, work, Settings)
