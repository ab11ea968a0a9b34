# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenario files: what they become, and how those that do not fit are refused."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import planned
from lab.aws.cloudformation.template import load as load_template
from lab.aws.setup import TEMPLATE
from lab.scenario import ApiFault, Disk, Event, Scenario, ScenarioError, Step, Update, Volume, expand_names, load
from lab.scenario_checks import IN_A_POLICY, document_problems

TESTS = Path(__file__).parents[2]
SCENARIOS = TESTS / "scenarios"
NOT_YET = yaml.safe_load((SCENARIOS / "not-yet.yml").read_text(encoding="utf-8")) or {}

LEAST: dict[str, Any] = {
    "name": "One host",
    "why": "The least that is a scenario.",
    "hosts": [{"name": "a"}],
    "expect": {},
}


def loaded(folder: Path, **keys: Any) -> Scenario:
    """The scenario that the least one becomes with ``keys``."""
    path = folder / "s.yml"
    path.write_text(yaml.safe_dump({**LEAST, **keys}, sort_keys=False), encoding="utf-8")
    return load(path)


def refusal(folder: Path, **keys: Any) -> list[str]:
    """The lines with which it is refused, without the file's name at their head."""
    with pytest.raises(ScenarioError) as refused:
        loaded(folder, **keys)
    head = f"{folder / 's.yml'}: "
    lines = str(refused.value).splitlines()
    assert all(line.startswith(head) for line in lines)
    return [line.removeprefix(head) for line in lines]


# ---- the carried scenarios


@pytest.mark.parametrize("path", sorted(SCENARIOS.glob("[0-9]*.yml")), ids=lambda path: path.stem)
def test_carried_scenarios_fit(path: Path) -> None:
    """One that is listed as not yet holding may use what the lab does not carry out yet, and nothing else that is wrong."""
    problems = []
    try:
        load(path)
    except ScenarioError as refused:
        problems = [text for _key, text in refused.problems]
    assert {*problems} <= ({planned.REFUSAL} if path.name in NOT_YET else set()), problems


def test_what_the_lab_cannot_carry_out_yet_is_refused_by_its_key() -> None:
    host = dict.fromkeys(planned.HOST, "x")
    document = {
        "account": dict.fromkeys(planned.ACCOUNT, "x"),
        "defaults": host,
        "hosts": [host],
        "events": [{"do": act} for act in sorted(planned.ACTS)],
        "steps": [{"playbook": name} for name in sorted(planned.PLAYBOOKS)],
    }
    assert sorted(planned.planned_problems(document)) == sorted(
        (key, planned.REFUSAL)
        for key in [
            *(f"account.{key}" for key in planned.ACCOUNT),
            *(f"{where}.{key}" for where in ("defaults", "hosts[0]") for key in planned.HOST),
            *(f"events[{index}].do" for index in range(len(planned.ACTS))),
            *(f"steps[{index}].playbook" for index in range(len(planned.PLAYBOOKS))),
        ]
    )


def test_a_planned_key_is_refused_when_the_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planned, "PLAYBOOKS", frozenset({"history"}))
    planned_key = {"steps": [{"playbook": "history"}]}
    assert refusal(tmp_path, **planned_key) == [f"steps[0].playbook: {planned.REFUSAL}"]


# ---- what a file becomes


def test_defaults_of_everything(tmp_path: Path) -> None:
    scenario = loaded(tmp_path)
    assert (scenario.seed, scenario.scale) == (1, 60)
    assert scenario.start == datetime(2026, 11, 14, 22, tzinfo=UTC)
    assert (scenario.account.region, scenario.account.vcpu_quota, scenario.account.lag_seconds) == (
        "eu-central-1",
        1000,
        5,
    )
    assert scenario.steps == (Step(playbook="patch"),)
    (host,) = scenario.hosts
    assert (host.kind, host.state, host.region, host.type) == ("ec2", "running", "eu-central-1", "t3.large")
    assert host.tags == {"Name": "a", "PatchGroup": "Windows"}
    assert (host.boot_seconds, host.agent_seconds, host.stop_seconds, host.scan_seconds) == (90, 30, 60, 60)
    assert (host.disk, host.volume) == (Disk(size_gib=60, free_gib=30), Volume())
    assert host.unreachable_after is None


