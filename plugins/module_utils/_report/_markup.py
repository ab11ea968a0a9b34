# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The few pieces of HTML that all parts of the page use. What comes from the report goes through ``text`` or ``data``."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from html import escape
from typing import Any

from ansible_collections.patchfleet.windows.plugins.module_utils._report import _format as f

from .._model.outcomes import Outcome

# Inside <script> only these could end the element or begin a comment; with them gone no string of the data can.
_JSON_ESCAPES = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026"}


def text(value: object) -> str:
    """A value as text of the page or of an attribute in double quotes; null is ``NOTHING``."""
    return escape(f.plain(value), quote=True)


def data(value: Any) -> str:
    """A value as JSON for a script element; all but ASCII is escaped, U+2028 and U+2029 with it."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).translate(_JSON_ESCAPES)


def icon(outcome: str | None) -> str:
    """The symbol of an outcome, or of what a host without one does: each has its own shape and colour."""
    if outcome is None or outcome not in [*Outcome, f.AT_WORK, f.WAITING]:
        return ""
    outcome = outcome.replace(" ", "-")
    return f'<svg class="i o-{outcome}" aria-hidden=true><use href=#i-{outcome} /></svg>'


def time(moment: str | None) -> str:
    """An ISO 8601 time in UTC; the script adds the viewer's own."""
    if moment is None:
        return f.NOTHING
    return f'<time datetime="{f.utc(moment, "{date}T{time}Z")}">{f.utc(moment)}</time>'


def page_head(title: str, style: str, scripts: Sequence[str], more: str = "") -> str:
    """The head of a page that loads nothing, and runs its own scripts alone.

    Args:
        title: HTML.
        style: the style sheet.
        scripts: all scripts of the page, for its Content-Security-Policy; the page has them where they run.
        more: elements of the head beside those of each page.
    """
    allowed = " ".join(f"'{_hash_of(script)}'" for script in scripts)
    policy = (
        f"default-src 'none'; script-src {allowed}; style-src '{_hash_of(style)}'; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )
    return f"""<!doctype html>
<html lang=en>
<head>
<meta charset=utf-8>
<meta http-equiv=Content-Security-Policy content="{policy}">
<meta name=viewport content="width=device-width, initial-scale=1">
<meta name=color-scheme content="light dark">
{more}<title>{title}</title>
<link rel=icon href="data:,">
<style>{style}</style>
</head>"""


def _hash_of(content: str) -> str:
    """How a Content-Security-Policy names a script or style of the page."""
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
