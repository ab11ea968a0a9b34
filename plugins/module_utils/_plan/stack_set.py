# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variable patch_stack_set: where the template is rolled out to, and the parameters of its stacks."""

from __future__ import annotations

import difflib
from typing import Any

from .._base.errors import InvalidOption
from .._model.account import StackSetSetting
from .accounts import read_regions
from .organization import ROLE_NAME, read_units

OPTION = "patch_stack_set"
KEYS = ("units", "regions", "parameters", "auto_deployment", "role_name")
ACCESS_ROLE = "OrganizationAccountAccessRole"
"""Organizations makes it in each account that it creates, for the management account (Organizations user guide)."""


def read_stack_set(name: str, given: Any) -> StackSetSetting:
    """Where to. A run has no use for it; setup_aws and teardown_aws take the parameters from the variable itself.

    Raises:
        InvalidOption: a value that cannot be right.
    """
    if not isinstance(given, dict):
        raise InvalidOption(name, given, "It must be a mapping with units and regions.")
    for key in given:
        if key not in KEYS:
            nearest = difflib.get_close_matches(str(key), KEYS, n=1, cutoff=0.0)[0]
            raise InvalidOption(name, key, f"It has no such key. Did you mean {nearest}?")
    regions = read_regions(f"{name}.regions", given.get("regions"))
    if not regions:
        raise InvalidOption(f"{name}.regions", given.get("regions"), "It must name the regions of the stacks.")
    automatic, role = given.get("auto_deployment", True), given.get("role_name", ACCESS_ROLE)
    if not isinstance(automatic, bool):
        raise InvalidOption(f"{name}.auto_deployment", automatic, "It must be true or false.")
    if not isinstance(role, str) or not ROLE_NAME.fullmatch(role):
        raise InvalidOption(f"{name}.role_name", role, "It must be the name of a role.")
    return {
        "units": read_units(f"{name}.units", given.get("units")),
        "regions": regions,
        "auto_deployment": automatic,
        "role_name": role,
    }
