"""Tell whether a folder of results is what it says it is.

    python -m workflow_lib.audit results/<study>                     files, records, scores, statistics, tables and page
    python -m workflow_lib.audit results/<study> --digest 12ab...    and that it is the study of this digest

Reads nothing outside the folder, runs nothing that lies in it, and needs neither images, network nor Snakemake's own records.
Exit code 0: everything that was looked at holds; 1: something does not; 2: the audit could not be made.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from workflow_lib.audit import folder as safe
from workflow_lib.audit import integrity, recompute
from workflow_lib.audit.integrity import Finding
from workflow_lib.errors import UserError
from workflow_lib.provenance.manifest import MANIFEST


def audit(folder: Path, digest: str | None = None) -> Iterator[Finding]:
    """Yield every finding of the audit, as it comes. Raises UserError where `folder` is no folder of results."""
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder. Name the folder of a study's results.")
    names = safe.listing(folder)
    links = [name for name in names if (folder / name).is_symlink()]
    if links:
        # Nothing more is read: a link may lead anywhere.
        yield from (Finding(name, "fails", "is a link; results hold none") for name in links)
        return
    try:
        yield from integrity.check(folder)
        own = safe.sha256(folder, MANIFEST)
        if digest is not None and own != digest.lower():
            yield Finding(MANIFEST, "fails", f"is of another study: its digest is {own}")
        with tempfile.TemporaryDirectory() as private:
            study = Path(private) / "study"
            recompute.copy(folder, names, study)
            yield from recompute.check(study)
    except UserError as error:
        yield Finding("audit", "fails", f"ended early: {error}")
        return
    yield Finding("scores", "not checked", "against the predictions and masks: neither is read")
    yield Finding("figures, trainings", "not checked", "not computed again; their files are as written")


def table(found: Sequence[Finding]) -> str:
    """Return the findings as text, what fails first, and a line that counts them."""
    order = ("fails", "not checked", "holds")
    width = max(map(len, order))
    lines = [f"{f.state.ljust(width)}  {f.subject}: {f.text}" for state in order for f in found if f.state == state]
    counts = ", ".join(f"{sum(f.state == state for f in found)} {state}" for state in order)
    return "\n".join([*lines, "", counts])


def main() -> None:
    """Audit the folder that the arguments name."""
    parser = argparse.ArgumentParser(
        prog="python -m workflow_lib.audit", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", type=Path, help="folder of a study's results")
    parser.add_argument("--digest", help="the digest that the study must have, as its report shows it")
    arguments = parser.parse_args()
    try:
        found = list(audit(arguments.results, arguments.digest))
    except UserError as error:
        print(f"\n{error}\n", file=sys.stderr)
        sys.exit(2)
    print(table(found))
    sys.exit(1 if any(f.state == "fails" for f in found) else 0)


if __name__ == "__main__":
    main()
