# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Planning a run, finding out what rights are missing, and opening it in the ledger."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._base.clock import iso
from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import InvalidOption, PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._fleet.hosts import FleetHost
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import (
    LEASE_SECONDS,
    HostDurations,
    PowerRecord,
    Verdict,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_run import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.variables import read
from ansible_collections.patchfleet.windows.plugins.module_utils._report._format import describe_operator
from ansible_collections.patchfleet.windows.plugins.module_utils._report.build import build_report
from operations import perform

from .fakes import ID, NODE_ID, START, VOLUME_ID, client_error, moment, shown
from .stage import RUN, Stage, a_host, a_run

OTHER = "i-0fedcba9876543210"
DRY_RUN = client_error("DryRunOperation", "Request would have succeeded, but DryRun flag is set.")
ROLE = "arn:aws:sts::123456789012:assumed-role/patcher/session"
ALLOWED = {
    "EvaluationResults": [
        {"EvalActionName": "ssm:SendCommand", "EvalResourceName": "arn:x", "EvalDecision": "allowed"},
    ]
}


def denied(operation: str) -> Exception:
    return client_error("UnauthorizedOperation", "You are not authorized.", operation, 403)


def a_target(key: str = ID, name: str = "dev-01", **more: Any) -> FleetHost:
    values: dict[str, Any] = {"kind": "ec2", "instance_id": key, "region": "eu-central-1", "by_tag": True}
    values["node"] = {"ping_status": "Online"}  # what a host lacks has tests of its own
    return FleetHost(key=key, name=name, **{**values, "tags": {"PatchGroup": "Windows"}, **more})


OFF, ON = a_target(state="stopped"), a_target(OTHER, "dev-02")
OUT = a_target("i-3", "spot", exclusion=("spot", "It is a Spot instance."), state="stopped")
GONE = a_target("i-4", "lost", state="gone")


@pytest.fixture(autouse=True)
def all_rights(stage: Stage) -> None:
    stage.account.on("start_instances", DRY_RUN)
    stage.account.on("stop_instances", DRY_RUN)
    stage.account.on("create_tags", DRY_RUN)
    stage.account.on("delete_tags", DRY_RUN)
    stage.account.on("describe_document", {"Document": {"Parameters": []}})
    stage.account.on("list_command_invocations", {})
    stage.account.on("describe_instances", {"Reservations": []})
    stage.account.on("describe_instance_patch_states", {})
    stage.account.on("get_caller_identity", {"Arn": ROLE, "Account": "123456789012"})
    stage.account.on("simulate_principal_policy", ALLOWED)
    stage.account.on("get_service_quota", client_error("AccessDeniedException"))


def run(
    stage: Stage, state: str, *hosts: FleetHost, check_mode: bool = False, forks: int = 5, **variables: Any
) -> dict[str, Any]:
    fleet = [host.as_result() for host in hosts or (OFF, ON)]
    params = {"forks": forks, "left_out_accounts": variables.pop("left_out_accounts", [])}
    context = stage.context(
        OPERATION, check_mode=check_mode, state=state, settings=read(variables), fleet=fleet, **params
    )
    return perform(OPERATION, context)


def refusal(stage: Stage, *hosts: FleetHost, **more: Any) -> PatchFleetError:
    with pytest.raises(PatchFleetError) as caught:
        run(stage, "opened", *hosts, **more)
    assert stage.ledger.runs() == []
    return caught.value


def changing(stage: Stage) -> list[str]:
    """Calls that would change something in the account."""
    names = ("start_instances", "stop_instances", "modify_volume", "send_command")
    return [call.operation for call in stage.account.calls if call.operation in names and not call.params.get("DryRun")]


# The plan


def test_hosts_for_which_peers_wait_come_first(stage: Stage) -> None:
    """An earlier run left it on. Before, a node of its cluster that came first waited for it until its own time was over."""
    stage.ledger.take_slots("20261101T220000Z-aaaa", OTHER, {"cluster sales (962c)": 1})
    assert [host["name"] for host in run(stage, "planned", OFF, ON)["hosts"]] == ["dev-02", "dev-01"]


@pytest.mark.parametrize(("limit", "first"), [(1, "dev-02"), (None, "dev-01")])
def test_hosts_that_are_on_because_of_an_earlier_run_come_first_where_others_wait_for_them(
    stage: Stage, limit: int | None, first: str
) -> None:
    stage.ledger.record_power(
        PowerRecord(OTHER, OTHER, "eu-central-1", "dev-02", "stopped", START, "20261101T220000Z-aaaa")
    )
    planned = run(stage, "planned", OFF, ON, **({"patch_max_running": limit} if limit else {}))
    assert planned["hosts"][0]["name"] == first


def test_a_plan_touches_and_writes_nothing(stage: Stage) -> None:
    result = run(stage, "planned", OFF, ON, OUT)
    assert (result["changed"], result["run_id"], result["batch_size"]) == (False, None, 5)
    assert [(host["name"], host["wave"], host["included"]) for host in result["hosts"]] == [
        ("dev-01", 1, True),
        ("dev-02", 1, True),
        ("spot", None, False),
    ]
    assert changing(stage) == []
    assert stage.ledger.runs() == []


def test_check_mode_plans_only(stage: Stage) -> None:
    assert run(stage, "opened", check_mode=True) == run(stage, "planned")
    assert stage.ledger.runs() == []


def test_a_slice_keeps_what_the_other_slices_ask_of_it(stage: Stage) -> None:
    settings = {**read({"patch_failure_budget": "30%"}), "slice_of": "41"}
    fleet = [host.as_result() for host in (OFF, ON, OUT)]
    opened = perform(OPERATION, stage.context(OPERATION, state="opened", settings=settings, fleet=fleet))
    kept = stage.ledger.run(opened["run_id"]).settings
    assert kept["slice"] == {"of": "41", "failure_budget": "30%", "hosts": 2}
    whole = perform(
        OPERATION, stage.context(OPERATION, state="opened", settings={**settings, "slice_of": None}, fleet=fleet)
    )
    assert "slice" not in stage.ledger.run(whole["run_id"]).settings


def test_a_host_that_aws_does_not_know_is_out_and_failed(stage: Stage) -> None:
    result = run(stage, "opened", OFF, GONE)
    host = stage.ledger.host(result["run_id"], "i-4")
    assert (host.outcome, host.phase, host.reason_code) == ("failed", "plan", "instance_gone")
    assert host.facts.get("final_state") is None


def test_the_plan_says_what_an_earlier_run_left_on(stage: Stage) -> None:
    stage.ledger.record_power(PowerRecord("i-9", "i-9", "eu-central-1", "old", "stopped", START, "earlier"))
    stage.ledger.note_start("i-9", "earlier", START)
    assert "old (i-9) was started by run earlier and is not put back yet." in run(stage, "planned")["lines"]


LOST = "20261101T220000Z-beef"


@pytest.mark.parametrize("value", [LOST, f"{LOST} launched 2026-11-01T22:10:00Z"], ids=["found on", "started"])
def test_the_plan_warns_of_hosts_that_a_run_of_a_lost_ledger_left_on(stage: Stage, value: str) -> None:
    """Else they are found running, and stay on for ever."""
    on = a_target(OTHER, "dev-02", tags={"PatchGroup": "Windows", "patchfleet:run": value})
    lines = " ".join(run(stage, "planned", OFF, on, patch_mark_tag="patchfleet:run")["lines"])
    assert f"dev-02 ({OTHER}): run {LOST}" in lines
    assert "restore -e patch_mark_tag=patchfleet:run -e patch_from_account=check" in lines


@pytest.mark.parametrize(
    ("value", "state", "key"),
    [
        (RUN, "running", "patchfleet:run"),
        (LOST, "stopped", "patchfleet:run"),
        ("mine", "running", "patchfleet:run"),
        (LOST, "running", ""),
    ],
    ids=["a run that is known", "off", "a tag of others", "no key"],
)
def test_it_warns_of_no_others(stage: Stage, value: str, state: str, key: str) -> None:
    stage.ledger.open_run(a_run(), [], take_over=False)
    host = a_target(OTHER, "dev-02", state=state, tags={"PatchGroup": "Windows", "patchfleet:run": value})
    assert "does not know" not in " ".join(run(stage, "planned", host, patch_mark_tag=key)["lines"])


def test_a_run_keeps_its_canaries_and_none_that_another_run_holds(stage: Stage) -> None:
    """Each host asks for them at its turn, and reads no rows of the whole run for it."""
    stage.ledger.open_run(a_run("other", stage.clock.now()), [a_host(ID, "other")], take_over=False)
    third = a_target("i-5", "dev-03")
    opened = run(stage, "opened", ON, OFF, third, OUT, patch_canary=1, patch_batch_size=3)
    settings = stage.ledger.run(opened["run_id"]).settings
    first = next(host["key"] for host in opened["hosts"] if host["included"])
    assert (settings["canary_keys"], settings["included"]) == ([first], 2)
    assert first != ID


def test_a_run_keeps_the_account_of_its_hosts(stage: Stage) -> None:
    opened = run(stage, "opened")
    assert stage.ledger.run(opened["run_id"]).settings["account"] == "123456789012"
    here = a_target("hall-1", "hall-1", kind="winrm", instance_id=None, region=None, by_tag=False, tags={})
    opened = run(stage, "opened", here, patch_hosts="hall")
    assert stage.ledger.run(opened["run_id"]).settings["account"] is None


def test_the_plan_says_what_is_tried_again_after_the_last_run(stage: Stage) -> None:
    stage.ledger.open_run(
        a_run(), [a_host(ID), a_host(OTHER, name="dev-02"), a_host("i-9", name="old")], take_over=False
    )
    for key, verdict in (
        (ID, Verdict("failed", "patch", "still_missing", "KB1")),
        (OTHER, Verdict("patched")),
        ("i-9", Verdict("deferred", "admit", "no_time", "Too late.")),
    ):
        stage.ledger.set_outcome(RUN, key, verdict)
    stage.ledger.close_run(RUN, START)
    text = " ".join(run(stage, "planned")["lines"])
    assert f"Tried again after run {RUN}: dev-01 (failed: still_missing)." in text
    assert f"Tried again after run {RUN}" in " ".join(run(stage, "opened")["lines"])


def test_the_lines_fit_a_terminal_and_show_everything(stage: Stage) -> None:
    long = a_target("i-5", "a-name-that-goes-on-and-on-" * 4, type="u7i-12tb.224xlarge", az="eu-central-1a")
    lines = run(stage, "planned", OFF, long, OUT, patch_deadline="2026-11-15T06:00:00Z", patch_max_running=3)["lines"]
    table = [line for line in lines if line.startswith("wave")]
    assert len(table) == 2
    assert all(len(line) <= 100 for line in table)
    assert all(len(line) <= 98 for line in lines)
    text = " ".join(lines)
    assert "left out  spot: It is a Spot instance." in text
    assert "2 hosts will be patched, 5 at a time. The run starts 1 of them and stops it again." in text
    assert "Left out: 1." in text
    assert "cannot be finished by 2026-11-15T06:00:00Z" in text
    assert "Runs have at most 3 instances on at once (patch_max_running)." in text
    assert "The run tolerates 0 failures (patch_failure_budget)." in text


@pytest.mark.parametrize(
    ("minutes", "sentence"),
    [
        (40, "there is time for about 0 of 3 hosts. Too late: dev-01, dev-02, dev-03."),
        (60, "there is time for about 1 of 3 hosts. Too late: dev-02, dev-03."),
        (91, "there is time for about 2 of 3 hosts. Too late: dev-03."),
        (136, None),
    ],
)
def test_a_plan_says_who_is_too_late_for_the_deadline(stage: Stage, minutes: int, sentence: str | None) -> None:
    """Else a schedule whose window is too short is only seen the next morning."""
    deadline = iso(stage.clock.now() + minutes * 60)
    hosts = (OFF, ON, a_target("i-5", "dev-03"))
    text = " ".join(run(stage, "planned", *hosts, patch_deadline=deadline, patch_batch_size=1)["lines"])
    assert sentence in text if sentence else "there is time for" not in text


def test_a_plan_of_which_all_hosts_are_left_out_says_so(stage: Stage) -> None:
    text = " ".join(run(stage, "planned", OUT)["lines"])
    assert "0 hosts will be patched. Left out: 1, for the reasons above." in text
    assert "failures" not in text


def test_a_host_without_aws_was_not_asked_whether_it_is_on(stage: Stage) -> None:
    hall = FleetHost(key="hall", name="hall", kind="winrm", transport="connection")
    lines = run(stage, "planned", hall)["lines"]
    assert [line.split("  ")[3] for line in lines if line.startswith("wave 1")] == ["not asked"]
    assert "1 host will be patched" in " ".join(lines)


def test_a_plan_reports_the_vcpu_quota_and_a_run_does_not_ask(stage: Stage) -> None:
    stage.account.on("get_service_quota", {"Quota": {"Value": 20.0}})
    stage.account.on("describe_instances", {"Reservations": []})
    stage.account.on("describe_instance_types", {"InstanceTypes": []})
    off = a_target(state="stopped", type="m5.large")
    assert "vCPU quota of eu-central-1 (L-1216C47A): 20, 0 in use" in " ".join(run(stage, "planned", off)["lines"])
    assert "vCPU" not in " ".join(run(stage, "opened", off)["lines"])


# Claims by tag


def claimed(stage: Stage, *hosts: FleetHost, **variables: Any) -> dict[str, tuple[str | None, str | None]]:
    """Outcome and reason code of each host once a run is opened."""
    result = run(stage, "opened", *hosts, **variables)
    return {host.name: (host.outcome, host.reason_code) for host in stage.ledger.hosts(result["run_id"])}


SCHEDULED = a_target("i-7", "office", tags={"PatchGroup": "Windows", "Schedule": "office-hours"})
KEPT = a_target("i-8", "kept", tags={"PatchGroup": "Windows", "patchfleet:keep": ""})


def test_a_host_that_a_user_claims_by_a_tag_is_left_alone(stage: Stage) -> None:
    assert claimed(stage, ON, SCHEDULED, KEPT) == {
        "dev-02": (None, None),
        "office": ("excluded", "scheduled"),
        "kept": ("excluded", "keep_tag"),
    }


def test_hosts_of_a_scheduler_are_taken_if_that_is_said_and_their_schedule_is_kept(stage: Stage) -> None:
    assert claimed(stage, SCHEDULED, KEPT, patch_scheduled_ok=True)["office"] == (None, None)
    (opened,) = stage.ledger.runs()
    assert stage.ledger.host(opened.run_id, "i-7").facts["scheduler"] == "Schedule=office-hours"
    assert (opened.settings["keep_tag"], opened.settings["scheduler_tag"]) == ("patchfleet:keep", "Schedule")


def test_the_tags_may_have_other_names(stage: Stage) -> None:
    names = {"patch_keep_tag": "PatchGroup", "patch_scheduler_tag": "OnOff"}
    assert claimed(stage, SCHEDULED, **names)["office"] == ("excluded", "keep_tag")
    other = a_target("i-9", "other", tags={"OnOff": "nights"})
    assert "Left out: 1" in " ".join(run(stage, "planned", ON, other, patch_scheduler_tag="OnOff")["lines"])


# Guards


def test_the_plan_says_when_the_credentials_end_before_the_run(stage: Stage) -> None:
    stage.account.expires_at = START + 60
    assert "The AWS credentials end at 2026-11-14T22:01:00Z" in " ".join(run(stage, "planned")["lines"])
    stage.account.expires_at = START + 86_400
    assert "credentials" not in " ".join(run(stage, "planned")["lines"])


def test_an_empty_selection_opens_no_run(stage: Stage) -> None:
    """awx#14804, awx#15775: no host matched and the job is green."""
    context = stage.context(OPERATION, state="opened", settings=read({}), fleet=[])
    with pytest.raises(PatchFleetError, match="No host was found"):
        perform(OPERATION, context)
    assert stage.ledger.runs() == []


def test_more_hosts_than_allowed_open_no_run(stage: Stage) -> None:
    assert refusal(stage, patch_max_hosts=1).code == "too_many_hosts"


def test_forks_are_checked_again_once_a_percentage_is_a_number(stage: Stage) -> None:
    many = [a_target(f"i-{number}", f"dev-{number:02}") for number in range(20)]
    error = refusal(stage, *many, patch_batch_size="50%", forks=5)
    assert isinstance(error, InvalidOption)
    assert "--forks 10 or more" in error.reason
    assert run(stage, "opened", *many, patch_batch_size="50%", forks=10)["batch_size"] == 10


# Rights


def test_power_rights_are_tried_dry_on_one_stopped_host_a_region(stage: Stage) -> None:
    far = a_target("i-6", "far", state="stopped", region="us-east-1")
    run(stage, "planned", OFF, a_target("i-5", "dev-05", state="stopped"), far)
    tried = [(call.region, call.params) for call in stage.account.of("start_instances")]
    assert tried == [
        ("eu-central-1", {"InstanceIds": [ID], "DryRun": True}),
        ("us-east-1", {"InstanceIds": ["i-6"], "DryRun": True}),
    ]
    assert len(stage.account.of("stop_instances")) == 2


@pytest.mark.parametrize("missing", ["create_tags", "delete_tags"])
def test_the_right_to_mark_is_tried_dry_on_one_host_a_region(stage: Stage, missing: str) -> None:
    stage.account.on("create_tags", DRY_RUN)
    stage.account.on("delete_tags", DRY_RUN)
    run(stage, "planned", OFF, ON, patch_mark_tag="patchfleet:run")
    (tried,) = stage.account.of("create_tags")
    assert (tried.params["DryRun"], tried.params["Tags"][0]["Key"]) == (True, "patchfleet:run")
    stage.account.on(missing, denied(missing))
    assert refusal(stage, patch_mark_tag="patchfleet:run").code == "access_denied"


@pytest.mark.parametrize("key", ["PatchGroup", "patchfleet:keep", "Schedule", "Name", "aws:patchfleet"])
def test_a_mark_is_no_tag_that_means_something_else(stage: Stage, key: str) -> None:
    error = refusal(stage, patch_mark_tag=key)
    assert isinstance(error, InvalidOption)
    assert error.option == "patch_mark_tag"


@pytest.mark.parametrize("operation", ["StartInstances", "StopInstances"])
def test_a_power_right_that_is_missing_fails_the_stopped_hosts_alone(stage: Stage, operation: str) -> None:
    method = {"StartInstances": "start_instances", "StopInstances": "stop_instances"}[operation]
    stage.account.on(method, denied(operation))
    result = run(stage, "opened", OFF, ON)
    hosts = {host.name: host for host in stage.ledger.hosts(result["run_id"])}
    assert (hosts["dev-01"].outcome, hosts["dev-01"].reason_code) == ("failed", "access_denied")
    assert f"ec2:{operation} on {ID}" in str(hosts["dev-01"].reason)
    assert hosts["dev-02"].outcome is None


def test_a_power_right_that_every_host_needs_ends_it(stage: Stage) -> None:
    stage.account.on("start_instances", denied("StartInstances"))
    error = refusal(stage, OFF, OUT)
    assert (error.code, "ec2:StartInstances" in error.reason) == ("access_denied", True)


def test_another_answer_to_a_dry_run_is_no_denial(stage: Stage) -> None:
    stage.account.on("start_instances", client_error("IncorrectInstanceState"))
    assert run(stage, "planned", OFF)["hosts"][0]["included"] is True


@pytest.mark.parametrize(
    ("method", "operation"),
    [
        ("describe_document", "DescribeDocument"),
        ("list_command_invocations", "ListCommandInvocations"),
        ("describe_instance_patch_states", "DescribeInstancePatchStates"),
    ],
)
def test_a_reading_right_that_no_host_can_do_without_ends_it(stage: Stage, method: str, operation: str) -> None:
    stage.account.on(method, client_error("AccessDeniedException", operation=operation))
    error = refusal(stage)
    assert (error.code, f"ssm:{operation}" in error.reason) == ("access_denied", True)


def test_sending_commands_is_simulated_for_the_role_and_the_targets_tags(stage: Stage) -> None:
    tagged = a_target(tags={"PatchGroup": "Windows", "aws:cloudformation:stack-name": "web"})
    run(stage, "planned", tagged)
    calls = stage.account.of("simulate_principal_policy")
    assert {call.params["PolicySourceArn"] for call in calls} == {"arn:aws:iam::123456789012:role/patcher"}
    assert {resource: call.params["ActionNames"] for call in calls for resource in call.params["ResourceArns"]} == {
        "arn:aws:ssm:eu-central-1::document/AWS-RunPatchBaseline": ["ssm:SendCommand"],
        f"arn:aws:ec2:eu-central-1:123456789012:instance/{ID}": ["ssm:SendCommand", "ssm:DescribeInstancePatches"],
        "*": ["ssm:GetCommandInvocation"],
    }
    keys = {entry["ContextKeyName"] for entry in calls[0].params["ContextEntries"]}
    assert keys == {
        "aws:RequestedRegion",
        "aws:ResourceTag/PatchGroup",
        "ssm:resourceTag/PatchGroup",
        "iam:PassedToService",
    }


def test_a_host_without_the_tag_does_not_speak_for_the_others(stage: Stage) -> None:
    run(stage, "planned", a_target(OTHER, "dev-01", tags={"Stage": "test"}), a_target(ID, "dev-02"))
    resources = [call.params["ResourceArns"] for call in stage.account.of("simulate_principal_policy")]
    assert [f"arn:aws:ec2:eu-central-1:123456789012:instance/{ID}"] in resources


def test_a_hybrid_node_whose_tags_no_one_knows_is_not_simulated(stage: Stage) -> None:
    run(stage, "planned", a_target("mi-1", "branch", kind="hybrid", tags={}, by_tag=False))
    resources = [call.params["ResourceArns"] for call in stage.account.of("simulate_principal_policy")]
    assert resources == [["arn:aws:ssm:eu-central-1::document/AWS-RunPatchBaseline"], ["*"]]


@pytest.mark.parametrize("decision", ["implicitDeny", "explicitDeny"])
def test_a_command_that_could_not_be_sent_ends_it_before_anything_is_touched(stage: Stage, decision: str) -> None:
    results = [{"EvalActionName": "ssm:SendCommand", "EvalResourceName": "arn:x", "EvalDecision": decision}]
    stage.account.on("simulate_principal_policy", {"EvaluationResults": results})
    error = refusal(stage)
    assert (error.code, "lack the right ssm:SendCommand" in error.reason) == ("access_denied", True)


@pytest.mark.parametrize(
    "more",
    [
        {"MissingContextValues": ["aws:SourceVpce"]},
        {
            "ResourceSpecificResults": [
                {
                    "EvalResourceName": "x",
                    "EvalResourceDecision": "explicitDeny",
                    "MissingContextValues": ["aws:SourceIp"],
                }
            ]
        },
        {"OrganizationsDecisionDetail": {"AllowedByOrganizations": False}},
    ],
)
def test_a_simulation_that_lacks_context_is_no_denial_and_the_plan_says_so(stage: Stage, more: dict[str, Any]) -> None:
    """A Deny outside of known networks is in most accounts of companies."""
    result = {"EvalActionName": "ssm:SendCommand", "EvalResourceName": "arn:x", "EvalDecision": "explicitDeny", **more}
    stage.account.on("simulate_principal_policy", {"EvaluationResults": [result]})
    text = " ".join(run(stage, "planned")["lines"])
    assert "Whether these rights are there is unknown: ssm:SendCommand." in text


@pytest.mark.parametrize("method", ["get_caller_identity", "simulate_principal_policy"])
def test_who_may_not_ask_is_not_refused(stage: Stage, method: str) -> None:
    stage.account.on(method, client_error("AccessDenied"))
    assert run(stage, "planned")["batch_size"] == 5


def test_a_user_is_simulated_as_it_is(stage: Stage) -> None:
    stage.account.on("get_caller_identity", {"Arn": "arn:aws:iam::123456789012:user/me"})
    run(stage, "planned")
    assert stage.account.of("simulate_principal_policy")[0].params["PolicySourceArn"].endswith(":user/me")


def snapshots_are_wanted(stage: Stage, answer: Exception) -> None:
    stage.account.on("describe_instances", shown())
    stage.account.on("describe_volumes", {"Volumes": [{"VolumeId": VOLUME_ID, "Tags": []}]})
    stage.account.on("create_snapshot", answer)
    run(stage, "planned", patch_snapshot_before_grow=True)


def test_the_right_to_take_snapshots_is_tried_dry_when_they_are_asked_for(stage: Stage) -> None:
    run(stage, "planned")
    assert stage.account.of("create_snapshot") == []
    snapshots_are_wanted(stage, DRY_RUN)
    (call,) = stage.account.of("create_snapshot")
    assert (call.params["DryRun"], call.params["VolumeId"]) == (True, VOLUME_ID)
    assert call.params["TagSpecifications"], "tags at the creation need a right of their own"


def test_without_the_right_to_take_snapshots_nothing_begins(stage: Stage) -> None:
    with pytest.raises(PatchFleetError) as caught:
        snapshots_are_wanted(stage, denied("CreateSnapshot"))
    assert "lack the right ec2:CreateSnapshot on vol-" in caught.value.reason


def test_a_host_without_a_root_volume_needs_no_right_to_take_snapshots(stage: Stage) -> None:
    stage.account.on("describe_instances", shown(BlockDeviceMappings=[]))
    run(stage, "planned", patch_snapshot_before_grow=True)
    assert stage.account.of("create_snapshot") == []


A_ROLE = {"Path": "/", "RoleName": "r", "RoleId": "AROA1234567890123456", "Arn": ROLE, "CreateDate": moment(0)}
SET_UP: dict[str, Any] = {
    "get_schedule_group": {},
    "describe_document": {"Document": {"Parameters": []}},
    "get_role": {"Role": A_ROLE},
}
"""What the switch for dead controllers needs in the account, by the operation that finds it."""


def switches_are_wanted(stage: Stage, **answers: Any) -> dict[str, Any]:
    for operation, answer in {**SET_UP, **answers}.items():
        stage.account.on(operation, answer)
    return run(stage, "opened", patch_dead_man_switch=True)


def test_what_the_switch_needs_is_checked_when_it_is_asked_for(stage: Stage) -> None:
    stage.ledger.close_run(run(stage, "opened")["run_id"], START)
    assert stage.account.of("get_schedule_group") == []
    switches_are_wanted(stage)
    assert [call.params for call in stage.account.of("get_role")] == [{"RoleName": "PatchFleet-scheduler-eu-central-1"}]
    assert {"Name": "PatchFleet-stop-host"} in [call.params for call in stage.account.of("describe_document")]
    asked = {tuple(call.params["ActionNames"]) for call in stage.account.of("simulate_principal_policy")}
    assert ("iam:PassRole",) in asked


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        ("get_schedule_group", "ResourceNotFoundException"),
        ("describe_document", "InvalidDocument"),
        ("get_role", "NoSuchEntity"),
        ("get_role", "AccessDenied"),
    ],
)
def test_without_what_the_switch_needs_nothing_begins(stage: Stage, operation: str, code: str) -> None:
    with pytest.raises(PatchFleetError) as caught:
        switches_are_wanted(stage, **{operation: client_error(code)})
    assert caught.value.code == "no_switch"
    command = (
        "`ansible-playbook patchfleet.windows.setup_aws -e aws_prerequisites_region=eu-central-1 -e "
        """'{"aws_prerequisites_parameters": {"DeadManSwitch": true}}'`."""
    )
    assert command in caught.value.reason
    assert stage.ledger.runs() == []
    assert changing(stage) == []


