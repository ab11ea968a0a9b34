# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts of one run with variables of their own: what counts for the run must be the same, and everything must be valid."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_settings import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.agreement import read_hosts, setting_of
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.variable import Variable
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.variables import VARIABLES, read

from .stage import Stage

OF_RUN = [variable for variable in VARIABLES if not variable.per_host]
OF_HOST = [variable for variable in VARIABLES if variable.per_host]
OTHER_VALUES = {
    "accounts": [{"name": "sales", "role_arn": "arn:aws:iam::210987654321:role/x"}],
    "skip_when": {"processes": ["backup"]},
    "at_most": [{"tag": "Role", "hosts": 1}],
    "organization": {"role_name": "patchfleet", "units": ["r-abcd"]},
    "str": "other",
    "checks": [{"name": "shop", "tcp": 443}],
    "evidence": {"ports": "failure"},
    "line": "Save your work.",
    "list": ["other"],
    "kbs": ["KB5031364"],
    "dict": {"tag:Stage": ["dev"]},
    "datetime": "2026-11-15T05:00:00Z",
    "count_or_percent": "35%",
    "prices": {"m5.large": 0.188},
    "sla_days": {"critical": 14},
    "slice": "2/5",
    "stack_set": {"units": ["ou-ab12-cd34ef56"], "regions": ["eu-central-1"]},
    "webhook": "https://hooks.example.com/services/x",
}


def other_value(variable: Variable) -> Any:
    """A valid value that is not the default."""
    if variable.choices:
        choice = next(choice for choice in variable.choices if choice != variable.default)
        return [choice] if variable.kind == "list" else choice
    if variable.kind == "bool":
        return not variable.default
    if variable.kind in {"int", "float"}:
        return int((variable.default or variable.minimum or 0) + 1)
    return OTHER_VALUES[variable.kind]


@pytest.mark.parametrize("variable", OF_RUN, ids=lambda variable: variable.name)
def test_what_counts_for_the_run_must_be_the_same_for_all_hosts(variable: Variable) -> None:
    of_hosts = {"web-1": {}, "lab-1": {variable.name: other_value(variable)}, "web-2": {}}
    with pytest.raises(PatchFleetError, match=f"^{variable.name} counts for the whole run") as caught:
        read_hosts(of_hosts)
    assert caught.value.code == "settings_differ"
    assert "for web-1, web-2" in caught.value.reason
    assert "for lab-1" in caught.value.reason


@pytest.mark.parametrize("variable", OF_HOST, ids=lambda variable: variable.name)
def test_what_counts_for_a_host_may_differ(variable: Variable) -> None:
    value = other_value(variable)
    found = read_hosts({"web-1": {}, "lab-1": {variable.name: value}})
    assert found["lab-1"] == read({variable.name: value}) != read({})
    assert found["web-1"] == read({})


def test_values_that_mean_the_same_do_not_differ() -> None:
    read_hosts({"a": {"patch_batch_size": "5", "patch_exclude": "x, y"}, "b": {"patch_exclude": ["x", "y"]}})
    read_hosts({"a": {"patch_deadline": "2026-11-15T02:00:00Z"}, "b": {"patch_deadline": "2026-11-15T03:00:00+01:00"}})


def test_many_hosts_are_counted() -> None:
    of_hosts = {f"web-{number}": {} for number in range(1, 6)} | {"lab-1": {"patch_operation": "scan"}}
    with pytest.raises(PatchFleetError, match="'install' for web-1, web-2, web-3 and 2 more; 'scan' for lab-1"):
        read_hosts(of_hosts)


def test_a_value_that_cannot_be_right_is_found_at_every_host() -> None:
    of_hosts = {"web-1": {}, "web-2": {"patch_max_passes": "many"}, "web-3": {"patch_max_passes": "many"}}
    with pytest.raises(PatchFleetError, match="patch_max_passes: 'many' is not valid") as caught:
        read_hosts(of_hosts)
    assert "It is the value of web-2, web-3." in caught.value.reason
    assert caught.value.code == "invalid_option"


def test_a_value_of_all_hosts_names_none() -> None:
    with pytest.raises(PatchFleetError, match=r"must be a whole number\.$"):
        read_hosts({"web-1": {"patch_max_passes": "many"}, "web-2": {"patch_max_passes": "many"}})


# The operation


def test_settings_of_single_hosts_are_known_to_the_plan(stage: Stage) -> None:
    of_hosts = {"web-1": {}, "lab-1": {"patch_grow_gib": 0}}
    settings = OPERATION.work(stage.context(OPERATION, host_variables=of_hosts))["settings"]
    assert settings["of_hosts"] == {"lab-1": {"grow_gib": 0}}
    assert [setting_of(settings, host, "grow_gib") for host in ("web-1", "lab-1", "unknown", None)] == [20, 0, 20, 20]


@pytest.mark.parametrize(("by_tag", "refused"), [(True, True), (False, False)])
def test_hosts_that_were_searched_by_another_tag_are_refused(stage: Stage, by_tag: bool, refused: bool) -> None:
    """Group variables are known only after the search."""
    searched = {**read({}), "by_tag": by_tag}
    context = stage.context(OPERATION, variables={"patch_tag_value": "Prod"}, searched_with=searched)
    if refused:
        with pytest.raises(
            PatchFleetError, match=r"patch_tag_value: 'Prod' is not valid\. The hosts were searched with 'Windows'"
        ):
            OPERATION.work(context)
    else:
        assert OPERATION.work(context)["settings"]["tag_value"] == "Prod"
