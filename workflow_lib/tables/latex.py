"""Escaping of text for LaTeX tables."""

_SPECIAL = {
    **{character: "\\" + character for character in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}
_GREEK = dict(zip("αβγδλμσ", ("alpha", "beta", "gamma", "delta", "lambda", "mu", "sigma"), strict=True))
NOTHING = "--"
"""The text for a missing number."""


def escape(text: str) -> str:
    """Return text on one line with the special characters of LaTeX escaped.

    Greek letters of loss names become math symbols. Invisible characters, such as those that change the
    writing direction, are removed.
    """
    line = " ".join("".join(c for c in text if c.isprintable() or c.isspace()).split())
    return "".join(_SPECIAL.get(c) or (rf"$\{_GREEK[c]}$" if c in _GREEK else c) for c in line)
