"""The learning rate: lowered when the validation loss stalls. A pure state machine, equal to `keras.callbacks.ReduceLROnPlateau`.

Keras's callback keeps its state to itself and starts anew after an interruption; here it is plain data that a checkpoint holds.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class PlateauRule:
    """After `patience` epochs without a loss lower by more than `min_delta`, multiply the rate by `factor`, not below `minimum`.

    `cooldown` epochs after a reduction do not count. `min_delta` and `cooldown` default to Keras's values.
    """

    factor: float
    patience: int
    minimum: float
    min_delta: float = 1e-4
    cooldown: int = 0


@dataclass(frozen=True)
class PlateauState:
    """The learning rate of the coming epoch, the loss to beat, and how long it has not been beaten."""

    rate: float
    best: float | None = None
    wait: int = 0
    cooldown: int = 0


def start(rate: float) -> PlateauState:
    """Return the state before the first epoch."""
    return PlateauState(shortest_float32(rate))


def after_epoch(rule: PlateauRule, state: PlateauState, loss: float) -> PlateauState:
    """Return the state for the next epoch after one that ended with validation loss `loss` (finite)."""
    cooldown, wait = state.cooldown, state.wait
    if cooldown > 0:
        cooldown, wait = cooldown - 1, 0
    if state.best is None or _is_lower(loss + rule.min_delta, state.best):
        return PlateauState(state.rate, loss, 0, cooldown)
    if cooldown > 0:
        return PlateauState(state.rate, state.best, wait, cooldown)
    wait += 1
    if wait >= rule.patience and np.float32(state.rate) > np.float32(rule.minimum):
        # Keras multiplies the optimiser's float32 in double precision and stores it as float32 again.
        rate = max(float(np.float32(state.rate)) * rule.factor, rule.minimum)
        return PlateauState(shortest_float32(rate), state.best, 0, rule.cooldown)
    return PlateauState(state.rate, state.best, wait, cooldown)


def _is_lower(value: float, reference: float) -> bool:
    """Compare in float32, as Keras does."""
    return bool(np.float32(value) < np.float32(reference))


def shortest_float32(value: float) -> float:
    """Return the number of fewest decimals that a float32 variable stores as the same bits: 3e-4, not 0.0003000000142."""
    return float(str(np.float32(value)))
