# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The resources of /api/v2/ that the set-up uses, with the fields that AWX 24.6 lets be written.

After what OPTIONS of each list says, and what the modules of awx.awx 24.6.1 send. What is not here is refused, unlike
in AWX itself, which overlooks a field that it does not know: a misspelt one would be lost there without a word.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Ref:
    """A field that holds the id of an object of that list, or null."""

    list: str


@dataclass(frozen=True)
class Resource:
    """A list of objects.

    Attributes:
        type: what an object calls itself.
        fields: what may be written, each a Python type, a Ref, or a tuple of choices.
        required: without which none can be made.
        unique: the fields that no two objects share.
        associations: lists below an object, each with the list whose objects it holds.
        children: lists whose objects go with it, each with the field that names it.
    """

    type: str
    fields: Mapping[str, Any]
    required: tuple[str, ...] = ("name",)
    unique: tuple[str, ...] = ("name", "organization")
    associations: Mapping[str, str] = field(default_factory=dict)
    children: Mapping[str, str] = field(default_factory=dict)


NAMED = {"name": str, "description": str}
OWNED = {**NAMED, "organization": Ref("organizations")}
NOTIFICATIONS = {f"notification_templates_{when}": "notification_templates" for when in ("started", "success", "error")}
APPROVALS = {**NOTIFICATIONS, "notification_templates_approvals": "notification_templates"}
VERBOSITY = (0, 1, 2, 3, 4, 5)
ASKED = (
    "credential diff_mode execution_environment forks instance_groups inventory job_slice_count job_type labels limit scm_branch"
    " skip_tags tags timeout variables verbosity"
)
ASKED_OF_WORKFLOWS = "inventory labels limit scm_branch skip_tags tags variables"
PROMPTS = {
    "diff_mode": bool,
    "execution_environment": Ref("execution_environments"),
    "extra_data": dict,
    "forks": int,
    "inventory": Ref("inventories"),
    "job_slice_count": int,
    "job_tags": str,
    "job_type": ("", "run", "check"),
    "limit": str,
    "scm_branch": str,
    "skip_tags": str,
    "timeout": int,
    "verbosity": VERBOSITY,
}


def ask(what: str) -> dict[str, Any]:
    """The fields by which a template asks at its launch."""
    return {f"ask_{name}_on_launch": bool for name in what.split()}


