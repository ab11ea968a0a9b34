# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller dies after each act of a run once: afterwards every host is as it was found, with any recovery."""

from __future__ import annotations

import functools
import os
import tempfile
import traceback
from collections.abc import Callable, Container
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._power import installations
from ansible_collections.patchfleet.windows.plugins.module_utils._update import patch_baseline as baseline
from ansible_collections.patchfleet.windows.plugins.module_utils._update import pending_reboot
from chaos.controller import Controller
from chaos.drawn import Drawn, Recovery, Watchdog
from chaos.judge import left_on, problems
from chaos.night import Night
from chaos.outside import Killed
from chaos.play import Ended, play_drawn
from chaos.watch import CUT_OFF, LEFT_ON, Problem

T = TypeVar("T")
UPDATES = [{"kb": "KB5031361", "severity": "critical", "class": "security", "seconds": 1500, "reboot": True}]
HOSTS: list[dict[str, Any]] = [
    {"name": "a", "state": "stopped", "disk": {"size_gib": 60, "free_gib": 3}, "updates": UPDATES},
    {"name": "b", "state": "running", "windows_update": "service_disabled", "updates": UPDATES[:1]},
]
LEASE_IS_OVER_SECONDS = 1000.0


def night(folder: Path) -> Night:
    return Night(folder, hosts=HOSTS, account={"lag_seconds": 0})


POINTS = 200


class Branching(Controller):
    """Plays one run. At each of the points a process is forked in which it dies, and which continues from there.

    So a run is played once, and not once for each of its acts until that act. ``died`` is what each process found, by the
    number of acts before the death: an empty text where everything was as it should be.
    """

    def __init__(self, dark: Night, points: Container[int]) -> None:
        super().__init__(dark)
        self._points = points
        self._findings: int | None = None
        self.recovery: Callable[[Controller], None] = check_recovery
        self.died: dict[int, str] = {}

    def act(self, name: str, work: Callable[[], T]) -> T:
        point = len(self.acts)
        if self._findings is None and point in self._points:
            self.died[point] = self._die()
        return super().act(name, work)

    def _die(self) -> str:
        """Returns in both processes; in the new one the next act is the death."""
        findings, self._findings = os.pipe()
        child = os.fork()
        if child == 0:
            self._dies_after = len(self.acts)
            return ""
        os.close(self._findings)
        self._findings = None
        with os.fdopen(findings, encoding="utf-8") as report:
            text = report.read()
        _pid, status = os.waitpid(child, 0)
        return text or ("" if status == 0 else f"the process ended with {status}")

    def recover(self) -> NoReturn:
        """In the process in which it died: another controller takes over."""
        assert self._findings is not None
        try:
            self.recovery(self)
        except BaseException:  # noqa: BLE001 - the other process raises it
            os.write(self._findings, traceback.format_exc().encode())
            os._exit(1)
        os._exit(0)


def check_recovery(first: Controller) -> None:
    dark = first.night
    dark.go_on_alone()
    dark.sleep(LEASE_IS_OVER_SECONDS)
    later = Controller(dark)
    if len(first.acts) // 2 % 2:  # so that each share has as many of the longer recoveries
        later.patch()
    assert later.restore() is None, first.acts
    assert problems(dark, [first, later]) == left_on(dark) == [], first.acts
    assert dark.ledger.open_power() == []


SHARES = 2
"""Each is played by one worker."""


@functools.cache
def play_run(points: range) -> Branching:
    """A run to its end, and what was found after a death at each of the points."""
    with tempfile.TemporaryDirectory() as folder, night(Path(folder)) as whole:
        controller = Branching(whole, points)
        try:
            controller.patch()
        except Killed:
            controller.recover()
        assert problems(whole, [controller]) == left_on(whole) == []
        assert [host["missing"] for host in whole.truth().values()] == [[], []]
        return controller


def share_of(number: int) -> range:
    return range(number % SHARES, POINTS, SHARES)


