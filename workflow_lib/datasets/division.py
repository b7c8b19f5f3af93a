"""Divide the cases of a dataset into folds or one fixed split: at random, by group, or by a table."""

import csv
import difflib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from workflow_lib.base.errors import Faults, UserError
from workflow_lib.base.seeds import generator
from workflow_lib.datasets.folds import COLUMNS, Assignment, Part
from workflow_lib.images.cases import Case
from workflow_lib.study.sections.cross_validation import CrossValidation, FixedSplit

_SHOWN = 10


def divide(
    cases: Sequence[Case],
    settings: CrossValidation,
    seed: int,
    groups: Mapping[str, str] | None = None,
    table: Mapping[str, Assignment] | None = None,
    similar: Sequence[Sequence[str]] = (),
) -> dict[str, Assignment]:
    """Return the assignment of every case.

    A random division depends on the seed and on the set of cases and their groups, not on their order. `groups` (case -> group)
    overrides the groups of the cases themselves. `table` is the result of `read_table` and overrides `settings.folds` and
    `fixed`. `similar`: groups of cases with the same images, which the settings may keep together.
    Raises UserError if there are fewer cases or groups than folds or parts, if a case has no group and groups are requested, if
    the official test set is requested and the dataset has none, and if the table lacks a case.
    """
    known = {case.id: case.group for case in cases} | dict(groups or {})
    named = {case.id: known[case.id] for case in sorted(cases, key=lambda case: case.id)}
    of, by_group = named, settings.by_group
    if similar and settings.similar_images == "together":
        of, by_group = _units(named, similar, by_group), True
    if table is not None:
        places = _by_table(of, table, seed if settings.new_cases == "add" else None)
    elif settings.fixed is not None:
        places = _fixed(cases, of, settings.fixed, by_group, seed)
    else:
        places = {case: Assignment(fold) for case, fold in _folds(of, settings.folds, by_group, seed).items()}
    return {case: Assignment(places[case].fold, places[case].part, named[case]) for case in named}


def _units(named: Mapping[str, str], similar: Sequence[Sequence[str]], by_group: bool) -> dict[str, str]:
    """Return the unit of every case: with `by_group` its group, else the case itself, joined where cases are similar."""
    if by_group:
        _members(named)  # every case must have a group
    of = {case: f"group {group}" if by_group else f"case {case}" for case, group in named.items()}
    for cases in similar:
        units = {of[case] for case in cases}
        of |= dict.fromkeys([case for case, unit in of.items() if unit in units], min(units))
    return of


def _added(of: Mapping[str, str], missing: Sequence[str], table: Mapping[str, Assignment], seed: int) -> dict[str, Assignment]:
    """Return the places of cases that a table lacks: that of their group, else the one that has grown least, in random order."""
    sizes = Counter(table.values())
    first, groups = dict(sizes), {of[case]: place for case, place in table.items() if of[case]}
    places: dict[str, Assignment] = {}
    ordered = sorted(missing)
    for position in generator(seed, "added").permutation(len(ordered)):
        case = ordered[position]
        place = groups.get(of[case]) or min(sizes, key=lambda p: (sizes[p] / first[p], -first[p], p.fold, p.part))
        places[case] = place
        sizes[place] += 1
        if of[case]:
            groups[of[case]] = place
    return places


def assign_folds(case_ids: Sequence[str], folds: int, seed: int) -> dict[str, int]:
    """Assign each case to a fold 1..`folds` by one random permutation. The sizes of the folds differ by at most one.

    The assignment depends on the set of cases, not on their order. Raises UserError if there are more folds than cases.
    """
    if folds > len(case_ids):
        raise UserError(f"{folds} folds need at least {folds} cases, but only {len(case_ids)} are included. Ask for fewer folds.")
    ordered = sorted(case_ids)
    permutation = generator(seed, "folds").permutation(len(ordered))
    assignment = {ordered[position]: index % folds + 1 for index, position in enumerate(permutation)}
    return {case: assignment[case] for case in ordered}


def read_groups(path: Path) -> dict[str, str]:
    """Read a CSV file `case,group`. Raises UserError with all its faults."""
    rows = _rows(path, ("case", "group"))
    faults = [f"{path}, line {line}: the group is empty" for line, row in rows if not row["group"]]
    if faults:
        raise Faults(f"{path} is not a table of groups:", faults[:_SHOWN])
    return {row["case"]: row["group"] for _, row in rows}


