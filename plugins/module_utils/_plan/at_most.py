# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variable patch_at_most: how many hosts with the same value of a tag, or in the same zone, may be at work at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .._base.errors import InvalidOption
from .._base.text import join_names
from .._fleet.hosts import FleetHost
from .._ledger.history import Expected
from .._model.at_most import AtMost
from .order import Planned, hosts_of_share

EXAMPLE = (
    "It must be a list of mappings, each with tag or zone, and with hosts or share: [{tag: Role, hosts: 1}, "
    "{zone: true, share: 30%}]."
)
SUBJECTS, SIZES = ("tag", "zone"), ("hosts", "share")
NAMED = 5


def read_at_most(name: str, given: Any) -> list[AtMost]:
    """The limits, each with exactly one of tag and zone, and one of hosts and share.

    Raises:
        InvalidOption: a value that cannot be right.
    """
    if not isinstance(given, list):
        raise InvalidOption(name, given, EXAMPLE)
    return [_limit(f"{name}[{number}]", entry) for number, entry in enumerate(given)]


def _limit(option: str, entry: Any) -> AtMost:
    if not isinstance(entry, dict):
        raise InvalidOption(option, entry, EXAMPLE)
    unknown = sorted(map(str, entry.keys() - {*SUBJECTS, *SIZES}))
    if unknown:
        raise InvalidOption(f"{option}.{unknown[0]}", entry[unknown[0]], EXAMPLE)
    for keys in (SUBJECTS, SIZES):
        if len([key for key in keys if entry.get(key) is not None]) != 1:
            raise InvalidOption(option, entry, f"It must have {keys[0]} or {keys[1]}, and not both.")
    limit: AtMost = {}
    if entry.get("tag") is not None:
        limit["tag"] = _tag(f"{option}.tag", entry["tag"])
    else:
        limit["zone"] = _zone(f"{option}.zone", entry["zone"])
    if entry.get("hosts") is not None:
        limit["hosts"] = _hosts(f"{option}.hosts", entry["hosts"])
    else:
        limit["share"] = _share(f"{option}.share", entry["share"])
    return limit


def _tag(option: str, given: Any) -> str:
    text = given.strip() if isinstance(given, str) else ""
    if not text or len(text) > 128:
        raise InvalidOption(option, given, "It must be the key of a tag.")
    return text


def _zone(option: str, given: Any) -> bool:
    if str(given).strip().lower() not in {"true", "yes", "on", "1"}:
        raise InvalidOption(option, given, "It must be true: each zone has this limit.")
    return True


def _hosts(option: str, given: Any) -> int:
    text = str(given).strip()
    if isinstance(given, bool) or not text.isascii() or not text.isdigit() or int(text) < 1:
        raise InvalidOption(option, given, "It must be a number of hosts, at least 1.")
    return int(text)


def _share(option: str, given: Any) -> str:
    text = str(given).strip()
    try:
        percentage = float(text.removesuffix("%")) if text.endswith("%") else 0.0
    except ValueError:
        percentage = 0.0
    if not 0 < percentage <= 100:
        raise InvalidOption(option, given, "It must be a percentage above 0 and at most 100, such as 30%.")
    return text


def peer_limits(hosts: Sequence[FleetHost], limits: Sequence[AtMost]) -> dict[str, dict[str, int]]:
    """How many hosts may be at work in each group of peers of each host: key → name of the group → number, at least 1.

    A share is one of the hosts given here. Hosts without the tag or without a zone have no such limit.
    """
    found: dict[str, dict[str, int]] = {}
    for limit in limits:
        groups = {host.key: _group(host, limit) for host in hosts}
        sizes = Counter(filter(None, groups.values()))
        for key, group in groups.items():
            if group is not None:
                number = max(_number(limit, sizes[group]), 1)
                known = found.setdefault(key, {}).get(group, number)
                found[key][group] = min(known, number)
    return found


def longest_group_seconds(
    planned: Sequence[Planned], limits: Sequence[AtMost], seconds_of: Callable[[Expected], float]
) -> float:
    """How long the group of peers takes that takes longest, in seconds: its hosts wait for each other."""
    groups, seconds, most = peer_limits([one.host for one in planned], limits), Counter[str](), dict[str, int]()
    for one in planned:
        for group, number in groups.get(one.host.key, {}).items():
            most[group] = number
            seconds[group] += int(seconds_of(one.expected)) if one.expected else 0
    return max((seconds[group] / most[group] for group in most), default=0.0)


def _number(limit: AtMost, size: int) -> int:
    return limit["hosts"] if "hosts" in limit else hosts_of_share(limit["share"], size)


def _group(host: FleetHost, limit: AtMost) -> str | None:
    if "tag" in limit:
        value = host.tags.get(limit["tag"])
        return None if value is None else f"tag {limit['tag']}={value}"
    if host.az is None:
        return None
    return f"zone {host.az}" if host.account is None else f"zone {host.az} of account {host.account.id}"


def at_most_lines(hosts: Sequence[FleetHost], limits: Sequence[AtMost]) -> list[str]:
    """What the plan says of the limits: a sentence for each, and one where a share is less than a host."""
    lines = []
    for limit in limits:
        sizes = Counter(filter(None, (_group(host, limit) for host in hosts)))
        subject = f"with the same value of the tag {limit['tag']}" if "tag" in limit else "in one zone"
        size = f"{limit['hosts']}" if "hosts" in limit else limit["share"]
        if not sizes:
            lines.append(f"patch_at_most limits hosts {subject}, and no target has one.")
            continue
        numbers = join_names([f"{group}: {_most(limit, sizes[group])}" for group in _sorted(sizes)], NAMED)
        lines.append(f"At most {size} of the hosts {subject} are worked on at once (patch_at_most): {numbers}.")
        small = [group for group in _sorted(sizes) if _number(limit, sizes[group]) < 1]
        if small:
            named = join_names([f"{group} ({sizes[group]})" for group in small], NAMED)
            lines.append(f"{size} of so few hosts is less than one host; one at a time is worked on: {named}.")
    return lines


def _most(limit: AtMost, size: int) -> int:
    return max(_number(limit, size), 1)


def _sorted(groups: Iterable[str]) -> list[str]:
    return sorted(groups)
