"""One altered dataset through the steps `obtain`, `inspect` and `check`, and the comparison with the independent reading."""

import contextlib
import io
import json
import signal
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tests.hostile import alterations, reading
from tests.hostile.sound import BUILDERS, Dataset
from workflow_lib.base.errors import UserError
from workflow_lib.base.files import read_json
from workflow_lib.images import casefiles
from workflow_lib.images.cases import Case, Reading
from workflow_lib.plan import jobs
from workflow_lib.steps import check, inspect, obtain
from workflow_lib.steps._inspection import read_inspection
from workflow_lib.steps.command import Context
from workflow_lib.study.settings import check as check_settings
from workflow_lib.study.settings import inspect as inspect_settings
from workflow_lib.study.settings import obtain as obtain_settings

SECONDS = 60
"""Limit of one trial: a reader that waits for a pipe, or for memory, must not hold up the others."""
LONGEST = 20_000
"""Limit of the bytes of a message."""


class LateError(Exception):
    """A trial took too long. It is no OSError, which readers catch."""


@dataclass
class Outcome:
    """What became of a dataset. `wrong`: what is not right about it."""

    seed: int
    name: str
    notes: list[str]
    refused: str = ""
    included: int = 0
    excluded: int = 0
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        answer = f"refused: {self.refused}" if self.refused else f"{self.included} included, {self.excluded} with faults"
        return "\n    ".join([f"seed {self.seed}, {self.name}: {'; '.join(self.notes)}: {answer}", *self.wrong])


def trial(seed: int, folder: Path) -> Outcome:
    """Make the dataset of a seed below `folder`, alter it, have it read, and compare."""
    rng = np.random.default_rng(seed)
    build = BUILDERS[seed % len(BUILDERS)]
    root = folder / "data"
    root.mkdir(parents=True)
    dataset = build(root, rng)
    alterations.alter(dataset, rng)
    outcome = Outcome(seed, build.__name__.strip("_"), dataset.notes)
    try:
        with _limited(SECONDS), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            _judge(dataset, folder, outcome)
    except UserError as error:
        outcome.refused = str(error)
        _judge_message(dataset, outcome)
    except Exception:  # That is what is looked for.
        outcome.wrong.append(traceback.format_exc())
    return outcome


