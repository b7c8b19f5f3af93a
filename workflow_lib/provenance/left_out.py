"""The files that a bundle leaves out of the results of a study, as it declares them."""

import re
from pathlib import Path

from workflow_lib.base.errors import UserError
from workflow_lib.base.files import read_json

BUNDLE = "bundle.json"
"""In the folder of a bundle: the files that were left out, each with the reason."""

LEAVABLE = re.compile(r"preprocessed/.*|predictions/.*|training/.*/model\.weights\.h5")
"""Files that a bundle may leave out: the tables can be recomputed without them."""


def of_bundle(folder: Path) -> set[str]:
    """Return the files that an unpacked bundle leaves out and may leave out; none if the folder is not a bundle."""
    try:
        declared = read_json(folder / BUNDLE)["left_out"]
        return {str(name) for name in declared if LEAVABLE.fullmatch(str(name))}
    except (UserError, OSError, KeyError, TypeError):
        return set()