def test_hosts_without_aws_need_no_rights(stage: Stage) -> None:
    winrm = FleetHost(key="dc-1", name="dc-1", kind="winrm", inventory_name="dc-1")
    run(stage, "opened", winrm)
    assert stage.account.calls == []


def test_hybrid_hosts_need_no_power_rights(stage: Stage) -> None:
    run(stage, "opened", a_target(NODE_ID, "store-7", kind="hybrid"))
    assert stage.account.of("start_instances") == []
    assert stage.account.of("describe_document") != []


# The opened run


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("install", [(1200.0, "host"), (1200.0, "class"), (None, None)]),
        ("scan", [(1200.0, "host"), (300.0, "host"), (None, None)]),
    ],
)
def test_what_workflows_took_is_expected_of_the_next(stage: Stage, operation: str, expected: list[Any]) -> None:
    """A night on which nothing was missing says nothing of one on which something is."""
    nights = {ID: [("patched", 900.0), ("patched", 1200.0), ("compliant", 300.0)], OTHER: [("compliant", 300.0)]}
    for key, durations in nights.items():
        for number, (outcome, seconds) in enumerate(durations):
            stage.ledger.save_durations(
                HostDurations(key, f"run-{number}", START - 86400 + number, outcome, {"patch": seconds})
            )
    large = a_target("i-7", "other-type", type="m5.24xlarge")
    result = run(stage, "opened", OFF, ON, large, patch_operation=operation)
    facts = [stage.ledger.host(result["run_id"], key).facts for key in (ID, OTHER, "i-7")]
    assert [(known.get("expected_seconds"), known.get("expected_from")) for known in facts] == expected
    assert [known.get("install_timeout_seconds") for known in facts] == [3600, None, None]
    stage.ledger.close_run(result["run_id"], START)
    assert run(stage, "planned", OFF, patch_operation="install")["estimate_seconds"] == 1050


