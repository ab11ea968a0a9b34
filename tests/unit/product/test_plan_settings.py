# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbooks' variables: an error names the option, the value and what would be right."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import InvalidOption, PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_settings import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.environment import EPHEMERAL_OK_VARIABLE
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.variable_kinds import CONVERTERS
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.variables import (
    VARIABLES,
    WATCHDOG_KEEP_TAG,
    check_together,
    read,
    refuse_unknown,
)
from lab.aws.cloudformation.template import load
from lab.aws.setup import TEMPLATE

from .fakes import START
from .stage import Stage


def value_of(**variables: Any) -> Any:
    ((name, _value),) = variables.items()
    settings = read(variables)
    return settings["deadline_at"] if name == "patch_deadline" else settings[name.removeprefix("patch_")]


def refusal(**variables: Any) -> str:
    with pytest.raises(InvalidOption) as caught:
        read(variables)
    ((name, value),) = variables.items()
    assert caught.value.option == name
    assert caught.value.reason.startswith(f"{name}: {value!r} is not valid. ")
    return caught.value.reason


# Kinds


@pytest.mark.parametrize(
    ("variables", "value"),
    [
        ({"patch_max_hosts": "40"}, 40),
        ({"patch_max_hosts": 40}, 40),
        ({"patch_pause_seconds": " 0 "}, 0),
        ({"patch_free_gib": "12.5"}, 12.5),
        ({"patch_free_gib": 12}, 12.0),
        ({"patch_reset_base": "yes"}, True),
        ({"patch_reset_base": "False"}, False),
        ({"patch_reset_base": True}, True),
        ({"patch_take_over": "1"}, True),
        ({"patch_batch_size": "10"}, 10),
        ({"patch_batch_size": "50%"}, "50%"),
        ({"patch_batch_size": " 12.5% "}, "12.5%"),
        ({"patch_failure_budget": 0}, 0),
        ({"patch_failure_budget": "0%"}, "0%"),
        ({"patch_regions": "eu-central-1, us-east-1"}, ["eu-central-1", "us-east-1"]),
        ({"patch_regions": ["eu-central-1"]}, ["eu-central-1"]),
        ({"patch_exclude": "a,,b,"}, ["a", "b"]),
        ({"patch_repair": "services, cache"}, ["services", "cache"]),
        ({"patch_repair": []}, []),
        (
            {"patch_filters": {"tag:Stage": ["dev", "test"], "vpc-id": "vpc-1"}},
            {"tag:Stage": ["dev", "test"], "vpc-id": ["vpc-1"]},
        ),
        ({"patch_rollout": "rolling"}, "rolling"),
        ({"patch_hosts": " tag_Stage_dev "}, "tag_Stage_dev"),
        ({"patch_deadline": "2026-11-15T02:00:00+01:00"}, START + 3 * 3600),
        ({"patch_deadline": datetime.datetime(2026, 11, 15, 1, tzinfo=datetime.UTC)}, START + 3 * 3600),
    ],
    ids=str,
)
def test_a_value_from_yaml_the_command_line_or_a_survey_is_read(variables: dict[str, Any], value: Any) -> None:
    assert value_of(**variables) == value


