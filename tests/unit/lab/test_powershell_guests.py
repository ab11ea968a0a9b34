# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each script, run by a real PowerShell, answers what the model answers, whatever the state of the host."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._host.scripts import PROBE
from conftest import MakeLab
from lab.agent import Outcome
from lab.guest_files import TempFile
from lab.guest_logon import Logon
from lab.guest_workload import Iis
from lab.guests import FIRST_SCRIPT, ModelGuests, PowerShellGuests, run_script
from lab.powershell.process import ROOT, WHERE_FROM, find
from lab.scripts_model import SCRIPTS
from lab.scripts_workload import CLUSTER, EVIDENCE
from lab.shells import SHELLS
from lab.sim import Steps
from stored_answers import StoringPowerShell
from virtual_lab import UPDATE, VirtualLab, script

# In one worker: they share what the PowerShell has said.
pytestmark = [pytest.mark.skipif(find() is None, reason=WHERE_FROM), pytest.mark.xdist_group("powershell")]

PRELUDE = (ROOT / "plugins" / "plugin_utils" / "_windows_script" / "prelude.ps1").read_text()
FILES = {path.stem: path.read_text() for path in (ROOT / "roles").glob("*/files/*.ps1")}
LONG_SECONDS = 20_000.0
SINCE = "2026-11-14T00:00:00Z"
CHECKS: list[dict[str, Any]] = [
    {"port": 443, "timeout_seconds": 5},
    {"port": 1433, "address": "localhost", "timeout_seconds": 5},
    {"http": "http://localhost:8080/health", "status": 200, "text": "works", "timeout_seconds": 5},
    {"http": "http://localhost:8080/health", "status": 503, "text": "Unavailable", "timeout_seconds": 5},
    {"http": "http://localhost:3389", "status": 200, "timeout_seconds": 5},
    {"http": "http://localhost:80", "status": 302, "timeout_seconds": 5},
    {"service": "LineOfBusiness", "timeout_seconds": 5},
    {"service": "EventLog", "timeout_seconds": 5},
    {"script": "$a = 1\n$a -eq 1", "timeout_seconds": 60},
    {"script": "throw 'The queue is full.'", "timeout_seconds": 60},
]
NUMBERS = [UPDATE["kb"], "KB5030001", "KB5030002", "KB5030003"]
"""Of updates: offered, replaced, not approved, and unknown."""
PARAMETERS: dict[str, list[dict[str, Any]]] = {
    "inspect_boot": [{"since": SINCE}, {"since": None}],
    "check_host": [{"checks": CHECKS, "evidence": sorted({*EVIDENCE, CLUSTER})}],
    "clean_disk": [
        {"reset_base": False, "temp_age_days": 1, "old_windows": False},
        {"reset_base": True, "old_windows": True},
        {"user_temp": True, "component_store_seconds": 300},
    ],
    "inspect_windows_update": [{}, {"search": False}],
    "repair_services": [{"services": ["wuauserv", "bits", "trustedinstaller"]}],
    "restore_services": [
        {
            "services": [
                {"name": "wuauserv", "start_type": "disabled", "status": "stopped", "expected_start_type": None}
            ]
        },
        {
            "services": [
                {"name": "bits", "start_type": "disabled", "status": "stopped", "expected_start_type": "automatic"}
            ]
        },
    ],
    "reset_update_cache": [{"catroot2": False}, {"catroot2": True}],
    "mark_pending": [{"pending": True}, {"pending": False}],
    "shift_clock": [{"seconds": 180}, {"seconds": -180}],
    "send_session_message": [{"message": 'Reboot at "22:00"', "seconds": 60}],
    "update_history": [{"since": SINCE}],
    "inspect_use": [
        {"processes": ["backup", "other"], "script": None, "seconds": 10},
        {"processes": [], "script": "$true", "seconds": 10},
        {"processes": [], "script": "$false", "seconds": 10},
        {"processes": [], "script": "throw 'A job runs.'", "seconds": 10},
    ],
    "drain_cluster_node": [{"node": "A", "seconds": 60}],
    "resume_cluster_node": [{"node": "A", "seconds": 60, "failback": back} for back in (True, False)],
    "search_updates": [{"kbs": NUMBERS}, {"kbs": NUMBERS, "search": False}],
    "install_updates": [{"kbs": NUMBERS}],
}
OF_WORKLOAD = {"check_host"}
OF_CLUSTERS = {"inspect_cluster", "inspect_use", "drain_cluster_node", "resume_cluster_node"}
"""What these scripts read is in few states only."""
ASKS_UPDATE_AGENT = (
    "inspect_windows_update",
    "missing_update_sizes",
    "update_history",
    "servicing_state",
    "search_updates",
    "install_updates",
    "clean_disk",
)
BEYOND_A_SCENARIO = ("and", "old_windows_gib", "peer")
STATES: dict[str, dict[str, Any]] = {
    "healthy": {"updates": [UPDATE]},
    "installing": {"updates": [{**UPDATE, "seconds": 3000}], "and": "installing"},
    "failing": {"updates": [{**UPDATE, "result": "0x80070005"}], "and": "patched", "clock_skew_seconds": -280},
    "patched": {
        "updates": [UPDATE],
        "windows": {"failing_services": ["LineOfBusiness"], "self_ending_services": ["edgeupdate"]},
        "and": "patched",
    },
    "working": {"listens": [80, 443, 8080, 3389, 50000]},
    "broken": {
        "listens": [443, 3389],
        "breaks": ["tcp/443", "http/http://localhost:8080/health", "service/LineOfBusiness"],
        "updates": [UPDATE],
        "and": "patched",
    },
    "replaced": {  # by an update that came after it
        "updates": [
            {"kb": "KB5030001", "severity": "critical", "class": "security", "seconds": 60},
            {**UPDATE, "needs": "KB5030001", "supersedes": "KB5030001"},
            {"kb": "KB5030002", "severity": "unspecified", "class": "rollup", "result": "0x800F0922", "seconds": 60},
        ],
        "and": "patched twice",
    },
    "reboot-pending": {"pending_reboot": True},
    "others-installed": {"windows": {"pending_by_others": True, "trusted_installer_turns_manual": True}},
    "full": {"disk": {"size_gib": 60, "free_gib": 3, "temp_gib": 4, "component_store_gib": 6}},
    "upgraded": {"disk": {"size_gib": 60, "free_gib": 3}, "old_windows_gib": 9},
    "slack-and-remote-people": {
        "disk": {"size_gib": 60, "free_gib": 3, "slack_gib": 10},
        "sessions": 1,
        "windows": {"people": "remoteapp", "per_user_services": 3},
    },
    "recovery-and-people": {
        "disk": {"size_gib": 60, "free_gib": 3, "slack_gib": 10, "recovery_partition": True},
        "sessions": 2,
    },
    "mbr-and-server-core": {
        "disk": {"size_gib": 60, "free_gib": 3, "style": "mbr"},
        "sessions": 1,
        "windows": {"people": "core"},
    },
    "gap": {"disk": {"size_gib": 60, "free_gib": 3, "slack_gib": 5}, "windows": {"gap_gib": 3}},
    "hardened": {"windows": {"defragsvc": "disabled", "start_types": {"wuauserv": "disabled", "bits": "disabled"}}},
    "policies": {
        "updates": [UPDATE],
        "windows": {
            "policies": {"UseWUServer": 1, "WUServer": "http://wsus:8530", "TargetReleaseVersionInfo": "21H2"},
            "policy_services": ["TrustedInstaller"],
        },
    },
    "known-damage": {"windows_update": "components_corrupt", "updates": [UPDATE], "and": "patched"},
    "no-repair-source": {
        "windows_update": "components_corrupt",
        "windows": {"policies": {"UseWUServer": 1, "WUServer": "http://wsus:8530", "UseWindowsUpdate": 2}},
    },
    "stuck": {"windows": {"stuck_service": "wuauserv"}},
    "hangs-at-start": {"windows": {"hanging_start": "wuauserv", "start_types": {"wuauserv": "automatic"}}},
    "hangs-at-repair": {"windows": {"hanging_start": "wuauserv"}},
    "dynamic": {"disk": {"size_gib": 50, "free_gib": 3, "slack_gib": 10}, "windows": {"dynamic_disk": True}},
    "by-diskpart": {"disk": {"size_gib": 50, "free_gib": 3, "slack_gib": 10}, "windows": {"resize": "by_diskpart"}},
    "not-extended": {"disk": {"size_gib": 50, "free_gib": 3, "slack_gib": 10}, "windows": {"resize": "refused"}},
    "needs-reboot": {
        "disk": {"size_gib": 60, "free_gib": 3, "component_store_gib": 6},
        "windows": {"dism_exit_code": 3010, "sfc_exit_code": 1},
        "windows_update": "components_corrupt",
    },
    "dism-fails": {
        "disk": {"size_gib": 60, "free_gib": 3, "component_store_gib": 6},
        "windows": {"dism_exit_code": 87, "language": "ja"},
        "windows_update": "components_corrupt",
    },
    "pending-and-disabled": {"pending_reboot": True, "windows": {"start_types": {"TrustedInstaller": "disabled"}}},
    "held-cache": {"windows": {"held_folders": ["SoftwareDistribution"], "language": "de"}},
    "held-catalogs": {"windows": {"held_folders": ["catroot2"]}},
    "odd-search": {"updates": [UPDATE], "windows": {"search_faults": ["0x80131501"]}},
    "hidden": {"updates": [{**UPDATE, "hidden": True}]},
    "german": {"windows_update": "service_disabled", "windows": {"language": "de"}},
    "unlucky-search": {"updates": [UPDATE], "windows": {"search_faults": ["0x8024401C"], "search_seconds": 1500}},
    "awake-and-refusing": {
        "windows": {"tiworker_seconds": "always", "update_api_over_network": "refused"},
        "and": "scanned",
    },
    "live": {"disk": {"size_gib": 60, "free_gib": 3, "temp_gib": 6}, "windows": {"live_temp": True}},
    "slow-clean": {
        "disk": {"size_gib": 60, "free_gib": 3, "component_store_gib": 6},
        "windows": {"clean_seconds": 900},
    },
    "node": {"cluster": "sales", "cluster_roles": 2, "peer": True, "windows": {"processes": ["backup"]}},
    "last-node": {"cluster": "sales", "cluster_roles": 1},
    "replica": {"cluster": "sales", "windows": {"resync_seconds": 600}, "updates": [UPDATE], "and": "patched"},
    "drain-hangs": {"cluster": "sales", "cluster_roles": 1, "windows": {"drain": "hangs"}, "peer": True},
    "drained": {"cluster": "sales", "cluster_roles": 2, "peer": True, "and": "drained"},
    **{
        fault: {"windows_update": fault, "updates": [UPDATE]}
        for fault in (
            "service_stopped",
            "service_disabled",
            "cache_corrupt",
            "components_corrupt",
            "no_route",
            "unrepairable",
        )
    },
}