@pytest.mark.parametrize(
    ("given", "of_run", "of_hosts"),
    [(None, 45_000, [None, 14_400, 14_400]), (3600, 3600, [None, None, None])],
)
def test_the_time_of_a_host_follows_its_own_history(
    stage: Stage, given: int | None, of_run: int, of_hosts: list[int | None]
) -> None:
    """A host whose updates take hours is not cut off, and the others keep their time. What a person sets counts for all."""
    for key, seconds in ((ID, 30_000.0), (OTHER, 900.0)):
        stage.ledger.save_durations(HostDurations(key, "run-1", START - 86400, "patched", {"start": seconds}))
    variables = {} if given is None else {"patch_host_timeout_seconds": given}
    opened = run(stage, "opened", OFF, ON, a_target("i-7", "new", type="m5.24xlarge"), **variables)
    assert stage.ledger.run(opened["run_id"]).settings["host_timeout_seconds"] == of_run
    hosts = [stage.ledger.host(opened["run_id"], key) for key in (ID, OTHER, "i-7")]
    assert [host.facts.get("timeout_seconds") for host in hosts] == of_hosts


def test_a_host_has_time_for_an_installation_and_what_is_beside_it(stage: Stage) -> None:
    stage.ledger.save_durations(HostDurations(ID, "run-1", START - 86400, "patched", {"patch": 12_000.0}))
    opened = run(stage, "opened", OFF)
    assert stage.ledger.host(opened["run_id"], ID).facts["install_timeout_seconds"] == 18_000
    assert stage.ledger.run(opened["run_id"]).settings["host_timeout_seconds"] == 18_000 + 3600


