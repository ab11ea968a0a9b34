# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._fleet.eligibility import exclusion_of, power_exclusion

from .fakes import instance, tags

HIBERNATED = {"StateReason": {"Code": "Client.UserInitiatedHibernate", "Message": "hibernated"}}
OFF_ONLY: dict[str, dict[str, Any]] = {
    "spot": {"InstanceLifecycle": "spot"},
    "hibernated": HIBERNATED,
    "instance_store": {"RootDeviceType": "instance-store"},
}
NEVER: dict[str, dict[str, Any]] = {
    "auto_scaling_group": {"Tags": tags(aws__autoscaling__groupName="web")},
    "managed_by_service": {"Operator": {"Managed": True, "Principal": "ecs.amazonaws.com"}},
    "not_windows": {"Platform": ""},
}


def code_of(state: str, **more: Any) -> str | None:
    exclusion = exclusion_of(instance(state, **more))
    return exclusion[0] if exclusion else None


@pytest.mark.parametrize("state", ["running", "pending", "stopped", "stopping"])
def test_an_ordinary_windows_instance_is_in(state: str) -> None:
    assert code_of(state) is None


@pytest.mark.parametrize("state", ["running", "stopped"])
@pytest.mark.parametrize("code", sorted(NEVER))
def test_what_may_be_replaced_or_is_not_windows_is_out_in_any_state(code: str, state: str) -> None:
    assert code_of(state, **NEVER[code]) == code


@pytest.mark.parametrize("state", ["stopped", "stopping"])
@pytest.mark.parametrize("code", sorted(OFF_ONLY))
def test_what_must_not_be_power_cycled_is_out_while_it_is_off(code: str, state: str) -> None:
    assert code_of(state, **OFF_ONLY[code]) == code


@pytest.mark.parametrize("state", ["running", "pending"])
@pytest.mark.parametrize("code", sorted(OFF_ONLY))
def test_what_must_not_be_power_cycled_is_patched_in_place_while_it_runs(code: str, state: str) -> None:
    assert code_of(state, **OFF_ONLY[code]) is None


def test_stop_protection_counts_only_for_what_would_have_to_be_stopped_again() -> None:
    exclusion = power_exclusion(instance("stopped"), stop_protected=True)
    assert exclusion is not None
    assert exclusion[0] == "stop_protected"
    assert power_exclusion(instance("stopped"), stop_protected=False) is None


def test_the_reasons_name_who_blocks() -> None:
    group = exclusion_of(instance(Tags=tags(aws__autoscaling__groupName="web-blue")))
    service = exclusion_of(instance(Operator={"Managed": True, "Principal": "ecs.amazonaws.com"}))
    unnamed = exclusion_of(instance(Operator={"Managed": True}))
    assert group is not None
    assert "Auto Scaling group web-blue" in group[1]
    assert service is not None
    assert "managed by ecs.amazonaws.com" in service[1]
    assert unnamed is not None
    assert "managed by an AWS service" in unnamed[1]


def test_an_instance_that_its_owner_operates_is_in() -> None:
    assert code_of("running", Operator={"Managed": False}) is None


def test_another_reason_for_being_stopped_is_none_for_us() -> None:
    user = {"Code": "Client.UserInitiatedShutdown", "Message": "Client.UserInitiatedShutdown: User initiated shutdown"}
    assert code_of("stopped", StateReason=user) is None
