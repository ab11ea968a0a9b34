# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Variables of many hosts: all are checked, and those that count for the whole run must be the same for every host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .._base.errors import Failed, InvalidOption
from .._base.text import join_names
from .._model.reasons import Reason
from .._model.settings import Settings
from .host_variables import HOST_VARIABLES
from .run_variables import RUN_VARIABLES
from .target_variables import TARGET_VARIABLES
from .variables import key_of, read

NAMED = 3
"""The number of hosts that a message names; the others are counted."""

SELECTING = ("tag_key", "tag_value", "filters", "regions", "accounts")


def read_hosts(variables: Mapping[str, Mapping[str, Any]]) -> dict[str, Settings]:
    """The settings of each host; hosts with the same variables share one mapping.

    Raises:
        PatchFleetError: a name or value that cannot be right, with the hosts that have it; or ``settings_differ``, where
            hosts have different values of a variable that counts for the whole run.
    """
    groups: dict[str, list[str]] = {}
    for host, values in variables.items():
        groups.setdefault(repr(sorted(values.items())), []).append(host)
    found: dict[str, Settings] = {}
    for hosts in groups.values():
        settings = _read(variables[hosts[0]], hosts, everyone=len(groups) == 1)
        found.update(dict.fromkeys(hosts, settings))
    _refuse_differences(found)
    return found


def _read(values: Mapping[str, Any], hosts: Sequence[str], *, everyone: bool) -> Settings:
    try:
        return read(dict(values))
    except InvalidOption as error:
        if everyone:
            raise
        raise Failed(f"{error.reason} It is the value of {join_names(hosts, NAMED)}.", error.code) from error


def _refuse_differences(settings: Mapping[str, Mapping[str, object]]) -> None:
    for variable in (*TARGET_VARIABLES, *RUN_VARIABLES):
        hosts_by_value: dict[str, list[str]] = {}
        for host, own in settings.items():
            hosts_by_value.setdefault(_shown(own[key_of(variable)]), []).append(host)
        if len(hosts_by_value) > 1:
            values = "; ".join(f"{value} for {join_names(hosts, NAMED)}" for value, hosts in hosts_by_value.items())
            raise Failed(
                f"{variable.name} counts for the whole run, but differs between its hosts: {values}. Set it for all of them, "
                f"e.g. with -e {variable.name}=…, or patch them in separate runs. Nothing was touched.",
                Reason.SETTINGS_DIFFER,
            )


def refuse_other_selection(settings: Mapping[str, object], searched: Mapping[str, object]) -> None:
    """Hosts that were found by tag must not ask for another tag by their own variables.

    Args:
        settings: of the hosts.
        searched: with which they were searched, before their own variables were known.

    Raises:
        InvalidOption: one differs.
    """
    for name in SELECTING if searched["by_tag"] else ():
        if settings[name] != searched[name]:
            right = (
                f"The hosts were searched with {_shown(searched[name])}, before their own variables were known. Give it as an "
                "extra variable (-e) or to all hosts (group all). Nothing was touched."
            )
            raise InvalidOption(f"patch_{name}", settings[name], right)


def differences(
    settings: Mapping[str, Mapping[str, object]], base: Mapping[str, object]
) -> dict[str, dict[str, object]]:
    """What hosts have otherwise than ``base``, by host and then by the variables' names without prefix."""
    keys = [key_of(variable) for variable in HOST_VARIABLES]
    found = {host: {key: own[key] for key in keys if own[key] != base[key]} for host, own in settings.items()}
    return {host: own for host, own in found.items() if own}


def setting_of(settings: Mapping[str, Any], host: str | None, key: str) -> Any:
    """A setting that may differ between hosts, as the host of that name in the inventory has it."""
    return settings.get("of_hosts", {}).get(host, {}).get(key, settings[key])


def _shown(value: Any) -> str:
    return "no value" if value is None else repr(value)
