"""A description of a network layer by layer, from which its costs are estimated without building it.

An architecture calls the methods of a `Walk` in the order in which its Keras layers are created. TensorFlow
is not needed, so that a plan of a hundred trainings takes little time. A test compares the walk of every
architecture with the built network, layer by layer.
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Tensor:
    """The output of a layer for one image: its sides in voxels and its channels."""

    sides: tuple[int, ...]
    channels: int

    @property
    def voxels(self) -> int:
        """The number of voxels."""
        return math.prod(self.sides)

    @property
    def size(self) -> int:
        """The number of values."""
        return self.voxels * self.channels


@dataclass(frozen=True)
class Layer:
    """One layer: kind, output, number of weights, and multiplications for the forward pass of one image.

    `neighbourhood` is the number of values that a convolution reads for all voxels: kernel x input channels
    x voxels.
    """

    kind: str
    output: Tensor
    weights: int = 0
    multiplications: int = 0
    neighbourhood: int = 0


class Walk:
    """The list of layers to which each method adds one."""

    def __init__(self) -> None:
        self.layers: list[Layer] = []

    def _add(self, kind: str, output: Tensor, weights: int = 0, multiplications: int = 0, neighbourhood: int = 0) -> Tensor:
        self.layers.append(Layer(kind, output, weights, multiplications, neighbourhood))
        return output

    def convolution(self, x: Tensor, filters: int, kernel: int = 3, stride: int = 1, bias: bool = True) -> Tensor:
        """Add a padded convolution, with its activation, and the same kernel size along all axes."""
        taps: int = kernel ** len(x.sides)
        output = Tensor(tuple(-(-side // stride) for side in x.sides), filters)
        weights = taps * x.channels * filters + (filters if bias else 0)
        return self._add("conv", output, weights, output.voxels * taps * x.channels * filters, output.voxels * taps * x.channels)

    def transposed(self, x: Tensor, filters: int) -> Tensor:
        """Add a transposed convolution with kernel 2 and stride 2: each output voxel has one input voxel."""
        output = Tensor(tuple(2 * side for side in x.sides), filters)
        weights: int = 2 ** len(x.sides) * x.channels * filters + filters
        return self._add("conv_transpose", output, weights, output.voxels * x.channels * filters, output.voxels * x.channels)

    def normalise(self, x: Tensor, scale: bool = True) -> Tensor:
        """Add a batch normalisation with moving mean, moving variance, offset and, with `scale`, factor."""
        return self._add("batch_normalization", x, (4 if scale else 3) * x.channels)

    def pool(self, x: Tensor) -> Tensor:
        """Add a max pooling of size 2 along all axes."""
        return self._add("max_pooling", Tensor(tuple(side // 2 for side in x.sides), x.channels))

    def enlarge(self, x: Tensor) -> Tensor:
        """Add an upsampling that repeats every voxel twice along all axes."""
        return self._add("up_sampling", Tensor(tuple(2 * side for side in x.sides), x.channels))

    def repeat_channels(self, x: Tensor, times: int) -> Tensor:
        """Add a repetition of every channel."""
        return self._add("lambda", Tensor(x.sides, x.channels * times))

    def concatenate(self, *tensors: Tensor) -> Tensor:
        """Add a concatenation along the channels."""
        return self._add("concatenate", Tensor(tensors[0].sides, sum(tensor.channels for tensor in tensors)))

    def add(self, a: Tensor, b: Tensor) -> Tensor:
        """Add an element-wise sum."""
        return self._add("add", _same(a, b))

    def multiply(self, a: Tensor, b: Tensor) -> Tensor:
        """Add an element-wise product."""
        return self._add("multiply", _same(a, b))

    def activate(self, x: Tensor) -> Tensor:
        """Add an activation that is a separate layer."""
        return self._add("activation", x)


def _same(a: Tensor, b: Tensor) -> Tensor:
    if a != b:
        raise ValueError(f"tensors of two shapes meet: {a} and {b}")
    return a