def test_a_hosts_key_replaces_that_of_defaults_whole(tmp_path: Path) -> None:
    hosts = [{"name": "a"}, {"name": "b", "disk": {"free_gib": 3}, "tags": {"Stage": "test"}}]
    scenario = loaded(tmp_path, defaults={"disk": {"size_gib": 90, "temp_gib": 4}, "state": "stopped"}, hosts=hosts)
    first, second = scenario.hosts
    assert first.disk == Disk(size_gib=90, free_gib=30, temp_gib=4)
    assert second.disk == Disk(size_gib=60, free_gib=3, temp_gib=0)
    assert second.tags == {"Name": "b", "Stage": "test"}
    assert second.state == "stopped"


def test_updates_and_faults(tmp_path: Path) -> None:
    host = {
        "name": "a",
        "updates": [{"kb": "KB5031361"}, {"kb": "KB5031362", "class": "feature", "needs": "KB5031361"}],
        "api_faults": [
            {"operation": "StartInstances", "error": "InsufficientInstanceCapacity", "times": "always"},
            {"operation": "StopInstances", "error": "InternalError", "with_host": False},
        ],
    }
    (found,) = loaded(tmp_path, hosts=[host]).hosts
    assert found.updates[0] == Update("KB5031361", "important", "security", 0.5, 120, False, None, "ok")
    assert (found.updates[1].update_class, found.updates[1].needs) == ("feature", "KB5031361")
    assert found.api_faults == (
        ApiFault("StartInstances", "InsufficientInstanceCapacity", None, True),
        ApiFault("StopInstances", "InternalError", 1, False),
    )


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("dev", ["dev"]),
        ("dev-{08..10}", ["dev-08", "dev-09", "dev-10"]),
        ("dev-{8..10}", ["dev-8", "dev-9", "dev-10"]),
        ("{1..2}-{1..2}", ["1-1", "1-2", "2-1", "2-2"]),
        ("{{ 6 * 7 }}", ["{{ 6 * 7 }}"]),
    ],
)
def test_ranges(name: str, names: list[str]) -> None:
    assert expand_names(name) == names


def test_hosts_on_prem_are_running_whatever_the_defaults_say(tmp_path: Path) -> None:
    hosts = [{"name": "b", "kind": "hybrid"}, {"name": "c", "kind": "winrm", "unreachable_after": 0}]
    scenario = loaded(tmp_path, defaults={"state": "stopped", "unreachable_after": 60}, hosts=hosts)
    assert [(host.state, host.unreachable_after) for host in scenario.hosts] == [("running", None), ("running", 0)]


def test_events(tmp_path: Path) -> None:
    events = [
        {"at_seconds": 900, "host": "my host 2", "do": "stop"},
        {"when": "my host 1 installing", "do": {"retag": {"PatchGroup": "Other"}}},
        {"when": "my host 1 booted", "host": "my host 2", "do": "start"},
        {"when": "my host 1 online", "do": "kill_controller"},
    ]
    scenario = loaded(tmp_path, hosts=[{"name": "my host {1..2}"}], events=events)
    assert scenario.events == (
        Event(900, None, None, "my host 2", "stop"),
        Event(None, "my host 1", "installing", "my host 1", "retag", {"PatchGroup": "Other"}),
        Event(None, "my host 1", "booted", "my host 2", "start"),
        Event(None, "my host 1", "online", None, "kill_controller"),
    )


def test_a_time_without_quotes_stays_text(tmp_path: Path) -> None:
    path = tmp_path / "s.yml"
    path.write_text(
        "name: n\nwhy: w\nstart: 2026-11-14T21:00:00Z\nhosts: [{name: a}]\n"
        "vars: {patch_deadline: 2026-11-14T22:35:00Z}\nexpect: {}\n",
        encoding="utf-8",
    )
    scenario = load(path)
    assert scenario.vars == {"patch_deadline": "2026-11-14T22:35:00Z"}
    assert scenario.start.hour == 21


