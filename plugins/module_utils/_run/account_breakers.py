# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why no other host of one account starts, while the other accounts of the run continue.

Nothing of this is stored: the hosts that failed say it, and admission has read them for the breaker of the run anyway.
"""

from __future__ import annotations

from collections.abc import Sequence

from .._ledger.records import Host, Ledger, Run
from .._model.account import account_from
from .._plan.order import hosts_of_share
from .common_causes import BreakerCause, BreakerCode, right_missing, spends_budget
from .messages import breaker_reason
from .slices import failure_budget, is_named, slices, targets


def account_id(host: Host) -> str | None:
    """The account of a host; None of one without AWS, and where a run of one account does not know its id."""
    return host.facts.get("account", {}).get("id")


def has_several_accounts(runs: Sequence[Run]) -> bool:
    """Whether these runs, slices of one job or one run alone, work in more than one account."""
    return len({account for run in runs for account in run.settings.get("account_hosts", {})}) > 1


def cause_in_account(runs: Sequence[Run], failed: Sequence[Host], account: str | None) -> BreakerCause | None:
    """Why no other host of this account starts, if there is a reason.

    Args:
        runs: slices of one job, or one run alone.
        failed: their hosts that failed or are held.
        account: the id.
    """
    if account is None:
        return None
    theirs = [host for host in failed if account_id(host) == account]
    failures = sum(spends_budget(host) for host in theirs)
    if not failures:
        return None
    name, budget = str(account_from(theirs[0].facts.get("account"))), _budget(runs, account)
    if budget is not None and failures > budget:
        return BreakerCause(BreakerCode.ACCOUNT_BUDGET_SPENT, failures=failures, budget=budget, account=name)
    if not has_several_accounts(runs):  # so are those that were rebuilt of a lost ledger, which have no budget
        return None
    tolerates_all = failure_budget(runs) >= targets(runs)
    return None if tolerates_all else right_missing(theirs, account=name)


def account_breakers(ledger: Ledger, run: Run) -> dict[str, str]:
    """The accounts of which no other host starts, each with the reason as a sentence."""
    runs = slices(ledger, run)
    failed = [host for one in runs for host in ledger.failed_hosts(one.run_id)]
    accounts = {account: None for host in failed if (account := account_id(host))}
    causes = {account: cause_in_account(runs, failed, account) for account in accounts}
    return {account: breaker_reason(cause) for account, cause in causes.items() if cause}


def _budget(runs: Sequence[Run], account: str) -> int | None:
    """The number of hosts of the account that may fail. A percentage is one of its hosts in all slices."""
    share = runs[0].settings.get("account_failure_budget")
    counts = [run.settings.get("account_hosts", {}).get(account, 0) for run in runs]
    hosts = max(counts) if is_named(runs[0]) else sum(counts)  # a slice by patch_slice knows those of all
    return None if share is None else hosts_of_share(share, hosts)
