"""MIScnn's standard U-Net, as it is built, saved and counted."""

import hashlib
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from tests.unit.training_support import skip_where_onednn_is_held_back
from workflow_lib.base.errors import UserError
from workflow_lib.networks.build import build_network
from workflow_lib.networks.costs import count_parameters, estimate_memory
from workflow_lib.networks.processor import convolves_by_columns
from workflow_lib.networks.weights import load_network, save_network
from workflow_lib.study.sections.network import Network

TINY: dict[str, Any] = {"network": Network(filters=4, depth=1), "n_classes": 3, "channels": 1, "patch": (8, 8, 8)}
SMALLEST: dict[str, Any] = {"network": Network(filters=2, depth=1), "n_classes": 2, "channels": 1, "patch": (4, 4)}


NOT_NEEDED = {"sklearn", "pandas", "matplotlib", "matplotlib.pyplot", "batchgenerators", "skimage", "miscnn"}
"""What Keras and MIScnn import where it is installed, and no training or prediction uses."""


def digest(model):
    return hashlib.sha256(b"".join(weight.tobytes() for weight in model.get_weights())).hexdigest()


def run_python(code, **environment):
    variables = {key: value for key, value in os.environ.items() if not key.startswith(("TF_", "KERAS_"))}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=variables | environment, timeout=120, check=False
    )


def test_the_paper_s_network_has_22_6_million_parameters():
    model = build_network(Network(), 3, 1, (80, 160, 160))
    assert model.input_shape == (None, 80, 160, 160, 1)
    assert model.output_shape == (None, 80, 160, 160, 3)
    assert model.count_params() == count_parameters(Network(), 3, 1, (80, 160, 160)) == 22_587_171
    assert model.layers[-1].activation.__name__ == "softmax"
    assert {layer.momentum for layer in model.layers if layer.name.startswith("batch_normalization")} == {0.99}


@pytest.mark.parametrize("batch_normalisation", [True, False])
@pytest.mark.parametrize(("patch", "depth"), [((8, 16), 2), ((4, 8, 12), 2), ((6, 2, 4), 1)])
def test_any_patch_that_divides(patch, depth, batch_normalisation):
    network = Network(filters=3, depth=depth, batch_normalisation=batch_normalisation)
    model = build_network(network, 2, 2, patch)
    predicted = np.asarray(model(np.random.default_rng(0).normal(size=(2, *patch, 2)).astype(np.float32)))
    assert predicted.shape == (2, *patch, 2)
    np.testing.assert_allclose(predicted.sum(axis=-1), 1, atol=1e-6)
    assert model.count_params() == count_parameters(network, 2, 2, patch)


@pytest.mark.parametrize(("patch", "message"), [((8, 8, 6), "must divide by 4 for this network"), ((8,), "two or three sides")])
def test_a_patch_that_does_not_fit_is_told(patch, message):
    with pytest.raises(UserError, match=message):
        build_network(Network(filters=4, depth=2), 3, 1, patch)


def test_initial_weights_follow_from_the_seed_alone():
    first = build_network(**TINY, seed=5)
    np.random.default_rng().normal()
    build_network(**SMALLEST)
    assert digest(build_network(**TINY, seed=5)) == digest(first)
    assert digest(build_network(**TINY, seed=6)) != digest(first)


def test_weights_files_have_the_same_bytes_whatever_was_built_before(tmp_path):
    first = build_network(**TINY, seed=5)
    save_network(first, tmp_path / "a.weights.h5")
    build_network(**SMALLEST)
    again = build_network(**TINY, seed=5)
    again.compile("adam", "mse")
    again.optimizer.build(again.trainable_variables)
    save_network(again, tmp_path / "b.weights.h5")
    assert (tmp_path / "a.weights.h5").read_bytes() == (tmp_path / "b.weights.h5").read_bytes()


def test_another_process_gives_the_same_weights_and_prints_nothing_else():
    code = (
        "import sys, warnings\n"
        "warnings.simplefilter('error', UserWarning)\n"
        "from workflow_lib.networks.build import build_network\n"
        "from workflow_lib.networks.runtime import configure_runtime\n"
        "from workflow_lib.study.sections.network import Network\n"
        "configure_runtime(1, False, 0)\n"
        "import numpy\n"
        "build_network(Network(filters=2, depth=1), 2, 1, (4, 4))(numpy.zeros((1, 4, 4, 1), 'float32'))\n"
        "assert 'tensorflow_addons' not in sys.modules\n"
        f"assert not {NOT_NEEDED} & set(sys.modules), {NOT_NEEDED} & set(sys.modules)\n"
        "from tests.unit.test_networks import TINY, digest\n"
        "print(digest(build_network(**TINY, seed=5)))"
    )
    result = run_python(code, CUDA_VISIBLE_DEVICES="-1")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.strip() == digest(build_network(**TINY, seed=5))


