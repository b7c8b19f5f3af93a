"""Common terms of the losses, and the class of all losses.

The first argument of every formula is `ops`: `keras.ops` (with any Keras 3 backend) in training, or `numpy`
if a figure or a test evaluates the same formula without a backend. Formulas use only functions that have the
same name in both.

Shapes: y (one-hot ground truth) and p (softmax output) are (batch, spatial axes, classes), with channels last
and the background first. A voxel outside the volume has an all-zero row in y. It adds 0 to a cross entropy,
and its p counts as false positive.

Most of this file is docstrings; its code has about 150 lines.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from workflow_lib.base.errors import UserError
from workflow_lib.losses._parameters import LossParameters, OverlapParameters, read_parameters

Tensor = Any
"""A tensor of the Keras backend, or a NumPy array."""

Ops = Any
"""`keras.ops` or `numpy`."""

Formula = Callable[[Ops, Tensor, Tensor, Any], Tensor]
"""(ops, y, p, parameters) -> scalar. y and p have the dtype in which the loss is computed."""

EPSILON = 1e-7
"""Probabilities are clipped to [EPSILON, 1 - EPSILON] before a logarithm or a fractional power."""

DISTANCE_FLOOR = 1e-12
"""Lower bound of a distance that is raised to a power below 1, because the gradient is infinite at 0.

It is much smaller than any distance between clipped probabilities.
"""


class LossFunction:
    """A loss with its parameters.

    Use it in `model.compile(loss=...)`, in a training loop, or call `loss(y_true, y_pred)`. The value is a
    scalar: float64 for float64 input, and float32 for any other precision of the input.
    """

    def __init__(self, name: str, parameters: LossParameters, formula: Formula) -> None:
        self.name = name
        self.__name__ = name  # Keras uses it as the name of the loss
        self.parameters = parameters
        self._formula = formula

    def formula(self, ops: Ops, y: Tensor, p: Tensor) -> Tensor:
        """Compute the loss with the operations `ops`, without a check of the shapes.

        Both tensors must have the same floating-point dtype.
        """
        return self._formula(ops, y, p, self.parameters)

    def __call__(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Return the loss of one-hot ground truth and softmax output, both (batch, spatial axes, classes).

        Raises UserError if the statically known shapes are not compatible.
        """
        from keras import ops

        y, p = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
        self._check(y.shape, p.shape)
        # Cast first: in half precision, 1 - 1e-7 is rounded to 1, and a sum over a patch overflows.
        dtype = "float64" if "float64" in str(p.dtype) else "float32"
        value = self.formula(ops, ops.cast(y, dtype), ops.cast(p, dtype))
        shape = _known(value.shape)
        if shape:
            raise UserError(f"loss {self.name!r}: the formula returns values of shape {_shown(shape)}; a loss is one number")
        return value

    def evaluate(self, y_true: Any, y_pred: Any) -> float:
        """Return the loss of NumPy arrays, computed with the same formula in float64 without Keras."""
        import numpy

        y, p = numpy.asarray(y_true, dtype=numpy.float64), numpy.asarray(y_pred, dtype=numpy.float64)
        self._check(y.shape, p.shape)
        return float(self.formula(numpy, y, p))

    def get_config(self) -> dict[str, Any]:
        """Return the configuration that Keras saves with a model."""
        return {"name": self.name, "parameters": self.parameters.model_dump(mode="json")}

    def __repr__(self) -> str:
        """Return the call that builds this loss."""
        return f"{self.name}({', '.join(f'{key}={value!r}' for key, value in self.parameters)})"

    def _check(self, true_shape: Any, pred_shape: Any) -> None:
        true, pred = _known(true_shape), _known(pred_shape)
        expected = "expected (batch, spatial axes, classes), such as (2, 64, 64, 3) or (2, 32, 64, 64, 3)"
        if pred is None or len(pred) < 3:
            shown = "unknown rank" if pred is None else f"shape {_shown(pred)}"
            raise UserError(f"loss {self.name!r}: the predictions have {shown}; {expected}")
        if true is not None and (len(true) != len(pred) or any(a != b for a, b in zip(true, pred, strict=True) if a and b)):
            raise UserError(
                f"loss {self.name!r}: the ground truth has shape {_shown(true)}, the predictions {_shown(pred)}; "
                "both must be equal, the ground truth one-hot with one channel per class"
            )
        if pred[-1] == 1:
            raise UserError(
                f"loss {self.name!r}: the predictions have one channel; softmax output with one channel per class, the "
                "background first, is expected (two channels for one structure)"
            )
        if pred[-1] is None:
            raise UserError(f"loss {self.name!r}: the number of classes (last axis) of the predictions must be known")


