# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several accounts: whose roles may be assumed, and that nothing of one is seen in another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from conftest import MakeLab
from lab.aws.setup import set_up, set_up_member
from test_scenario import refusal
from virtual_lab import VirtualLab, error_of

SALES, PLANT, LOST = "210987654321", "310987654321", "410987654321"
ACCOUNTS = [
    {"name": "sales", "id": SALES, "vcpu_quota": 2},
    {"name": "plant", "id": PLANT, "region": "us-east-1", "external_id": "factory-7"},
    {"name": "lost", "id": LOST, "assume": "denied"},
]
HOSTS: list[dict[str, Any]] = [
    {"name": "hub", "state": "stopped"},
    {"name": "sales-1", "account": "sales", "state": "stopped"},
    {"name": "sales-2", "account": "sales", "state": "stopped"},
    {"name": "plant-1", "account": "plant"},
    {"name": "lost-1", "account": "lost"},
]


def role(account: str, region: str = "eu-central-1") -> str:
    return f"arn:aws:iam::{account}:role/PatchFleet-controller-{region}"


class Controller:
    """The controller of the first account, and what it has assumed."""

    def __init__(self, lab: VirtualLab) -> None:
        self.lab = lab
        first, *members = lab.play.account.estate
        scenario = lab.play.world.scenario
        for account, member in zip(members, scenario.account.accounts, strict=True):
            set_up_member(account.stacks, scenario, member)
        first.gate.admit_key("ASIAROLE", set_up(first.stacks, scenario, scenario.start))
        self.sts = lab.client("sts", access_key="ASIAROLE")

    def assume(self, arn: str, **more: Any) -> str:
        """The access key of a session of the role."""
        credentials = self.sts.assume_role(RoleArn=arn, RoleSessionName="run", **more)["Credentials"]
        return str(credentials["AccessKeyId"])

    def client(self, service: str, arn: str, region: str = "eu-central-1", **more: Any) -> Any:
        return self.lab.client(service, region, access_key=self.assume(arn, **more))


@pytest.fixture
def controller(make_lab: MakeLab) -> Controller:
    return Controller(make_lab(*HOSTS, account={"accounts": ACCOUNTS}))


def names(ec2: Any) -> set[str]:
    found = [it for group in ec2.describe_instances()["Reservations"] for it in group["Instances"]]
    return {tag["Value"] for it in found for tag in it["Tags"] if tag["Key"] == "Name"}


# ---- roles


def test_a_session_is_one_of_the_other_account(controller: Controller) -> None:
    identity = controller.client("sts", role(SALES)).get_caller_identity()
    assert identity["Account"] == SALES
    assert identity["Arn"].startswith(f"arn:aws:sts::{SALES}:assumed-role/PatchFleet-controller-eu-central-1/")
    assert controller.sts.get_caller_identity()["Account"] == "123456789012"


@pytest.mark.parametrize(
    ("arn", "more"),
    [
        (role(LOST), {}),
        (role(PLANT, "us-east-1"), {}),
        (role(PLANT, "us-east-1"), {"ExternalId": "factory-8"}),
        (role(SALES, "eu-west-1"), {}),
        (role("510987654321"), {}),
        (role("123456789012", "us-east-1"), {}),
    ],
)
def test_a_role_that_does_not_trust_or_is_not_there(controller: Controller, arn: str, more: dict[str, str]) -> None:
    with pytest.raises(
        ClientError, match=rf"AccessDenied.*not authorized to perform: sts:AssumeRole on resource: {arn}"
    ):
        controller.assume(arn, **more)


def test_the_external_id_that_the_role_asks_for(controller: Controller) -> None:
    ec2 = controller.client("ec2", role(PLANT, "us-east-1"), "us-east-1", ExternalId="factory-7")
    assert names(ec2) == {"plant-1"}


def test_a_session_of_a_chained_role_ends_after_an_hour(controller: Controller) -> None:
    with pytest.raises(ClientError, match="1 hour session limit for roles assumed by role chaining"):
        controller.assume(role(SALES), DurationSeconds=7200)
    ec2 = controller.client("ec2", role(SALES))
    controller.lab.run_for(3599)
    ec2.describe_instances()
    controller.lab.run_for(2)
    assert error_of(ec2.describe_instances) == "RequestExpired"
    controller.client("ec2", role(SALES)).describe_instances()


def test_a_session_has_the_rights_of_its_role_in_the_regions_with_hosts(controller: Controller) -> None:
    key = controller.assume(role(SALES))
    ec2 = controller.lab.client("ec2", access_key=key)
    ec2.start_instances(InstanceIds=[controller.lab.id("sales-1")])
    elsewhere = controller.lab.client("ec2", "ap-south-1", access_key=key)
    assert elsewhere.describe_instances()["Reservations"] == []  # the plan names Windows without the tag there
    assert error_of(elsewhere.describe_volumes) == "UnauthorizedOperation"


# ---- nothing of one account is in another


