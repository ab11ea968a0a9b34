# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who is in, who is out and why, in which order and wave."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from .._base.errors import Failed, InvalidOption
from .._base.text import counted, join_sentences
from .._fleet.hosts import FleetHost
from .._ledger.history import Expected
from .._model.account import Account
from .._model.reasons import Reason
from .._model.run_settings import StopAlarm
from .._model.settings import Settings
from .names import hint, names_of, words_of
from .schedule import Rollout, makespan, starts
from .slices import share_of
from .workload import Rank, Recorded, nothing_recorded, ranks

NO_RANK: Rank = (0.0, 0.0, False)
"""Of a host with a history of its own."""


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

    Of a slice they are its own. ``whole`` are the hosts that all slices work on, in order; without slices the same.

    Attributes:
        estimate_seconds: the duration of the run where each host takes as long as usual.
        longest_seconds: the same where each takes as long as nine of ten of its earlier workflows did not exceed.
        rolling_seconds: in a sliding window instead of waves; None where it is one.
    """

    hosts: tuple[Planned, ...]
    batch_size: int
    failure_budget: int
    canary: int
    estimate_seconds: float
    longest_seconds: float = 0.0
    rolling_seconds: float | None = None
    whole: tuple[Planned, ...] = ()
    warnings: tuple[str, ...] = ()
    stop_alarms: tuple[StopAlarm, ...] = ()

    @property
    def included(self) -> list[Planned]:
        """The hosts that will be worked on."""
        return [planned for planned in self.hosts if planned.wave is not None]

    @property
    def canary_keys(self) -> tuple[str, ...]:
        """The canaries of all slices, in order."""
        return tuple(planned.host.key for planned in self.whole[: self.canary])

    @property
    def by_account(self) -> dict[Account, int]:
        """How many hosts of all slices each account has, as far as accounts are known."""
        return dict(Counter(planned.host.account for planned in self.whole if planned.host.account))


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


def make_plan(
    hosts: list[FleetHost],
    settings: Settings,
    predict: Predict,
    at_work: Collection[str] = (),
    recorded: Recorded = nothing_recorded,
) -> Plan:
    """Order the hosts and check the guards.

    Those of which a long workflow is known go first: hosts that take equally long then share a wave, and a sliding window does not
    end with one of them alone.

    Args:
        settings: max_hosts, batch_size (int, or text such as "20%"), priority_instance_types, failure_budget (likewise),
            rollout, pause_seconds, canary, canary_hosts, slice.
        predict: how long the ways of hosts will take, by their keys.
        at_work: keys of hosts that an earlier run has left at work, and for which others wait.
        recorded: what there is to do on hosts without a history of their own.

    Raises:
        PatchFleetError: no host, or more than max_hosts.
        InvalidOption: a canary that is none.
    """
    _check_number(hosts, settings)
    canaries = _canaries(hosts, settings["canary_hosts"])
    order = _Order(settings, predict([host for host in hosts if host.exclusion is None]), canaries)
    whole = order.of_all([host for host in hosts if host.exclusion is None])
    out = sorted((host for host in hosts if host.exclusion is not None), key=lambda host: host.name)
    canary, number = max(len(canaries), settings["canary"]), len(whole)
    included, out = _share(whole, out, settings)
    included = order.of_slice(included, {host.key for host in whole[:canary]}, at_work, recorded)
    whole = whole if settings["slice"] else included
    batch = max(hosts_of_share(settings["batch_size"], len(included)), 1)
    rollout = _rollout(settings, batch, included, order.planned(whole[:canary]))
    medians = [order.expected[host.key].median_seconds for host in included]
    waves = [1 if rollout.rolling else at // batch + 1 for at in range(len(included))]
    placed = [
        Planned(host, at, wave, order.expected[host.key], start)
        for at, (host, wave, start) in enumerate(zip(included, waves, starts(medians, rollout), strict=True))
    ]
    left_out = [Planned(host, len(included) + at, None) for at, host in enumerate(out)]
    return Plan(
        hosts=(*placed, *left_out),
        batch_size=batch,
        failure_budget=hosts_of_share(settings["failure_budget"], number),
        canary=canary,
        whole=tuple(order.planned(whole) if settings["slice"] else placed),
        estimate_seconds=makespan(medians, rollout),
        longest_seconds=makespan([order.expected[host.key].p90_seconds for host in included], rollout),
        rolling_seconds=None if rollout.rolling else makespan(medians, replace(rollout, rolling=True)),
    )


def _check_number(hosts: list[FleetHost], settings: Settings) -> None:
    """Raises PatchFleetError: no host, or more than max_hosts."""
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


@dataclass(frozen=True)
class _Order:
    """The order of hosts: named canaries, then types with priority, then those that are expected to take longest."""

    settings: Settings
    expected: Mapping[str, Expected]
    canaries: Collection[str]

    def of_all(self, hosts: Iterable[FleetHost]) -> list[FleetHost]:
        """By what all slices see alike, whenever each of them starts."""
        return sorted(hosts, key=lambda host: (host.key not in self.canaries, *self._first(host), host.name))

    def of_slice(
        self, hosts: Sequence[FleetHost], canaries: Collection[str], at_work: Collection[str], recorded: Recorded
    ) -> list[FleetHost]:
        """The hosts of a slice, or all of a run without slices. ``canaries`` are those of all slices."""
        unknown = [host for host in hosts if self.expected[host.key].basis != "host"]
        rank = ranks(unknown, recorded(unknown))
        first = canaries if self.settings["slice"] else self.canaries

        def key(host: FleetHost) -> tuple[object, ...]:
            is_free = host.key not in at_work
            return (host.key not in first, is_free, *self._first(host), *rank.get(host.key, NO_RANK), host.name)

        return sorted(hosts, key=key)

    def _first(self, host: FleetHost) -> tuple[int, float]:
        priority = self.settings["priority_instance_types"]
        number = priority.index(host.type) if host.type in priority else len(priority)
        expected = self.expected[host.key]
        # Of few months the longest is chance, and the median leaves it out: both together are nearer to the next one (make bench).
        return number, -(expected.median_seconds + expected.p90_seconds)

    def planned(self, hosts: Sequence[FleetHost]) -> list[Planned]:
        """Hosts of all slices, without waves."""
        return [Planned(host, at, None, self.expected[host.key]) for at, host in enumerate(hosts)]


def _rollout(settings: Settings, batch: int, included: Sequence[FleetHost], canaries: Sequence[Planned]) -> Rollout:
    """``canaries`` are those of all slices."""
    keys = {planned.host.key for planned in canaries}
    seconds = [planned.expected.median_seconds for planned in canaries if planned.expected]
    return Rollout(
        at_once=batch,
        rolling=settings["rollout"] == "rolling",
        pause_seconds=settings["pause_seconds"],
        canaries=sum(host.key in keys for host in included),
        canaries_end_after_seconds=makespan(seconds, Rollout(batch, rolling=True)),
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
        right = f"The plan has {counted(len(included), 'host')}. Start as many slices at most."
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


def hosts_of_share(value: object, base: int) -> int:
    """A number of hosts, or a percentage of the base, rounded down: 5, "5" or "20%"."""
    text = str(value).strip()
    if text.endswith("%"):
        return int(base * float(text[:-1]) // 100)
    return int(text)
