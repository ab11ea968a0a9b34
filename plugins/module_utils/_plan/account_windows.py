# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The windows of accounts that have one of their own (patch_accounts[].maintenance_window), beside that of the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from .._base.errors import Failed
from .._base.text import join_sentences
from .._fleet.hosts import FleetHost
from .._model.account import account_from
from .._model.reasons import Reason
from .._model.run_settings import Limits, RunSettings
from .._model.settings import Settings
from .._operation.context import OperationContext
from .window import Window, find_window, region_of, window_named, within


def find_windows(context: OperationContext, settings: Settings) -> tuple[Window | None, dict[str, Window]]:
    """The window of the run, and those of accounts by their ids. Accounts that are left out have none.

    Raises:
        InvalidOption: an account has no such window or calendar, or several windows have that name.
    """
    missing = {account["id"] for account in context.params["missing_accounts"] if not account.get("region")}
    found: dict[str, Window] = {}
    for number, setting in enumerate(settings["accounts"]):
        named, account = setting["maintenance_window"], account_from(setting)
        if not named or account is None or account.id in missing:
            continue
        aws = context.aws_of(account, region_of(named, setting["regions"] or settings["regions"]))
        option = f"patch_accounts[{number}].maintenance_window"
        window = window_named(aws, named, option, context.clock.now())
        found[account.id] = replace(window, name=f"{window.name} of the account {account}")
    return find_window(context, settings), found


def within_windows(
    settings: Settings, window: Window | None, of_accounts: Mapping[str, Window], now: float
) -> Settings:
    """The settings of a run in these windows: the limits of each account with a window of its own, and those of all others.

    Where a window is closed while hosts of other accounts may start, its hosts are deferred.
    """
    another_starts = not settings["outside_window_ok"] and _some_start(window, of_accounts, now)

    def limits_in(one: Window | None) -> Limits:
        inside = within(settings, one, now)
        return {
            "deadline_at": inside["deadline_at"],
            "begin_until_at": inside["begin_until_at"],
            "window": inside["window"],
            "is_closed": another_starts and one is not None and not one.takes(now),
        }

    limits = limits_in(window)
    return {
        **settings,
        "deadline_at": limits["deadline_at"],
        "begin_until_at": limits["begin_until_at"],
        "window": limits["window"],
        "is_closed": limits["is_closed"],
        "account_limits": {account: limits_in(one) for account, one in of_accounts.items()},
    }


def limits_of(settings: Settings | RunSettings, account: str | None) -> Limits:
    """The limits of an account by its id: its own, else those of the run. A run that an earlier version opened has no others."""
    own = settings.get("account_limits", {}).get(account or "")
    return own or {
        "deadline_at": settings.get("deadline_at"),
        "begin_until_at": settings.get("begin_until_at"),
        "window": settings.get("window"),
        "is_closed": settings.get("is_closed", False),
    }


def refuse_closed(window: Window | None, of_accounts: Mapping[str, Window], settings: Settings, now: float) -> None:
    """Raises PatchFleetError where no window takes a host now, unless patch_outside_window_ok allows that."""
    if settings["outside_window_ok"] or _some_start(window, of_accounts, now):
        return
    closed = [one.sentence() for one in (window, *of_accounts.values()) if one]
    raise Failed(
        join_sentences(*closed, "Nothing was touched. To run outside it, set patch_outside_window_ok."),
        Reason.OUTSIDE_WINDOW,
    )


def defer_closed(host: FleetHost, settings: Settings) -> FleetHost:
    """A host whose window is closed is not worked on, while those of other accounts are."""
    limits = limits_of(settings, host.account.id if host.account else None)
    if host.exclusion is not None or not limits["is_closed"]:
        return host
    return replace(host, exclusion=(Reason.NO_TIME, str(limits["window"])))


def _some_start(window: Window | None, of_accounts: Mapping[str, Window], now: float) -> bool:
    return window is None or any(one.takes(now) for one in (window, *of_accounts.values()))
