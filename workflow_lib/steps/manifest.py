"""Chain the records of all steps before the report into one manifest, whose SHA-256 is the digest of the study."""

from workflow_lib.base.files import write_json
from workflow_lib.provenance.manifest import build
from workflow_lib.steps._command import Context, run
from workflow_lib.study.settings.manifest import Settings


def work(context: Context[Settings]) -> None:
    """Write `manifest` from the records below `results` that the settings name. Raises Faults where they disagree."""
    folder, records = context.path("results"), context.settings.records
    context.read["results"] = [folder / name for name in records]
    write_json(context.path("manifest"), build(folder, records))


if __name__ == "__main__":
    run("manifest", __doc__, work, Settings)
