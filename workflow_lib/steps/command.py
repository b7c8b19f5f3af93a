"""The common parts of all steps: arguments, errors without tracebacks, and the record at the end.

A step is called as

    python -m workflow_lib.steps.<step> --settings '{...}' --fingerprint <digest> --record <file> --<input> ... --<output> ...

and reads nothing but what these arguments name, so that it runs by hand, in a test, or on a node alone.
"""

import argparse
import datetime
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from workflow_lib.base.durations import duration
from workflow_lib.base.errors import UserError
from workflow_lib.provenance import layout
from workflow_lib.provenance.records import write_record
from workflow_lib.study.sections.section import Section

USER_FAULT = 2
"""Exit code of a step that stopped because of a fault that the user can correct."""


S = TypeVar("S", bound=Section)


@dataclass(frozen=True)
class Context(Generic[S]):
    """The arguments of a step.

    `settings` is its own part of the study. `workers` (parallel work), `numbers` and `texts` steer the run and change no result.
    """

    settings: S
    fingerprint: str
    workers: int
    paths: dict[str, list[Path]]
    numbers: dict[str, int]
    texts: dict[str, str] = field(default_factory=dict)
    record: Path | None = None
    read: dict[str, list[Path]] = field(default_factory=dict)
    """The files that the step has read from a whole folder, for its record."""

    def path(self, name: str) -> Path:
        """Return the one path of an argument."""
        (path,) = self.paths[name]
        return path


def run(step: str, description: str | None, work: Callable[[Context[S]], Callable[[], None] | None], settings: type[S]) -> None:
    """Parse the arguments, do the work, write the record; end the process with code 2 after a user's fault.

    `layout` defines the arguments of the step, `settings` the model of its settings. A function that `work` returns is called
    last, after the record has been written.
    """
    this = layout.STEPS[step]
    arguments = _parser(step, description).parse_args()
    paths = {name: list(getattr(arguments, name.replace("-", "_"))) for name in _paths(this)}
    started = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    clock = time.monotonic()
    try:
        numbers = {name: int(getattr(arguments, name.replace("-", "_"))) for name in this.numbers}
        texts = {name: str(getattr(arguments, name.replace("-", "_"))) for name in this.texts}
        validated = _validated(step, settings, arguments.settings)
        workers = max(1, arguments.workers)
        context = Context(validated, arguments.fingerprint, workers, paths, numbers, texts, arguments.record)
        afterwards = work(context)
        if arguments.record is not None:
            write_record(
                arguments.record,
                step,
                arguments.settings,
                arguments.fingerprint,
                inputs={name: context.read.get(name, paths[name]) for name in (*this.reads, *this.outside)},
                outputs={name: paths[name] for name in this.writes},
                started=started,
                seconds=time.monotonic() - clock,
            )
        if afterwards is not None:
            afterwards()
    except UserError as error:
        print(f"\n{step}: {error}\n", file=sys.stderr)
        sys.exit(USER_FAULT)
    except BrokenPipeError:
        # The reader of the output has gone.
        os._exit(141)


def _validated(step: str, settings: type[S], content: Any) -> S:
    try:
        return settings.model_validate(content)
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise UserError(f"--settings: not those of the step {step}: {'; '.join(faults)}") from None


def _paths(step: layout.Step) -> list[str]:
    """Return the names of all arguments that are paths."""
    return [*step.reads, *step.outside, *step.writes, *step.unrecorded, *step.state]


def _parser(step: str, description: str | None) -> argparse.ArgumentParser:
    this = layout.STEPS[step]
    parser = argparse.ArgumentParser(prog=f"python -m workflow_lib.steps.{step}", description=description)
    parser.add_argument("--settings", type=json.loads, default={}, metavar="JSON", help="settings of the step, as JSON")
    parser.add_argument("--fingerprint", default="by-hand", help="digest of settings and code, for the record")
    parser.add_argument("--workers", type=int, default=1, help="processes or threads the step may use")
    parser.add_argument("--record", type=Path, help="where to write the record of this run")
    for name in _paths(this):
        # There may be no files of the user; the location of the state is optional.
        needed = name not in (*this.outside, *this.unrecorded, *this.state) and this.reads.get(name) != layout.WHOLE
        several = layout.several(step, name)
        parser.add_argument(f"--{name}", type=Path, nargs="*" if several or not needed else 1, default=[], required=needed)
    for name in this.numbers:
        parser.add_argument(f"--{name}", type=int, required=True)
    for name in this.texts:
        parser.add_argument(f"--{name}", required=True)
    return parser


class Countdown:
    """Report progress, with the remaining time once it can be estimated."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    def say(self, number: int, total: int, text: str) -> None:
        """Print a line after the `number`-th of `total` parts."""
        left = (time.monotonic() - self._started) / number * (total - number)
        # In the first seconds the rate is a guess.
        shown = f" ({duration(left)} left)" if left >= 10 else ""
        say(f"{number}/{total} {text}{shown}")


def say(message: str) -> None:
    """Print a line of progress at once, also into a log file."""
    print(message, flush=True)
