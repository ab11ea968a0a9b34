# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The same steps as ordinary modules, for tasks that are delegated away from the controller."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import basic

from .fakes import ID, START
from .stage import RUN, Stage

PLUGINS = "ansible_collections.patchfleet.windows.plugins.modules"


class Module:
    """Runs a module's main in this process, as Ansible would start it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def run(self, name: str, **args: Any) -> dict[str, Any]:
        payload = json.dumps({"ANSIBLE_MODULE_ARGS": args}).encode()
        self._monkeypatch.setattr(basic, "_ANSIBLE_ARGS", payload)
        self._monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)  # from ansible-core 2.19 on
        with pytest.raises(SystemExit):
            importlib.import_module(f"{PLUGINS}.{name}").main()
        result: dict[str, Any] = json.loads(self._capsys.readouterr().out)
        return result


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Module:
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    return Module(monkeypatch, capsys)


@pytest.fixture
def ledger(stage: Stage, tmp_path: Path) -> str:
    stage.open_run()
    stage.record("stopped")
    stage.ledger.note_start(ID, RUN, START)
    return str(tmp_path / "ledger.sqlite")


def test_a_step_without_aws_runs_as_a_module(module: Module, tmp_path: Path) -> None:
    result = module.run(
        "patch_settings", variables={"patch_batch_size": "7"}, forks=7, ledger=str(tmp_path / "new.sqlite")
    )
    assert (result["settings"]["batch_size"], result["changed"]) == (7, False)


def test_a_step_with_aws_options_runs_as_a_module(module: Module, ledger: str) -> None:
    result = module.run("run_recovery", state="open_hosts", take_over=True, ledger=ledger)
    assert [host["key"] for host in result["hosts"]] == [ID]


def test_a_module_fails_with_the_same_reason_and_code(module: Module) -> None:
    result = module.run("patch_settings", variables={"patch_sesions": "warn"})
    assert (result["failed"], result["reason_code"]) == (True, "unknown_variable")
    assert "Did you mean patch_sessions?" in result["msg"]


def test_a_module_refuses_what_is_no_option_of_it(module: Module) -> None:
    assert "nonsense" in module.run("patch_settings", nonsense=1)["msg"]
    assert "settings" in module.run("patch_run", state="opened", fleet=[])["msg"]


def test_a_module_knows_check_mode(module: Module, ledger: str, stage: Stage) -> None:
    result = module.run("patch_run", state="closed", run_id=RUN, ledger=ledger, _ansible_check_mode=True)
    assert result["changed"] is True
    assert stage.ledger.run(RUN).closed_at is None


def test_hosts_are_threads_of_the_controller_alone(module: Module) -> None:
    """Their steps are files there."""
    result = module.run("host_threads", state="patched", names=["dev-01"])
    assert (result["failed"], result["reason_code"]) == (True, "invalid_option")
    assert "must not be delegated" in result["msg"]


@pytest.mark.parametrize(
    ("given", "shown"),
    [({"changed": True}, (True, False)), ({"failed": True, "msg": "C: is full.", "retry_later": True}, (False, True))],
)
def test_the_result_of_a_thread_is_shown_as_that_of_a_task(
    module: Module, given: dict[str, Any], shown: tuple[bool, bool]
) -> None:
    result = module.run("host_threads", state="shown", result=given)
    assert (result["changed"], result.get("failed", False)) == shown
    assert given.items() <= result.items()


def test_a_module_without_a_region_says_how_to_set_one(
    module: Module, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    result = module.run("managed_node_wait", instance_id=ID)
    assert (result["reason_code"], "AWS_REGION" in result["msg"]) == ("no_region", True)
