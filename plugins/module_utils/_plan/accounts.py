# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variable patch_accounts: further AWS accounts with hosts, and the roles that are assumed in them."""

from __future__ import annotations

import difflib
import re
from typing import Any

from .._base.errors import InvalidOption
from .._model.account import AccountSetting, OrganizationSetting, id_of_role, partition_of_arn, partition_of_region
from .._model.settings import Settings

KEYS = ("name", "role_arn", "external_id", "regions", "maintenance_window")
EXTERNAL_ID = re.compile(r"[\w+=,.@:/-]{2,1224}", re.ASCII)
"""STS API reference, AssumeRole."""
REGION = re.compile(r"[a-z]{2,5}(-[a-z]+){1,3}-\d{1,2}")
ACCOUNT_ID = re.compile(r"\d{12}")
LONGEST_NAME = 64
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


def refuse_other_partitions(settings: Settings) -> None:
    """Roles and the regions in which they are used are of one partition: credentials of one are unknown in the others.

    Raises:
        InvalidOption: a role is of another partition than one of its regions, or than another role.
    """
    _refuse_regions_of_several_partitions(settings["organization"], settings["regions"])
    roles = [account["role_arn"] for account in settings["accounts"]]
    for number, account in enumerate(settings["accounts"]):
        partition = partition_of_arn(account["role_arn"])
        option = f"patch_accounts[{number}]"
        if partition != partition_of_arn(roles[0]):
            right = f"The first role is of the partition {partition_of_arn(roles[0])}. All accounts must be of one partition."
            raise InvalidOption(f"{option}.role_arn", account["role_arn"], right)
        for region in account["regions"] or settings["regions"]:
            if partition_of_region(region) != partition:
                right = (
                    f"It is a region of the partition {partition_of_region(region)}, and the role is of {partition}."
                )
                raise InvalidOption(f"{option}.regions" if account["regions"] else "patch_regions", region, right)


def _refuse_regions_of_several_partitions(organization: OrganizationSetting | None, regions: list[str]) -> None:
    if organization is None:
        return
    chosen = organization["regions"] or regions
    option = "patch_organization.regions" if organization["regions"] else "patch_regions"
    for region in chosen:
        if partition_of_region(region) != partition_of_region(chosen[0]):
            raise InvalidOption(
                option, region, f"It is of another partition than {chosen[0]}, and an organization is of one."
            )


def _account(option: str, entry: Any) -> AccountSetting:
    if not isinstance(entry, dict):
        raise InvalidOption(option, entry, EXAMPLE)
    for key in entry:
        if key not in KEYS:
            nearest = difflib.get_close_matches(str(key), KEYS, n=1, cutoff=0.0)[0]
            raise InvalidOption(option, key, f"An account has no such key. Did you mean {nearest}?")
    role_arn = _text(option, entry, "role_arn")
    account: AccountSetting = {
        "name": _name(option, entry),
        "id": _id(f"{option}.role_arn", role_arn),
        "role_arn": role_arn,
        "external_id": _external_id(f"{option}.external_id", entry.get("external_id")),
        "regions": read_regions(f"{option}.regions", entry.get("regions")),
        "maintenance_window": _text(option, entry, "maintenance_window", required=False) or None,
    }
    if ACCOUNT_ID.fullmatch(account["name"]) and account["name"] != account["id"]:
        raise InvalidOption(
            f"{option}.name", account["name"], f"It is the id of another account; this one is {account['id']}."
        )
    return account


def _name(option: str, entry: dict[str, Any]) -> str:
    name = _text(option, entry, "name")
    if not name.isprintable() or len(name) > LONGEST_NAME:
        raise InvalidOption(f"{option}.name", name, f"It must be one line of at most {LONGEST_NAME} characters.")
    return name


def _text(option: str, entry: dict[str, Any], key: str, *, required: bool = True) -> str:
    value = entry.get(key)
    if isinstance(value, (dict, list, bool)) or (required and not str(value or "").strip()):
        raise InvalidOption(f"{option}.{key}", value, "It must be text.")
    return str(value or "").strip()


def _external_id(option: str, given: Any) -> str | None:
    """YAML reads 0123 as another number, so a number is refused."""
    if given is None or given == "":
        return None
    if not isinstance(given, str) or not EXTERNAL_ID.fullmatch(given):
        right = "It must be text, in quotes, of 2 to 1,224 characters: letters without accents, digits and _ + = , . @ : / -."
        raise InvalidOption(option, given, right)
    return given


def _id(option: str, role_arn: str) -> str:
    try:
        return id_of_role(role_arn)
    except ValueError:
        right = "It must be the ARN of a role: arn:aws:iam::123456789012:role/NAME."
        raise InvalidOption(option, role_arn, right) from None


def read_regions(option: str, given: Any) -> list[str]:
    """The regions of an account, each once; none where nothing is given.

    Raises:
        InvalidOption: no list of regions, or an empty one.
    """
    if given is None:
        return []
    if not isinstance(given, list) or any(not isinstance(region, str) for region in given):
        raise InvalidOption(option, given, "It must be a list of regions.")
    if not given:
        raise InvalidOption(option, given, "It must name a region. Without this key, patch_regions are searched.")
    regions = [region.strip() for region in given]
    wrong = next((region for region in regions if not REGION.fullmatch(region)), None)
    if wrong is not None:
        raise InvalidOption(option, wrong, "It must be the name of a region, such as eu-central-1.")
    return list(dict.fromkeys(regions))
