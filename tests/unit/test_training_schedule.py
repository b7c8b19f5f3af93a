"""The plateau rule against Keras's own callback."""

import math
import types

import numpy as np
import pytest

from workflow_lib.networks import runtime
from workflow_lib.training.schedule import PlateauRule, PlateauState, after_epoch, shortest_float32, start


def keras_rates(losses, rule, initial):
    """Rates of the epochs as Keras's callback sets them, the rate after the last epoch included."""
    keras = runtime.import_keras()
    model = types.SimpleNamespace(optimizer=keras.optimizers.Adam(initial), metrics=[])
    callback = keras.callbacks.ReduceLROnPlateau(
        factor=rule.factor,
        patience=rule.patience,
        min_delta=rule.min_delta,
        cooldown=rule.cooldown,
        min_lr=rule.minimum,
        mode="min",
    )
    callback.set_model(model)
    callback.on_train_begin()
    rates = [float(model.optimizer.learning_rate.numpy())]
    for epoch, loss in enumerate(losses):
        callback.on_epoch_end(epoch, {"val_loss": loss})
        rates.append(float(model.optimizer.learning_rate.numpy()))
    return rates


def our_states(losses, rule, initial):
    states = [start(initial)]
    for loss in losses:
        states.append(after_epoch(rule, states[-1], loss))
    return states


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("cooldown", [0, 2])
def test_rates_are_those_of_keras(seed, cooldown):
    rng = np.random.default_rng([seed, cooldown])
    rule = PlateauRule(float(rng.choice([0.1, 0.5])), int(rng.integers(1, 5)), 1e-6, cooldown=cooldown)
    # Steps about as small as min_delta, so that the comparison's precision matters.
    losses = 0.5 + np.cumsum(rng.normal(-1e-5, 2e-4, size=60))
    expected = keras_rates(losses.tolist(), rule, 3e-4)
    assert len(set(expected)) > 2
    assert [float(np.float32(state.rate)) for state in our_states(losses.tolist(), rule, 3e-4)] == expected


def test_the_paper_s_rates():
    rule = PlateauRule(0.1, 20, 1e-6)
    rates = [state.rate for state in our_states([1.0] * 70, rule, 3e-4)]
    # Rounded to float32 at every reduction.
    assert list(dict.fromkeys(rates)) == pytest.approx([3e-4, 3e-5, 3e-6, 1e-6], rel=1e-6)
    # The first epoch sets the mark; twenty more without improvement lower the rate.
    assert [epoch for epoch in range(1, 71) if rates[epoch] < rates[epoch - 1]] == [21, 41, 61]


def test_an_improvement_of_min_delta_does_not_count():
    rule = PlateauRule(0.1, 3, 1e-6)
    assert after_epoch(rule, PlateauState(1e-3, 0.5, 1), 0.49995).wait == 2
    assert after_epoch(rule, PlateauState(1e-3, 0.5, 1), 0.4998) == PlateauState(1e-3, 0.4998, 0)


def test_shortest_float32_is_the_same_float32():
    for value in (3e-4, 1e-6, 0.1, 1 / 3, math.pi):
        assert np.float32(shortest_float32(value)) == np.float32(value)
    assert repr(shortest_float32(float(np.float32(3e-4)))) == "0.0003"
