# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts on-prem that a hypervisor powers and puts back, by tasks of their owner's: played with one that has a web API."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from living_lab import TWO_MINUTES_WITH_A_REBOOT, Ended, LivingLab

from ansible_collections.patchfleet.windows.plugins.module_utils._ledger import open_ledger
from lab.disk_image import DiskImage

pytestmark = pytest.mark.xdist_group("power by tasks")

UPDATES = {"updates": [TWO_MINUTES_WITH_A_REBOOT]}
HOSTS: list[dict[str, Any]] = [
    {"name": "off", "kind": "winrm", **UPDATES},
    {"name": "on", "kind": "winrm", **UPDATES},
    {"name": "full", "kind": "winrm", "disk": {"size_gib": 60, "free_gib": 3}, **UPDATES},
    {"name": "stays-off", "kind": "winrm", **UPDATES},
    {"name": "branch", "kind": "hybrid", **UPDATES},
    {"name": "other", "kind": "winrm", **UPDATES},
    {"name": "back", "kind": "winrm", **UPDATES},
    {"name": "no-point", "kind": "winrm", **UPDATES},
    {"name": "released", "kind": "winrm", **UPDATES},
]
OFF = ("off", "released", "stays-off", "branch", "other")


class Hypervisor:
    """POST /on/NAME, /off/NAME, /room/NAME, /snapshot/NAME and /revert/NAME; what it is set to refuse is an error."""

    def __init__(self, lab: LivingLab) -> None:
        self.refuses: set[str] = set()
        self.asked: list[str] = []
        acts = {"on": lambda name: lab.lab.switch(name, on=True), "off": lambda name: lab.lab.switch(name, on=False)}
        acts["room"] = lambda name: lab.lab.enlarge_disk(name, 40)
        images: dict[str, DiskImage] = {}
        acts["snapshot"] = lambda name: images.update({name: lab.lab.image(name)})
        acts["revert"] = lambda name: lab.lab.revert(name, images[name])
        hypervisor = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                _, act, name = self.path.split("/")
                hypervisor.asked.append(self.path)
                refused = self.path in hypervisor.refuses
                if not refused:
                    acts[act](name)
                self.send_response(500 if refused else 204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def tasks(self, act: str) -> list[dict[str, Any]]:
        url = f"http://127.0.0.1:{self.server.server_port}/{act}/{{{{ inventory_hostname }}}}"
        ask = {"url": url, "method": "POST", "status_code": 204}
        return [{"name": f"Ask for {act}", "ansible.builtin.uri": ask, "delegate_to": "localhost"}]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivingLab]:
    events = [{"at_seconds": 0, "host": name, "do": "stop"} for name in OFF]
    with LivingLab(tmp_path_factory.mktemp("power"), HOSTS, events=events, scale=100) as living:
        yield living


@pytest.fixture(scope="module")
def hypervisor(lab: LivingLab) -> Iterator[Hypervisor]:
    hypervisor = Hypervisor(lab)
    yield hypervisor
    hypervisor.server.shutdown()
    hypervisor.server.server_close()


@pytest.fixture(scope="module")
def inventory(lab: LivingLab, hypervisor: Hypervisor) -> Path:
    files = {
        act: str(lab.file(f"{act}.yml", hypervisor.tasks(act))) for act in ("on", "off", "room", "snapshot", "revert")
    }
    powered = {"patch_start_tasks": [files["on"]], "patch_stop_tasks": [files["off"]]}
    hosts = dict.fromkeys(("off", "on", "stays-off", "branch", "released"), powered) | {
        "full": {"patch_room_tasks": files["room"]}
    }
    points = {"patch_restore_point_tasks": files["snapshot"], "patch_roll_back_tasks": files["revert"]}
    hosts |= {name: {"patch_restore_point": "root", **points} for name in ("back", "no-point")}
    return lab.file("power.yml", {"all": {"hosts": hosts}})


def played(lab: LivingLab, inventory: Path, playbook: str, **variables: Any) -> Ended:
    return lab.playbook(playbook, variables=variables, inventories=[lab.workplace.inventory, inventory])


@pytest.fixture(scope="module")
def night(lab: LivingLab, hypervisor: Hypervisor, inventory: Path) -> Ended:
    """The hypervisor refuses to start one host, to stop two others, and to take a snapshot of a third."""
    hypervisor.refuses = {"/on/stays-off", "/off/off", "/off/released", "/snapshot/no-point"}
    return played(lab, inventory, "patch", patch_hosts="all", patch_batch_size=9, patch_failure_budget="100%")


def test_a_host_that_was_off_is_started_and_patched(lab: LivingLab, night: Ended) -> None:
    assert lab.truth("off")["missing"] == lab.truth("branch")["missing"] == []
    assert (night.host("branch")["outcome"], night.host("branch")["original_state"]) == ("patched", "stopped")
    assert (night.host("branch")["final_state"], lab.truth("branch")["state"]) == ("stopped", "stopped")


