"""The attention gate of two of MIScnn's U-Nets."""

from workflow_lib.networks.walk import Tensor, Walk


def gate(walk: Walk, kept: Tensor, below: Tensor, width: int, batch_normalisation: bool) -> Tensor:
    """Add the gate: the tensor `below` of the next lower level weights the voxels of the skip connection `kept`.

    MIScnn always adds a batch normalisation at the end, also if `batch_normalisation` is false.
    """
    signal = walk.convolution(below, width, kernel=1)
    if batch_normalisation:
        signal = walk.normalise(signal)
    signal = walk.activate(signal)
    smaller = walk.convolution(kept, width, kernel=3, stride=2)
    x = walk.activate(walk.add(walk.convolution(signal, width, kernel=1), smaller))
    weights = walk.enlarge(walk.activate(walk.convolution(x, 1, kernel=1)))
    product = walk.multiply(walk.repeat_channels(weights, kept.channels), kept)
    return walk.normalise(walk.convolution(product, kept.channels, kernel=1))
