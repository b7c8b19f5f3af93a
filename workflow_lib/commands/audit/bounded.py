"""Run computations on untrusted files in a separate process with limited memory and time. A crash becomes a finding."""

import contextlib
import importlib
import io
import json
import multiprocessing
import os
import resource
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from typing import Any

from workflow_lib.base.errors import UserError
from workflow_lib.commands.audit.findings import Finding
from workflow_lib.host import memory

SECONDS = 3600.0
"""Longest time without a finding or a sign of progress."""

SHARE = 0.8
"""Fraction of the free memory that the process may use."""

LONGEST = 400
"""Longer errors are cut: `_cut` keeps four times as many characters."""

MESSAGE_BYTES = 1 << 20
MESSAGE = 40_000
"""Characters of a finding's text. Names in the results may be of any length, and a character takes up to 12 bytes in JSON."""


def findings(module: str, arguments: Iterable[Any], seconds: float = SECONDS) -> Iterator[Finding | str]:
    """Run `check(*arguments)` of a module of this package in a separate process and yield its findings, and progress as text.

    If the process runs out of memory, crashes, or sends nothing for `seconds`, the last finding says so.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(sender, module, tuple(arguments)), daemon=True)
    with _interrupts_blocked():
        process.start()
    sender.close()
    subject = module.rpartition(".")[2]
    try:
        while True:
            if not _answers(receiver, seconds):
                yield Finding(subject, "fails", f"cannot be computed: nothing came in {seconds:.0f} s, so it was stopped")
                return
            # JSON instead of pickled objects: code that takes over the process through a decoder cannot take over this one.
            message = json.loads(receiver.recv_bytes(MESSAGE_BYTES))
            if message is None:
                return
            yield message if isinstance(message, str) else Finding(*message)
    except (OSError, ValueError, TypeError) as error:
        yield Finding(subject, "fails", f"cannot be computed: its process gave no answer that can be read ({_cut(repr(error))})")
    except EOFError:
        process.join()
        yield Finding(subject, "fails", f"cannot be computed: the process that tried it died (exit code {process.exitcode})")
    finally:
        process.kill()
        process.join()
        receiver.close()


def _answers(receiver: Connection, seconds: float) -> bool:
    """Return whether a message arrives within the given time.

    The function polls at short intervals, because an interrupt that arrives just before a poll is only noticed after it.
    """
    end = time.monotonic() + seconds
    while not receiver.poll(max(0.0, min(1.0, end - time.monotonic()))):
        if time.monotonic() >= end:
            return False
    return True


@contextlib.contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Block SIGINT within the `with` statement. A process that is started there never receives it.

    Ctrl-C sends SIGINT to all processes of a terminal. This process ends the other one, which would print a traceback.
    """
    # The resource tracker starts with the first process and unblocks the signal when it starts.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(sender: Connection, module: str, arguments: tuple[Any, ...]) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    free = memory.of_host()
    if free is not None:
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        limit = int(free.size * SHARE) + (4 << 30)  # libraries reserve far more addresses than they use
        resource.setrlimit(resource.RLIMIT_AS, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        for finding in guarded(module.rpartition(".")[2], importlib.import_module(module).check, *arguments):
            message = (
                _cut(finding) if isinstance(finding, str) else [_cut(finding.subject), finding.state, _cut(finding.text, MESSAGE)]
            )
            sender.send_bytes(json.dumps(message).encode())
    sender.send_bytes(b"null")


def guarded(
    subject: str, look: Callable[..., Iterable[Finding | str]], *arguments: Any, before: str = "cannot be computed again"
) -> Iterator[Finding | str]:
    """Yield what `look(*arguments)` yields. An exception caused by invalid content becomes a finding."""
    try:
        # Progress that a step prints is not part of the table of findings.
        with contextlib.redirect_stdout(io.StringIO()):
            found = iter(look(*arguments))
        while True:
            with contextlib.redirect_stdout(io.StringIO()):
                finding = next(found, None)
            if finding is None:
                return
            yield finding
    except UserError as error:
        yield Finding(subject, "fails", f"{before}: {_cut(str(error))}")
    except OSError as error:
        yield Finding(subject, "fails", f"{before}: {error.filename} is missing or cannot be read")
    except Exception as error:  # the content is untrusted
        yield Finding(subject, "fails", f"{before} ({_cut(repr(error))})")


def _cut(text: str, most: int = 4 * LONGEST) -> str:
    return text if len(text) <= most else text[:most] + " …"
