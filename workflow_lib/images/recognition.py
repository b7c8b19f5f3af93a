"""What a file is that is not an image, from its first bytes."""

LFS_POINTER = b"version https://git-lfs.github.com/spec/"
LFS_REMEDY = "it is a pointer of Git LFS in place of the file. Run `git lfs pull` where the data were cloned."


def guess(begin: bytes) -> str:
    """Return the kind of a file in brackets, with a space before it, or an empty text."""
    if begin.startswith(LFS_POINTER):
        return " (a pointer of Git LFS in place of the file: run `git lfs pull` where the data were cloned)"
    if begin.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"<":
        return " (an HTML page, as servers send in place of a file)"
    return ""
