# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The AWS accounts that are searched for hosts: that of the credentials, and those whose role they assume."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .._aws.api import Aws
from .._aws.errors import AwsError
from .._aws.iam import caller_account
from .._base.errors import Failed, InvalidOption, PatchFleetError
from .._model.account import Account, AccountSetting, account_from
from .._model.reasons import Reason
from .hosts import Location


@dataclass(frozen=True)
class MissingAccount:
    """An account that is left out: its name and id, and a sentence that says why."""

    name: str
    id: str
    reason: str


@dataclass(frozen=True)
class Accounts:
    """Where to search, and which accounts are left out."""

    locations: list[Location]
    missing: list[MissingAccount]


def find_accounts(
    aws: Aws, regions: Sequence[str], settings: Iterable[AccountSetting], *, missing_ok: bool = False
) -> Accounts:
    """Assume the role of each account once.

    Args:
        aws: with the credentials of the run.
        regions: to search in each account that names none of its own.
        settings: of patch_accounts.
        missing_ok: leave out an account whose role cannot be assumed.

    Raises:
        InvalidOption: an account of the settings is that of the credentials.
        Failed: a role cannot be assumed, and ``missing_ok`` is not set.
    """
    further = [account for setting in settings if (account := account_from(setting))]
    home = _home(aws, is_needed=bool(further))
    missing = []
    locations = [Location(home, region) for region in regions]
    for account in further:
        if home is not None and account.id == home.id:
            raise InvalidOption(
                "patch_accounts", account.role_arn, "The credentials are of this account. Leave it out."
            )
        chosen = account.regions or tuple(regions)
        reason = _why_missing(aws, account, chosen[0])
        if reason is None:
            locations += [Location(account, region) for region in chosen]
        elif missing_ok:
            missing.append(MissingAccount(account.name, account.id, reason))
        else:
            raise Failed(f"{reason} Nothing was touched.", Reason.ACCESS_DENIED)
    return Accounts(locations, missing)


def _home(aws: Aws, *, is_needed: bool) -> Account | None:
    """The account of the credentials. Only the report names it where there is no other, so a network without STS is no trouble."""
    if is_needed:
        return Account(caller_account(aws))
    try:
        return Account(caller_account(aws.without_retries()))
    except PatchFleetError:
        return None


def _why_missing(aws: Aws, account: Account, region: str) -> str | None:
    try:
        caller_account(aws.at(account, region))
    except AwsError as error:
        return f"The role of the account {account} cannot be assumed. {error.reason}"
    return None
