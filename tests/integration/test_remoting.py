# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that psrp and ssh reach, by Ansible's own plugins before the lab's Windows.

psrp is spoken by pypsrp at one end and psrpcore's server at the other, ssh by OpenSSH at both.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from living_lab import TWO_MINUTES_WITH_A_REBOOT, Ended, LivingLab

from lab.winrm import ssh
from lab.winrm.options import Options

HOSTS: dict[str, Options] = {
    "psrp": Options(connection="psrp"),
    "psrp-http": Options(connection="psrp", scheme="http"),
    "psrp-away": Options(connection="psrp", cut_when={"installing": 240}),
    "psrp-broken": Options(connection="psrp", cut_when={"installing": 0}),
    "ssh": Options(connection="ssh"),
    "ssh-away": Options(connection="ssh", cut_when={"installing": 240}),
    "ssh-broken": Options(connection="ssh", cut_when={"installing": 0}),
}
PLAYED = {name: each for name, each in HOSTS.items() if each.connection != "ssh" or not ssh.missing()}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivingLab]:
    hosts = [{"name": name, "kind": "winrm", "updates": [TWO_MINUTES_WITH_A_REBOOT]} for name in PLAYED]
    with LivingLab(tmp_path_factory.mktemp("remoting"), hosts, winrm=PLAYED, scale=20) as living:
        yield living


@pytest.fixture(scope="module")
def ended(lab: LivingLab) -> Ended:
    return lab.playbook("patch", variables={"patch_hosts": "all", "patch_batch_size": len(PLAYED)})


@pytest.mark.parametrize("name", HOSTS)
def test_a_host_is_patched_over_its_connection(lab: LivingLab, ended: Ended, name: str) -> None:
    if name not in PLAYED:
        pytest.skip(ssh.missing())
    host = ended.host(name)
    assert (host["outcome"], host["reboots"]) == ("patched", 1), host["reason"]
    assert lab.truth(name)["missing"] == []
    assert (lab.truth(name)["reboots"], lab.truth(name)["cut_off"]) == (1, 0)


def test_the_run_ends_well(ended: Ended) -> None:
    assert ended.code == 0, ended.said