# What Patch Manager has recorded


def state_of(key: str, missing: int, minute: int = 0) -> dict[str, Any]:
    ended = moment(START - 86400 + 60 * minute)
    named = {"InstanceId": key, "PatchGroup": "Windows", "BaselineId": "pb-0123456789abcdef0", "Operation": "Scan"}
    return {**named, "MissingCount": missing, "OperationEndTime": ended, "OperationStartTime": ended}


def test_hosts_without_a_history_follow_what_patch_manager_has_recorded(stage: Stage) -> None:
    """A call for 50 hosts; a search that failed counts for nothing."""
    hosts = [a_target(f"i-{number:017x}", f"dev-{number:02}") for number in range(52)]
    failed = {**state_of(hosts[0].key, -1), "OperationEndTime": moment(-62135596800)}
    recorded = [failed, state_of(hosts[7].key, 9), state_of(hosts[51].key, 12), state_of(hosts[3].key, 0)]

    def answer(*, InstanceIds: list[str]) -> dict[str, Any]:  # noqa: N803
        return {"InstancePatchStates": [state for state in recorded if state["InstanceId"] in InstanceIds]}

    stage.account.on("describe_instance_patch_states", answer)
    planned = [host["name"] for host in run(stage, "planned", *hosts)["hosts"]]
    assert (planned[:3], planned[-1]) == (["dev-51", "dev-00", "dev-01"], "dev-03")
    assert asked_at_once(stage) == [50, 2]


