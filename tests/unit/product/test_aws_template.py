# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The template: what it makes, what can be left out or brought along, and what keeps a run from beginning at the wrong time."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError

from ansible_collections.patchfleet.windows.plugins.filter.compact_template import compact_template
from lab.aws.arns import ACCOUNT_ID
from lab.aws.cloudformation.stacks import Stack, Stacks
from lab.aws.cloudformation.template import load, references
from lab.aws.errors import AwsError
from lab.aws.setup import REGION, STACK, TEMPLATE, with_everything

BODY = TEMPLATE.read_text(encoding="utf-8")
TEMPLATE_BYTES, POLICY_CHARACTERS = 51_200, 6_144
BYTES_FREE = 500
"""Of what setup_aws sends. Who has to lower it should first look whether the template can say less."""
AGENT = "arn:aws:iam::aws:policy/AmazonSSMManagedEC2InstanceDefaultPolicy"
"""The agent's rights. AmazonSSMManagedInstanceCore would let a role read all parameters of the account."""
WINDOW = "mw-0123456789abcdef0"
BY_NODE = {"StartRunBy": "controller-node", "PlaybookSource": '{"path": "https://s3..."}'}
BY_AWX = {"StartRunBy": "awx", "AwxToken": "secret"}


def made(**given: str) -> Stack:
    return Stacks().create(REGION, STACK, BODY, given, [], datetime.now(UTC))


def properties(name: str, **given: str) -> dict[str, Any]:
    return made(**given).resources[name].properties


def test_what_is_made_when_nothing_is_asked_for() -> None:
    assert set(made().resources) == {
        "ControllerLookPolicy",
        "ControllerChangePolicy",
        "HostRole",
        "HostInstanceProfile",
        "CommandOutput",
        "Hosts",
        "Baseline",
        "Window",
    }


def test_the_role_says_what_the_template_says() -> None:
    """The hosts that get an instance profile are those that the controller's rights are for."""
    role = TEMPLATE.parents[1]
    tasks = (role / "tasks" / "main.yml").read_text(encoding="utf-8")
    for name in ("TagKey", "TagValue"):
        assert f"aws_prerequisites__effective.{name} | default('{load(BODY)['Parameters'][name]['Default']}')" in tasks
    specs = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())["argument_specs"]
    options = {**specs["main"]["options"], **specs["teardown"]["options"]}
    defaults = yaml.safe_load((role / "defaults" / "main.yml").read_text())
    assert {name: spec["default"] for name, spec in options.items() if "default" in spec} == defaults
    message = (role / "README.md").read_text(encoding="utf-8")
    assert [name for name in options if f"| `{name}` |" not in message] == []


def test_everything_that_is_in_the_template_can_be_made() -> None:
    everything = {name for stacks in with_everything() for stack in stacks.all() for name in stack.resources}
    assert everything == set(load(BODY)["Resources"])


@pytest.mark.parametrize(
    ("given", "gone"),
    [
        ({"InstanceRole": "none"}, {"HostRole", "HostInstanceProfile"}),
        ({"LogGroup": "none"}, {"CommandOutput"}),
        ({"ResourceGroup": "none"}, {"Hosts"}),
        ({"PatchBaseline": "none"}, {"Baseline"}),
        ({"MaintenanceWindow": "none"}, {"Window"}),
        ({"MaintenanceWindow": WINDOW}, {"Window"}),
    ],
)
def test_each_can_be_left_out(given: dict[str, str], gone: set[str]) -> None:
    assert set(made().resources) - set(made(**given).resources) == gone


@pytest.mark.parametrize(("start_by", "task"), [(BY_NODE, "NodeTask"), (BY_AWX, "AwxTask")])
def test_a_window_that_is_there_gets_the_task(start_by: dict[str, str], task: str) -> None:
    stack = made(MaintenanceWindow=WINDOW, **start_by)
    assert stack.resources[task].properties["WindowId"] == WINDOW
    assert stack.outputs["MaintenanceWindowId"][0] == WINDOW


def test_a_table_that_is_there_gets_rights_and_no_twin() -> None:
    stack = made(LedgerTable="ours")
    (statement,) = stack.resources["ControllerLedgerPolicy"].properties["PolicyDocument"]["Statement"]
    assert statement["Resource"].endswith(":table/ours")
    assert "Ledger" not in stack.resources
    assert stack.outputs["LedgerUrl"][0] == "dynamodb://ours"


