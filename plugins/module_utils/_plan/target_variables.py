# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables that select the hosts of a run; they count for the whole run. After a change, run ``make generate``."""

from __future__ import annotations

from .variable import Variable

TARGET_VARIABLES = (
    Variable(
        "patch_hosts",
        "str",
        "hosts",
        description=(
            "Targets from the inventory: a pattern of hosts, groups and tags C(Name). Only an extra variable (C(-e)) counts."
        ),
        unset="the targets are found by their tag",
        first=True,
    ),
    Variable(
        "patch_tag_key",
        "str",
        "hosts",
        description="Key of the tag that selects targets.",
        default="PatchGroup",
        default_unless="patch_hosts",
        roles=("discover",),
    ),
    Variable(
        "patch_tag_value",
        "str",
        "hosts",
        description="Exact value of the tag that selects targets. C(*) and C(?) are refused.",
        default="Windows",
        default_unless="patch_hosts",
        roles=("discover",),
        first=True,
    ),
    Variable(
        "patch_filters",
        "dict",
        "hosts",
        description=(
            "More filters of EC2's DescribeInstances for targets that are found by tag: name to list of values."
        ),
        default={},
        roles=("discover",),
    ),
    Variable(
        "patch_regions",
        "list",
        "hosts",
        description="The AWS regions that are searched. Without any, the region of the credentials.",
        default=[],
        roles=("discover",),
        first=True,
    ),
    Variable(
        "patch_other_regions",
        "bool",
        "hosts",
        description=(
            "Whether C(plan) names Windows instances in the other regions that are enabled in the accounts of the hosts, with the "
            "tag or without it."
        ),
        details="It reads them only, all regions at once. A region that gives no answer is named as not asked. A run does not ask.",
        default=True,
        roles=("discover",),
    ),
    Variable(
        "patch_accounts",
        "accounts",
        "hosts",
        description=(
            "More AWS accounts with hosts, beside that of the credentials: C(name), C(role_arn) of the role to assume, and where "
            "needed C(external_id), C(regions) and C(maintenance_window)."
        ),
        details=(
            "Without C(regions) an account is searched in C(patch_regions), and without a window of its own, "
            "C(patch_maintenance_window) holds for it. A host of the inventory names its account by "
            "C(patch_account) (name or id) or C(owner_id)."
        ),
        default=[],
        roles=("discover",),
    ),
    Variable(
        "patch_organization",
        "organization",
        "hosts",
        description=(
            "The accounts of AWS Organizations: C(role_name) of the role to assume in each, C(units) (ids of organizational units "
            "or of the root), and where needed C(regions) and C(exclude) (ids or names of accounts)."
        ),
        details=(
            "Accounts of units below them are included, accounts that are not active are left out. The credentials must be of the "
            "management account or of a delegated administrator."
        ),
        unset="accounts are those of C(patch_accounts)",
        roles=("discover",),
    ),
    Variable(
        "patch_stack_set",
        "stack_set",
        "hosts",
        description=(
            "The organization that C(setup_aws) sets up with a CloudFormation stack set: C(units) (ids of organizational units "
            "or of the root), C(regions), and where needed C(parameters) of the template, C(auto_deployment) and C(role_name)."
        ),
        details="Only C(setup_aws) and C(teardown_aws) read it. A run finds the accounts by C(patch_organization).",
        unset="only the account of the credentials is set up",
    ),
    Variable(
        "patch_missing_accounts_ok",
        "bool",
        "hosts",
        description=(
            "Go on without accounts of C(patch_accounts) whose role cannot be assumed. Such a run patches the other hosts and "
            "fails at its end."
        ),
        default=False,
        roles=("discover",),
    ),
    Variable(
        "patch_exclude",
        "list",
        "hosts",
        description="Targets to leave out: names, ids, or C(key=value) of a tag. A word that matches no host is refused.",
        default=[],
        roles=("discover",),
        first=True,
    ),
    Variable(
        "patch_exclude_missing_ok",
        "bool",
        "hosts",
        description="Accept words in C(patch_exclude) that match no host.",
        default=False,
        roles=("discover",),
    ),
    Variable(
        "patch_keep_tag",
        "str",
        "hosts",
        description="Hosts with this tag, whatever its value, are left alone.",
        details=(
            "A host that gets the tag during a run is left running, and C(restore) stops it once the tag is gone."
        ),
        default="patchfleet:keep",
        roles=("discover",),
    ),
    Variable(
        "patch_scheduler_tag",
        "str",
        "hosts",
        description=(
            "Tag by which a scheduler, such as Instance Scheduler on AWS, knows its hosts. These hosts are left "
            "alone, and so are hosts with the tag C(IS-ManagedBy)."
        ),
        default="Schedule",
        roles=("discover",),
    ),
    Variable(
        "patch_scheduled_ok",
        "bool",
        "hosts",
        description=(
            "Also patch hosts that a scheduler starts and stops. A host whose schedule changes during the run is left "
            "running."
        ),
        default=False,
        roles=("discover",),
    ),
    Variable(
        "patch_max_hosts",
        "int",
        "hosts",
        description="A larger selection is refused.",
        default=500,
        minimum=1,
        roles=("discover",),
    ),
)
