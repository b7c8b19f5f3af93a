"""Text in LaTeX, for the tables of a manuscript."""

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
"""The text for a number that does not exist."""


def escape(text: str) -> str:
    """Return text that LaTeX prints as it is, on one line; Greek letters of loss names become mathematics.

    Without characters that cannot be seen, such as those that turn the direction of writing.
    """
    line = " ".join("".join(c for c in text if c.isprintable() or c.isspace()).split())
    return "".join(_SPECIAL.get(c) or (rf"$\{_GREEK[c]}$" if c in _GREEK else c) for c in line)
