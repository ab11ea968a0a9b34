# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What keeps a run from doing harm: the variables of safety that count for a whole run. After a change, run ``make generate``."""

from __future__ import annotations

from .variable import Variable

SAFETY_OF_RUNS = (
    Variable(
        "patch_canary",
        "int",
        "safety",
        description="How many hosts go first, alone. If one of them fails, no other host is started.",
        default=0,
        minimum=0,
        roles=("discover",),
    ),
    Variable(
        "patch_canary_hosts",
        "list",
        "safety",
        description="Which hosts go first, by name or id. If C(patch_canary) asks for more, others join them.",
        default=[],
        roles=("discover",),
    ),
    Variable(
        "patch_failure_budget",
        "count_or_percent",
        "safety",
        description=(
            "How many hosts may fail: a number, or a percentage of the targets. After one more, no other host is "
            "started."
        ),
        details=(
            "Below 100 %, some causes end a run at once: a host that did not come back from its updates, three hosts "
            "without an update source, or a right that two hosts were refused."
        ),
        default="20%",
        minimum=0,
        roles=("discover",),
    ),
    Variable(
        "patch_stop_alarms",
        "list",
        "safety",
        description=(
            "CloudWatch alarms, by name or ARN. While one of them is in ALARM, no host starts; hosts at work are finished and put "
            "back."
        ),
        details=(
            "A name is that of an alarm in the account of the credentials and the first region of C(patch_regions). "
            "INSUFFICIENT_DATA is no ALARM. Needs a set-up with C(StopAlarms=metric), or C(all) for composite alarms."
        ),
        default=[],
        roles=("discover",),
    ),
    Variable(
        "patch_stop_reason",
        "line",
        "safety",
        description="Why the playbook C(stop) stops a run. It is in the ledger, the report and the hosts' reasons.",
        unset="C(stop) refuses",
    ),
    Variable(
        "patch_resume_reason",
        "line",
        "safety",
        description="Why the playbook C(resume) lets a run continue.",
        unset="no reason is kept",
    ),
    Variable(
        "patch_account_failure_budget",
        "count_or_percent",
        "safety",
        description=(
            "How many hosts of one AWS account may fail: a number, or a percentage of its targets. After one more, no other host "
            "of this account is started, and the other accounts continue."
        ),
        details="Each failure also counts for C(patch_failure_budget).",
        unset="an account has no budget of its own",
        minimum=0,
        roles=("discover",),
    ),
    Variable(
        "patch_mark_tag",
        "str",
        "safety",
        description=(
            "Key of a tag that shows, on each EC2 instance, which run is working on it. It is set before the start, "
            "with the run's id as its value, shows the LaunchTime of the run's start, and is removed when the host is put "
            "back. A tag with this key that others have set stays as it is."
        ),
        details="Needs a set-up with the same key as C(MarkTag).",
        unset="no tag is set",
        roles=("start_hosts",),
        modules=("instance_power",),
    ),
    Variable(
        "patch_from_account",
        "str",
        "safety",
        description=(
            "For the playbook C(restore) after a ledger was lost: C(check) names the instances that are on because of "
            "runs which the ledger does not know, C(rebuild) writes their records again and puts them back."
        ),
        details=(
            "They are found by C(patch_mark_tag) in C(patch_regions) and in the accounts of C(patch_accounts) and "
            "C(patch_organization). Only an instance whose tag shows its present LaunchTime is stopped."
        ),
        choices=("check", "rebuild"),
        unset="the ledger alone is read",
    ),
    Variable(
        "patch_dead_man_switch",
        "bool",
        "safety",
        description=(
            "Create a one-time schedule of Amazon EventBridge for each host that is started. If the controller dies "
            "and no later run puts the host back, a runbook in the account stops it."
        ),
        details="Needs a set-up with C(DeadManSwitch=true).",
        default=False,
        roles=("start_hosts",),
        modules=("instance_power",),
    ),
    Variable(
        "patch_dead_man_switch_margin_seconds",
        "int",
        "safety",
        description=(
            "How long after the end of a host's time (C(patch_host_timeout_seconds)) that schedule fires, in seconds."
        ),
        default=3600,
        minimum=600,
        roles=("start_hosts",),
        modules=("instance_power",),
    ),
    Variable(
        "patch_setup_prefix",
        "str",
        "safety",
        description=(
            "The parameter C(Prefix) of the account's stack, after which the schedule group, the runbook and its "
            "roles are named."
        ),
        default="PatchFleet",
        roles=("start_hosts",),
        modules=("instance_power",),
    ),
    Variable(
        "patch_take_over",
        "bool",
        "safety",
        description=(
            "Take over hosts that another run still leases. Set it only when the controller of that run is known to "
            "be dead."
        ),
        default=False,
        roles=("discover",),
    ),
    Variable(
        "patch_let_go",
        "str",
        "safety",
        description=(
            "For the playbook C(restore): the host, by its name or id, that no restore may stop, such as one whose installation "
            "does not end. Its record is closed and it stays on; the ledger and the report say who did it."
        ),
        details=(
            "Nothing in the host is ended, and other hosts are left alone by this C(restore). Its watchdog schedule and its owner "
            "tag are removed."
        ),
        unset="each host is put back",
    ),
    Variable(
        "patch_host",
        "str",
        "safety",
        description=(
            "The host that the playbook C(roll_back) puts back, or whose restore points C(restore_points) lists, expires or "
            "keeps: its name in the report, or its instance id."
        ),
    ),
    Variable(
        "patch_restore_point_action",
        "str",
        "safety",
        description=(
            "What the playbook C(restore_points) does: V(list) them, V(expire) deletes those that have expired, V(keep) lets "
            "those of C(patch_host) or C(patch_run_id) never expire."
        ),
        default="list",
        choices=("list", "expire", "keep"),
    ),
)
