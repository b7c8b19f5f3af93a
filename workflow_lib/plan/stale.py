"""Determine which results of a study cannot stay as they are, and why, from the records and the content of the files.

A result stays when its record has the settings and code of now, when it is the one that the record names, and when the results
that it was made from are still those that the record names. Dates decide none of this.
"""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workflow_lib.base.files import sha256_file, sha256_text
from workflow_lib.plan import changes
from workflow_lib.plan.jobs import JobId, Plan
from workflow_lib.plan.order import sources, with_following
from workflow_lib.provenance import layout, left_out
from workflow_lib.provenance.contents import MEMORY, Contents
from workflow_lib.provenance.manifest import SUMS, sums, sums_text

NAMED = 2
"""Maximum number of files of one result that a reason names individually."""

WEIGHTS = "weights"
"""Name of the output of a training that nothing but predictions and weights read."""


@dataclass
class Record:
    """The content of a record, and the digest of its file."""

    content: Mapping[str, Any]
    sha256: str


@dataclass
class Survey:
    """The state of the results of a study.

    Attributes
    ----------
    reasons : dict of JobId to list of str
        Jobs whose result cannot stay, apart from changes in other jobs, and the reasons.
    absent : dict of JobId to set of str
        Jobs of which nothing but these outputs is missing, which is no reason to run them: preprocessed images, which are large
        and are made again when a job needs them; weights, about which the user decides; what a bundle leaves out.
    fresh : set of JobId
        Jobs without a record of which no result exists either.
    restored : set of JobId
        Jobs with the reason alone that a result is missing or damaged. Run again they make the same, so nothing follows. A
        training is none of these: on another device it may end with other weights.
    """

    reasons: dict[JobId, list[str]] = field(default_factory=dict)
    absent: dict[JobId, set[str]] = field(default_factory=dict)
    fresh: set[JobId] = field(default_factory=set)
    restored: set[JobId] = field(default_factory=set)

    def jobs(self, plan: Plan, more: Iterable[JobId] = ()) -> list[JobId]:
        """Return the jobs that have to run, in the order of the study: those with a reason, `more`, and what follows."""
        return with_following(plan, [*(place for place in self.reasons if place not in self.restored), *more], self.restored)


def survey(plan: Plan, say: Callable[[str], None] | None = None, verify: bool = False) -> Survey:
    """Compare all results of a study with its plan, with each other and with their records.

    With `verify` every result is read, also those whose size, dates and inodes are those of the last time.
    """
    found = Survey()
    root = Path(plan.results)
    read = {place: _read(root / place.record) for place in plan.jobs()}
    records = {place: record for place, record in read.items() if isinstance(record, Record)}
    contents = Contents(root, MEMORY / f"{plan.config.study.name}.json", forget=verify)
    names = {place: _names(place) for place in records}
    digests = contents.digests((name for listed in names.values() for outputs in listed.values() for name in outputs), say)
    current = _Current(plan, records, names, digests, left_out.of_bundle(root))
    for place in plan.jobs():
        record = read[place]
        if record is None:
            _without_record(found, root, place)
        elif isinstance(record, str):
            found.reasons[place] = [record]
        else:
            _compare(found, plan, place, record, current)
    _compare_sums(found, plan, records, contents)
    contents.save()
    return found


def _read(path: Path) -> Record | str | None:
    """Return a record, None if it does not exist, or a description of its fault."""
    try:
        data = path.read_bytes()
        content = json.loads(data)
        # The keys that are used below must exist.
        _ = content["fingerprint"], content["settings"], content["inputs"].items(), content["outputs"].items()
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return "its record cannot be read"
    return Record(content, sha256_text(data.decode("utf-8")))


def _names(place: JobId) -> dict[str, list[str]]:
    """Return the paths below the results of a job's outputs, by the name of the output."""
    return {
        name: [layout.filled(template, place.dataset, place.loss, place.number) for template in templates]
        for name, templates in layout.STEPS[place.step].writes.items()
    }


def _unrecorded(place: JobId) -> list[str]:
    """Return the results of a job that are written after its record, which cannot name them."""
    templates = [path for paths in layout.STEPS[place.step].unrecorded.values() for path in paths]
    return [layout.filled(template, place.dataset, place.loss, place.number) for template in templates]


def _without_record(found: Survey, root: Path, place: JobId) -> None:
    there = [name for outputs in _names(place).values() for name in outputs if (root / name).exists()]
    if there:
        found.reasons[place] = [f"of unknown origin: {_listed(there)} has no record"]
    else:
        found.reasons[place] = [changes.NEVER]
        found.fresh.add(place)


