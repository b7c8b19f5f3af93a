"""Draw the figures that show the losses themselves: their family, and the effect of gamma."""

from workflow_lib.figures import gamma_curves, loss_families, style
from workflow_lib.losses.registry import Node
from workflow_lib.steps._command import Context, run


def work(context: Context) -> None:
    """Write both figures as SVG and PNG."""
    folder = context.paths["figures"][0].parent
    nodes = [Node(**{**node, "built_from": tuple(node["built_from"])}) for node in context.settings["losses"]]
    style.save(loss_families.draw(nodes, context.settings["trained"]), folder / "loss_families")
    style.save(gamma_curves.draw(), folder / "gamma_curves")


if __name__ == "__main__":
    run("figures_losses", __doc__, work)
