"""Text for a terminal."""


def printable(text: str) -> str:
    """Return a text in which nothing steers a terminal: names of files and settings may be anybody's."""
    return "".join(
        character if character.isprintable() or character == "\n" else f"\\u{ord(character):04x}" for character in text
    )