def _compare(found: Survey, plan: Plan, place: JobId, record: Record, current: "_Current") -> None:
    said = []
    if record.content["fingerprint"] != changes.planned_fingerprint(plan, place):
        said += changes.differences(plan, place, record.content)
    said += current.other_inputs(place) if not said else []
    missing, changed = current.damage(place)
    outputs = {output for output, names in current.names[place].items() if {*names} & {*missing}}
    if not said and missing and not changed and _may_be_absent(place, outputs, missing, current.left_out):
        found.absent[place] = outputs
        return
    missing += [name for name in _unrecorded(place) if not (Path(plan.results) / name).exists()]
    if not said and (missing or changed) and place.step != "train":
        found.restored.add(place)
    said += [f"missing: {_listed(missing)}"] if missing else []
    said += [f"changed since it was made: {_listed(changed)}"] if changed else []
    if said:
        found.reasons[place] = said


def _compare_sums(found: Survey, plan: Plan, records: Mapping[JobId, Record], contents: Contents) -> None:
    """Compare the list of checksums, which no record can name because it contains the records, with these."""
    page, root = JobId("report_page"), Path(plan.results)
    if page not in records or found.reasons or found.absent:
        return
    key = sha256_text("".join(sorted(record.sha256 for record in records.values())))
    names = [*plan.records(), layout.record("manifest"), page.record]
    if not contents.confirmed(SUMS, key, lambda: (root / SUMS).read_bytes() == sums_text(sums(root, names)).encode()):
        found.reasons[page] = [f"changed since it was made: {SUMS}"]
        found.restored.add(page)


def _may_be_absent(place: JobId, outputs: set[str], missing: list[str], left_out: Collection[str]) -> bool:
    if (place.step == "train" and outputs == {WEIGHTS}) or place.step == "preprocess":
        return True
    return all(any(name == one or one.startswith(f"{name}/") for one in left_out) for name in missing)


@dataclass
class _Current:
    """Records of all jobs, the paths of their outputs, the digests of these on the disk, and what a bundle leaves out."""

    plan: Plan
    records: Mapping[JobId, Record]
    names: Mapping[JobId, Mapping[str, list[str]]]
    digests: Mapping[str, str | None]
    left_out: Collection[str]

    def __post_init__(self) -> None:
        self._by_path: dict[str, str] = {}
        for place, record in self.records.items():
            self._by_path[place.record] = record.sha256
            for name, sha256 in self._recorded(place):
                self._by_path[name] = sha256

    def _recorded(self, place: JobId) -> Iterator[tuple[str, str]]:
        """Yield the outputs of a job and their digests as its record has them."""
        outputs = self.records[place].content["outputs"]
        for output, names in self.names[place].items():
            entries = outputs.get(output, [])
            for name, entry in zip(names, entries, strict=False):
                yield name, str(entry.get("sha256"))

    def damage(self, place: JobId) -> tuple[list[str], list[str]]:
        """Return which results of a job are missing, and which are not those that its record names."""
        recorded = dict(self._recorded(place))
        every = [name for names in self.names[place].values() for name in names]
        missing = [name for name in every if self.digests[name] is None]
        changed = [name for name in every if name not in missing and self.digests[name] != recorded.get(name)]
        return missing, changed

    def other_inputs(self, place: JobId) -> list[str]:
        """Return the results that have changed since a job used them, as reasons."""
        recorded = self.records[place].content["inputs"]
        other: list[str] = []
        for name, output in layout.STEPS[place.step].reads.items():
            entries = [str(entry.get("sha256")) for entry in recorded.get(name, [])]
            if output == layout.WHOLE:
                other += self._other_files(place, recorded.get(name, []))
            elif (expected := self._expected(place, name)) is not None and entries != expected:
                other.append(name)
        return [f"was made from other results: {_listed(other)}"] if other else []

    def _expected(self, place: JobId, name: str) -> list[str] | None:
        """Return the digests of an input as the records of its jobs have them; None where one has none, and runs itself."""
        expected = []
        for job, number in sources(self.plan, place, name):
            output = layout.STEPS[place.step].reads[name].split(".", 1)[1].partition(":")[0]
            if job not in self.records:
                return None
            entries = self.records[job].content["outputs"].get(output, [])
            expected.append(str(entries[number].get("sha256")) if number < len(entries) else "")
        return expected

    def _other_files(self, place: JobId, entries: Iterable[Mapping[str, str]]) -> Iterator[str]:
        """Yield the files that have changed since a step that reads the whole folder used them."""
        root = self._root(place)
        for entry in entries:
            name = str(entry.get("path", "")).removeprefix(root)
            found = self._by_path.get(name)
            if found is None and (path := Path(self.plan.results) / name).is_file():
                found = sha256_file(path)
            if found != entry.get("sha256"):
                yield name

    def _root(self, place: JobId) -> str:
        """Return the prefix of the paths in a record: the folder may have been moved since."""
        for output, names in self.names[place].items():
            for name, entry in zip(names, self.records[place].content["outputs"].get(output, []), strict=False):
                return str(entry.get("path", "")).removesuffix(name)
        return ""


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
