# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of hosts as calls: with the options that Ansible gives the tasks of the playbook."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ansible.template
import pytest
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play import Play
from ansible.vars.manager import VariableManager

from ansible_collections.patchfleet.windows.plugins.action.host_threads import ActionModule
from ansible_collections.patchfleet.windows.plugins.plugin_utils._host_calls import HostCalls, calls_of_hosts

NAMES = ("web-1", "web-2", "hall-1")
PLANNED = {
    "web-1": {
        "kind": "ec2",
        "instance_id": "i-1",
        "fence": 1,
        "region": "eu-central-1",
        "account": {"id": "111122223333"},
    },
    "web-2": {"kind": "ec2", "instance_id": "i-2", "fence": 2, "region": "eu-west-1", "account": None},
    "hall-1": {"kind": "hybrid", "instance_id": "mi-1", "fence": 3, "region": "eu-west-1", "account": None},
}
template = getattr(ansible.template, "trust_as_template", str)
"""From ansible-core 2.19 on a text is a template only where its source may have some."""
CallsOf = Callable[..., dict[str, HostCalls]]


@pytest.fixture
def calls_of(tmp_path: Path) -> CallsOf:
    """The calls of all hosts, with variables of the run and, by name, of hosts."""

    def make(of_hosts: dict[str, dict[str, Any]] | None = None, **variables: Any) -> dict[str, HostCalls]:
        loader = DataLoader()
        inventory = InventoryManager(loader, sources=",".join([*NAMES, ""]))
        manager = VariableManager(loader, inventory)
        run = {"patch_ledger": str(tmp_path / "ledger.sqlite"), "patch__run_id": "run-1", "patch__snapshot_id": "snap"}
        for name, planned in PLANNED.items():
            host = {"patch__host": {"key": planned["instance_id"], "name": name, **planned}}
            for key, value in {**run, **host, **variables, **(of_hosts or {}).get(name, {})}.items():
                inventory.get_host(name).set_variable(key, value)
        document = {"hosts": "all", "gather_facts": False, "tasks": [{"debug": {"msg": "x"}}]}
        play = Play.load(document, variable_manager=manager, loader=loader)
        ((task,),) = [
            block.block for block in play.compile() if block.block and block.block[0].action.endswith("debug")
        ]
        action = ActionModule(task, None, None, loader, ansible.template.Templar(loader=loader, variables={}), None)
        return calls_of_hosts(NAMES, task, loader, action.call_of)

    return make


def params(calls: HostCalls, module: str, state: str | None = None) -> dict[str, Any]:
    """The options of a step."""
    steps = (calls.workflow.admission, *calls.workflow.work, *calls.workflow.restore)
    (found,) = [
        step.call.params
        for step in steps
        if step.call.operation.name == module and step.call.params.get("state") == state
    ]
    return dict(found)


def test_each_host_has_its_own_run_and_address(calls_of: CallsOf) -> None:
    found = calls_of()
    for name, planned in PLANNED.items():
        admission = found[name].workflow.admission.call
        assert (admission.name, admission.params["host"], admission.params["fence"]) == (
            name,
            planned["instance_id"],
            planned["fence"],
        )
        ready = params(found[name], "managed_node_wait")
        keys = ("run_id", "instance_id", "region", "account")
        assert [ready[key] for key in keys] == ["run-1", *(planned[key] for key in keys[1:])]
        assert found[name].failed.call.params["host"] == planned["instance_id"]


def test_options_have_the_values_of_variables_and_the_defaults_of_roles(calls_of: CallsOf) -> None:
    found = calls_of({"web-2": {"patch_free_gib": 7}}, patch_start_timeout_seconds=template("{{ 10 * 60 }}"))
    assert params(found["web-1"], "instance_power", "started")["start_timeout_seconds"] == 600
    space = [params(found[name], "system_drive_space") for name in ("web-1", "web-2")]
    assert [one["free_gib"] for one in space] == [20, 7]
    assert [one["allow_shortfall"] for one in space] == [False, False]
    assert params(found["web-1"], "patch_baseline", "installed")["snapshot_id"] == "snap"


def test_an_option_that_the_playbook_omits_has_the_default_of_its_module(calls_of: CallsOf) -> None:
    without, given = calls_of(), calls_of(patch_cloudwatch_output=True, patch_mark_tag="owner")
    logs = [params(found["web-1"], "patch_baseline", "installed")["cloudwatch_log_group"] for found in (without, given)]
    assert logs == [None, "/aws/ssm/patch-manager"]
    tags = [params(found["web-1"], "instance_power", "started")["mark_tag"] for found in (without, given)]
    assert tags == [None, "owner"]
    assert params(without["web-1"], "host_admission")["notify_format"] == "auto"


def test_hosts_share_the_texts_of_scripts(calls_of: CallsOf) -> None:
    """They are most of what a waiting host would cost."""
    found = calls_of({"web-2": {"patch_free_gib": 7}})
    of_hosts = [params(found[name], "system_drive_space")["scripts"] for name in NAMES]
    assert all("# patchfleet-script" in text or "PatchFleet" in text for text in of_hosts[0].values())
    for name in of_hosts[0]:
        assert len({id(scripts[name]) for scripts in of_hosts}) == 1


def test_a_check_of_one_host_is_for_that_host(calls_of: CallsOf) -> None:
    found = calls_of(patch_checks=[{"name": "shop", "tcp": 443, "on": ["web-2"]}])
    checks = [params(found[name], "patch_baseline", "installed")["checks"] for name in ("web-1", "web-2")]
    assert [[check["name"] for check in one] for one in checks] == [[], ["shop"]]


def test_a_run_that_scans_has_the_steps_of_a_scan(calls_of: CallsOf) -> None:
    found = calls_of(patch_operation="scan")
    assert params(found["web-1"], "patch_compliance_info", "scanned")["snapshot_id"] == "snap"


def test_a_call_reads_the_variables_of_its_host(calls_of: CallsOf) -> None:
    found = calls_of(
        {"web-2": {"patch_slice": "2/5"}}, patch_notify=template("{{ 'https://hooks.example.com' ~ '/x' }}")
    )
    calls = [found[name].workflow.admission.call for name in ("web-1", "web-2")]
    assert [call.variable("patch_slice") for call in calls] == [None, "2/5"]
    assert [call.variable("patch_notify") for call in calls] == ["https://hooks.example.com/x"] * 2
    assert params(found["web-1"], "host_admission")["notify"] == "https://hooks.example.com/x"
