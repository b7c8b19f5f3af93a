"""What follows from some seventy changes to a finished study: the table of docs/incremental.md.

    python -m tests.changes_table           run the tiny study, make every change, write the table into the document
    python -m tests.changes_table FOLDER    with a checkout in which the study has run to its report

tests/workflow/test_changes_table.py compares the document with what it finds.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import yaml

from workflow_lib.base.errors import UserError
from workflow_lib.commands.trainings import read_plan
from workflow_lib.plan import order, stale, starting

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "incremental.md"
BEGIN, END = "<!-- table: made by tests/changes_table.py -->", "<!-- end of the table -->"

RESULTS = Path("results/tiny")
MASK = Path("data/toy/case_00001/segmentation.nii.gz")
IMAGE = Path("data/toy/case_00001/imaging.nii.gz")
WEIGHTS = RESULTS / "training/toy/dice/fold_1/model.weights.h5"

PARTS = ("tiny.yaml", "config.yaml", "Snakefile", "data", "results", ".snakemake")
CODE_PARTS = ("workflow_lib", "reports")
"""What a study consists of, and its code."""

SHOWN = 3
"""Reasons that a row names."""

Study = dict[str, Any]


@dataclass(frozen=True)
class Change:
    """A change in words, and what makes it in the working directory; `code`: a process of its own plans it."""

    kind: str
    words: str
    make: Callable[[Study], object]
    code: bool = False


@dataclass(frozen=True)
class Row:
    """A change, the jobs that a run would do because of it, and why."""

    kind: str
    words: str
    planned: str
    why: str


def toy(study: Study) -> Study:
    dataset: Study = study["datasets"]["toy"]
    return dataset


def section(name: str, **values: Any) -> Callable[[Study], object]:
    """Return a change of a section of the dataset."""
    return lambda study: toy(study).setdefault(name, {}).update(values)


def key(name: str, value: Any) -> Callable[[Study], object]:
    """Return a change of a key of the dataset."""
    return lambda study: toy(study).update({name: value})


def edited(name: str, old: str, new: str) -> Callable[[Study], object]:
    """Return a change of a text in a file."""

    def make(_: Study) -> None:
        path = Path(name)
        text = path.read_text(encoding="utf-8")
        if old not in text:
            raise ValueError(f"{name} does not hold {old!r}")
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    return make


def appended(name: str) -> Callable[[Study], object]:
    """Return a change of a module: a further statement."""
    return lambda _: Path(name).write_text(Path(name).read_text("utf-8") + "\n_EDITED = 1\n", encoding="utf-8")


def removed(*names: str | Path) -> Callable[[Study], object]:
    """Return the removal of files or folders."""

    def make(_: Study) -> None:
        for name in names:
            path = Path(name)
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    return make


def one_byte(name: str | Path) -> Callable[[Study], object]:
    """Return a change of the last byte of a file; its size and dates stay."""

    def make(_: Study) -> None:
        path = Path(name)
        before = path.stat()
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(bytes(data))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    return make


def redrawn(path: Path) -> None:
    """Write other values into a NIfTI file: a third of its slices become empty."""
    image: Any = nibabel.load(path)
    data = np.asarray(image.dataobj).copy()
    data[: len(data) // 3] = 0
    nibabel.save(nibabel.Nifti1Image(data.astype(image.get_data_dtype()), image.affine, image.header), path)


def redraw(path: Path, **values: Any) -> Callable[[Study], object]:
    """Return other voxels in a file, under keys of the dataset."""

    def make(study: Study) -> None:
        toy(study).update(values)
        redrawn(path)

    return make


def both(*changes: Callable[[Study], object]) -> Callable[[Study], object]:
    """Return several changes as one."""
    return lambda study: [change(study) for change in changes]


def dated(seconds: float | None, *folders: str) -> Callable[[Study], object]:
    """Return other dates of all files below folders: those of now, or some of these seconds since 1970."""

    def make(_: Study) -> None:
        for folder in folders:
            for path in [Path(folder), *Path(folder).rglob("*")]:
                os.utime(path, None if seconds is None else (seconds, seconds))

    return make


def whole_seconds(_: Study) -> None:
    for path in Path().rglob("*"):
        seconds = int(path.stat().st_mtime)
        os.utime(path, (seconds, seconds))


def copied(keeps_dates: bool) -> Callable[[Study], object]:
    """Return a copy in place of results and data: other inodes, and other dates or the same."""

    def make(_: Study) -> None:
        for name in ("results", "data", ".snakemake"):
            shutil.copytree(name, f"{name}_", copy_function=shutil.copy2 if keeps_dates else shutil.copyfile)
            shutil.rmtree(name)
            Path(f"{name}_").rename(name)

    return make


def packed(form: str) -> Callable[[Study], object]:
    """Return results and data that went through an archive."""

    def make(_: Study) -> None:
        for name in ("results", "data"):
            archive = shutil.make_archive(f"packed_{name}", form, ".", name)
            shutil.rmtree(name)
            shutil.unpack_archive(archive, ".", form)

    return make


def permitted(_: Study) -> None:
    for path in [*Path("results").rglob("*"), *Path("data").rglob("*")]:
        path.chmod(0o700)


def through_git(_: Study) -> None:
    """Commit results, take a branch without them, and come back."""
    git = ["git", "-c", "user.name=Test", "-c", "user.email=test@example.org"]
    for arguments in (
        ["init", "--quiet", "--initial-branch", "first"],
        ["add", "--force", "results", "data"],
        ["commit", "--quiet", "--message", "Results"],
        ["checkout", "--quiet", "--orphan", "second"],
        ["rm", "-r", "--quiet", "--force", "results", "data"],
        ["commit", "--quiet", "--allow-empty", "--message", "Without"],
        ["checkout", "--quiet", "first"],
    ):
        subprocess.run([*git, *arguments], check=True, capture_output=True)


def moved_results(study: Study) -> None:
    study["study"]["results"] = "elsewhere"
    Path("results").rename("elsewhere")


def added_case(_: Study) -> None:
    shutil.copytree("data/toy/case_00001", "data/toy/case_00104")
    redrawn(Path("data/toy/case_00104/imaging.nii.gz"))


SETTINGS = "settings"
CODE = "code"
DATA = "images and masks"
FILES = "results"
DATES = "dates, copies, moves"
RECORDS = "records and machines"


def losses(*names: str) -> Callable[[Study], object]:
    """Return other losses of the dataset."""
    return key("losses", list(names))


def catalogue(**entries: Any) -> Callable[[Study], object]:
    """Return other entries of the catalogue of losses."""
    return lambda study: study.update(losses=entries)


def of_study(**values: Any) -> Callable[[Study], object]:
    """Return other keys of the section `study`."""
    return lambda study: study["study"].update(values)


CHANGES: tuple[Change, ...] = (
    Change(SETTINGS, "nothing", lambda study: None),
    Change(SETTINGS, "a loss added", losses("dice", "focal", "tversky")),
    Change(SETTINGS, "a loss removed", losses("focal")),
    Change(SETTINGS, "the losses in another order", losses("focal", "dice")),
    Change(SETTINGS, "a parameter of a loss", catalogue(focal={"loss": "focal", "parameters": {"gamma": 3}})),
    Change(SETTINGS, "the label of a loss", catalogue(dice={"loss": "dice", "label": "Soft Dice"})),
    Change(SETTINGS, "`training.epochs`", section("training", epochs=2)),
    Change(SETTINGS, "`training.learning_rate`", section("training", learning_rate=0.01)),
    Change(SETTINGS, "`training.memory_mb`, `minutes`, `checkpoint_minutes`",
           section("training", memory_mb=3000, minutes=10, checkpoint_minutes=1)),
    Change(SETTINGS, "`network.filters`", section("network", filters=3)),
    Change(SETTINGS, "`preprocessing.spacing`", section("preprocessing", spacing=[5, 3.5, 3.5])),
    Change(SETTINGS, "`preprocessing.shards`", section("preprocessing", shards=1)),
    Change(SETTINGS, "`prediction.overlap`", section("prediction", overlap=[2, 8, 8])),
    Change(SETTINGS, "`evaluation.tolerance`", section("evaluation", tolerance=3)),
    Change(SETTINGS, "`statistics.bootstrap`", section("statistics", bootstrap=200)),
    Change(SETTINGS, "`cross_validation`: a fixed split", key("cross_validation", {"fixed": {"test": 0.25}})),
    Change(SETTINGS, "a case in `exclude`", key("exclude", {"case_00001": "for a test"})),
    Change(SETTINGS, "`figure_case`", key("figure_case", "case_00002")),
    Change(SETTINGS, "the label of the dataset", key("label", "Toy")),
    Change(SETTINGS, "`published`: nothing to compare with", key("published", None)),
    Change(SETTINGS, "`study.title`", of_study(title="Another title")),
    Change(SETTINGS, "`study.seed`", of_study(seed=7)),
    Change(CODE, "a comment, a docstring, a type annotation",
           both(edited("workflow_lib/losses/dice.py", '"""', '"""Again. '),
                edited("workflow_lib/training/step.py", "data: Any) -> Any", "data: object) -> object")), code=True),
    Change(CODE, "the text of an error", edited("workflow_lib/losses/_files.py", "is no Python", "is not Python"), code=True),
    Change(CODE, "a loss of the study", appended("workflow_lib/losses/dice.py"), code=True),
    Change(CODE, "a loss that the study does not use", appended("workflow_lib/losses/combo.py"), code=True),
    Change(CODE, "the network of the study", appended("workflow_lib/networks/architectures/standard.py"), code=True),
    Change(CODE, "another network", appended("workflow_lib/networks/architectures/residual.py"), code=True),
    Change(CODE, "the training loop", appended("workflow_lib/training/loop.py"), code=True),
    Change(CODE, "the resampling of images", appended("workflow_lib/preprocessing/resample.py"), code=True),
    Change(CODE, "the reader of the format", appended("workflow_lib/datasets/formats/kits19.py"), code=True),
    Change(CODE, "a metric", appended("workflow_lib/metrics/nsd.py"), code=True),
    Change(CODE, "a table of statistics", appended("workflow_lib/statistics/friedman.py"), code=True),
    Change(CODE, "a figure", appended("workflow_lib/figures/recall_precision.py"), code=True),
    Change(CODE, "a template of the report", edited("reports/templates/losses.html.j2", "<h2", "<h2 "), code=True),
    Change(CODE, "a published number", one_byte("reports/published/kits19/scores.csv"), code=True),
    Change(DATA, "a mask edited", redraw(MASK)),
    Change(DATA, "an image edited", redraw(IMAGE)),
    Change(DATA, "a mask edited, `changed_data: follow`", redraw(MASK, changed_data="follow")),
    Change(DATA, "a mask edited, `changed_data: freeze`", redraw(MASK, changed_data="freeze")),
    Change(DATA, "the same, and a loss added",
           both(redraw(MASK, changed_data="freeze"), losses("dice", "focal", "tversky"))),
    Change(DATA, "a mask edited before anything was made from it",
           both(redraw(MASK), removed(RESULTS / "preprocessed", RESULTS / "training", RESULTS / "records/preprocess",
                                      RESULTS / "records/train", RESULTS / "records/check"))),
    Change(DATA, "one byte of a mask, dates as before", one_byte(MASK)),
    Change(DATA, "a case added", added_case),
    Change(DATA, "a case removed", removed("data/toy/case_00003")),
    Change(DATA, "a mask removed", removed(MASK)),
    Change(DATA, "all images gone", removed("data")),
    Change(DATA, "all images gone, and a loss added", both(removed("data"), losses("dice", "focal", "tversky"))),
    Change(DATA, "all images gone, and a label changed", both(removed("data"), key("label", "Toy"))),
    Change(DATA, "new dates of all images", dated(None, "data")),
    Change(FILES, "weights removed", removed(WEIGHTS)),
    Change(FILES, "weights removed, `missing_weights: repeat`", both(removed(WEIGHTS), of_study(missing_weights="repeat"))),
    Change(FILES, "weights removed, `missing_weights: accept`", both(removed(WEIGHTS), of_study(missing_weights="accept"))),
    Change(FILES, "weights and a prediction removed, `missing_weights: accept`",
           both(removed(WEIGHTS, RESULTS / "predictions/toy/dice/fold_1"), of_study(missing_weights="accept"))),
    Change(FILES, "the folder of a training removed", removed(WEIGHTS.parent)),
    Change(FILES, "the predictions of a fold removed", removed(RESULTS / "predictions/toy/dice/fold_1")),
    Change(FILES, "one prediction removed", removed(RESULTS / "predictions/toy/dice/fold_1/case_00001.nii.gz")),
    Change(FILES, "a byte of the weights", one_byte(WEIGHTS)),
    Change(FILES, "a byte of a prediction", one_byte(RESULTS / "predictions/toy/dice/fold_1/case_00001.nii.gz")),
    Change(FILES, "a byte of a preprocessed image", one_byte(RESULTS / "preprocessed/toy/shard_1/case_00000.image.npy")),
    Change(FILES, "the preprocessed images removed", removed(RESULTS / "preprocessed")),
    Change(FILES, "the preprocessed images removed, and a loss added",
           both(removed(RESULTS / "preprocessed"), losses("dice", "focal", "tversky"))),
    Change(FILES, "a byte of the scores of a fold", one_byte(RESULTS / "scores/toy/dice/fold_1.csv")),
    Change(FILES, "a byte of a table", one_byte(RESULTS / "tables/toy_scores.csv")),
    Change(FILES, "a byte of the division", one_byte(RESULTS / "data/toy/folds.csv")),
    Change(FILES, "the figures removed", removed(RESULTS / "figures")),
    Change(FILES, "the report removed", removed(RESULTS / "report.html")),
    Change(FILES, "the list of checksums removed", removed(RESULTS / "SHA256SUMS")),
    Change(FILES, "a byte of the list of checksums", one_byte(RESULTS / "SHA256SUMS")),
    Change(FILES, "logs, checkpoints and tables of code removed",
           removed(RESULTS / "logs", RESULTS / "checkpoints", RESULTS / "code")),
    Change(DATES, "new dates of everything (touch)", dated(None, "results", "data")),
    Change(DATES, "dates in the future", dated(4e9, "results/tiny/data", "data")),
    Change(DATES, "dates of whole seconds only", whole_seconds),
    Change(DATES, "a copy with new dates (cp -r, rsync)", copied(keeps_dates=False)),
    Change(DATES, "a copy with the old dates (cp -a, rsync -t)", copied(keeps_dates=True)),
    Change(DATES, "other permissions", permitted),
    Change(DATES, "through tar", packed("tar")),
    Change(DATES, "through zip", packed("zip")),
    Change(DATES, "committed, another branch, and back (git)", through_git),
    Change(DATES, "the results in another folder (`study.results`)", moved_results),
    Change(RECORDS, "`.snakemake` removed", removed(".snakemake")),
    Change(RECORDS, "`.snakemake` removed and a parameter changed",
           both(removed(".snakemake"), catalogue(focal={"loss": "focal", "parameters": {"gamma": 3}}))),
    Change(RECORDS, "the record of a training removed", removed(RESULTS / "records/train/toy/dice/fold_1.json")),
    Change(RECORDS, "a byte of the record of a training", one_byte(RESULTS / "records/train/toy/dice/fold_1.json")),
    Change(RECORDS, "a time in the record of a training",
           edited("results/tiny/records/train/toy/dice/fold_1.json", '"seconds": ', '"seconds": 1')),
    Change(RECORDS, "all records removed", removed(RESULTS / "records")),
    Change(RECORDS, "all records and `.snakemake` removed, a parameter changed",
           both(removed(RESULTS / "records", ".snakemake"),
                catalogue(focal={"loss": "focal", "parameters": {"gamma": 3}}))),
    Change(RECORDS, "another order of Python's hashes, another language and time zone", lambda study: None, code=True),
)  # fmt: skip
"""Every change, in the order of the table."""


def planned(folder: Path) -> tuple[str, str]:
    """Return what a run of the study in a folder would do, and why, in words."""
    said: list[str] = []
    with chdir(folder):
        plan = read_plan([Path("tiny.yaml")])
        try:
            jobs = starting.jobs(plan, [], [], said.append)
        except UserError as error:
            return "stops", _sentence(str(error))
        reasons = stale.survey(plan).reasons
    first = order.first_of(jobs)
    if not jobs:
        return "nothing", " ".join(map(_sentence, said))
    more = len(jobs) - len(first)
    what = _counted([place.step for place in first]) + (f"; {more} that follow" if more else "")
    why = dict.fromkeys(_shortened(reason) for place in first for reason in reasons.get(place, []))
    return what, " ".join(map(_sentence, said)) or "; ".join(list(why)[:SHOWN]) + ("; ..." if len(why) > SHOWN else "")


def _counted(steps: list[str]) -> str:
    counts = {step: steps.count(step) for step in steps}
    return ", ".join(f"{step} ({number})" if number > 1 else step for step, number in counts.items())


def _shortened(reason: str) -> str:
    return reason if len(reason) < 110 else reason[:107] + "..."


def _sentence(text: str) -> str:
    """Return a message up to the ways out that it names, without the date of the test."""
    first = " ".join(line.strip() for line in text.strip().splitlines() if not line.startswith("    "))
    before, mark, after = first.partition("inspection of ")
    return before + mark + after.partition(":")[2].join((("a day:" if mark else ""), "")) if mark else first


def row(change: Change, finished: Path, folder: Path) -> Row:
    """Make a change in a copy of a finished study and return what follows."""
    folder.mkdir()
    for path in [*(finished / name for name in PARTS), *((ROOT / name for name in CODE_PARTS) if change.code else ())]:
        if path.is_dir():
            shutil.copytree(path, folder / path.name, ignore=shutil.ignore_patterns("*.pyc*"))
        else:
            shutil.copy2(path, folder)
    path = folder / "tiny.yaml"
    with chdir(folder):
        study = yaml.safe_load(path.read_text(encoding="utf-8"))
        change.make(study)
        path.write_text(yaml.safe_dump(study, allow_unicode=True), encoding="utf-8")
    what, why = _elsewhere(folder) if change.code else planned(folder)
    return Row(change.kind, change.words, what, why)


def _elsewhere(folder: Path) -> tuple[str, str]:
    """Return what `planned` does in a process that imports the code of the folder."""
    code = "import json, pathlib; from tests.changes_table import planned; print(json.dumps(planned(pathlib.Path('.'))))"
    if not (folder / "tests").exists():
        (folder / "tests").symlink_to(ROOT / "tests")
    environment = os.environ | {"PYTHONPATH": str(folder), "PYTHONHASHSEED": "random", "LC_ALL": "C", "TZ": "Asia/Kathmandu"}
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    what, why = json.loads(done.stdout.splitlines()[-1])
    return what, why


def table(rows: Iterable[Row]) -> str:
    """Return the rows as a table in Markdown, with a heading for each kind."""
    lines: list[str] = []
    kind = ""
    for one in rows:
        if one.kind != kind:
            kind = one.kind
            lines += ["", f"### {kind[0].upper()}{kind[1:]}", "", "| change | runs again | because |", "|---|---|---|"]
        lines.append(f"| {one.words} | {one.planned} | {one.why.replace('|', '/')} |")
    return "\n".join(lines).strip() + "\n"


def written() -> str:
    """Return the table of the document."""
    return DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0].strip() + "\n"


def main() -> None:
    """Write the table into the document."""
    from tests.workflow.conftest import Checkout, copy_repository

    with tempfile.TemporaryDirectory() as name:
        if sys.argv[1:]:
            checkout = Checkout(Path(sys.argv[1]).resolve())
        else:
            checkout = copy_repository(ROOT, Path(name) / "finished")
            checkout.snakemake("--cores", "2")
        rows = []
        for number, change in enumerate(CHANGES):
            rows.append(row(change, checkout.folder, Path(name) / f"{number}"))
            shutil.rmtree(Path(name) / f"{number}")
    text = DOCUMENT.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    DOCUMENT.write_text(f"{head}{BEGIN}\n\n{table(rows)}\n{END}{rest.partition(END)[2]}", encoding="utf-8")


if __name__ == "__main__":
    main()
