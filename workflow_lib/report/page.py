"""Render the context to one self-contained page: templates, style, script, and the content security policy."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from workflow_lib.report.templates import FOLDER as TEMPLATES


def csp_hash(text: str) -> str:
    """Return the source expression of an inline style or script for a content security policy."""
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii") + "'"


def policy(style: str, script: str) -> str:
    """Return the policy of the page, which only allows images in `data:` URIs, this style and this script."""
    return (
        f"default-src 'none'; img-src data:; style-src {csp_hash(style)}; script-src {csp_hash(script)}; "
        "base-uri 'none'; form-action 'none'"
    )


def render(context: Mapping[str, Any], templates: Path = TEMPLATES, template: str = "base.html.j2") -> str:
    """Return the page that `template` gives. All values of the context are escaped; an undefined name is an error."""
    environment = Environment(
        loader=FileSystemLoader(templates),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    style = (templates / "style.css").read_text(encoding="utf-8")
    script = (templates / "sort.js").read_text(encoding="utf-8")
    # Style and script are files of the project, not data. All other values are escaped.
    return environment.get_template(template).render(
        **context, style=Markup(style), script=Markup(script), policy=policy(style, script)
    )
