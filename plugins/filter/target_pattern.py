# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: target_pattern
short_description: The hosts pattern of a run's plays
version_added: 1.0.0
author: Patch Fleet contributors
description:
  - Gives the pattern for the C(hosts) of a play, or ends the run with a clear error where the play would have no hosts.
  - ansible-core skips a play without hosts and ends green; a run that was asked for hosts must not.
options:
  _input:
    description: The inventory pattern that the user gave, or an empty string.
    type: str
    required: true
  groups:
    description: Ansible's C(groups).
    type: dict
    required: true
  added:
    description: The group that an earlier play of the run may have added.
    type: str
    required: true
  limit:
    description: Ansible's C(ansible_limit), if there is one.
    type: str
  hostvars:
    description: Ansible's C(hostvars), so that hosts can be named by their tag C(Name), too.
    type: dict
"""

EXAMPLES = r"""
- name: Plan
  hosts: "{{ patch_hosts | default('') | patchfleet.windows.target_pattern(groups, 'patchfleet_discovered') }}"
"""

RETURN = r"""
_value:
  description: A hosts pattern.
  type: str
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible.inventory.manager import split_host_pattern

from ansible_collections.patchfleet.windows.plugins.module_utils._base.text import join_sentences
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.names import hint
from ansible_collections.patchfleet.windows.plugins.plugin_utils._invocation import (
    name_of_limit,
    prints_only,
    refuse_partial_playbook,
)

PLAIN = re.compile(r"[!&]?[A-Za-z0-9_][\w.-]*")
"""A part of a pattern that names one host or group; a wildcard, range or regular expression may match nothing."""
CONTROLLER = frozenset({"localhost", "127.0.0.1", "::1"})


def target_pattern(
    given: str | None,
    groups: Mapping[str, Any],
    added: str,
    limit: str = "",
    hostvars: Mapping[str, Mapping[str, Any]] | None = None,
) -> str:
    """The user's pattern, the group that was added, or both. A host may also be named by its tag Name.

    Raises:
        AnsibleFilterError: there is neither, a word of the pattern names no host and no group, or a host and another group, or
            tags leave out tasks.
    """
    refuse_partial_playbook()
    pattern = _with_names(str(given or "").strip(), groups, hostvars or {})
    parts = [part for part in (pattern, added if groups.get(added) else "") if part]
    if parts:
        return ",".join(parts)
    if prints_only():
        return added
    if limit:
        raise AnsibleFilterError(
            f"No host to work on. {name_of_limit(limit)} skips the discovery by tag. Give the targets as an inventory pattern with "
            "patch_hosts (e.g. from the amazon.aws.aws_ec2 inventory plugin), or leave hosts out with patch_exclude. "
            "Nothing was touched."
        )
    raise AnsibleFilterError(
        "No host to work on: neither the tag nor patch_hosts selects one in this inventory. Nothing was touched."
    )


def _with_names(pattern: str, groups: Mapping[str, Any], hostvars: Mapping[str, Mapping[str, Any]]) -> str:
    """The pattern, with hosts that it names by their tag Name under their names in the inventory."""
    hosts = list(groups.get("all", ()))
    parts = split_host_pattern(pattern) if pattern else []
    unknown = [p for p in parts if PLAIN.fullmatch(p) and p.lstrip("!&") not in {*hosts, *groups, *CONTROLLER}]
    if not prints_only():
        _refuse_ambiguous(parts, hosts, groups)
    if not unknown or prints_only():
        return pattern
    named = _hosts_by_name_tag(hosts, hostvars)
    missing = [part.lstrip("!&") for part in unknown if part.lstrip("!&") not in named]
    if missing:
        message = join_sentences(
            f"No host to work on: patch_hosts names {', '.join(missing)}, which is no host, no group and no tag Name in this "
            "inventory.",
            hint(missing[0], {*hosts, *groups, *named}),
            f"Write {missing[0]}* where it may be missing. Nothing was touched.",
        )
        raise AnsibleFilterError(message)
    return ",".join(_under_its_names(part, named) if part in unknown else part for part in parts)


def _refuse_ambiguous(parts: Iterable[str], hosts: Iterable[str], groups: Mapping[str, Any]) -> None:
    """Ansible takes a host of that name alone, and leaves out the group with a warning at most (InventoryManager)."""
    known = set(hosts)
    for name in (part.lstrip("!&") for part in parts):
        if name in known and name in groups and set(groups[name]) != {name}:
            raise AnsibleFilterError(
                f"patch_hosts names {name}, which is a host and a group in this inventory. Write {name}[0:] for the hosts of "
                f"the group, or {name}* for names that begin so. Rename one of the two to name the host alone. Nothing was touched."
            )


def _under_its_names(part: str, named: Mapping[str, list[str]]) -> str:
    operator, hosts = part[0] if part[0] in "!&" else "", named[part.lstrip("!&")]
    return operator + (hosts[0] if len(hosts) == 1 else f"~(?:{'|'.join(map(re.escape, hosts))})$")


def _hosts_by_name_tag(hosts: Iterable[str], hostvars: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """Hosts by their tag Name, as the aws_ec2 inventory plugin gives it."""
    named: dict[str, list[str]] = {}
    for host in hosts:
        tags = hostvars[host].get("tags") if host in hostvars else None
        if isinstance(tags, Mapping) and tags.get("Name"):
            named.setdefault(str(tags["Name"]), []).append(host)
    return named


class FilterModule:
    """The collection's filters for plays."""

    def filters(self) -> dict[str, Callable[..., str]]:
        return {"target_pattern": target_pattern}
