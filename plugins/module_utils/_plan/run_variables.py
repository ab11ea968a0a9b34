# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a run goes: the other variables that count for a whole run. After a change, run ``make generate``."""

from __future__ import annotations

from .variable import Variable

EVERY_ROLE = (
    "discover",
    "expand_ebs",
    "patch",
    "repair_windows_update",
    "report",
    "restore_state",
    "start_hosts",
    "user_tasks",
)

RUN_VARIABLES = (
    Variable(
        "patch_deadline",
        "datetime",
        "when",
        description=(
            "ISO 8601 time by which every host is done and put back. A host that cannot be done by then is deferred."
        ),
        roles=("discover",),
    ),
    Variable(
        "patch_maintenance_window",
        "str",
        "when",
        description="An SSM maintenance window (id or name) or change calendar (name or ARN).",
        details=(
            "A run starts only while the window is open. Its end is a deadline, and in its cutoff no host is started."
        ),
        roles=("discover",),
        first=True,
    ),
    Variable(
        "patch_outside_window_ok",
        "bool",
        "when",
        description="Start a run outside the maintenance window. The window then sets no deadline.",
        default=False,
        roles=("discover",),
    ),
    Variable(
        "patch_expected_seconds",
        "int",
        "when",
        description=(
            "How long a host is expected to take, its restore included, as long as the ledger knows no earlier run of "
            "this host or of hosts of its type."
        ),
        default=2700,
        minimum=1,
        roles=("discover",),
    ),
    Variable(
        "patch_credentials_expire_at",
        "datetime",
        "when",
        description=(
            "ISO 8601 time at which the AWS credentials expire, if they cannot be renewed and "
            "C(AWS_CREDENTIAL_EXPIRATION) is not set. Hosts that could not be put back by then are deferred."
        ),
        roles=("discover",),
    ),
    Variable(
        "patch_fail_on_deferred",
        "bool",
        "when",
        description="Let the run fail when hosts were deferred for lack of time.",
        default=False,
        roles=("discover",),
    ),
    Variable(
        "patch_pause_seconds",
        "int",
        "pace",
        description="Pause between two waves, in seconds.",
        default=0,
        minimum=0,
        roles=("discover",),
    ),
    Variable(
        "patch_batch_size",
        "count_or_percent",
        "pace",
        description=(
            "How many hosts are worked on at the same time: a number, or a percentage of the targets. With "
            "C(patch_rollout=rolling), the width of the window."
        ),
        details="Ansible's C(--forks) must be at least as large.",
        default=5,
        minimum=1,
        roles=("discover",),
        first=True,
    ),
    Variable(
        "patch_rollout",
        "str",
        "pace",
        description=(
            "V(waves) starts a batch of hosts when the one before is done. V(rolling) starts a host as soon as "
            "another one is done: Ansible's C(--forks) is the width of this window. In both, hosts that are known to "
            "take long go first."
        ),
        default="waves",
        choices=("waves", "rolling"),
        roles=("discover",),
    ),
    Variable(
        "patch_priority_instance_types",
        "list",
        "pace",
        description="Instance types that go first, in this order. All other hosts follow, by their expected time and name.",
        default=[],
        roles=("discover",),
    ),
    Variable(
        "patch_max_running",
        "int",
        "pace",
        description=(
            "How many instances may be on at the same time because of runs. All runs of the ledger in the account "
            "count together. A host that is off waits for its slot before it is started."
        ),
        unset="only V(patch_batch_size) of each run limits them",
        minimum=1,
        roles=("discover",),
    ),
    Variable(
        "patch_slice",
        "slice",
        "pace",
        description=(
            "Which part of the hosts this controller works on, such as V(2/5): the second of five slices that have the same "
            "C(patch_run_id) and the same ledger."
        ),
        details=(
            "Slices share the plan, the canaries, the failure budget, C(patch_max_running), the API budget and the report. When "
            "one dies, another one takes over its hosts."
        ),
        unset="the run works on all hosts",
        roles=EVERY_ROLE,
    ),
    Variable(
        "patch_api_calls_per_second",
        "float",
        "pace",
        description=(
            "How many calls of AWS a run makes a second at most, in each account and region: reads and changes of all hosts "
            "together."
        ),
        details=(
            "A call that has no room waits, and fails no host. With it, each operation of EC2 and Systems Manager stays within a "
            "third of AWS's own limit. Calls of the ledger do not count."
        ),
        unset="only that third of each limit paces a run",
        minimum=0.1,
        roles=EVERY_ROLE,
    ),
    Variable(
        "patch_at_most",
        "at_most",
        "pace",
        description=(
            "How many hosts with the same value of a tag, or in one availability zone, may be worked on at the same time: a list "
            "such as C([{tag: Role, hosts: 1}, {zone: true, share: 30%}])."
        ),
        details=(
            "It holds over all waves and all runs of the ledger. A share is one of the targets in the group, at least one host. "
            "A host without the tag, or outside EC2 for zones, has no such limit."
        ),
        default=[],
        roles=("discover",),
    ),
    Variable(
        "patch_operation",
        "str",
        "work",
        description=(
            "V(install) installs updates and verifies them with a scan. V(scan) only scans. V(reboot) installs nothing: it "
            "reboots hosts that wait for it and verifies them."
        ),
        default="install",
        choices=("install", "scan", "reboot"),
        roles=("discover", "patch"),
        first=True,
    ),
    Variable(
        "patch_kbs",
        "kbs",
        "work",
        description=(
            "Install only these updates, such as V(KB5031364), also where the baseline does not approve them. The outcomes then "
            "speak of these alone."
        ),
        default=[],
        roles=("discover", "patch"),
        modules=("patch_baseline", "patch_compliance_info"),
    ),
    Variable(
        "patch_host_timeout_seconds",
        "int",
        "work",
        description="How long one host may take, without its restore, in seconds.",
        default=14400,
        minimum=60,
        roles=("discover",),
    ),
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
    Variable(
        "patch_run_id",
        "str",
        "evidence",
        description=(
            "The run that the playbooks C(restore), C(report), C(roll_back), C(stop) and C(resume) work on, or the job of several "
            "slices. The last two take V(all), too. With C(patch_slice), the name of that job in C(patch)."
        ),
        unset=(
            "C(report) takes the newest run, C(restore) takes all runs, C(roll_back) takes the newest restore point, C(stop) and "
            "C(resume) take the one that is at work"
        ),
        roles=("discover",),
    ),
    Variable(
        "patch_ledger",
        "str",
        "evidence",
        description=(
            "The ledger, which is the memory of all runs: the path of an SQLite file, or C(dynamodb://TABLE) for "
            "teams and AWX."
        ),
        unset="C(patchfleet/ledger.sqlite) in the user's state folder",
        roles=EVERY_ROLE,
        first=True,
    ),
    Variable(
        "patch_ledger_ephemeral_ok",
        "bool",
        "evidence",
        description=(
            "Accept an SQLite file in a container or job, whose disk is usually thrown away: this file is on a volume "
            "that stays."
        ),
        default=False,
        roles=("discover",),
    ),
    Variable(
        "patch_outcome_tags",
        "bool",
        "evidence",
        description=(
            "Set the outcome as tags of each EC2 instance on which the run worked: C(patchfleet:outcome), C(patchfleet:run), "
            "and C(patchfleet:proven-at) where a scan proved it."
        ),
        details="Needs a set-up with C(OutcomeTags=true). C(patch_mark_tag) must have another key.",
        default=False,
        roles=("discover",),
    ),
    Variable(
        "patch_event_bus",
        "str",
        "evidence",
        description=(
            "Name or ARN of an Amazon EventBridge bus, such as V(default). At its end the run puts an event for each host on it, "
            "and one for itself."
        ),
        details="Needs a set-up with the same C(EventBus). A name is that of a bus in the account of the credentials.",
        unset="no event is sent",
        roles=("discover",),
    ),
    Variable(
        "patch_history_days",
        "int",
        "evidence",
        description="How many days the ledger keeps a run. The playbook C(history) shows the runs of this time.",
        details=(
            "A run that ends deletes older ones from an SQLite file; a table deletes them itself. A run of which a host "
            "may still be on is never deleted."
        ),
        default=400,
        minimum=1,
        roles=("discover",),
        modules=("patch_history",),
    ),
    Variable(
        "patch_sla_days",
        "sla_days",
        "evidence",
        description=(
            "How many days an update may be missing, by its severity (V(critical), V(important), V(moderate), V(low), "
            "V(unspecified)). The playbook C(history) names those that are missing longer."
        ),
        unset="no update has a limit",
        modules=("patch_history",),
    ),
    Variable(
        "patch_evidence_pack",
        "bool",
        "evidence",
        description=(
            "The playbook C(history) also writes a ZIP for auditors: the history, the report of each run, what each verdict "
            "is based on, and a manifest of SHA-256 sums."
        ),
        default=False,
        modules=("patch_history",),
    ),
    Variable(
        "patch_notify",
        "webhook",
        "evidence",
        description=(
            "A webhook (Slack, Teams, or any that takes JSON) that gets the sums and a link to the report at the end of the run, "
            "and a message when the run is stopped or continues."
        ),
        details=(
            "Its URL is a secret: keep it in a vault or in a credential of AWX. It is in no log, ledger or report. A webhook that "
            "fails is a warning and changes no outcome."
        ),
        unset="no message is sent",
        roles=("report",),
        modules=("host_admission", "patch_report", "patch_run"),
    ),
    Variable(
        "patch_notify_format",
        "str",
        "evidence",
        description=(
            "What the webhook takes. V(auto) knows those of Slack and of Teams by their hosts, and sends JSON to all others."
        ),
        default="auto",
        choices=("auto", "slack", "teams", "json"),
        roles=("report",),
        modules=("host_admission", "patch_report", "patch_run"),
    ),
    Variable(
        "patch_report_dir",
        "str",
        "evidence",
        description="The folder for C(report.json), C(report.md), C(report.html) and C(report.csv).",
        unset="a folder for the run in the user's state folder",
        roles=("report",),
    ),
    Variable(
        "patch_report_live",
        "bool",
        "evidence",
        description=(
            "Whether C(report.html) is written each minute while the run is at work, too. It says that it is unfinished and "
            "when it was written, and loads itself again in the browser. At the end it is the report."
        ),
        default=False,
        roles=("discover",),
    ),
    Variable(
        "patch_report_bucket",
        "str",
        "evidence",
        description=(
            "A bucket that gets the report too, for jobs whose disk is deleted when they end: C(s3://BUCKET/PREFIX), with "
            "C(?region=) where the environment names no region."
        ),
        details="The files are under C(PREFIX/RUN_ID/). A rule of the bucket's life cycle deletes old ones.",
        unset="the report is in files only",
        roles=("discover", "report"),
    ),
    Variable(
        "patch_report_kms_key",
        "str",
        "evidence",
        description="The KMS key (id or ARN) that encrypts the report in V(patch_report_bucket).",
        unset="the bucket's own encryption holds",
        roles=("discover", "report"),
    ),
    Variable(
        "patch_report_link_seconds",
        "int",
        "evidence",
        description=(
            "The run prints signed links to the report in V(patch_report_bucket), by which everybody who has one can read it for "
            "this number of seconds. V(0) prints addresses instead. At most seven days; a link ends with the credentials."
        ),
        default=0,
        minimum=0,
        roles=("discover", "report"),
    ),
)