def asked_at_once(stage: Stage) -> list[int]:
    """The number of hosts in each call. The check of the rights asks for one."""
    numbers = [len(call.params["InstanceIds"]) for call in stage.account.of("describe_instance_patch_states")]
    return [number for number in numbers if number > 1]


@pytest.mark.parametrize("operation", ["scan", "reboot"])
def test_a_run_that_installs_nothing_asks_for_no_missing_updates(stage: Stage, operation: str) -> None:
    run(stage, "planned", ON, OFF, patch_operation=operation)
    assert asked_at_once(stage) == []


def test_a_host_whose_missing_updates_may_not_be_seen_ends_no_plan(stage: Stage) -> None:
    def answer(*, InstanceIds: list[str]) -> dict[str, Any]:  # noqa: N803
        if OTHER in InstanceIds:
            raise denied("DescribeInstancePatchStates")
        return {}

    stage.account.on("describe_instance_patch_states", answer)
    assert [host["name"] for host in run(stage, "planned", ON, OFF)["hosts"]] == ["dev-01", "dev-02"]
    assert any("what is missing on the hosts in" in line for line in stage.message)


def test_the_plan_says_when_it_ends_how_sure_that_is_and_what_rolling_would_save(stage: Stage) -> None:
    hosts = [a_target(f"i-{number}", f"dev-{number}", type="t3.large") for number in range(4)]
    for host, hours in zip(hosts, (4, 1, 1, 1), strict=True):
        for night, factor in enumerate((0.9, 1.0, 1.5)):
            seconds = {"patch": hours * 3600.0 * factor}
            stage.ledger.save_durations(HostDurations(host.key, f"run-{night}", START - 86400, "patched", seconds))
    result = run(stage, "planned", *hosts, patch_batch_size=2)
    text = " ".join(result["lines"])
    assert f"About 5.0 h: it would end at {iso(START + 5 * 3600)}." in text
    assert (
        f"If each host takes as long as the slowest in ten of its workflows: 7.5 h, until {iso(START + 7.5 * 3600)}."
        in text
    )
    assert "With patch_rollout=rolling: about 4.0 h, 1.0 h less." in text
    assert (result["estimate_seconds"], result["longest_seconds"], result["rolling_seconds"]) == (18000, 27000, 14400)
    rows = [line.split() for line in result["lines"] if line.startswith("wave")]
    assert [row[:4] for row in rows] == [
        ["wave", "1", "+0:00", "dev-0"],
        ["wave", "1", "+0:00", "dev-1"],
        ["wave", "2", "+4:00", "dev-2"],
        ["wave", "2", "+4:00", "dev-3"],
    ]
    assert [host["starts_after_seconds"] for host in result["hosts"]] == [0, 0, 14400, 14400]
    assert [(host["expected_seconds"], host["longest_seconds"]) for host in result["hosts"]][:2] == [
        (14400, 21600),
        (3600, 5400),
    ]
    rolling = run(stage, "planned", *hosts, forks=2, patch_batch_size=2, patch_rollout="rolling")
    assert [line.split()[:4] for line in rolling["lines"] if line.startswith("no. ")][2] == [
        "no.",
        "3",
        "+1:00",
        "dev-2",
    ]
    assert rolling["rolling_seconds"] is None
    assert "patch_rollout=rolling" not in " ".join(rolling["lines"])


