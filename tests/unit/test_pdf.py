"""Printing the report: the choice of the browser, and the messages if there is none or if it fails."""

import shutil
import stat

import pytest

from workflow_lib.__main__ import main
from workflow_lib.base.errors import UserError
from workflow_lib.commands import pdf


@pytest.fixture
def page(tmp_path):
    path = tmp_path / "a report.html"
    path.write_text("<!DOCTYPE html><title>t</title><details><summary>s</summary>folded</details>")
    return path


def program(path, text):
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_the_first_browser_that_is_there(tmp_path):
    there = {"google-chrome": "/opt/google-chrome", "msedge": "/opt/msedge"}
    assert pdf.find_browser(which=there.get) == "/opt/google-chrome"
    assert pdf.find_browser("msedge", there.get) == "/opt/msedge"
    with pytest.raises(UserError, match="There is no program chromium"):
        pdf.find_browser("chromium", there.get)


def test_without_a_browser_it_says_what_to_do(page, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(page.parent))
    assert main(["pdf", str(page)]) == 2
    said = capsys.readouterr().err
    assert "No browser that can print was found" in said
    assert "--browser" in said
    assert "Traceback" not in said
    assert list(page.parent.glob("*.pdf*")) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [("echo broken >&2; exit 3", "exit code 3.*broken"), ("exit 0", "printed no PDF"), ("sleep 9", "did not print")],
)
def test_a_browser_that_fails_leaves_no_file(page, tmp_path, monkeypatch, text, message):
    monkeypatch.setattr(pdf, "SECONDS", 1)
    with pytest.raises(UserError, match=f"(?s){message}"):
        pdf.print_page(page, tmp_path / "out.pdf", program(tmp_path / "browser", text))
    assert list(tmp_path.glob("*out.pdf*")) == []


def test_no_page_no_print(tmp_path, capsys):
    assert main(["pdf", str(tmp_path / "none.html"), "--browser", "sh"]) == 2
    assert "There is no page" in capsys.readouterr().err


@pytest.mark.skipif(not any(map(shutil.which, pdf.BROWSERS)), reason="no browser that prints")
def test_a_real_print_beside_the_page(page, capsys):
    assert main(["pdf", str(page)]) == 0
    assert page.with_suffix(".pdf").read_bytes().startswith(b"%PDF")
    assert "a report.pdf" in capsys.readouterr().out
