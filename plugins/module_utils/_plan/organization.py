# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variable patch_organization: the accounts of AWS Organizations, and the role that is assumed in each."""

from __future__ import annotations

import difflib
import re
from typing import Any

from .._base.errors import InvalidOption
from .._model.account import OrganizationSetting
from .accounts import read_regions

KEYS = ("role_name", "units", "regions", "exclude")
EXAMPLE = "It must be a mapping with role_name and units, and where needed regions and exclude."
ROLE_NAME = re.compile(r"[\w+=,.@-][\w+=,.@/-]{0,511}", re.ASCII)
"""With its path, without a slash in front (IAM user guide, "IAM ARNs")."""
UNIT = re.compile(r"r-[0-9a-z]{4,32}|ou-[0-9a-z]{4,32}-[a-z0-9]{8,32}")
"""Organizations API reference, ListAccountsForParent."""


def read_organization(name: str, given: Any) -> OrganizationSetting | None:
    """The organization; None for an empty mapping.

    Raises:
        InvalidOption: a value that cannot be right.
    """
    if not isinstance(given, dict):
        raise InvalidOption(name, given, EXAMPLE)
    if not given:
        return None
    for key in given:
        if key not in KEYS:
            nearest = difflib.get_close_matches(str(key), KEYS, n=1, cutoff=0.0)[0]
            raise InvalidOption(name, key, f"It has no such key. Did you mean {nearest}?")
    return {
        "role_name": _role_name(f"{name}.role_name", given.get("role_name")),
        "units": read_units(f"{name}.units", given.get("units")),
        "regions": read_regions(f"{name}.regions", given.get("regions")),
        "exclude": _texts(f"{name}.exclude", given.get("exclude") or []),
    }


def _role_name(option: str, given: Any) -> str:
    if not isinstance(given, str) or not ROLE_NAME.fullmatch(given):
        right = "It must be the name of a role, with its path where it has one: PatchFleet-controller-eu-central-1."
        raise InvalidOption(option, given, right)
    return given


def read_units(option: str, given: Any) -> list[str]:
    """Ids of a root or of units, each once.

    Raises:
        InvalidOption: another value.
    """
    units = _texts(option, given)
    wrong = next((unit for unit in units if not UNIT.fullmatch(unit)), None)
    if wrong is not None or not units:
        right = "It must be ids of a root (r-…) or of organizational units (ou-…), at least one."
        raise InvalidOption(option, wrong if units else given, right)
    return units


def _texts(option: str, given: Any) -> list[str]:
    """YAML reads 012345678901 as another number, so numbers are refused."""
    if not isinstance(given, list) or any(not isinstance(entry, str) or not entry.strip() for entry in given):
        raise InvalidOption(option, given, "It must be a list of texts. Put ids of accounts into quotes.")
    return list(dict.fromkeys(entry.strip() for entry in given))