# States that matter to these scripts alone.
ONLY = {
    "working": {"check_host"},
    "broken": {"check_host"},
    "policies": {"inspect_windows_update", "inspect_boot", "repair_services", "restore_services"},
    "known-damage": {"repair_components"},
    "no-repair-source": {"repair_components"},
    "hangs-at-start": {"clean_disk", "reset_update_cache"},
    "hangs-at-repair": {"inspect_windows_update", "repair_services"},
    "dynamic": {"measure_disk", "extend_partition"},
    "by-diskpart": {"extend_partition"},
    "not-extended": {"extend_partition"},
    "needs-reboot": {"clean_disk", "repair_components"},
    "dism-fails": {"clean_disk", "repair_components"},
    "pending-and-disabled": {"repair_services"},
    "held-cache": {"reset_update_cache"},
    "held-catalogs": {"reset_update_cache"},
    "odd-search": {"inspect_windows_update"},
    "replaced": {"search_updates", "install_updates"},
    "hidden": {"missing_update_sizes"},
    "german": {"inspect_windows_update", "missing_update_sizes", "repair_services"},
    "node": {*OF_CLUSTERS, *OF_WORKLOAD, "inspect_boot"},
    "last-node": {"drain_cluster_node"},
    "replica": {"inspect_cluster"},
    "drain-hangs": {"drain_cluster_node"},
    "drained": (OF_CLUSTERS | OF_WORKLOAD) - {"inspect_use"},
}
OF_NUMBERS = {"search_updates", "install_updates"}
WITH_UPDATES = {"healthy", "installing", "patched", "replaced", "hardened", "known-damage"}
"""States that show something of updates by their numbers."""
COMPARED = [
    (name, state)
    for state in STATES
    for name in sorted(ONLY.get(state, {*FILES} - OF_WORKLOAD - OF_CLUSTERS))
    if state in WITH_UPDATES or name not in OF_NUMBERS
]
COMPARED.append(("inspect_cluster", "healthy"))


