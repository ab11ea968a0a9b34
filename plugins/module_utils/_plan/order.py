# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who is in, who is out and why, in which order and wave."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TypeAlias

from .._base.errors import Failed, InvalidOption
from .._base.text import join_sentences
from .._fleet.hosts import FleetHost
from .._ledger.history import Expected
from .._model.account import Account
from .._model.reasons import Reason
from .._model.run_settings import StopAlarm
from .._model.settings import Settings
from .names import hint, names_of, words_of
from .slices import share_of


@dataclass(frozen=True)
class Planned:
    """A host with its place in the plan; ``wave`` counts from 1 and is None for hosts that are out.

    ``expected`` is None for hosts that are out. ``starts_after_seconds`` is about when it starts, counted from the run's start.
    """

    host: FleetHost
    position: int
    wave: int | None
    expected: Expected | None = None
    starts_after_seconds: float = 0.0


@dataclass(frozen=True)
class Plan:
    """The planned hosts in order, then those that are out; ``warnings`` are sentences, ``stop_alarms`` alarms that end a run.

    Of a slice they are its own. ``included_in_all`` is the number of hosts that all slices work on, and ``canary_keys`` are the
    canaries of all slices, in order.
    """

    hosts: tuple[Planned, ...]
    batch_size: int
    failure_budget: int
    canary: int
    estimate_seconds: float
    included_in_all: int = 0
    canary_keys: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    stop_alarms: tuple[StopAlarm, ...] = ()

    @property
    def included(self) -> list[Planned]:
        """The hosts that will be worked on."""
        return [planned for planned in self.hosts if planned.wave is not None]

    @property
    def by_account(self) -> dict[Account, int]:
        """How many of these hosts each account has, as far as accounts are known."""
        return dict(Counter(planned.host.account for planned in self.included if planned.host.account))


def exclude(hosts: list[FleetHost], patterns: list[str]) -> list[FleetHost]:
    """Mark the hosts that the user leaves out: by name, id, or ``key=value`` of a tag."""
    marked = []
    for host in hosts:
        words = words_of(host)
        pattern = next((pattern for pattern in patterns if pattern in words), None)
        message = (Reason.EXCLUDED_BY_USER, f"It is left out by patch_exclude ({pattern}).")
        marked.append(replace(host, exclusion=message) if pattern is not None else host)
    return marked


Predict: TypeAlias = Callable[[list[FleetHost]], dict[str, Expected]]


def make_plan(hosts: list[FleetHost], settings: Settings, predict: Predict, at_work: Collection[str] = ()) -> Plan:
    """Order the hosts and check the guards.

    Those of which a long workflow is known go first: hosts that take equally long then share a wave, and a sliding window does not
    end with one of them alone.

    Args:
        settings: max_hosts, batch_size (int, or text such as "20%"), priority_instance_types, failure_budget (likewise),
            rollout, canary, canary_hosts.
        predict: how long the ways of hosts will take, by their keys.
        at_work: keys of hosts for which an earlier run has slots (patch_at_most); their peers wait for them.

    Raises:
        PatchFleetError: no host, or more than max_hosts.
        InvalidOption: a canary that is none.
    """
    if not hosts:
        raise Failed(
            "No host was found: the tag, filters and patterns select nothing. Nothing was done; check patch_tag_key, "
            "patch_tag_value, patch_regions and patch_hosts.",
            Reason.EMPTY_SELECTION,
        )
    if len(hosts) > settings["max_hosts"]:
        raise Failed(
            f"{len(hosts)} hosts were found, but patch_max_hosts is {settings['max_hosts']}. Narrow the selection or raise it.",
            Reason.TOO_MANY_HOSTS,
        )
    priority = settings["priority_instance_types"]
    rolling = settings["rollout"] == "rolling"
    expected = predict([host for host in hosts if host.exclusion is None])

    def order(host: FleetHost) -> tuple[int, float, str]:
        rank = priority.index(host.type) if host.type in priority else len(priority)
        return (rank, -expected[host.key].p90_seconds, host.name)

    included = sorted((host for host in hosts if host.exclusion is None), key=order)
    included.sort(key=lambda host: host.key not in at_work)  # stable, as is the next one
    canaries = _canaries(hosts, settings["canary_hosts"])
    included.sort(key=lambda host: host.key not in canaries)
    out = sorted((host for host in hosts if host.exclusion is not None), key=lambda host: host.name)
    whole, canary = included, max(len(canaries), settings["canary"])
    included, out = _share(included, out, settings)
    batch = max(hosts_of_share(settings["batch_size"], len(included)), 1)
    waves = [1 if rolling else at // batch + 1 for at in range(len(included))]
    seconds = [expected[host.key].median_seconds for host in included]
    starts = _starts(seconds, batch, rolling)
    placed = [
        Planned(host, at, wave, expected[host.key], start)
        for at, (host, wave, start) in enumerate(zip(included, waves, starts, strict=True))
    ]
    placed += [Planned(host, len(included) + at, None) for at, host in enumerate(out)]
    return Plan(
        hosts=tuple(placed),
        batch_size=batch,
        failure_budget=hosts_of_share(settings["failure_budget"], len(whole)),
        canary=canary,
        included_in_all=len(whole),
        canary_keys=tuple(host.key for host in whole[:canary]),
        estimate_seconds=max((start + one for start, one in zip(starts, seconds, strict=True)), default=0.0),
    )


def _share(
    included: list[FleetHost], out: list[FleetHost], settings: Settings
) -> tuple[list[FleetHost], list[FleetHost]]:
    """The hosts of a slice, with a share of those that are left out.

    Raises:
        InvalidOption: there are fewer hosts than slices.
    """
    mine, mine_out = share_of(included, settings), share_of(out, settings)
    if not mine and not mine_out:
        right = f"Only {len(included)} hosts are planned. Start as many slices at most."
        raise InvalidOption("patch_slice", settings["slice"], right)
    return mine, mine_out


def _canaries(hosts: list[FleetHost], wanted: list[str]) -> set[str]:
    """The keys of the hosts that are named as canaries.

    Raises:
        InvalidOption: one is no target, or is left out.
    """
    found = set()
    for name in wanted:
        named = [host for host in hosts if name in names_of(host)]
        if not named:
            known = {known for host in hosts for known in names_of(host)}
            right = join_sentences("It must be the name or id of a target.", hint(name, known))
            raise InvalidOption("patch_canary_hosts", name, right)
        for host in named:
            if host.exclusion is not None:
                raise InvalidOption("patch_canary_hosts", name, f"That host is left out: {host.exclusion[1]}")
            found.add(host.key)
    return found


def _starts(seconds: list[float], batch: int, rolling: bool) -> list[float]:
    """When each host starts. A wave takes as long as its longest host; in a sliding window each host takes the first free place."""
    if not rolling:
        waves = list(accumulate((max(seconds[at : at + batch]) for at in range(0, len(seconds), batch)), initial=0.0))
        return [waves[at // batch] for at in range(len(seconds))]
    slots, starts = [0.0] * batch, list[float]()
    for one in seconds:
        starts.append(slots[0])
        heapq.heapreplace(slots, slots[0] + one)
    return starts


def hosts_of_share(value: object, base: int) -> int:
    """A number of hosts, or a percentage of the base, rounded down: 5, "5" or "20%"."""
    text = str(value).strip()
    if text.endswith("%"):
        return int(base * float(text[:-1]) // 100)
    return int(text)
