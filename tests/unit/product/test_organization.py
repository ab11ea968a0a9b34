# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Accounts of AWS Organizations: which are searched, which are left out, and what is refused before anything is touched."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import InvalidOption, PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._modules import fleet_info, run_recovery
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.organization import read_organization
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.variables import check_together, read
from botocore_fields import NEEDS_ACCOUNT_STATE
from operations import perform

from .fakes import START, FakeAccount, client_error, instance, listed, reservations
from .stage import CALLER, Stage
from .test_accounts import SALES as SALES_ENTRY
from .test_accounts import SETTING
from .test_run_open import OFF, all_rights, run

__all__ = ["all_rights"]

ROLE_NAME = "PatchFleet-controller-eu-central-1"
ROOT, TOP, NESTED = "r-ab12", "ou-ab12-toplevel", "ou-ab12-nested00"
GIVEN = {"role_name": ROLE_NAME, "units": [ROOT]}
WANTED = {**GIVEN, "regions": [], "exclude": []}
HUB, SALES, PLANT, OLD, NEW = ("123456789012", "210987654321", "310987654321", "410987654321", "510987654321")


def account(key: str, name: str, state: str | None = "ACTIVE", status: str = "ACTIVE") -> dict[str, str]:
    return {"Id": key, "Name": name, "Status": status, **({"State": state} if state else {})}


ACCOUNTS = {
    ROOT: [account(HUB, "hub")],
    TOP: [account(SALES, "sales", None), account(OLD, "old", "SUSPENDED")],
    NESTED: [account(PLANT, "plant"), account(NEW, "new", None, "PENDING_CLOSURE")],
}
UNITS = {ROOT: [TOP], TOP: [NESTED], NESTED: []}


@pytest.fixture
def organization(stage: Stage) -> Stage:
    """The organization answers one row a page, after an empty page; its active accounts have an instance each."""

    def paged(name: str, rows: list[Any], token: str | None) -> dict[str, Any]:
        at = int(token or 0)
        more = {"NextToken": str(at + 1)} if at < len(rows) else {}
        return {name: rows[at - 1 : at] if at else [], **more}

    def accounts(*, ParentId: str, NextToken: str | None = None) -> dict[str, Any]:  # noqa: N803
        return paged("Accounts", ACCOUNTS[ParentId], NextToken)

    def units(*, ParentId: str, NextToken: str | None = None) -> dict[str, Any]:  # noqa: N803
        return paged("OrganizationalUnits", [{"Id": unit} for unit in UNITS[ParentId]], NextToken)

    stage.account.on("list_accounts_for_parent", accounts)
    stage.account.on("list_organizational_units_for_parent", units)
    for number, key in enumerate((HUB, SALES, PLANT)):
        there = stage.account if key == HUB else FakeAccount(stage.clock)
        if key != HUB:
            stage.account.accounts[key] = there
        there.on("get_caller_identity", {**CALLER, "Account": key})
        there.on("describe_instances", reservations(instance("stopped", InstanceId=f"i-{number:017x}")))
        there.on("describe_instance_information", listed())
        there.on("describe_instance_attribute", {"DisableApiStop": {"Value": False}})
    return stage


def find(stage: Stage, **wanted: Any) -> dict[str, Any]:
    given = {"organization": {**WANTED, **wanted}, "regions": ["eu-central-1"]}
    accounts = given["organization"].pop("accounts", [])
    params = {**given, "accounts": accounts, "tag_key": "PatchGroup", "tag_value": "Windows"}
    return dict(fleet_info.OPERATION.work(stage.context(fleet_info.OPERATION, **params)))


def accounts_of(found: dict[str, Any]) -> dict[str, str]:
    return {host["account"]["id"]: host["account"].get("role_arn") or "" for host in found["hosts"]}


# The variable


