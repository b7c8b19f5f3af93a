"""Lists of names in Python sources: those of messages, those that read annotations, those without an effect on results.

`source.py` uses these lists. Code that they do not name is part of the fingerprint.
"""

import builtins
import re

TEXTS = frozenset(
    {
        *("LABEL", "CITATION", "EQUATION", "FAMILY", "BUILT_FROM", "PRESETS", "NOTES", "CURVES"),
        *("TITLE", "ORDER", "KEYS", "KEYS_NOTE", "PLACE", "WIDE", "CAPTION", "ALT"),
    }
)
"""Names of the descriptions in the file of a loss, a table or a figure. They can reach a result only through the settings of the
steps that show them."""

MEMBERS = ({"NAME", "FAMILY"}, {"NAME", "ORDER"}, {"NAME", "MEASURED"}, {"NAME", "CITATION"})
"""Names by whose assignment a member is recognised: a loss; a table or a figure; a metric; a network or an optimiser."""

TEXTS_OF_METRICS = frozenset({"CITATION", "EQUATION", "NOTES"})
"""Descriptions in the file of a metric that only its documentation uses. Its label is code: tables and figures import it."""

OUR_ERRORS = frozenset({"UserError", "Faults", "CommonFault", "NoAnswerError", "WorkerDiedError", "_TryAgain", "_UnusableError"})
"""Exceptions of this project whose arguments are messages. Those that carry data (DivergedError) are not listed."""

WITH_DATA = (StopIteration, StopAsyncIteration, SystemExit, GeneratorExit, KeyboardInterrupt)
"""Exceptions of Python whose arguments are data."""

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
"""Functions by their last name, with the keywords whose values are descriptions."""

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
"""If a source contains one of these words, its annotations may be data, so all of them are kept."""

TYPING = frozenset({"typing", "collections.abc"})
"""Modules whose names are mostly imported for annotations. Only the imported names that the code uses are kept."""

_BINDS = "|".join(sorted({"Field", "TYPE_CHECKING", "print", "say"} | (ERRORS - OUR_ERRORS)))
BOUND = re.compile(rf"^\s*(?:(?:async\s+)?def|class)\s+({_BINDS})\b|^\s*({_BINDS})\s*(?::[^=\n]+)?=|\bas\s+({_BINDS})\b", re.M)
"""Matches a source that redefines one of these names, which then has another meaning there."""

FAULTS = re.compile(r"(^|_)faults?$")
"""Names of functions that return or yield faults as text for users. Their callers test whether there are any."""