def test_roles_that_are_there_get_all_of_the_controllers_policies() -> None:
    everything = {
        "AllowSnapshots": "true",
        "LedgerTable": "create",
        "KmsKeyArns": "arn:aws:kms:a:1:key/k",
        "DeadManSwitch": "true",
        "AllowRollBack": "true",
    }
    stack = made(ControllerRoles="awx,ops", **everything)
    policies = [it for it in stack.resources.values() if it.type == "AWS::IAM::ManagedPolicy"]
    assert len(policies) == 7
    assert all(policy.properties["Roles"] == ["awx", "ops"] for policy in policies)
    assert "ControllerRole" not in stack.resources


@pytest.mark.parametrize(("days", "offset"), [("4", 4), ("0", None)])
def test_the_schedule_may_be_relative_to_patch_tuesday(days: str, offset: int | None) -> None:
    window = properties("Window", WindowOffsetDays=days)
    assert (window["Schedule"], window.get("ScheduleOffset")) == ("cron(0 22 ? * TUE#2 *)", offset)


def test_a_launch_of_awx_that_comes_late_does_not_come_at_all() -> None:
    (target,) = properties("AwxRule", **BY_AWX)["Targets"]
    assert target["RetryPolicy"]["MaximumEventAgeInSeconds"] <= 900
    assert target["Input"] == "{}"


@pytest.mark.parametrize(
    ("given", "needs"),
    [
        ({"StartRunBy": "awx"}, "needs AwxToken"),
        ({"StartRunBy": "controller-node"}, "needs PlaybookSource"),
        ({"MaintenanceWindow": "none", **BY_AWX}, "needs a MaintenanceWindow"),
        ({"InstanceRole": "none", "CommandOutputToLogs": "true"}, "needs InstanceRole"),
    ],
)
def test_what_would_do_nothing_is_refused(given: dict[str, str], needs: str) -> None:
    with pytest.raises(AwsError, match=needs):
        made(**given)


@pytest.mark.parametrize(("start_by", "policy"), [(BY_NODE, "NodePolicy"), (BY_AWX, "AwxPolicy")])
def test_a_role_that_is_there_starts_the_run(start_by: dict[str, str], policy: str) -> None:
    stack = made(WindowTaskRole="theirs", **start_by)
    arn = f"arn:aws:iam::{ACCOUNT_ID}:role/theirs"
    assert "WindowRole" not in stack.resources
    assert stack.resources[policy].properties["RoleName"] == "theirs"
    (task,) = (it for it in stack.resources.values() if it.type == "AWS::SSM::MaintenanceWindowTask")
    assert task.properties["ServiceRoleArn"] == arn
    if start_by is BY_AWX:
        given = task.properties["TaskInvocationParameters"]["MaintenanceWindowAutomationParameters"]
        assert given["Parameters"] == {"AutomationAssumeRole": [arn]}
        statements = stack.resources[policy].properties["PolicyDocument"]["Statement"]
        assert [it["Resource"] for it in statements if it["Action"] == "iam:PassRole"] == [arn]


def test_the_role_that_hosts_have_may_write_their_output() -> None:
    stack = made(InstanceRole="theirs", CommandOutputToLogs="true")
    assert stack.resources["HostOutputPolicy"].properties["RoleName"] == "theirs"
    assert not {"HostRole", "HostInstanceProfile"} & set(stack.resources)


def test_two_stacks_with_prefixes_of_their_own_can_stand_side_by_side() -> None:
    """But for the log group, which is the account's own. Policies of a role are named within it, windows and baselines by AWS."""
    of_no_name = ("AWS::IAM::RolePolicy", "AWS::SSM::MaintenanceWindow", "AWS::SSM::PatchBaseline")
    everything = {"ControllerOnEc2": "true", "DeadManSwitch": "true", "LedgerTable": "create", **BY_AWX}
    ours, foreign = (
        {
            it.physical_id
            for it in made(Prefix=prefix, **everything).resources.values()
            if not it.type.startswith(of_no_name)
        }
        for prefix in ("PatchFleet", "Other")
    )
    assert ours & foreign == {"/aws/ssm/patch-manager"}


def test_the_token_is_nowhere_but_in_the_connection() -> None:
    stack = made(**BY_AWX)
    holding = [name for name, it in stack.resources.items() if "secret" in json.dumps(it.properties, default=str)]
    assert holding == ["AwxConnection"]
    assert "secret" not in str(stack.outputs)


def test_a_controller_node_on_ec2_is_a_managed_node_that_may_fetch_its_playbook() -> None:
    given = {"ControllerOnEc2": "true", "PlaybookBucket": "playbooks"}
    assert AGENT in properties("ControllerRole", **given, **BY_NODE)["ManagedPolicyArns"]
    assert AGENT not in properties("ControllerRole", **given)["ManagedPolicyArns"]
    assert "PlaybookPolicy" in made(**given, **BY_NODE).resources
    assert "PlaybookPolicy" not in made(ControllerOnEc2="true", **BY_NODE).resources


