# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Roll the template out to the accounts of an organization as a stack set, and take it away again.

Only setup_aws and teardown_aws call this, with the credentials of an administrator. The management account gets no stack by a
stack set with service-managed permissions (CloudFormation API reference, DeploymentTargets), and neither does the account of
the credentials: both have an ordinary one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .._aws.errors import AwsError
from .._base.commands import in_text, plain_command
from .._base.errors import Failed, PatchFleetError
from .._base.text import clean_text, join_sentences
from .._model.account import StackSetSetting
from .._model.reasons import Reason
from .._operation.context import OperationContext
from .._operation.results import Result
from .._plan.stack_set import OPTION, read_stack_set
from .stack_set_administrator import (
    UNCHANGED,
    Administrator,
    TargetAccount,
    accounts_of_units,
    administrator,
    refuse_regions,
)
from .stack_set_schedules import pending_schedules
from .template_parameters import parameter_names

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import (
        DeploymentTargetsTypeDef,
        StackInstanceSummaryTypeDef,
        StackSetOperationResultSummaryTypeDef,
        StackSetTypeDef,
    )

OPERATION_SECONDS = 7200.0
"""A stack needs some minutes; hundreds of accounts work side by side."""
ENDED = frozenset({"SUCCEEDED", "FAILED", "STOPPED"})
BUSY = frozenset({"OperationInProgressException", "StackSetNotEmptyException"})
"""One operation at a time; the list of stacks may be read a moment late."""
MASKED = "****"
"""The value of a parameter with NoEcho."""
TEMPLATE_VERSION = re.compile(r"TemplateVersion:\s*\{?\s*Value: ['\"]?([0-9.]+)")


class StackSetResult(Result):
    """``lines`` says to a person what was done or would be; ``uses`` are sentences about what still needs the stacks."""

    lines: list[str]
    uses: list[str]


@dataclass(frozen=True)
class _Plan:
    """What there is, and what is to be done. ``kept`` are the parameters that keep their values."""

    found: StackSetTypeDef | None
    instances: list[StackInstanceSummaryTypeDef]
    kept: list[str]
    changes: list[str]
    missing: list[tuple[TargetAccount, str]]

    @property
    def is_outdated(self) -> bool:
        """An earlier operation failed in an account; the next update tries again."""
        return any(row.get("Status") == "OUTDATED" for row in self.instances)

    @property
    def updates(self) -> bool:
        return self.found is not None and (bool(self.changes) or self.is_outdated)


def deploy(context: OperationContext) -> StackSetResult:
    """Make or update the stack set and its stacks.

    Raises:
        InvalidOption: a unit that there is not, or a region that is not enabled.
        Failed: the caller may not; or stacks have failed, each named with its account, region and AWS's reason.
    """
    setting = read_stack_set(OPTION, context.params["stack_set"])
    caller = administrator(context.aws, context.params["name"], "present")
    refuse_regions(context.aws, setting["regions"])
    accounts = accounts_of_units(context.aws, setting["units"])
    plan = _plan(context, caller, setting, accounts)
    unknown_drift: list[str] = []
    if plan.instances and not context.check_mode:
        plan, unknown_drift = _with_drift(context, caller, plan)
    lines = [*_planned_lines(caller, setting, accounts, plan), *unknown_drift]
    changed = plan.found is None or plan.updates or bool(plan.missing)
    if changed and not context.check_mode:
        results = _carry_out(context, caller, setting, plan)
        lines += [f"{_where(accounts, row)}: set up" for row in results if row.get("Status") == "SUCCEEDED"]
        _refuse_failed(accounts, results)
    _refuse_inoperable(accounts, plan)
    return {"changed": changed, "lines": lines, "uses": []}


def _plan(
    context: OperationContext, caller: Administrator, setting: StackSetSetting, accounts: Mapping[str, TargetAccount]
) -> _Plan:
    found = caller.calls.describe()
    if found is not None and found.get("PermissionModel") != "SERVICE_MANAGED":
        name = context.params["name"]
        sentence = f"There is a stack set {name} with the permissions of its own roles: it is none of this set-up."
        raise Failed(join_sentences(sentence, UNCHANGED), Reason.INVALID_OPTION)
    instances = caller.calls.instances() if found else []
    there = {(row.get("Account"), row.get("Region")) for row in instances}
    missing = [
        (account, region)
        for account in accounts.values()
        if account.is_active and account.id not in caller.without_stack
        for region in setting["regions"]
        if (account.id, region) not in there
    ]
    kept, changes = _changes(context, setting, found) if found else ([], [])
    return _Plan(found, instances, kept, changes, missing)


