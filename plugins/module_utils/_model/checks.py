# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is compared before and after a host is patched: the user's checks, and the kinds of evidence."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase
from typing import TypedDict

FAILURE, REMARK, OFF = "failure", "remark", "off"
LEVELS = (FAILURE, REMARK, OFF)
"""What it is when something is not there any more; OFF does not take the evidence at all."""
SERVICES, EVENTS, UPTIME, BUILD = "services", "events", "uptime", "build"
COMPARED = {
    "ports": "ports",
    "sites": "IIS sites",
    "app_pools": "application pools",
    "databases": "databases",
    "cluster": "in the cluster:",
    "tasks": "scheduled tasks",
}
"""Kinds of evidence that check_host takes, and whose items must be there again; each with its words."""
KINDS = (SERVICES, *COMPARED, EVENTS, UPTIME, BUILD)
ONLY_REMARKS = (EVENTS, UPTIME, BUILD)
"""Kinds that are kept, and of which nothing can be missed."""
SETTLING = ("ports", "sites", "app_pools", "databases", "cluster")
"""Kinds whose items come up some time after Windows."""


class Check(TypedDict, total=False):
    """A check of the user's, as its host gets it: one of ``port``, ``http``, ``service`` and ``script``.

    ``address`` is that of the port, the host's own where there is none; ``status`` and ``text`` are what the page must have;
    ``script`` is a file on the controller, and once that is read its text. ``on`` names the hosts; empty stands for all.
    """

    name: str
    port: int
    address: str
    http: str
    status: int
    text: str
    service: str
    script: str
    timeout_seconds: int
    on: list[str]


class CheckState(TypedDict):
    """Whether a check passed before and after the host was patched; None where that is not known."""

    before: bool | None
    after: bool | None


class EvidenceState(TypedDict):
    """The items of one kind of evidence before and after the host was patched; None where they are not known."""

    before: list[str] | None
    after: list[str] | None


def is_on(check: Check, words: Collection[str]) -> bool:
    """Whether a check is for the host with these names, groups and tags."""
    return not check["on"] or any(fnmatchcase(word, pattern) for pattern in check["on"] for word in words)


def unmatched(check: Check, words: Collection[str]) -> Sequence[str]:
    """The patterns of a check that none of these words fits."""
    return [pattern for pattern in check["on"] if not any(fnmatchcase(word, pattern) for word in words)]
