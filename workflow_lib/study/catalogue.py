"""The catalogues `datasets` and `losses` of a configuration, and the entries that a study uses."""

from collections.abc import Iterable, Mapping
from typing import Any

from workflow_lib.study.config import merge


def with_used_losses(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration with only those entries of `losses` that the datasets of the study name."""
    catalogue = raw.get("losses")
    if not isinstance(catalogue, Mapping):
        return dict(raw)
    used = set(used_losses(raw))
    return {**raw, "losses": {name: entry for name, entry in catalogue.items() if name in used}}


def used_losses(raw: Mapping[str, Any]) -> list[str]:
    """Return the names of the losses in the datasets of the study. Invalid entries are skipped."""
    entries = (_section(raw, "datasets").get(name) for name in used_datasets(raw))
    lists = (entry.get("losses") for entry in entries if isinstance(entry, Mapping))
    return list(dict.fromkeys(name for names in lists if isinstance(names, list) for name in _texts(names)))


def used_datasets(raw: Mapping[str, Any]) -> list[str]:
    """Return the names in `study.datasets`. Invalid entries are skipped."""
    names = _section(raw, "study").get("datasets")
    return list(_texts(names)) if isinstance(names, list) else []


def choice_faults(raw: Mapping[str, Any], own: Mapping[str, Any] | None) -> list[str]:
    """Return the fault of a study that does not choose its datasets.

    `own` is the content of the files of --configfile and of --config, without config.yaml. It is None without
    such a file, because config.yaml alone is the study of the paper.
    """
    no_sections = [name for name in ("study", "datasets") if not isinstance(own.get(name, {}), Mapping)] if own else []
    if own is None or no_sections or "datasets" in _section(own, "study"):
        return []  # what is no section is a fault of its own
    known = list(_section(raw, "datasets"))
    line = f"datasets: [{', '.join(map(str, _own_datasets(own) or known))}]"
    where, line = ("in its section `study`", line) if _section(own, "study") else ("", f"study: {{{line}}}")
    return [
        "study.datasets: no file of --configfile says which datasets the study compares. The catalogue has: "
        f"{', '.join(map(str, known)) or 'none'}. Write{where and ' '}{where}, for example:\n"
        f"      {line}\n"
        "    If the file only changes another study, name that one before it: --configfile STUDY.yaml CHANGES.yaml"
    ]


def with_own_datasets(raw: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration with the datasets of the study's own files as `study.datasets`.

    With this choice, their faults are also found.
    """
    names = _own_datasets(own)
    return merge(raw, {"study": {"datasets": names}}) if names else dict(raw)


def _own_datasets(own: Mapping[str, Any]) -> list[Any]:
    return list(_section(own, "datasets"))


def _section(raw: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = raw.get(name)
    return section if isinstance(section, Mapping) else {}


def _texts(names: Iterable[Any]) -> Iterable[str]:
    return (name for name in names if isinstance(name, str))
