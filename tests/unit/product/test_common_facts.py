# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A breaker says what its failures have in common, and the command that continues without it."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from ansible import context
from ansible.utils.context_objects import CLIArgs

from ansible_collections.patchfleet.windows.plugins.module_utils._base.commands import extra_variable
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import Host
from ansible_collections.patchfleet.windows.plugins.module_utils._model.outcomes import Outcome
from ansible_collections.patchfleet.windows.plugins.module_utils._model.phases import Phase
from ansible_collections.patchfleet.windows.plugins.module_utils._model.reasons import Reason
from ansible_collections.patchfleet.windows.plugins.module_utils._run.common_causes import BreakerCause, BreakerCode
from ansible_collections.patchfleet.windows.plugins.module_utils._run.common_facts import ATTRIBUTES, common_facts
from ansible_collections.patchfleet.windows.plugins.module_utils._run.messages import command_to_continue, in_common
from ansible_collections.patchfleet.windows.plugins.plugin_utils._started_with import started_with

from .stage import a_host

SPENT = BreakerCause(BreakerCode.BUDGET_SPENT, failures=2, budget=1)
BROKEN = {"kb": "KB5046547", "hresult": "0x800F0922"}
PATCH = "ansible-playbook patchfleet.windows.patch"


def host(name: str, outcome: Outcome | None = None, code: Reason | None = None, **more: Any) -> Host:
    facts = {key: more.pop(key) for key in list(more) if key not in Host.__dataclass_fields__}
    return a_host(f"i-{name}", name=name, outcome=outcome, reason_code=code, facts=facts, **more)


def failed(name: str, code: Reason = Reason.STILL_MISSING, **more: Any) -> Host:
    return host(name, Outcome.FAILED, code, **{"phase": Phase.PATCH, **more})


def done(name: str, **more: Any) -> Host:
    return host(name, Outcome.PATCHED, **more)


def sentences_of(*hosts: Host, cause: BreakerCause = SPENT) -> tuple[str, str]:
    common = common_facts(cause, hosts)
    return in_common(common), command_to_continue(common, PATCH)


def test_one_update_that_failed_everywhere_is_named_and_left_out() -> None:
    hosts = [failed(name, failed_updates=[BROKEN]) for name in ("a", "b")]
    assert sentences_of(*hosts, done("c")) == (
        "All 2 failed for KB5046547 (0x800F0922).",
        f"To continue without it: {PATCH} -e patch_exclude_kbs=KB5046547",
    )


def test_one_host_that_failed_for_another_cause_hides_nothing() -> None:
    hosts = [failed(name, failed_updates=[BROKEN]) for name in ("a", "b", "c")]
    sentence, command = sentences_of(*hosts, failed("d", Reason.NO_ROOM))
    assert sentence == "3 of these 4 failed for KB5046547 (0x800F0922)."
    assert command.endswith(" -e patch_exclude_kbs=KB5046547")


def test_an_update_of_one_host_in_three_is_not_left_out() -> None:
    hosts = [failed("a", failed_updates=[BROKEN]), failed("b", Reason.NO_ROOM), failed("c", Reason.AGENT_SILENT)]
    assert sentences_of(*hosts) == ("", f"When the cause is fixed, continue: {PATCH}")


def test_codes_that_differ_are_not_named() -> None:
    other = {**BROKEN, "hresult": "0x80070643"}
    hosts = [failed("a", failed_updates=[BROKEN]), failed("b", failed_updates=[other])]
    assert sentences_of(*hosts)[0] == "All 2 failed for KB5046547."


def test_updates_that_vanished_are_those_that_are_missing() -> None:
    hosts = [failed(name, missing=["KB1", "KB2"]) for name in ("a", "b")]
    assert sentences_of(*hosts) == (
        "All 2 failed for KB1, KB2.",
        f"To continue without them: {PATCH} -e patch_exclude_kbs=KB1,KB2",
    )


def test_a_host_that_did_not_come_back_names_the_updates_that_it_got() -> None:
    lost = failed("a", Reason.AGENT_LOST, phase=Phase.VERIFY, missing=["KB1"])
    sentence, command = sentences_of(lost, host("b"), cause=BreakerCause(BreakerCode.NOT_BOOTED, ("a",)))
    assert sentence == "It failed for KB1."
    assert command.endswith(" -e patch_exclude_kbs=KB1")


def test_what_the_run_left_out_stays_left_out() -> None:
    hosts = [failed(name, failed_updates=[BROKEN]) for name in ("a", "b")]
    _sentence, command = sentences_of(*hosts, done("c", verdicts={"KB7": "excluded", "KB8": "installed"}))
    assert command.endswith(" -e patch_exclude_kbs=KB5046547,KB7")


