# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A scenario of the lab: its data classes and how a file becomes one.

Whatever does not fit is refused by :func:`load` with the file, the key and what would be right: first against the
schema (``schema.py``), then what a schema cannot express (``scenario_checks.py``).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from lab.names import ALARM_ACTS, CONTROLLER_ACTS, expand_names, parse_time, split_when
from lab.planned import planned_problems
from lab.scenario_checks import document_problems
from lab.schema import Problem, schema_problems
from lab.windows_spec import WindowsSpec, windows_spec

__all__ = [
    "Account",
    "ApiFault",
    "CommandFault",
    "Disk",
    "Event",
    "HostSpec",
    "Member",
    "PatchLag",
    "Scenario",
    "ScenarioError",
    "Step",
    "Update",
    "Volume",
    "expand_names",
    "load",
]


class ScenarioError(Exception):
    """A scenario that does not fit the contract; ``str()`` has one line a problem: file, key, what would be right."""

    def __init__(self, path: Path, problems: list[Problem]) -> None:
        self.path = path
        self.problems = problems
        super().__init__("\n".join(f"{path}: {key}: {text}" if key else f"{path}: {text}" for key, text in problems))


APPROVED_SEVERITIES = ("critical", "important")
"""Of the default patch baseline."""


@dataclass(frozen=True)
class Member:
    """A further account, whose role the first account's controller may assume unless ``assume`` is ``denied``.

    ``baseline`` are the severities of security updates that its patch baseline approves.
    """

    name: str
    id: str
    region: str = "eu-central-1"
    vcpu_quota: int = 1000
    assume: str = "ok"
    external_id: str = ""
    baseline: tuple[str, ...] = APPROVED_SEVERITIES


@dataclass(frozen=True)
class Account:
    """The AWS account: quota in vCPUs, ``throttle`` as a share of calls, ``deny`` as IAM actions."""

    region: str = "eu-central-1"
    vcpu_quota: int = 1000
    throttle: float = 0.0
    lag_seconds: float = 5
    buckets: bool = False
    deny: tuple[str, ...] = ()
    controller_clock_seconds: float = 0
    stale_reads: float = 0
    target_tags: tuple[tuple[str, str], ...] = (("PatchGroup", "Windows"),)
    partition: str = "aws"
    scp: tuple[str, ...] = ()  # each a statement, as JSON
    accounts: tuple[Member, ...] = ()
    alarms: dict[str, str] = field(default_factory=dict)  # CloudWatch's, and their states
    composite_alarms: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Update:
    """One Windows update that a host is offered."""

    kb: str
    severity: str = "important"
    update_class: str = "security"
    gib: float = 0.5
    seconds: float = 120
    reboot: bool = False
    needs: str | None = None
    result: str = "ok"
    hidden: bool = False
    supersedes: str | None = None


@dataclass(frozen=True)
class Disk:
    """The system drive C: and what lies around it, in GiB."""

    size_gib: float = 60
    free_gib: float = 30
    temp_gib: float = 0
    component_store_gib: float = 0
    recovery_partition: bool = False
    style: str = "gpt"
    slack_gib: float = 0
    data_volumes: tuple[float, ...] = ()


@dataclass(frozen=True)
class Volume:
    """The root EBS volume and what a modification of it leads to."""

    type: str = "gp3"
    modifications_24h: int = 0
    result: str = "ok"
    modifying_seconds: float = 20
    optimizing_seconds: float = 1800
    tagged: bool = True


@dataclass(frozen=True)
class ApiFault:
    """Calls of ``operation`` that fail with ``error``, or whose ``answer`` is lost; ``times`` None means always.

    ``document`` binds one to the SendCommands of that document.
    """

    operation: str
    error: str | None = None
    times: int | None = 1
    with_host: bool = True
    document: str | None = None
    answer: str | None = None


@dataclass(frozen=True)
class CommandFault:
    """Commands of ``document`` that Run Command ends with ``status``; ``times`` None means always."""

    document: str
    status: str
    times: int | None = 1


@dataclass(frozen=True)
class PatchLag:
    """Seconds after the end of an operation until Patch Manager shows its result, by what shows it."""

    states: float = 0
    patches: float = 0
    items: float = 0


