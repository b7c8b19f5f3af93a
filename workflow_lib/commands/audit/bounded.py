"""Computation on untrusted files, in a separate process: memory and time are limited, a crash is a finding."""

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
"""So long may pass without a finding or a sign of progress."""

SHARE = 0.8
"""Of the memory that is free."""

LONGEST = 400
"""Characters of an error that are shown."""

MESSAGE_BYTES = 1 << 20
MESSAGE = 40_000
"""Characters of a line: names in the results may be of any length, and one takes up to twelve bytes in a message."""


def findings(module: str, arguments: Iterable[Any], seconds: float = SECONDS) -> Iterator[Finding | str]:
    """Yield what `check(*arguments)` of a module of this package yields in a process of its own: findings, and progress as text.

    A process that runs out of memory, crashes, or says nothing for so many seconds ends with a finding that says so.
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
            # JSON and not Python objects: who breaks a decoder in that process gets no further.
            said = json.loads(receiver.recv_bytes(MESSAGE_BYTES))
            if said is None:
                return
            yield said if isinstance(said, str) else Finding(*said)
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
    """Return whether something comes within a time.

    The waits are short: an interrupt that arrives just before a wait begins is seen only after it.
    """
    end = time.monotonic() + seconds
    while not receiver.poll(max(0.0, min(1.0, end - time.monotonic()))):
        if time.monotonic() >= end:
            return False
    return True


@contextlib.contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Within the block SIGINT waits; a process that is started there never gets it.

    Ctrl-C reaches every process of a terminal. This one ends the other, which would print a traceback of its own.
    """
    # It starts with the first process, and when it starts it unblocks the signal.
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
            said = (
                _cut(finding) if isinstance(finding, str) else [_cut(finding.subject), finding.state, _cut(finding.text, MESSAGE)]
            )
            sender.send_bytes(json.dumps(said).encode())
    sender.send_bytes(b"null")


def guarded(
    subject: str, look: Callable[..., Iterable[Finding | str]], *arguments: Any, before: str = "cannot be computed again"
) -> Iterator[Finding | str]:
    """Yield what `look(*arguments)` yields; content that no step would have written is a finding and no crash."""
    try:
        # What a step says of its progress is no part of the audit's table.
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
    except Exception as error:  # what is read was made by a stranger
        yield Finding(subject, "fails", f"{before} ({_cut(repr(error))})")


def _cut(text: str, most: int = 4 * LONGEST) -> str:
    return text if len(text) <= most else text[:most] + " …"
