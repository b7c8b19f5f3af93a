"""What the data of a study are, wherever they lie: the contents of each case's files by their role, and one digest of all.

The cases are those of cases.json, which the study uses; a path counts nothing.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from workflow_lib.base.files import canonical_json, sha256_text

IMAGES, MASKS, VIEW = "images", "masks", "fields of view"
ROLES = (IMAGES, MASKS, VIEW)


def contents(entry: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return the SHA-256 of a case's files by their role; of the images in the order of the channels.

    `entry` is one of the cases of cases.json.
    """
    digests = entry["sha256"]
    view = entry["field_of_view"]
    masks = [digests[path] for path in entry["masks"]]
    return {
        # Files with the voxels of others, whether of an image or a mask, are counted with the images.
        IMAGES: tuple(digests[path] for path in (*entry["images"], *entry.get("companions", ()))),
        # Unless each is of one class, they are joined, so that their order makes no difference.
        MASKS: tuple(masks if entry.get("mask_values") else sorted(masks)),
        VIEW: () if view is None else (digests[view],),
    }


def data_digest(entries: Iterable[Mapping[str, Any]]) -> str:
    """Return the SHA-256 over the sorted list of (case, role, number in the role, SHA-256) of all files of a dataset's cases."""
    files = [
        [str(entry["id"]), role, number, digest]
        for entry in entries
        for role, digests in contents(entry).items()
        for number, digest in enumerate(digests)
    ]
    return sha256_text(canonical_json(sorted(files)))
