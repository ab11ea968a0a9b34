# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Incidents at night, ended with nothing but the commands that the product prints."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from living_lab import TWO_MINUTES_WITH_A_REBOOT, LivingLab

from ansible_collections.patchfleet.windows.plugins.module_utils._ledger import open_ledger

HANGS = {**TWO_MINUTES_WITH_A_REBOOT, "result": "hangs"}


def printed(text: str, words: str) -> list[str]:
    """The command between backticks that has these words, as a shell reads it."""
    (command,) = [found for found in re.findall("`(.+?)`", text) if words in found]
    return shlex.split(command)


def test_a_host_whose_installation_does_not_end_is_released_by_what_its_reason_says(tmp_path: Path) -> None:
    hosts = [{"name": "hung", "state": "stopped", "updates": [HANGS]}]
    with LivingLab(tmp_path, hosts, scale=200) as lab:
        night = lab.playbook(
            "patch", variables={"patch_install_timeout_seconds": 1800, "awx_user_name": "dave", "awx_job_id": 17}
        )
        reason = night.host("hung")["reason"]
        assert (night.code, night.host("hung")["reason_code"]) == (2, "installation_running"), night.output
        assert "The servicing log was last written at " in reason

        again = lab.run(printed(reason, "restore -e patch_ledger"))
        assert again.code == 2, again.output
        assert len(open_ledger(str(lab.ledger)).open_power()) == 1
        released = lab.run(printed(reason, "patch_let_go"))
        assert released.code == 0, released.output
        report = lab.playbook("report")
        clear = lab.run(printed(reason, "restore -e patch_ledger"))
        assert "Nothing is open" in clear.words, clear.output
        truth = lab.lab.truth()["hosts"]["hung"]

    assert (truth["state"], truth["stops"], truth["cut_off"]) == ("running", 0, 0)
    assert not {"StopInstances", "RebootInstances", "CancelCommand"} & {*again.touched, *released.touched}
    hung = report.host("hung")
    assert (hung["outcome"], hung["reason_code"], hung["final_state"]) == ("held", "let_go", "running")
    assert hung["let_go"]["machine"] == report.report["by"]["machine"]
    assert (report.report["by"]["launched_by"], report.report["by"]["job_id"]) == ("dave", "17")
    assert report.report["by"]["arn"].startswith("arn:aws:")
    assert hung["command_ids"]
