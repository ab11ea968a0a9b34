# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts in other AWS accounts: which are searched, how their roles are assumed, and what the ledger keeps of that."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import botocore.credentials
import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._aws.connect import OptionsConnection
from ansible_collections.patchfleet.windows.plugins.module_utils._aws.ec2 import describe_instance
from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import InvalidOption, PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import PowerRecord
from ansible_collections.patchfleet.windows.plugins.module_utils._model.account import Account, account_from
from ansible_collections.patchfleet.windows.plugins.module_utils._modules import (
    fleet_info,
    host_admission,
    instance_power,
    patch_run,
    run_recovery,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.accounts import read_accounts
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.variables import check_together, read
from ansible_collections.patchfleet.windows.plugins.module_utils._report.build import build_report
from ansible_collections.patchfleet.windows.plugins.module_utils._run.recovery import open_hosts
from ansible_collections.patchfleet.windows.plugins.plugin_utils._tracking import tracking_options

from .backends import BACKENDS
from .fakes import ID, START, FakeAccount, client_error, instance, listed, reservations
from .stage import CALLER, RUN, Stage, a_host, a_run

ROLE = "arn:aws:iam::210987654321:role/PatchFleet-controller-eu-central-1"
SALES = {"name": "sales", "role_arn": ROLE}
SETTING = {
    "name": "sales",
    "id": "210987654321",
    "role_arn": ROLE,
    "external_id": None,
    "regions": [],
    "maintenance_window": None,
}
OPTION = {"id": "210987654321", "name": "sales", "role_arn": ROLE}


@pytest.fixture
def sales(stage: Stage) -> FakeAccount:
    """Another account whose role may be assumed; both have an instance."""
    other = FakeAccount(stage.clock)
    stage.account.accounts["210987654321"] = other
    other.on("get_caller_identity", {**CALLER, "Account": "210987654321"})
    for account, instance_id in ((stage.account, ID), (other, "i-0aaaaaaaaaaaaaaaa")):
        account.on("describe_instances", reservations(instance("stopped", InstanceId=instance_id)))
        account.on("describe_instance_information", listed())
        account.on("describe_instance_attribute", {"DisableApiStop": {"Value": False}})
    return other


def find(stage: Stage, **params: Any) -> dict[str, Any]:
    given = {"accounts": [SETTING], "regions": ["eu-central-1"], **params}
    return dict(fleet_info.OPERATION.work(stage.context(fleet_info.OPERATION, **given)))


# The variable


def test_an_account_gets_its_id_from_its_role() -> None:
    more = {"external_id": "factory-7", "regions": ["us-east-1"], "maintenance_window": "nights"}
    assert read_accounts("patch_accounts", [{**SALES, **more}]) == [{**SETTING, **more}]


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
def test_roles_of_all_partitions(partition: str) -> None:
    (account,) = read_accounts("patch_accounts", [{**SALES, "role_arn": ROLE.replace("arn:aws:", f"arn:{partition}:")}])
    assert account["id"] == "210987654321"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("sales", "list of mappings"),
        (["sales"], r"patch_accounts\[0\].*list of mappings"),
        ([{"name": "sales"}], r"patch_accounts\[0\].role_arn"),
        ([{"role_arn": ROLE}], r"patch_accounts\[0\].name"),
        ([{**SALES, "role_arn": "arn:aws:iam::2109:role/x"}], "ARN of a role"),
        ([{**SALES, "role_arn": "PatchFleet-controller"}], "ARN of a role"),
        ([{**SALES, "external": "x"}], "Did you mean external_id"),
        ([{**SALES, "regions": "us-east-1"}], "list of regions"),
        ([{**SALES, "role_arn": "arn:aws:iam::210987654321:user/x"}], "ARN of a role"),
        ([{**SALES, "role_arn": "arn:aws:sts::210987654321:assumed-role/x/y"}], "ARN of a role"),
        ([{**SALES, "role_arn": "arn:aws:iam:eu-central-1:210987654321:role/x"}], "ARN of a role"),
        ([{**SALES, "role_arn": f"{ROLE} "}, SALES], "Each name"),
        ([{**SALES, "name": "310987654321"}], "id of another account; this one is 210987654321"),
        ([{**SALES, "name": "two\nlines"}], "one line"),
        ([{**SALES, "name": "x" * 65}], "one line"),
        ([{**SALES, "external_id": "x"}], r"patch_accounts\[0\].external_id.*2 to 1,224"),
        ([{**SALES, "external_id": "x" * 1225}], "2 to 1,224"),
        ([{**SALES, "external_id": "with blank"}], "2 to 1,224"),
        ([{**SALES, "external_id": "fabrik-ü"}], "2 to 1,224"),
        ([{**SALES, "external_id": 123}], "in quotes"),
        ([{**SALES, "regions": []}], r"patch_accounts\[0\].regions.*must name a region"),
        ([{**SALES, "regions": [""]}], "name of a region"),
        ([{**SALES, "regions": ["eu-central-1a"]}], "name of a region"),
        ([{**SALES, "regions": ["Frankfurt"]}], "name of a region"),
        ([SALES, {**SALES, "role_arn": ROLE.replace("2109", "3109")}], "Each name"),
        ([SALES, {**SALES, "name": "other"}], "Each account"),
    ],
)
def test_what_cannot_be_right_is_refused_by_its_name(given: Any, words: str) -> None:
    with pytest.raises(InvalidOption, match=words):
        read_accounts("patch_accounts", given)


