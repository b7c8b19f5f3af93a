"""Random draws as functions of what they are for, never of a generator's history.

A draw is named by the study's seed and the parts that set it apart ("batch", fold, epoch, step, sample). Whoever asks for
the same name gets the same numbers, in whatever order or process, so a training that was killed goes on as if it never was.
"""

import hashlib

import numpy as np


def _digest(seed: int, parts: tuple[str | int, ...]) -> bytes:
    name = "\x1f".join([str(seed), *(f"{type(part).__name__}:{part}" for part in parts)])
    return hashlib.sha256(name.encode("utf-8")).digest()


def generator(seed: int, *parts: str | int) -> np.random.Generator:
    """Return a counter-based (Philox) generator keyed by the seed and the named parts."""
    key = np.frombuffer(_digest(seed, parts)[:16], dtype="<u8")
    return np.random.Generator(np.random.Philox(key=key))


def derive(seed: int, *parts: str | int) -> int:
    """Return an integer in [0, 2**31) for libraries that take a seed of their own."""
    return int.from_bytes(_digest(seed, parts)[16:20], "little") & 0x7FFFFFFF
