"""The content that two runs of one study must share: everything except the facts of the run (times, machines, attempts)."""

import re
from pathlib import Path
from typing import Any

from workflow_lib.base.files import read_json, sha256_file
from workflow_lib.provenance.manifest import SUMS, portable_digest

NO_RESULTS = {"checkpoints", "logs"}


def contents(results: Path) -> dict[str, Any]:
    """Return {file: content} of a study's folder, without the facts of the run."""
    files = {path.relative_to(results).as_posix(): path for path in sorted(results.rglob("*")) if path.is_file()}
    return {
        name: _content(name, path)
        for name, path in files.items()
        if name.split("/")[0] not in NO_RESULTS and name != SUMS and not path.name.startswith(".")
    }


def _content(name: str, path: Path) -> Any:
    if name.startswith("records/"):
        # The digests in a record are those of files that are compared themselves.
        return {key: read_json(path)[key] for key in ("step", "settings", "fingerprint", "versions")}
    if path.name in ("training.json", "inspection.json"):
        return portable_digest(path)
    if path.name == "report.html":
        text = path.read_text(encoding="utf-8")
        body = re.sub(r'<section id="run-facts".*?</section>', "", text, flags=re.DOTALL)
        assert len(body) < len(text)
        return body
    return sha256_file(path)
