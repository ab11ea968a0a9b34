# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The account as `setup_aws` leaves it: the collection's own stack, whose policies then hold for the controller.

So a right that the template forgets is missing in every scenario, as it would be in AWS.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from lab.aws.arns import Arns
from lab.aws.cloudformation.checks import PATCH_GROUP
from lab.aws.cloudformation.stacks import Stacks
from lab.aws.moto_tables import named_tables
from lab.aws.rights import key_arn
from lab.scenario import Scenario

REGION = "eu-central-1"
TEMPLATE = Path(__file__).parents[3] / "roles" / "aws_prerequisites" / "files" / "patchfleet.yaml"
STACK = "patchfleet"
PREFIX = "PatchFleet"
MARK_TAG = "patchfleet:run"
"""What patch_mark_tag is in scenarios."""


def set_up(stacks: Stacks, scenario: Scenario, now: datetime) -> str:
    """Make a stack with all that it offers for each target tag; returns the name of the controller's role.

    The role of the first has the rights of all, and all have the ledger of the first.
    """
    account = scenario.account
    regions = sorted({account.region, *(host.region for host in scenario.hosts)})
    common = {
        "Regions": ",".join(regions),
        "ControllerPrincipals": stacks.arns.of("iam", "", "root"),
        "KmsKeyArns": ",".join(key_arn(stacks.arns, region) for region in regions),
        "AllowSnapshots": "true",
        "MarkTag": MARK_TAG,
        "DeadManSwitch": "true",
    }
    named = named_tables(scenario)
    table = named[0][0] if named else "create"
    body = TEMPLATE.read_text(encoding="utf-8")
    role = ""
    groups: set[str] = set()
    for number, (key, value) in enumerate(account.target_tags, 1):
        baseline = bool(PATCH_GROUP.fullmatch(value)) and value not in groups
        groups.add(value)
        given = {**common, "TagKey": key, "TagValue": value, "PatchBaseline": "create" if baseline else "none"}
        given["LedgerTable"] = table
        if number > 1:
            more = {"Prefix": f"{PREFIX}{number}", "LogGroup": "none", "ControllerRoles": role}
            given |= {**more, "LedgerTable": f"{PREFIX}-ledger" if table == "create" else table}
        stack = stacks.create(account.region, STACK if number == 1 else f"{STACK}{number}", body, given, [], now)
        role = role or stack.resources["ControllerRole"].physical_id
    return role


def with_everything() -> Iterator[Stacks]:
    """The stack with all that it can hold, once for each way in which its window may start a run."""
    given = {
        "ControllerPrincipals": Arns().of("iam", "", "root"),
        "ControllerOnEc2": "true",
        "KmsKeyArns": key_arn(Arns(), REGION),
        "AllowSnapshots": "true",
        "MarkTag": MARK_TAG,
        "CommandOutputToLogs": "true",
        "DeadManSwitch": "true",
        "LedgerTable": "create",
        "PlaybookBucket": "playbooks",
    }
    for way in (
        {"StartRunBy": "controller-node", "PlaybookSource": "{...}"},
        {"StartRunBy": "awx", "AwxToken": "secret"},
    ):
        stacks = Stacks()
        stacks.create(REGION, STACK, TEMPLATE.read_text(encoding="utf-8"), {**given, **way}, [], datetime.now(UTC))
        yield stacks