def loss_function(name: str, model: type[LossParameters], formula: Formula, parameters: Mapping[str, Any]) -> LossFunction:
    """Return a loss from its formula.

    Parameters
    ----------
    name : str
        Name of the loss.
    model : type
        Model of its parameters.
    formula : Formula
        `formula(ops, y, p, parameters)`, which returns a scalar.
    parameters : mapping
        Parameters that differ from the defaults.

    Returns
    -------
    LossFunction
        `loss(y_true, y_pred)`.

    Raises
    ------
    Faults
        With all invalid parameters.

    Examples
    --------
    >>> error = loss_function("error", LossParameters, lambda ops, y, p, _: ops.mean(y * (1 - p)), {})
    >>> round(error.evaluate([[[1, 0], [0, 1]]], [[[0.8, 0.2], [0.4, 0.6]]]), 4)
    0.15
    """
    return LossFunction(name, read_parameters(name, model, parameters), formula)


def cast(ops: Ops, x: Tensor, dtype: Any) -> Tensor:
    """Convert a tensor to another dtype. NumPy and `keras.ops` have no common function for this.

    Parameters
    ----------
    ops : module
        `keras.ops`, or `numpy`.
    x : tensor
        Any tensor.
    dtype : str or dtype
        The dtype of the result.

    Returns
    -------
    tensor
        Tensor with the same values and shape.

    Examples
    --------
    >>> import numpy
    >>> cast(numpy, numpy.array([True, False]), "float32").tolist()
    [1.0, 0.0]
    """
    return ops.cast(x, dtype) if hasattr(ops, "cast") else x.astype(dtype)


def counted_axes(x: Tensor, over: str) -> tuple[int, ...]:
    """Return the axes of the sums: the spatial axes and, for 'batch', also the batch axis.

    Parameters
    ----------
    x : tensor
        (batch, spatial axes, classes).
    over : str
        'sample' or 'batch'. Any other value has the same effect as 'sample'.

    Returns
    -------
    tuple of int
        Indices of the axes.

    Examples
    --------
    >>> import numpy
    >>> counted_axes(numpy.zeros((2, 8, 8, 3)), "sample"), counted_axes(numpy.zeros((2, 8, 8, 3)), "batch")
    ((1, 2), (0, 1, 2))
    """
    return tuple(range(0 if over == "batch" else 1, len(x.shape) - 1))


def clip_probabilities(ops: Ops, p: Tensor) -> Tensor:
    """Return q = clip(p, 1e-7, 1 - 1e-7).

    Parameters
    ----------
    ops : module
        `keras.ops`, or `numpy`.
    p : tensor
        Probabilities.

    Returns
    -------
    tensor
        Of the same shape.

    Examples
    --------
    >>> import numpy
    >>> clip_probabilities(numpy, numpy.array([0.0, 0.5])).tolist()
    [1e-07, 0.5]
    """
    return ops.clip(p, EPSILON, 1.0 - EPSILON)


def power(ops: Ops, base: Tensor, exponent: float) -> Tensor:
    """Return the power of a nonnegative base. The most common exponents are computed without a logarithm.

    Parameters
    ----------
    ops : module
        `keras.ops`, or `numpy`.
    base : tensor
        The base, 0 or more.
    exponent : float
        The exponent.

    Returns
    -------
    tensor
        base**exponent, of the same shape.

    Examples
    --------
    >>> import numpy
    >>> power(numpy, numpy.array([0.25, 4.0]), 0.5).tolist()
    [0.5, 2.0]
    """
    quick = {0.0: ops.ones_like, 0.5: ops.sqrt, 1.0: lambda x: x, 2.0: lambda x: x * x, 3.0: lambda x: x * x * x}
    return quick[exponent](base) if exponent in quick else ops.power(base, exponent)


def cross_entropy_terms(ops: Ops, y: Tensor, q: Tensor) -> Tensor:
    """Return CE_c = -y_c log q_c for every voxel and class.

    Parameters
    ----------
    ops : module
        `keras.ops`, or `numpy`.
    y : tensor
        One-hot ground truth, (batch, spatial axes, classes).
    q : tensor
        Clipped softmax output, of the same shape.

    Returns
    -------
    tensor
        Of the same shape.

    Examples
    --------
    >>> import numpy
    >>> cross_entropy_terms(numpy, numpy.array([0.0, 1.0]), numpy.array([0.5, 0.5])).round(4).tolist()
    [0.0, 0.6931]
    """
    return -y * ops.log(q)


