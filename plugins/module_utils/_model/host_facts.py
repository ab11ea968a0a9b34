# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""What the ledger knows of a host of a run besides its outcome: the facts, each with its type, unit, writers and readers.

Facts cross JSON, so they are plain values. A fact that is not there is not known; one that is set to None is forgotten. The
strings of a fact are its meaning and unit, the modules that write it, and those that read it, as paths below module_utils.
"""

from __future__ import annotations

from typing import Annotated, TypedDict

from .account import AccountOption
from .checks import CheckState, EvidenceState
from .fact_values import (
    CleanupAction,
    ClusterNode,
    FailedUpdate,
    FoundService,
    LetGo,
    RestorePoint,
    RollBack,
    StoredVerdict,
    TaskState,
    UpdateSource,
    WatchdogSchedule,
)


class HostFacts(TypedDict, total=False):
    """The facts of a host. docs/ledger.md has them as a table, which is generated from here."""

    # From the plan
    type: Annotated[str, "instance type", "_run/opening", "_report/build, _run/common_facts"]
    az: Annotated[str, "availability zone", "_run/opening", "_report/build, _run/common_facts"]
    os: Annotated[str, "operating system, as SSM names it", "_run/opening", "_run/common_facts"]
    by_tag: Annotated[
        bool, "found by the tag, so it must still carry it", "_run/opening", "_operation/denials, _run/admission"
    ]
    account: Annotated[
        AccountOption,
        "its AWS account: id, and the role that is assumed there",
        "_run/opening, _run/lost_records",
        "_run/admission, _run/account_breakers, _run/recovery, _run/publishing, _report/build, _power/roll_back, _run/roll_back, "
        "_history/visits, _run/common_facts, _plan/estate",
    ]
    scheduler: Annotated[
        str,
        "tag of the scheduler that the plan accepted",
        "_run/opening",
        "_run/admission, _power/restore, _power/by_tasks, _power/roll_back",
    ]
    transport: Annotated[
        str,
        "`connection` where it is not SSM",
        "_run/opening",
        "_run/recovery, _run/left_services, _run/roll_back, _run/common_facts",
    ]
    expected_seconds: Annotated[float, "expected duration, in seconds", "_run/opening", "_run/admission, _run/progress"]
    install_timeout_seconds: Annotated[
        int, "time for one installation by its own history, in seconds", "_run/opening", "_operation/context"
    ]
    timeout_seconds: Annotated[
        int,
        "longest duration by its own history, where it is not that of the run, in seconds",
        "_run/opening",
        "_run/admission, _power/watchdog",
    ]
    expected_from: Annotated[str, "basis of that: `host` or `class`", "_run/opening", "_run/admission"]
    adopted_from: Annotated[
        str,
        "the run that left it open",
        "_ledger/sqlite, _ledger/dynamodb_leases",
        "_ledger/earlier, _disk/restore_point, _update/install, _update/checks",
    ]

    peers: Annotated[
        dict[str, int],
        "its groups of `patch_at_most`, with how many hosts of each may be at work",
        "_run/opening",
        "_fleet/peers, _run/taken_over",
    ]

    # Admission and power
    capacity_retry: Annotated[
        bool, "the run has tried it again after a lack of capacity", "_run/admission", "_run/admission"
    ]
    deadline_at: Annotated[
        float,
        "end of its time, seconds since 1970",
        "_run/admission, _operation/standstill, _update/cluster",
        "_operation/context, _operation/operation, _operation/standstill, _power/by_tasks, _power/watchdog, _update/cluster",
    ]
    original_state: Annotated[
        str,
        "`running` or `stopped`, as found",
        "_run/opening, _run/admission, _power/by_tasks, _power/roll_back",
        "_report/build, _update/selection, _run/common_facts",
    ]
    final_state: Annotated[
        str,
        "EC2's state at the end",
        "_run/opening, _power/restore, _power/by_tasks, _power/let_go",
        "_report/build, _run/recovery",
    ]
    started_by_run: Annotated[
        bool,
        "a run started it",
        "_power/start, _power/by_tasks, _power/restore",
        "_operation/failures, _operation/standstill, _report/build",
    ]
    on_since: Annotated[
        float,
        "start that was ours, seconds since 1970",
        "_power/start, _power/by_tasks, _power/restore",
        "_power/restore, _update/reboots, _report/build, _history/visits",
    ]
    off_at: Annotated[
        float | None,
        "end of the time on that was ours, seconds since 1970",
        "_power/start, _power/restore, _power/by_tasks, _power/let_go, _host/nodes",
        "_run/progress, _report/build, _history/visits",
    ]
    work: Annotated[
        list[list[float]],
        "commands of ours that ran in it: end, seconds since 1970, and how many seconds each",
        "_operation/work",
        "_report/build",
    ]
    work_unknown: Annotated[
        bool, "a command of ours ran in it, and its end is not known", "_operation/work", "_report/build"
    ]
    working_since: Annotated[
        float | None,
        "start of the installation or the servicing script that may still be under way, seconds since 1970",
        "_host/scripts, _update/patch_baseline, _update/health, _power/installations",
        "_report/build, _power/by_tasks, _power/installations, _update/patch_baseline",
    ]
    let_go: Annotated[LetGo, "a person closed its record and left it on", "_power/let_go", "_report/build"]
    mark: Annotated[str | None, "key of the owner tag on it", "_power/owner_tag", "_power/owner_tag"]
    mark_launch: Annotated[
        float | None,
        "the LaunchTime that the owner tag shows, seconds since 1970",
        "_power/owner_tag",
        "_power/owner_tag",
    ]
    mark_shown: Annotated[
        bool | None,
        "the owner tag shows that start, and no other value of the tag is left",
        "_power/owner_tag",
        "_power/owner_tag",
    ]
    launched_at: Annotated[
        float, "LaunchTime of our start, as EC2 shows it, seconds since 1970", "_power/start", "_host/instances"
    ]
    watchdog_stopped_at: Annotated[
        float, "stop after its watchdog schedule was due, seconds since 1970", "_power/restore", "_run/closing"
    ]
    switch: Annotated[WatchdogSchedule | None, "its watchdog schedule", "_power/watchdog", "_power/watchdog"]
    denied_action: Annotated[str, "IAM action it failed for lack of", "_operation/failures", "_run/common_causes"]

    # Tasks of the user's
    pre_tasks: Annotated[
        TaskState, "`patch_pre_tasks`", "_run/user_tasks", "_run/closing, _operation/standstill, _report/build"
    ]
    post_tasks: Annotated[TaskState, "`patch_post_tasks`", "_run/user_tasks", "_run/closing, _report/build"]
    start_tasks: Annotated[
        TaskState,
        "`patch_start_tasks`",
        "_run/user_tasks",
        "_operation/failures, _operation/standstill, _power/by_tasks",
    ]
    stop_tasks: Annotated[TaskState, "`patch_stop_tasks`", "_run/user_tasks", "_run/user_tasks"]
    room_tasks: Annotated[TaskState, "`patch_room_tasks`", "_run/user_tasks", "_run/user_tasks"]
    restore_point_tasks: Annotated[
        TaskState, "`patch_restore_point_tasks`", "_run/user_tasks", "_run/user_tasks, _run/roll_back"
    ]
    roll_back_tasks: Annotated[
        TaskState, "`patch_roll_back_tasks`", "_run/user_tasks", "_modules/managed_node_wait, _run/user_tasks"
    ]
    login_account: Annotated[str, "account whose log-on the host refused", "_operation/logins", "_operation/logins"]
    login_refusals: Annotated[int, "log-ons that the host refused", "_operation/logins", "_operation/logins"]
    sessions: Annotated[int, "people logged on", "_update/sessions, _update/health", "_report/build"]

    cluster: Annotated[
        ClusterNode | None,
        "its failover cluster",
        "_update/cluster",
        "_fleet/peers, _update/cluster, _run/common_facts",
    ]
    cluster_drained: Annotated[
        bool,
        "a run has drained it as a node, and not resumed it yet",
        "_update/cluster",
        "_update/cluster, _operation/standstill, _run/left_services",
    ]

    # Disk
    free_gib_before: Annotated[float, "free on the system drive, GiB", "_disk/free_space", "_report/build"]
    free_gib_after: Annotated[float, "free after the last measurement, GiB", "_disk/free_space", "_report/build"]
    wanted_gib: Annotated[float, "wanted free, GiB", "_disk/free_space", "_disk/free_space, _report/build"]
    rungs: Annotated[
        list[CleanupAction],
        "cleanup actions, with the GiB that each freed",
        "_disk/free_space",
        "_report/build, _disk/growth, _operation/standstill",
    ]
    grown_gib: Annotated[
        int, "growth of the volume, GiB", "_disk/free_space, _disk/volume", "_operation/standstill, _report/build"
    ]
    snapshot_id: Annotated[
        str, "EBS snapshot before the growth", "_disk/snapshot", "_operation/standstill, _report/build"
    ]

    restore_point: Annotated[
        RestorePoint,
        "snapshots before the first installation",
        "_disk/restore_point",
        "_disk/restore_point, _report/build, _run/roll_back",
    ]

    roll_back: Annotated[
        RollBack,
        "its root volume goes back to a restore point",
        "_run/roll_back, _power/roll_back, _power/stop_for_exchange",
        "_history/visits, _power/let_go, _power/roll_back, _run/recovery, _run/roll_back",
    ]

    # Windows Update
    searched_at: Annotated[
        float,
        "when a search by the host's own Update agent worked last, seconds since 1970",
        "_disk/update_sizes, _update/health",
        "_update/health",
    ]
    update_source: Annotated[
        UpdateSource,
        "where it gets updates",
        "_update/health",
        "_update/install, _update/patch_baseline, _update/patch_verdict, _update/win_updates, _run/common_facts",
    ]
    repaired: Annotated[
        list[str], "what was repaired", "_update/repair", "_update/repair, _operation/standstill, _report/build"
    ]
    old_cache: Annotated[list[str], "folders kept of the old update cache", "_update/repair", "_update/repair"]
    reboot_pending: Annotated[
        bool, "Windows itself reports that it waits for a reboot", "_update/pending_reboot", "_power/pending_reboot"
    ]
    services_found: Annotated[
        list[FoundService],
        "services that a repair has enabled, as found",
        "_update/services",
        "_update/services, _operation/standstill, _run/left_services",
    ]
    servicing: Annotated[
        bool,
        "Windows may be serviced without a command of ours",
        "_host/scripts, _update/patch_baseline, _power/installations, _disk/free_space, _update/health, _update/pending_reboot",
        "_power/installations, _update/health",
    ]
    installing_command_id: Annotated[
        str | None,
        "command that installs, empty when it has ended, null when none was sent",
        "_update/patch_baseline, _update/win_updates, _power/installations",
        "_power/installations, _operation/standstill",
    ]
    patch_commands: Annotated[
        list[str],
        "commands of Run Command that scanned for updates or installed them, by id",
        "_update/patch_baseline",
        "_update/patch_baseline, _report/build, _history/visits",
    ]
    installation_overdue: Annotated[
        bool,
        "an installation exceeded its time",
        "_host/scripts, _host/servicing, _update/patch_baseline, _update/win_updates",
        "_power/installations",
    ]
    baseline_ended_at: Annotated[
        float,
        "end of the last AWS-RunPatchBaseline, seconds since 1970",
        "_update/patch_baseline",
        "_update/patch_baseline",
    ]
    installed: Annotated[
        list[str], "KBs installed", "_update/install", "_update/install, _report/build, _run/roll_back, _history/visits"
    ]
    missing: Annotated[
        list[str],
        "KBs missing in the last scan",
        "_update/patch_verdict, _update/win_updates, _update/named_updates, _update/selection",
        "_report/build, _run/roll_back, _history/visits, _run/common_facts",
    ]
    severities: Annotated[
        dict[str, str],
        "severity of updates that were missing, by KB",
        "_update/patch_verdict, _disk/update_sizes",
        "_history/visits",
    ]
    failed_updates: Annotated[
        list[FailedUpdate],
        "updates that failed",
        "_update/install",
        "_ledger/repeated, _report/build, _history/visits, _run/common_facts",
    ]
    installation_found_at: Annotated[
        float,
        "when an installation was found under way and waited for, seconds since 1970",
        "_update/health",
        "_power/installations, _update/reboots",
    ]
    reboots: Annotated[int, "reboots while it was patched", "_update/reboots, _update/install", "_report/build"]
    verified_at: Annotated[
        str | None,
        "when the last scan was read, ISO 8601",
        "_update/patch_verdict, _update/win_updates",
        "_report/build, _run/publishing, _history/visits",
    ]
    remarks: Annotated[
        list[str],
        "sentences about a host that change no outcome",
        "_update/patch_verdict, _update/win_updates, _run/roll_back, _update/checks",
        "_ledger/proposed, _update/checks, _report/build",
    ]
    checks: Annotated[
        dict[str, CheckState],
        "`patch_checks`, by name: whether each passed before and after",
        "_update/checks",
        "_update/checks, _report/build",
    ]
    evidence: Annotated[
        dict[str, EvidenceState],
        "`patch_evidence`, by kind: the items before and after",
        "_update/checks",
        "_update/checks, _report/build",
    ]
    proposed_outcome: Annotated[
        str,
        "outcome once it is restored",
        "_update/install, _run/roll_back",
        "_ledger/proposed, _update/checks",
    ]
    only_a_part: Annotated[
        bool,
        "only named updates or a reboot, so its duration predicts no other run",
        "_update/install",
        "_run/host_result, _history/visits",
    ]
    proposed_reason_code: Annotated[str | None, "its reason code", "_update/install", "_ledger/proposed"]
    proposed_reason: Annotated[str | None, "its sentence", "_update/install", "_ledger/proposed"]
    verdicts: Annotated[
        dict[str, str],
        "what became of updates that the run names, by KB",
        "_update/named_updates, _update/selection",
        "_report/build, _history/visits, _run/common_facts",
    ]
    only_reboot_missing: Annotated[
        bool, "a scan misses no update, and Windows waits for a reboot", "_update/install", "_ledger/proposed"
    ]
    verdict_before: Annotated[
        StoredVerdict, "how it ended before it was held", "_operation/failures", "_operation/failures, _power/settle"
    ]


def is_serviced(facts: HostFacts) -> bool:
    """Whether Windows may be installing in the host, with a command of ours or without one."""
    return bool(facts.get("installing_command_id") or facts.get("servicing"))
