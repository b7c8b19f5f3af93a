"""Draw the DSC over a parameter that the study sweeps."""

from workflow_lib.base.files import read_json, write_json
from workflow_lib.base.frames import read_frame
from workflow_lib.figures import style, sweep
from workflow_lib.figures.text import told_apart
from workflow_lib.statistics.sweeps import find_sweeps
from workflow_lib.steps._command import Context, run


def work(context: Context) -> None:
    """Write the figure as SVG and PNG, and `choice`: its caption."""
    settings = context.settings
    classes = read_json(context.path("cases"))["label_map"]["names"][1:]
    sweeps = find_sweeps(settings["losses"])
    labels = told_apart({entry["name"]: entry["label"] for entry in settings["losses"]})
    colours = style.colours_of(settings["colours"])
    figure = sweep.draw(read_frame(context.path("means")), classes, sweeps, labels, settings["titles"], colours)
    style.save(figure, context.path("texts").with_suffix(""))
    text = sweep.caption(sweeps, settings["label"], settings["titles"])
    write_json(context.path("texts"), {"caption": text, "alt": "Mean DSC per class over the values of the parameter."})


if __name__ == "__main__":
    run("figures_sweep", __doc__, work)
