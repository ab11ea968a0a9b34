# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys that the schema has and the lab does not carry out yet: a scenario that has one is refused, not half played.

Who builds a capability takes its keys out of the lists here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lab.schema import Problem

ACCOUNT = frozenset[str]()
HOST = frozenset[str]()
ACTS = frozenset[str]()
PLAYBOOKS = frozenset[str]()

REFUSAL = "the lab does not carry this out yet; leave it out"


def planned_problems(document: dict[str, Any]) -> list[Problem]:
    """Each use of what is planned, of a document that fits the schema."""
    return [(key, REFUSAL) for key in _planned(document)]


def _planned(document: dict[str, Any]) -> Iterator[str]:
    yield from _keys("account", document.get("account", {}), ACCOUNT)
    for key, host in _hosts(document):
        yield from _keys(key, host, HOST)
    for index, event in enumerate(document.get("events", ())):
        if isinstance(event["do"], str) and event["do"] in ACTS:
            yield f"events[{index}].do"
    for index, step in enumerate(document.get("steps", ())):
        if step.get("playbook") in PLAYBOOKS:
            yield f"steps[{index}].playbook"


def _hosts(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "defaults", document.get("defaults", {})
    for index, host in enumerate(document["hosts"]):
        yield f"hosts[{index}]", host


def _keys(where: str, mapping: dict[str, Any], planned: frozenset[str]) -> Iterator[str]:
    return (f"{where}.{key}" for key in mapping if key in planned)
