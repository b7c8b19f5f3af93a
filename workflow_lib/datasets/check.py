"""Decide which cases the study uses, from the findings of the inspection, and report all faults together."""

import difflib
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from workflow_lib.base.csv_text import csv_text
from workflow_lib.base.errors import Faults, UserError
from workflow_lib.base.files import write_text
from workflow_lib.datasets.inspection import Finding, joined_numbers
from workflow_lib.datasets.similarity import Pair, similar_pairs
from workflow_lib.images.cases import Case, LabelMap, alike
from workflow_lib.images.orientation import direction_order
from workflow_lib.study.sections.preprocessing import ORIENTATIONS


@dataclass(frozen=True)
class CaseRow:
    """A case with the findings of its inspection and the decision.

    `status` is included, excluded or fault. `reason` explains why the case is not included. `note` is a remark without
    consequences.
    """

    case: str
    status: str = "included"
    reason: str = ""
    group: str = ""
    part: str = ""
    note: str = ""
    finding: Finding = field(default_factory=Finding)

    @property
    def faults(self) -> tuple[str, ...]:
        """The faults of the case, whether it is excluded or not."""
        return self.finding.faults


def decide(
    cases: Sequence[Case],
    findings: Sequence[Finding],
    labels: LabelMap,
    excluded: Mapping[str, str] | None = None,
    required: Collection[str] = (),
    exclude_faulty: bool = False,
    axes: int | None = None,
    needs_view: bool = False,
    orientation: str | None = None,
) -> list[CaseRow]:
    """Return a row for each case, in the order of `cases`.

    In addition to the faults in the findings, a case has a fault if its name is used before or is equivalent to an earlier one on
    some file systems; if its number of channels differs from that of most cases; if its number of axes differs from `axes` (that
    of the patches); if its axes run in another order through the body than those of most cases, unless preprocessing brings all
    to one `orientation`; and, with `needs_view`, if it has no mask of the field of view.
    `excluded` maps cases to the reason for excluding them; their faults are ignored. An entry of it that is not in the dataset
    becomes a row with a fault. A case without one of the classes `required` is excluded, and with `exclude_faulty` so is a
    faulty case. A note names an earlier case with the same or nearly the same image, and says what the readers converted.
    Raises UserError if `required` names an unknown class.
    """
    # Unicode has two forms of accented letters; names of cases are in the composed one.
    ids = {case.id for case in cases}
    composed = {name: name if name in ids else unicodedata.normalize("NFC", name) for name in excluded or {}}
    excluded = {composed[name]: reason for name, reason in (excluded or {}).items()}
    unknown = sorted(set(required) - set(labels.names))
    if unknown:
        raise UserError(f"require: the dataset has no class {', '.join(map(repr, unknown))}; it has {', '.join(labels.names)}.")
    views = {
        n: "it has no mask of the field of view (field_of_view: true)" for n, case in enumerate(cases) if not case.field_of_view
    }
    used = [finding if case.id not in excluded else Finding() for case, finding in zip(cases, findings, strict=True)]
    more = (
        *(_name_faults(cases, excluded), _channel_faults(used), _axes_faults(used, axes), views if needs_view else {}),
        _orientation_faults(used, orientation),
    )
    notes = _similar(cases, findings), _mirrored(used) if orientation is None else {}
    rows = []
    for number, (case, finding) in enumerate(zip(cases, findings, strict=True)):
        added = tuple(fault for faults in more for fault in [faults.get(number)] if fault)
        whole = replace(finding, faults=(*finding.faults, *added))
        note = "; ".join([*(notes[n][number] for n in range(len(notes)) if number in notes[n]), *finding.remarks])
        row = CaseRow(case.id, group=case.group, part=case.part, note=note, finding=whole)
        # If a name is used twice, an exclusion by this name would be ambiguous.
        rows.append(_decided(row, {} if number in more[0] else excluded, required, exclude_faulty))
    return rows + _unknown_exclusions(cases, excluded)