@pytest.mark.parametrize(
    ("variables", "right"),
    [
        ({"patch_max_hosts": "many"}, "a whole number"),
        ({"patch_max_hosts": 4.5}, "a whole number"),
        ({"patch_max_hosts": True}, "a whole number"),
        ({"patch_max_hosts": 0}, "at least 1"),
        ({"patch_pause_seconds": -1}, "at least 0"),
        ({"patch_start_timeout_seconds": 59}, "at least 60"),
        ({"patch_install_timeout_seconds": 36001}, "at most 36000"),
        ({"patch_free_gib": "much"}, "a number"),
        ({"patch_free_gib": "1e3"}, "a number"),
        ({"patch_free_gib": -1}, "at least 0"),
        ({"patch_reset_base": "perhaps"}, "true or false"),
        ({"patch_reset_base": 2}, "true or false"),
        ({"patch_batch_size": 0}, "at least 1"),
        ({"patch_batch_size": "abc"}, "a number of hosts (5) or a percentage of them (20%)"),
        ({"patch_batch_size": "5.5"}, "a number of hosts (5)"),
        ({"patch_batch_size": "0%"}, "above 0 and at most 100"),
        ({"patch_batch_size": "101%"}, "above 0 and at most 100"),
        ({"patch_failure_budget": "-5%"}, "at most 100"),
        ({"patch_batch_size": True}, "a number of hosts"),
        ({"patch_regions": {"eu": 1}}, "a list of texts"),
        ({"patch_exclude": [["a"]]}, "a list of texts"),
        ({"patch_filters": "tag:Stage=dev"}, "a mapping of EC2 filters"),
        ({"patch_rollout": "serial"}, "one of waves, rolling"),
        ({"patch_repair": ["services", "registry"]}, "hold only services, cache, components"),
        ({"patch_operation": "Install"}, "one of install, scan"),
        ({"patch_sessions": "kick"}, "one of warn, ignore, defer, wait"),
        ({"patch_sessions_message": "/SERVER:other hello"}, "does not begin with a slash"),
        ({"patch_sessions_message": "two\nlines"}, "one line"),
        ({"patch_sessions_message": "x" * 201}, "at most 200 characters"),
        ({"patch_hosts": ["a", "b"]}, "It must be text"),
        ({"patch_deadline": "tonight"}, "an ISO 8601 time, e.g. 2026-11-14T23:00:00Z"),
    ],
    ids=str,
)
def test_a_value_that_cannot_be_right_is_refused_with_what_would_be(variables: dict[str, Any], right: str) -> None:
    assert right in refusal(**variables)


@pytest.mark.parametrize("value", ["{{ other }}", ["a", "{{ b }}"], {"tag:x": "{% if %}"}], ids=str)
def test_a_value_that_still_holds_a_template_is_refused(value: Any) -> None:
    for name in ("patch_tag_value", "patch_filters", "patch_exclude"):
        assert "must not hold a template" in refusal(**{name: value})


def test_every_variable_has_a_kind_and_a_default_that_its_own_kind_reads() -> None:
    for variable in VARIABLES:
        assert variable.kind in CONVERTERS
        if variable.default is not None:
            name = variable.name.removeprefix("patch_")
            assert read({variable.name: variable.default})[name] == read({})[name] == variable.default


@pytest.mark.parametrize("blank", [None, ""])
def test_a_blank_from_a_survey_is_the_default(blank: Any) -> None:
    assert value_of(patch_batch_size=blank) == 5
    assert value_of(patch_deadline=blank) is None


def test_a_blank_tag_value_is_not_the_default(stage: Stage) -> None:
    """An empty selector read as "all": the Diskerase case in Google's SRE book."""
    assert value_of(patch_tag_value="") == ""
    with pytest.raises(InvalidOption, match="must not be empty"):
        OPERATION.work(stage.context(OPERATION, variables={"patch_tag_value": ""}))


# Names


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("patch_batchsize", "patch_batch_size"),
        ("patch_max_host", "patch_max_hosts"),
        ("patch_region", "patch_regions"),
        ("patch_Tag_Key", "patch_tag_key"),
        ("patch_sesions", "patch_sessions"),
    ],
)
def test_a_name_that_no_one_knows_is_reported_with_the_nearest(name: str, nearest: str) -> None:
    with pytest.raises(PatchFleetError, match=f"no variable {name}. Did you mean {nearest}") as caught:
        read({name: 1})
    assert caught.value.code == "unknown_variable"


def test_other_peoples_names_and_those_of_the_roles_are_let_be() -> None:
    refuse_unknown(["ansible_host", "my_patch_size", "patchy", "patch__run_id", "patch_batch_size"])


def test_any_name_with_our_prefix_has_a_nearest_one() -> None:
    with pytest.raises(PatchFleetError, match="Did you mean patch_"):
        refuse_unknown(["patch_xyzzy_quux_42"])


# Together


def together(**changed: Any) -> None:
    forks = changed.pop("forks", 5)
    check_together(read(changed), forks, START)


def test_forks_for_the_batch_are_enough() -> None:
    together()
    together(patch_batch_size=3, forks=20)
    together(patch_batch_size=5, forks=5, patch_rollout="rolling")
    together(patch_batch_size="50%", forks=1)  # known once the hosts are