def test_a_run_is_written_down_with_all_its_hosts(stage: Stage) -> None:
    result = run(stage, "opened", OFF, ON, OUT, patch_failure_budget=1, patch_operation="scan")
    kept = stage.ledger.run(result["run_id"])
    assert (kept.operation, kept.opened_at, kept.closed_at) == ("scan", START, None)
    assert kept.snapshot_id == result["snapshot_id"] == str(uuid.UUID(result["snapshot_id"]))
    assert kept.settings["failure_budget_hosts"] == 1
    assert kept.settings["targets"] == {
        "tag": "PatchGroup=Windows",
        "hosts": None,
        "regions": ["eu-central-1"],
        "missing_accounts": [],
        "count": 3,
    }
    hosts = stage.ledger.hosts(kept.run_id)
    assert [(host.name, host.wave, host.outcome) for host in hosts] == [
        ("dev-01", 1, None),
        ("dev-02", 1, None),
        ("spot", None, "excluded"),
    ]
    assert hosts[2].facts["final_state"] == "stopped"


def test_all_hosts_that_are_in_are_leased_before_the_first_is_touched(stage: Stage) -> None:
    run_id = run(stage, "opened", OFF, ON, OUT)["run_id"]
    assert [stage.ledger.holds_lease(run_id, key) for key in (ID, OTHER, "i-3")] == [True, True, False]
    assert changing(stage) == []