def test_one_that_a_person_releases_stays_on_and_no_restore_comes_back_to_it(lab: LivingLab, night: Ended) -> None:
    """Without its inventory: nothing in the host or its power is touched."""
    assert night.host("released")["reason_code"] == "stop_tasks_failed"
    ended = lab.playbook("restore", variables={"patch_let_go": "released"})
    assert "released it from" in ended.words, ended.output
    assert lab.truth("released")["state"] == "running"
    ledger = open_ledger(str(lab.ledger))
    assert [record.name for record in ledger.open_power()] == ["off"]
    (run, *_) = ledger.runs()
    host = ledger.host(run.run_id, "released")
    assert (host.outcome, host.reason_code) == ("held", "let_go")


def test_one_that_cannot_be_stopped_again_is_held_and_restore_puts_it_back(
    lab: LivingLab, hypervisor: Hypervisor, inventory: Path, night: Ended
) -> None:
    host = night.host("off")
    assert (host["outcome"], host["step"], host["reason_code"]) == ("held", "restore", "stop_tasks_failed")
    assert "Ask for off" in host["reason"]
    assert lab.truth("off")["state"] == "running"
    hypervisor.refuses.clear()
    blind = lab.playbook("restore")
    assert (blind.code, lab.truth("off")["state"]) == (2, "running")
    assert "set patch_stop_tasks for it" in blind.words
    ended = played(lab, inventory, "restore")
    assert (ended.code, lab.truth("off")["state"]) == (0, "stopped"), ended.output
    assert open_ledger(str(lab.ledger)).open_power() == []


def test_one_that_was_on_is_never_switched(lab: LivingLab, hypervisor: Hypervisor, night: Ended) -> None:
    assert (night.host("on")["outcome"], lab.truth("on")["state"]) == ("patched", "running")
    assert [path for path in hypervisor.asked if path.endswith("/on")] == []


def test_room_is_added_where_cleaning_was_not_enough(lab: LivingLab, night: Ended) -> None:
    host = night.host("full")
    assert (host["outcome"], host["free_gib_before"]) == ("patched", 3)
    assert lab.truth("full")["partition_gib"] == 100


def test_one_that_could_not_be_started_is_as_it_was(lab: LivingLab, night: Ended) -> None:
    host = night.host("stays-off")
    assert (host["outcome"], host["step"], host["reason_code"]) == ("failed", "start", "start_tasks_failed")
    assert (host["final_state"], lab.truth("stays-off")["state"]) == ("stopped", "stopped")


def test_without_such_tasks_a_host_that_is_off_is_deferred(lab: LivingLab, night: Ended) -> None:
    assert (night.host("other")["outcome"], lab.truth("other")["state"]) == ("deferred", "stopped")


def test_one_without_its_restore_point_is_not_patched(lab: LivingLab, night: Ended) -> None:
    host = night.host("no-point")
    assert (host["outcome"], host["step"], host["reason_code"]) == ("failed", "patch", "restore_point_tasks_failed")
    assert "Ask for snapshot" in host["reason"]
    assert (lab.truth("no-point")["installed"], lab.truth("no-point")["reboots"]) == ([], 0)


def test_a_roll_back_by_tasks_proves_that_the_update_is_gone(
    lab: LivingLab, hypervisor: Hypervisor, inventory: Path, night: Ended
) -> None:
    kb = TWO_MINUTES_WITH_A_REBOOT["kb"]
    assert (night.host("back")["outcome"], lab.truth("back")["installed"]) == ("patched", [kb])
    without = played(lab, inventory, "roll_back", patch_host="back", patch_roll_back_tasks=[])
    assert (without.code, "patch_roll_back_tasks is empty." in without.words) == (2, True), without.output
    ended = played(lab, inventory, "roll_back", patch_host="back")
    assert ended.code == 0, ended.output
    assert f"It was rolled back: {kb} is gone." in ended.words
    assert (lab.truth("back")["missing"], lab.truth("back")["state"]) == ([kb], "running")
    asked = [path for path in hypervisor.asked if path.endswith("/back")]
    assert asked == ["/snapshot/back", "/revert/back"]


def test_what_cannot_be_right_is_refused_before_anything_is_touched(
    lab: LivingLab, hypervisor: Hypervisor, night: Ended
) -> None:
    before = list(hypervisor.asked)
    on_host = str(lab.file("on-host.yml", [{"name": "Wake up", "ansible.windows.win_ping": {}}]))
    starts = str(lab.file("starts.yml", hypervisor.tasks("on")))
    for given, words in (
        ({"patch_start_tasks": starts}, "patch_stop_tasks: None is not valid."),
        (
            {"patch_start_tasks": on_host, "patch_stop_tasks": starts},
            "which is off then; it must run on the controller",
        ),
        ({"patch_restore_point_tasks": "no-such-file.yml"}, "There is no such file."),
        ({"patch_roll_back_tasks": "no-such-file.yml"}, "There is no such file."),
    ):
        ended = lab.playbook("patch", variables={"patch_hosts": "all", **given})
        assert (ended.code, words in ended.words) == (2, True), ended.output
    ended = lab.playbook("roll_back")
    assert (ended.code, "patch_host is empty." in ended.words) == (2, True), ended.output
    assert hypervisor.asked == before