CHINESE = ROLE.replace("arn:aws:", "arn:aws-cn:")


@pytest.mark.parametrize(
    ("accounts", "regions", "words"),
    [
        (
            [{**SALES, "role_arn": CHINESE}],
            ["eu-central-1"],
            "patch_regions: 'eu-central-1'.*partition aws, and the role",
        ),
        (
            [{**SALES, "regions": ["cn-north-1"]}],
            [],
            r"patch_accounts\[0\].regions: 'cn-north-1'.*aws-cn, and the role",
        ),
        ([{**SALES, "regions": ["us-gov-west-1"]}], [], "partition aws-us-gov, and the role is of aws"),
        (
            [SALES, {"name": "plant", "role_arn": CHINESE.replace("2109", "3109")}],
            [],
            r"patch_accounts\[1\].role_arn.*first role is of the partition aws",
        ),
    ],
)
def test_a_role_of_another_partition_is_refused_by_its_name(accounts: Any, regions: list[str], words: str) -> None:
    with pytest.raises(InvalidOption, match=words):
        check_together(read({"patch_accounts": accounts, "patch_regions": regions}), 5, START)


@pytest.mark.parametrize(
    ("partition", "region"),
    [("aws", "eu-central-1"), ("aws-cn", "cn-northwest-1"), ("aws-us-gov", "us-gov-east-1"), ("aws", "us-east-1")],
)
def test_a_role_and_regions_of_one_partition_go_together(partition: str, region: str) -> None:
    account = {**SALES, "role_arn": ROLE.replace("arn:aws:", f"arn:{partition}:"), "external_id": "a.b:c/d@e=f,g+h-1_"}
    check_together(read({"patch_accounts": [account], "patch_regions": [region]}), 5, START)


def test_credentials_of_another_partition_are_refused_before_a_role_is_assumed(
    stage: Stage, sales: FakeAccount
) -> None:
    chinese = {**CALLER, "Arn": "arn:aws-cn:sts::123456789012:assumed-role/controller/run"}
    stage.account.on("get_caller_identity", chinese)
    with pytest.raises(InvalidOption, match="credentials are of the partition aws-cn"):
        find(stage, tag_key="PatchGroup", tag_value="Windows")
    assert sales.calls == []


# Discovery


