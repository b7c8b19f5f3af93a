"""Signals that reach the Snakemake of a job are passed on to the step below it.

SLURM, where it follows processes by control groups, sends SIGTERM before a time limit, a pre-emption or a cancellation to the
process that it started alone. That is the Snakemake inside the job, which on SIGTERM waits for its step until both are killed,
and dies of SIGUSR1. The step is what has something to save.
"""

import contextlib
import os
import signal
import threading

import psutil

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
"""Those that a training obeys (`training/interruption.py`)."""

STEPS = "workflow_lib.steps."


def pass_on() -> None:
    """From now on pass these signals on to the steps below this process, whatever else it does about them.

    Snakemake sets its own handler for SIGTERM after this; the interpreter tells of a signal beside any handler. To be called in
    the main thread; in another one, where Python allows it not, nothing is passed on.
    """
    read, write = os.pipe()
    os.set_blocking(write, False)
    try:
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    except ValueError:
        os.close(read)
        os.close(write)
        return
    if signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL:
        # Without a handler the process ends, and SLURM kills what it leaves behind.
        signal.signal(signal.SIGUSR1, lambda number, frame: None)
    threading.Thread(target=_watch, args=(read,), daemon=True).start()


def _watch(read: int) -> None:
    while numbers := os.read(read, 1):
        if numbers[0] in SIGNALS:
            for step in steps_below():
                with contextlib.suppress(psutil.Error):
                    step.send_signal(numbers[0])


def steps_below() -> list[psutil.Process]:
    """Return the processes of steps that this process started, itself or through others."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            arguments = process.cmdline()
            if "-m" in arguments and any(argument.startswith(STEPS) for argument in arguments):
                found.append(process)
    return found
