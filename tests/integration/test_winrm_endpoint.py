# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's WinRM endpoint before its real clients: pywinrm, and Ansible with the modules of ansible.windows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import winrm
from living_lab import TWO_MINUTES_WITH_A_REBOOT, Ended, LivingLab, Unsafe
from winrm.exceptions import InvalidCredentialsError, WinRMTransportError, WSManFaultError

from lab.winrm.options import Options

PROBE = "# patchfleet-script: probe\n$PatchFleetInput = 'e30='"
DOORS = {
    "https-ntlm": Options(),
    "https-basic": Options(transport="basic"),
    "http-ntlm": Options(scheme="http"),
    "http-basic": Options(scheme="http", transport="basic"),
}
CERTIFICATES = {
    "expired": "certificate has expired",
    "not_yet_valid": "certificate is not yet valid",
    "other_name": "IP address mismatch",
    "untrusted": "unable to get local issuer certificate",
}
HOSTS: list[dict[str, Any]] = [
    {"name": "hall", "kind": "winrm", "updates": [TWO_MINUTES_WITH_A_REBOOT]},
    {"name": "other", "kind": "winrm"},
    {"name": "gone", "kind": "winrm", "unreachable_after": 0},
    {"name": "cut", "kind": "winrm", "updates": [TWO_MINUTES_WITH_A_REBOOT]},
    *({"name": name, "kind": "winrm", "groups": ["doors"]} for name in DOORS),
    *({"name": name, "kind": "winrm", "groups": ["certificates"]} for name in CERTIFICATES),
]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivingLab]:
    options = {**DOORS, **{name: Options(certificate=name) for name in CERTIFICATES}}  # type: ignore[arg-type]
    options["cut"] = Options(cut_when={"installing": 30})
    with LivingLab(tmp_path_factory.mktemp("winrm"), HOSTS, winrm=options) as living:
        yield living


def session(lab: LivingLab, name: str, **other: Any) -> winrm.Session:
    """A session of pywinrm, as the inventory says."""
    variables = {key.removeprefix("ansible_"): value for key, value in lab.lab.variables(name).items()}
    url = f"{variables['winrm_scheme']}://{variables['host']}:{variables['port']}/wsman"
    credentials = (other.pop("user", variables["user"]), other.pop("password", variables["password"]))
    settings = {"transport": variables["winrm_transport"], "ca_trust_path": None, "proxy": None}
    for key in ("ca_trust_path", "server_cert_validation"):
        settings |= {key: variables[f"winrm_{key}"]} if f"winrm_{key}" in variables else {}
    return winrm.Session(url, auth=credentials, **{**settings, **other})


def tasks(lab: LivingLab, host: str, *tasks: dict[str, Any]) -> list[dict[str, Any]]:
    """The results of tasks on a host, one after the other."""
    return lab.tasks(*tasks, play={"hosts": host})


def ad_hoc(lab: LivingLab, *words: str) -> Ended:
    return lab.run(["ansible", *words], environment={"ANSIBLE_LOAD_CALLBACK_PLUGINS": "true"})


@pytest.mark.parametrize("name", DOORS)
def test_pywinrm_runs_scripts_and_programs(lab: LivingLab, name: str) -> None:
    client = session(lab, name)
    probe = client.run_ps(PROBE)
    assert (json.loads(probe.std_out)["data"]["computer_name"], probe.status_code) == (name.upper(), 0)
    assert client.run_cmd("whoami").std_out == f"{name}\\administrator\r\n".encode()


@pytest.mark.parametrize("name", DOORS)
def test_a_wrong_password_or_user_is_refused(lab: LivingLab, name: str) -> None:
    with pytest.raises(InvalidCredentialsError):
        session(lab, name, password="wrong").run_cmd("whoami")  # noqa: S106
    with pytest.raises(InvalidCredentialsError):
        session(lab, name, user="guest").run_cmd("whoami")


def test_a_user_of_the_computer_is_one_of_no_domain(lab: LivingLab) -> None:
    for user in ("administrator", ".\\Administrator", "HTTP-NTLM\\Administrator"):
        assert session(lab, "http-ntlm", user=user).run_cmd("whoami").status_code == 0


def test_without_tls_nothing_is_said_in_the_clear(lab: LivingLab) -> None:
    with pytest.raises(InvalidCredentialsError):
        session(lab, "http-ntlm", transport="basic").run_cmd("whoami")
    with pytest.raises(WinRMTransportError, match="500"):
        session(lab, "http-ntlm", message_encryption="never").run_cmd("whoami")


def test_messages_may_be_sealed_within_tls_too(lab: LivingLab) -> None:
    assert session(lab, "https-ntlm", message_encryption="always").run_cmd("whoami").status_code == 0


def test_a_fault_is_sealed_as_well(lab: LivingLab) -> None:
    protocol = session(lab, "http-ntlm").protocol
    with pytest.raises(WSManFaultError, match="the shell was not found on the server"):
        protocol.run_command("0", "whoami")


def test_a_log_on_is_tied_to_its_connection(lab: LivingLab) -> None:
    protocol = session(lab, "http-ntlm").protocol
    shell_id = protocol.open_shell()
    protocol.transport.session.close()  # what is sealed with the keys of another connection is worth nothing
    with pytest.raises(WinRMTransportError, match="400"):
        protocol.run_command(shell_id, "whoami")
    with pytest.raises(InvalidCredentialsError):  # the certificate is part of what the password is proven by
        session(lab, "https-ntlm", send_cbt=False).run_cmd("whoami")


@pytest.mark.parametrize("name", CERTIFICATES)
def test_certificates_that_no_client_trusts(lab: LivingLab, name: str) -> None:
    with pytest.raises(requests.exceptions.SSLError, match=CERTIFICATES[name]):
        session(lab, name).run_cmd("whoami")
    assert session(lab, name, server_cert_validation="ignore").run_cmd("whoami").status_code == 0


def test_ansible_reaches_what_can_be_reached(lab: LivingLab) -> None:
    ended = ad_hoc(lab, "all", "-m", "ansible.windows.win_ping")
    unreachable = {"gone", *CERTIFICATES}
    assert {result.host: result.status for result in ended.results} == {
        host["name"]: "unreachable" if host["name"] in unreachable else "ok" for host in HOSTS
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


def test_a_script_that_is_a_file(lab: LivingLab) -> None:
    script = lab.file("probe.ps1", PROBE)
    (probe,) = tasks(lab, "other", {"ansible.builtin.script": str(script)})
    assert json.loads(probe["stdout"])["data"]["computer_name"] == "OTHER"


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


def test_an_installation_continues_when_the_connection_is_lost(lab: LivingLab) -> None:
    lost, _there_again, found = tasks(
        lab,
        "cut",
        {"ansible.windows.win_updates": {"state": "installed", "reboot": True}},
        {"ansible.builtin.wait_for_connection": {"delay": 3, "timeout": 30}},
        {"ansible.windows.win_updates": {"state": "searched"}},
    )
    assert (lost["failed"], lost["installed_update_count"]) == (True, 0)
    assert (found["found_update_count"], found["reboot_required"]) == (0, True)
    truth = lab.truth("cut")
    assert (truth["installed"], truth["reboots"], truth["cut_off"]) == (["KB5031361"], 0, 0)


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
