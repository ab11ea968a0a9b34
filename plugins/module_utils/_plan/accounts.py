# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variable patch_accounts: further AWS accounts with hosts, and the roles that are assumed in them."""

from __future__ import annotations

import difflib
from typing import Any

from .._base.errors import InvalidOption
from .._model.account import AccountSetting, id_of_role

KEYS = ("name", "role_arn", "external_id", "regions", "maintenance_window")
EXAMPLE = (
    "It must be a list of mappings, each with name and role_arn, and where needed external_id, regions and "
    "maintenance_window."
)


def read_accounts(name: str, given: Any) -> list[AccountSetting]:
    """The accounts with their ids.

    Raises:
        InvalidOption: a value that cannot be right, or an account that is there twice.
    """
    if not isinstance(given, list):
        raise InvalidOption(name, given, EXAMPLE)
    accounts = [_account(f"{name}[{number}]", entry) for number, entry in enumerate(given)]
    for key in ("name", "id"):
        values = [str(account.get(key)) for account in accounts]
        twice = next((value for value in values if values.count(value) > 1), None)
        if twice is not None:
            raise InvalidOption(name, twice, f"Each {'account' if key == 'id' else key} must be there once.")
    return accounts


def _account(option: str, entry: Any) -> AccountSetting:
    if not isinstance(entry, dict):
        raise InvalidOption(option, entry, EXAMPLE)
    for key in entry:
        if key not in KEYS:
            nearest = difflib.get_close_matches(str(key), KEYS, n=1, cutoff=0.0)[0]
            raise InvalidOption(option, key, f"An account has no such key. Did you mean {nearest}?")
    account: AccountSetting = {
        "name": _text(option, entry, "name"),
        "id": _id(f"{option}.role_arn", _text(option, entry, "role_arn")),
        "role_arn": _text(option, entry, "role_arn"),
        "external_id": _text(option, entry, "external_id", required=False) or None,
        "regions": _regions(f"{option}.regions", entry.get("regions")),
        "maintenance_window": _text(option, entry, "maintenance_window", required=False) or None,
    }
    return account


def _text(option: str, entry: dict[str, Any], key: str, *, required: bool = True) -> str:
    value = entry.get(key)
    if isinstance(value, (dict, list)) or (required and not str(value or "").strip()):
        raise InvalidOption(f"{option}.{key}", value, "It must be text.")
    return str(value or "").strip()


def _id(option: str, role_arn: str) -> str:
    try:
        return id_of_role(role_arn)
    except ValueError:
        right = "It must be the ARN of a role: arn:aws:iam::123456789012:role/NAME."
        raise InvalidOption(option, role_arn, right) from None


def _regions(option: str, given: Any) -> list[str]:
    if given is None:
        return []
    if not isinstance(given, list) or any(not isinstance(region, str) for region in given):
        raise InvalidOption(option, given, "It must be a list of regions.")
    return [region.strip() for region in given]
