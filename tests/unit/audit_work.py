"""Functions that tests run with `bounded.findings`: one succeeds, the others hang, crash or exhaust the memory."""

import os
import time

import numpy as np

from workflow_lib.base.errors import UserError
from workflow_lib.commands.audit.findings import Finding


def check(what):
    yield "begun"
    yield Finding("first", "holds", "before it goes wrong")
    if what == "hang":
        time.sleep(600)
    if what == "crash":
        os.abort()
    if what == "memory":
        np.ones(1 << 42, dtype=np.uint8)
    if what == "fault":
        raise UserError("a fault in words")
    if what == "long":
        yield "\0" * (1 << 20)
        yield Finding("x" * (1 << 20), "fails", "\U0001f600" * (1 << 20))
    if what == "stranger":
        raise KeyError("settings" * 10000)
    yield Finding("last", "holds")
