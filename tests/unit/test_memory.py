"""Available memory from files of machines, containers and clusters, and recognition of errors due to a lack of memory."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from workflow_lib.base.errors import UserError
from workflow_lib.host import memory
from workflow_lib.host.memory import Memory

GIB = 2**30

TABLE = """0, GPU-aa11, NVIDIA A100-SXM4-40GB, 40960
1, GPU-bb22, Tesla P100-PCIE-16GB, 16384
2, GPU-cc33, NVIDIA H100, [N/A]
"""


@pytest.fixture
def machine(tmp_path):
    """A root folder with 8 GiB of free memory, none of it used by the process; tests write further files."""

    def write(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    write("proc/meminfo", f"MemTotal: {16 * 2**20} kB\nMemFree: 1 kB\nMemAvailable:    {8 * 2**20} kB\n")
    return tmp_path, write


def test_without_limits_it_is_what_is_free(machine):
    root, _ = machine
    assert memory.of_host(root, {}) == Memory(8 * GIB, "the machine")


def test_what_the_process_holds_is_part_of_a_limit_and_not_of_what_is_free(machine):
    root, write = machine
    write("proc/self/status", f"Name: python\nVmRSS:   {2**20} kB\n")
    assert memory.of_host(root, {}) == Memory(8 * GIB, "the machine")
    assert memory.of_host(root, {"SLURM_MEM_PER_NODE": "4096"}) == Memory(3 * GIB, "the SLURM job")
    assert memory.of_host(root, {"SLURM_MEM_PER_NODE": "512"}) == Memory(0, "the SLURM job")


@pytest.mark.parametrize(
    ("groups", "file", "text", "expected"),
    [
        ("0::/user/job_7/step_0", "user/job_7/step_0/memory.max", str(2 * GIB), 2),
        ("0::/user/job_7/step_0", "user/job_7/memory.max", str(2 * GIB), 2),  # the group around it
        ("0::/user/job_7/step_0", "memory.max", str(2 * GIB), 2),  # in a container: the path is the host's
        ("0::/", "memory.max", "max", 8),
        ("9:pids:/x\n4:cpu,memory:/job\n0::/", "memory/job/memory.limit_in_bytes", str(3 * GIB), 3),
        ("4:memory:/job", "memory/job/memory.limit_in_bytes", "9223372036854771712", 8),
        ("4:memory:/job", "memory/memory.limit_in_bytes", str(3 * GIB), 3),
        ("4:memory:/job", "memory/job/memory.limit_in_bytes", "", 8),
    ],
)
def test_control_groups_of_both_kinds(machine, groups, file, text, expected):
    root, write = machine
    write("proc/self/cgroup", groups + "\n")
    write(f"sys/fs/cgroup/{file}", text + "\n")
    found = memory.of_host(root, {})
    assert found == Memory(expected * GIB, "the machine" if expected == 8 else "this job's control group")


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"SLURM_MEM_PER_NODE": "2048"}, 2),
        ({"SLURM_MEM_PER_NODE": "0"}, 8),  # --mem=0: all of the node
        ({"SLURM_MEM_PER_CPU": "1024", "SLURM_CPUS_ON_NODE": "4"}, 4),
        ({"SLURM_MEM_PER_CPU": "1024"}, 8),
    ],
)
def test_the_limit_of_a_slurm_job(machine, environment, expected):
    root, _ = machine
    found = memory.of_host(root, environment)
    assert found is not None
    assert found.size == expected * GIB


def test_a_machine_that_tells_nothing(tmp_path):
    assert memory.of_host(tmp_path, {}) is None


def test_this_machine_tells():
    found = memory.of_host()
    if Path("/proc/meminfo").exists():
        assert found is not None
        assert 0 < found.size < 2**50


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        (None, Memory(16 * GIB, "NVIDIA Tesla P100-PCIE-16GB")),
        ("0", Memory(40 * GIB, "NVIDIA A100-SXM4-40GB")),
        ("GPU-bb", Memory(16 * GIB, "NVIDIA Tesla P100-PCIE-16GB")),
        ("0, 1", Memory(16 * GIB, "NVIDIA Tesla P100-PCIE-16GB")),
        ("2", None),
        ("-1", None),
        ("", None),
        ("MIG-dd44", None),
    ],
)
def test_the_smallest_gpu_that_the_process_sees(visible, expected):
    assert memory.smallest_gpu(TABLE, visible) == expected


def test_nvidia_smi_is_asked(tmp_path):
    command = tmp_path / "nvidia-smi"
    command.write_text("#!/bin/sh\necho '0, GPU-aa, NVIDIA A100, 40960'\n")
    command.chmod(0o755)
    assert memory.of_gpu({"PATH": str(tmp_path)}) == Memory(40 * GIB, "NVIDIA A100")
    command.write_text("#!/bin/sh\nexit 9\n")
    assert memory.of_gpu({"PATH": str(tmp_path)}) is None
    assert memory.of_gpu({"PATH": ""}) is None


class XlaRuntimeError(RuntimeError):
    """A class with the name of JAX's error."""


class OutOfMemoryError(RuntimeError):
    """A class with the name of PyTorch's error."""


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (XlaRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 123 bytes"), True),
        (OutOfMemoryError("CUDA out of memory"), True),
        (MemoryError(), True),
        (XlaRuntimeError("INVALID_ARGUMENT"), False),
        (ValueError("out of range"), False),
    ],
)
def test_errors_that_say_it_is_used_up(error, expected):
    assert memory.ran_out(error) is expected


def test_errors_of_numpy_and_tensorflow_themselves():
    """They request more than the address space, so that no memory is really used."""
    with pytest.raises(UserError, match="used up"), memory.explained(lambda: "used up"):
        np.empty(2**46, dtype="f4")
    code = (
        "from workflow_lib.host import memory\nfrom workflow_lib.networks import runtime\n"
        "runtime.configure_runtime(1, False, 0)\n"
        "import tensorflow as tf\n"
        "try:\n"
        "    tf.fill([2**46], 0.0)\n"
        "except Exception as error:\n"
        "    print(type(error).__name__, memory.ran_out(error))\n"
        "try:\n"
        "    tf.ones(2) + tf.ones(3)\n"
        "except Exception as error:\n"
        "    print(type(error).__name__, memory.ran_out(error))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.splitlines() == ["ResourceExhaustedError True", "InvalidArgumentError False"]


def test_other_errors_stay_what_they_are():
    with pytest.raises(ZeroDivisionError), memory.explained(lambda: "used up"):
        1 / 0  # noqa: B018
