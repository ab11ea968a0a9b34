# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bad night is reduced to what matters: each part is left out, and stays out while the same kind of problem stays."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

Data = dict[str, Any]
KEPT_OF_HOSTS = frozenset({"name", "kind", "state"})
WITHOUT_RIVAL = {"freezes_seconds": 0.0, "skew_seconds": 0.0, "dies_after": None, "begins_seconds": 0.0}


def shrink(night: Data, is_bad: Callable[[Data], bool]) -> Data:
    """The smallest night that is still bad: no single part can be left out of it.

    Args:
        night: as Drawn.to_data gives it.
        is_bad: whether a night still has the problem.
    """
    left_out = True
    while left_out:
        position, left_out = 0, False
        while position < len(candidates := list(_smaller(night))):
            if is_bad(candidates[position]):
                night, left_out = candidates[position], True  # at this position stands the next part now
            else:
                position += 1
    return night


def _smaller(night: Data) -> Iterator[Data]:
    """Nights with one part less, the largest parts first."""
    yield from _without_rival(night)
    for name in ("stop", "watchdog", "window", "clock", "at_once", "poller_answers"):
        if night.get(name):
            yield _without(night, (), name)
    yield from _without_controllers(night)
    yield from _without_hosts(night)
    yield from _without_members(night, ("keys", "events"))
    yield from _without_keys(night, ("keys", "account"))
    yield from _without_keys(night, ("variables",))
    for number in range(len(night["keys"]["hosts"])):
        yield from _without_keys(night, ("keys", "hosts", number), KEPT_OF_HOSTS)
        yield from _simpler_updates(night, number)
    yield from _simpler_remotes(night)
    if night.get("backend", "sqlite") != "sqlite":
        yield _with(night, ("backend",), "sqlite")


def _without_rival(night: Data) -> Iterator[Data]:
    if night.get("rival"):
        yield {name: value for name, value in night.items() if name != "rival"}
        for name, value in WITHOUT_RIVAL.items():
            if night["rival"].get(name) not in (value, None):
                yield _with(night, ("rival", name), value)


def _without_controllers(night: Data) -> Iterator[Data]:
    """The last recovery stays: a night is judged when everything was put back."""
    if night.get("dies_after") is not None:
        yield _with(night, ("dies_after",), None)
    for number in range(len(night["recoveries"]) - 1):
        yield _without(night, ("recoveries",), number)
    for number, recovery in enumerate(night["recoveries"]):
        if recovery.get("dies_after") is not None:
            yield _with(night, ("recoveries", number, "dies_after"), None)


def _without_hosts(night: Data) -> Iterator[Data]:
    hosts = night["keys"]["hosts"]
    for number in range(len(hosts) if len(hosts) > 1 else 0):
        name = hosts[number]["name"]
        events = [event for event in night["keys"].get("events", ()) if not _is_about(event, name)]
        smaller = _with(_without(night, ("keys", "hosts"), number), ("keys", "events"), events)
        if "remotes" in night:
            smaller["remotes"] = [remote for remote in night["remotes"] if remote["host"] != name]
        yield smaller


def _simpler_remotes(night: Data) -> Iterator[Data]:
    for number, remote in enumerate(night.get("remotes", ())):
        yield from _without_keys(
            night, ("remotes", number), frozenset({"host"} | {k for k, v in remote.items() if not v})
        )


def _is_about(event: Data, name: str) -> bool:
    return event.get("host") == name or str(event.get("when", "")).split(" ")[0] == name


def _simpler_updates(night: Data, number: int) -> Iterator[Data]:
    for index, update in enumerate(night["keys"]["hosts"][number].get("updates", ())):
        if update.get("result", "ok") != "ok":
            yield _with(night, ("keys", "hosts", number, "updates", index, "result"), "ok")


def _without_keys(night: Data, path: tuple[Any, ...], kept: frozenset[str] = frozenset()) -> Iterator[Data]:
    for name, value in _at(night, path).items():
        if name in kept:
            continue
        if isinstance(value, list) and len(value) > 1:
            yield from _without_members(night, (*path, name))
        yield _without(night, path, name)


def _without_members(night: Data, path: tuple[Any, ...]) -> Iterator[Data]:
    for number in range(len(_at(night, path))):
        yield _without(night, path, number)


def _at(night: Data, path: tuple[Any, ...]) -> Any:
    value: Any = night
    for part in path:
        value = value[part] if isinstance(part, int) else value.get(part, {})
    return value


def _without(night: Data, path: tuple[Any, ...], part: Any) -> Data:
    smaller = copy.deepcopy(night)
    del _at(smaller, path)[part]
    return smaller


def _with(night: Data, path: tuple[Any, ...], value: Any) -> Data:
    changed = copy.deepcopy(night)
    _at(changed, path[:-1])[path[-1]] = value
    return changed