@pytest.mark.parametrize(
    ("rollout", "batch", "forks", "right"),
    [
        ("waves", 50, 5, "--forks 50 or more, or set Forks in the job template"),
        ("rolling", 5, 20, "--forks 5, or"),
        ("rolling", 20, 5, "--forks 20, or"),
    ],
)
def test_forks_that_do_not_fit_are_refused(rollout: str, batch: int, forks: int, right: str) -> None:
    with pytest.raises(InvalidOption, match=right) as caught:
        together(patch_rollout=rollout, patch_batch_size=batch, forks=forks)
    assert caught.value.option == "forks"


def test_a_deadline_that_is_over_is_refused_with_the_time() -> None:
    together(patch_deadline="2026-11-14T22:00:01Z")
    with pytest.raises(InvalidOption, match="it is 2026-11-14T22:00:00Z now"):
        together(patch_deadline="2026-11-14T22:00:00Z")


@pytest.mark.parametrize("key", ["nicht abschalten (Büro)", "a,b", "x" * 129])
def test_a_keep_tag_that_the_watchdog_cannot_take_is_refused_with_it_alone(key: str) -> None:
    """It would refuse it only when it is due: its host would stay on."""
    together(patch_keep_tag=key)
    with pytest.raises(InvalidOption, match="With patch_dead_man_switch") as caught:
        together(patch_keep_tag=key, patch_dead_man_switch=True)
    assert caught.value.option == "patch_keep_tag"
    together(patch_keep_tag="keep on: patchfleet/keep@team=1", patch_dead_man_switch=True)


def test_the_runbook_of_the_watchdog_takes_the_same_keep_tags() -> None:
    template = load(TEMPLATE.read_text(encoding="utf-8"))
    runbook = template["Resources"]["SwitchRunbook"]["Properties"]["Content"]
    assert runbook["parameters"]["KeepTag"]["allowedPattern"] == f"^{WATCHDOG_KEEP_TAG.pattern}$"


# The step


def settings(stage: Stage, *, partial: bool = False, **variables: Any) -> dict[str, Any]:
    result = OPERATION.work(stage.context(OPERATION, variables=variables, partial=partial))
    assert result["changed"] is False
    found: dict[str, Any] = result["settings"]
    return found


@pytest.mark.parametrize(
    ("variables", "by_tag"),
    [
        ({}, True),
        ({"patch_hosts": "all"}, False),
        ({"patch_hosts": "all", "patch_tag_key": "Stage"}, True),
        ({"patch_hosts": "all", "patch_tag_value": "dev"}, True),
        ({"patch_hosts": ""}, True),
    ],
    ids=str,
)
def test_targets_are_by_tag_unless_only_the_inventory_is_named(
    stage: Stage, variables: dict[str, Any], by_tag: bool
) -> None:
    assert settings(stage, **variables)["by_tag"] is by_tag


@pytest.mark.parametrize("value", ["*", "Win?ows"])
def test_a_wildcard_in_the_tag_value_is_refused(stage: Stage, value: str) -> None:
    with pytest.raises(InvalidOption, match=r"one exact value"):
        settings(stage, patch_tag_value=value)


def test_a_plan_may_run_where_a_run_would_lose_its_ledger(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container, a devcontainer or a cloud shell the first look costs nothing."""
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.delenv(EPHEMERAL_OK_VARIABLE, raising=False)
    result = OPERATION.work(stage.context(OPERATION, only_plan=True))
    assert result["warnings"][0].startswith("A run would be refused here. patch_ledger: ")
    with pytest.raises(InvalidOption, match="This is a container in Kubernetes"):
        OPERATION.work(stage.context(OPERATION))


def test_settings_of_a_part_are_not_checked_together(stage: Stage) -> None:
    assert settings(stage, partial=True, patch_batch_size=50)["batch_size"] == 50


def test_settings_are_json_as_ansible_passes_them_on(stage: Stage) -> None:
    found = settings(stage, patch_deadline="2026-11-15T02:00:00Z", patch_filters={"a": "b"})
    assert all(isinstance(value, (str, int, float, bool, list, dict, type(None))) for value in found.values())
    assert "deadline" not in found
