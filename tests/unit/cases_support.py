"""Shared functions for the tests of checked cases."""

from collections import Counter
from collections.abc import Sequence

from workflow_lib.datasets.check import CaseRow


def pooled_shares(rows: Sequence[CaseRow]) -> dict[str, float]:
    """Return the share of each class in the voxels of all included cases together; empty if there are none."""
    voxels: Counter[str] = Counter()
    for row in rows:
        if row.status == "included":
            voxels.update(row.finding.voxels)
    return {name: count / voxels.total() for name, count in voxels.items()}