@pytest.fixture(scope="module")
def powershell() -> Iterator[PowerShellGuests]:
    guests = PowerShellGuests(StoringPowerShell())
    yield guests
    guests.stop()


def text_of(name: str, parameters: dict[str, Any]) -> str:
    head = script(name, parameters)
    return "\n".join([*head[:2], PRELUDE, FILES[name]])


def prepared(make_lab: MakeLab, state: dict[str, Any]) -> VirtualLab:
    peers = [{"name": "b", "cluster": state["cluster"]}] if state.get("peer") else []
    lab = make_lab(
        {"name": "a", **{key: value for key, value in state.items() if key not in BEYOND_A_SCENARIO}}, *peers
    )
    lab.play.world.hosts["a"].guest.disk.old_windows_gib = state.get("old_windows_gib", 0)
    if state.get("and") == "patched":
        lab.patch("a")
    elif state.get("and") == "patched twice":
        lab.patch("a")
        lab.run_for(200)
        lab.patch("a")
    elif state.get("and") == "scanned":
        lab.patch("a", "Scan")
    elif state.get("and") == "drained":
        node = lab.play.world.hosts["a"].node
        assert node
        node.cluster.suspend(node)
        lab.run_for(60)
    elif state.get("and") == "installing":
        lab.start_patch("a")
        lab.run_for(200)
    return lab


