# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that psrp and ssh reach, by Ansible's own plugins before the lab's Windows.

psrp is spoken by pypsrp at one end and psrpcore's server at the other, ssh by OpenSSH at both.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import util
from pathlib import Path
from typing import Any

import pytest
from living_lab import TWO_MINUTES_WITH_A_REBOOT, Ended, LivingLab

from lab.winrm import ssh
from lab.winrm.options import Options

pytestmark = pytest.mark.xdist_group("remoting")

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
    """``ansible_become`` alone, as groups of all hosts have it, means sudo."""
    become = {"all": {"hosts": {name: {"ansible_become": True} for name in ("psrp-http", "ssh") if name in PLAYED}}}
    inventories = [lab.workplace.inventory, lab.file("become.yml", become)]
    variables = {"patch_hosts": "all", "patch_batch_size": len(PLAYED)}
    return lab.playbook("patch", variables=variables, inventories=inventories)


@pytest.mark.parametrize("name", HOSTS)
def test_a_host_is_patched_over_its_connection(lab: LivingLab, ended: Ended, name: str) -> None:
    if name not in PLAYED:
        pytest.skip(ssh.missing())
    host = ended.host(name)
    assert (host["outcome"], host["reboots"]) == ("patched", 1), host["reason"]
    assert lab.truth(name)["missing"] == []
    assert (lab.truth(name)["reboots"], lab.truth(name)["cut_off"]) == (1, 0)


def test_the_run_ends_well(ended: Ended) -> None:
    assert ended.code == 0, ended.output


# ---- log-ons that are refused

ONE_ACCOUNT = {
    **{f"hall-{number:02}": Options() for number in range(1, 7)},
    **{f"pool-{number:02}": Options(connection="psrp") for number in range(1, 5)},
}
CHANGED = {"refuse_when": "installing", "cut_when": {"installing": 0.0}}
"""The password is changed while the hosts install, and the connections break."""
BY_PASSWORD: dict[str, Options] = {
    **{f"expired-winrm-{number}": Options(**CHANGED) for number in (1, 2)},  # type: ignore[arg-type]
    **{f"expired-psrp-{number}": Options(connection="psrp", **CHANGED) for number in (1, 2)},  # type: ignore[arg-type]
}
BY_KEY: dict[str, Options] = {"expired-ssh": Options(connection="ssh", **CHANGED)}  # type: ignore[arg-type]
LATER = BY_PASSWORD | ({} if ssh.missing() else BY_KEY)
NEXT_BATCH: dict[str, Options] = {"next-winrm": Options(), "next-psrp": Options(connection="psrp")}
REFUSING = ONE_ACCOUNT | LATER | NEXT_BATCH


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivingLab]:
    hosts = [{"name": name, "kind": "winrm", "updates": [TWO_MINUTES_WITH_A_REBOOT]} for name in REFUSING]
    with LivingLab(tmp_path_factory.mktemp("refusing"), hosts, winrm=REFUSING, scale=20) as living:
        yield living


def refused(lab: LivingLab) -> dict[str, int]:
    counted = {name: endpoint.refused_log_ons for name, endpoint in lab.lab.winrm.endpoints.items()}
    return {name: number for name, number in counted.items() if number}


def test_a_batch_with_a_wrong_password_is_refused_twice_in_the_whole_run(refusing: LivingLab) -> None:
    """All hosts of the batch start at the same moment, each in a fork of its own."""
    wrong = {"all": {"hosts": {name: {"ansible_password": "not this one"} for name in ONE_ACCOUNT}}}
    inventories = [refusing.workplace.inventory, refusing.file("wrong.yml", wrong)]
    variables = {"patch_hosts": "hall-*,pool-*", "patch_batch_size": len(ONE_ACCOUNT)}
    ended = refusing.playbook("patch", variables=variables, inventories=inventories)
    assert ended.code == 2
    assert set(ended.outcomes.items()) == {(name, "deferred") for name in ONE_ACCOUNT}
    codes = sorted(ended.host(name)["reason_code"] for name in ONE_ACCOUNT)
    assert codes == ["login_refused"] * (len(ONE_ACCOUNT) - 1) + ["unreachable"]
    assert sum(refused(refusing).values()) == 2


