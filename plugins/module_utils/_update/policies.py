# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the policies of a host do to Windows Update: they keep it from its source, disable its services, or hold updates back.

A policy is never changed, nor is its effect: a person has set it. It is named as the cause instead.
Sources: Microsoft Learn, "Manage additional Windows Update settings" and "Use Windows Update client policies and WSUS together".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .._host.update_answers import Service, UpdateHealth
from .._model.fact_values import UpdateSource
from .causes import NETWORK, POLICY, PROXY, SERVER, SERVICE, SERVICE_OF_POLICY, SIGN_IN, UNKNOWN, UNSPECIFIC, Cause

MICROSOFT = "microsoft"
NOT_TO_MICROSOFT = ("DisableWindowsUpdateAccess", "DoNotConnectToWindowsUpdateInternetLocations")
"""Where one is 1, a host does not ask Microsoft. A WSUS server is asked all the same."""
HIDDEN_BY_POLICY = frozenset({NETWORK, PROXY, SERVER, UNSPECIFIC, UNKNOWN})
"""Causes for which such a policy is the better explanation."""
NEEDED = frozenset({"wuauserv", "cryptsvc", "trustedinstaller"})
"""Services without which nothing is installed. Downloads do without BITS: Delivery Optimization makes them."""


def refine(cause: Cause, health: UpdateHealth) -> Cause:
    """The policy that explains the cause, or the cause itself."""
    if cause in {SERVICE, SIGN_IN} and disabled_by_policy(health, [*cause.services, *NEEDED]):
        return SERVICE_OF_POLICY
    if cause in HIDDEN_BY_POLICY and kept_from_source(health):
        # By its description the second policy counts beside a WSUS server only, so an error that passes may still pass.
        is_certain = f"{NOT_TO_MICROSOFT[0]}=1" in health.update_source.policies
        return POLICY if is_certain else replace(POLICY, pauses=cause.pauses)
    return cause


def disabled_by_policy(health: UpdateHealth, names: Sequence[str] = tuple(NEEDED)) -> list[Service]:
    """Which of these services a Group Policy disables, so that they do not run now."""
    shown = {service.name: service for service in health.services}
    found = [shown.get(name, Service(name, "disabled", "stopped")) for name in sorted({*names})]
    return [
        service
        for service in found
        if service.name in health.services_of_policy
        and service.start_type == "disabled"
        and service.status != "running"
    ]


def kept_from_source(health: UpdateHealth) -> bool:
    """Whether a policy keeps the host from the source that it would use."""
    source = health.update_source
    return source.kind == MICROSOFT and any(f"{name}=1" in source.policies for name in NOT_TO_MICROSOFT)


def held_back(source: UpdateSource | None) -> list[str]:
    """The policies, as ``NAME=VALUE``, by which Microsoft's service does not offer a host everything. WSUS knows none of them."""
    if not source or source.get("kind") != MICROSOFT:
        return []
    policies = dict(policy.partition("=")[::2] for policy in source.get("policies") or ())
    found = [name for name in ("PauseQualityUpdates", "PauseQualityUpdatesStartTime") if policies.get(name, "0") != "0"]
    for switch, detail in (
        ("DeferQualityUpdates", "DeferQualityUpdatesPeriodInDays"),
        ("TargetReleaseVersion", "TargetReleaseVersionInfo"),
    ):
        if policies.get(switch) == "1" and policies.get(detail, "0") != "0":
            found.append(detail)
    return [f"{name}={policies[name]}" for name in found]
