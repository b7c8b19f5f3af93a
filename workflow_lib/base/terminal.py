"""Make text safe for a terminal."""


def printable(text: str) -> str:
    """Return a text with control characters escaped, because names of files and settings may be untrusted."""
    return "".join(
        character if character.isprintable() or character == "\n" else f"\\u{ord(character):04x}" for character in text
    )