def test_what_is_kept_out_of_the_imports_can_be_imported_later():
    code = (
        "import sys, types\n"
        "from workflow_lib.networks.build import build_network\n"
        "from workflow_lib.study.sections.network import Network\n"
        "build_network(Network(filters=2, depth=1), 2, 1, (4, 4))\n"
        "import pandas, sklearn.linear_model, matplotlib.pyplot, keras\n"
        "sys.modules['tensorflow_addons'] = types.ModuleType('tensorflow_addons')\n"
        "import miscnn\n"
        "from miscnn.neural_network.architecture.unet.standard import Architecture\n"
        "assert miscnn.Neural_Network.__module__ == 'miscnn.neural_network.model'\n"
        "build_network(Network(filters=2, depth=1), 2, 1, (4, 4))\n"
        "model = keras.Model(*[Architecture(2, 1).create_model_2D((4, 4, 1)).inputs] * 2)\n"
        "print(sklearn.linear_model.LinearRegression().fit([[0], [1]], [0, 1]).coef_, pandas.DataFrame({'a': [1]}).a[0])"
    )
    result = run_python(code, CUDA_VISIBLE_DEVICES="-1", MPLBACKEND="agg")
    assert result.stdout.split() == ["[1.]", "1"], result.stderr


def test_output_of_a_failing_import_is_shown():
    code = (
        "import os, sys\n"
        "from workflow_lib.networks.runtime import _silent_native_output\n"
        "with _silent_native_output():\n"
        "    os.write(2, b'kept back')\n"
        "with _silent_native_output():\n"
        "    os.write(2, b'the reason')\n"
        "    raise ImportError('no library')"
    )
    result = run_python(code)
    assert result.returncode == 1
    assert "the reason" in result.stderr
    assert "ImportError: no library" in result.stderr
    assert "kept back" not in result.stderr


def test_runtime_settings_reach_tensorflow_and_a_user_s_keras_settings_do_not(tmp_path):
    (tmp_path / "keras.json").write_text('{"floatx": "float16", "backend": "jax", "image_data_format": "channels_first"}')
    code = (
        "from workflow_lib.networks.runtime import configure_runtime\n"
        "device = configure_runtime(3, False, 0)\n"
        "import keras, tensorflow as tf, warnings\n"
        "from tensorflow.python.framework.config import is_op_determinism_enabled\n"
        "print(keras.backend.backend(), keras.config.floatx(), keras.config.image_data_format())\n"
        "pools = tf.config.threading\n"
        "print(device, pools.get_intra_op_parallelism_threads(), pools.get_inter_op_parallelism_threads())\n"
        "print(tf.config.get_visible_devices('GPU'), is_op_determinism_enabled())\n"
        "tf.zeros(1) + 1\n"
        "with warnings.catch_warnings(record=True) as caught:\n"
        "    warnings.simplefilter('always')\n"
        "    configure_runtime(3, False, 0)\n"
        "    assert not caught, caught\n"
        "    configure_runtime(1, False, 0)\n"
        "    print([str(warning.message) for warning in caught])"
    )
    result = run_python(code, KERAS_HOME=str(tmp_path))
    lines = result.stdout.splitlines()
    assert lines[:3] == ["tensorflow float32 channels_last", "cpu 3 3", "[] True"], result.stderr
    assert "does not change to 1 thread" in lines[3]


def test_importing_the_module_imports_nothing_heavy():
    code = (
        "import sys, workflow_lib.networks.weights, workflow_lib.inference.predict, workflow_lib.training.checkpoints\n"
        "print(sorted({'tensorflow', 'keras', 'miscnn', 'h5py'} & set(sys.modules)))"
    )
    assert run_python(code).stdout.strip() == "[]"


def test_weights_come_back(tmp_path):
    model = build_network(**TINY, seed=5)
    save_network(model, tmp_path / "model.weights.h5")
    assert digest(load_network(tmp_path / "model.weights.h5", **TINY)) == digest(model)


def test_weights_that_do_not_fit_are_told(tmp_path):
    path = tmp_path / "model.weights.h5"
    with pytest.raises(UserError, match="does not exist"):
        load_network(path, **TINY)
    save_network(build_network(**TINY), path)
    with pytest.raises(UserError, match=r"does not fit the network \(standard, 8 filters"):
        load_network(path, **TINY | {"network": Network(filters=8, depth=1)})
    for other in (
        {"network": Network(filters=4, depth=2)},
        {"network": Network(filters=4, depth=1, batch_normalisation=False)},
        {"network": Network(filters=4, depth=1, architecture="compact")},
        {"patch": (8, 8)},
        {"n_classes": 2},
    ):
        with pytest.raises(UserError, match="does not fit the network"):
            load_network(path, **TINY | other)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(UserError, match="is damaged"):
        load_network(path, **TINY)