def test_hosts_that_another_run_holds_are_deferred_and_say_by_whom(stage: Stage) -> None:
    stage.open_run(a_host(ID))
    result = run(stage, "opened", OFF, ON)
    host = stage.ledger.host(result["run_id"], ID)
    assert (host.outcome, host.phase, host.reason_code) == ("deferred", "plan", "leased")
    assert host.reason == (
        f"Another run holds it: {RUN}, which somebody started on controller (process 1). It was last active at "
        "2026-11-14T22:00:00Z; its lease ends at 2026-11-14T22:15:00Z, unless it renews it."
    )
    assert "final_state" not in host.facts  # the other run decides it
    assert [(host["name"], host["included"]) for host in result["hosts"]] == [("dev-02", True), ("dev-01", False)]


@pytest.mark.parametrize("state", ["planned", "opened"])
def test_a_plan_counts_only_the_hosts_that_the_run_gets(stage: Stage, state: str) -> None:
    stage.open_run(a_host(ID), a_host("i-3", position=1, name="dev-03"), batch_size=1)
    lines = run(stage, state, OFF, ON, a_target("i-3", "dev-03", state="stopped"))["lines"]
    text = " ".join(" ".join(lines).split())
    assert "1 host will be patched, 5 at a time. Left out: 2." in text
    assert f"left out dev-01, dev-03: Another run holds it: {RUN}, which somebody started on controller" in text
    assert "It will have ended at about 2026-11-14T23:30:00Z; its hosts are free then." in text


