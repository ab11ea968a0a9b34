# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the schema of a scenario cannot express: names that must exist or be unique, keys that exclude each other."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from lab.aws.arns import ACCOUNT_ID
from lab.fields import REPORT_FIELDS, TRUTH_FIELDS
from lab.names import ALARM_ACTS, CONTROLLER_ACTS, RANGE, expand_names, parse_time, split_when
from lab.operations import SERVICES, operations
from lab.schema import Problem, key_path, nearest

IN_A_POLICY = re.compile(r'[^"\\$*?{}\x00-\x1f\x7f-\x9f]+')
"""What the set-up takes as key and value of a tag. Rights hold by it, so it stands in the text of policies."""
# Characters that XML 1.0 does not have.
NO_XML = re.compile("[^\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\U00010000-\U0010ffff]")

# Acts on the power state, the tags' groups or the life of an EC2 instance.
EC2_ACTS = ("join_asg",)
SSM_ACTS = ("agent_dies", "agent_returns", "untag", "retag")


def document_problems(document: dict[str, Any]) -> list[Problem]:
    """Everything in a document that fits the schema and yet is no scenario, in the order of its keys."""
    kinds: dict[str, str] = {}
    return [
        *_start_problems(document),
        *_target_tag_problems(document),
        *_account_problems(document),
        *_host_problems(document, kinds),
        *_event_problems(document.get("events", []), kinds),
        *_alarm_problems(document),
        *_expect_problems(document["expect"], set(kinds)),
    ]


def _start_problems(document: dict[str, Any]) -> Iterator[Problem]:
    if "start" in document and not _is_time(document["start"]):
        yield "start", f'expected a time such as "2026-11-14T22:00:00Z", got {document["start"]!r}'


def _target_tag_problems(document: dict[str, Any]) -> Iterator[Problem]:
    """The set-up is made for each of them, and would fail half-way."""
    for index, text in enumerate(document.get("account", {}).get("target_tags", [])):
        key, value = text.split("=", 1)
        where = f"account.target_tags[{index}]"
        for part, most in ((key, 128), (value, 256)):
            if not IN_A_POLICY.fullmatch(part):
                yield (
                    where,
                    f"{part!r}: the set-up takes no quotes, backslashes, control characters or any of $ * ? {{ }}",
                )
            elif len(part) > most:
                yield where, f"{part[:20]!r}… has {len(part)} characters; a tag's key has 128 at most, its value 256"


def _account_problems(document: dict[str, Any]) -> Iterator[Problem]:
    """Names and ids of further accounts are unique, and hosts live in one that is there."""
    members = document.get("account", {}).get("accounts", [])
    for index, member in enumerate(members):
        key = f"account.accounts[{index}]"
        if member["name"] in [it["name"] for it in members[:index]]:
            yield f"{key}.name", f"there is an account {member['name']!r} already; names are unique"
        if member["id"] in [ACCOUNT_ID, *(it["id"] for it in members[:index])]:
            yield f"{key}.id", f"there is an account {member['id']} already; the first one is {ACCOUNT_ID}"
    names = [member["name"] for member in members]
    defaults = document.get("defaults", {})
    for index, host in enumerate(document["hosts"]):
        name = host.get("account", defaults.get("account"))
        if name is not None and name not in names:
            yield f"hosts[{index}].account", f"there is no account {name!r}{nearest(name, names)}"
        elif name is not None and host.get("kind", defaults.get("kind")) == "winrm":
            yield f"hosts[{index}].account", "a winrm host lives in no account; leave account out"


def _is_time(text: str) -> bool:
    try:
        return isinstance(parse_time(text), datetime)
    except ValueError:
        return False


def _range_problems(key: str, name: str) -> Iterator[Problem]:
    for match in RANGE.finditer(name):
        if int(match[1]) > int(match[2]):
            yield key, f"the range {match[0]} is empty; write the smaller number first"
    if re.search(r"\{[^}]*\.\.[^}]*\}", RANGE.sub("", name)):
        yield key, f"{name!r} holds a range that is none; a range is written {{01..05}}"


