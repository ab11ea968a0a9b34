# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The key ``windows`` of a host: what a Windows in the field is like beyond one that works."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class WindowsSpec:
    """As the contract has it; every default is a Windows that behaves.

    Attributes:
        per_user_services: services of people's sessions, running until the first boot or reboot.
        self_ending_services: automatic; each ends with 0 ten minutes after a boot.
        failing_services: automatic; each runs until the first reboot and ends with 1 at once after it.
        trusted_installer_turns_manual: TrustedInstaller is automatic and runs while a reboot is pending.
        start_types: set on purpose, by the name of the service.
        stuck_service: once asked to stop it stays in StopPending until a reboot.
        defragsvc: ``disabled`` makes Get-PartitionSupportedSize fail.
        tiworker_seconds: how long TiWorker stays after a search; infinity for always.
        update_api_over_network: ``refused`` denies the Update agent's API to network logons.
        search_seconds: a search by the host's own API.
        search_faults: HRESULTs of the first searches, one after the other.
        clean_seconds: ``Dism /StartComponentCleanup``; None is 120 s, or a few where there is nothing to clean.
        pending_by_others: the servicing stack waits for a reboot that Patch Manager knows nothing of.
        gap_gib: free room between C: and a data partition behind it; None where there is no such partition.
        live_temp: the temporary files are in use.
        definitions_every_seconds: the baseline approves Defender's definition update, and a new one comes out so often under
            the same number; None where it does not approve it.
        servicing_after_boot_seconds: how long the servicing stack works after the boot that ends a transaction.
        policies: registry values of Windows Update's policies.
        policy_services: services that a Group Policy disables, again at each boot.
        powershell: ``old`` is 4.0, ``constrained`` has Constrained Language Mode, ``all_signed`` loads no script that is not
            signed; the SSM agent's scripts are not.
        bits_downloads: an update is downloaded by BITS alone, as before Delivery Optimization.
        people: what those who are logged on run: ``explorer``, ``remoteapp`` or ``core``.
        hanging_start: asked to start, this service stays in StartPending until a reboot.
        dynamic_disk: the storage commands show no partition of C:.
        resize: ``by_diskpart`` refuses Resize-Partition, ``refused`` the extension by diskpart as well.
        dism_exit_code: of each clean-up and repair; 3010 is done and waits for a reboot, others than 0 have done nothing.
        sfc_exit_code: of ``sfc /scannow``.
        held_folders: SoftwareDistribution and catroot2, where another program holds files in them.
        servicing_before_shutdown_seconds: before Windows goes down with a transaction the servicing stack works this long,
            while the agent is still there.
        reboots_per_transaction: how many boots a transaction needs.
        language: of Windows' messages: ``en``, ``de`` or ``ja``.
        resync_seconds: how long a replica of its cluster's availability group synchronizes after a boot; 0 is no SQL Server.
        processes: programs that run, by name.
        drain: of a node of a failover cluster: ``fails``, or ``hangs``.
    """

    per_user_services: int = 0
    self_ending_services: tuple[str, ...] = ()
    failing_services: tuple[str, ...] = ()
    trusted_installer_turns_manual: bool = False
    start_types: Mapping[str, str] = field(default_factory=dict)
    stuck_service: str | None = None
    defragsvc: str = "manual"
    tiworker_seconds: float = 0.0
    update_api_over_network: str = "ok"
    search_seconds: float = 5.0
    search_faults: tuple[str, ...] = ()
    clean_seconds: float | None = None
    pending_by_others: bool = False
    gap_gib: float | None = None
    live_temp: bool = False
    people: str = "explorer"
    definitions_every_seconds: float | None = None
    servicing_after_boot_seconds: float = 0.0
    policies: Mapping[str, Any] = field(default_factory=dict)
    policy_services: tuple[str, ...] = ()
    powershell: str = "ok"
    bits_downloads: bool = False
    hanging_start: str | None = None
    dynamic_disk: bool = False
    resize: str = "ok"
    dism_exit_code: int = 0
    sfc_exit_code: int = 0
    held_folders: tuple[str, ...] = ()
    servicing_before_shutdown_seconds: float = 0.0
    reboots_per_transaction: int = 1
    language: str = "en"
    drain: str = "ok"
    processes: tuple[str, ...] = ()
    resync_seconds: float = 0.0


def windows_spec(keys: dict[str, Any]) -> WindowsSpec:
    """What a scenario's mapping means."""
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in keys.items()}
    if values.get("tiworker_seconds") == "always":
        values["tiworker_seconds"] = math.inf
    return WindowsSpec(**values)
