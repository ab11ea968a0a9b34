# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Incidents at night, ended with nothing but the commands that the product prints."""

from __future__ import annotations

import re
import shlex
import threading
from datetime import timedelta
from pathlib import Path

from living_lab import LIMIT_SECONDS, TWO_MINUTES_WITH_A_REBOOT, Ended, LivingLab

from ansible_collections.patchfleet.windows.plugins.module_utils._ledger import open_ledger
from ansible_collections.patchfleet.windows.plugins.module_utils._model.outcomes import Outcome

HANGS = {**TWO_MINUTES_WITH_A_REBOOT, "result": "hangs"}


def printed(text: str, words: str) -> list[str]:
    """The command between backticks that has these words, as a shell reads it."""
    (command,) = {found for found in re.findall("`(.+?)`", text) if words in found}
    return shlex.split(command)


def ends(ended: Ended, host: str) -> list[str]:
    """The outcomes that lines of progress say of a host at its end."""
    line = rf"^  \d\d:\d\d:\d\d  {host}(?: \(i-\w+\))? +(?:[a-z]+ +)?({'|'.join(Outcome)}): \S"
    return re.findall(line, ended.output, re.MULTILINE)


def test_a_host_whose_installation_does_not_end_is_released_by_what_its_reason_says(tmp_path: Path) -> None:
    hosts = [{"name": "hung", "state": "stopped", "updates": [HANGS]}]
    with LivingLab(tmp_path, hosts, scale=200) as lab:
        night = lab.playbook(
            "patch", variables={"patch_install_timeout_seconds": 1800, "awx_user_name": "dave", "awx_job_id": 17}
        )
        reason = night.host("hung")["reason"]
        assert (night.code, night.host("hung")["reason_code"]) == (2, "installation_running"), night.output
        assert ends(night, "hung") == ["held"]
        assert "The servicing log was last written at " in reason

        again = lab.run(printed(reason, "restore -e patch_ledger"))
        assert again.code == 2, again.output
        assert ends(again, "hung") == ["held"], "the restore says so, too"
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


def test_a_run_whose_credentials_ended_is_put_back_by_what_its_reason_says(tmp_path: Path) -> None:
    hosts = [{"name": "off", "state": "stopped", "updates": [TWO_MINUTES_WITH_A_REBOOT]}]
    events = [{"when": "off installing", "do": "expire_credentials"}]
    with LivingLab(tmp_path, hosts, events=events, scale=200) as lab:
        night = lab.playbook("patch")
        off = night.host("off")
        assert (off["outcome"], off["reason_code"]) == ("held", "credentials_expired"), night.output
        assert ends(night, "off") == ["held"]
        back = lab.run(printed(off["reason"], "restore -e patch_ledger"))
        truth, off_id = lab.lab.truth()["hosts"]["off"], lab.id("off")
    assert back.code == 0, back.output
    assert f"off ({off_id}) of run {night.report['run_id']}: on because of it" in back.words
    assert "1 host put back: 1 stopped. 0 still open." in back.words
    again = printed(back.words, "windows.patch")
    assert again[:2] == ["ansible-playbook", "patchfleet.windows.patch"]
    assert (truth["state"], truth["cut_off"], truth["installed"]) == ("stopped", 0, ["KB5031361"])


def test_a_run_is_ended_gently_and_continued_by_what_status_and_stop_print(tmp_path: Path) -> None:
    """With several runs on one ledger the commands name theirs."""
    long = {**TWO_MINUTES_WITH_A_REBOOT, "seconds": 5000}
    hosts = [{"name": "web-{1..2}", "state": "stopped", "updates": [long]}]
    events = [{"when": "web-1 installing", "do": "term_controller"}]
    installing = threading.Event()
    with LivingLab(tmp_path, hosts, events=events, scale=200) as lab:
        lab.on_controller = lambda _process: installing.set()
        night = lab.begin("patch", variables={"patch_batch_size": 1})
        assert installing.wait(LIMIT_SECONDS)
        stopped = lab.run(on_lines(lab.playbook("status"), "windows.stop"))
        assert stopped.code == 0, stopped.output
        resumed = lab.run(printed(stopped.words, "windows.resume"))
        assert resumed.code == 0, resumed.output
        ended = night.end()
    assert (ended.code, set(ended.outcomes.values())) == (0, {"patched"}), ended.output


