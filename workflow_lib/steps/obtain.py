"""Find, download or generate the files of a dataset, and list where each case's files lie."""

from pathlib import Path

from workflow_lib.datasets import download, phantom, registry
from workflow_lib.files import write_json
from workflow_lib.sections.phantom import Phantom
from workflow_lib.steps._command import Context, run, say


def work(context: Context) -> None:
    """Write `files`: the label map and every case's image and mask paths."""
    settings = context.settings
    root = Path(settings["root"]).expanduser()
    options = {"channels": settings["channels"]}
    if settings["source"] == "phantom":
        phantom.generate(Phantom.model_validate(settings["phantom"]), root, progress=say)
    elif settings["source"] == "download":
        download.download_dataset(settings["format"], root, settings["url"], progress=say)
    cases = registry.find_cases(settings["format"], root, options)
    content = {
        "format": settings["format"],
        "synthetic": settings["source"] == "phantom",
        "label_map": registry.label_map(settings["format"], root, options).to_json(),
        "cases": [{"id": case.id, "images": [_text(path) for path in case.images], "mask": _text(case.mask)} for case in cases],
    }
    write_json(context.path("files"), content)
    say(f"{len(cases)} cases under {root}")


def _text(path: Path) -> str:
    return path.as_posix()


if __name__ == "__main__":
    run("obtain", __doc__, work, inputs=[], outputs=["files"])