def answer(lab: VirtualLab, text: str, guests: Any, logon: Logon = Logon.SYSTEM) -> Any:
    """What the script prints when it comes at this moment, and the lab's time at its end."""
    unknown: list[str] = []
    ended: list[tuple[Outcome, float]] = []

    def steps() -> Steps[None]:
        host = lab.play.world.hosts["a"]
        outcome = yield from guests.run(host, text, lambda what, _host: unknown.append(what), logon)
        ended.append((outcome, round(lab.now, 1)))

    lab.play.sim.spawn(steps())
    lab.run_for(LONG_SECONDS)
    assert unknown == []
    ((outcome, at),) = ended
    assert (outcome.exit_code, outcome.stderr) == (0, "")
    return {**json.loads(outcome.stdout), "at": at}


def test_every_script_of_the_roles_is_compared() -> None:
    of_modules = {"probe", "long_output"}  # composed by a module, and in no file
    assert set(FILES) == set(SCRIPTS) - of_modules


@pytest.mark.parametrize(("name", "state"), COMPARED)
def test_both_ways_answer_the_same(make_lab: MakeLab, powershell: PowerShellGuests, name: str, state: str) -> None:
    for parameters in PARAMETERS.get(name, [{}]):
        text = text_of(name, parameters)
        for logon in Logon if name in ASKS_UPDATE_AGENT else [Logon.SYSTEM]:
            real = answer(prepared(make_lab, STATES[state]), text, powershell, logon)
            modelled = answer(prepared(make_lab, STATES[state]), text, ModelGuests(), logon)
            assert comparable(real) == comparable(modelled)