# ---- refusals: the key, and what would be right


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ({"scale": 0}, "scale: expected a number above 0 (lab seconds in one real second), got 0"),
        ({"start": "2026-11-14"}, "start: expected text in quotes that matches ^20.*Z$"),
        (
            {"start": "2026-14-14T22:00:00Z"},
            "start: expected a time such as \"2026-11-14T22:00:00Z\", got '2026-14-14T22:00:00Z'",
        ),
        ({"account": {"region": 3}}, "account.region: expected text in quotes (AWS region), got 3"),
        (
            {"account": {"qouta": 3}},
            "account.qouta: unknown key; allowed are region, vcpu_quota, throttle, lag_seconds, buckets, target_tags",
        ),
        ({"hosts": []}, "hosts: a scenario needs at least one host"),
        ({"hosts": [{"state": "stopped"}]}, "hosts[0]: name must be given"),
        (
            {"hosts": [{"name": "a", "state": "off"}]},
            'hosts[0].state: expected one of running, stopped, stopping, pending, got "off"',
        ),
        ({"hosts": [{"name": "a-{3..1}"}]}, "hosts[0].name: the range {3..1} is empty; write the smaller number first"),
        (
            {"hosts": [{"name": "a-{x..z}"}]},
            "hosts[0].name: 'a-{x..z}' holds a range that is none; a range is written {01..05}",
        ),
        (
            {"hosts": [{"name": "a-{1..2}"}, {"name": "a-2"}]},
            "hosts[1].name: there is a host 'a-2' already; names are unique",
        ),
        (
            {"hosts": [{"name": "a", "unreachable_after": 0}]},
            "hosts[0].unreachable_after: is for winrm hosts only, and this one is ec2; leave it out",
        ),
        (
            {"hosts": [{"name": "a", "kind": "hybrid", "state": "stopped"}]},
            "hosts[0].state: a hybrid host is always running; leave state out",
        ),
        (
            {"hosts": [{"name": "a", "disk": {"size_gib": 50, "free_gib": 51}}]},
            "hosts[0].disk.free_gib: 51 GiB cannot be free on a drive of 50 GiB",
        ),
        (
            {"hosts": [{"name": "a", "updates": [{"kb": "KB503136"}, {"kb": "KB503136"}]}]},
            "hosts[0].updates[1].kb: KB503136 is there twice; each update of a host is listed once",
        ),
        (
            {"hosts": [{"name": "a", "updates": [{"kb": "KB503136", "needs": "KB503137"}]}]},
            "hosts[0].updates[0].needs: KB503137 is not another update of this host; it has KB503136",
        ),
        (
            {"hosts": [{"name": "a", "api_faults": [{"operation": "StartInstance", "error": "X"}]}]},
            "hosts[0].api_faults[0].operation: AWS has no operation 'StartInstance' (did you mean StartInstances?)",
        ),
        (
            {"hosts": [{"name": "a", "api_faults": [{"operation": "StartInstances"}]}]},
            "hosts[0].api_faults[0]: expected either error or answer",
        ),
        (
            {"defaults": {"api_faults": [{"operation": "StopInstances", "error": "X", "answer": "lost"}]}},
            "defaults.api_faults[0]: expected either error or answer",
        ),
        ({"defaults": {"name": "b"}}, "defaults.name: must not be given here"),
        (
            {"hosts": [{"name": "a", "tags": {"Name": "a\x1b[31m"}}]},
            "hosts[0].tags.Name: a control character is in it",
        ),
        (
            {"defaults": {"stat": "stopped"}},
            "defaults.stat: unknown key (did you mean state?); allowed are kind, state,",
        ),
        ({"events": [{"do": "stop"}]}, "events[0]: expected either at_seconds or when, and do"),
        (
            {"events": [{"at_seconds": 1, "do": "explode", "host": "a"}]},
            "events[0].do: expected one of terminate, stop, start,",
        ),
        ({"events": [{"at_seconds": 1, "do": "stop"}]}, "events[0]: stop needs a host; add host: NAME"),
        ({"events": [{"at_seconds": 1, "do": "stop", "host": "b"}]}, "events[0].host: there is no host 'b'"),
        ({"events": [{"when": "b booted", "do": "stop"}]}, "events[0].when: there is no host 'b'"),
        (
            {"events": [{"when": "a flying", "do": "stop"}]},
            "events[0].when: expected text in quotes that matches ^.+ (starting|booted|",
        ),
        (
            {"events": [{"at_seconds": 1, "do": "kill_controller", "host": "a"}]},
            "events[0].host: kill_controller is about the step under way; leave host out",
        ),
        (
            {"events": [{"at_seconds": 1, "do": "suspend_controller"}]},
            "events[0].seconds: suspend_controller, and no other act, takes seconds: how long it stands still",
        ),
        (
            {"hosts": [{"name": "a", "kind": "hybrid"}], "events": [{"at_seconds": 1, "do": "join_asg", "host": "a"}]},
            "events[0].do: join_asg means nothing for 'a', a hybrid host",
        ),
        ({"vars": {"Patch": 1}}, "vars: the name 'Patch' must match ^[a-z_]+$"),
        ({"steps": []}, "steps: expected a list of at least 1, got []"),
        (
            {"steps": [{"playbook": "pach"}]},
            (
                "steps[0].playbook: expected one of plan, patch, restore, report, stop, resume, roll_back, restore_points, "
                'history, evidence, got "pach"'
            ),
        ),
        ({"expect": {"rc": "two"}}, 'expect.rc: expected a whole number or "nonzero", got "two"'),
        ({"expect": {"outcomes": {"b": "patched"}}}, "expect.outcomes.b: there is no host 'b'"),
        ({"expect": {"outcomes": {"a": "ptched"}}}, "expect.outcomes.a: expected one of patched, compliant,"),
        (
            {"expect": {"outcomes": {"a": {"resaon": "x"}}}},
            "expect.outcomes.a.resaon: no such field (did you mean reason?); there are host,",
        ),
        (
            {"expect": {"state": {"*": {"boots": 1}}}},
            "expect.state.*.boots: no such field (did you mean reboots?); there are instance_id,",
        ),
        (
            {"expect": {"state": {"a": {"boots": {"at_mots": 1}}}}},
            "expect.state.a.boots.at_mots: unknown key (did you mean at_most?); allowed are at_most, at_least, any_of, has",
        ),
        (
            {"expect": {"never": {"StartInstance": "*"}}},
            "expect.never.StartInstance: AWS has no operation 'StartInstance' (did you mean StartInstances?)",
        ),
        ({"expect": {"never": {"StartInstances": ["b"]}}}, "expect.never.StartInstances: there is no host 'b'"),
        (
            {"expect": {"calls": {"StartInstances": 1}}},
            "expect.calls.StartInstances: expected SERVICE.OPERATION, as in ec2.StartInstances, got 'StartInstances'",
        ),
        (
            {"expect": {"calls": {"ec3.StartInstances": 1}}},
            "expect.calls.ec3.StartInstances: no service 'ec3' (did you mean ec2?); there are ec2,",
        ),
        (
            {"expect": {"running_at_once": {}}},
            "expect.running_at_once: an empty comparison says nothing; give at_most, at_least or any_of",
        ),
        ({"expect": {"order": ["a", ["a"]]}}, "expect.order[1]: 'a' is in element 0 already; a host begins once"),
    ],
)
def test_what_does_not_fit_is_refused(keys: dict[str, Any], line: str, tmp_path: Path) -> None:
    (only,) = refusal(tmp_path, **keys)
    assert only.startswith(line)


