# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What restore reads of a host: a row that is missing or damaged must not keep it on.

All that putting a host back needs stands in its power record. Where its row in a run is missing or damaged, no one knows whether
an installation is in progress, so the host itself is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from .._base.errors import NotRecorded, UnknownRun
from .._model.host_facts import HostFacts
from .._model.run_settings import RunSettings
from .records import Host, Ledger, PowerRecord, Run

DEFAULT_KEEP_TAG = "patchfleet:keep"
"""Of patch_keep_tag, for a run whose settings are missing or damaged."""


def host_of(ledger: Ledger, run_id: str, key: str) -> Host:
    """The host in a run; where that row is missing, what its open power record says of it.

    Raises:
        NotRecorded: there is no open power record either.
    """
    host = stored_host(ledger, run_id, key)
    if host is not None:
        return assume_servicing(host)
    record = ledger.power(key)
    if record is None:
        raise NotRecorded(f"Run {run_id} has no host {key}.")
    return substitute(record, run_id)


def stored_host(ledger: Ledger, run_id: str, key: str) -> Host | None:
    """The host in a run; None where that row is missing."""
    try:
        return ledger.host(run_id, key)
    except NotRecorded:
        return None


def substitute(record: PowerRecord, run_id: str) -> Host:
    """A host of which only its power record is known."""
    prefix = record.instance_id.partition("-")[0]
    kind = {"i": "ec2", "mi": "hybrid"}.get(prefix, "winrm")
    host = Host(run_id, record.host_key, record.name, 0, kind, record.instance_id, record.region)
    return _in_servicing(host)


def assume_servicing(host: Host) -> Host:
    """The host; where its row is damaged, as one in which Windows may be serviced."""
    return _in_servicing(host) if host.unreadable else host


def _in_servicing(host: Host) -> Host:
    facts: HostFacts = {**host.facts, "servicing": True}
    return replace(host, facts=facts)


def knows_run(ledger: Ledger, run_id: str) -> bool:
    """Whether the ledger has a run of that id."""
    try:
        ledger.run(run_id)
    except UnknownRun:
        return False
    return True


def is_active(read: Callable[[], Run], now: float) -> bool:
    """Whether the controller of a run may still be at work; a run that the ledger does not know any more is dead."""
    try:
        return read().is_active(now)
    except UnknownRun:
        return False


def settings_of(read: Callable[[], Run]) -> RunSettings:
    """The settings of a run; where they are missing or damaged, the tag that asks to leave a host on."""
    try:
        settings = read().settings
    except UnknownRun:
        settings = {}
    return settings or {"keep_tag": DEFAULT_KEEP_TAG}