def test_an_organization_is_read_with_its_defaults() -> None:
    assert read_organization("patch_organization", GIVEN) == WANTED
    full = {"role_name": "team/role", "units": [TOP, TOP], "regions": ["us-east-1"], "exclude": ["old"]}
    assert read_organization("patch_organization", full) == {**full, "units": [TOP]}
    assert read_organization("patch_organization", {}) is None
    assert read({})["organization"] is None


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("r-ab12", "must be a mapping"),
        ({"units": [ROOT]}, "patch_organization.role_name.*name of a role"),
        ({**GIVEN, "role_name": "arn:aws:iam::210987654321:role/x"}, "name of a role"),
        ({**GIVEN, "role_name": "/x"}, "name of a role"),
        ({"role_name": ROLE_NAME}, "patch_organization.units.*list of texts"),
        ({**GIVEN, "units": []}, "patch_organization.units.*at least one"),
        ({**GIVEN, "units": ROOT}, "patch_organization.units.*list of texts"),
        ({**GIVEN, "units": ["Workloads"]}, "patch_organization.units: 'Workloads'.*ids of a root"),
        ({**GIVEN, "units": ["ou-ab12"]}, "ids of a root"),
        ({**GIVEN, "regions": []}, "patch_organization.regions.*must name a region"),
        ({**GIVEN, "exclude": [210987654321]}, "patch_organization.exclude.*quotes"),
        ({**GIVEN, "unit": ROOT}, "Did you mean units"),
    ],
)
def test_what_cannot_be_right_is_refused_by_its_name(given: Any, words: str) -> None:
    with pytest.raises(InvalidOption, match=words):
        read_organization("patch_organization", given)


@pytest.mark.parametrize("more", [{}, {"regions": ["eu-central-1", "cn-north-1"]}])
def test_regions_of_two_partitions_are_refused(more: dict[str, Any]) -> None:
    values = {"patch_organization": {**GIVEN, **more}, "patch_regions": ["eu-central-1", "us-gov-west-1"]}
    with pytest.raises(InvalidOption, match=r"another partition than eu-central-1"):
        check_together(read(values), 5, START)


# The accounts


@NEEDS_ACCOUNT_STATE
def test_active_accounts_of_nested_units_are_searched_and_the_others_named(organization: Stage) -> None:
    found = find(organization)
    role = f"arn:aws:iam::{{}}:role/{ROLE_NAME}"
    assert accounts_of(found) == {HUB: "", SALES: role.format(SALES), PLANT: role.format(PLANT)}
    assert found["left_out_accounts"] == [
        f"The account old ({OLD}) is left out: AWS Organizations says that it is SUSPENDED.",
        f"The account new ({NEW}) is left out: AWS Organizations says that it is PENDING_CLOSURE.",
    ]
    assert found["missing_accounts"] == []


@NEEDS_ACCOUNT_STATE
def test_a_unit_has_its_own_accounts_and_those_below_it(organization: Stage) -> None:
    assert set(accounts_of(find(organization, units=[NESTED]))) == {HUB, PLANT}
    assert set(accounts_of(find(organization, units=[TOP, NESTED]))) == {HUB, SALES, PLANT}


@NEEDS_ACCOUNT_STATE
@pytest.mark.parametrize("word", ["sales", SALES])
def test_an_account_may_be_left_out(organization: Stage, word: str) -> None:
    found = find(organization, exclude=[word])
    assert set(accounts_of(found)) == {HUB, PLANT}
    assert f"The account sales ({SALES}) is left out by patch_organization.exclude." in found["left_out_accounts"]


@NEEDS_ACCOUNT_STATE
def test_accounts_may_have_regions_of_their_own(organization: Stage) -> None:
    find(organization, regions=["us-east-1"])
    assert {call.region for call in organization.account.accounts[SALES].of("describe_instances")} == {"us-east-1"}
    assert {call.region for call in organization.account.of("describe_instances")} == {"eu-central-1"}


