# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AWS Organizations in the lab: who may list its accounts, page by page, and what the template's rights reach."""

from __future__ import annotations

import pytest

from botocore_fields import NEEDS_ACCOUNT_STATE
from conftest import MakeLab
from lab.aws.organizations import ROOT, SERVERS, WINDOWS, OrganizationAccount
from test_accounts import ACCOUNTS, HOSTS, PLANT, SALES, Controller, role
from virtual_lab import error_of


@pytest.fixture
def controller(make_lab: MakeLab) -> Controller:
    return Controller(make_lab(*HOSTS, account={"accounts": ACCOUNTS}))


@NEEDS_ACCOUNT_STATE
def test_the_controllers_account_lists_units_and_accounts(controller: Controller) -> None:
    organizations = controller.lab.client("organizations", access_key="ASIAROLE")
    assert [it["Id"] for it in organizations.list_accounts_for_parent(ParentId=ROOT)["Accounts"]] == ["123456789012"]
    (unit,) = organizations.list_organizational_units_for_parent(ParentId=ROOT)["OrganizationalUnits"]
    assert unit["Id"] == SERVERS
    (unit,) = organizations.list_organizational_units_for_parent(ParentId=SERVERS)["OrganizationalUnits"]
    accounts = organizations.list_accounts_for_parent(ParentId=unit["Id"])["Accounts"]
    assert {(it["Id"], it["State"], it["Status"]) for it in accounts} >= {(SALES, "ACTIVE", "ACTIVE")}


def test_accounts_come_in_pages_of_twenty(controller: Controller) -> None:
    organization = controller.lab.play.account.organization
    assert organization is not None
    organization.accounts += [OrganizationAccount(f"{n:012}", f"a{n}", WINDOWS, None, "SUSPENDED") for n in range(30)]
    organizations = controller.lab.client("organizations", access_key="ASIAROLE")
    first = organizations.list_accounts_for_parent(ParentId=WINDOWS)
    assert len(first["Accounts"]) == 20
    second = organizations.list_accounts_for_parent(ParentId=WINDOWS, NextToken=first["NextToken"])
    assert (len(second["Accounts"]), "NextToken" in second, "State" in second["Accounts"][-1]) == (13, False, False)


def test_a_unit_that_is_not_there(controller: Controller) -> None:
    organizations = controller.lab.client("organizations")
    for operation in (organizations.list_accounts_for_parent, organizations.list_organizational_units_for_parent):
        assert error_of(operation, ParentId="ou-lab1-00000000") == "ParentNotFoundException"
        assert error_of(operation, ParentId="Workloads") == "InvalidInputException"


def test_a_member_may_not_list_and_a_delegated_administrator_may(controller: Controller) -> None:
    play = controller.lab.play
    play.account.estate[1].gate.admit_key("AKIASALES")
    organizations = controller.lab.client("organizations", access_key="AKIASALES")
    assert error_of(organizations.list_accounts_for_parent, ParentId=ROOT) == "AccessDeniedException"
    assert play.account.organization is not None
    play.account.organization.administrators.add(SALES)
    assert organizations.list_accounts_for_parent(ParentId=ROOT)["Accounts"]


def test_an_account_alone_is_in_no_organization(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "hub"})
    organizations = lab.client("organizations")
    assert error_of(organizations.list_accounts_for_parent, ParentId=ROOT) == "AWSOrganizationsNotInUseException"


def test_the_role_of_the_organization_is_assumed_in_its_accounts_only(controller: Controller) -> None:
    first, sales, plant = controller.lab.play.account.estate[:3]
    statements = first.stacks.statements_of_role(first.gate.role_of("ASIAROLE") or "")
    (ours,) = [it for it in statements if it.sid == "AccountsOfOrganization"]
    assert ours.resources == ("arn:aws:iam::*:role/PatchFleet-controller-eu-central-1",)
    controller.assume(role(SALES))
    assert any(used[1] == "AccountsOfOrganization" for used in first.gate.used)
    first.organization = None
    first.gate.used.clear()
    controller.assume(role(SALES))
    assert {used[1] for used in first.gate.used} == {"OtherAccounts"}
    assert (sales.arns.account_id, plant.arns.account_id) == (SALES, PLANT)
