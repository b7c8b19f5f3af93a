"""Print the report to a PDF file with an installed Chromium, Chrome or Edge.

    whichloss pdf results/demo/report.html                     writes report.pdf next to the page
    whichloss pdf results/demo/report.html --pdf thesis.pdf
    whichloss pdf results/demo/report.html --browser /opt/chrome/chrome

Other parts of the workflow need no browser. You can also print the page from any browser: it contains a print style.
"""

import argparse
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from workflow_lib.base.errors import UserError
from workflow_lib.base.files import atomic_path

SUMMARY = "print the report to PDF"
EXAMPLE = "whichloss pdf results/demo/report.html"

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge", "msedge")
"""Names of browsers that can print to PDF, in the order of the search."""

SECONDS = 300
"""Time limit of a print."""


def find_browser(named: str | None = None, which: Callable[[str], str | None] = shutil.which) -> str:
    """Return the path of the given browser, or of the first of `BROWSERS` that is installed.

    Raises UserError with instructions if there is none.
    """
    for name in [named] if named else BROWSERS:
        found = which(name)
        if found:
            return found
    if named:
        raise UserError(f"There is no program {named}. Name the path of Chromium, Chrome or Edge.")
    raise UserError(
        f"No browser that can print was found (tried {', '.join(BROWSERS)}). Install Chromium, or name one with --browser, or "
        "open the page in any browser and print it to a file: the page is made for that."
    )


def print_page(page: Path, pdf: Path, browser: str) -> None:
    """Print `page` (HTML) to `pdf`, atomically. Raises UserError if the page does not exist or the browser fails."""
    if not page.is_file():
        raise UserError(f"There is no page {page}. Run the workflow first.")
    with atomic_path(pdf) as temporary, tempfile.TemporaryDirectory() as profile:
        command = [
            *(browser, "--headless", "--disable-gpu", "--disable-extensions", "--no-first-run", "--no-pdf-header-footer"),
            # Chromium's sandbox cannot start as root, for example in containers. The page loads no external content.
            *(["--no-sandbox"] if os.geteuid() == 0 else []),
            *(f"--user-data-dir={profile}", f"--print-to-pdf={temporary.resolve()}", page.resolve().as_uri()),
        ]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
        except subprocess.TimeoutExpired as error:
            raise UserError(f"{browser} did not print {page} within {SECONDS} s.") from error
        except OSError as error:
            raise UserError(f"{browser} does not start: {error}.") from error
        if done.returncode != 0 or not temporary.is_file() or not temporary.read_bytes().startswith(b"%PDF"):
            message = "\n".join(done.stderr.strip().splitlines()[-5:])
            raise UserError(f"{browser} printed no PDF of {page} (exit code {done.returncode}). It said:\n{message}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("page", type=Path, help="the report: results/<study>/report.html")
    parser.add_argument("--pdf", type=Path, help="file to write (default: next to the page)")
    parser.add_argument("--browser", help="name or path of Chromium, Chrome or Edge, if it is not found automatically")


def run(arguments: argparse.Namespace) -> int:
    """Print the given page."""
    pdf = arguments.pdf or arguments.page.with_suffix(".pdf")
    print_page(arguments.page, pdf, find_browser(arguments.browser))
    print(f"{pdf}: {pdf.stat().st_size / 1e6:.1f} MB")
    return 0