def _decided(row: CaseRow, excluded: Mapping[str, str], required: Collection[str], exclude_faulty: bool) -> CaseRow:
    if row.case in excluded:
        return replace(row, status="excluded", reason=excluded[row.case])
    if row.faults:
        return replace(row, status="excluded" if exclude_faulty else "fault", reason="; ".join(row.faults))
    lacking = [name for name in required if row.finding.voxels[name] == 0]
    if lacking:
        return replace(row, status="excluded", reason=f"contains no {' and no '.join(lacking)}")
    return row


def _name_faults(cases: Sequence[Case], excluded: Collection[str]) -> dict[int, str]:
    """Return the faults of names that are not unique, also where file systems ignore case or Unicode form.

    A case in two folds would leak test data into training. The name of an excluded case may be reused in another spelling,
    because no file is written for it.
    """
    seen: dict[str, str] = {}
    ids: set[str] = set()
    faults = {}
    for number, case in enumerate(cases):
        if case.id in ids:
            faults[number] = f"{case.id} is found more than once"
        elif case.id not in excluded and (earlier := seen.setdefault(alike(case.id), case.id)) != case.id:
            faults[number] = f"its name and {earlier!r} are the same file name on some systems; rename or exclude one of them"
        ids.add(case.id)
    return faults


def _channel_faults(findings: Sequence[Finding]) -> dict[int, str]:
    counts = [finding.channels for finding in findings if finding.channels is not None]
    if not counts:
        return {}
    usual = max(sorted(set(counts)), key=counts.count)
    return {
        number: f"it has {finding.channels} channel(s), and most cases have {usual}"
        for number, finding in enumerate(findings)
        if finding.channels not in (None, usual)
    }


def _axes_faults(findings: Sequence[Finding], axes: int | None) -> dict[int, str]:
    return {
        number: f"its image has {len(finding.shape)} axes, and training.patch has {axes}"
        for number, finding in enumerate(findings)
        if axes is not None and finding.shape is not None and len(finding.shape) != axes
    }


def _orientation_faults(findings: Sequence[Finding], orientation: str | None) -> dict[int, str]:
    """Return the faults of cases whose axes run in another order through the body than those of most cases."""
    if orientation is not None:
        return {
            number: f"it has no orientation in space, and preprocessing.orientation is {orientation}; remove this key"
            for number, finding in enumerate(findings)
            if finding.shape is not None and finding.orientation not in ORIENTATIONS
        }
    orders = {n: direction_order(finding.orientation) for n, finding in enumerate(findings) if finding.orientation}
    usual = _most_frequent(list(orders.values()))
    return {
        number: f"its axes run in the directions {findings[number].orientation}, those of most cases in the order of "
        f"{_most_frequent([findings[n].orientation or '' for n in orders if orders[n] == usual])}: one patch and one voxel size "
        "would mean other directions of the body. Set preprocessing.orientation, for example to RAS"
        for number, order in orders.items()
        if order != usual
    }


def _mirrored(findings: Sequence[Finding]) -> dict[int, str]:
    """Return notes on cases whose axes are in the usual order but point in other directions than those of most cases."""
    known = {n: finding.orientation for n, finding in enumerate(findings) if finding.orientation}
    usual = _most_frequent(list(known.values()))
    return {
        number: f"its axes point in the directions {orientation}, those of most cases {usual}: the network sees it mirrored"
        for number, orientation in known.items()
        if orientation != usual and direction_order(orientation) == direction_order(usual)
    }


def _most_frequent(values: Sequence[str]) -> str:
    return max(sorted(set(values)), key=values.count, default="")


def similar_cases(cases: Sequence[Case], findings: Sequence[Finding]) -> list[Pair]:
    """Return the pairs of cases with equal or nearly equal images."""
    digests = {}
    for case, finding in zip(cases, findings, strict=True):
        of_files = [finding.sha256.get(path.as_posix()) for path in case.images]
        digests[case.id] = [digest for digest in of_files if digest] if all(of_files) else []
    return similar_pairs({case.id: finding.sketch for case, finding in zip(cases, findings, strict=True)}, digests)


