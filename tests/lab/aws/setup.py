# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The account as `setup_aws` leaves it: the collection's own stack, whose policies then hold for the controller.

So a right that the template forgets is missing in every scenario, as it would be in AWS.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from lab.aws.arns import ACCOUNT_ID, Arns
from lab.aws.cloudformation.checks import PATCH_GROUP
from lab.aws.cloudformation.stacks import Stacks
from lab.aws.moto_tables import named_tables
from lab.aws.right_parts import key_arn
from lab.aws.roles import BEFORE
from lab.scenario import HostSpec, Member, Scenario

REGION = "eu-central-1"
TEMPLATE = Path(__file__).parents[3] / "roles" / "aws_prerequisites" / "files" / "patchfleet.template"
NO_RUN_TEMPLATE = TEMPLATE.with_name("no_run.template")
STACK = "patchfleet"
PREFIX = "PatchFleet"
STRANGER_ID = "999999999999"
"""Whom a role trusts that the controller may not assume."""
ORGANIZATION_ROLE = f"{PREFIX}-controller-{REGION}"
"""What patch_organization.role_name is in scenarios."""
MARK_TAG = "patchfleet:run"
"""What patch_mark_tag is in scenarios."""

EVENT_BUS = "default"
REPORT_BUCKET = "reports"
"""Into which the controller may write; a test makes it."""


def set_up(stacks: Stacks, scenario: Scenario, now: datetime) -> str:
    """Make a stack with all that it offers for each target tag; returns the name of the controller's role.

    The role of the first has the rights of all, and all have the ledger of the first.
    """
    home = scenario.account.region
    named = named_tables(scenario)
    table = named[0][0] if named else "create"
    common = _common(stacks, home, scenario.hosts)
    members = [Arns(member.id, stacks.arns.partition) for member in scenario.account.accounts]
    assumed = [
        arns.role(f"{PREFIX}-controller-{member.region}")
        for arns, member in zip(members, scenario.account.accounts, strict=True)
    ]
    common["AccountRoles"] = ",".join(assumed)
    common["OrganizationRole"] = ORGANIZATION_ROLE
    role = ""
    groups: set[str] = set()
    for number, (key, value) in enumerate(scenario.account.target_tags, 1):
        baseline = bool(PATCH_GROUP.fullmatch(value)) and value not in groups
        groups.add(value)
        given = {**common, "TagKey": key, "TagValue": value, "PatchBaseline": "create" if baseline else "none"}
        given["LedgerTable"] = table
        if number > 1:
            more = {"Prefix": f"{PREFIX}{number}", "LogGroup": "none", "ControllerRoles": role}
            given |= {**more, "LedgerTable": f"{PREFIX}-ledger" if table == "create" else table}
        stack = stacks.create(home, STACK if number == 1 else f"{STACK}{number}", _body(), given, [], now)
        role = role or stack.resources["ControllerRole"].physical_id
    make_message(stacks, home, role, now)
    return role


def make_message(stacks: Stacks, home: str, role: str, now: datetime) -> None:
    """The stack of the message that no run was closed."""
    given = {"Days": "35", "TopicArn": stacks.arns.of("sns", home, "operators"), "ControllerRoles": role}
    stacks.create(home, f"{STACK}-no-run", NO_RUN_TEMPLATE.read_text(encoding="utf-8"), given, [], now)


def set_up_member(stacks: Stacks, scenario: Scenario, member: Member) -> None:
    """The same in a further account, whose role the controller of the first may assume, or may not."""
    trusted = Arns(ACCOUNT_ID if member.assume == "ok" else STRANGER_ID, stacks.arns.partition)
    given = {
        **_common(stacks, member.region, scenario.hosts),
        "ControllerPrincipals": trusted.of("iam", "", "root"),
        "ControllerExternalId": member.external_id,
        "LedgerTable": "create",
    }
    stacks.create(member.region, STACK, _body(), given, [], scenario.start)


def _common(stacks: Stacks, home: str, hosts: Sequence[HostSpec]) -> dict[str, str]:
    """The rights hold in each region in which any account has hosts: a run searches all accounts in all of its regions."""
    regions = sorted({home, *(host.region for host in hosts)})
    return {
        "Regions": ",".join(regions),
        "ControllerPrincipals": stacks.arns.of("iam", "", "root"),
        "KmsKeyArns": ",".join(key_arn(stacks.arns, region) for region in regions),
        "CheckedRoleArns": ",".join((stacks.arns.role(BEFORE), stacks.arns.profile(BEFORE))),
        "AllowSnapshots": "true",
        "AllowRollBack": "true",
        "MarkTag": MARK_TAG,
        "OutcomeTags": "true",
        "EventBus": EVENT_BUS,
        "ReportBucket": REPORT_BUCKET,
        "StopAlarms": "all",
        "DeadManSwitch": "true",
    }


def _body() -> str:
    return TEMPLATE.read_text(encoding="utf-8")


def with_everything() -> Iterator[Stacks]:
    """The stack with all that it can hold, once for each kind of start by its window."""
    given = {
        "ControllerPrincipals": Arns().of("iam", "", "root"),
        "ControllerOnEc2": "true",
        "KmsKeyArns": key_arn(Arns(), REGION),
        "AccountRoles": Arns(STRANGER_ID).role("other"),
        "OrganizationRole": ORGANIZATION_ROLE,
        "CheckedRoleArns": Arns().role("hosts/*"),
        "AllowSnapshots": "true",
        "AllowRollBack": "true",
        "MarkTag": MARK_TAG,
        "OutcomeTags": "true",
        "EventBus": EVENT_BUS,
        "ReportBucket": REPORT_BUCKET,
        "StopAlarms": "all",
        "CommandOutputToLogs": "true",
        "DeadManSwitch": "true",
        "LedgerTable": "create",
        "PlaybookBucket": "playbooks",
    }
    for start_by in (
        {"StartRunBy": "controller-node", "PlaybookSource": "{...}"},
        {"StartRunBy": "awx", "AwxToken": "secret"},
    ):
        stacks = Stacks()
        stacks.create(REGION, STACK, _body(), {**given, **start_by}, [], datetime.now(UTC))
        yield stacks
