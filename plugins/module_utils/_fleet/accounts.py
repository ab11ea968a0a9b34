# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The AWS accounts that are searched for hosts: that of the credentials, and those whose role they assume."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from .._aws.api import Aws, unknown_region
from .._aws.errors import EXPIRED, UNKNOWN_KEY, AwsError
from .._aws.iam import caller_account, caller_arn
from .._base.errors import Failed, InvalidOption, PatchFleetError
from .._base.side_by_side import side_by_side
from .._base.text import join_sentences
from .._model.account import (
    Account,
    AccountSetting,
    OrganizationSetting,
    account_from,
    account_of_arn,
    partition_of_arn,
)
from .._model.reasons import Reason
from .hosts import FleetHost, Location
from .organization import OrganizationAccounts, accounts_of_organization

ENDED = EXPIRED - UNKNOWN_KEY
"""The run's own credentials have ended. A key that is unknown is how AWS says that a region is not enabled."""


@dataclass(frozen=True)
class MissingAccount:
    """An account that is left out, whole or in one region: its name and id, and a sentence that says why."""

    name: str
    id: str
    reason: str
    region: str | None = None

    @property
    def described(self) -> str:
        """For messages and the report."""
        return f"{self.name or self.id} in {self.region}" if self.region else self.name


@dataclass(frozen=True)
class Accounts:
    """Where to search, and which accounts are left out; ``left_out`` are sentences about those that are left out on purpose."""

    locations: list[Location]
    missing: list[MissingAccount]
    left_out: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Wanted:
    """Which accounts the variables name beside that of the credentials.

    Attributes:
        accounts: of patch_accounts.
        organization: of patch_organization.
        missing_ok: leave out an account whose role cannot be assumed.
    """

    accounts: Sequence[AccountSetting] = ()
    organization: OrganizationSetting | None = None
    missing_ok: bool = False


def find_accounts(aws: Aws, regions: Sequence[str], wanted: Wanted) -> Accounts:
    """Assume the role of each account once.

    Args:
        aws: with the credentials of the run.
        regions: to search in each account that names none of its own.

    Raises:
        InvalidOption: an account is that of the credentials, there twice, or of another partition; a unit does not exist.
        Failed: a role cannot be assumed, and ``missing_ok`` is not set; the organization cannot be listed.
    """
    further = [account for setting in wanted.accounts if (account := account_from(setting))]
    caller = _caller(aws, is_needed=bool(further) or wanted.organization is not None)
    home = Account(account_of_arn(caller)) if caller else None
    for account in further:
        _refuse_account(account, caller)
    listed = OrganizationAccounts([], [])
    if wanted.organization and caller:
        listed = accounts_of_organization(aws, wanted.organization, partition_of_arn(caller), account_of_arn(caller))
        _refuse_twice(further, listed.accounts)
    missing = []
    locations = [Location(home, region) for region in regions]
    accounts = (*further, *listed.accounts)
    reasons = side_by_side(lambda account: _why_missing(aws, account, (account.regions or regions)[0]), accounts)
    for account, reason in zip(accounts, reasons, strict=True):
        chosen = account.regions or tuple(regions)
        if reason is None:
            locations += [Location(account, region) for region in chosen]
        elif wanted.missing_ok:
            missing.append(MissingAccount(account.name, account.id, reason))
        else:
            raise Failed(f"{reason} Nothing was touched.", Reason.ACCESS_DENIED)
    return Accounts(locations, missing, listed.left_out)


def _refuse_twice(further: Sequence[Account], listed: Sequence[Account]) -> None:
    ids = {account.id for account in listed}
    for account in further:
        if account.id in ids:
            right = "patch_organization has this account too. Leave it out of one of them: patch_organization.exclude takes its id."
            raise InvalidOption("patch_accounts", account.name, right)


class Search:
    """Searches accounts and regions side by side. What it finds, and what it raises, is in the order of the locations.

    Attributes:
        missing: what AWS refused to search: a region that is not enabled, or in which the account gives no rights.
    """

    def __init__(self, *, missing_ok: bool = False) -> None:
        self._missing_ok = missing_ok
        self.missing: list[MissingAccount] = []

    def each(self, locations: Iterable[Location], find: Callable[[Location], list[FleetHost]]) -> list[FleetHost]:
        """The hosts of all these locations; ``find`` is called in several threads.

        Raises:
            Failed: AWS refuses to search one, and it may not be left out.
        """
        left_out = {(one.id, one.region) for one in self.missing}
        wanted = [one for one in locations if (one.account and one.account.id, one.region) not in left_out]
        found = side_by_side(lambda location: self._search(location, find), wanted)
        self.missing += [one for one in found if isinstance(one, MissingAccount)]
        return [host for one in found if not isinstance(one, MissingAccount) for host in one]

    def _search(
        self, location: Location, find: Callable[[Location], list[FleetHost]]
    ) -> list[FleetHost] | MissingAccount:
        account = location.account
        try:
            return find(location)
        except AwsError as error:
            where = f"The region {location.described} cannot be searched."
            reason = join_sentences(where, unknown_region(location.region), error.reason)
            if not self._missing_ok or account is None or error.aws_code in ENDED:
                raise Failed(f"{reason} Nothing was touched.", error.code, error.facts) from error
            return MissingAccount(account.name, account.id, reason, location.region)


def _refuse_account(account: Account, caller: str | None) -> None:
    if caller and account.id == account_of_arn(caller):
        raise InvalidOption("patch_accounts", account.role_arn, "The credentials are of this account. Leave it out.")
    partition = partition_of_arn(caller or "")
    if caller and partition != partition_of_arn(str(account.role_arn)):
        right = f"The credentials are of the partition {partition}, and roles of other partitions cannot be assumed."
        raise InvalidOption("patch_accounts", account.role_arn, right)


def _caller(aws: Aws, *, is_needed: bool) -> str | None:
    """Whose credentials these are. Only the report names their account where there is no other, so a network without STS is no
    trouble.
    """
    if is_needed:
        return caller_arn(aws)
    try:
        return caller_arn(aws.without_retries())
    except PatchFleetError:
        return None


def _why_missing(aws: Aws, account: Account, region: str) -> str | None:
    try:
        caller_account(aws.at(account, region))
    except AwsError as error:
        if error.aws_code in ENDED:
            raise
        return f"The role of the account {account} cannot be assumed. {error.reason}"
    return None