RESOURCES: dict[str, Resource] = {
    "organizations": Resource(
        "organization",
        {**NAMED, "max_hosts": int, "default_environment": Ref("execution_environments")},
        unique=("name",),
        associations={"galaxy_credentials": "credentials", "instance_groups": "instance_groups", **APPROVALS},
        children={"teams": "organization"},
    ),
    "credential_types": Resource(
        "credential_type",
        {**NAMED, "kind": str, "inputs": dict, "injectors": dict, "managed": bool},
        unique=("name",),
    ),
    "credentials": Resource(
        "credential",
        {**OWNED, "credential_type": Ref("credential_types"), "inputs": dict},
        required=("name", "credential_type"),
        unique=("name", "organization", "credential_type"),
    ),
    "execution_environments": Resource(
        "execution_environment",
        {**OWNED, "image": str, "credential": Ref("credentials"), "pull": ("", "always", "missing", "never")},
        required=("name", "image"),
        unique=("name",),
    ),
    "projects": Resource(
        "project",
        {
            **OWNED,
            "scm_type": ("", "git", "svn", "insights", "archive"),
            "scm_url": str,
            "scm_branch": str,
            "scm_refspec": str,
            "scm_clean": bool,
            "scm_delete_on_update": bool,
            "scm_track_submodules": bool,
            "scm_update_on_launch": bool,
            "scm_update_cache_timeout": int,
            "allow_override": bool,
            "credential": Ref("credentials"),
            "default_environment": Ref("execution_environments"),
            "timeout": int,
        },
        associations=NOTIFICATIONS,
    ),
    "inventories": Resource(
        "inventory",
        {**OWNED, "kind": ("", "smart", "constructed"), "host_filter": str, "variables": str},
        required=("name", "organization"),
        associations={"input_inventories": "inventories", "instance_groups": "instance_groups"},
        children={"hosts": "inventory", "groups": "inventory", "inventory_sources": "inventory"},
    ),
    "groups": Resource(
        "group",
        {**NAMED, "inventory": Ref("inventories"), "variables": str},
        required=("name", "inventory"),
        unique=("name", "inventory"),
        associations={"hosts": "hosts", "children": "groups"},
    ),
    "hosts": Resource(
        "host",
        {**NAMED, "inventory": Ref("inventories"), "enabled": bool, "variables": str},
        required=("name", "inventory"),
        unique=("name", "inventory"),
    ),
    "inventory_sources": Resource(
        "inventory_source",
        {
            **NAMED,
            "inventory": Ref("inventories"),
            "source": ("constructed", "controller", "ec2", "gce", "scm"),
            "source_vars": str,
            "credential": Ref("credentials"),
            "execution_environment": Ref("execution_environments"),
            "enabled_var": str,
            "enabled_value": str,
            "host_filter": str,
            "limit": str,
            "overwrite": bool,
            "overwrite_vars": bool,
            "timeout": int,
            "update_on_launch": bool,
            "update_cache_timeout": int,
            "verbosity": (0, 1, 2),
        },
        required=("name", "inventory", "source"),
        unique=("name", "inventory"),
        associations=NOTIFICATIONS,
    ),
    "job_templates": Resource(
        "job_template",
        {
            **OWNED,
            **ask(ASKED),
            "job_type": ("run", "check"),
            "inventory": Ref("inventories"),
            "project": Ref("projects"),
            "playbook": str,
            "execution_environment": Ref("execution_environments"),
            "forks": int,
            "limit": str,
            "verbosity": VERBOSITY,
            "extra_vars": str,
            "timeout": int,
            "use_fact_cache": bool,
            "survey_enabled": bool,
            "become_enabled": bool,
            "diff_mode": bool,
            "allow_simultaneous": bool,
            "job_slice_count": int,
        },
        required=("name", "project", "playbook"),
        associations={
            "credentials": "credentials",
            "instance_groups": "instance_groups",
            "labels": "labels",
            **NOTIFICATIONS,
        },
        children={
            "roles": "content_object",
            "schedules": "unified_job_template",
            "workflow_job_template_nodes": "unified_job_template",
        },
    ),
    "workflow_job_templates": Resource(
        "workflow_job_template",
        {
            **OWNED,
            **ask(ASKED_OF_WORKFLOWS),
            "inventory": Ref("inventories"),
            "limit": str,
            "extra_vars": str,
            "survey_enabled": bool,
            "allow_simultaneous": bool,
        },
        associations={"labels": "labels", **APPROVALS},
        children={
            "roles": "content_object",
            "schedules": "unified_job_template",
            "workflow_job_template_nodes": "workflow_job_template",
        },
    ),
    "workflow_approval_templates": Resource(
        "workflow_approval_template", {**NAMED, "timeout": int}, unique=("name", "workflow_job_template_node")
    ),
    "workflow_job_template_nodes": Resource(
        "workflow_job_template_node",
        {
            **PROMPTS,
            "identifier": str,
            "all_parents_must_converge": bool,
            "workflow_job_template": Ref("workflow_job_templates"),
            "unified_job_template": Ref("unified_job_templates"),
        },
        required=("workflow_job_template",),
        unique=("identifier", "workflow_job_template"),
        associations={
            f"{outcome}_nodes": "workflow_job_template_nodes" for outcome in ("always", "failure", "success")
        },
    ),
    "schedules": Resource(
        "schedule",
        {
            **NAMED,
            **PROMPTS,
            "enabled": bool,
            "rrule": str,
            "unified_job_template": Ref("unified_job_templates"),
        },
        required=("name", "rrule", "unified_job_template"),
        unique=("name", "unified_job_template"),
    ),
    "notification_templates": Resource(
        "notification_template",
        {
            **OWNED,
            "notification_type": ("email", "slack", "webhook"),
            "notification_configuration": dict,
            "messages": dict,
        },
        required=("name", "organization", "notification_type"),
    ),
    "teams": Resource("team", OWNED, required=("name", "organization")),
    "roles": Resource(
        "role",
        {"name": str, "content_object": Ref("unified_job_templates")},
        unique=("name", "content_object"),
        associations={"teams": "teams"},
    ),
    "labels": Resource("label", OWNED),
    "instance_groups": Resource("instance_group", {"name": str}, unique=("name",)),
}
UNIFIED = ("job_templates", "workflow_job_templates", "projects", "inventory_sources", "workflow_approval_templates")
"""The lists whose objects /unified_job_templates/ shows, too."""
SURVEYED = ("job_templates", "workflow_job_templates")
ROLES = {
    "job_templates": ("admin_role", "execute_role", "read_role"),
    "workflow_job_templates": ("admin_role", "approval_role", "execute_role", "read_role"),
}
"""What users and teams may be given of an object."""
