# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Causes that would meet every other host too, and so end a run at once, however much of the failure budget is left.

An update after which Windows does not boot, an update source that no host reaches, a right that every host needs: more hosts
would only fail too. A budget of 100 % tolerates these as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from .._ledger.records import Host
from .._model.outcomes import FAILURES
from .._model.phases import AFTER_UPDATES
from .._model.reasons import Reason

LOST = frozenset({Reason.AGENT_LOST, Reason.UNREACHABLE})
"""Reasons of a host that does not answer any more."""
NO_SOURCE = frozenset(
    {
        Reason.UPDATE_SOURCE_UNREACHABLE,
        Reason.UPDATE_PROXY,
        Reason.UPDATE_SOURCE_FAILED,
        Reason.UPDATE_SOURCE_FORBIDDEN,
    }
)
HOSTS_WITHOUT_SOURCE = 3
"""This number of hosts without a source, and none with one, is not the hosts' own fault."""
HOSTS_DENIED = 2
"""One may have lost the tag on which the right is conditioned."""
NEEDED_BY_ALL = frozenset(
    {
        "ec2:DescribeInstances",
        "ec2:StartInstances",
        "ec2:StopInstances",
        "ssm:DescribeInstanceInformation",
        "ssm:SendCommand",
        "ssm:ListCommands",
        "ssm:ListCommandInvocations",
        "ssm:GetCommandInvocation",
        "ssm:DescribeInstancePatchStates",
        "ssm:DescribeInstancePatches",
    }
)
"""IAM actions without which no host can be patched and put back."""


def spends_budget(host: Host) -> bool:
    """Whether the host failed, and not because another user or service deleted, restarted, untagged or claimed it.

    Credentials that end say nothing of the updates either: without others the next admission names them as the cause.
    """
    return host.outcome in FAILURES and not (host.reason_code and host.reason_code.is_external)


class BreakerCode(Enum):
    """Why a run starts no other host."""

    CANARY_FAILED = "canary_failed"
    CANARY_NOT_PATCHED = "canary_not_patched"
    BUDGET_SPENT = "budget_spent"
    NOT_BOOTED = "not_booted"
    NO_SOURCE = "no_source"
    RIGHT_MISSING = "right_missing"
    ACCOUNT_RIGHT_MISSING = "account_right_missing"
    ACCOUNT_BUDGET_SPENT = "account_budget_spent"


@dataclass(frozen=True)
class BreakerCause:
    """Why a run starts no other host; _run/messages.py makes the sentence.

    Attributes:
        code: the kind of cause.
        hosts: the names of the hosts that show it.
        action: the IAM action that AWS refused (``right_missing``, ``account_right_missing``).
        failures: the number of hosts that failed (``budget_spent``, ``account_budget_spent``).
        budget: the number that patch_failure_budget or patch_account_failure_budget tolerates (likewise).
        account: the name of the account, where the others continue.
    """

    code: BreakerCode
    hosts: tuple[str, ...] = ()
    action: str | None = None
    failures: int = 0
    budget: int = 0
    account: str = ""


def common_cause(failures: Sequence[Host], *, any_proven: bool, several_accounts: bool = False) -> BreakerCause | None:
    """A cause that every other host would meet, too, if the run's hosts so far show one.

    Args:
        failures: the hosts that failed or are held.
        any_proven: whether the state of a host was proven.
        several_accounts: whether the hosts are in more than one account. A right is then missing in one account only.
    """
    failed = [host for host in failures if host.wave is not None]
    return (
        _not_booted(failed)
        or (None if any_proven else _no_source(failed))
        or (None if several_accounts else right_missing(failed))
    )


def _not_booted(failed: Sequence[Host]) -> BreakerCause | None:
    lost = [host.name for host in failed if host.phase in AFTER_UPDATES and host.reason_code in LOST]
    return BreakerCause(BreakerCode.NOT_BOOTED, (lost[0],)) if lost else None


def _no_source(failed: Sequence[Host]) -> BreakerCause | None:
    without = [host.name for host in failed if host.reason_code in NO_SOURCE]
    return BreakerCause(BreakerCode.NO_SOURCE, tuple(without)) if len(without) >= HOSTS_WITHOUT_SOURCE else None


def right_missing(failed: Sequence[Host], account: str = "") -> BreakerCause | None:
    """The right that several hosts of one account were refused, and that all of its hosts need."""
    denied: dict[str, list[str]] = {}
    for host in failed:
        action = host.facts.get("denied_action")
        if host.wave is not None and action in NEEDED_BY_ALL:
            denied.setdefault(action, []).append(host.name)
    for action, names in denied.items():
        if len(names) >= HOSTS_DENIED:
            code = BreakerCode.ACCOUNT_RIGHT_MISSING if account else BreakerCode.RIGHT_MISSING
            return BreakerCause(code, tuple(names), action=action, account=account)
    return None
