# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""People who are logged on: a run waits for them or notifies them, and their text is never part of a script."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from living_lab import TWO_MINUTES_WITH_A_REBOOT, Ended, LivingLab

MESSAGE = "Updates at ten; save your work. 'quoted' $(hostname)"
HOST = {"scan_seconds": 10, "updates": [TWO_MINUTES_WITH_A_REBOOT]}
HOSTS = [
    {"name": "waited", "sessions": 2, "tags": {"PatchGroup": "Windows", "Test": "wait"}, **HOST},
    {"name": "notified", "sessions": 1, "tags": {"PatchGroup": "Windows", "Test": "notify"}, **HOST},
]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivingLab]:
    with LivingLab(tmp_path_factory.mktemp("people"), HOSTS) as lab:
        yield lab


def scripts_of(ended: Ended) -> list[str]:
    """The names of the scripts that were sent, in order."""
    sent = [call["params"].get("Parameters", {}).get("commands", [""]) for call in ended.calls]
    return [lines[0].partition(": ")[2] for lines in sent if lines[0].startswith("# patchfleet-script: ")]


def test_a_host_whose_people_stay_is_deferred_and_untouched(lab: LivingLab) -> None:
    variables = {"patch_filters": {"tag:Test": "wait"}, "patch_sessions": "wait", "patch_sessions_timeout_seconds": 300}
    ended = lab.playbook("patch", variables=variables)
    host = ended.host("waited")
    assert [host[key] for key in ("outcome", "reason_code", "sessions")] == ["deferred", "sessions", 2], ended.output
    assert "2 people are still logged on after 300 s" in host["reason"]
    assert set(scripts_of(ended)) == {"probe", "inspect_sessions"}
    assert lab.truth("waited")["installed"] == []


def test_users_are_notified_before_the_installation(lab: LivingLab) -> None:
    variables = {"patch_filters": {"tag:Test": "notify"}, "patch_sessions_message": MESSAGE}
    ended = lab.playbook("patch", variables=variables)
    assert (ended.code, ended.outcomes) == (0, {"notified": "patched"}), ended.output
    assert "1 person is logged on; a reboot will take their work" in ended.output
    asked = [call["params"] for call in ended.calls if call["operation"] == "SendCommand"]
    documents = [params["DocumentName"] for params in asked]
    reported = next(n for n, params in enumerate(asked) if "send_session_message" in str(params["Parameters"]))
    assert reported < documents.index("AWS-RunPatchBaseline")
    assert MESSAGE not in str(asked)
    assert lab.truth("notified")["reboots"] == ended.host("notified")["reboots"] == 1