def names_without_case(groups: Mapping[str, str], cases: Sequence[Case]) -> str:
    """Return a warning of the names in a table of groups that no case has, or an empty text.

    Raises UserError if no case has a name of the table: the names in it are of another form.
    """
    known = {case.id for case in cases}
    others = [name for name in groups if name not in known]
    if not others:
        return ""
    without = sorted(known - set(groups))
    shown = []
    for name in others[:_SHOWN]:
        close = difflib.get_close_matches(name, without, n=1)
        shown.append(name + (f" (did you mean {close[0]}?)" if close else ""))
    more = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
    said = (
        f"{len(others)} of {len(groups)} names in the table of groups are not those of included cases: {', '.join(shown)}{more}"
    )
    if len(others) == len(groups):
        raise UserError(f"groups: {said}. Write the names of the cases as they are in cases.csv.")
    return said


def read_table(path: Path) -> dict[str, Assignment]:
    """Read a division from a CSV file `case,fold` (folds 1, 2, ... k) or `case,part` (training, validation, test).

    Raises UserError with all faults: a duplicate case, an invalid fold, a fold or part without cases, an unknown part.
    """
    rows = _rows(path, ("case",))
    columns = set(rows[0][1]) if rows else set()
    if set(COLUMNS) <= columns:
        # The table of a study, as the step `split` writes it: parts are empty where there are folds.
        columns -= {"part"} if not any(row["part"] for _, row in rows) else {"fold"}
    if ("fold" in columns) == ("part" in columns):
        raise UserError(f"{path} needs one of the columns `fold` and `part` beside `case`; it has {', '.join(sorted(columns))}.")
    return _parts_of(path, rows) if "part" in columns else _folds_of(path, rows)


def folds_in(table: Mapping[str, Assignment]) -> int:
    """Return the number of folds of a division, 1 for a fixed split."""
    return max(place.fold for place in table.values())


