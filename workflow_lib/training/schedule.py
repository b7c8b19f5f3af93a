"""The learning rate, reduced on a plateau of the validation loss, as in `keras.callbacks.ReduceLROnPlateau`.

Keras's callback loses its internal state after an interruption. Here the state is plain data, which a
checkpoint contains.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class PlateauRule:
    """The parameters of the reduction.

    After `patience` epochs without a loss that is lower by more than `min_delta`, the rate is multiplied
    by `factor`, but not reduced below `minimum`. `cooldown` epochs after a reduction do not count.
    `min_delta` and `cooldown` default to Keras's values.
    """

    factor: float
    patience: int
    minimum: float
    min_delta: float = 1e-4
    cooldown: int = 0


@dataclass(frozen=True)
class PlateauState:
    """The learning rate of the next epoch, the lowest loss, and the epochs without improvement."""

    rate: float
    best: float | None = None
    wait: int = 0
    cooldown: int = 0


def start(rate: float) -> PlateauState:
    """Return the state before the first epoch."""
    return PlateauState(shortest_float32(rate))


def after_epoch(rule: PlateauRule, state: PlateauState, loss: float) -> PlateauState:
    """Return the state for the next epoch after an epoch with the validation loss `loss` (finite)."""
    cooldown, wait = state.cooldown, state.wait
    if cooldown > 0:
        cooldown, wait = cooldown - 1, 0
    if state.best is None or _is_lower(loss + rule.min_delta, state.best):
        return PlateauState(state.rate, loss, 0, cooldown)
    if cooldown > 0:
        return PlateauState(state.rate, state.best, wait, cooldown)
    wait += 1
    if wait >= rule.patience and np.float32(state.rate) > np.float32(rule.minimum):
        # Keras multiplies the float32 rate in double precision and stores the result as float32.
        rate = max(float(np.float32(state.rate)) * rule.factor, rule.minimum)
        return PlateauState(shortest_float32(rate), state.best, 0, rule.cooldown)
    return PlateauState(state.rate, state.best, wait, cooldown)


def _is_lower(value: float, reference: float) -> bool:
    """Compare in float32, as Keras does."""
    return bool(np.float32(value) < np.float32(reference))


def shortest_float32(value: float) -> float:
    """Return the shortest decimal with the same float32 value: 3e-4, not 0.0003000000142."""
    return float(str(np.float32(value)))