@contextlib.contextmanager
def _limited(seconds: int) -> Iterator[None]:
    def late(*_: object) -> None:
        raise LateError(f"not answered within {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _judge(dataset: Dataset, folder: Path, outcome: Outcome) -> None:
    settings = {step: json.loads(_plan(dataset).job(step, "d").settings) for step in ("obtain", "inspect", "check")}
    paths = {key: folder / f"{key}.json" for key in ("files", "inspection", "cases")} | {"table": folder / "cases.csv"}

    def context(settings: Any, *keys: str) -> Context[Any]:
        return Context(settings, "f", 1, {key: [paths[key]] for key in keys}, {})

    obtain.work(context(obtain_settings.Settings.model_validate(settings["obtain"]), "files"))
    inspect.work(context(inspect_settings.Settings.model_validate(settings["inspect"]), "files", "inspection"))
    chosen = check_settings.Settings.model_validate(settings["check"])
    rows = read_inspection(paths["inspection"], chosen).rows
    outcome.excluded = sum(row.status != "included" for row in rows)
    _judge_completeness(dataset, read_json(paths["files"])["cases"], {row.case for row in rows}, outcome)
    for row in rows:
        if row.status != "included" and not row.reason.strip():
            outcome.wrong.append(f"{row.case} is not included, without a reason")
    notes = {row.case: row.note for row in rows}
    check.work(context(chosen, "inspection", "cases", "table"))
    content = read_json(paths["cases"])
    outcome.included = len(content["cases"])
    counts = {row.case: dict(row.finding.voxels) for row in rows}
    for entry in content["cases"]:
        case = Case.from_json(entry)
        how = Reading.from_json(content["reading"])
        fault = _difference(dataset, case, how, counts[case.id], entry) or _unsaid(dataset, case, how, notes[case.id])
        if fault:
            outcome.wrong.append(f"{case.id} (note: {notes[case.id]!r}): {fault}")


def _plan(dataset: Dataset) -> jobs.Plan:
    patch, depth = ([8, 8, 8], 2) if dataset.axes == 3 else ([16, 16], 2)
    return jobs.load(
        {
            "study": {"name": "toy", "title": "Toy", "datasets": ["d"]},
            "losses": {},
            "training": {"patch": patch, "epochs": 1, "iterations": 1},
            "prediction": {"overlap": [0] * dataset.axes},
            "network": {"depth": depth},
            "datasets": {"d": {"label": "D", "root": str(dataset.root), "losses": ["dice"], "faulty": "exclude", **dataset.keys}},
        }
    )


def _judge_message(dataset: Dataset, outcome: Outcome) -> None:
    message = outcome.refused
    if "Traceback" in message or len(message.encode("utf-8", "replace")) > LONGEST:
        outcome.wrong.append("the message holds a traceback, or is too long")
    named = [str(dataset.root), check.FAULTS, *(path.name for path in dataset.owners), *dataset.cases]
    if not any(name in message for name in named):
        outcome.wrong.append("the message names neither a file nor a case")


def _judge_completeness(dataset: Dataset, listed: list[dict[str, Any]], shown: set[str], outcome: Outcome) -> None:
    """No case may be missing from the table, and no case may mix files of several."""
    seen: set[str] = set()
    for entry in listed:
        files = [Path(path) for path in (*entry["images"], *entry["masks"])]
        owners = {dataset.owners[path] for path in files if path in dataset.owners}
        seen |= owners
        if len(owners) > 1:
            outcome.wrong.append(f"{entry['id']} mixes the files of {', '.join(sorted(owners))}")
        if entry["id"] not in shown:
            outcome.wrong.append(f"{entry['id']} is not in the table of cases")
    missing = set(dataset.cases) - seen
    if missing:
        outcome.wrong.append(f"nothing is said of {', '.join(sorted(missing))}")


def _difference(dataset: Dataset, case: Case, how: Reading, counts: dict[str, int], entry: dict[str, Any]) -> str:
    """Return how an accepted case differs from its independent reading, or an empty text."""
    try:
        images = [reading.read(path, dataset.axes) for path in case.images]
        masks = [reading.read(path, dataset.axes) for path in case.masks]
    except reading.UnreadableError as error:
        return f"accepted, but {error}"
    ours = casefiles.read_image(case, how)
    expected = np.concatenate([image.data for image in images], axis=-1)
    if dataset.axes == 2 and len(images) == 1:
        expected = _channels(expected, how)
    if ours.data.shape != expected.shape:
        return f"image of shape {ours.data.shape} instead of {expected.shape}"
    slack = 1.0 if images[0].spacing == (1.0, 1.0) and how.colour == "grey" else 0.0
    if not np.allclose(ours.data, expected, rtol=1e-5, atol=slack):
        return f"other image values: {_range(ours.data)} instead of {_range(expected)}"
    if not np.allclose(entry["spacing"], images[0].spacing, rtol=0.011):
        return f"spacing {entry['spacing']} instead of {images[0].spacing}"
    if images[0].orientation and ours.orientation and ours.orientation != images[0].orientation:
        return f"orientation {ours.orientation} instead of {images[0].orientation}"
    wanted = _counts(dataset, masks)
    if isinstance(wanted, str) or wanted != counts:
        return f"voxels {counts} instead of {wanted}"
    return ""


def _unsaid(dataset: Dataset, case: Case, how: Reading, note: str) -> str:
    """Return what was converted without a note, or an empty text."""
    files = {path: reading.read(path, dataset.axes) for path in case.files}
    found = [f"{path.name}: {text}" for path, content in files.items() for text in content.converted]
    if how.colour == "grey" and dataset.axes == 2:
        colours = {path: content.data for path, content in files.items() if content.data.shape[-1] > 2 and path in case.images}
        found += [f"{path.name}: colours" for path, data in colours.items() if (data[..., :1] != data[..., :3]).any()]
    for path in case.masks:
        data = files[path].data
        found += [f"{path.name}: rounded"] if (data != np.round(data)).any() else []
    return f"converted without a note: {', '.join(found)}" if found and not note else ""


def _range(data: np.ndarray) -> str:
    return f"{data.min()} to {data.max()}"


def _channels(data: np.ndarray, how: Reading) -> np.ndarray:
    """Return the channels of pictures as the format reads them: three colours, or their luma (ITU-R 601)."""
    opaque = data[..., :3] if data.shape[-1] == 4 else data[..., :1] if data.shape[-1] == 2 else data
    if how.colour == "rgb" and opaque.shape[-1] == 1:
        return np.repeat(opaque, 3, axis=-1)
    if how.colour == "grey" and data.shape[-1] in (3, 4) and data.dtype == np.uint8:
        luma: np.ndarray = (opaque @ np.array([0.299, 0.587, 0.114]))[..., np.newaxis]
        return luma
    return opaque


def _counts(dataset: Dataset, masks: list[reading.Content]) -> dict[str, int] | str:
    """Return the voxels of each class, or why there are none."""
    planes = [_mask_plane(mask.data, dataset) for mask in masks]
    if len({plane.shape for plane in planes}) != 1:
        return "masks of different shapes"
    data = np.maximum.reduce(planes)
    if dataset.threshold is not None:
        data = np.where(data > dataset.threshold, 255, 0)
    if not np.isfinite(data).all() or np.abs(data - np.round(data)).max() > 1e-3 + 1e-9:
        return "no whole numbers"
    whole = np.round(data).astype(np.int64)
    if set(np.unique(whole)) - {value for values in dataset.classes.values() for value in values}:
        return f"values {np.unique(whole)}"
    return {name: int(np.isin(whole, values).sum()) for name, values in dataset.classes.items()}


def _mask_plane(data: np.ndarray, dataset: Dataset) -> np.ndarray:
    if data.shape[-1] == 1:
        return data[..., 0]
    colours = data[..., :3] if data.shape[-1] in (3, 4) else data[..., :1]
    opacity = data[..., -1] if data.shape[-1] in (2, 4) else np.full(data.shape[:-1], 255)
    if (opacity != opacity.flat[0]).any() and ((opacity > 0) != (colours[..., 0] > 0)).any():
        # The mask is in the transparency, if the colours are all alike.
        return opacity if (colours == colours[:1, :1]).all() else np.full(data.shape[:-1], np.nan)
    grey: np.ndarray = colours[..., 0] if (colours == colours[..., :1]).all() else colours @ np.array([0.299, 0.587, 0.114])
    if dataset.threshold is None and (colours != colours[..., :1]).any():
        return np.full(data.shape[:-1], np.nan)
    return grey
