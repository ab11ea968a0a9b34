# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The words by which users name hosts in patch_exclude, patch_canary_hosts and patch_checks."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from .._base.errors import InvalidOption
from .._base.text import join_names, join_sentences
from .._fleet.hosts import FleetHost
from .._model.checks import Check, unmatched
from .._model.settings import Settings

NAMED = 5
"""The number of words that a warning names."""


def names_of(host: FleetHost) -> set[str]:
    """Its id, its names in the inventory and in the report, and its tag Name."""
    return {name for name in (host.key, host.name, host.inventory_name, host.tags.get("Name")) if name}


def words_of(host: FleetHost) -> set[str]:
    """Its names, and each of its tags as ``key=value``."""
    return names_of(host) | {f"{key}={value}" for key, value in host.tags.items()}


def hint(word: str, known: Iterable[str]) -> str:
    """A question with the nearest known word; empty where none is near."""
    near = difflib.get_close_matches(word, sorted(known), n=1)
    return f"Did you mean {near[0]}?" if near else ""


def refuse_unmatched_exclusions(settings: Settings, hosts: list[FleetHost], inventory: Collection[str]) -> None:
    """A word that matches no host protects none, so a typo must not pass.

    Hosts of the inventory that are no targets may be named: the same list often serves several runs. A slice of a job of
    AWX sees a part of the targets only, so it refuses nothing.

    Raises:
        InvalidOption: a word matches neither a target nor a host of the inventory.
    """
    if settings["exclude_missing_ok"] or (settings.get("slice_of") and not settings["slice"]):
        return
    known = {word for host in hosts for word in words_of(host)}
    for word in settings["exclude"]:
        if word not in known and word not in inventory:
            right = join_sentences(
                "It must be the name or id of a target or of a host in the inventory, or key=value of a target's tag.",
                hint(word, {*known, *inventory}),
                "patch_exclude_missing_ok accepts it all the same. Nothing was touched.",
            )
            raise InvalidOption("patch_exclude", word, right)


def unmatched_checks(settings: Settings, hosts: list[FleetHost], inventory: Collection[str]) -> list[str]:
    """A warning for each check that names what is not there: one list often serves several runs, and a typo checks nothing.

    Args:
        settings: of the run.
        hosts: those that were found.
        inventory: the names of its hosts and groups.
    """
    if settings.get("slice_of"):
        return []
    known = {*(word for host in hosts for word in names_of(host)), *inventory}
    hosts_own: Iterable[Mapping[str, Any]] = settings.get("of_hosts", {}).values()
    of_hosts: list[list[Check]] = [own["checks"] for own in hosts_own if "checks" in own]
    every = {check["name"]: check for checks in (*of_hosts, settings["checks"]) for check in checks}
    return [
        join_sentences(
            f"The check {name} of patch_checks names {join_names(words, NAMED)}: no target, and no host or group of the inventory.",
            hint(words[0], known),
        )
        for name, check in every.items()
        if (words := unmatched(check, known))
    ]
