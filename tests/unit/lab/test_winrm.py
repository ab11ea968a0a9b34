# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The WinRM endpoint: messages, shells and what a host understands, without a client."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import socket
import xml.etree.ElementTree as ET
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lab.guest_logon import Logon
from lab.winrm import programs, wsman
from lab.winrm.endpoint import Endpoint
from lab.winrm.options import Options
from lab.winrm.payload import SEPARATOR, UnreadablePayload, read_payload
from lab.winrm.service import WinRm
from lab.winrm.shells import CHUNK_BYTES, MAX_SHELLS
from lab.winrm.wsman import Fault
from virtual_lab import UPDATE, VirtualLab, script
from winrm_hall import BOOTSTRAP, Hall, encoded, own_payload, payload

MakeLab = Callable[..., VirtualLab]
PLUGINS = Path(__file__).parents[3] / "plugins"
EXIT_CODE = "If (-not $?) { If (Get-Variable LASTEXITCODE -ErrorAction SilentlyContinue) { exit $LASTEXITCODE } Else { exit 1 } }"
PRELUDE = (PLUGINS / "plugin_utils/_windows_script/prelude.ps1").read_text(encoding="utf-8")


def test_a_command_runs_in_the_time_of_the_lab(hall: Hall) -> None:
    shell_id = hall.open()
    command_id = hall.begin(shell_id, encoded("\n".join(script("probe"))))
    with pytest.raises(Fault) as caught:
        hall.receive(shell_id, command_id)
    assert caught.value.code == 2150858793  # what a client takes as "not yet"
    hall.lab.run_for(60)
    output, errors, code = hall.receive(shell_id, command_id)
    assert (json.loads(output)["data"]["computer_name"], errors, code) == ("HALL", "", 0)
    assert hall.noted == [("Script", None)]


def test_a_command_with_input_begins_when_all_of_it_is_there(hall: Hall) -> None:
    shell_id = hall.open()
    command_id = hall.begin(shell_id, encoded(BOOTSTRAP), with_input=True)
    data = payload("win_ping", {"data": "here"})
    hall.send(shell_id, command_id, data[:100], last=False)
    hall.lab.run_for(60)
    with pytest.raises(Fault):
        hall.receive(shell_id, command_id)
    hall.send(shell_id, command_id, data[100:])
    hall.lab.run_for(60)
    assert json.loads(hall.receive(shell_id, command_id)[0])["ping"] == "here"