def _with_drift(context: OperationContext, caller: Administrator, plan: _Plan) -> tuple[_Plan, list[str]]:
    """The same with what others changed in the stacks, which AWS knows only after it compared them; why that is not known.

    Check mode shows what the last comparison found: a comparison is an operation of the stack set.
    """
    context.report_progress("asking CloudFormation whether others changed the stacks")
    try:
        _operate(context, caller, caller.calls.detect_drift)
        return replace(plan, instances=caller.calls.instances()), []
    except PatchFleetError as error:
        return plan, [f"whether others changed the stacks is not known: {error.reason}"]


def _changes(
    context: OperationContext, setting: StackSetSetting, found: StackSetTypeDef
) -> tuple[list[str], list[str]]:
    """The parameters that keep their values, and what changes, as text."""
    params, template = context.params, context.params["template"]
    _refuse_older_template(context, found)
    before = {str(one.get("ParameterKey")): str(one.get("ParameterValue")) for one in found.get("Parameters", [])}
    kept = [name for name in before if name in parameter_names(template) and name not in params["parameters"]]
    if params["reset"]:
        kept = []
    changes = ["the template"] if found.get("TemplateBody") != template else []
    for name, value in params["parameters"].items():
        if before.get(name) != value:
            hidden = before.get(name) == MASKED or name.endswith("Token")
            changes.append(f"the parameter {name}" if hidden else f"the parameter {name}: {before.get(name)} → {value}")
    changes += [
        f"the parameter {name}: the template's default"
        for name in before
        if params["reset"] and name not in params["parameters"]
    ]
    if found.get("AutoDeployment", {}).get("Enabled") is not setting["auto_deployment"]:
        changes.append("automatic deployment")
    return kept, changes


def _refuse_older_template(context: OperationContext, found: StackSetTypeDef) -> None:
    """It would take away rights that controllers with a newer release use."""
    there, ours = _version(found.get("TemplateBody", "")), _version(context.params["template"])
    if there > ours and not context.params["confirmed"]:
        sentence = (
            f"The stack set {context.params['name']} has version {'.'.join(map(str, there))} of the template, and this "
            f"release of the collection has the older version {'.'.join(map(str, ours))}. Install a newer release, or set "
            "aws_prerequisites_confirm_removal to true to go back."
        )
        raise Failed(join_sentences(sentence, UNCHANGED), Reason.INVALID_OPTION)


def _version(template: str) -> tuple[int, ...]:
    found = TEMPLATE_VERSION.search(template)
    return tuple(int(part) for part in found[1].split(".") if part) if found else (0,)


def _planned_lines(
    caller: Administrator, setting: StackSetSetting, accounts: Mapping[str, TargetAccount], plan: _Plan
) -> list[str]:
    automatic = "with" if setting["auto_deployment"] else "without"
    lines = [f"new stack set {caller.calls.name}, {automatic} automatic deployment"] if plan.found is None else []
    lines += [f"change: {change}" for change in plan.changes]
    lines += [f"{account} in {region}: new stack" for account, region in plan.missing]
    lines += [f"{account}: left out, for it is not ACTIVE" for account in accounts.values() if not account.is_active]
    if caller.account != caller.management:
        setup = in_text(plain_command("setup_aws", {}))
        lines.append(
            f"{caller.management}: the management account gets no stack here; run {setup} with its credentials"
        )
    for row in plan.instances:
        where = _where(accounts, row)
        if row.get("Status") == "OUTDATED":
            lines.append(f"{where}: tried again. {clean_text(row.get('StatusReason', ''))}".rstrip())
        if row.get("DriftStatus") == "DRIFTED":
            lines.append(f"{where}: drifted, it was changed by others")
        if row.get("Account") not in accounts or row.get("Region") not in setting["regions"]:
            lines.append(f"{where}: no longer in units and regions; its stack stays")
    return lines


def _where(
    accounts: Mapping[str, TargetAccount], row: StackInstanceSummaryTypeDef | StackSetOperationResultSummaryTypeDef
) -> str:
    identifier = row.get("Account", "")
    return f"{accounts.get(identifier, identifier)} in {row.get('Region')}"


def _carry_out(
    context: OperationContext, caller: Administrator, setting: StackSetSetting, plan: _Plan
) -> list[StackSetOperationResultSummaryTypeDef]:
    """What AWS says of each stack in the end, the newest operation last."""
    calls, params = caller.calls, context.params
    content = (params["template"], params["parameters"])
    results: list[StackSetOperationResultSummaryTypeDef] = []
    if plan.found is None:
        calls.create(*content, auto_deployment=setting["auto_deployment"])
    elif plan.updates:
        results += _operate(
            context, caller, lambda: calls.update(*content, plan.kept, auto_deployment=setting["auto_deployment"])
        )
    if plan.missing:
        targets: DeploymentTargetsTypeDef = {"OrganizationalUnitIds": setting["units"]}
        if caller.account != caller.management:
            targets = {**targets, "Accounts": [caller.account], "AccountFilterType": "DIFFERENCE"}
        regions = sorted({region for _account, region in plan.missing})
        results += _operate(context, caller, lambda: calls.create_instances(targets, regions))
    return results


