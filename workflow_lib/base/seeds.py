"""Random draws as functions of their purpose, independent of previous draws.

A draw is identified by the study's seed and by parts that distinguish it ("batch", fold, epoch, step, sample). The same parts
give the same numbers, in any order and process. Therefore an interrupted training continues as if it had not been interrupted.
"""

import hashlib

import numpy as np


def _digest(seed: int, parts: tuple[str | int, ...]) -> bytes:
    name = "\x1f".join([str(seed), *(f"{type(part).__name__}:{part}" for part in parts)])
    return hashlib.sha256(name.encode("utf-8")).digest()


def generator(seed: int, *parts: str | int) -> np.random.Generator:
    """Return a counter-based (Philox) generator keyed by the seed and the parts."""
    key = np.frombuffer(_digest(seed, parts)[:16], dtype="<u8")
    return np.random.Generator(np.random.Philox(key=key))


def derive(seed: int, *parts: str | int) -> int:
    """Return an integer in [0, 2**31) to seed a library's own generator."""
    return int.from_bytes(_digest(seed, parts)[16:20], "little") & 0x7FFFFFFF