def of_worker(share: int) -> pytest.MarkDecorator:
    return pytest.mark.xdist_group(f"crash points {share}")


def of_share(number: int) -> Any:
    return pytest.param(number, marks=of_worker(number % SHARES))


@pytest.mark.parametrize("share", [of_share(share) for share in range(SHARES)])
def test_a_run_has_as_many_acts_as_it_is_killed_at(share: int) -> None:
    controller = play_run(share_of(share))
    assert 60 < len(controller.acts) <= POINTS
    assert list(controller.died) == list(range(share, len(controller.acts), SHARES))


@pytest.mark.parametrize("point", [of_share(point) for point in range(POINTS)])
def test_whenever_the_controller_dies_everything_is_put_back(point: int) -> None:
    """A point behind the end of the run has nothing to find."""
    assert play_run(share_of(point)).died.get(point, "") == ""


@of_worker(0)
def test_one_worker_plays_all_points_of_a_share(request: pytest.FixtureRequest) -> None:
    """Otherwise each worker plays both. pytest-xdist groups by the id of a test, and is silent where it cannot."""
    grouped = bool(request.config.getoption("loadgroup", default=False))
    assert request.node.nodeid.endswith("@crash points 0") is grouped


def test_a_recovery_that_fails_is_found_at_its_point(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Controller, "restore", lambda _self: "a is still on")
    died = play_run(range(0, POINTS, 60)).died
    assert list(died) == [0, 60, 120]
    assert all("AssertionError" in text for text in died.values())


def test_a_product_that_forgets_what_it_sent_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken on purpose: nothing is recorded before the installation's command is sent, no restore searches for commands, and
    none waits where Windows says that it installs.
    """
    monkeypatch.setattr(baseline, "_send_installing", baseline.send)
    monkeypatch.setattr(installations, "find_foreign_patch_runs", lambda *_: [])
    monkeypatch.setattr(pending_reboot, "_wait_for_servicing", lambda _context: None)
    with night(tmp_path / "whole") as whole:
        controller = Controller(whole)
        controller.patch()
    found = []
    for number, point in enumerate(at for at, act in enumerate(controller.acts, 1) if act == "send_command"):
        with night(tmp_path / str(number)) as dark:
            with pytest.raises(Killed):
                Controller(dark, dies_after=point).patch()
            dark.sleep(LEASE_IS_OVER_SECONDS)
            later = Controller(dark)
            later.restore()
            found += problems(dark, [later])
    assert Problem(CUT_OFF, "a: 1 times") in found


SAMPLED = [*((1, point) for point in range(2, 70, 10)), *((3, point) for point in range(9, 190, 30))]
"""How many hosts are at work, and after which act the controller dies. All acts would take minutes: each takes 0.1 to 0.5 s."""


def play_with_watchdog(hosts: int, point: int) -> Ended:
    """Every start has a watchdog schedule, and all hosts are in work at a time."""
    states = zip("abc"[:hosts], ("stopped", "running", "stopped"), strict=False)
    keys = {"hosts": [{"name": name, "state": state, "updates": UPDATES} for name, state in states]}
    playbooks = ["patch", "restore"] if point % 2 else ["restore"]
    return play_drawn(
        Drawn(
            {**keys, "account": {"lag_seconds": 0}},
            [Recovery(LEASE_IS_OVER_SECONDS, playbook) for playbook in playbooks],
            dies_after=point,
            watchdog=Watchdog(),
            at_once=hosts,
        )
    )


@pytest.mark.parametrize(("hosts", "point"), SAMPLED)
def test_so_it_is_with_a_watchdog_and_several_hosts_at_work(hosts: int, point: int) -> None:
    ended = play_with_watchdog(hosts, point)
    assert (ended.problems, ended.counts["controllers killed"]) == ([], 1)


def test_a_host_that_a_watchdog_has_yet_to_stop_is_left_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Controller, "restore", lambda _self: None)
    assert [problem.kind for problem in play_with_watchdog(1, 54).problems] == [LEFT_ON]