def test_hosts_have_the_agents_rights_and_no_others() -> None:
    assert properties("HostRole")["ManagedPolicyArns"] == [AGENT]
    assert "HostOutputPolicy" not in made().resources


def test_no_role_of_the_stack_reads_the_accounts_parameters() -> None:
    for stacks in with_everything():
        roles = [it for stack in stacks.all() for it in stack.resources.values() if it.type == "AWS::IAM::Role"]
        assert not any(
            "InstanceCore" in policy for role in roles for policy in role.properties.get("ManagedPolicyArns", [])
        )


def test_the_table_is_protected_and_made_when_nothing_else_can_fail() -> None:
    """A stack that fails half-way takes a table away again, but no protected one; the next try would find it there."""
    resources = load(BODY)["Resources"]
    assert resources["Ledger"]["Properties"]["DeletionProtectionEnabled"] is True
    before, new = set[str](), {"Ledger"}
    while new:
        new = {other for name in new for other in references(resources[name], set(resources))} - before
        before |= new
    assert before == set(resources) - {"Ledger"}
    for stacks in with_everything():
        (stack,) = stacks.all()
        assert list(stack.resources)[-1] == "Ledger"
        assert stack.resources["Ledger"].properties["Tags"] == [{"Key": "patchfleet:part", "Value": "ledger"}]


def readable_rights(**given: str) -> list[str]:
    """The resources whose rights the controller may look at."""
    statements = properties("ControllerLookPolicy", **given)["PolicyDocument"]["Statement"]
    (resources,) = (it["Resource"] for it in statements if "iam:SimulatePrincipalPolicy" in it["Action"])
    return list(resources)


def test_the_controller_looks_at_no_rights_but_those_of_its_own_and_the_hosts_roles() -> None:
    """Else who has the controller knows which role of the account is the strongest."""
    here = f"arn:aws:iam::{ACCOUNT_ID}"
    own = [
        f"{here}:instance-profile/PatchFleet-host-*",
        f"{here}:role/PatchFleet-host-*",
        f"{here}:role/PatchFleet-controller-{REGION}",
    ]
    assert readable_rights() == own
    theirs = [f"{here}:role/web/*", f"{here}:instance-profile/web"]
    assert readable_rights(CheckedRoleArns=",".join(theirs)) == [*own, *theirs]


def test_the_rule_takes_no_event_but_that_of_the_window() -> None:
    pattern = properties("AwxRule", **BY_AWX)["EventPattern"]
    assert pattern == {
        "account": [ACCOUNT_ID],
        "source": ["patchfleet.PatchFleet"],
        "detail-type": ["Maintenance window open"],
    }
    statements = properties("AwxPolicy", **BY_AWX)["PolicyDocument"]["Statement"]
    (condition,) = (it["Condition"]["StringEquals"] for it in statements if it["Action"] == "events:PutEvents")
    assert {key: [value] for key, value in condition.items()} == {
        "events:source": pattern["source"],
        "events:detail-type": pattern["detail-type"],
    }


def test_who_attaches_the_policies_to_a_role_of_their_own_gets_all_of_them() -> None:
    for stacks in with_everything():
        (stack,) = stacks.all()
        policies = {name for name, it in stack.resources.items() if it.type == "AWS::IAM::ManagedPolicy"}
        assert set(stack.outputs["ControllerPolicyArns"][0].split(",")) == {
            stack.resources[name].physical_id for name in policies
        }


@pytest.mark.parametrize("text", ["Prod & Test: [EU]", "Team = Büro (Süd)", "a'b;c,d|e~f^g%h#i!j<k>", "服务器"])
def test_what_aws_allows_in_a_tag_is_taken(text: str) -> None:
    statements = json.loads(
        str(properties("ControllerChangePolicy", TagKey=text, TagValue=text, PatchBaseline="none")["PolicyDocument"])
    )["Statement"]
    assert statements[0]["Condition"]["StringEquals"][f"aws:ResourceTag/{text}"] == text


@pytest.mark.parametrize("character", ['"', "\\", "$", "{", "}", "*", "?", "\n", "\x00", "\x7f", "\x9b"])
@pytest.mark.parametrize("name", ["TagKey", "TagValue", "ControllerNodeTagValue"])
def test_what_breaks_json_or_is_a_pattern_for_iam_is_refused(name: str, character: str) -> None:
    with pytest.raises(AwsError, match=f"Parameter {name} failed"):
        made(**{name: f"a{character}b"})


