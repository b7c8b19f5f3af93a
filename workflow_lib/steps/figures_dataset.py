"""Draw the figures of a dataset: all members of the family `figures` that show one dataset."""

from collections.abc import Sequence

from workflow_lib.figures import registry
from workflow_lib.figures.data import Files
from workflow_lib.steps.command import Context, run, say
from workflow_lib.study.settings.figures_dataset import Settings


def work(context: Context[Settings]) -> None:
    """Write every figure as SVG and PNG, and `texts`: the description and caption of those that have them."""
    draw_numbers(context)
    draw_images(context)


def draw_numbers(context: Context[Settings]) -> None:
    """Draw the figures of scores, statistics and histories, which need no image."""
    _draw(context, registry.with_images(registry.of_dataset(), needed=False))


def draw_images(context: Context[Settings]) -> None:
    """Draw the figures of segmentations, from the images, masks and predictions of the cases they show."""
    _draw(context, registry.with_images(registry.of_dataset()))


def _draw(context: Context[Settings], names: Sequence[str]) -> None:
    data, folder = Files(context.settings.model_dump(mode="json"), context.paths), context.paths["figures"][0].parent
    for name in names:
        registry.draw(name, data, folder / f"{name}_{context.settings.dataset}")
        say(name)


if __name__ == "__main__":
    run("figures_dataset", __doc__, work, Settings)