def test_a_run_that_died_holds_no_host_of_a_plan(stage: Stage) -> None:
    stage.open_run(a_host(ID))
    stage.clock.sleep(LEASE_SECONDS + 1)
    assert "2 hosts will be patched" in " ".join(run(stage, "planned", OFF, ON)["lines"])


def test_a_plan_that_takes_over_counts_the_hosts_that_another_run_holds(stage: Stage) -> None:
    stage.open_run(a_host(ID))
    assert "2 hosts will be patched" in " ".join(run(stage, "planned", OFF, ON, patch_take_over=True)["lines"])


def test_taking_over_leases_them_all(stage: Stage) -> None:
    stage.open_run(a_host(ID))
    result = run(stage, "opened", OFF, ON, patch_take_over=True)
    assert [host["included"] for host in result["hosts"]] == [True, True]
    assert stage.ledger.holds_lease(result["run_id"], ID)


def test_hosts_of_a_run_whose_controller_died_are_free_after_a_while(stage: Stage) -> None:
    """kured#137: a lock whose holder is dead."""
    stage.open_run(a_host(ID))
    stage.clock.sleep(LEASE_SECONDS)
    assert run(stage, "opened", OFF)["hosts"][0]["included"] is True


def test_two_runs_of_one_second_have_two_names(stage: Stage) -> None:
    first = run(stage, "opened", OFF)["run_id"]
    second = run(stage, "opened", ON)["run_id"]
    assert first != second
    assert first[:17] == second[:17] == "20261114T220000Z-"


# Its window


def test_a_closed_window_refuses_a_run_and_the_plan_says_so(stage: Stage) -> None:
    window = {"WindowId": "mw-0123456789abcdef0", "Name": "nights", "Enabled": True, "Duration": 6, "Cutoff": 1}
    window["NextExecutionTime"] = "2026-11-21T22:00Z"
    stage.account.on("describe_maintenance_windows", {"WindowIdentities": [window]})
    stage.account.on("describe_maintenance_window_executions", {"WindowExecutions": []})
    assert refusal(stage, patch_maintenance_window="nights").code == "outside_window"
    lines = run(stage, "planned", patch_maintenance_window="nights")["lines"]
    assert "opens next at 2026-11-21T22:00:00Z" in " ".join(lines)
    message = {"patch_maintenance_window": "nights", "patch_outside_window_ok": True}
    assert stage.ledger.run(run(stage, "opened", **message)["run_id"]).settings["deadline_at"] is None


def test_the_end_of_an_open_window_is_the_runs_deadline(stage: Stage) -> None:
    stage.account.on("describe_maintenance_windows", {"WindowIdentities": []})
    stage.account.on("get_calendar_state", {"State": "OPEN", "NextTransitionTime": "2026-11-15T02:00:00Z"})
    kept = stage.ledger.run(run(stage, "opened", patch_maintenance_window="nights")["run_id"]).settings
    assert (kept["deadline_at"], kept["begin_until_at"]) == (START + 4 * 3600, START + 4 * 3600)


# Who started it


def test_a_run_knows_who_started_it(stage: Stage) -> None:
    """In AWX the user of the process is the same for each job."""
    context = stage.context(
        OPERATION,
        state="opened",
        settings=read({}),
        fleet=[OFF.as_result()],
        by="carol",
        job_id="17",
        left_out_accounts=[],
    )
    run_id = perform(OPERATION, context)["run_id"]
    controller = stage.ledger.run(run_id).controller
    assert (controller["arn"], controller["launched_by"], controller["job_id"]) == (ROLE, "carol", "17")
    by = build_report(stage.ledger, run_id, stage.clock.now())["by"]
    assert by == {
        "user": controller["user"],
        "machine": controller["host"],
        "arn": ROLE,
        "launched_by": "carol",
        "job_id": "17",
    }
    described = describe_operator(by)
    assert described.endswith(f"@{controller['host']} as {ROLE}, job 17 of AWX, launched by carol")


def test_a_run_of_an_earlier_version_names_its_user_alone(stage: Stage) -> None:
    stage.open_run()
    by = build_report(stage.ledger, RUN, stage.clock.now())["by"]
    assert (by["arn"], by["launched_by"], by["job_id"]) == (None, None, None)
    assert "@" in describe_operator(by)
    assert describe_operator(None) == "\u2013"


@pytest.mark.parametrize("columns", [60, 80, 100, 160])
def test_a_plan_is_no_wider_than_the_terminal(stage: Stage, columns: int) -> None:
    """At 80 columns a row would be broken otherwise, with an id alone in each second line."""
    hosts = [
        a_target(f"i-{number:017x}", f"application-server-{number:04}", type="m5.24xlarge", az="eu-central-1a")
        for number in range(12)
    ]
    context = stage.context(
        OPERATION, state="planned", settings=read({}), fleet=[one.as_result() for one in (*hosts, OUT)], forks=5
    )
    context.columns = columns
    lines = [f"  {line}" for line in perform(OPERATION, context)["lines"]]
    assert max(map(len, lines)) <= columns
    rows = [line for line in lines if line.startswith("  wave")]
    assert len(rows) == 12
    assert all(line.endswith(host.key) for line, host in zip(rows, hosts, strict=True)), "the id is there in any case"
    assert any("m5.24xlarge" in line for line in rows) is (columns >= 100)
