"""The complete audit: all checks of a folder of results, in order."""

import os
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from workflow_lib.base.errors import UserError
from workflow_lib.commands.audit import agreement, bounded, integrity, left_over, retrain
from workflow_lib.commands.audit import folder as safe
from workflow_lib.commands.audit.findings import NEED_IMAGES, Finding
from workflow_lib.provenance.manifest import MANIFEST, SUMS

DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Options:
    """The optional checks of an audit, in addition to the files, the records and everything that needs no images.

    `images`: folders in which images and masks are searched. `retrain`: a training as `LOSS:FOLD` or `DATASET/LOSS:FOLD`, or
    None. `seconds`: how long a computation may run without a sign of progress.
    """

    digest: str | None = None
    rescore: bool = False
    retrain: str | None = None
    images: Sequence[Path] = (Path(),)
    loss_files: Sequence[Path] = ()
    gpus: int = 0
    seconds: float = bounded.SECONDS


def audit(
    folder: Path, digest: str | None = None, options: Options | None = None, say: Callable[[str], None] = lambda line: None
) -> Iterator[Finding]:
    """Yield the findings of the audit as they are made. Raises UserError if `folder` is not a folder of results."""
    options = options or Options(digest)
    if options.digest is not None and not DIGEST.fullmatch(options.digest.lower()):
        raise UserError(f"--digest: {options.digest!r} is not a digest: give all 64 hexadecimal digits that the report shows")
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder. Give the folder of a study's results.")
    if not os.path.lexists(folder / SUMS):
        raise UserError(
            f"{folder} holds no {SUMS}, so there is nothing to hold its files against: the study has not run to its end there, "
            "or that file was taken away."
        )
    if options.retrain is not None:
        retrain.require(folder, options.retrain)
    try:
        names = safe.listing(folder)
        links = [name for name in names if (folder / name).is_symlink()]
        if links:
            # Stop here, because a link may point to any file.
            yield from (Finding(name, "fails", "is a link; results hold none") for name in links)
            return
        say(f"{len(names)} files")
        yield from integrity.check(folder)
        own = safe.sha256(folder, MANIFEST)
        if options.digest is not None:
            yield _of_this_digest(own, options.digest)
        with tempfile.TemporaryDirectory(prefix="audit-") as private:
            study = Path(private) / "study"
            # Files that the study did not write must not be used as its results.
            left = left_over.found(folder, names, safe.read_sums(folder, SUMS))
            faults = safe.copy(folder, [name for name in names if safe.is_copied(name) and name not in left], study)
            yield from (Finding("what is computed again", "fails", fault) for fault in faults)
            yield from _computed(folder, study, options, say)
    except UserError as error:
        yield Finding("audit", "fails", f"ended early: {error}")


def _of_this_digest(own: str, given: str) -> Finding:
    if own != given.lower():
        return Finding(MANIFEST, "fails", f"is of another study: its digest is {own}")
    return Finding(MANIFEST, "holds", "has the digest that was given")


def _computed(folder: Path, study: Path, options: Options, say: Callable[[str], None]) -> Iterator[Finding]:
    def shown(parts: Iterator[Finding | str]) -> Iterator[Finding]:
        for part in parts:
            if isinstance(part, str):
                say(part)
            elif not (options.rescore and part.text.endswith(NEED_IMAGES)):
                # The reader knows the original folder, not the private copy.
                yield Finding(part.subject, part.state, part.text.replace(f"{study}/", ""))

    yield from shown(bounded.findings("workflow_lib.commands.audit.recompute", [study], options.seconds))
    yield from shown(bounded.guarded("predictions", agreement.check_predictions, folder, study, before="cannot be compared"))
    yield from shown(bounded.findings("workflow_lib.commands.audit.weights", [folder, study], options.seconds))
    if options.rescore:
        roots = [path.absolute() for path in options.images]
        yield from shown(bounded.findings("workflow_lib.commands.audit.rescore", [folder, study, roots], options.seconds))
    else:
        yield Finding("scores", "not checked", "against the predictions and the raw masks: neither is read (--rescore)")
    if options.retrain is None:
        yield Finding("trainings", "not checked", "not made again; their files are as written (--retrain LOSS:FOLD)")
        return
    request = retrain.Request(options.retrain, options.images, options.loss_files, options.gpus)
    yield from shown(bounded.guarded("retraining", retrain.check, folder, study, request, say, before="cannot be made again"))