def mean_over_voxels(ops: Ops, terms: Tensor) -> Tensor:
    """Return the sum over the classes, averaged over batch and voxels.

    Parameters
    ----------
    ops : module
        `keras.ops`, or `numpy`.
    terms : tensor
        (batch, spatial axes, classes).

    Returns
    -------
    tensor
        A scalar.

    Examples
    --------
    >>> import numpy
    >>> float(mean_over_voxels(numpy, numpy.array([[[0.1, 0.2], [0.3, 0.4]]])))
    0.5
    """
    return ops.mean(ops.sum(terms, axis=-1))


def class_weights(ops: Ops, weights: Sequence[float], like: Tensor, owner: str) -> Tensor:
    """Return one weight per class as a tensor.

    Parameters
    ----------
    ops : module
        `keras.ops`, or `numpy`.
    weights : sequence of float
        The weights, background first.
    like : tensor
        A tensor with the classes on its last axis. The result has the same dtype.
    owner : str
        Description of the parameter that has these weights, for the error message.

    Returns
    -------
    tensor
        (classes,).

    Raises
    ------
    UserError
        If the number of weights is not the number of classes.

    Examples
    --------
    >>> import numpy
    >>> class_weights(numpy, [0.3, 0.7], numpy.zeros((1, 4, 2)), "my loss").tolist()
    [0.3, 0.7]
    """
    if len(weights) != like.shape[-1]:
        raise UserError(f"{owner} has {len(weights)} values for {like.shape[-1]} classes; give one per class, background first")
    return ops.array(weights, dtype=like.dtype)


def tversky_distance(ops: Ops, y: Tensor, p: Tensor, delta: float, parameters: OverlapParameters) -> Tensor:
    """Return 1 - TI(delta), the complement of the Tversky index, for every class.

    TI = (TP + s) / (TP + delta FN + (1 - delta) FP + s). The complement is computed directly as the quotient
    of the weighted errors. It is therefore precise near 0, where the difference 1 - TI in float32 would lose
    all digits. It is never negative for p in [0, 1].

    Parameters
    ----------
    ops : module
        `keras.ops`, or `numpy`.
    y : tensor
        One-hot ground truth, (batch, spatial axes, classes).
    p : tensor
        Softmax output, of the same shape.
    delta : float
        Weight of false negatives; 1 - delta is that of false positives.
    parameters : OverlapParameters
        `overlap` and `smooth` (s) are used.

    Returns
    -------
    tensor
        (batch, classes), or (classes,) for overlap `batch`.

    References
    ----------
    S. S. M. Salehi, D. Erdogmus, A. Gholipour, Tversky Loss Function for Image Segmentation Using 3D Fully Convolutional Deep
    Networks, MLMI 2017, arXiv:1706.05721.

    Examples
    --------
    TI is 0.8/1.06 for the background and 0.6/0.94 for the foreground.

    >>> import numpy
    >>> y, p = numpy.array([[[1.0, 0], [0, 1]]]), numpy.array([[[0.8, 0.2], [0.4, 0.6]]])
    >>> tversky_distance(numpy, y, p, 0.7, OverlapParameters()).round(4).tolist()
    [[0.2453, 0.3617]]
    """
    axes = counted_axes(p, parameters.overlap)
    hit = y * p
    true_positives = ops.sum(hit, axis=axes)
    false_negatives = ops.sum(y - hit, axis=axes)
    false_positives = ops.sum(p - hit, axis=axes)
    errors = delta * false_negatives + (1.0 - delta) * false_positives
    return errors / (true_positives + errors + parameters.smooth)


def reduce_classes(ops: Ops, values: Tensor, parameters: OverlapParameters) -> Tensor:
    """Reduce the values of all classes to one number: their mean or sum, then the mean over the batch.

    Parameters
    ----------
    ops : module
        `keras.ops`, or `numpy`.
    values : tensor
        (batch, classes) or (classes,).
    parameters : OverlapParameters
        `class_reduction` and `include_background` are used.

    Returns
    -------
    tensor
        A scalar.

    Examples
    --------
    >>> import numpy
    >>> float(reduce_classes(numpy, numpy.array([[0.25, 0.75]]), OverlapParameters(class_reduction="sum")))
    1.0
    """
    counted = values if parameters.include_background else values[..., 1:]
    reduced = ops.sum(counted, axis=-1) if parameters.class_reduction == "sum" else ops.mean(counted, axis=-1)
    return ops.mean(reduced)


def _known(shape: Any) -> tuple[int | None, ...] | None:
    """Return a static shape as a tuple, or None if the rank is unknown."""
    try:
        return tuple(shape)
    except ValueError:  # TensorFlow raises it for an unknown rank
        return None


def _shown(shape: tuple[int | None, ...]) -> str:
    return "(" + ", ".join("?" if side is None else str(side) for side in shape) + ")"
