# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each script, run by a real PowerShell, answers what the model answers, whatever the state of the host."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import MakeLab
from lab.guests import ModelGuests, PowerShellGuests
from lab.powershell.process import ROOT, WHERE_FROM, find
from lab.scripts_model import SCRIPTS
from virtual_lab import UPDATE, VirtualLab, script

pytestmark = pytest.mark.skipif(find() is None, reason=WHERE_FROM)

PRELUDE = (ROOT / "plugins" / "plugin_utils" / "_windows_script" / "prelude.ps1").read_text()
FILES = {path.stem: path.read_text() for path in (ROOT / "roles").glob("*/files/*.ps1")}
SINCE = "2026-11-14T00:00:00Z"
PARAMETERS: dict[str, list[dict[str, Any]]] = {
    "inspect_boot": [{"since": SINCE}, {"since": None}],
    "clean_disk": [{"reset_base": False, "temp_age_days": 1, "old_windows": False}],
    "repair_services": [{"services": ["wuauserv", "bits"]}],
    "reset_update_cache": [{"catroot2": False}, {"catroot2": True}],
    "send_session_message": [{"message": 'Reboot at "22:00"', "seconds": 60}],
    "update_history": [{"since": SINCE}],
}
STATES: dict[str, dict[str, Any]] = {
    "healthy": {"updates": [UPDATE]},
    "patched": {"updates": [UPDATE], "and": "patched"},
    "installing": {"updates": [{**UPDATE, "seconds": 3000}], "and": "installing"},
    "failing": {"updates": [{**UPDATE, "result": "0x80070005"}], "and": "patched"},
    "reboot-pending": {"pending_reboot": True},
    "watched": {"sessions": 2},
    "full": {"disk": {"size_gib": 60, "free_gib": 3, "temp_gib": 4, "component_store_gib": 6}},
    "slack": {"disk": {"size_gib": 60, "free_gib": 3, "slack_gib": 10}},
    "recovery": {"disk": {"size_gib": 60, "free_gib": 3, "slack_gib": 10, "recovery_partition": True}},
    "mbr": {"disk": {"size_gib": 60, "free_gib": 3, "style": "mbr"}},
    **{fault: {"windows_update": fault, "updates": [UPDATE]} for fault in (
        "service_stopped", "service_disabled", "cache_corrupt", "components_corrupt", "no_route", "unrepairable",
    )},
}  # fmt: skip


@pytest.fixture(scope="module")
def powershell() -> Iterator[PowerShellGuests]:
    guests = PowerShellGuests()
    yield guests
    guests.stop()


def text_of(name: str, parameters: dict[str, Any]) -> str:
    head = script(name, parameters)
    return "\n".join([*head[:2], PRELUDE, FILES[name]])


def prepared(make_lab: MakeLab, state: dict[str, Any]) -> VirtualLab:
    lab = make_lab({"name": "a", **{key: value for key, value in state.items() if key != "and"}})
    if state.get("and") == "patched":
        lab.patch("a")
    elif state.get("and") == "installing":
        lab.start_patch("a")
        lab.run_for(200)
    return lab


def answer(lab: VirtualLab, text: str, guests: Any) -> Any:
    """What the script prints when it comes at this moment, without the time that it takes."""
    unknown: list[str] = []
    steps = guests.run(lab.play.world.hosts["a"], text, lambda what, _host: unknown.append(what))
    try:
        while True:
            next(steps)
    except StopIteration as ended:
        outcome = ended.value
    assert unknown == []
    assert (outcome.exit_code, outcome.stderr) == (0, "")
    return json.loads(outcome.stdout)


def test_every_script_of_the_roles_is_compared() -> None:
    assert set(FILES) == set(SCRIPTS) - {"probe"}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("name", sorted(FILES))
def test_both_ways_answer_the_same(make_lab: MakeLab, powershell: PowerShellGuests, name: str, state: str) -> None:
    for parameters in PARAMETERS.get(name, [{}]):
        text = text_of(name, parameters)
        real = answer(prepared(make_lab, STATES[state]), text, powershell)
        modelled = answer(prepared(make_lab, STATES[state]), text, ModelGuests())
        assert comparable(real) == comparable(modelled)


def comparable(document: dict[str, Any]) -> dict[str, Any]:
    """What a program reads: sentences are for people."""
    for part in (document["error"], *(document["data"] or {}).values()):
        if isinstance(part, dict):
            part.pop("message", None)
    return document


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
