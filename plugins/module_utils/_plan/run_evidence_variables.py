# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run leaves behind: the variables of evidence that count for a whole run. After a change, run ``make generate``."""

from __future__ import annotations

from .variable import EVERY_ROLE, Variable

EVIDENCE_OF_RUNS = (
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
        "patch_no_run_days",
        "int",
        "evidence",
        description=(
            "A message comes when no run was closed for this number of days. Each run that is closed moves it on by that time; a "
            "scan and a run that C(restore) closes do, too."
        ),
        details=(
            "C(setup_aws) with the same variable makes the schedule and names its SNS topic, in the region of the credentials and "
            "with C(patch_setup_prefix). A message that cannot be moved is a warning and changes no outcome."
        ),
        unset="no message comes",
        minimum=2,
        maximum=400,
        roles=("discover",),
    ),
    Variable(
        "patch_history_days",
        "int",
        "evidence",
        description="How many days the ledger keeps a run. The playbooks C(history) and C(evidence) show the runs of this time.",
        details=(
            "A run that ends deletes older ones from an SQLite file; a table deletes them itself. A run of which a host "
            "may still be on is never deleted."
        ),
        default=400,
        minimum=1,
        roles=("discover",),
        modules=("evidence_info", "patch_history"),
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
        "patch_prices",
        "prices",
        "evidence",
        description=(
            "What an hour of each instance type costs in USD, such as V({m5.large: 0.188}), or V(aws) for the price list of AWS. "
            "The report then has the cost of the hosts that were on because of the run."
        ),
        details=(
            "A type without a price has hours only. V(aws) reads the on-demand price with the licence of Windows when the run "
            "starts, and needs the right C(pricing:GetProducts) on C(*); without it, the report has hours only."
        ),
        unset="hours only",
        roles=("discover",),
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
            "and a message when no other host starts (a stop, an alarm, failed hosts, a controller that stood still) or the run "
            "continues."
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
            "A bucket that gets the report and the history too, for jobs whose disk is deleted when they end: "
            "C(s3://BUCKET/PREFIX), with C(?region=) where the environment names no region."
        ),
        details="The files are under C(PREFIX/RUN_ID/) and C(PREFIX/history/). A rule of the bucket's life cycle deletes old ones.",
        unset="the report is in files only",
        roles=("discover", "report"),
        modules=("patch_history", "patch_report"),
    ),
    Variable(
        "patch_report_kms_key",
        "str",
        "evidence",
        description="The KMS key (id or ARN) that encrypts the report in V(patch_report_bucket).",
        unset="the bucket's own encryption holds",
        roles=("discover", "report"),
        modules=("patch_history", "patch_report"),
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
        modules=("patch_history", "patch_report"),
    ),
)
