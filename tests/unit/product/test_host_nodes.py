# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._host.run_command import HEAD_START_SECONDS
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.managed_node_wait import OPERATION as WAIT

from .fakes import DAY, ID, NODE_ID, Outcome, answered, client_error, listed, moment, node, reservations, shown
from .stage import Stage

LAUNCHED = -60.0


@pytest.fixture(autouse=True)
def a_host_that_just_booted(stage: Stage) -> None:
    stage.account.on("describe_instances", shown("running", launched=LAUNCHED))
    stage.account.on("describe_instance_information", listed(node(pinged=-5)))
    stage.guest.on("probe", answered("probe"))


def wait(stage: Stage, instance_id: str = ID, seconds: int = 600) -> dict[str, Any]:
    return WAIT.work(stage.context(WAIT, instance_id=instance_id, timeout_seconds=seconds))


def trouble(stage: Stage, **more: Any) -> PatchFleetError:
    with pytest.raises(PatchFleetError) as caught:
        wait(stage, **more)
    return caught.value


def test_three_witnesses_make_a_node_ready(stage: Stage) -> None:
    assert wait(stage) == {
        "changed": False,
        "agent_version": "3.3.2299.0",
        "computer_name": "DEV-01",
        "platform_name": "Microsoft Windows Server 2022 Datacenter",
        "last_ping_at": moment(-5).timestamp(),
        "waited_seconds": HEAD_START_SECONDS,
    }
    assert stage.guest.names == ["probe"]


def test_an_online_from_before_the_start_is_not_believed(stage: Stage) -> None:
    """buildkite-agent-scaler#331: a stale Online."""
    stale, fresh = listed(node(pinged=LAUNCHED - 200)), listed(node(pinged=30))
    stage.account.on("describe_instance_information", stale, stale, fresh)
    assert wait(stage)["last_ping_at"] == moment(30).timestamp()
    assert stage.guest.names == ["probe"]


def test_a_ping_at_the_very_launch_is_from_before(stage: Stage) -> None:
    stage.account.on("describe_instance_information", listed(node(pinged=LAUNCHED)))
    assert trouble(stage).code == "agent_silent"


def test_a_stopped_node_is_missing_from_the_list_and_waited_for(stage: Stage) -> None:
    """amazon-ssm-agent#407."""
    stage.account.on("describe_instance_information", listed(), client_error("InvalidInstanceId"), listed(node(5)))
    assert wait(stage)["waited_seconds"] > 0


@pytest.mark.parametrize("status", ["ConnectionLost", "Inactive"])
def test_a_node_that_lost_its_connection_is_waited_for(stage: Stage, status: str) -> None:
    stage.account.on("describe_instance_information", listed(node(5, status)), listed(node(10)))
    assert wait(stage)["last_ping_at"] == moment(10).timestamp()


def test_an_instance_that_is_still_pending_is_waited_for(stage: Stage) -> None:
    stage.account.on("describe_instances", shown("pending", launched=LAUNCHED), shown("running", launched=LAUNCHED))
    assert wait(stage)["waited_seconds"] == 5.0 + HEAD_START_SECONDS


@pytest.mark.parametrize(
    "first",
    [Outcome("TimedOut", "DeliveryTimedOut"), Outcome("Failed", code=1), Outcome(seconds=DAY)],
    ids=["undelivered", "failed", "lost"],
)
def test_a_probe_that_does_not_come_back_is_sent_again(stage: Stage, first: Outcome) -> None:
    stage.guest.on("probe", first, answered("probe"))
    wait(stage)
    assert stage.guest.names == ["probe", "probe"]


@pytest.mark.parametrize(
    ("probe", "code"),
    [
        (answered("probe", language="ConstrainedLanguage", version="5.1", wow64=""), "constrained_language"),
        (answered("probe", language="FullLanguage", version="4.0", wow64=""), "powershell_too_old"),
        (
            Outcome("Failed", code=1, stderr="SecurityError: (:) []\n + FullyQualifiedErrorId : UnauthorizedAccess"),
            "execution_policy",
        ),
    ],
    ids=["constrained", "old", "all-signed"],
)
def test_a_powershell_that_cannot_run_the_scripts_is_not_waited_for(stage: Stage, probe: Outcome, code: str) -> None:
    stage.guest.on("probe", probe)
    assert (trouble(stage).code, stage.guest.names) == (code, ["probe"])
    assert stage.clock.passed < 60