# ---- hosts


def _host_problems(document: dict[str, Any], kinds: dict[str, str]) -> Iterator[Problem]:
    """Problems of defaults and hosts; fills ``kinds`` with the kind of each host."""
    defaults = document.get("defaults", {})
    yield from _common_host_problems("defaults", defaults)
    if not document["hosts"]:
        yield "hosts", "a scenario needs at least one host"
    for index, entry in enumerate(document["hosts"]):
        key = f"hosts[{index}]"
        kind = entry.get("kind", defaults.get("kind", "ec2"))
        yield from _range_problems(f"{key}.name", entry["name"])
        if not entry["name"].strip():
            yield f"{key}.name", "a host needs a name"
        for name in expand_names(entry["name"]):
            if name in kinds:
                yield f"{key}.name", f"there is a host {name!r} already; names are unique"
            kinds[name] = kind
        yield from _common_host_problems(key, entry)
        yield from _kind_problems(key, entry, kind)


def _kind_problems(key: str, entry: dict[str, Any], kind: str) -> Iterator[Problem]:
    if kind != "ec2" and entry.get("state", "running") != "running":
        yield f"{key}.state", f"a {kind} host is always running; leave state out"
    if kind != "winrm" and entry.get("unreachable_after") is not None:
        yield f"{key}.unreachable_after", f"is for winrm hosts only, and this one is {kind}; leave it out"


def _common_host_problems(key: str, entry: dict[str, Any]) -> Iterator[Problem]:
    disk = entry.get("disk", {})
    if disk.get("free_gib", 0) > disk.get("size_gib", 60):
        yield (
            f"{key}.disk.free_gib",
            f"{disk['free_gib']} GiB cannot be free on a drive of {disk.get('size_gib', 60)} GiB",
        )
    for tag, value in entry.get("tags", {}).items():
        if NO_XML.search(f"{tag}{value}"):
            yield f"{key}.tags.{tag}", "a control character is in it; EC2 answers in XML, which has none"
    updates = entry.get("updates", [])
    known = [update["kb"] for update in updates]
    for index, update in enumerate(updates):
        where = f"{key}.updates[{index}]"
        if update["kb"] in known[:index]:
            yield f"{where}.kb", f"{update['kb']} is there twice; each update of a host is listed once"
        needs = update.get("needs")
        if needs is not None and (needs == update["kb"] or needs not in known):
            yield f"{where}.needs", f"{needs} is not another update of this host; it has {', '.join(known)}"
    for index, fault in enumerate(entry.get("api_faults", [])):
        yield from _operation_problems(f"{key}.api_faults[{index}].operation", fault["operation"])


# ---- events


def _event_problems(events: list[dict[str, Any]], kinds: dict[str, str]) -> Iterator[Problem]:
    for index, event in enumerate(events):
        key = f"events[{index}]"
        act = "retag" if isinstance(event["do"], dict) else event["do"]
        watched = split_when(event["when"])[0] if "when" in event else None
        if watched is not None:
            yield from _unknown_hosts(f"{key}.when", [watched], kinds)
        if act in CONTROLLER_ACTS:
            yield from _controller_act_problems(key, act, event)
        if act in (*CONTROLLER_ACTS, *ALARM_ACTS):
            continue
        host = event.get("host", watched)
        if host is None:
            yield key, f"{act} needs a host; add host: NAME"
            continue
        if "host" in event:
            yield from _unknown_hosts(f"{key}.host", [host], kinds)
        for name in expand_names(host):
            kind = kinds.get(name, "ec2")
            if (act in EC2_ACTS and kind != "ec2") or (act in SSM_ACTS and kind == "winrm"):
                yield f"{key}.do", f"{act} means nothing for {name!r}, a {kind} host"


def _controller_act_problems(key: str, act: str, event: dict[str, Any]) -> Iterator[Problem]:
    if "host" in event:
        yield f"{key}.host", f"{act} is about the step under way; leave host out"
    if (act == "suspend_controller") != ("seconds" in event):
        yield f"{key}.seconds", "suspend_controller, and no other act, takes seconds: how long it stands still"