def _similar(cases: Sequence[Case], findings: Sequence[Finding]) -> dict[int, str]:
    """Return notes on cases whose image is that of an earlier case: of the most similar one."""
    closest: dict[str, Pair] = {}
    for pair in similar_cases(cases, findings):
        closest[pair.second] = max(closest.get(pair.second, pair), pair, key=lambda p: p.correlation)
    return {
        number: f"its images are those of {closest[case.id].first}, byte for byte"
        if closest[case.id].is_identical
        else f"its image is nearly that of {closest[case.id].first} (correlation {closest[case.id].correlation:.4f})"
        for number, case in enumerate(cases)
        if case.id in closest
    }


def _unknown_exclusions(cases: Sequence[Case], excluded: Mapping[str, str]) -> list[CaseRow]:
    known = [case.id for case in cases]
    rows = []
    for name in excluded:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            fault = "is listed in `exclude`, but the dataset has no case of this name" + (
                f"; did you mean {close[0]}?" if close else ""
            )
            rows.append(CaseRow(name, "fault", fault, finding=Finding((fault,))))
    return rows


def fault_report(rows: Sequence[CaseRow], labels: LabelMap) -> Faults | None:
    """Return all faults of all cases as one error, or None.

    It is also a fault if no case is included, or if all masks of those included are empty.
    """
    faults = [f"{row.case}: {fault}" for row in rows if row.status == "fault" for fault in row.faults]
    if faults:
        count = sum(row.status == "fault" for row in rows)
        heading = (
            f"{count} of {len(rows)} cases cannot be used. Correct the files, or list the cases under `exclude` with a reason:"
        )
        return Faults(heading, faults)
    if not any(row.status == "included" for row in rows):
        reasons = [f"{row.case}: {row.reason}" for row in rows]
        return Faults(f"Of {len(rows)} cases none is left:", reasons)
    used = [row.finding.voxels for row in rows if row.status == "included"]
    if not any(voxels.get(name) for voxels in used for name in labels.names[1:]):
        values = "/".join(str(value) for of_class in labels.values[1:] for value in of_class)
        rest = f" ({len(rows) - len(used)} of {len(rows)} cases are excluded)" if len(used) < len(rows) else ""
        return Faults(
            f"The masks of all {len(used)} included cases are empty{rest}:",
            [f"no voxel has a value of a class other than the background ({values}). Check how the masks were exported"],
        )
    return None


def absent_classes(rows: Sequence[CaseRow], labels: LabelMap) -> list[str]:
    """Return the classes that no included case contains."""
    used = [row.finding.voxels for row in rows if row.status == "included"]
    return [name for name in labels.names[1:] if not any(voxels.get(name) for voxels in used)]


def columns(labels: LabelMap) -> list[str]:
    """Return the columns of cases.csv."""
    fixed = ["case", "status", "reason", "note", "group", "part", "shape", "channels", "spacing", "orientation", "labels"]
    counts = [f"{kind}_{name}" for kind in ("voxels", "share") for name in labels.names]
    return [*fixed, "image_dtype", "mask_dtype", "intensity_min", "intensity_max", *counts]


def write_cases_csv(path: str | Path, rows: Sequence[CaseRow], labels: LabelMap) -> None:
    """Write one row per case, including faulty and excluded ones. Fields of values that could not be read are empty."""
    write_text(path, csv_text(columns(labels), [csv_row(row) for row in rows]))


def csv_row(row: CaseRow) -> dict[str, object]:
    """Return a case as a row of cases.csv."""
    found = row.finding
    total = sum(found.voxels.values())
    return {
        "case": row.case,
        "status": row.status,
        "reason": row.reason,
        "note": row.note,
        "group": row.group,
        "part": row.part,
        "shape": joined_numbers(found.shape) if found.shape else None,
        "channels": found.channels,
        "spacing": joined_numbers(found.spacing) if found.spacing else None,
        "orientation": found.orientation,
        "labels": found.labels,
        "image_dtype": found.image_dtype,
        "mask_dtype": found.mask_dtype,
        "intensity_min": found.intensity_min,
        "intensity_max": found.intensity_max,
        **{f"voxels_{name}": count for name, count in found.voxels.items()},
        **{f"share_{name}": count / total if total else None for name, count in found.voxels.items()},
    }
