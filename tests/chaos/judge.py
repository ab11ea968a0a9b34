# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must be true of a night when the last controller has recovered it; numbers are those of the design's invariants."""

from __future__ import annotations

from collections.abc import Iterator

from chaos.controller import Controller
from chaos.night import Night

POWER_ACTS = ("start", "stop", "restart", "terminate", "join_asg")
OFF = ("stopped", "stopping")


def problems(night: Night, controllers: list[Controller]) -> list[str]:
    """One line for everything that is wrong."""
    return [
        *(f"{name}: called compliant with something missing (6)" for one in controllers for name in one.believed),
        *_hosts(night),
    ]


def _hosts(night: Night) -> Iterator[str]:
    touched = {event.host or event.when_host for event in night.scenario.events if event.do in POWER_ACTS}
    given_away = {event.host or event.when_host for event in night.scenario.events if event.do == "join_asg"}
    for name, truth in night.truth().items():
        host = night.play.world.hosts[name]
        record = night.ledger.power(str(host.id))
        if truth["unrecorded_starts"]:
            yield f"{name}: started before its state was in the ledger (1)"
        if truth["cut_off_by_us"]:
            yield f"{name}: its power was cut while it installed (3)"
        known = name in given_away or (record is not None and record.started_by is not None)
        if host.on_because_of_us and not known:
            yield f"{name}: left on because of us, and nobody knows (2)"
        was = "stopped" if host.spec.state in OFF else "running"
        if name not in touched and record is None and host.state != was:
            yield f"{name}: was {was} and is {host.state} (3)"
        if name not in touched and record is not None and record.original_state != was:
            yield f"{name}: was {was}, and the ledger says {record.original_state} (2)"


def left_on(night: Night) -> list[str]:
    """Hosts that are still on because of us, and known as that."""
    return [host.name for host in night.play.world.hosts.values() if host.on_because_of_us]
