# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's WinRM endpoint before its real clients: pywinrm, and Ansible with the modules of ansible.windows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import winrm
from living_lab import TWO_MINUTES_WITH_A_REBOOT, Ended, LivingLab, Unsafe
from winrm.exceptions import InvalidCredentialsError

PROBE = "# patchfleet-script: probe\n$PatchFleetInput = 'e30='"
HOSTS: list[dict[str, Any]] = [
    {"name": "hall", "kind": "winrm", "updates": [TWO_MINUTES_WITH_A_REBOOT]},
    {"name": "other", "kind": "winrm"},
    {"name": "gone", "kind": "winrm", "unreachable_after": 0},
]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivingLab]:
    with LivingLab(tmp_path_factory.mktemp("winrm"), HOSTS) as living:
        yield living


def session(lab: LivingLab, name: str, **other: Any) -> winrm.Session:
    """A session of pywinrm, as the inventory says."""
    variables = lab.lab.variables(name)
    url = f"{variables['ansible_winrm_scheme']}://{variables['ansible_host']}:{variables['ansible_port']}/wsman"
    credentials = (variables["ansible_user"], other.pop("password", variables["ansible_password"]))
    return winrm.Session(url, auth=credentials, transport=variables["ansible_winrm_transport"], **other)


def tasks(lab: LivingLab, host: str, *tasks: dict[str, Any]) -> list[dict[str, Any]]:
    """The results of tasks on a host, one after the other."""
    return lab.tasks(*tasks, play={"hosts": host})


def ad_hoc(lab: LivingLab, *words: str) -> Ended:
    return lab.run(["ansible", *words], environment={"ANSIBLE_LOAD_CALLBACK_PLUGINS": "true"})


def test_pywinrm_runs_scripts_and_programs(lab: LivingLab) -> None:
    client = session(lab, "hall")
    probe = client.run_ps(PROBE)
    assert (json.loads(probe.std_out)["data"]["computer_name"], probe.status_code) == ("HALL", 0)
    assert client.run_cmd("whoami").std_out == b"hall\\administrator\r\n"


def test_a_wrong_password_is_refused(lab: LivingLab) -> None:
    with pytest.raises(InvalidCredentialsError):
        session(lab, "hall", password="wrong").run_cmd("whoami")  # noqa: S106


def test_ansible_reaches_what_can_be_reached(lab: LivingLab) -> None:
    ended = ad_hoc(lab, "all", "-m", "ansible.windows.win_ping")
    assert {result.host: result.status for result in ended.results} == {
        "hall": "ok",
        "other": "ok",
        "gone": "unreachable",
    }


def test_a_script_runs_through_each_door_of_ansible(lab: LivingLab) -> None:
    by_module, by_shell, raw = tasks(
        lab,
        "other",
        {"ansible.windows.win_powershell": {"script": Unsafe(PROBE)}},
        {"ansible.windows.win_shell": Unsafe(PROBE)},
        {"ansible.builtin.raw": Unsafe(PROBE)},
    )
    answers = [json.loads(text) for text in (by_module["output"][0], by_shell["stdout"], raw["stdout"])]
    assert {answer["data"]["computer_name"] for answer in answers} == {"OTHER"}


def test_a_reboot_by_win_reboot(lab: LivingLab) -> None:
    (rebooted,) = tasks(lab, "other", {"ansible.windows.win_reboot": {"reboot_timeout": 60}})
    assert rebooted["rebooted"] is True
    assert lab.truth("other")["reboots"] == 1


def test_updates_by_win_updates_with_its_own_reboot(lab: LivingLab) -> None:
    searched, installed, again, in_background = tasks(
        lab,
        "hall",
        {"ansible.windows.win_updates": {"state": "searched"}},
        {"ansible.windows.win_updates": {"state": "installed", "reboot": True}},
        {"ansible.windows.win_updates": {"state": "installed"}},
        {"ansible.windows.win_updates": {"state": "searched"}, "async": 600, "poll": 1},
    )
    (found,) = searched["updates"].values()
    assert (found["kb"], found["categories"][0], found["installed"]) == (["5031361"], "Security Updates", False)
    assert (installed["installed_update_count"], installed["rebooted"], installed["failed"]) == (1, True, False)
    assert (again["found_update_count"], again["changed"]) == (0, False)
    assert (in_background["finished"], in_background["found_update_count"]) == (True, 0)
    truth = lab.truth("hall")
    assert (truth["reboots"], truth["installed"], truth["missing"]) == (1, ["KB5031361"], [])


def test_what_the_lab_does_not_know_is_in_the_trace(lab: LivingLab) -> None:
    (service,) = tasks(lab, "hall", {"ansible.windows.win_service": {"name": "wuauserv"}})
    assert service["failed"] is True
    assert "do not know the module" in service["msg"]
    (unknown,) = (call for call in lab.trace() if call["error"] == "NotImplemented")
    assert (unknown["service"], unknown["hosts"]) == ("winrm", ["hall"])


def test_the_password_is_in_no_file_of_a_run(lab: LivingLab) -> None:
    password = lab.lab.variables("hall")["ansible_password"].encode()
    assert lab.workplace.secrets.count(password.decode()) == 1
    files = [file for file in lab.folder.rglob("*") if file.is_file()]
    assert files
    assert not [file for file in files if password in file.read_bytes()]
