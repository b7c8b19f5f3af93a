"""The files that a page is made from."""

import functools
import re
from pathlib import Path

from workflow_lib.base.checkout import reports

FOLDER = reports() / "templates"

ALWAYS = ("style.css", "sort.js")

PAGES = {"cases_page": "cases_page.html.j2", "report_page": "base.html.j2"}
"""Step to the template of its page."""

_USED = re.compile(r"{%-?\s*(?:include|import|extends|from)\s+[\"']([^\"']+)")


@functools.cache
def files(page: str) -> tuple[Path, ...]:
    """Return the files of the page that a step writes: its template, the templates that it includes, style and script."""
    found, waiting = set(ALWAYS), [PAGES[page]]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _USED.findall((FOLDER / name).read_text("utf-8"))
    return tuple(FOLDER / name for name in sorted(found))