@NEEDS_ACCOUNT_STATE
def test_roles_are_of_the_partition_of_the_credentials(organization: Stage) -> None:
    chinese = {**CALLER, "Arn": "arn:aws-cn:sts::123456789012:assumed-role/controller/run"}
    organization.account.on("get_caller_identity", chinese)
    assert accounts_of(find(organization))[SALES] == f"arn:aws-cn:iam::{SALES}:role/{ROLE_NAME}"


def test_an_excluded_account_that_is_in_no_unit_is_refused(organization: Stage) -> None:
    with pytest.raises(InvalidOption, match=r"patch_organization.exclude: 'slaes'.*No account"):
        find(organization, exclude=["slaes"])


@NEEDS_ACCOUNT_STATE
def test_an_account_of_both_variables_is_refused(organization: Stage) -> None:
    with pytest.raises(InvalidOption, match=r"patch_accounts: 'sales'.*patch_organization has this account too"):
        find(organization, accounts=[SETTING])
    found = find(organization, accounts=[SETTING], exclude=["sales"])
    assert set(accounts_of(found)) == {HUB, SALES, PLANT}


def test_a_unit_that_does_not_exist_is_refused_with_the_words_of_aws(organization: Stage) -> None:
    missing = client_error(
        "ParentNotFoundException", "You specified a parent that doesn't exist.", "ListAccountsForParent"
    )
    organization.account.on("list_accounts_for_parent", missing)
    with pytest.raises(
        InvalidOption, match=r"patch_organization.units: 'r-ab12'.*specified a parent that doesn't exist"
    ):
        find(organization)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("AccessDeniedException", "You don't have permissions to access this resource."),
        ("AWSOrganizationsNotInUseException", "Your account is not a member of an organization."),
    ],
)
def test_credentials_that_may_not_list_end_the_search_before_anything(
    organization: Stage, code: str, message: str
) -> None:
    organization.account.on("list_accounts_for_parent", client_error(code, message, "ListAccountsForParent"))
    with pytest.raises(PatchFleetError, match=f"{message[:-1]}.*management account.*Nothing was touched") as caught:
        find(organization)
    assert code in caught.value.reason
    assert organization.account.of("describe_instances") == []
    assert all(account.calls == [] for account in organization.account.accounts.values())


def test_without_hosts_in_aws_nothing_is_listed(stage: Stage) -> None:
    params = {"organization": WANTED, "inventory_hosts": [{"name": "hall-1", "connection": "winrm"}]}
    found = fleet_info.OPERATION.work(stage.context(fleet_info.OPERATION, **params))
    assert [host["name"] for host in found["hosts"]] == ["hall-1"]
    assert stage.account.calls == []


@pytest.mark.usefixtures("all_rights")
def test_the_plan_names_accounts_that_are_left_out(stage: Stage) -> None:
    sentence = "The account old (410987654321) is left out: AWS Organizations says that it is SUSPENDED."
    planned = run(stage, "planned", OFF, left_out_accounts=[sentence])
    assert sentence in " ".join(line.strip() for line in planned["lines"])


def test_both_variables_may_be_given() -> None:
    settings = read({"patch_accounts": [SALES_ENTRY], "patch_organization": GIVEN})
    assert (len(settings["accounts"]), settings["organization"]) == (1, WANTED)


# A lost ledger


@NEEDS_ACCOUNT_STATE
def test_the_records_of_a_lost_ledger_are_searched_in_all_accounts(organization: Stage) -> None:
    organization.open_run()
    for account in (organization.account, *organization.account.accounts.values()):
        account.on("describe_instances", reservations())
    given = {"organization": WANTED, "regions": ["eu-central-1"], "from_account": "check", "mark_tag": "patchfleet:run"}
    context = organization.context(run_recovery.OPERATION, state="open_hosts", **given)
    searched = perform(run_recovery.OPERATION, context)["lines"][0]
    assert searched == (
        "Searched for the tag patchfleet:run: eu-central-1, eu-central-1 of account sales (210987654321), "
        "eu-central-1 of account plant (310987654321)."
    )