def test_a_password_that_is_changed_in_the_middle_is_not_tried_again(refusing: LivingLab) -> None:
    """For each account: winrm and psrp log on with one, ssh with another. No host of the next batch tries it.

    A connection that is open logs on again with what it just sends, so each host at work may be refused once in that moment.
    """
    variables = {"patch_hosts": "expired-*,next-*", "patch_failure_budget": "100%", "patch_batch_size": len(LATER)}
    ended = refusing.playbook("patch", variables=variables)
    found = {name: ended.host(name) for name in LATER}
    assert {(name, host["outcome"], host["step"]) for name, host in found.items()} == {
        (name, "failed", "patch") for name in found
    }
    assert "login_refused" in {found[name]["reason_code"] for name in BY_PASSWORD}
    counted = refused(refusing)
    assert 1 <= sum(counted.get(name, 0) for name in BY_PASSWORD) <= len(BY_PASSWORD)
    if "expired-ssh" in found:
        assert (counted["expired-ssh"], found["expired-ssh"]["reason_code"]) == (2, "login_refused")
    for name in NEXT_BATCH:
        host = ended.host(name)
        assert (host["outcome"], host["reason_code"]) == ("deferred", "login_refused")
        assert "no log-on was tried on this host" in host["reason"]


# ---- the controller


def without_aws(folder: Path) -> dict[str, str]:
    """An environment in which Python has no boto3 and Ansible no amazon.aws."""
    for library in ("boto3", "botocore"):
        (folder / f"{library}.py").write_text(f"raise ImportError('{library} is not installed')")
    collections = folder / "ansible_collections"
    windows = Path(str(util.find_spec("ansible").origin)).parents[1] / "ansible_collections" / "ansible" / "windows"  # type: ignore[union-attr]
    for name, origin in {"ansible/windows": windows, "patchfleet/windows": Path(__file__).parents[2]}.items():
        (collections / name).parent.mkdir(parents=True)
        (collections / name).symlink_to(origin)
    return {
        "PYTHONPATH": str(folder),
        "ANSIBLE_COLLECTIONS_PATH": str(folder),
        "ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "false",
    }


def test_hosts_without_aws_need_neither_boto3_nor_amazon_aws(lab: LivingLab, ended: Ended, tmp_path: Path) -> None:
    """Once they are patched: a scan."""
    assert ended.code == 0
    variables = {"patch_hosts": "psrp,psrp-http", "patch_operation": "scan"}
    scanned = lab.playbook("patch", variables=variables, environment=without_aws(tmp_path))
    assert scanned.outcomes == {"psrp": "compliant", "psrp-http": "compliant"}, scanned.output
    assert scanned.code == 0


WRONG_SETTINGS: dict[str, tuple[dict[str, Any], str]] = {
    "psrp": ({"ansible_psrp_auth": "digest"}, "values are: basic, certificate, negotiate"),
    "psrp-away": ({"ansible_become": True, "ansible_become_method": "nobodys"}, "finds no become plugin nobodys"),
    "psrp-broken": ({"ansible_user": ""}, "no user for ntlm. Set ansible_user."),
    "ssh": ({"ansible_ssh_executable": "/opt/none/ssh"}, "needs the program /opt/none/ssh"),
}


def test_the_plan_names_the_hosts_whose_connection_ansible_cannot_use(lab: LivingLab) -> None:
    """Also the first host of the play, for which Ansible would run the tasks of the plan itself."""
    wrong = {name: variables for name, (variables, _words) in WRONG_SETTINGS.items() if name in PLAYED}
    inventory = lab.file("wrong-settings.yml", {"all": {"hosts": wrong}})
    planned = lab.playbook("plan", variables={"patch_hosts": "all"}, inventories=[lab.workplace.inventory, inventory])
    assert planned.code == 0
    assert "not asked psrp" in planned.words
    for name in wrong:
        assert WRONG_SETTINGS[name][1] in planned.words
    number = len(PLAYED) - len(wrong)
    assert f"{number} host{'' if number == 1 else 's'} will be patched" in planned.words


def test_a_run_whose_only_host_ansible_refuses_ends_with_a_report(lab: LivingLab) -> None:
    inventory = lab.file("no-port.yml", {"all": {"hosts": {"psrp": {"ansible_port": "https"}}}})
    variables = {"patch_hosts": "psrp"}
    ended = lab.playbook("patch", variables=variables, inventories=[lab.workplace.inventory, inventory])
    assert (ended.code, ended.outcomes) == (2, {"psrp": "deferred"})
    assert ended.host("psrp")["reason"] == "ansible_port: 'https' is not valid. It must be a whole number."