def test_probes_that_fail_at_once_are_kept_apart(stage: Stage) -> None:
    stage.guest.on("probe", Outcome("Failed", code=1))
    trouble(stage)
    sent = [call.at for call in stage.account.of("send_command")]
    assert len(sent) <= 600 / 5
    assert stage.clock.passed >= 600


def test_a_node_that_is_online_but_runs_nothing_is_reported_as_that(stage: Stage) -> None:
    stage.guest.on("probe", Outcome("Failed", "Undeliverable"))
    error = trouble(stage)
    assert error.code == "no_command_runs"
    assert error.reason == (
        "The SSM agent is Online, but no command came back within 600 s. The last command ended Undeliverable."
    )


def test_a_node_that_run_command_does_not_know_yet_is_asked_again(stage: Stage) -> None:
    guest = stage.account._answers["send_command"][0]  # noqa: SLF001 - the fake guest's own answer
    stage.account.on("send_command", *[client_error("InvalidInstanceId")] * 30, guest)
    assert wait(stage)["waited_seconds"] > 90


def test_a_right_that_is_missing_ends_the_wait_at_once(stage: Stage) -> None:
    stage.account.on("send_command", client_error("AccessDeniedException", operation="SendCommand"))
    assert trouble(stage).code == "access_denied"
    assert stage.clock.passed == 0


def test_a_right_to_read_that_is_missing_ends_the_wait_at_once(stage: Stage) -> None:
    stage.account.on("describe_instance_information", client_error("AccessDeniedException"))
    assert trouble(stage).code == "access_denied"
    assert stage.clock.passed == 0


def test_an_agent_that_never_reports_is_reported_at_the_deadline(stage: Stage) -> None:
    stage.account.on("describe_instance_information", listed())
    error = trouble(stage, seconds=300)
    assert (error.code, stage.clock.passed) == ("agent_silent", 300)
    assert error.reason == "The SSM agent did not report within 300 s; the host may not have booted."


def test_an_agent_that_only_was_there_before_is_reported_with_its_last_ping(stage: Stage) -> None:
    stage.account.on("describe_instance_information", listed(node(pinged=-DAY)))
    error = trouble(stage)
    assert error.code == "agent_silent"
    assert "last ping 2026-11-13 22:00:00, Online" in error.reason


def test_a_missing_instance_profile_is_named(stage: Stage) -> None:
    stage.account.on("describe_instances", shown("running", launched=LAUNCHED, IamInstanceProfile={}))
    stage.account.on("describe_instance_information", listed())
    error = trouble(stage)
    assert error.code == "no_instance_profile"
    assert "AmazonSSMManagedInstanceCore" in error.reason
    assert "Default Host Management" in error.reason


def test_an_instance_without_a_profile_may_be_managed_all_the_same(stage: Stage) -> None:
    """Default Host Management Configuration needs none."""
    stage.account.on("describe_instances", shown("running", launched=LAUNCHED, IamInstanceProfile={}))
    assert wait(stage)["agent_version"] == "3.3.2299.0"


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("stopped", "fell_back"),
        ("stopping", "fell_back"),
        ("shutting-down", "instance_gone"),
        ("terminated", "instance_gone"),
    ],
)
def test_an_instance_that_falls_back_ends_the_wait(stage: Stage, state: str, code: str) -> None:
    reason = {"Code": "Server.InternalError", "Message": "Server.InternalError: Internal error on launch"}
    stage.account.on("describe_instances", shown(state, launched=LAUNCHED, StateReason=reason))
    error = trouble(stage)
    assert (error.code, stage.clock.passed) == (code, 0)
    assert "Internal error on launch" in error.reason


@pytest.mark.parametrize("answer", [reservations(), client_error("InvalidInstanceID.NotFound")], ids=["empty", "error"])
def test_an_instance_that_ec2_does_not_know_is_gone_whatever_ssm_says(stage: Stage, answer: Any) -> None:
    stage.account.on("describe_instances", answer)
    assert trouble(stage).code == "instance_gone"


def test_a_hybrid_node_has_no_instance_and_no_launch(stage: Stage) -> None:
    stage.account.on("describe_instance_information", listed(node(pinged=-3 * DAY, InstanceId=NODE_ID)))
    assert wait(stage, NODE_ID)["last_ping_at"] == moment(-3 * DAY).timestamp()
    assert stage.account.of("describe_instances") == []