def test_memory_of_the_paper_s_network_fits_its_gpu():
    """The paper trained it on a GPU of 16 GB; the kept activations alone are 7.2 GiB."""
    full = estimate_memory(Network(), 3, 1, (80, 160, 160), 2)
    assert 7.2 * 2**30 < full < 16e9


ONEDNN, COLUMNS = "1", "0"
"""Of TF_ENABLE_ONEDNN_OPTS: the kernels that TensorFlow has for this processor, and those where it has none for it."""


@pytest.mark.parametrize(
    ("precision", "passes", "batch_normalisation", "onednn", "side"),
    [
        ("float32", 1, True, ONEDNN, 48),
        ("float32", 2, True, ONEDNN, 48),
        ("bfloat16", 1, True, ONEDNN, 40),
        ("bfloat16", 1, False, ONEDNN, 40),
        ("float32", 1, True, COLUMNS, 40),
    ],
)
def test_memory_covers_what_a_step_takes(precision, passes, batch_normalisation, onednn, side):
    """Peak resident memory of a real step, measured in a process of its own."""
    if precision == "bfloat16":
        skip_where_onednn_is_held_back()
    code = (
        "from workflow_lib.host.memory import peak_mib\n"
        "from workflow_lib.networks.build import build_network\n"
        "from workflow_lib.networks.costs import estimate_memory\n"
        "from workflow_lib.networks.processor import convolves_by_columns\n"
        "from workflow_lib.networks.runtime import configure_runtime\n"
        "from workflow_lib.study.sections.network import Network\n"
        "configure_runtime(2, False, 0)\n"
        "import keras, numpy as np\n"
        f"precision, passes, normalise, patch = {precision!r}, {passes}, {batch_normalisation}, ({side},) * 3\n"
        "columns = convolves_by_columns(precision)\n"
        "network = Network(filters=16, depth=1, batch_normalisation=normalise)\n"
        "def step(patch):\n"
        "    model = build_network(network, 2, 1, patch, precision=precision)\n"
        "    adam = keras.optimizers.Adam(gradient_accumulation_steps=passes if passes > 1 else None)\n"
        "    model.compile(adam, 'categorical_crossentropy', jit_compile=False)\n"
        "    for _ in range(passes):\n"
        "        model.train_on_batch(np.zeros((2, *patch, 1), 'f4'), np.zeros((2, *patch, 2), 'f4'))\n"
        "    return peak_mib() * 2**20\n"
        "before = step((4, 4, 4))\n"
        "taken = step(patch) - before\n"
        "print(columns, taken / estimate_memory(network, 2, 1, patch, 2 * passes, precision, passes, columns=columns))"
    )
    columns, share = run_python(code, OMP_NUM_THREADS="1", TF_ENABLE_ONEDNN_OPTS=onednn).stdout.split()
    assert float(share) < 1.1
    # By columns it is an upper bound: which kernels TensorFlow takes depends on sizes and caches.
    assert float(share) > (0 if columns == "True" else 0.5)
    if (onednn, precision) == (COLUMNS, "float32"):
        assert columns == "True"
        assert float(share) > 0.5


def test_convolutions_by_columns_are_those_that_onednn_does_not_do(monkeypatch):
    from tensorflow.python.util import _pywrap_utils

    def supported(types):
        monkeypatch.setattr(_pywrap_utils, "IsDataTypeSupportedByOneDNNOnThisCPU", lambda number: number in types)
        return [precision for precision in ("float32", "tf32", "bfloat16", "float16") if not convolves_by_columns(precision)]

    float32, float16, bfloat16 = 1, 19, 14  # TensorFlow's numbers of the types
    assert supported({float32, float16, bfloat16}) == ["float32", "tf32", "bfloat16", "float16"]
    assert supported({float32, bfloat16}) == ["float32", "tf32", "bfloat16"]
    assert supported({float32}) == ["float32", "tf32"]
    assert supported(set()) == []  # a build without oneDNN
    monkeypatch.delattr(_pywrap_utils, "IsDataTypeSupportedByOneDNNOnThisCPU")
    assert [convolves_by_columns(precision) for precision in ("float32", "bfloat16")] == [False, True]
    monkeypatch.undo()
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    assert supported({float32, float16, bfloat16}) == []


def test_memory_is_that_of_a_pass_on_one_gpu():
    def estimate(batch_size, **changes):
        return estimate_memory(Network(), 3, 1, (80, 160, 160), batch_size, **changes)

    weights = 4 * count_parameters(Network(), 3, 1, (80, 160, 160))
    assert estimate(8, gpus=4) == estimate(2)
    assert estimate(8, passes=2, gpus=2) == estimate(2) + weights
    assert estimate(2, precision="tf32") == estimate(2)
    assert estimate(2, precision="float16") == estimate(2, precision="bfloat16") < estimate(2)