def test_hosts_and_commands_are_of_their_account(controller: Controller) -> None:
    lab = controller.lab
    hub = lab.client("ec2", access_key="ASIAROLE")
    sales = controller.client("ec2", role(SALES))
    assert (names(hub), names(sales)) == ({"hub"}, {"sales-1", "sales-2"})
    foreign = {"InstanceIds": [lab.id("sales-1")]}
    assert error_of(hub.start_instances, **foreign) == "UnauthorizedOperation"
    assert error_of(lab.ec2.start_instances, **foreign) == "InvalidInstanceID.NotFound"
    nodes = controller.client("ssm", role(PLANT, "us-east-1"), "us-east-1", ExternalId="factory-7")
    sent = nodes.send_command(
        InstanceIds=[lab.id("plant-1")], DocumentName="AWS-RunPowerShellScript", Parameters={"commands": ["exit 0"]}
    )["Command"]["CommandId"]
    lab.run_for(30)
    assert nodes.list_commands(CommandId=sent)["Commands"]
    assert lab.client("ssm", "us-east-1").list_commands()["Commands"] == []


def test_each_account_has_its_own_quota(controller: Controller) -> None:
    lab = controller.lab
    sales = controller.client("ec2", role(SALES))
    sales.start_instances(InstanceIds=[lab.id("sales-1")])
    assert error_of(sales.start_instances, InstanceIds=[lab.id("sales-2")]) == "VcpuLimitExceeded"
    lab.client("ec2", access_key="ASIAROLE").start_instances(InstanceIds=[lab.id("hub")])
    quotas = controller.client("service-quotas", role(SALES))
    assert quotas.get_service_quota(ServiceCode="ec2", QuotaCode="L-1216C47A")["Quota"]["Value"] == 2


def test_trace_and_truth_name_the_account(controller: Controller) -> None:
    controller.client("ec2", role(SALES)).describe_instances()
    assert [(it["operation"], it["account"]) for it in controller.lab.trace()] == [
        ("AssumeRole", "123456789012"),
        ("DescribeInstances", SALES),
    ]
    truth = controller.lab.play.truth()["hosts"]
    assert {name: host["account"] for name, host in truth.items()} == {
        "hub": "123456789012",
        "sales-1": SALES,
        "sales-2": SALES,
        "plant-1": PLANT,
        "lost-1": LOST,
    }


def test_others_act_in_the_hosts_own_account(make_lab: MakeLab) -> None:
    events = [
        {"at_seconds": 5, "host": "a", "do": "start"},
        {"at_seconds": 5, "host": "a", "do": {"retag": {"x": "y"}}},
    ]
    host = {"name": "a", "account": "sales", "state": "stopped"}
    lab = make_lab({"name": "hub"}, host, account={"accounts": ACCOUNTS[:1]}, events=events)
    lab.run_for(200)
    assert (lab.truth("a")["state"], lab.truth("a")["starts"]) == ("running", 1)
    assert {it["account"] for it in lab.trace()} == {SALES}


def test_what_a_session_holds_is_a_secret_of_the_lab(controller: Controller) -> None:
    given = controller.sts.assume_role(RoleArn=role(SALES), RoleSessionName="run")["Credentials"]
    assert {given["SecretAccessKey"], given["SessionToken"]} == {*controller.lab.play.account.secrets}


# ---- the file


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (
            {"hosts": [{"name": "a", "account": "sale"}]},
            "hosts[0].account: there is no account 'sale' (did you mean sales?)",
        ),
        ({"hosts": [{"name": "a", "account": "sales", "kind": "winrm"}]}, "hosts[0].account: a winrm host lives in no"),
        (
            {"account": {"accounts": [*ACCOUNTS, ACCOUNTS[0]]}},
            "account.accounts[3].name: there is an account 'sales' already; names are unique",
        ),
        (
            {"account": {"accounts": [{"name": "own", "id": "123456789012"}]}},
            "account.accounts[0].id: there is an account 123456789012 already; the first one is 123456789012",
        ),
    ],
)
def test_accounts_that_cannot_be_right(tmp_path: Path, keys: dict[str, Any], line: str) -> None:
    assert refusal(tmp_path, **{"account": {"accounts": ACCOUNTS}, **keys})[0].startswith(line)


def test_a_host_lives_in_the_region_of_its_account_unless_it_says_another(make_lab: MakeLab) -> None:
    hosts = [*HOSTS, {"name": "elsewhere", "account": "plant", "region": "eu-west-1"}]
    lab = make_lab(*hosts, account={"accounts": ACCOUNTS, "region": "eu-north-1"})
    regions = {name: host.spec.region for name, host in lab.play.world.hosts.items()}
    assert (regions["hub"], regions["sales-1"]) == ("eu-north-1", "eu-north-1")
    assert (regions["plant-1"], regions["elsewhere"]) == ("us-east-1", "eu-west-1")


def test_each_account_approves_by_its_own_baseline(make_lab: MakeLab) -> None:
    updates = [
        {"kb": f"KB508700{at}", "severity": name} for at, name in enumerate(("critical", "important", "moderate"))
    ]
    hosts = [{"name": name, "updates": updates, **more} for name, more in (("hub", {}), ("own", {"account": "own"}))]
    account = {"accounts": [{"name": "own", "id": SALES, "baseline": ["critical", "moderate"]}]}
    world = make_lab(*hosts, account=account).play.world
    missing = {name: [update.kb for update in host.guest.updates.missing()] for name, host in world.hosts.items()}
    assert missing == {"hub": ["KB5087000", "KB5087001"], "own": ["KB5087000", "KB5087002"]}
