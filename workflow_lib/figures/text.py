"""Names that users choose, as text in a figure: never read as mathematics, never wider than their place."""

import textwrap


def plain(text: str, limit: int = 40) -> str:
    """Return `text` on one line of at most `limit` characters, with what matplotlib would read as mathematics escaped."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split()) or " "
    if len(line) > limit:
        line = line[: limit - 1].rstrip() + "…"
    return line.replace("$", r"\$")


def wrapped(text: str, width: int = 16, lines: int = 3) -> str:
    """Return `text` broken into at most `lines` lines of at most `width` characters, escaped as in `plain`."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split()) or " "
    broken = textwrap.wrap(line, width, max_lines=lines, placeholder="…")
    return "\n".join(broken).replace("$", r"\$")
