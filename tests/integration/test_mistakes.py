# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people get wrong is refused before anything is touched, with the option, the value and what would be right."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret
from living_lab import UPDATE, Ended, LivingLab, Unsafe

OFF = {"state": "stopped", "groups": ["dev"], "updates": [UPDATE]}
HOSTS = [{"name": "dev-{1..6}", **OFF}]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivingLab]:
    with LivingLab(tmp_path_factory.mktemp("mistakes"), HOSTS) as lab:
        yield lab


def refused(ended: Ended, *texts: str) -> None:
    """It failed, said this, and touched nothing."""
    assert ended.code not in (0, "timeout"), ended.output
    assert ended.touched == [], ended.touched
    for text in texts:
        assert text in ended.words, ended.output
    assert "Traceback" not in ended.output, ended.output


@dataclass(frozen=True)
class Mistake:
    """What a user gives: extra vars, options of ansible-playbook, forks; and what must be said of it."""

    name: str
    texts: tuple[str, ...]
    variables: dict[str, Any] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    forks: int = 20


DEV = {"patch_hosts": "dev"}
MISTAKES = [
    Mistake("unknown variable", ("no variable patch_batch_sise", "mean patch_batch_size"), {"patch_batch_sise": 2}),
    Mistake("unknown, far off", ("no variable patch_sesion", "mean patch_sessions"), {"patch_sesion": "warn"}),
    Mistake(
        "nothing found",
        ("none carries the tag PatchGroup=Nobody in eu-central-1.", "patch_tag_value"),
        {"patch_tag_value": "Nobody"},
    ),
    Mistake("too many hosts", ("6 hosts were found, but patch_max_hosts is 3",), {"patch_max_hosts": 3}),
    Mistake("few forks", ("forks: 2 is not valid", "--forks 5 or more"), forks=2),
    Mistake("few forks for a share", ("forks: 2 is not valid", "--forks 3"), {"patch_batch_size": "50%"}, forks=2),
    Mistake("batch of 0", ("patch_batch_size: 0 is not valid", "at least 1"), {"patch_batch_size": 0}),
    Mistake("batch of abc", ("patch_batch_size: 'abc' is not valid", "or a percentage"), {"patch_batch_size": "abc"}),
    Mistake("batch of 0 in a limit", ("patch_batch_size: 0",), {"patch_batch_size": 0, **DEV}, ("--limit", "dev-1")),
    Mistake("batch of abc in a limit", ("'abc'",), {"patch_batch_size": "abc", **DEV}, ("--limit", "dev-1")),
    Mistake("rolling, other forks", ("forks: 20 is not valid", "--forks 5"), {"patch_rollout": "rolling"}),
    Mistake("a template", ("patch_tag_value: '{{ x }}' is not valid",), {"patch_tag_value": Unsafe("{{ x }}")}),
    Mistake("a template in a list", ("patch_exclude", "{{ x }}"), {"patch_exclude": ["a", Unsafe("{{ x }}")]}),
    Mistake("undefined variable", ("patch_batch_size", "nowhere"), {"patch_batch_size": "{{ nowhere }}"}),
    Mistake("a limit without an inventory", ("--limit dev-1", "patch_hosts"), options=("--limit", "dev-1")),
    Mistake("a limit that names nobody", ("nobody",), {"patch_hosts": "dev"}, ("--limit", "nobody")),
    Mistake("a pattern without hosts", ("No host to work on", "nosuch"), {"patch_hosts": "nosuch"}),
    Mistake(
        "deadline in the past",
        ("patch_deadline: '2026-11-14T21:00:00Z' is not valid", "in the future; it is 2026-11-1"),
        {"patch_deadline": "2026-11-14T21:00:00Z"},
    ),
    Mistake("deadline in words", ("patch_deadline: 'tonight'", "ISO 8601"), {"patch_deadline": "tonight"}),
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_a_mistake_in_the_options_is_reported(lab: LivingLab, mistake: Mistake) -> None:
    ended = lab.playbook("patch", *mistake.options, variables=mistake.variables, forks=mistake.forks)
    refused(ended, *mistake.texts)


def test_a_variable_of_a_single_host_is_checked_too(lab: LivingLab) -> None:
    of_one = lab.file("of-one.yml", {"all": {"hosts": {"dev-4": {"patch_fre_gib": 30}}}})
    ended = lab.playbook("patch", variables={"patch_hosts": "dev"}, inventories=[lab.workplace.inventory, of_one])
    refused(ended, "no variable patch_fre_gib", "mean patch_free_gib")


def test_a_value_that_ansible_refuses_is_named_with_its_host_and_the_others_go_on(lab: LivingLab) -> None:
    """Ansible reads the variables of a connection before each task, where SSM reaches the host, too; dev-1 comes first."""
    of_one = lab.file("refused.yml", {"all": {"hosts": {"dev-1": {"ansible_become": "perhaps"}}}})
    planned = lab.playbook("plan", variables=DEV, inventories=[lab.workplace.inventory, of_one])
    assert planned.code == 0, planned.output
    assert "left out dev-1: ansible_become: 'perhaps' is not valid. It must be true or false." in planned.words
    assert "5 hosts will be patched" in planned.words


@pytest.mark.parametrize("option", ["--syntax-check", "--list-tasks", "--list-hosts"])
def test_an_option_that_only_shows_asks_nothing(lab: LivingLab, option: str) -> None:
    ended = lab.playbook("patch", option)
    assert (ended.code, ended.calls) == (0, []), ended.output


def test_vaulted_files_and_values_are_read_and_a_missing_password_touches_nothing(lab: LivingLab) -> None:
    vault = VaultLib([("default", VaultSecret(b"the password"))])
    password = lab.file("password", "the password\n")
    value = textwrap.indent(vault.encrypt(b"dev-1").decode(), " " * 8)
    inventory = lab.file("vaulted.yml", f"all:\n  vars:\n    patch_exclude: !vault |\n{value}")
    extra = lab.file("extra.yml", vault.encrypt(b"patch_canary_hosts: dev-2\n").decode())
    options = ("--extra-vars", f"@{extra}")
    how: dict[str, Any] = {"variables": DEV, "inventories": [lab.workplace.inventory, inventory]}
    planned = lab.playbook("plan", *options, "--vault-password-file", str(password), **how)
    assert planned.code == 0, planned.output
    assert "left out dev-1" in planned.words
    assert "5 hosts will be patched" in planned.words
    refused(lab.playbook("patch", *options, **how), "decrypt")


@pytest.mark.parametrize("playbook", ["plan", "restore", "report"])
def test_the_other_playbooks_know_their_variables_too(lab: LivingLab, playbook: str) -> None:
    ended = lab.playbook(playbook, variables={"patch_legder": "x"})
    refused(ended, "no variable patch_legder", "mean patch_ledger")


# ---- the account


NO_REGION = dict.fromkeys(("AWS_REGION", "AWS_DEFAULT_REGION"))
NO_KEYS = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"))


def test_no_region(lab: LivingLab) -> None:
    ended = lab.playbook("patch", environment=NO_REGION)
    refused(ended, "No AWS region is set", "patch_regions", "eu-central-1")
    assert ended.calls == []


def test_no_credentials(lab: LivingLab) -> None:
    ended = lab.playbook("patch", environment=NO_KEYS)
    refused(ended, "No AWS credentials were found", "AWS_ACCESS_KEY_ID", "AWS_PROFILE")


def test_credentials_that_aws_does_not_know(lab: LivingLab) -> None:
    ended = lab.playbook("patch", environment={"AWS_ACCESS_KEY_ID": "ASIANOBODYHASTHIS"})
    refused(ended, "credentials have expired or are not valid", "Get new ones")


def test_credentials_that_have_expired(tmp_path: Path) -> None:
    """The event ends those that were given out last, at once; they are given out before the lab's first second."""
    with LivingLab(tmp_path, HOSTS, events=[{"at_seconds": 0, "do": "expire_credentials"}]) as lab:
        ended = lab.playbook("patch", environment=lab.first_credentials)
    refused(ended, "credentials have expired or are not valid", "Get new ones")
    codes = {"ExpiredToken", "RequestExpired"}  # of STS, which is asked for the account first, and of EC2
    assert {call["error"] for call in ended.calls} == codes


# What is denied, the state of the fleet, and the action that must be named.
DENIED = [
    ("ssm:SendCommand", "running"),
    ("ssm:DescribeInstanceInformation", "running"),
    ("ssm:ListCommandInvocations", "stopped"),
    ("ssm:DescribeInstancePatchStates", "stopped"),
    ("ssm:DescribeDocument", "stopped"),
    ("ec2:DescribeInstances", "stopped"),
    ("ec2:StartInstances", "stopped"),
    ("ec2:StopInstances", "stopped"),
]


@pytest.mark.parametrize(("action", "state"), DENIED, ids=[action for action, _state in DENIED])
def test_a_right_that_no_host_can_do_without(action: str, state: str, tmp_path: Path) -> None:
    hosts = [{"name": "dev-{1..2}", "state": state, "updates": [UPDATE]}]
    with LivingLab(tmp_path, hosts, account={"deny": [action]}) as lab:
        ended = lab.playbook("patch")
    refused(ended, action)
    assert any(f"lack the right {action}" in str(result.result.get("msg")) for result in ended.results), ended.output


def test_hosts_that_could_not_be_stopped_again_are_not_started(tmp_path: Path) -> None:
    """The others are patched; these fail alone, and say which right is missing."""
    hosts = [{"name": "off", "state": "stopped"}, {"name": "on"}]
    with LivingLab(tmp_path, hosts, scale=240, account={"deny": ["ec2:StopInstances"]}) as lab:
        ended = lab.playbook("patch", variables={"patch_operation": "scan", "patch_failure_budget": "100%"})
        assert lab.truth("off")["starts"] == 0
    assert ended.code == 2, ended.output
    assert ended.outcomes == {"off": "failed", "on": "compliant"}
    assert "ec2:StopInstances" in ended.host("off")["reason"]
    assert "StartInstances" not in ended.touched


# ---- the controller


def test_a_ledger_that_cannot_be_written(lab: LivingLab, tmp_path: Path) -> None:
    """A folder in its place, and a file in the place of its folder: root may write everywhere else."""
    (tmp_path / "file").write_text("no folder")
    for path in (tmp_path, tmp_path / "file" / "ledger.sqlite"):
        ended = lab.playbook("patch", variables={"patch_ledger": str(path)})
        refused(ended, f"patch_ledger: '{path}' is not valid")
        assert ended.calls == []


def test_a_report_folder_that_cannot_be_written(lab: LivingLab) -> None:
    ended = lab.playbook("patch", variables={"patch_report_dir": "/proc/nope"})
    refused(ended, "patch_report_dir: '/proc/nope' is not valid")


def test_boto3_is_missing(lab: LivingLab, tmp_path: Path) -> None:
    for library in ("boto3", "botocore"):
        (tmp_path / f"{library}.py").write_text(f"raise ImportError('{library} is not installed')")
    ended = lab.playbook("patch", environment={"PYTHONPATH": str(tmp_path)})
    refused(ended, "The Python library boto3 is not installed for", "-m pip install --upgrade 'boto3>=")
    assert ended.calls == []


def test_the_collection_of_aws_is_missing(lab: LivingLab, tmp_path: Path) -> None:
    ended = lab.playbook("patch", environment=without_amazon_aws(tmp_path))
    refused(ended, "Ansible does not find the collection amazon.aws", "ansible-galaxy collection install amazon.aws")
    assert ended.calls == []


def without_amazon_aws(folder: Path) -> dict[str, str]:
    """A machine with this collection and ansible.windows alone."""
    collections = folder / "ansible_collections"
    collections.mkdir()
    for namespace in ("ansible", "patchfleet"):
        (collections / namespace).symlink_to(Path(sys.prefix) / "collections" / "ansible_collections" / namespace)
    return {"ANSIBLE_COLLECTIONS_PATH": str(folder), "ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "false"}


def test_a_plan_that_leaves_all_hosts_out_says_that_a_run_would_fail(lab: LivingLab) -> None:
    everyone = {"patch_exclude": [f"dev-{number}" for number in range(1, 7)]}
    planned = lab.playbook("plan", variables=everyone)
    sentence = "0 hosts will be patched. Left out: 6, for the reasons above. A run would end with an error."
    assert (planned.code, sentence in planned.words) == (0, True), planned.output
    patched = lab.playbook("patch", variables=everyone)
    assert (patched.code, patched.touched) == (2, [])
    assert set(patched.outcomes.values()) == {"excluded"}
