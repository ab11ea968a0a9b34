# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Refused log-ons of a run, counted by account: most hosts share one, and a domain locks it after a few.

Microsoft's security baselines lock an account after ten refused log-ons, and many domains after five ("Account lockout threshold").
"""

from __future__ import annotations

from .._base.errors import LoginRefused
from .._model.phases import Phase
from .context import OperationContext

REFUSALS_UNTIL_LOCKED = 2
"""With this number of refused log-ons of an account, no further host of the run tries it, and none that was refused itself."""
_CHECKED, _REFUSED = "log-ons checked", "log-ons refused"


def refuse_locked_account(context: OperationContext, account: str) -> None:
    """Before a log-on. The rows of the run are read at the first contact with a host, and once it has refused a log-on itself.

    Raises:
        LoginRefused: the account was refused too often in this run, by this host or by others.
    """
    if context.tracked_host is None or context.cache.get(_CHECKED):
        return
    context.cache[_CHECKED] = True
    matters = context.phase == Phase.READY or context.facts.get("login_refusals")
    if matters and refusals(context, account) >= REFUSALS_UNTIL_LOCKED:
        raise LoginRefused(account, "no log-on was tried on this host.")


def count_refusal(context: OperationContext, account: str) -> int:
    """Record one more; returns those of the whole run."""
    if context.tracked_host is None:
        context.cache[_REFUSED] = context.cache.get(_REFUSED, 0) + 1
        return int(context.cache[_REFUSED])
    own = context.facts.get("login_refusals", 0)
    context.update_facts(login_account=account, login_refusals=own + 1)
    context.cache[_CHECKED] = False
    return refusals(context, account)


def refusals(context: OperationContext, account: str) -> int:
    """Those of all hosts of the run with this account."""
    rows = context.ledger.hosts(context.required_run_id)
    return sum(row.facts.get("login_refusals", 0) for row in rows if row.facts.get("login_account") == account)