def _rows(path: Path, needed: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    """Return the rows of a small CSV file with their line numbers. Spaces around values are removed."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            columns = [name.strip() for name in reader.fieldnames or []]
            found = [(reader.line_num, {k.strip(): (v or "").strip() for k, v in row.items() if k}) for row in reader]
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}. Check the path.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} is not CSV in UTF-8: {error}.") from error
    lacking = [name for name in needed if name not in columns]
    if lacking:
        raise UserError(f"{path} lacks the column {', '.join(lacking)}; its first line must name the columns.")
    seen: set[str] = set()
    faults = []
    for line, row in found:
        if row["case"] in seen or not row["case"]:
            faults.append(f"{path}, line {line}: the case {row['case']!r} is listed twice, or has no name")
        seen.add(row["case"])
    if faults:
        raise Faults(f"{path} has faults:", faults[:_SHOWN])
    return found


def _folds_of(path: Path, rows: Sequence[tuple[int, Mapping[str, str]]]) -> dict[str, Assignment]:
    faults = [
        f"line {line}: the fold {row['fold']!r} is not a number from 1 to 20" for line, row in rows if not _is_fold(row["fold"])
    ]
    if not faults:
        present = {int(row["fold"]) for _, row in rows}
        missing = sorted(set(range(1, max(present) + 1)) - present)
        faults += [f"the folds must be numbered without a gap; missing: {missing}"] if missing else []
        faults += ["at least two folds are needed"] if len(present) < 2 else []
    if faults:
        raise Faults(f"{path} is not a table of folds:", faults[:_SHOWN])
    return {row["case"]: Assignment(int(row["fold"])) for _, row in rows}


def _is_fold(text: str) -> bool:
    return text.isascii() and text.isdigit() and 1 <= int(text) <= 20


def _parts_of(path: Path, rows: Sequence[tuple[int, Mapping[str, str]]]) -> dict[str, Assignment]:
    parts: dict[str, Part] = {"training": "training", "validation": "validation", "test": "test"}
    faults = [
        f"line {line}: the part {row['part']!r} is none of {', '.join(parts)}" for line, row in rows if row["part"] not in parts
    ]
    missing = [part for part in parts if part not in {row["part"] for _, row in rows}]
    if missing and not faults:
        faults = [f"no case is in the part {part}" for part in missing]
    if faults:
        raise Faults(f"{path} is not a table of parts:", faults[:_SHOWN])
    return {row["case"]: Assignment(1, parts[row["part"]]) for _, row in rows}


def _by_table(of: Mapping[str, str], table: Mapping[str, Assignment], seed: int | None) -> dict[str, Assignment]:
    """Return the assignments of the cases from a table, which may contain others.

    With a seed, cases that it lacks are added; without, they are a fault.
    """
    missing = [case for case in of if case not in table]
    if missing and seed is not None:
        table = dict(table) | _added(of, missing, {case: table[case] for case in of if case in table}, seed)
    elif missing:
        more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        raise UserError(
            f"cross_validation.table lacks {len(missing)} of {len(of)} cases: {', '.join(missing[:_SHOWN])}{more}. "
            "Add them, leave them out of the study (`exclude`), or let them be added (`cross_validation.new_cases: add`)."
        )
    places = {case: table[case] for case in of}
    wanted = {(place.fold, place.part) for place in table.values()}
    empty = sorted(str(part or fold) for fold, part in wanted - {(place.fold, place.part) for place in places.values()})
    if empty:
        raise UserError(f"cross_validation.table: none of the included cases is in {', '.join(empty)}.")
    return places


def _folds(of: Mapping[str, str], folds: int, by_group: bool, seed: int) -> dict[str, int]:
    if not by_group:
        return assign_folds(list(of), folds, seed)
    members = _members(of)
    if folds > len(members):
        raise UserError(
            f"{folds} folds by group need at least {folds} groups, but there are {len(members)}. Ask for fewer folds."
        )
    return _fill(members, dict.fromkeys(range(1, folds + 1), len(of) / folds), seed)


def _fixed(cases: Sequence[Case], of: Mapping[str, str], fixed: FixedSplit, by_group: bool, seed: int) -> dict[str, Assignment]:
    parts: dict[str, Part] = {}
    if fixed.test == "official":
        official = {case.id for case in cases if case.part == "test"}
        if not official:
            raise UserError(
                "cross_validation.fixed.test is `official`, but no included case is in an official test set "
                "(its labels may not be given out). Give a share such as 0.2, or use folds."
            )
        parts = dict.fromkeys(sorted(official), "test")
    rest = {case: group for case, group in of.items() if case not in parts}
    if isinstance(fixed.test, float):
        parts |= dict.fromkeys(_drawn(rest, fixed.test, by_group, seed, "test", others=2), "test")
        rest = {case: group for case, group in rest.items() if case not in parts}
    elif by_group:
        straddling = sorted({of[case] for case in parts} & set(rest.values()) - {""})
        if straddling:
            raise UserError(
                "by_group, similar_images: the official test set shares groups or images with the other cases: "
                f"{', '.join(straddling[:_SHOWN])}."
            )
    parts |= dict.fromkeys(_drawn(rest, fixed.validation, by_group, seed, "validation", others=1), "validation")
    return {case: Assignment(1, parts.get(case, "training")) for case in of}


def _drawn(of: Mapping[str, str], share: float, by_group: bool, seed: int, part: Part, others: int) -> list[str]:
    """Return a random share of the cases. By group, whole groups are drawn so that the number of cases is close to the share.

    The remaining cases will form `others` further parts. By group, each of these parts needs a group.
    """
    wanted = max(1, round(share * len(of)))
    if len(of) < 2 or wanted >= len(of):
        raise UserError(f"Of {len(of)} cases no part of {share:g} can be taken for {part} that leaves some for the rest.")
    if not by_group:
        ordered = sorted(of)
        return [ordered[position] for position in generator(seed, "split", part).permutation(len(ordered))[:wanted]]
    members = _members(of)
    if len(members) < 1 + others:
        raise UserError(f"A {part} set by group needs at least {1 + others} groups; there are {len(members)}.")
    places = _fill(members, {1: float(wanted), 2: float(len(of) - wanted)}, seed, part, {2: others})
    return sorted(case for case, place in places.items() if place == 1)


def _members(of: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the sorted cases of each group, sorted by group. Raises UserError if cases have no group."""
    lacking = [case for case, group in of.items() if not group]
    if lacking:
        raise UserError(
            f"by_group: {len(lacking)} of {len(of)} cases have no group, such as {', '.join(lacking[:_SHOWN])}. "
            "Name their groups in a CSV `case,group` (datasets.<name>.groups)."
        )
    members: dict[str, list[str]] = {}
    for case in sorted(of):
        members.setdefault(of[case], []).append(case)
    return dict(sorted(members.items()))


def _fill(
    members: Mapping[str, Sequence[str]],
    wanted: Mapping[int, float],
    seed: int,
    name: str = "folds",
    least: Mapping[int, int] | None = None,
) -> dict[str, int]:
    """Distribute whole groups, largest first, each to the place that lacks most cases. Ties are in random order.

    Every place gets at least one group, or the number given in `least`.
    """
    names = list(members)
    shuffled = [names[position] for position in generator(seed, "groups", name).permutation(len(names))]
    open_places = dict(wanted)
    lacking = dict.fromkeys(wanted, 1) | dict(least or {})
    result: dict[str, int] = {}
    for left, group in zip(range(len(names), 0, -1), sorted(shuffled, key=lambda group: -len(members[group])), strict=True):
        # The last groups are reserved for places with too few groups.
        choice = [place for place in open_places if lacking[place] > 0 or sum(lacking.values()) < left]
        place = max(choice, key=lambda place: (open_places[place], -place))
        open_places[place] -= len(members[group])
        lacking[place] = max(0, lacking[place] - 1)
        result |= dict.fromkeys(members[group], place)
    return result