@pytest.mark.parametrize(
    "name", ["LedgerTable", "PlaybookBucket", "WindowTaskRole", "EventBus", "ReportBucket", "MarkTag"]
)
def test_a_name_that_stands_in_a_policy_is_no_wildcard(name: str) -> None:
    with pytest.raises(AwsError, match=f"Parameter {name} failed"):
        made(**{name: "abc*"})


def test_the_page_says_what_who_has_the_controllers_role_can_do() -> None:
    """SendCommand with AWS-RunPowerShellScript runs as SYSTEM (Systems Manager user guide, "Running commands")."""
    commands = [
        it
        for it in json.loads(properties("ControllerChangePolicy")["PolicyDocument"])["Statement"]
        if it["Sid"] == "SendThese"
    ]
    assert any("AWS-RunPowerShellScript" in arn for it in commands for arn in it["Resource"])
    page = (TEMPLATE.parents[1] / "README.md").read_text(encoding="utf-8")
    assert "is `SYSTEM` on every host with the tag" in page
    safety = (TEMPLATE.parents[3] / "docs" / "safety.md").read_text(encoding="utf-8")
    assert "roles/aws_prerequisites/README.md#what-the-controllers-role-means" in safety


def test_a_watchdog_schedule_that_cannot_act_raises_an_alarm() -> None:
    """Source: EventBridge Scheduler user guide, "Monitoring with CloudWatch": TargetErrorCount by ScheduleGroup."""
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT_ID}:operators"
    stack = made(DeadManSwitch="true", AlarmTopicArn=topic)
    alarm = stack.resources["SwitchAlarm"].properties
    assert (alarm["Namespace"], alarm["MetricName"], alarm["Statistic"]) == ("AWS/Scheduler", "TargetErrorCount", "Sum")
    assert alarm["Dimensions"] == [{"Name": "ScheduleGroup", "Value": stack.resources["SwitchGroup"].physical_id}]
    assert (alarm["Threshold"], alarm["ComparisonOperator"]) == (1, "GreaterThanOrEqualToThreshold")
    assert (alarm["EvaluationPeriods"], alarm["TreatMissingData"]) == (1, "notBreaching")
    assert alarm["AlarmActions"] == [topic]
    assert "AlarmActions" not in properties("SwitchAlarm", DeadManSwitch="true")


def test_logs_are_kept_for_thirty_days() -> None:
    assert properties("CommandOutput") == {"LogGroupName": "/aws/ssm/patch-manager", "RetentionInDays": 30}


def test_it_is_small_enough_to_be_sent_as_it_is() -> None:
    """Source: CloudFormation API reference, CreateStack, TemplateBody; IAM user guide, "IAM and AWS STS quotas".

    What setup_aws sends has room for what is to come. The file itself goes by a bucket, where it is deployed without Ansible.
    """
    assert len(compact_template(BODY).encode()) <= TEMPLATE_BYTES - BYTES_FREE
    for stacks in with_everything():
        for _name, document in stacks.policies():
            text = document if isinstance(document, str) else json.dumps(document)
            assert len(re.sub(r"\s", "", text)) <= POLICY_CHARACTERS


def with_parsed_policies(part: Any) -> Any:
    """The same with each text that is JSON parsed: blanks between its parts mean nothing."""
    if isinstance(part, dict):
        return {key: with_parsed_policies(value) for key, value in part.items()}
    if isinstance(part, list):
        return [with_parsed_policies(value) for value in part]
    return json.loads(part) if isinstance(part, str) and part.startswith('{"Version"') else part


def test_what_is_sent_is_the_same_template_without_its_comments() -> None:
    sent = compact_template(BODY)
    assert with_parsed_policies(load(sent)) == with_parsed_policies(load(BODY))
    assert list(load(sent)["Resources"]) == list(load(BODY)["Resources"])
    assert "Service Authorization Reference" in BODY
    assert "Service Authorization Reference" not in sent
    assert compact_template(sent) == sent


@pytest.mark.parametrize(
    "text",
    [
        "A: |\n  # no comment\n  b\n",
        'A: "# no comment"\n',
        "A: !Sub |\n  ${B} # no comment\n\n  c\n",
        "A: !GetAtt B.C\nD: !If [E, !Ref F, {G: !Sub 'x: ${H}'}]\n",
        "A: '2012-10-17'\nB: 'true'\nC: true\nD: ''\n",
        "A: >-\n  folded\n  text\n",
    ],
)
def test_texts_with_a_hash_tags_and_quotes_stay(text: str) -> None:
    document = f"{text}Resources: {{X: y}}  # a comment\n"
    assert load(compact_template(document)) == load(document)
    assert "a comment" not in compact_template(document)


def test_what_is_not_yaml_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="not YAML"):
        compact_template("A: [")