def test_hosts_are_found_in_all_accounts_and_know_theirs(stage: Stage, sales: FakeAccount) -> None:
    found = find(stage, tag_key="PatchGroup", tag_value="Windows")
    assert {host["key"]: host["account"]["id"] for host in found["hosts"]} == {
        ID: "123456789012",
        "i-0aaaaaaaaaaaaaaaa": "210987654321",
    }
    assert [call.operation for call in sales.calls].count("get_caller_identity") == 1


def test_an_account_may_have_regions_of_its_own(stage: Stage, sales: FakeAccount) -> None:
    find(stage, tag_key="PatchGroup", tag_value="Windows", accounts=[{**SETTING, "regions": ["us-east-1"]}])
    assert {call.region for call in sales.of("describe_instances")} == {"us-east-1"}
    assert {call.region for call in stage.account.of("describe_instances")} == {"eu-central-1"}


@pytest.mark.parametrize("word", ["sales", "210987654321"])
def test_a_host_of_the_inventory_is_searched_in_its_account_only(stage: Stage, sales: FakeAccount, word: str) -> None:
    entry = {"name": "web", "instance_id": "i-0aaaaaaaaaaaaaaaa", "account": word, "region": "eu-central-1"}
    (host,) = find(stage, inventory_hosts=[entry])["hosts"]
    assert (host["state"], host["account"]["id"]) == ("stopped", "210987654321")
    assert stage.account.of("describe_instances") == []


def test_a_host_of_the_inventory_without_an_account_is_searched_in_all(stage: Stage, sales: FakeAccount) -> None:
    entry = {"name": "web", "instance_id": "i-0aaaaaaaaaaaaaaaa"}
    stage.account.on("describe_instances", reservations())
    (host,) = find(stage, inventory_hosts=[entry])["hosts"]
    assert host["account"]["id"] == "210987654321"


def test_a_host_of_an_account_that_is_not_given_is_left_out_by_name(stage: Stage, sales: FakeAccount) -> None:
    entry = {"name": "web", "instance_id": ID, "account": "999999999999"}
    (host,) = find(stage, inventory_hosts=[entry])["hosts"]
    assert host["exclusion_code"] == "instance_gone"
    assert "999999999999" in host["exclusion_reason"]
    assert sales.of("describe_instances") == []


def test_a_role_that_may_not_be_assumed_ends_the_search(stage: Stage, sales: FakeAccount) -> None:
    sales.on("get_caller_identity", client_error("AccessDenied", "not authorized: sts:AssumeRole", "AssumeRole"))
    with pytest.raises(
        PatchFleetError, match=r"sales \(210987654321\) cannot be assumed.*sts:AssumeRole.*AccessDenied"
    ):
        find(stage, tag_key="PatchGroup", tag_value="Windows")
    assert stage.account.of("describe_instances") == []


def test_such_an_account_is_left_out_where_the_user_says_so(stage: Stage, sales: FakeAccount) -> None:
    sales.on("get_caller_identity", client_error("AccessDenied", "", "AssumeRole"))
    entry = {"name": "web", "instance_id": "i-0aaaaaaaaaaaaaaaa", "account": "sales"}
    found = find(stage, tag_key="PatchGroup", tag_value="Windows", inventory_hosts=[entry], missing_accounts_ok=True)
    assert [host["key"] for host in found["hosts"]] == [ID]
    assert [account["name"] for account in found["missing_accounts"]] == ["sales"]


NOT_ENABLED = client_error("AuthFailure", "AWS was not able to validate the provided access credentials")


def test_a_region_that_is_not_enabled_ends_the_search_with_the_words_of_aws(stage: Stage, sales: FakeAccount) -> None:
    sales.on("describe_instances", NOT_ENABLED)
    words = (
        r"region eu-central-1 of account sales \(210987654321\) cannot be searched.*AuthFailure.*Nothing was touched"
    )
    with pytest.raises(PatchFleetError, match=words):
        find(stage, tag_key="PatchGroup", tag_value="Windows")


