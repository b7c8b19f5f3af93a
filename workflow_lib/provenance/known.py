"""What is known of names in a Python source: which stand for messages, which read annotations, which have no effect.

`source.py` goes by these lists. Whatever they do not name counts.
"""

import builtins
import re

TOLD = frozenset(
    {
        *("LABEL", "CITATION", "EQUATION", "FAMILY", "BUILT_FROM", "PRESETS", "NOTES", "CURVES"),
        *("TITLE", "ORDER", "KEYS", "KEYS_NOTE", "PLACE", "WIDE", "CAPTION", "ALT"),
    }
)
"""What a loss, a table or a figure says of itself. It reaches a result through the settings of the steps that show it, or not at
all."""

MEMBERS = ({"NAME", "FAMILY"}, {"NAME", "ORDER"}, {"NAME", "MEASURED"}, {"NAME", "CITATION"})
"""What a file that speaks of itself assigns: a loss; a table or a figure; a metric; a network or an optimiser."""

TOLD_OF_METRICS = frozenset({"CITATION", "EQUATION", "NOTES"})
"""What the file of a metric says for its documentation alone. Its label counts: tables and figures import it."""

OUR_ERRORS = frozenset({"UserError", "Faults", "CommonFault", "NoAnswerError", "WorkerDiedError", "_TryAgain", "_UnusableError"})
"""Exceptions of ours whose arguments are messages. One that carries data (DivergedError) is none of them."""

WITH_DATA = (StopIteration, StopAsyncIteration, SystemExit, GeneratorExit, KeyboardInterrupt)
"""Exceptions of Python whose arguments mean something."""

ERRORS = OUR_ERRORS | {
    name
    for name, kind in vars(builtins).items()
    if isinstance(kind, type) and issubclass(kind, BaseException) and not issubclass(kind, WITH_DATA)
}

SAYING = frozenset({"print", "say", "progress.note", "self.progress.note", "job.say", "countdown.say"})
"""Functions that print a line for people."""

STREAMS = frozenset({"sys.stdout", "sys.stderr"})

WARNING = frozenset(
    {"warnings.warn", *(f"{log}.{level}" for log in ("logging", "logger") for level in ("debug", "info", "warning", "error"))}
)

DESCRIBED = {
    "Field": ("description", "title"),
    "add_argument": ("help",),
    "add_parser": ("help", "description", "epilog"),
    "ArgumentParser": ("description", "epilog"),
}
"""Functions by their last name, and their keywords whose texts describe."""

INDIFFERENT = frozenset(
    {
        "abstractmethod", "cache", "cached_property", "classmethod", "compiled", "contextmanager", "field_validator", "final",
        "jit", "lru_cache", "model_validator", "njit", "overload", "override", "property", "setter", "staticmethod", "wraps",
    }
)  # fmt: skip
"""Decorators, by their last name, that do not read the annotations of what they decorate."""

READERS = (
    "__annotations__", "computed_field", "get_annotations", "get_type_hints", "serializer", "Serializer", "signature(",
    "singledispatch", "validate_call",
)  # fmt: skip
"""Where a source has one of these words, its annotations may be data, and all of them count."""

TYPING = frozenset({"typing", "collections.abc"})
"""Modules of which a source mostly takes names for annotations; of these names those count that its code uses."""

_BINDS = "|".join(sorted({"Field", "TYPE_CHECKING", "print", "say"} | (ERRORS - OUR_ERRORS)))
BOUND = re.compile(rf"^\s*(?:(?:async\s+)?def|class)\s+({_BINDS})\b|^\s*({_BINDS})\s*(?::[^=\n]+)?=|\bas\s+({_BINDS})\b", re.M)
"""Where a source makes one of these names its own, it means something else by it."""

FAULTS = re.compile(r"(^|_)faults?$")
"""How functions are named that return or yield faults in words, for people; whether there are any, their callers ask."""
