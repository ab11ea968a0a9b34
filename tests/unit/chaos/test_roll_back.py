# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller dies after acts of a roll-back: a restore finishes it or undoes it, and the power state is as it was found."""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import Failed
from ansible_collections.patchfleet.windows.plugins.module_utils._model.outcomes import Outcome
from ansible_collections.patchfleet.windows.plugins.module_utils._model.reasons import Reason
from ansible_collections.patchfleet.windows.plugins.module_utils._power import restore as power_restore
from ansible_collections.patchfleet.windows.plugins.module_utils._power import roll_back as power_roll_back
from chaos.controller import AtWork, Controller
from chaos.judge import left_on
from chaos.night import Night
from chaos.outside import Killed
from test_crash_points import LEASE_IS_OVER_SECONDS, Branching

KB = "KB5031361"
UPDATES = [{"kb": KB, "severity": "critical", "class": "security", "seconds": 600, "reboot": True}]
HOSTS: list[dict[str, Any]] = [
    {"name": "off", "state": "stopped", "updates": UPDATES, "disk": {"data_volumes": [10]}},
    {"name": "on", "state": "running", "updates": UPDATES},
]
EVERY = 3
"""Each third point is tried, since one costs a tenth of a second."""


class Back(Branching):
    """Plays the roll-back of a host, and dies at points of it."""

    def __init__(self, dark: Night, points: Container[int]) -> None:
        super().__init__(dark, points)
        self.recovery = check


def patch(dark: Night) -> None:
    """With a restore point of each host."""
    Controller(dark, hosts=AtWork(options={"restore_point": "root"})).patch()
    assert [host["installed"] for host in dark.truth().values()] == [[KB], [KB]]
    dark.sleep(LEASE_IS_OVER_SECONDS)


def check(first: Controller) -> None:
    """Another controller restores."""
    dark = first.night
    dark.go_on_alone()
    dark.sleep(LEASE_IS_OVER_SECONDS)
    assert Controller(dark).restore() is None, first.acts
    as_it_was(dark)


def as_it_was(dark: Night) -> None:
    truth = dark.truth()
    assert [host["state"] for host in truth.values()] == ["stopped", "running"]
    assert [host["volume_gib"] is None for host in truth.values()] == [False, False], "a root volume is missing"
    assert [host["cut_off_by_us"] for host in truth.values()] == [0, 0]
    assert all(host["installed"] in ([], [KB]) for host in truth.values())
    assert dark.ledger.open_power() == left_on(dark) == []
    assert all(run.closed_at for run in dark.ledger.runs())


@pytest.mark.parametrize("host", ["off", "on"])
def test_whenever_the_controller_dies_the_host_has_a_root_volume_and_its_power_state(host: str, tmp_path: Path) -> None:
    with Night(tmp_path, hosts=HOSTS, account={"lag_seconds": 0}) as dark:
        patch(dark)
        controller = Back(dark, range(0, 200, EVERY))
        lines: list[str] = []
        try:
            lines = controller.roll_back(host)
        except Killed:
            controller.recover()
        as_it_was(dark)
        assert dark.truth()[host]["installed"] == []
        assert controller.died
        outlives = any("its DeleteOnTermination is off" in line for line in lines)
        assert outlives == (host == "off")
        assert set(controller.died.values()) == {""}, {at: text for at, text in controller.died.items() if text}


def test_a_restore_that_knows_no_roll_back_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken on purpose: the controller dies when it has detached the old root volume."""
    monkeypatch.setattr(power_restore, "settle_root", lambda _context: None)
    with Night(tmp_path, hosts=HOSTS, account={"lag_seconds": 0}) as dark:
        patch(dark)
        back = Back(dark, ())
        back._dies_after = "detach_volume"  # noqa: SLF001 - a controller that is not forked
        with pytest.raises(Killed):
            back.roll_back("off")
        with pytest.raises(AssertionError, match="a root volume is missing"):
            check(back)


def test_a_host_that_gets_no_root_volume_back_is_named_with_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: Any) -> None:
        raise Failed("EC2 attaches nothing.", Reason.ROOT_NOT_REPLACED)

    with Night(tmp_path, hosts=HOSTS, account={"lag_seconds": 0}) as dark:
        patch(dark)
        back = Back(dark, ())
        back._dies_after = "detach_volume"  # noqa: SLF001 - a controller that is not forked
        with pytest.raises(Killed):
            back.roll_back("off")
        dark.go_on_alone()
        dark.sleep(LEASE_IS_OVER_SECONDS)
        with monkeypatch.context() as broken:
            broken.setattr(power_roll_back, "attach_volume", refuse)
            message = Controller(dark).restore()
        assert message is not None
        assert "Maybe without a root volume, after a roll-back: off (i-" in message
        (host,) = (host for host in dark.ledger.hosts(dark.ledger.runs()[0].run_id) if host.name == "off")
        assert (host.outcome, host.reason_code) == (Outcome.HELD, Reason.ROOT_NOT_REPLACED)
        assert "aws ec2 attach-volume --region " in str(host.reason)
        dark.sleep(LEASE_IS_OVER_SECONDS)
        assert Controller(dark).restore() is None
        as_it_was(dark)


def test_a_roll_back_that_leaves_the_host_alone_fails_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(power_roll_back, "claim_of", lambda *_args: (Reason.KEEP_TAG, "Its tag keeps it."))
    with Night(tmp_path, hosts=HOSTS, account={"lag_seconds": 0}) as dark:
        patch(dark)
        with pytest.raises(Failed, match=r"on: Its tag keeps it\. It is not rolled back\.") as caught:
            Controller(dark).roll_back("on")
        assert caught.value.code == Reason.KEEP_TAG
        assert dark.truth()["on"]["installed"] == [KB]