def test_evidence_is_what_is_started_online_and_enabled(make_lab: MakeLab, powershell: PowerShellGuests) -> None:
    text = text_of("check_host", {"checks": [], "evidence": ["sites", "app_pools", "databases", "tasks", "events"]})
    found = []
    for guests in (powershell, ModelGuests()):
        lab = make_lab({"name": "a"})
        guest = lab.play.world.hosts["a"].guest
        for instance, status in (("MSSQLSERVER", "running"), ("MSSQL$OFF", "stopped")):
            guest.services.find_or_add(instance).status = status
        work = guest.workload
        work.iis = Iis({"Shop": "Started", "Old shop": "Stopped"}, {"ShopPool": "Started", "OldPool": "Stopped"})
        work.databases = {"MSSQLSERVER": {"shop": "ONLINE", "archive": "SUSPECT"}, "OFF": {"x": "ONLINE"}}
        work.tasks = {"\\Backup\\Nightly": True, "\\Paused": False, "\\Microsoft\\Windows\\Defrag": True}
        work.errors = [("System", "disk"), ("Application", "MSSQLSERVER"), ("System", "disk")]
        data = answer(lab, text, guests)["data"]
        assert [row["trouble"] for row in data["evidence"]] == [None] * 5
        found.append({row["kind"]: row["items"] for row in data["evidence"]})
    assert found[0] == found[1]
    assert found[0] == {
        "sites": ["Shop"],
        "app_pools": ["ShopPool"],
        "databases": ["MSSQLSERVER/shop"],
        "tasks": ["\\Backup\\Nightly"],
        "events": ["Application/MSSQLSERVER: 1", "System/disk: 2"],
    }


@pytest.mark.parametrize(
    ("check", "detail"),
    [
        ("exit", "The script has ended with exit."),
        ("$global:LASTEXITCODE = 3", "The exit code of its last program is 3."),
        ("Write-Error 'The queue is full.'", "The queue is full."),
        ("$false", "The script returned false."),
        ("while ($true) { }", "The script has not ended within 1 s."),
        ("'{'; '}'; $null; 0", None),
    ],
)
def test_a_script_of_the_users_has_a_runspace_and_an_end_of_its_own(
    make_lab: MakeLab, powershell: PowerShellGuests, check: str, detail: str | None
) -> None:
    seconds = 1 if "while" in check else 60
    text = text_of("check_host", {"checks": [{"script": check, "timeout_seconds": seconds}], "evidence": []})
    (verdict,) = answer(prepared(make_lab, {}), text, powershell)["data"]["checks"]
    assert (verdict["ok"], verdict["detail"]) == (detail is None, detail)


def test_items_that_do_not_fit_into_the_answer_are_cut_at_the_end(
    make_lab: MakeLab, powershell: PowerShellGuests
) -> None:
    """Run Command keeps 24,000 characters; a name of German letters takes six times its length."""
    lab = make_lab({"name": "a", "listens": [443]})
    lab.play.world.hosts["a"].guest.workload.tasks = {f"\\Übergroße Aufgäbe {number:04}": True for number in range(900)}
    text = text_of("check_host", {"checks": [], "evidence": ["ports", "tasks"]})
    ports, tasks = answer(lab, text, powershell)["data"]["evidence"]
    assert (ports["items"], ports["cut"], tasks["cut"]) == (["443"], False, True)
    assert tasks["items"] == [f"\\Übergroße Aufgäbe {number:04}" for number in range(len(tasks["items"]))]
    assert len(tasks["items"]) > 200


