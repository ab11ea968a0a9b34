# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One update fails on every host: the run says so, and the command that it prints patches the fleet without that update."""

from __future__ import annotations

import shlex
from pathlib import Path

from living_lab import LivingLab

BROKEN = {"kb": "KB5046547", "severity": "critical", "class": "security", "seconds": 60, "result": "0x800F0922"}
SOUND = {"kb": "KB5031361", "severity": "critical", "class": "security", "seconds": 60, "reboot": True}
HOSTS = [
    {"name": "dev-{1..3}", "state": "stopped", "updates": [SOUND, BROKEN]},
    {"name": "not-offered", "state": "stopped", "updates": [SOUND]},
]


def test_the_printed_command_continues_without_the_update_that_fails(tmp_path: Path) -> None:
    variables = {"patch_failure_budget": 1, "patch_batch_size": 2}
    with LivingLab(tmp_path, HOSTS, scale=400) as lab:
        first = lab.playbook("patch", variables=variables)
        assert first.code == 2, first.output
        breaker = first.report["breaker"]
        assert "All 2 failed for KB5046547 (0x800F0922). To continue without it: " in breaker
        command = shlex.split(breaker.partition("To continue without it: ")[2])
        assert command[-1] == "patch_exclude_kbs=KB5046547"
        second = lab.run(command)
        truth = {name: lab.truth(name) for name in ("dev-1", "dev-2", "dev-3", "not-offered")}
    assert second.code == 0, second.output
    assert [host["installed"] for host in truth.values()] == [["KB5031361"]] * 4
    assert {host["state"] for host in truth.values()} == {"stopped"}