@pytest.mark.usefixtures("sales")
def test_a_mistyped_region_is_named_with_the_nearest(stage: Stage) -> None:
    """An endpoint of a private network, or a proxy, answers for any name, and AWS refuses the call."""
    stage.account.on("describe_instances", NOT_ENABLED)
    with pytest.raises(
        PatchFleetError, match=r"eu-centrall-1 .*cannot be searched.*did you mean eu-central-1\?.*AuthFailure"
    ):
        find(stage, tag_key="PatchGroup", tag_value="Windows", regions=["eu-centrall-1"])


def test_such_a_region_is_left_out_where_the_user_says_so(stage: Stage, sales: FakeAccount) -> None:
    def answer(**_request: Any) -> Any:
        return (
            NOT_ENABLED
            if sales.calls[-1].region == "us-east-1"
            else reservations(instance("stopped", InstanceId="i-0a"))
        )

    sales.on("describe_instances", answer)
    accounts = [{**SETTING, "regions": ["us-east-1", "eu-central-1"]}]
    entry = {"name": "web", "instance_id": "i-0b", "account": "sales", "region": "us-east-1"}
    found = find(
        stage,
        tag_key="PatchGroup",
        tag_value="Windows",
        accounts=accounts,
        inventory_hosts=[entry],
        missing_accounts_ok=True,
    )
    assert [(one["name"], one["region"]) for one in found["missing_accounts"]] == [("sales in us-east-1", "us-east-1")]
    assert {host["key"] for host in found["hosts"]} == {ID, "i-0a"}
    assert [call.region for call in sales.of("describe_instances")].count("us-east-1") == 1


@pytest.mark.parametrize("operation", ["get_caller_identity", "describe_instances"])
def test_credentials_that_have_ended_make_no_account_missing(stage: Stage, sales: FakeAccount, operation: str) -> None:
    sales.on(operation, client_error("ExpiredToken"))
    with pytest.raises(PatchFleetError, match="expired"):
        find(stage, tag_key="PatchGroup", tag_value="Windows", missing_accounts_ok=True)


def test_the_credentials_own_account_is_refused(stage: Stage, sales: FakeAccount) -> None:
    own = {**SETTING, "id": "123456789012"}
    with pytest.raises(InvalidOption, match="credentials are of this account"):
        find(stage, tag_key="PatchGroup", tag_value="Windows", accounts=[own])


# What the run keeps


def test_a_task_for_a_host_gets_its_account() -> None:
    planned = {"key": ID, "instance_id": ID, "region": "eu-central-1", "fence": 7, "account": OPTION}
    options = tracking_options(instance_power.OPERATION, {}, {"patch__run_id": RUN, "patch__host": planned})
    assert options["account"] == OPTION


def test_an_operation_calls_the_account_of_its_host(stage: Stage, sales: FakeAccount) -> None:
    context = stage.context(host_admission.OPERATION, run_id=RUN, host=ID, account=OPTION)
    assert describe_instance(context.aws, "i-0aaaaaaaaaaaaaaaa")
    assert [call.operation for call in sales.calls] == ["describe_instances"]
    assert stage.account.calls == []
    assert sales.session_name == f"patchfleet-{RUN}"


def test_account_and_role_are_in_the_ledger_before_a_start(stage: Stage, sales: FakeAccount) -> None:
    stage.open_run(dataclasses.replace(a_host(), facts={"account": OPTION}))
    stage.account.on("describe_instances", reservations(instance("stopped")))
    host_admission.OPERATION.work(stage.context(host_admission.OPERATION, run_id=RUN, host=ID))
    record = stage.ledger.power(ID)
    assert record is not None
    assert record.account == OPTION


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_power_record_keeps_the_account(tmp_path: Path, backend: str) -> None:
    open_again = BACKENDS[backend](tmp_path)
    ledger = open_again()
    ledger.open_run(a_run(), [a_host()], take_over=False)
    record = PowerRecord(ID, ID, "eu-central-1", "dev-01", "stopped", START, RUN, account=OPTION)
    ledger.record_power(record)
    assert open_again().power(ID) == record
    assert open_again().open_power() == [record]


