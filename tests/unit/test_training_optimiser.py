"""The optimiser that writes less into the graph: the numbers of Keras's own, to the last bit."""

import numpy as np
import pytest

from tests.unit.test_training_step import compiled
from tests.unit.training_support import skip_where_onednn_is_held_back
from workflow_lib.networks import runtime
from workflow_lib.optimisers import _adam_steps, _lean, registry
from workflow_lib.optimisers._adam_steps import adam_steps
from workflow_lib.study.sections.training import Training
from workflow_lib.training.step import Steps

SETTINGS = {
    "adam": {},
    "adam in two passes": {"batch_size": 4, "accumulation": 2},
    "adam, losses scaled": {"precision": "float16"},
    "adam of other moments": {"optimiser_parameters": {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3}},
    "adamw": {"optimiser": "adamw", "optimiser_parameters": {"weight_decay": 0.5}},
    "adamw in two passes": {"optimiser": "adamw", "batch_size": 4, "accumulation": 2},
    "sgd": {"optimiser": "sgd"},
    "sgd with momentum": {"optimiser": "sgd", "momentum": 0.9, "nesterov": True},
    "sgd with momentum in two passes": {"optimiser": "sgd", "momentum": 0.9, "batch_size": 4, "accumulation": 2},
}


def state(model):
    return [np.array(value) for value in (*model.get_weights(), *(v.numpy() for v in model.optimizer.variables))]


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_weights_and_state_are_those_of_keras_to_the_last_bit(tmp_path, monkeypatch, settings):
    if settings.get("precision") == "float16":
        skip_where_onednn_is_held_back()
    changes = {"training": settings, "shape": (12, 10), "patch": (8, 8)}
    ours, batch = compiled(tmp_path, **changes)
    if settings.get("optimiser", "adam") != "sgd" and "precision" not in settings:
        # Keras has them where they are looked for.
        assert _adam_steps._moments(ours.optimizer, [variable.value for variable in ours.trainable_variables]) is not None
    monkeypatch.setattr(_lean, "lean", lambda kind, all_steps=None: kind)
    theirs, _ = compiled(tmp_path, **changes)
    assert [v.shape for v in ours.optimizer.variables] == [v.shape for v in theirs.optimizer.variables]
    assert type(ours.optimizer).__name__ == type(theirs.optimizer).__name__
    passes = settings.get("accumulation", 1)
    with Steps(ours, passes) as our_steps, Steps(theirs, passes) as their_steps:
        for index in range(3):
            assert our_steps.train(*batch(index)).result() == their_steps.train(*batch(index)).result()
            # The schedule changes the rate between steps.
            ours.optimizer.learning_rate = theirs.optimizer.learning_rate = 0.01 / (index + 1)
    assert all(np.array_equal(a, b) for a, b in zip(state(ours), state(theirs), strict=True))


def test_adam_is_written_in_fewer_operations(tmp_path):
    """And where Keras keeps more, or something else, than two moments, its own is called."""
    runtime.import_keras()
    import tensorflow as tf

    def operations(kind, **options):
        adam, variable = kind(0.1, **options), tf.Variable([1.0, 2.0])
        adam.build([variable])
        gradient = tf.Variable([0.5, 0.25])
        function = tf.function(lambda: adam.apply([tf.convert_to_tensor(gradient)]), autograph=False)
        graph = function.get_concrete_function().graph
        function()
        gradient.assign([0.0, 0.0])  # the second moment falls, which AMSGrad does not follow
        function()
        return len(graph.get_operations()), variable.numpy().tolist()

    keras_adam = runtime.import_keras().optimizers.Adam
    lean = _lean.lean(keras_adam, adam_steps)
    (ours, result), (theirs, expected) = operations(lean), operations(keras_adam)
    assert ours < theirs
    assert result == expected
    assert operations(lean, amsgrad=True)[1] == operations(keras_adam, amsgrad=True)[1] != expected


def test_without_the_moments_where_they_are_looked_for_keras_updates(monkeypatch):
    runtime.import_keras()
    import tensorflow as tf

    adam, variable = registry.build(Training(patch=(8, 8), epochs=1, iterations=1, learning_rate=0.1)), tf.Variable([1.0])
    adam.build([variable])
    monkeypatch.setattr(_adam_steps, "_moments", lambda *_: None)
    updated = []
    monkeypatch.setattr(adam, "update_step", lambda gradient, *_: updated.append(float(gradient[0])))
    adam.apply([tf.constant([0.5])])
    assert updated == [0.5]
