# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Messages to a webhook. Its URL is a secret, since everybody who has it can write there: no message of ours holds it.

Sources: Slack API documentation ("Sending messages using incoming webhooks"), Microsoft Learn ("Create incoming webhooks with
Workflows for Microsoft Teams").
"""

from __future__ import annotations

import hashlib
import json
import re
import urllib.error
import urllib.parse
from collections.abc import Mapping

from ansible.module_utils.urls import open_url

TIMEOUT_SECONDS = 15
HOST_ITSELF = frozenset({"localhost", "127.0.0.1", "::1"})
VISIBLE = re.compile(r"[!-~]+")
"""A URL has no other characters (RFC 3986). Python's errors about others would show it."""


def is_webhook(url: str) -> bool:
    """Whether it is a URL to which a secret may be sent: with TLS, or on this machine."""
    if not VISIBLE.fullmatch(url):
        return False
    try:
        parts = urllib.parse.urlsplit(url)
        _port = parts.port
    except ValueError:
        return False
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in HOST_ITSELF)
    )


def host_of(url: str) -> str:
    """The part of the URL that may be shown."""
    return urllib.parse.urlsplit(url).hostname or ""


def hidden(url: str) -> str:
    """What may be shown of it, and a few digits by which two of them differ."""
    return f"{host_of(url)} ({hashlib.sha256(url.encode()).hexdigest()[:8]})"


def post(url: str, message: Mapping[str, object]) -> str | None:
    """Post a message as JSON once; why it was not taken, None where it was. Nothing of the URL but its host is in the answer."""
    body = json.dumps(message, allow_nan=False).encode()
    headers = {"Content-Type": "application/json; charset=utf-8"}
    try:
        open_url(
            url, data=body, headers=headers, method="POST", timeout=TIMEOUT_SECONDS, follow_redirects="none"
        ).read()
    except urllib.error.HTTPError as error:
        return f"{host_of(url)} answered with HTTP {error.code}."
    except Exception as error:  # noqa: BLE001 - open_url has errors of several libraries, whose texts may show the URL
        cause = error.reason if isinstance(error, urllib.error.URLError) else error
        return f"{host_of(url)} could not be reached ({type(cause).__name__})."
    return None
