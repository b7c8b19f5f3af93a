"""Draw the figures of the loss functions: all members of the family `figures` that show losses."""

from workflow_lib.figures import registry
from workflow_lib.figures.interface import LossesData
from workflow_lib.steps.command import Context, run
from workflow_lib.study.settings.figures_losses import Settings


def work(context: Context[Settings]) -> None:
    """Write every figure as SVG and PNG."""
    data, folder = LossesData(context.settings.model_dump(mode="json")), context.paths["figures"][0].parent
    for name in registry.of_losses():
        registry.draw(name, data, folder / name)


if __name__ == "__main__":
    run("figures_losses", __doc__, work, Settings)
