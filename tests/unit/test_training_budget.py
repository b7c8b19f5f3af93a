"""What a training says about memory before it starts, and when there is none left."""

import gc
import subprocess
import sys

import pytest

from tests.unit.training_support import tiny_request
from workflow_lib.base.errors import UserError
from workflow_lib.host import memory
from workflow_lib.host.memory import Memory
from workflow_lib.networks import processor, runtime
from workflow_lib.networks.precision import HALF
from workflow_lib.study.sections.network import Network
from workflow_lib.study.sections.training import Training
from workflow_lib.training import batches, budget, loop

GIB = 2**30


def training(**changes):
    return Training(**{"patch": (16, 16, 16), "epochs": 1, "iterations": 1} | changes)


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.setattr(memory, "of_gpu", lambda: Memory(40 * GIB, "NVIDIA A100"))


def told(needed, device, settings):
    lines: list[str] = []
    budget.tell(needed, device, settings, lines.append)
    return lines


def test_a_step_that_fits_is_told_in_a_line(gpu):
    assert told(int(14.1 * GIB), "NVIDIA A100", training()) == [
        "a step needs about 14.1 GiB (estimate); NVIDIA A100 has 40.0 GiB"
    ]


def test_one_that_does_not_fit_is_told_with_what_to_change(gpu):
    line, warning = told(50 * GIB, "NVIDIA A100", training())
    assert line == "a step needs about 50.0 GiB (estimate); NVIDIA A100 has 40.0 GiB"
    for setting in ("training.patch", "network.filters", "training.batch_size", "gpu_model"):
        assert setting in warning
    assert "memory_mb" not in warning


def test_settings_that_are_at_their_end_are_not_named(gpu):
    assert "training.batch_size" not in budget.remedies("NVIDIA A100", training(batch_size=1))
    assert "training.accumulation" in budget.remedies("NVIDIA A100", training(batch_size=4))
    # The configuration refuses it with several GPUs, so it is no advice there.
    assert "training.accumulation" not in budget.remedies("NVIDIA A100", training(batch_size=4, gpus=2))


def test_on_a_cpu_it_is_the_memory_of_the_host(monkeypatch):
    monkeypatch.setattr(memory, "of_host", lambda: Memory(GIB, "the SLURM job"))
    line, warning = told(2 * GIB, "cpu", training())
    assert line.endswith("the SLURM job has 1.0 GiB")
    assert "training.memory_mb" in warning
    monkeypatch.setattr(memory, "of_host", lambda: None)
    assert told(2 * GIB, "cpu", training()) == ["a step needs about 2.0 GiB (estimate)"]


@pytest.mark.parametrize(("columns", "lines"), [(True, 2), (False, 1)])
def test_16_bits_that_cost_instead_of_saving_are_told_and_are_no_advice(monkeypatch, columns, lines):
    """On a processor without AVX-512 a step in bfloat16 takes ten times as long as in float32, and more memory."""
    monkeypatch.setattr(processor, "convolves_by_columns", lambda precision: columns and precision in HALF)
    monkeypatch.setattr(memory, "of_host", lambda: None)
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "1")
    said = told(2 * GIB, "cpu", training(precision="bfloat16"))
    assert len(said) == lines
    assert ("no fast convolutions in bfloat16 on this processor, so" in said[0]) == columns
    assert told(2 * GIB, "cpu", training()) == said[-1:]
    assert ("training.precision: bfloat16" in budget.remedies("cpu", training())) != columns
    assert "training.precision: bfloat16" in budget.remedies("NVIDIA A100", training())
    there = [budget.step_bytes(2, 1, Network(), training(precision="bfloat16"), gpus) for gpus in (0, 1)]
    assert (there[0] > there[1]) == columns


def test_a_training_tells_before_its_first_step(tmp_path, capsys):
    collected: list[bool] = []
    loop.train(tiny_request(tmp_path, training={"epochs": 1, "iterations": 2}), lambda *_: collected.append(gc.isenabled()))
    # Garbage is not looked for until the first step is begun, and then again.
    assert collected == [True, True]
    lines = capsys.readouterr().out.splitlines()
    assert "a step needs about 0.0 GiB (estimate)" in lines[0]
    assert "epoch 1/1" in lines[-2]
    assert "waited for its batches" in lines[-1]


def test_memory_that_is_used_up_names_device_estimate_and_settings(tmp_path):
    """A real one: the process may take 800 MiB more, and a single tensor of the first level has 864; all else fits well."""
    code = (
        "import pathlib, resource\n"
        "from tests.unit.training_support import tiny_request, train\n"
        "from workflow_lib.networks import runtime\n"
        "from workflow_lib.base.errors import UserError\n"
        "from workflow_lib.study.sections.network import Network\n"
        "runtime.configure_runtime(1, False, 0)\n"
        "import tensorflow as tf\n"
        "tf.constant(1.0) + 1\n"
        "held = int(pathlib.Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (held + 800 * 2**20,) * 2)\n"
        "network = Network(filters=128, depth=1)\n"
        f"request = tiny_request(pathlib.Path({str(tmp_path)!r}), patch=(96, 96, 96), network=network)\n"
        "try:\n"
        "    train(request)\n"
        "except UserError as error:\n"
        "    print(error)\n"
        "from workflow_lib.host.memory import peak_mib\n"
        "print(peak_mib())"
    )
    if not sys.platform.startswith("linux"):
        pytest.skip("only Linux limits the address space of a process")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    # Before it, what a step needs; and that this is more than there is, where others hold memory.
    *_, message, peak = done.stdout.splitlines()
    assert message.startswith("The memory of the CPU is used up. A step needs about 21.4 GiB (estimate); ")
    for setting in ("training.patch", "network.filters", "training.batch_size", "training.memory_mb"):
        assert setting in message
    assert int(peak) < 2000
    assert done.stderr == ""
    assert [path.name for path in (tmp_path / "checkpoints" / "abc").iterdir()] == ["attempts.json"]
    assert not (tmp_path / "out").exists()


def test_memory_of_the_host_is_not_blamed_on_the_gpu(tmp_path, monkeypatch):
    def full(*arguments):
        raise MemoryError

    monkeypatch.setattr(runtime, "configure_runtime", lambda *arguments, **options: "NVIDIA A100")
    monkeypatch.setattr(batches, "training_batch", full)
    with pytest.raises(UserError, match=r"memory of the host, not of the GPU.*training\.memory_mb.*batch_processes"):
        loop.train(tiny_request(tmp_path))