@dataclass(frozen=True)
class HostSpec:
    """One host as the scenario wants it at the start, defaults merged in."""

    name: str
    account: str | None = None  # the name of a further account
    approved_severities: tuple[str, ...] = APPROVED_SEVERITIES  # by the patch baseline of its account
    kind: str = "ec2"
    state: str = "running"
    region: str = "eu-central-1"
    type: str = "t3.large"
    az: str = "a"
    tags: dict[str, str] = field(default_factory=lambda: {"PatchGroup": "Windows"})
    groups: tuple[str, ...] = ()
    platform: str = "windows"
    asg: bool = False
    public_address: bool = False
    spot: bool = False
    stop_protected: bool = False
    hibernated: bool = False
    instance_store: bool = False
    managed_by_service: bool = False
    boot_seconds: float = 90
    agent_seconds: float = 30
    stop_seconds: float = 60
    agent: str = "ok"
    kms: str = "none"
    boots: str = "ok"
    pending_reboot: bool = False
    updates: tuple[Update, ...] = ()
    disk: Disk = Disk()
    volume: Volume = Volume()
    windows_update: str = "ok"
    scan_seconds: float = 60
    patch_lag: PatchLag = PatchLag()
    clock_skew_seconds: float = 0
    api_faults: tuple[ApiFault, ...] = ()
    command_faults: tuple[CommandFault, ...] = ()
    sessions: int = 0
    unreachable_after: float | None = None
    windows: WindowsSpec = field(default_factory=WindowsSpec)
    answers: str | None = None
    listens: tuple[int, ...] = ()
    breaks: tuple[str, ...] = ()
    cluster: str | None = None
    cluster_roles: int = 0


@dataclass(frozen=True)
class Event:
    """What others do, once: at ``at_seconds``, or ``after_seconds`` after ``when_host`` has reached ``when_state``."""

    at_seconds: float | None
    when_host: str | None
    when_state: str | None
    host: str | None
    do: str
    retag: dict[str, str] | None = None
    after_seconds: float = 0
    seconds: float = 0  # how long the controller stands still
    alarm: str | None = None


@dataclass(frozen=True)
class Step:
    """One playbook run; ``rc`` is a number, ``nonzero`` or None (not checked)."""

    playbook: str = "patch"
    vars: dict[str, Any] = field(default_factory=dict)
    limit: str | None = None
    inventory: bool = True
    background: bool = False
    check: bool = False
    rc: int | str | None = None
    after_seconds: float = 0
    seconds: float = 0  # how long the controller stands still


@dataclass(frozen=True)
class Scenario:
    """A scenario file, complete; ``expect`` is as written (the judge reads it)."""

    path: Path
    name: str
    why: str
    seed: int
    scale: float
    start: datetime
    account: Account
    hosts: tuple[HostSpec, ...]
    events: tuple[Event, ...]
    vars: dict[str, Any]
    steps: tuple[Step, ...]
    expect: dict[str, Any]
    defaults: dict[str, Any] = field(default_factory=dict)  # as written, for instances that are launched later


