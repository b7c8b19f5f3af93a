"""The section `cross_validation`: the division of the cases."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from workflow_lib.study.sections.section import Section

Share = Annotated[float, Field(gt=0, lt=1)]


class FixedSplit(Section):
    """One division into training, validation and test cases in place of folds."""

    test: Share | Literal["official"] = Field(
        0.2, description="Share of the cases that are the test set; or official: the test set that the dataset comes with."
    )
    validation: Share = Field(0.2, description="Share of the other cases that choose the weights.")


class CrossValidation(Section):
    """Division of the cases: into folds, into one fixed split, or as your table says."""

    folds: int = Field(5, ge=2, le=20, description="Number of folds; every fold is trained and scored.")
    fixed: FixedSplit | None = Field(None, description="One split into training, validation and test cases in place of folds.")
    by_group: bool = Field(
        False, description="Keep the cases of a group (patient, sequence) together, so that none straddles two folds or parts."
    )
    similar_images: Literal["warn", "together"] = Field(
        "warn",
        description="Cases whose images are equal or nearly equal: the report warns if a network is tested on one and trained on "
        "another (warn), or they stay together, as the cases of a group do (together).",
    )
    table: str | None = Field(
        None,
        description="CSV with your division in place of a random one: `case,fold`, or `case,part` with the parts training, "
        "validation, test. A relative path starts at the working directory.",
    )
    new_cases: Literal["refuse", "add"] = Field(
        "refuse",
        description="Cases that `table` does not name: a fault (refuse), or added to its folds or parts in proportion (add). "
        "With a copy of results/<study>/data/<dataset>/folds.csv as `table`, cases stay in their fold when others are added.",
    )
    like: str | None = Field(
        None,
        description="Another entry of `datasets` with the same images: the same cases fall into the same folds as there, so that "
        "entries which differ in their network can be compared.",
    )

    @model_validator(mode="after")
    def _one_source(self) -> "CrossValidation":
        if self.table is not None and self.by_group:
            raise ValueError("by_group divides at random; a `table` says itself which case goes where. Remove one of the two")
        if self.table is not None and self.similar_images == "together":
            raise ValueError("similar_images: together divides at random; a `table` says itself which case goes where")
        if self.table is None and self.new_cases == "add":
            raise ValueError("new_cases: add needs a `table` with the places of the other cases, such as a copy of folds.csv")
        return self
