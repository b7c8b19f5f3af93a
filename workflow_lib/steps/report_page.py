"""Assemble the report: one self-contained HTML page."""

from collections.abc import Callable, Sequence
from pathlib import Path

from workflow_lib.base.files import read_json, sha256_file, write_text
from workflow_lib.base.version import VERSION
from workflow_lib.evaluation.scores import check_references, read_scores
from workflow_lib.provenance import layout
from workflow_lib.provenance.manifest import MANIFEST, sums, write_sums
from workflow_lib.provenance.records import commit
from workflow_lib.report.assemble import build
from workflow_lib.report.study import read_study
from workflow_lib.steps.command import Context, run, say
from workflow_lib.study.settings.report_page import Settings


def work(context: Context[Settings]) -> Callable[[], None]:
    """Write `page` from the files under `results`.

    Returns a function that writes `sums`, the checksums of this run. It is called after the record of this step has been written,
    because they include its checksum.
    """
    folder = context.path("results")
    # Read directly and not as a source of the report: this file contains the paths of the images, which are not part of a result.
    names = [dataset.name for dataset in context.settings.datasets]
    _check_references(folder, names)
    cases = {name: read_json(folder / layout.path("check.cases", name)) for name in names}
    content, digest = context.settings.model_dump(mode="json"), sha256_file(folder / MANIFEST)
    study = read_study(content, cases, version=VERSION, commit=commit(), digest=digest)
    read: dict[str, str] = {}
    page = build(study, folder, read=read)
    context.read["results"] = [folder / name for name in sorted({MANIFEST, *read})]
    write_text(context.path("page"), page)
    say(f"{context.path('page')}: {len(page.encode()) / 1e6:.1f} MB")

    def seal() -> None:
        records = [*read_json(folder / MANIFEST)["steps"], layout.record("manifest")]
        if context.record is not None:
            records.append(context.record.relative_to(folder).as_posix())
        write_sums(context.path("sums"), sums(folder, records))

    return seal


def _check_references(folder: Path, datasets: Sequence[str]) -> None:
    """Raise UserError where losses that the page compares were scored with different masks."""
    for name in datasets:
        scores = folder / layout.path("collect.scores", name)
        # Missing scores are shown as a gap on the page.
        if scores.is_file():
            check_references(read_scores(scores))


if __name__ == "__main__":
    run("report_page", __doc__, work, Settings)
