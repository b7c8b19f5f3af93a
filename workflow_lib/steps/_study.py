"""Reading what earlier steps wrote."""

from typing import Any

from workflow_lib.images.selection import Cases, read_cases

__all__ = ["Cases", "dataset_options", "read_cases"]


def dataset_options(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the keys of a dataset's settings that its format reads."""
    return {"channels": settings["channels"], "files": settings["files"]}