class _Loader(yaml.SafeLoader):
    """YAML as the contract means it: a time is a string, a key that comes twice is an error."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    loader.flatten_mapping(node)
    result: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if key in result:
            line = key_node.start_mark.line + 1
            raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} is there twice (line {line})")
        result[key] = loader.construct_object(value_node, deep=True)
    return result


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def load(path: Path) -> Scenario:
    """Read the scenario file ``path``; ScenarioError when it does not fit the contract."""
    document = _read(path)
    problems = schema_problems(document) or planned_problems(document) or document_problems(document)
    if problems:
        raise ScenarioError(path, problems)
    account = _account(document.get("account", {}))
    return Scenario(
        path=path,
        name=document["name"],
        why=document["why"],
        seed=document.get("seed", 1),
        scale=document.get("scale", 60),
        start=parse_time(document.get("start", "2026-11-14T22:00:00Z")),
        account=account,
        hosts=tuple(_hosts(document, account)),
        events=tuple(event for entry in document.get("events", ()) for event in _events(entry)),
        vars=document.get("vars", {}),
        steps=tuple(Step(**entry) for entry in document.get("steps", ({},))),
        expect=document["expect"],
        defaults=document.get("defaults", {}),
    )


def _read(path: Path) -> Any:
    try:
        text = path.read_text(encoding="utf-8")
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader with fewer types
    except OSError as error:
        raise ScenarioError(path, [("", f"cannot be read: {error.strerror}")]) from error
    except UnicodeDecodeError as error:
        raise ScenarioError(path, [("", "is not UTF-8 text")]) from error
    except yaml.YAMLError as error:
        raise ScenarioError(path, [("", f"is not YAML: {' '.join(str(error).split())}")]) from error


def _account(keys: dict[str, Any]) -> Account:
    values = {
        **keys,
        "deny": tuple(keys.get("deny", ())),
        "scp": tuple(json.dumps(statement) for statement in keys.get("scp", ())),
    }
    if "target_tags" in keys:
        values["target_tags"] = tuple(tuple(text.split("=", 1)) for text in keys["target_tags"])
    values["accounts"] = tuple(
        Member(**{"region": values.get("region", Account.region), **it}) for it in keys.get("accounts", ())
    )
    return Account(**values)


def _hosts(document: dict[str, Any], account: Account) -> list[HostSpec]:
    regions: dict[str | None, str] = {
        None: account.region,
        **{member.name: member.region for member in account.accounts},
    }
    baselines = {member.name: tuple(member.baseline) for member in account.accounts}
    merged = [
        {**document.get("defaults", {}), **entry} for entry in document["hosts"]
    ]  # a key replaces the default whole
    return [
        replace(
            _host(name, {"region": regions[keys.get("account")], **keys}),
            approved_severities=baselines.get(keys.get("account", ""), APPROVED_SEVERITIES),
        )
        for keys in merged
        for name in expand_names(keys["name"])
    ]


def _host(name: str, keys: dict[str, Any]) -> HostSpec:
    kind = keys.get("kind", "ec2")
    values = {**keys, "name": name, "tags": {"Name": name, **keys.get("tags", {"PatchGroup": "Windows"})}}
    values |= {key: tuple(keys.get(key, ())) for key in ("groups", "listens", "breaks")}
    values["updates"] = tuple(_update(update) for update in keys.get("updates", ()))
    values["api_faults"] = tuple(ApiFault(**_times(fault)) for fault in keys.get("api_faults", ()))
    values["command_faults"] = tuple(CommandFault(**_times(fault)) for fault in keys.get("command_faults", ()))
    values["disk"] = _disk(keys.get("disk", {}))
    values["volume"] = Volume(**keys.get("volume", {}))
    values["patch_lag"] = PatchLag(**keys.get("patch_lag", {}))
    values["windows"] = windows_spec(keys.get("windows", {}))
    if kind != "ec2":
        values["state"] = "running"
    if kind != "winrm":
        values["unreachable_after"] = None
    return HostSpec(**values)


def launched(scenario: Scenario, name: str, usual: dict[str, Any], keys: dict[str, Any]) -> HostSpec:
    """A host that did not exist when the scenario began: ``keys`` come first, then the scenario's defaults, then what is usual."""
    return _host(name, {**usual, **scenario.defaults, "state": "pending", **keys})


def _update(keys: dict[str, Any]) -> Update:
    return Update(**{"update_class" if key == "class" else key: value for key, value in keys.items()})


def _disk(keys: dict[str, Any]) -> Disk:
    """A size without a free_gib: the usual 30 GiB are free, or half of a small drive."""
    size = keys.get("size_gib", Disk.size_gib)
    free = keys.get("free_gib", min(Disk.free_gib, size / 2))
    return Disk(**{**keys, "size_gib": size, "free_gib": free, "data_volumes": tuple(keys.get("data_volumes", ()))})


def _times(keys: dict[str, Any]) -> dict[str, Any]:
    """``times`` as the data classes have it: None for ``always``."""
    return {**keys, "times": None if keys.get("times") == "always" else keys.get("times", 1)}


def _events(entry: dict[str, Any]) -> list[Event]:
    """One event a host: a range in ``when`` or ``host`` makes that many."""
    act = entry["do"]
    retag = act["retag"] if isinstance(act, dict) else None
    do = "retag" if isinstance(act, dict) else act
    when_host, when_state = split_when(entry["when"]) if "when" in entry else (None, None)
    return [
        Event(
            entry.get("at_seconds"),
            watched,
            when_state,
            host,
            do,
            retag,
            entry.get("after_seconds", 0),
            entry.get("seconds", 0),
            entry.get("alarm"),
        )
        for watched in (expand_names(when_host) if when_host else [None])
        for host in (
            expand_names(entry["host"])
            if "host" in entry
            else [None if do in (*CONTROLLER_ACTS, *ALARM_ACTS) else watched]
        )
    ]
