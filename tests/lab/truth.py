# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What really happened: the content of ``state.json``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lab.aws.arns import ACCOUNT_ID
from lab.peers import AtWork
from lab.trace import Trace
from lab.world import Host, World

START_TYPES_OF = ("wuauserv", "bits", "cryptsvc", "TrustedInstaller")


def truth(world: World, trace: Trace, at_work: AtWork, snapshots: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """As the contract has it, and ``start``: the lab's clock at second 0.

    Beyond the contract a host has ``cut_off_by_us`` (how many of its ``cut_off`` were our doing), ``base_was_reset``
    (updates that are in cannot be removed any more), ``old_windows_gib``, ``doubled_installs`` (Install
    commands that came while another one was under way), ``reboot_pending``, ``failed_updates`` (by its own history),
    ``data_volumes_gib``, ``cluster_paused``, ``snapshots`` (``root`` or
    ``data``, one for each that there is), and ``history`` (what happened to it: ``t`` with its power ``state`` or an ``event``).
    """
    return {
        "start": world.scenario.start.isoformat(),
        "hosts": {
            host.name: {
                **_host(host),
                "account": _account_of(world, host),
                "snapshots": sorted(snapshots.get(host.name, ())),
                "at_once_with_peers": at_work.at_once(host),
            }
            for host in world.hosts.values()
        },
        "calls": dict(sorted(trace.calls.items())),
        "running_at_once": world.running_at_once,
        "lab_seconds": round(world.sim.now, 1),
    }


def _account_of(world: World, host: Host) -> str | None:
    """The id of its account; a WinRM host lives in none."""
    ids = {member.name: member.id for member in world.scenario.account.accounts}
    if host.spec.kind == "winrm":
        return None
    return ids[host.spec.account] if host.spec.account else ACCOUNT_ID


def _host(host: Host) -> dict[str, Any]:
    host.touch()
    guest, instance, volume = host.guest, host.instance, host.root_volume
    ours = host.ever_started_by_us
    return {
        "instance_id": host.id,
        "state": host.state,
        "starts": instance.starts if instance else 0,
        "stops": instance.stops if instance else 0,
        "reboots": guest.reboots,
        "installed": guest.updates.installed_in_scenario(),
        "missing": [update.kb for update in guest.updates.missing()],
        "volume_gib": volume.size_gib if volume else None,
        "free_gib": round(guest.disk.free_gib, 3),
        "partition_gib": round(guest.disk.partition_gib, 3),
        "on_seconds": round(host.meter.on_seconds, 1) if ours else None,
        "idle_seconds": round(host.meter.idle_seconds, 1) if ours else None,
        "cut_off": guest.cut_off,
        "cut_off_by_us": guest.cut_off_by_us,
        "unrecorded_starts": host.unrecorded_starts,
        "base_was_reset": guest.disk.base_was_reset,
        "old_windows_gib": guest.disk.old_windows_gib,
        "doubled_installs": len(host.doubled_installs),
        "reboot_pending": bool(guest.updates.pending_reboot),
        "failed_updates": guest.updates.failed(),
        "data_volumes_gib": [each.size_gib for each in host.volumes if each is not volume],
        "free_gib_at": list(host.free_gib),
        "history": list(host.history),
        "deleted_in_use": guest.disk.temp.deleted_in_use,
        "stopped_while_pending": guest.stopped_while_pending,
        "tags": [f"{key}={value}" for key, value in sorted(host.tags.latest.items())],
        "cluster_outages": host.node.outages if host.node else 0,
        "cluster_paused": bool(host.node and host.node.paused),
        "start_types": guest.services.start_types(*START_TYPES_OF),
    }
