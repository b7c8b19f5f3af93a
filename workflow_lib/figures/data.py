"""The data of the figures of a dataset, read from the files of its steps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from workflow_lib.base.frames import read_frame
from workflow_lib.evaluation.imbalance import unit_of
from workflow_lib.evaluation.scores import read_scores
from workflow_lib.figures.slices import rarest_class
from workflow_lib.figures.style import colours_of
from workflow_lib.figures.text import distinct_labels
from workflow_lib.images.selection import Cases, read_cases


@dataclass(frozen=True)
class Files:
    """The `interface.Data` of a dataset. A file is read when a figure needs it.

    `settings` are the settings of the steps `figures_dataset` and `figures_sweep`. `paths` contains their
    inputs by name: `cases` (cases.json), `table` (cases.csv), `scores`, `results` or `means` (statistics),
    `histories` and `predictions`.
    """

    settings: Mapping[str, Any]
    paths: Mapping[str, Sequence[Path]]

    @cached_property
    def labels(self) -> dict[str, str]:
        """Loss -> label, in the order of the tables. Labels that would look equal get the name as a suffix."""
        return distinct_labels({entry["name"]: entry["label"] for entry in self.settings["losses"]})

    @cached_property
    def colours(self) -> dict[str, str]:
        """Loss -> colour, the same in all figures."""
        return colours_of(self.settings["colours"])

    @property
    def seed(self) -> int:
        """The seed of the random draws."""
        return int(self.settings["seed"])

    @cached_property
    def study(self) -> Cases:
        """The cases that the study uses."""
        return read_cases(self.paths["cases"][0])

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, background first."""
        return self.study.labels.names

    @cached_property
    def cases(self) -> pd.DataFrame:
        """The table of all cases, cases.csv."""
        return read_frame(self.paths["table"][0])

    @cached_property
    def unit(self) -> str:
        """The name of an image element: voxels or pixels."""
        return unit_of(self.cases)

    @cached_property
    def target(self) -> str:
        """The class with the fewest voxels over all cases."""
        return rarest_class({name: float(self.cases[f"voxels_{name}"].sum()) for name in self.classes[1:]})

    @property
    def target_index(self) -> int:
        """The index of the class `target`."""
        return self.classes.index(self.target)

    @cached_property
    def scores(self) -> pd.DataFrame:
        """The scores of every case."""
        return read_scores(self.paths["scores"][0])

    def statistics(self, name: str) -> pd.DataFrame:
        """Return a table of the statistics."""
        files = {path.stem: path for group in ("results", "means") for path in self.paths.get(group, ())}
        return read_frame(files[name])

    @cached_property
    def histories(self) -> dict[str, dict[int, pd.DataFrame]]:
        """Loss -> fold -> the history of its training."""
        found: dict[str, dict[int, pd.DataFrame]] = {}
        for path in self.paths["histories"]:
            fold = int(path.parent.name.removeprefix("fold_"))
            found.setdefault(path.parent.parent.name, {})[fold] = read_frame(path)
        return found