@pytest.mark.parametrize(
    ("fact", "words"),
    [
        ({"az": "eu-central-1b"}, "in the availability zone eu-central-1b"),
        ({"type": "t3.micro"}, "of the instance type t3.micro"),
        ({"os": "Windows Server 2016"}, "with the operating system Windows Server 2016"),
        ({"region": "eu-west-1"}, "in the region eu-west-1"),
        ({"kind": "winrm"}, "of the kind winrm"),
        ({"original_state": "stopped"}, "found stopped"),
        ({"transport": "connection"}, "reached by connection"),
        ({"cluster": {"id": "1", "name": "sql", "node": "a"}}, "in the failover cluster sql"),
        ({"update_source": {"kind": "wsus", "url": "http://wsus", "proxy": None, "policies": []}}, "http://wsus"),
        ({"account": {"id": "222222222222", "name": "sales", "role_arn": None}}, "in the account sales (222222222222)"),
    ],
)
def test_what_only_the_hosts_that_failed_have_is_named_and_left_out(fact: dict[str, Any], words: str) -> None:
    other: dict[str, Any] = {
        "az": "eu-central-1a",
        "type": "m5.large",
        "os": "Windows Server 2022",
        "region": "eu-central-1",
        "kind": "ec2",
        "original_state": "running",
        "transport": "ssm",
        "cluster": {"id": "2", "name": "files", "node": "c"},
        "update_source": {"kind": "microsoft", "url": None, "proxy": None, "policies": []},
        "account": {"id": "111111111111", "name": "home", "role_arn": None},
    }
    theirs = {**other, **fact}
    hosts = [failed(name, Reason.AGENT_SILENT, **theirs) for name in ("a", "b")]
    sentence, command = sentences_of(*hosts, done("c", **other), host("d", **theirs), host("e", **other))
    assert words in sentence
    assert sentence.startswith("All 2 failed with the reason code agent_silent. All 2 are ")
    assert sentence.count(",") == 0
    assert sentence.endswith("This is true of none of the 1 hosts whose state is proven.")
    assert command == f"To continue without these hosts: {PATCH} -e patch_exclude=a,b,d"


def test_each_attribute_is_tested_above() -> None:
    assert len(ATTRIBUTES) == 10


def test_what_a_host_that_is_done_has_too_explains_nothing() -> None:
    hosts = [failed(name, Reason.AGENT_SILENT, az="b") for name in ("a", "b")]
    assert (
        sentences_of(*hosts, done("c", az="b"), host("d", az="a"))[0]
        == "All 2 failed with the reason code agent_silent."
    )


def test_hosts_that_the_user_left_out_stay_left_out() -> None:
    hosts = [failed(name, Reason.AGENT_SILENT, az="b") for name in ("a", "b")]
    out = host("x", Outcome.EXCLUDED, Reason.EXCLUDED_BY_USER, wave=None)
    assert sentences_of(*hosts, host("d", az="a"), out)[1].endswith("patch_exclude=x,a,b")


def test_without_the_command_the_variable_is_named() -> None:
    common = common_facts(SPENT, [failed(name, failed_updates=[BROKEN]) for name in ("a", "b")])
    assert command_to_continue(common, None) == (
        "To continue without it: start the run again as before, with -e patch_exclude_kbs=KB5046547."
    )


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("KB1", ["v=KB1"]),
        (["a", "b"], ["v=a,b"]),
        (["my host", "b"], ['{"v": "my host,b"}']),
        (["a,b"], ['{"v": ["a,b"]}']),
        ("$(id)'", ['{"v": "$(id)\'"}']),
    ],
)
def test_a_shell_and_ansible_read_a_variable_as_it_is(given: str | list[str], words: list[str]) -> None:
    assert shlex.split(extra_variable("v", given)) == words


# The command that started the run


def start(monkeypatch: pytest.MonkeyPatch, **options: Any) -> str | None:
    given = {"args": ("patchfleet.windows.patch",), "forks": 5, **options}
    monkeypatch.setattr(context, "CLIARGS", CLIArgs(given))
    return started_with()


def test_the_command_is_repeated_with_all_that_chooses_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    options = {
        "inventory": ("my hosts.yml",),
        "subset": "web",
        "forks": 20,
        "extra_vars": ("@night.yml", "patch_hosts='web db'", '{"patch_exclude": ["a b"]}'),
        "vault_password_files": ("pass",),
    }
    command = start(monkeypatch, **options)
    assert command is not None
    assert command == (
        "ansible-playbook patchfleet.windows.patch -i 'my hosts.yml' -f 20 --vault-password-file pass -l web -e @night.yml "
        + shlex.join(["-e", "patch_hosts='web db'", "-e", '{"patch_exclude": ["a b"]}'])
    )


@pytest.mark.parametrize(
    "given",
    [
        "ansible_password=hunter2",
        '{"ansible_password": "hunter2"}',
        "patch_notify=https://hooks.example/secret",
        "{not json",
        "patch_hosts='",
    ],
)
def test_a_command_with_what_may_be_a_secret_is_not_kept(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    assert start(monkeypatch, extra_vars=("patch_hosts=web", given)) is None


def test_a_job_of_awx_has_no_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWX_PRIVATE_DATA_DIR", "/runner")
    assert start(monkeypatch) is None