def comparable(document: dict[str, Any]) -> dict[str, Any]:
    """What a program reads: sentences are for people, and the class of an error is that of what plays the API."""
    if document["error"]:
        document["error"].pop("error_id")
    for part in (document["error"], *(document["data"] or {}).values()):
        if isinstance(part, dict):
            part.pop("message", None)
    return document


@pytest.mark.parametrize(
    ("shell", "category"),
    [("ok", None), ("old", "powershell_too_old"), ("constrained", "constrained_language")],
)
def test_a_powershell_that_cannot_do_it_says_so_before_anything_else(
    make_lab: MakeLab, powershell: PowerShellGuests, shell: str, category: str | None
) -> None:
    """The product's own probe, and a script with the prelude."""
    keys = {"windows": {"powershell": shell}}
    for text, script_name in (("\n".join(PROBE), "probe"), (text_of("measure_disk", {}), "measure_disk")):
        real = answer(prepared(make_lab, keys), text, powershell)
        modelled = answer(prepared(make_lab, keys), text, ModelGuests())
        if script_name == "probe":
            assert real["data"] == SHELLS[shell].facts()
            assert real["data"].items() <= modelled["data"].items()
        else:
            assert [(it["error"] or {}).get("category") for it in (real, modelled)] == [category, category]


@pytest.mark.parametrize("guests", ["model", "powershell"])
@pytest.mark.parametrize(("kind", "code"), [("ec2", 1), ("winrm", 0)])
def test_a_policy_that_wants_signed_scripts_meets_those_of_the_agent(
    make_lab: MakeLab, powershell: PowerShellGuests, kind: str, code: int, guests: str
) -> None:
    lab = make_lab({"name": "a", "kind": kind, "windows": {"powershell": "all_signed"}})
    host, ended = lab.play.world.hosts["a"], list[Outcome]()

    def steps() -> Steps[None]:
        runner = powershell if guests == "powershell" else ModelGuests()
        ended.append((yield from run_script(runner, host, "\n".join(PROBE), lambda *_: None)))

    lab.play.sim.spawn(steps())
    lab.run_for(100)
    assert (ended[0].exit_code, "not digitally signed" in ended[0].stderr) == (code, bool(code))


@pytest.mark.parametrize("name", ["reset_update_cache", "remove_old_update_cache", "repair_components", "clean_disk"])
def test_what_a_script_changes_is_changed_in_the_same_host(
    make_lab: MakeLab, powershell: PowerShellGuests, name: str, tmp_path: Path
) -> None:
    for state in ("cache_corrupt", "components_corrupt", "full"):
        ends = []
        for guests in (powershell, ModelGuests()):
            lab = prepared(make_lab, STATES[state])
            answer(lab, text_of(name, PARAMETERS.get(name, [{}])[0]), guests)
            guest = lab.play.world.hosts["a"].guest
            services = {service.name: service.status for service in guest.updates.services.values()}
            ends.append((guest.updates.fault, guest.disk.free_gib, services, len(guest.old_caches)))
        assert ends[0] == ends[1]


@pytest.mark.parametrize("asked", [False, True])
def test_what_cannot_be_undone_is_done_only_when_asked_for(
    make_lab: MakeLab, powershell: PowerShellGuests, asked: bool
) -> None:
    """/ResetBase keeps updates from being removed, and without Windows.old an upgrade cannot be undone."""
    for guests in (powershell, ModelGuests()):
        lab = prepared(make_lab, STATES["upgraded"])
        answer(lab, text_of("clean_disk", {"reset_base": asked, "old_windows": asked}), guests)
        disk = lab.play.world.hosts["a"].guest.disk
        assert (disk.base_was_reset, disk.old_windows_gib) == ((True, 0) if asked else (False, 9))


