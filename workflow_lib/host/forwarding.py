"""Forward signals from the Snakemake process of a job to its step.

If SLURM tracks processes by control groups, it sends SIGTERM before a time limit, a pre-emption or a cancellation only to the
process that it started. This is the Snakemake inside the job. On SIGTERM it waits for its step until both are killed, and
SIGUSR1 terminates it. But it is the step that must save its state.
"""

import contextlib
import os
import signal
import threading

import psutil

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
"""The signals that a training handles (`training/interruption.py`)."""

STEPS = "workflow_lib.steps."


def pass_on() -> None:
    """Start forwarding these signals to the steps below this process, in addition to other handlers.

    Snakemake sets its own handler for SIGTERM later. The wakeup file descriptor receives signals independently of handlers. It
    can
    only be set in the main thread; in other threads this function has no effect.
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
        # Without a handler the signal would end this process, and SLURM would then kill the step.
        signal.signal(signal.SIGUSR1, lambda number, frame: None)
    threading.Thread(target=_watch, args=(read,), daemon=True).start()


def _watch(read: int) -> None:
    while numbers := os.read(read, 1):
        if numbers[0] in SIGNALS:
            for step in steps_below():
                with contextlib.suppress(psutil.Error):
                    step.send_signal(numbers[0])


def steps_below() -> list[psutil.Process]:
    """Return the step processes among the descendants of this process."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            arguments = process.cmdline()
            if "-m" in arguments and any(argument.startswith(STEPS) for argument in arguments):
                found.append(process)
    return found