def test_restore_gets_the_account_from_the_power_record(stage: Stage) -> None:
    stage.open_run()
    stage.ledger.record_power(
        PowerRecord(ID, ID, "eu-central-1", "dev-01", "stopped", START, RUN, account=OPTION), fence=1
    )
    context = stage.context(run_recovery.OPERATION, state="open_hosts", take_over=True)
    (host,) = open_hosts(context)["hosts"]
    assert host["account"] == OPTION


def test_plan_and_report_name_account_and_missing_accounts(stage: Stage, sales: FakeAccount) -> None:
    missing = [{"name": "lost", "id": "410987654321", "reason": "The role of the account lost cannot be assumed."}]
    stage.ledger.open_run(
        a_run(targets={"missing_accounts": ["lost"]}),
        [dataclasses.replace(a_host(), facts={"account": OPTION})],
        take_over=False,
    )
    report = build_report(stage.ledger, RUN, START)
    assert report["hosts"][0]["account"] == "210987654321"
    assert report["targets"]["missing_accounts"] == ["lost"]
    context = stage.context(patch_run.OPERATION, state="listed", missing_accounts=missing)
    assert context.params["missing_accounts"] == missing


# The session


def assumed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, now: Any, **more: Any) -> tuple[Any, list[dict[str, Any]]]:
    """A client with an assumed role, and what was asked of STS for it."""
    for name in ("AWS_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none")) if name != "AWS_PROFILE" else monkeypatch.delenv(name, False)
    asked: list[dict[str, Any]] = []

    def answer(fetcher: Any) -> dict[str, Any]:
        asked.append(dict(fetcher._assume_kwargs))  # noqa: SLF001 - no other place has them
        end = datetime.fromtimestamp(now() + 3600, UTC)
        keys = {"AccessKeyId": f"ASIA{len(asked)}", "SecretAccessKey": "x", "SessionToken": "t"}
        return {"Credentials": {**keys, "Expiration": end}}

    monkeypatch.setattr(botocore.credentials.AssumeRoleCredentialFetcher, "_get_credentials", answer)
    base = OptionsConnection({"access_key": "AKIAEXAMPLE", "secret_key": "x", "region": "eu-central-1"})
    account = Account("210987654321", "sales", ROLE, **more)
    return base.assume(account, "patchfleet-run", now), asked


def signed_with(client: Any) -> str:
    url = client.generate_presigned_url("get_caller_identity")
    return str(parse_qs(urlsplit(url).query)["X-Amz-Credential"][0].split("/")[0])


def test_a_role_is_assumed_once_and_again_before_its_session_ends(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By the clock of the run: a chained session lasts an hour, and a run may last a night."""
    time = [START]
    connection, asked = assumed(monkeypatch, tmp_path, lambda: time[0], external_id="factory-7")
    client = connection.client("sts", "eu-central-1")
    assert asked == []
    assert [signed_with(client), signed_with(client)] == ["ASIA1", "ASIA1"]
    assert asked == [{"RoleArn": ROLE, "RoleSessionName": "patchfleet-run", "ExternalId": "factory-7"}]
    time[0] += 3500
    assert signed_with(client) == "ASIA2"


def test_a_second_caller_in_the_account_uses_the_same_session(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    connection, asked = assumed(monkeypatch, tmp_path, lambda: START)
    again = connection.assume(Account("210987654321", "sales", ROLE), "patchfleet-run", lambda: START)
    assert [signed_with(one.client("sts", "eu-central-1")) for one in (connection, again)] == ["ASIA1", "ASIA1"]
    assert len(asked) == 1


def test_an_option_without_a_role_is_the_account_of_the_credentials(stage: Stage) -> None:
    own = account_from({"id": "123456789012"})
    assert stage.aws.at(own, "eu-central-1") is stage.aws
    assert stage.aws.at(None, None) is stage.aws
    assert account_from(None) is None