def _operate(
    context: OperationContext, caller: Administrator, begin: Callable[[], str]
) -> list[StackSetOperationResultSummaryTypeDef]:
    """One operation from its beginning, which another one may delay, to its end.

    Raises:
        Failed: it does not end in OPERATION_SECONDS.
    """
    deadline = context.clock.now() + OPERATION_SECONDS
    identifier = context.wait(lambda: _unless_busy(begin), deadline)
    status = identifier and context.wait(lambda: _ended(caller.calls.status(identifier)), deadline)
    if not identifier or not status:
        which = f"The operation {identifier}" if identifier else "Another operation"
        raise Failed(f"{which} of the stack set {caller.calls.name} has not ended in time.", Reason.AWS_CLIENT)
    return list(caller.calls.results(identifier))


def _unless_busy(begin: Callable[[], str]) -> str | None:
    try:
        return begin()
    except AwsError as error:
        if error.aws_code not in BUSY:
            raise
        return None


def _ended(status: str) -> str | None:
    return status if status in ENDED else None


def _refuse_failed(
    accounts: Mapping[str, TargetAccount], results: Iterable[StackSetOperationResultSummaryTypeDef]
) -> None:
    """By the last result of each stack: an operation that AWS calls SUCCEEDED may hold failed ones."""
    last = {(row.get("Account"), row.get("Region")): row for row in results}
    failed = [row for row in last.values() if row.get("Status") in {"FAILED", "CANCELLED"}]
    if failed:
        sentences = [f"{_where(accounts, row)}: {clean_text(row.get('StatusReason', ''))}" for row in failed]
        raise Failed(f"{len(failed)} of {len(last)} stacks have failed. {' '.join(sentences)}", Reason.AWS_CLIENT)


def _refuse_inoperable(accounts: Mapping[str, TargetAccount], plan: _Plan) -> None:
    """No update reaches such a stack (user guide, "StackSets status codes")."""
    rows = [row for row in plan.instances if row.get("Status") == "INOPERABLE"]
    if rows:
        sentences = [f"{_where(accounts, row)}: {clean_text(row.get('StatusReason', ''))}" for row in rows]
        repair = "Remove each from the stack set with its stack retained, delete that stack in its account, and set up again."
        raise Failed(join_sentences("Stacks are INOPERABLE.", *sentences, repair), Reason.AWS_CLIENT)


def remove(context: OperationContext) -> StackSetResult:
    """Remove all stacks, then the stack set. Refused while a watchdog schedule is pending in any account.

    Raises:
        Failed: the caller may not, a schedule is pending or cannot be read, or stacks cannot be removed.
    """
    setting = read_stack_set(OPTION, context.params["stack_set"])
    caller = administrator(context.aws, context.params["name"], "absent")
    found = caller.calls.describe()
    if found is None:
        return {"changed": False, "lines": [], "uses": []}
    accounts = accounts_of_units(context.aws, setting["units"])
    instances = caller.calls.instances()
    uses = [] if context.params["anyway"] else pending_schedules(context, setting, found, instances, accounts)
    lines = [f"{_where(accounts, row)}: remove its stack" for row in instances]
    lines += [f"remove the stack set {caller.calls.name}"]
    if not context.check_mode:
        if uses:
            repair = "Put the hosts back first, or set aws_prerequisites_teardown_anyway to true."
            raise Failed(join_sentences(*uses, repair, UNCHANGED), Reason.INVALID_OPTION)
        _remove(context, caller, found, instances, accounts)
    return {"changed": True, "lines": lines, "uses": uses}


def _remove(
    context: OperationContext,
    caller: Administrator,
    found: StackSetTypeDef,
    instances: list[StackInstanceSummaryTypeDef],
    accounts: Mapping[str, TargetAccount],
) -> None:
    units = found.get("OrganizationalUnitIds") or [str(row.get("OrganizationalUnitId")) for row in instances]
    regions = sorted({str(row.get("Region")) for row in instances})
    if instances:
        _refuse_failed(
            accounts,
            _operate(context, caller, lambda: caller.calls.delete_instances(sorted(set(units)), regions)),
        )

    def deleted() -> str:
        caller.calls.delete()
        return "deleted"

    if context.wait(lambda: _unless_busy(deleted), context.clock.now() + OPERATION_SECONDS) is None:
        raise Failed(f"The stack set {caller.calls.name} still has stacks.", Reason.AWS_CLIENT)
