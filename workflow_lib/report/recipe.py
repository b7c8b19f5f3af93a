"""How to reproduce the report: the study as one YAML file, the commands, and possible obstacles."""

from __future__ import annotations

import base64
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from workflow_lib.report.origins import shortened
from workflow_lib.report.study import Study
from workflow_lib.report.text import listed

FOLDER = "reproduction"
"""Folder into which the commands clone the workflow."""

CHANGES = "+changes"
"""Suffix of a commit whose checkout had uncommitted changes."""


def study_yaml(config: Mapping[str, Any]) -> str:
    """Return the complete configuration as YAML for `--configfile`.

    Its results are in results/, regardless of their present place.
    """
    study = {**config["study"], "results": "results"}
    return yaml.safe_dump({**config, "study": study}, sort_keys=False, allow_unicode=True, width=100)


def describe(study: Study, digest: str, stale: Sequence[str]) -> dict[str, Any]:
    """Return the commands that reproduce the report, the study's YAML for download, and `obstacles` to a reproduction.

    `stale`: in words, why results of this report are stale.
    """
    name, commit = str(study.name), study.commit
    text = study_yaml(study.config)
    return {
        "yaml": "data:application/yaml;charset=utf-8;base64," + base64.b64encode(text.encode()).decode("ascii"),
        "yaml_name": f"{name}.yaml",
        "folder": FOLDER,
        "before": [
            f'git clone "$REPOSITORY" {FOLDER}',
            f"cd {FOLDER}",
            f"git checkout --detach {commit.removesuffix(CHANGES) if commit else 'COMMIT'}",
        ],
        "environment": ["make venv", ". .venv/bin/activate"],
        "run": [
            shlex.join(["snakemake", "--cores", "all", "--configfile", f"{name}.yaml"]),
            shlex.join(["whichloss", "audit", f"results/{name}", "--digest", digest]),
        ],
        "obstacles": [*_obstacles(commit), *_stale(stale)],
        "needs": _needs(study),
    }


def _obstacles(commit: str | None) -> list[str]:
    if commit is None:
        return ["The page was made outside a git checkout, so there is no commit that identifies its code."]
    if commit.endswith(CHANGES):
        return [
            "The checkout that made this page had uncommitted changes: commit "
            f"{commit.removesuffix(CHANGES)} is not the code that was run."
        ]
    return []


def _stale(reasons: Sequence[str]) -> list[str]:
    if not reasons:
        return []
    return ["Some results were not made with this study's settings and code: " + "; ".join(shortened(reasons)) + "."]


def _needs(study: Study) -> list[str]:
    """Return what is needed besides the repository: images and files of the user."""
    needs = []
    for dataset in study.datasets:
        settings = study.config["datasets"][dataset.name]
        root = settings["root"]
        if settings["source"] == "folder":
            needs.append(f"The images of {dataset.label} in {root} (docs/datasets.md describes their source).")
        elif settings["source"] == "download":
            needs.append(f"The images of {dataset.label} are downloaded into {root}.")
        tables = [settings.get("groups"), settings["cross_validation"].get("table")]
        if files := [str(file) for file in tables if file]:
            needs.append(f"For {dataset.label}: {listed(files)}.")
    own = {
        f"{file}.py (digest {digest[:12]}…)"
        for dataset in study.datasets
        for loss in dataset.losses
        for file, digest in loss.files.items()
    }
    return [*needs, *([f"The loss files {listed(sorted(own))}, at the paths that the study names."] if own else [])]
