"""Find, download or generate the files of a dataset, and list the files of each case."""

from dataclasses import replace
from pathlib import Path

from workflow_lib.base.files import write_json
from workflow_lib.datasets.download import dataset as download
from workflow_lib.datasets.formats import registry
from workflow_lib.datasets.formats.layouts import hidden_images
from workflow_lib.datasets.phantoms import generate as phantom
from workflow_lib.steps.command import Context, run, say
from workflow_lib.study.settings.obtain import Settings


def work(context: Context[Settings]) -> None:
    """Write `files`: the label map, how files are read, and every case's image and mask paths."""
    settings = context.settings
    root = Path(settings.root).expanduser()
    if settings.phantom is not None:
        phantom.generate(settings.phantom, root, progress=say)
    elif settings.source == "download":
        download.download_dataset(settings.format, root, settings.url, progress=say)
    cases = registry.find_cases(settings.format, root, settings.options)
    content = {
        "format": settings.format,
        "synthetic": settings.source == "phantom",
        "label_map": registry.label_map(settings.format, root, settings.options).to_json(),
        "reading": replace(registry.reading(settings.format, root, settings.options), flat=settings.axes == 2).to_json(),
        "group": registry.get(settings.format).GROUP,
        "cases": [case.to_json() for case in cases],
    }
    hidden = hidden_images(root) if settings.source == "folder" else []
    if hidden:
        shown = ", ".join(path.relative_to(root).as_posix() for path in hidden[:3]) + (", ..." if len(hidden) > 3 else "")
        remark = f"{len(hidden)} hidden files, whose names begin with a dot, are not read: {shown}."
        content["remarks"] = [remark]
        say(remark)
    write_json(context.path("files"), content)
    say(f"{len(cases)} cases under {root}")


if __name__ == "__main__":
    run("obtain", __doc__, work, Settings)
