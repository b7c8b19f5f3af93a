"""Weighted sum of other losses, which is composed in the study."""

from typing import Any

from pydantic import Field, model_validator

from workflow_lib.base.errors import UserError
from workflow_lib.losses import registry
from workflow_lib.losses._parameters import LossParameters, Number, read_parameters
from workflow_lib.losses._terms import LossFunction, Ops, Tensor

NAME = "weighted_sum"
LABEL = "Weighted sum"
CITATION = "Composed by the user. Yeung et al., arXiv:2102.04525v1, name compounds with boundary losses as future work."
EQUATION = r"\mathcal{L} = \sum_{k} w_k \mathcal{L}_k"
FAMILY = "compound"
BUILT_FROM: tuple[str, ...] = ()
NOTES: tuple[str, ...] = (
    "Each term names a loss (of this page, or a file of your own), its weight and its parameters: "
    "`terms: [{loss: focal_tversky}, {loss: boundary, weight: 0.1, parameters: {max_distance: 8}}]`.",
    "Give it a `label`, which tables and figures show.",
)


class Term(LossParameters):
    """One term of the sum."""

    loss: str = Field(description="Name of the loss, or a Python file with a loss of your own.")
    weight: Number = Field(1.0, gt=0, le=1e6, description="Its weight.")
    parameters: dict[str, Any] = Field(default_factory=dict, description="Its parameters that differ from the defaults.")

    @model_validator(mode="before")
    @classmethod
    def _filled_in(cls, values: Any) -> Any:
        """Replace a file by the name of its loss, and add the default parameters.

        Equal choices then give equal data.
        """
        if not isinstance(values, dict) or not isinstance(values.get("loss"), str):
            return values
        parameters = values.get("parameters", {})
        if not isinstance(parameters, dict):
            return values
        try:
            name = registry.resolve(values["loss"])
        except UserError as error:
            raise ValueError(str(error)) from None
        faults = registry.faults(name, parameters)
        if faults:
            raise ValueError("; ".join(faults))
        return {**values, "loss": name, "parameters": registry.resolved_parameters(name, parameters)}


class Parameters(LossParameters):
    """Parameters of a weighted sum."""

    terms: tuple[Term, ...] = Field(min_length=1, max_length=10, description="The losses that are summed.")


def components(parameters: Parameters) -> list[tuple[str, dict[str, Any]]]:
    """Return the losses of the sum.

    Parameters
    ----------
    parameters : Parameters
        The parameters of the sum.

    Returns
    -------
    list of (str, dict)
        Name and parameters of each loss.
    """
    return [(term.loss, term.parameters) for term in parameters.terms]


def weighted_sum(**parameters: Any) -> LossFunction:
    """Return the weighted sum of other losses.

    Parameters
    ----------
    terms : a list with a section for each, required
        The losses that are summed.

    Returns
    -------
    LossFunction
        Function of one-hot ground truth and softmax output, both (batch, spatial axes, classes). It
        returns a scalar: the sum of weight times loss.

    Raises
    ------
    Faults
        With all invalid parameters.

    References
    ----------
    Composed by the user. Yeung et al., arXiv:2102.04525v1, name compounds with boundary losses as future work.

    Examples
    --------
    The Dice loss is 0.303 and the cross entropy 0.367. The sum is 0.303 + 0.5 · 0.367.

    >>> y_true, y_pred = [[[1, 0], [0, 1]]], [[[0.8, 0.2], [0.4, 0.6]]]
    >>> round(weighted_sum(terms=[{"loss": "dice"}, {"loss": "cross_entropy", "weight": 0.5}]).evaluate(y_true, y_pred), 4)
    0.4865
    """
    chosen = read_parameters(NAME, Parameters, parameters)
    parts = [(term.weight, registry.build(term.loss, term.parameters)) for term in chosen.terms]

    def formula(ops: Ops, y: Tensor, p: Tensor, _: Parameters) -> Tensor:
        (weight, first), *others = parts
        total = weight * first.formula(ops, y, p)
        for weight, loss in others:
            total = total + weight * loss.formula(ops, y, p)
        return total

    return LossFunction(NAME, chosen, formula)