def test_long_output_comes_in_pieces(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    written = "x" * (2 * CHUNK_BYTES + 1)
    monkeypatch.setattr(programs, "known_program", lambda _line: lambda _machine: _ends_with(written))
    shell_id = hall.open()
    command_id = hall.begin(shell_id, "dir")
    hall.lab.run_for(60)
    pieces = [hall.receive(shell_id, command_id) for _ in range(3)]
    assert [len(output) for output, _errors, _code in pieces] == [CHUNK_BYTES, CHUNK_BYTES, 1]
    assert [code for _output, _errors, code in pieces] == [None, None, 0]


def _ends_with(output: str) -> Any:
    yield 0.0
    return programs.Outcome(0, output)


def test_who_signals_a_command_ends_it(hall: Hall) -> None:
    shell_id = hall.open()
    command_id = hall.begin(shell_id, encoded("\n".join(script("repair_components"))))
    hall.lab.run_for(60)
    hall.ask(
        wsman.SIGNAL,
        f'<rsp:Signal CommandId="{command_id}"><rsp:Code>{wsman.SHELL}/signal/terminate</rsp:Code></rsp:Signal>',
        shell_id,
    )
    with pytest.raises(Fault, match="does not exist"):
        hall.receive(shell_id, command_id)


def test_a_shell_does_not_survive_a_reboot(hall: Hall) -> None:
    shell_id = hall.open()
    hall.shells.close()
    with pytest.raises(Fault, match=f"ShellId {shell_id} failed because the shell was not found") as caught:
        hall.begin(shell_id, "whoami")
    assert caught.value.code == 2150858843


def test_there_is_an_end_to_the_shells_of_a_user(hall: Hall) -> None:
    shells = [hall.open() for _ in range(MAX_SHELLS)]
    with pytest.raises(Fault, match="maximum number of 30 concurrent shells"):
        hall.open()
    hall.ask(wsman.DELETE, shell_id=shells[0])
    hall.open()


def test_what_is_no_request_is_refused() -> None:
    for message in (b"", b"<a>", b"<a/>"):
        with pytest.raises(Fault, match="cannot process the request"):
            wsman.parse(message)


@pytest.mark.parametrize(
    ("duration", "seconds"), [("PT20S", 20), ("PT1M0.5S", 60.5), ("PT1H", 3600), ("", 60), ("P1D", 60)]
)
def test_a_request_says_how_long_it_may_take(duration: str, seconds: float) -> None:
    envelope = (
        f'<s:Envelope xmlns:s="{wsman.SOAP}" xmlns:w="{wsman.WSMAN}"><s:Header>'
        f"<w:OperationTimeout>{duration}</w:OperationTimeout></s:Header><s:Body/></s:Envelope>"
    )
    assert wsman.parse(envelope.encode()).timeout_seconds == seconds


def test_a_fault_says_what_it_is() -> None:
    fault = ET.fromstring(wsman.fault(None, Fault(5, "w:AccessDenied", 'a "b" <c>')))  # noqa: S314
    detail = fault.find(f".//{{{wsman.FAULT}}}WSManFault")
    assert detail is not None
    assert (detail.get("Code"), detail.findtext(f"{{{wsman.FAULT}}}Message")) == ("5", 'a "b" <c>')


# ---- what a host understands


def test_a_module_that_is_known(hall: Hall) -> None:
    assert hall.module("win_ping") == {"changed": False, "invocation": {"module_args": {}}, "ping": "pong"}


def test_the_products_scripts_run_through_modules(hall: Hall) -> None:
    lines = "\n".join(script("probe"))
    result = hall.module("win_powershell", script=lines)
    assert json.loads(result["output"][0])["script"] == "probe"
    assert json.loads(hall.module("win_shell", _raw_params=lines)["stdout"])["ok"] is True


def test_what_is_not_known_fails_loudly(hall: Hall) -> None:
    assert hall.module("win_service", name="wuauserv")["failed"] is True
    assert "option retries" in hall.module("win_ping", retries=2)["msg"]
    for line in (encoded("Get-Date"), "ipconfig /all", "powershell -File a.ps1", encoded("\n".join(script("dance")))):
        _output, errors, code = hall.run(line)
        assert (bool(errors), code) == (True, 1)
    _output, errors, code = hall.run(encoded(BOOTSTRAP), b"{}")
    assert (code, "payload" in errors) == (1, True)
    assert all(error for what, error in hall.noted if what != "Script")
    assert len(hall.noted) == 8


def test_cmd_takes_no_line_that_is_too_long(hall: Hall) -> None:
    assert hall.run(encoded("# " + 4000 * "x")) == ("", "The command line is too long.\r\n", 1)


def test_who_and_where(hall: Hall) -> None:
    assert hall.run("whoami")[0] == "hall\\administrator\r\n"
    for before, after in (("", ""), ("Set-StrictMode -Version Latest\n", f"\n{EXIT_CODE}\n"), ("", f"; {EXIT_CODE}")):
        assert hall.run(encoded(f"{before}hostname{after}"))[0] == "HALL\r\n"


@pytest.mark.parametrize("become", [True, False])
def test_a_payload_of_an_earlier_ansible_core(hall: Hall, become: bool) -> None:
    """As lib/ansible/executor/powershell/module_manifest.py of 2.17 and 2.18 makes it, in a command line of a command line."""
    manifest = {
        "module_entry": base64.b64encode(b"text of the module").decode(),
        "module_args": {"data": "here", "_ansible_module_name": "ansible.windows.win_ping"},
        "actions": [*(["become_wrapper"] if become else []), "module_powershell_wrapper"],
        "become_user": "SYSTEM",
    }
    data = b"begin {}\n\n\0\0\0\0" + json.dumps(manifest).encode()
    read = read_payload(data)
    assert (read.name, read.text) == (
        "ansible_collections.ansible.windows.plugins.modules.win_ping",
        "text of the module",
    )
    assert (read.options, read.logon) == ({"data": "here"}, Logon.SYSTEM if become else Logon.NETWORK)
    assert json.loads(hall.run(encoded(encoded(BOOTSTRAP)), data)[0])["ping"] == "here"


@pytest.mark.parametrize("data", [b"", b"{}", b"{}" + SEPARATOR + b"[]", b"{}" + SEPARATOR + b'{"actions": []}'])
def test_a_payload_that_is_none(data: bytes) -> None:
    with pytest.raises(UnreadablePayload):
        read_payload(data)


def test_files_come_run_and_go(hall: Hall) -> None:
    def own(name: str, data: bytes = b"", **params: Any) -> str:
        return hall.run(encoded(BOOTSTRAP), own_payload(name, params, data))[0].strip()

    assert own("powershell_expand_user.ps1", Path="~\\x") == "C:\\Users\\Administrator\\x"
    folder = own("powershell_mkdtemp.ps1", Directory="%TEMP%", Name="ansible-tmp-1")
    assert folder == "C:\\Users\\Administrator\\AppData\\Local\\Temp\\ansible-tmp-1"
    text = "\n".join(script("probe"))
    data = b"\r\n".join(base64.b64encode(part.encode()) for part in (text[:50], text[50:]))
    digest = json.loads(own("winrm_put_file.ps1", data, Path=f"{folder}\\a.ps1"))["sha1"]
    assert digest == hashlib.sha1(text.encode()).hexdigest()  # noqa: S324
    assert json.loads(hall.run(encoded(f"&  {folder}\\a.ps1; exit $LASTEXITCODE"))[0])["script"] == "probe"
    fetched = own("winrm_fetch_file.ps1", Path=f"{folder}\\A.PS1", BufferSize=20, Offset=10)
    assert base64.b64decode(fetched).decode() == text[10:30]
    assert hall.run(encoded(f"Remove-Item '{folder}' -Force -Recurse;"))[2] == 0
    assert hall.run(encoded(f"Remove-Item {folder} -Force -Recurse"))[2] == 0
    assert hall.machine.files == {}
    assert hall.run(encoded(BOOTSTRAP), own_payload("winrm_fetch_file.ps1", {"Path": "C:\\a"}))[2] == 1


# ---- what may be wrong with a host


@pytest.mark.parametrize(("shell", "category"), [("32-bit", "wrong_bitness"), ("constrained", "constrained_language")])
def test_a_powershell_that_cannot_do_it(make_lab: MakeLab, shell: str, category: str) -> None:
    hall = Hall(make_lab({"name": "hall", "kind": "winrm"}), shell=shell)
    answer = json.loads(hall.run(encoded("\n".join(script("inspect_boot"))))[0])
    assert (answer["script"], answer["ok"], answer["error"]["category"]) == ("inspect_boot", False, category)
    assert answer["error"]["message"] in PRELUDE
    probe = json.loads(hall.run(encoded("\n".join(script("probe"))))[0])["data"]
    assert (probe["language"], probe["wow64"]) == {
        "wrong_bitness": ("FullLanguage", "AMD64"),
        "constrained_language": ("ConstrainedLanguage", ""),
    }[category]


def test_answers_that_are_not_what_they_should_be(make_lab: MakeLab) -> None:
    outputs = {}
    for answers in ("noisy", "truncated", "garbage"):
        hall = Hall(make_lab({"name": "hall", "kind": "winrm"}), answers=answers)
        outputs[answers] = hall.run(encoded("\n".join(script("probe"))))[0]
    assert json.loads(outputs["noisy"].splitlines()[-1])["ok"] is True
    for answer in outputs.values():
        with pytest.raises(json.JSONDecodeError):
            json.loads(answer)


def test_who_becomes_system_is_no_network_logon(make_lab: MakeLab) -> None:
    keys = {"kind": "winrm", "windows": {"update_api_over_network": "refused"}}
    lines = {"script": "\n".join(script("update_history"))}
    become = {"become_wrapper.ps1": {"BecomeUser": "SYSTEM"}}

    def answered(wrappers: dict[str, Any] | None, **options: Any) -> dict[str, Any]:
        hall = Hall(make_lab({"name": "hall", **keys}), **options)
        result = json.loads(hall.run(encoded(BOOTSTRAP), payload("win_powershell", lines, wrappers))[0])
        return result if result.get("failed") else dict(json.loads(result["output"][-1]))

    assert answered(None)["error"]["category"] == "update_api_refused"
    assert answered(become)["data"] == {"entries": []}
    refused = answered(become, may_become_system=False)
    assert "Failed to get token for NT AUTHORITY\\SYSTEM" in refused["msg"]


def test_a_clock_that_is_wrong(make_lab: MakeLab) -> None:
    plain, slow = (
        Hall(make_lab({"name": "hall", "kind": "winrm", "updates": [UPDATE]}), clock_skew_seconds=skew)
        for skew in (0, -7200)
    )
    for hall in (plain, slow):
        hall.module("win_updates")
        hall.lab.run_for(600)
    right, late = (json.loads(hall.run(encoded("\n".join(script("probe"))))[0])["data"] for hall in (plain, slow))
    for field in ("time", "boot_time"):
        assert datetime.fromisoformat(right[field]) - datetime.fromisoformat(late[field]) == timedelta(hours=2)
    assert int(plain.run(encoded(BOOT_TIME))[0]) - int(slow.run(encoded(BOOT_TIME))[0]) == 7200 * 10_000_000
    since = {"since": "2026-11-14T22:00:00Z"}  # what the slow one has installed it remembers as from before
    history = [hall.run(encoded("\n".join(script("update_history", since))))[0] for hall in (plain, slow)]
    assert [len(json.loads(text)["data"]["entries"]) for text in history] == [1, 0]


def reached(endpoint: Endpoint) -> bool:
    with contextlib.closing(socket.socket()) as client:
        return client.connect_ex(("127.0.0.1", endpoint.port)) == 0


def test_when_an_endpoint_can_be_reached(make_lab: MakeLab) -> None:
    update = {**UPDATE, "seconds": 600}
    lab = make_lab({"name": "hall", "kind": "winrm", "updates": [update], "unreachable_after": 4000})
    winrm = WinRm(lab.play, {"hall": Options(cut_when={"installing": 100})})
    winrm.start()
    endpoint, guest = winrm.endpoints["hall"], lab.play.world.hosts["hall"].guest
    reachable = [reached(endpoint)]
    guest.updates.begin_installation(guest.updates.offered())
    for seconds in (99, 1, 600):  # cut off while it installs, there again
        lab.run_for(seconds)
        reachable.append(reached(endpoint))
    guest.reboot()
    reachable.append(reached(endpoint))
    for seconds in (89, 1, 3300):  # booting, up, gone for good
        lab.run_for(seconds)
        reachable.append(reached(endpoint))
    winrm.stop()
    assert reachable == [True, False, True, True, False, False, True, False]
    assert guest.cut_off == 0


# ---- reboots as ansible.windows does them

BOOT_TIME = "(Get-CimInstance -ClassName Win32_OperatingSystem -Property LastBootUpTime).LastBootUpTime.ToFileTime()"
KEY = r"HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Winlogon\AutoLogonChecked"
SHUTDOWN = rf"""if ($True) {{
Remove-Item -LiteralPath '{KEY}' -Force -ErrorAction SilentlyContinue
}}
$stderr = . {{ C:\Windows\System32\shutdown.exe /r /t 2 /c 'Reboot' | Set-Variable stdout }} 2>&1 | ForEach-Object ToString"""
LOGON = f"Get-Item -LiteralPath '{KEY}' -ErrorAction Stop; 'success-1'"


def test_a_reboot_is_real(hall: Hall) -> None:
    before = hall.run(encoded(BOOT_TIME))[0]
    assert hall.run(encoded(LOGON))[0] == "success-1\r\n"
    shell_id = hall.open()
    hall.begin(shell_id, encoded(SHUTDOWN))
    hall.lab.run_for(10)
    assert not hall.machine.host.guest.up
    assert hall.lab.truth("hall")["reboots"] == 1
    hall.lab.run_for(85)  # up again, but not yet configured
    assert hall.machine.host.guest.up
    assert not hall.machine.logon_ui
    hall.lab.run_for(60)
    assert hall.run(encoded(LOGON))[0] == "success-1\r\n"
    assert int(hall.run(encoded(BOOT_TIME))[0]) > int(before)


def test_only_one_shutdown_at_a_time(hall: Hall) -> None:
    hall.machine.shut_down(86400)
    assert json.loads(hall.run(encoded(SHUTDOWN))[0])["rc"] == 1190
    assert hall.run(encoded(r"C:\Windows\System32\shutdown.exe /a"))[2] == 0
    assert hall.run(encoded(r"C:\Windows\System32\shutdown.exe /a"))[2] == 1116
    hall.lab.run_for(90000)
    assert hall.lab.truth("hall")["reboots"] == 0