def run_all(lab: VirtualLab, powershell: PowerShellGuests, *texts: str) -> list[Any]:
    """Each script begins at the same time; its document and the lab's time at its end, in the order of their ends."""
    ended: list[tuple[Any, float]] = []

    def steps(text: str) -> Steps[None]:
        outcome = yield from powershell.run(lab.play.world.hosts["a"], text, lambda *_: None)
        ended.append((json.loads(outcome.stdout), lab.now))

    processes = [lab.play.sim.spawn(steps(text)) for text in texts]
    lab.run_for(100)
    processes[0].stop()
    lab.run_for(LONG_SECONDS)
    return ended


def test_scripts_take_turns_and_one_that_is_killed_takes_no_one_with_it(
    make_lab: MakeLab, powershell: PowerShellGuests
) -> None:
    """The first is ended while Dism works for it; the second waits for a search, and the third is done by then."""
    disk = {"size_gib": 60, "free_gib": 3, "component_store_gib": 6}
    lab = make_lab({"name": "a", "disk": disk, "windows": {"clean_seconds": 900, "search_seconds": 600}})
    names = ("clean_disk", "missing_update_sizes", "measure_disk")
    ended = run_all(lab, powershell, *(text_of(name, {}) for name in names))
    assert [(document["script"], document["ok"]) for document, _at in ended] == [
        ("measure_disk", True),
        ("missing_update_sizes", True),
    ]
    assert [at for _document, at in ended] == [3, 602]
    assert lab.truth("a")["free_gib"] == 9  # Dism went on
    assert answer(lab, text_of("measure_disk", {}), powershell)["data"]["free_gib"] == 9


class Listed:
    """A PowerShell that only lists what it is given."""

    def __init__(self) -> None:
        self.given: list[str] = []

    def begin(self, script: str, _shell: str) -> Listed:
        self.given.append(script)
        return self

    def hear(self) -> dict[str, Any]:
        return {"output": "ready", "errors": "", "failed": False}


def test_the_first_script_of_a_lab_is_not_one_of_a_host() -> None:
    """It takes seconds, in which the lab's time would go on."""
    powershell = Listed()
    PowerShellGuests(powershell).start()
    assert powershell.given == [FIRST_SCRIPT]


def test_a_refusal_reaches_the_script_that_asked_while_others_wait(make_lab: MakeLab) -> None:
    lab = make_lab(
        {"name": "first", "windows_update": "no_route", "scan_seconds": 60},
        {"name": "last", "updates": [UPDATE], "scan_seconds": 600},
    )
    guests = PowerShellGuests()
    ended: dict[str, Any] = {}

    def steps(name: str) -> Steps[None]:
        text = text_of("missing_update_sizes", {})
        outcome = yield from guests.run(lab.play.world.hosts[name], text, lambda *_: None)
        ended[name] = json.loads(outcome.stdout)

    try:
        for name in ("first", "last"):
            lab.play.sim.spawn(steps(name))
        lab.run_for(LONG_SECONDS)
    finally:
        guests.stop()
    assert ended["first"]["error"]["hresult"] == "0x8024402C"
    assert ended["last"]["ok"]


def test_where_resize_partition_fails_the_older_tool_extends(make_lab: MakeLab, powershell: PowerShellGuests) -> None:
    lab = prepared(make_lab, STATES["by-diskpart"])
    extended = answer(lab, text_of("extend_partition", {}), powershell)
    assert extended["data"]["partition_gib"] == 59.998
    assert lab.truth("a")["partition_gib"] == 60


def test_a_disk_that_windows_cannot_describe_has_free_room_all_the_same(
    make_lab: MakeLab, powershell: PowerShellGuests
) -> None:
    """As with dynamic disks: Get-Partition finds no C:."""
    lab = prepared(make_lab, STATES["dynamic"])
    measured = answer(lab, text_of("measure_disk", {}), powershell)["data"]
    assert (measured["free_gib"], measured["extendable_gib"], measured["blocked_by"]) == (3, 0, "unknown_layout")
    assert measured["layout_error"] == "CmdletizationQuery_NotFound_DriveLetter"