def test_all_that_is_wrong_is_reported_at_once(tmp_path: Path) -> None:
    assert len(refusal(tmp_path, scale=-1, seed="x", colour="red")) == 3


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("name: a\nname: b\n", "is not YAML: the key 'name' is there twice (line 2)"),
        ("a: [", "is not YAML: while parsing a flow node expected the node content"),
        ("just text", 'expected a mapping, got "just text"'),
    ],
)
def test_a_file_that_is_no_scenario(text: str, line: str, tmp_path: Path) -> None:
    path = tmp_path / "s.yml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ScenarioError) as refused:
        load(path)
    assert str(refused.value).startswith(f"{path}: {line}")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"none\.yml: cannot be read: No such file"):
        load(tmp_path / "none.yml")


@pytest.mark.parametrize("text", ['Pa"tch=Win', "Team*=a", "a=b?", "a=${b}", "a=\\", "a=b\x7f"])
def test_a_target_tag_that_breaks_the_set_up_is_refused_by_its_key(text: str) -> None:
    ((key, problem),) = document_problems(
        {"account": {"target_tags": ["A=b", text]}, "hosts": [{"name": "a"}], "expect": {}}
    )
    assert key == "account.target_tags[1]"
    assert "no quotes, backslashes, control characters" in problem


def test_a_target_tag_that_is_too_long_is_refused() -> None:
    document = {"account": {"target_tags": [f"{'k' * 129}=v"]}, "hosts": [{"name": "a"}], "expect": {}}
    assert [problem for _key, problem in document_problems(document)] == [
        "'kkkkkkkkkkkkkkkkkkkk'… has 129 characters; a tag's key has 128 at most, its value 256"
    ]


def test_a_scenario_takes_the_tags_that_the_template_takes() -> None:
    parameters = load_template(TEMPLATE.read_text(encoding="utf-8"))["Parameters"]
    characters = IN_A_POLICY.pattern.removesuffix("+")
    assert [parameters[name]["AllowedPattern"] for name in ("TagKey", "TagValue")] == [
        f"{characters}{{1,128}}",
        f"{characters}{{1,256}}",
    ]