def test_a_window_that_is_too_short_is_ended_by_what_the_plan_names(tmp_path: Path) -> None:
    hosts = [{"name": "web-{1..2}", "state": "stopped", "updates": [TWO_MINUTES_WITH_A_REBOOT]}]
    with LivingLab(tmp_path, hosts, scale=60) as lab:
        deadline = {"patch_deadline": f"{lab.lab.clock.now() + timedelta(minutes=44):%Y-%m-%dT%H:%M:%SZ}"}
        planned = lab.playbook("plan", variables=deadline)
        assert "there is time for about 0 of 2 hosts. Too late: web-1, web-2." in planned.words
        assert "patch_expected_seconds where hosts are faster" in planned.words
        refused = lab.playbook("patch", variables=deadline)
        assert (refused.code, set(refused.outcomes.values())) == (2, {"deferred"}), refused.output
        ended = lab.playbook("patch", variables={**deadline, "patch_expected_seconds": 300})
    assert (ended.code, set(ended.outcomes.values())) == (0, {"patched"}), ended.output


def test_what_became_of_an_update_and_a_host_is_shown_by_what_the_history_prints(tmp_path: Path) -> None:
    """Of hosts that are off, without a start."""
    broken = {**TWO_MINUTES_WITH_A_REBOOT, "result": "0x800F0922"}
    hosts = [{"name": "dark", "state": "stopped", "updates": [broken]}]
    with LivingLab(tmp_path, hosts, scale=200) as lab:
        assert lab.playbook("patch").code == 2
        history = lab.playbook("history")
        of_update = lab.run(printed(history.words, "patch_kbs"))
        of_host = lab.run(printed(history.words, "patch_host"))
        assert lab.truth("dark")["starts"] == 1
    assert "KB5031361: missing on 1 of 1 host." in of_update.words
    assert "  started by: " in of_host.output


def on_lines(ended: Ended, words: str) -> list[str]:
    """The command of these words that has an option on each line, as a shell reads it."""
    text = ended.output[ended.output.index(f"ansible-playbook patchfleet.{words}") :]
    command, *_rest = text.replace("\\\n", "").splitlines()
    return shlex.split(command)


def test_a_killed_run_is_put_back_by_what_status_says(tmp_path: Path) -> None:
    hosts = [{"name": "off", "state": "stopped", "updates": [TWO_MINUTES_WITH_A_REBOOT]}]
    events = [{"when": "off installing", "do": "kill_controller"}]
    with LivingLab(tmp_path, hosts, events=events, scale=200) as lab:
        lab.playbook("patch")
        for _attempt in range(20):  # until its lease is over
            status = lab.playbook("status")
            if "If it is dead, put its hosts back:" in status.words:
                break
        back = lab.run(on_lines(status, "windows.restore"))
        truth = lab.lab.truth()["hosts"]["off"]
    assert back.code == 0, back.output
    assert "1 host put back: 1 stopped. 0 still open." in back.words
    assert (truth["state"], truth["cut_off"]) == ("stopped", 0)


def test_hosts_that_no_run_patches_are_taken_in_by_what_the_plan_names(tmp_path: Path) -> None:
    """One is tagged with another case, one has no tag, and one lives in a region that is not searched."""
    host = {"state": "stopped", "updates": [TWO_MINUTES_WITH_A_REBOOT]}
    far = {"name": "far", "region": "eu-west-1", **host}
    untagged = [
        {"name": "nearly", "tags": {"PatchGroup": "windows"}, **host},
        {"name": "bare", "tags": {"Team": "web"}, **host},
    ]
    with LivingLab(tmp_path, [{"name": "known", **host}, *untagged, far], scale=200) as lab:
        assert lab.playbook("patch").outcomes == {"known": "patched"}
        planned = lab.playbook("plan")
        region, tag, names = re.findall(
            r"No run patches \d+ Windows instances in (\S+) without the tag (\S+): (.+?)\.", planned.words
        )[0]
        found = re.search(
            r"The region (\S+) is not searched, and has 1 Windows instance with the tag \S+: (\S+)\. See (\w+)\.",
            planned.words,
        )
        assert found, planned.output
        other_region, name, variable = found.groups()
        assert (names, name) == ("nearly (PatchGroup=windows), bare", "far")
        key, _, value = tag.partition("=")
        ids = [lab.id(printed_name.split()[0]) for printed_name in names.split(", ")]
        lab.client("ec2").create_tags(Resources=ids, Tags=[{"Key": key, "Value": value}])
        wider = {variable: [region, other_region]}
        again = lab.playbook("plan", variables=wider)
        ended = lab.playbook("patch", variables=wider)
        whole = lab.playbook("plan", variables=wider)
    assert "No run patches" not in again.words, again.output
    assert re.search(r"New since the last run \(\S+, closed at \S+\): bare, far, nearly\.", again.words), again.output
    assert ended.outcomes == {"known": "compliant", "nearly": "patched", "bare": "patched", "far": "patched"}
    assert not re.search("No run patches|New since|not in this plan|is not searched", whole.words), whole.output