@pytest.mark.parametrize(
    ("path", "up_days"),
    [("C:\\Windows\\Temp\\4\\draft.tmp", 9), ("C:\\Windows\\Temp\\cache.bin", 60)],
    ids=["session", "since the boot"],
)
def test_what_a_session_or_a_program_since_the_boot_may_use_is_kept(
    make_lab: MakeLab, powershell: PowerShellGuests, path: str, up_days: int
) -> None:
    for guests in (powershell, ModelGuests()):
        lab = make_lab({"name": "a", "disk": {"size_gib": 60, "free_gib": 3}})
        guest, made = lab.play.world.hosts["a"].guest, lab.play.sim.time - timedelta(days=40)
        guest.boot_time = lab.play.sim.time - timedelta(days=up_days)
        guest.disk.temp.files.append(TempFile(path, 2.0, made, made, in_use=True))
        answer(lab, text_of("clean_disk", {}), guests)
        assert guest.disk.temp.deleted_in_use == 0


DEAD_PROFILE = "C:\\Users\\former\\AppData\\Local\\Temp\\setup.msi"


@pytest.mark.parametrize(("days", "in_use", "won"), [(40, False, 2), (20, False, 0), (40, True, 0)])
def test_old_files_of_a_profile_go_where_no_one_uses_it(
    make_lab: MakeLab, powershell: PowerShellGuests, days: int, in_use: bool, won: int
) -> None:
    """A profile is loaded as long as its user is logged on, or a service or task of theirs runs."""
    for guests in (powershell, ModelGuests()):
        lab = make_lab({"name": "a", "disk": {"size_gib": 60, "free_gib": 3}})
        disk, made = lab.play.world.hosts["a"].guest.disk, lab.play.sim.time - timedelta(days=days)
        disk.temp.files.append(TempFile(DEAD_PROFILE, 2.0, made, made, in_use))
        answer(lab, text_of("clean_disk", {"user_temp": True, "user_temp_age_days": 30}), guests)
        assert (disk.free_gib, disk.temp.deleted_in_use) == (3 + won, 0)


@pytest.mark.parametrize(
    ("name", "state", "seconds"), [("clean_disk", "hangs-at-start", 200), ("reset_update_cache", "hangs-at-start", 200)]
)
def test_a_service_that_does_not_start_is_not_waited_for_without_end(
    make_lab: MakeLab, powershell: PowerShellGuests, name: str, state: str, seconds: float
) -> None:
    answered = answer(prepared(make_lab, STATES[state]), text_of(name, {}), powershell)
    assert (answered["ok"], 120 <= answered["at"] < seconds) == (True, True)


def test_a_repair_of_a_service_that_does_not_start_says_which(make_lab: MakeLab, powershell: PowerShellGuests) -> None:
    answered = answer(
        prepared(make_lab, STATES["hangs-at-repair"]),
        text_of("repair_services", {"services": ["wuauserv"]}),
        powershell,
    )
    assert (answered["error"]["category"], answered["at"] < 200) == ("service_stuck", True)
    assert answered["error"]["message"].startswith("The service wuauserv did not start: ")


def test_an_error_of_the_shell_itself_is_no_hresult_of_windows_update(
    make_lab: MakeLab, powershell: PowerShellGuests
) -> None:
    search = answer(prepared(make_lab, STATES["odd-search"]), text_of("inspect_windows_update", {}), powershell)
    assert (search["data"]["search"]["ok"], search["data"]["search"]["hresult"]) == (False, None)


def test_a_message_of_windows_in_its_own_language_comes_through(
    make_lab: MakeLab, powershell: PowerShellGuests
) -> None:
    answered = answer(prepared(make_lab, STATES["german"]), text_of("inspect_windows_update", {}), powershell)["data"]
    assert "Geräten" in answered["agent"]["message"]
