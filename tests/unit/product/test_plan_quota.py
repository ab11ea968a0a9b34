# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What plan says of the account's vCPU quota."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._fleet.hosts import FleetHost
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.history import expect
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_run import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.order import make_plan
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.quota import headroom_lines
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.variables import read

from .fakes import client_error, instance, reservations
from .stage import Stage

VCPUS = {"m5.large": 2, "m5.xlarge": 4, "c5.4xlarge": 16, "g5.xlarge": 4}


@pytest.fixture(autouse=True)
def account(stage: Stage) -> None:
    """A quota of 20, one m5.large in use, one instance of another family and a Spot instance, which do not count."""

    def types(*, InstanceTypes: list[str]) -> dict[str, Any]:  # noqa: N803
        rows = [{"InstanceType": name, "VCpuInfo": {"DefaultVCpus": VCPUS[name]}} for name in InstanceTypes]
        return {"InstanceTypes": rows}

    def instances(*, Filters: list[dict[str, Any]] | None = None, **_more: Any) -> dict[str, Any]:  # noqa: N803
        assert Filters == [{"Name": "instance-state-name", "Values": ["pending", "running"]}]
        spot = instance("running", InstanceType="c5.4xlarge", InstanceLifecycle="spot")
        return reservations(
            instance("running", InstanceType="m5.large"), instance("running", InstanceType="g5.xlarge"), spot
        )

    stage.account.on("get_service_quota", {"Quota": {"Value": 20.0}})
    stage.account.on("describe_instance_types", types)
    stage.account.on("describe_instances", instances)


def off(number: int, instance_type: str = "m5.xlarge") -> FleetHost:
    key = f"i-{number:017x}"
    return FleetHost(
        key,
        f"dev-{number:02}",
        "ec2",
        "stopped",
        key,
        "eu-central-1",
        type=instance_type,
        node={"ping_status": "Online"},
    )


def plan(stage: Stage, *hosts: FleetHost, **variables: Any) -> str:
    settings = read(variables)
    made = make_plan(list(hosts), settings, lambda chosen: {host.key: expect([], [], 2700.0) for host in chosen})
    return " ".join(headroom_lines(stage.context(OPERATION), made, settings))


def test_a_wave_that_fits(stage: Stage) -> None:
    text = plan(stage, *(off(number) for number in range(6)), patch_batch_size=4)
    assert "vCPU quota of eu-central-1 (L-1216C47A): 20, 2 in use; this run starts up to 16 vCPUs more at once." in text
    assert "does not fit" not in text


def test_a_wave_that_does_not_fit_is_reported_with_what_to_do(stage: Stage) -> None:
    text = plan(stage, *(off(number) for number in range(6)), patch_batch_size=5)
    assert "starts up to 20 vCPUs more at once. That does not fit" in text
    assert "patch_batch_size or patch_max_running" in text


def test_the_limit_of_running_hosts_counts(stage: Stage) -> None:
    text = plan(stage, *(off(number) for number in range(6)), patch_batch_size=5, patch_max_running=2)
    assert "starts up to 8 vCPUs more at once" in text


def test_in_a_sliding_window_the_largest_may_be_on_together(stage: Stage) -> None:
    hosts = [off(0, "m5.large"), off(1, "c5.4xlarge"), off(2, "m5.large"), off(3, "m5.xlarge")]
    assert "up to 20 vCPUs more" in plan(stage, *hosts, patch_batch_size=2, patch_rollout="rolling")


def test_without_a_host_that_is_off_nothing_is_asked(stage: Stage) -> None:
    on = FleetHost("i-1", "dev-01", "ec2", "running", "i-1", "eu-central-1", type="m5.large")
    assert "vCPU" not in plan(stage, on, off(3, "g5.xlarge"))


@pytest.mark.parametrize("code", ["AccessDeniedException", "ServiceUnavailable"])
def test_a_quota_that_cannot_be_read_ends_no_plan_and_is_not_waited_for(stage: Stage, code: str) -> None:
    stage.account.on("get_service_quota", client_error(code, status=503))
    assert "vCPU" not in plan(stage, off(0))
    assert stage.clock.passed == 0
    assert any("the vCPU quota in eu-central-1 is not known" in text for text in stage.message)
