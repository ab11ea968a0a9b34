# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The accounts of AWS Organizations that patch_organization names: those of its units and of all units below them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .._aws.api import Aws
from .._aws.errors import AwsError
from .._aws.organizations import AccountRow, accounts_of_parent, units_of_parent
from .._base.errors import Failed, InvalidOption
from .._base.text import clean_text, join_sentences
from .._model.account import Account, OrganizationSetting

ACTIVE = "ACTIVE"
NO_UNIT = frozenset({"ParentNotFoundException", "InvalidInputException"})
OPTION = "patch_organization"
MUST_BE = (
    "The credentials must be of the management account of the organization or of a delegated administrator. "
    "Nothing was touched."
)


@dataclass(frozen=True)
class OrganizationAccounts:
    """The accounts to search, and a sentence for each one that is left out."""

    accounts: list[Account]
    left_out: list[str]


def accounts_of_organization(aws: Aws, setting: OrganizationSetting, partition: str, own: str) -> OrganizationAccounts:
    """List the accounts, each once.

    Args:
        aws: with the credentials of the run.
        partition: in which the roles are.
        own: the id of the credentials' account, which needs no role.

    Raises:
        InvalidOption: a unit does not exist, or an account of ``exclude`` is in none of the units.
        Failed: AWS refuses to list them, in its own words.
    """
    rows = {row["Id"]: row for unit in setting["units"] for row in accounts_below(aws, unit, OPTION)}
    _refuse_unknown(setting["exclude"], list(rows.values()))
    accounts, left_out = list[Account](), list[str]()
    for row in sorted(rows.values(), key=lambda row: row["Id"]):
        account = _account(row, setting, partition)
        state = row.get("State") or row.get("Status") or "unknown"
        if account.id == own:
            continue
        if {account.id, account.name} & set(setting["exclude"]):
            left_out.append(f"The account {account} is left out by {OPTION}.exclude.")
        elif state != ACTIVE:
            left_out.append(
                f"The account {account} is left out: AWS Organizations says that it is {clean_text(state)}."
            )
        else:
            accounts.append(account)
    return OrganizationAccounts(accounts, left_out)


def _account(row: AccountRow, setting: OrganizationSetting, partition: str) -> Account:
    role_arn = f"arn:{partition}:iam::{row['Id']}:role/{setting['role_name']}"
    return Account(row["Id"], clean_text(row.get("Name", "")), role_arn, None, tuple(setting["regions"]))


def accounts_below(aws: Aws, unit: str, option: str) -> Iterator[AccountRow]:
    """Of the unit and of all units below it; ``option`` names the variable with the key ``units``.

    Raises:
        InvalidOption: there is no such unit.
        Failed: AWS refuses to list them, in its own words.
    """
    waiting, known = [unit], {unit}
    while waiting:
        parent = waiting.pop()
        try:
            rows, below = list(accounts_of_parent(aws, parent)), list(units_of_parent(aws, parent))
        except AwsError as error:
            raise _refusal(error, parent, option) from error
        yield from rows
        waiting += [one for one in below if one not in known]
        known.update(below)


def _refusal(error: AwsError, unit: str, option: str) -> Failed:
    if error.aws_code in NO_UNIT:
        right = join_sentences(error.reason, "It must be a root or unit of the organization.")
        return InvalidOption(f"{option}.units", unit, right)
    sentence = join_sentences(f"The accounts of {unit} cannot be listed.", error.reason, MUST_BE)
    return Failed(sentence, error.code, error.facts)


def _refuse_unknown(exclude: Sequence[str], rows: Sequence[AccountRow]) -> None:
    words = {word for row in rows for word in (row["Id"], clean_text(row.get("Name", "")))}
    for word in exclude:
        if word not in words:
            raise InvalidOption(f"{OPTION}.exclude", word, "No account of these units has this id or name.")