def _alarm_problems(document: dict[str, Any]) -> Iterator[Problem]:
    """Acts on alarms name one that the account has, and no host; no other act names an alarm."""
    account = document.get("account", {})
    known = [*account.get("alarms", {}), *account.get("composite_alarms", {})]
    for index, event in enumerate(document.get("events", [])):
        key, alarm = f"events[{index}]", event.get("alarm")
        if event["do"] not in list(ALARM_ACTS):
            if alarm is not None:
                yield f"{key}.alarm", f"is for {' and '.join(ALARM_ACTS)} alone; leave it out"
        elif alarm is None:
            yield key, f"{event['do']} needs an alarm; add alarm: NAME"
        elif alarm not in known:
            yield f"{key}.alarm", f"account.alarms has no {alarm!r}{nearest(alarm, known)}"
        elif "host" in event:
            yield f"{key}.host", f"{event['do']} is about an alarm; leave host out"


def _unknown_hosts(key: str, patterns: Iterable[str], known: Iterable[str], star: bool = False) -> Iterator[Problem]:
    for pattern in patterns:
        if star and pattern == "*":
            continue
        yield from _range_problems(key, pattern)
        for name in expand_names(pattern):
            if name not in known:
                yield key, f"there is no host {name!r}{nearest(name, known)}"


# ---- expectations


def _expect_problems(expect: dict[str, Any], hosts: set[str]) -> Iterator[Problem]:
    for section, fields in (("outcomes", REPORT_FIELDS), ("state", TRUTH_FIELDS)):
        for pattern, wanted in expect.get(section, {}).items():
            key = key_path(["expect", section, pattern])
            yield from _unknown_hosts(key, [pattern], hosts, star=True)
            for name, value in wanted.items() if isinstance(wanted, dict) else ():
                if name not in fields:
                    yield f"{key}.{name}", f"no such field{nearest(name, fields)}; there are {', '.join(fields)}"
                yield from _comparison_problems(f"{key}.{name}", value)
    for operation, patterns in expect.get("never", {}).items():
        key = key_path(["expect", "never", operation])
        yield from _operation_problems(key, operation)
        yield from _unknown_hosts(key, patterns, hosts, star=True)
    for operation, value in expect.get("calls", {}).items():
        key = f"expect.calls.{operation}"
        if "." not in operation:
            yield key, f"expected SERVICE.OPERATION, as in ec2.StartInstances, got {operation!r}"
        else:
            yield from _operation_problems(key, operation)
        yield from _comparison_problems(key, value)
    yield from _comparison_problems("expect.running_at_once", expect.get("running_at_once"))
    yield from _order_problems(expect.get("order", []), hosts)


def _comparison_problems(key: str, value: Any) -> Iterator[Problem]:
    if value == {}:
        yield key, "an empty comparison says nothing; give at_most, at_least or any_of"


def _order_problems(order: list[Any], hosts: set[str]) -> Iterator[Problem]:
    elements: dict[str, int] = {}
    for index, element in enumerate(order):
        patterns = [element] if isinstance(element, str) else element
        key = f"expect.order[{index}]"
        yield from _unknown_hosts(key, patterns, hosts)
        for name in (name for pattern in patterns for name in expand_names(pattern)):
            if name in elements:
                yield key, f"{name!r} is in element {elements[name]} already; a host begins once"
            elements[name] = index


def _operation_problems(key: str, operation: str) -> Iterator[Problem]:
    """``StartInstances`` or ``ec2.StartInstances``: a misspelt one would hold, or never fail, for no reason."""
    service, _, name = operation.rpartition(".")
    if service and service not in SERVICES:
        yield key, f"no service {service!r}{nearest(service, SERVICES)}; there are {', '.join(SERVICES)}"
        return
    known = operations(service) if service else {each for some in SERVICES for each in operations(some)}
    if name not in known:
        yield key, f"AWS has no operation {name!r}{nearest(name, known)}"
