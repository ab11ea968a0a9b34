# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What keeps a host from harm: the variables of safety that may differ by host. After a change, run ``make generate``."""

from __future__ import annotations

from .variable import Variable

SAFETY_OF_HOSTS = (
    Variable(
        "patch_clusters",
        "str",
        "safety",
        description=(
            "What happens to nodes of Windows failover clusters, which are found in the host. V(drain) moves their roles to "
            "other nodes before the host is changed, and asks for them again at the end, one node of a cluster at a time. "
            "V(defer) leaves nodes alone. V(ignore) does not ask hosts."
        ),
        details=(
            "A node is drained only while all other nodes are up. If the drain fails, the node is resumed, and the host is "
            "not patched."
        ),
        default="ignore",
        choices=("drain", "defer", "ignore"),
        roles=("repair_windows_update",),
        modules=("windows_sessions",),
        per_host=True,
    ),
    Variable(
        "patch_skip_when",
        "skip_when",
        "safety",
        description=(
            "What must not run on a host that is patched; a host on which it does is left alone. A mapping with C(processes) "
            "(names of programs), C(cluster_role) (names of roles of its failover cluster) or C(script) (a PowerShell file of the "
            "controller whose last value is true)."
        ),
        details="A script that fails, or does not end within two minutes, counts as true.",
        unset="hosts are not asked",
        roles=("repair_windows_update",),
        modules=("windows_sessions",),
        per_host=True,
    ),
    Variable(
        "patch_cluster_timeout_seconds",
        "int",
        "safety",
        description=(
            "How long V(patch_clusters=drain) waits until the other nodes are up, and how long a drain may take, in seconds."
        ),
        default=1800,
        minimum=60,
        maximum=36000,
        roles=("repair_windows_update",),
        modules=("windows_sessions",),
        per_host=True,
    ),
    Variable(
        "patch_sessions",
        "str",
        "safety",
        description=(
            "What to do when people are logged on: V(warn) of them in the report, V(ignore) them, V(defer) the host, "
            "or V(wait) until they have logged off, and defer the host after C(patch_sessions_timeout_seconds)."
        ),
        default="warn",
        choices=("warn", "ignore", "defer", "wait"),
        roles=("repair_windows_update",),
        per_host=True,
    ),
    Variable(
        "patch_sessions_timeout_seconds",
        "int",
        "safety",
        description="How long C(patch_sessions=wait) waits, in seconds. A host that waits keeps its slot.",
        default=3600,
        minimum=60,
        roles=("repair_windows_update",),
        per_host=True,
    ),
    Variable(
        "patch_sessions_message",
        "line",
        "safety",
        description=(
            "One line that people who are logged on see before updates are installed, and so before a reboot. At most "
            "200 characters, not beginning with a slash."
        ),
        unset="no message is shown",
        roles=("repair_windows_update",),
        per_host=True,
    ),
    Variable(
        "patch_ignore_services",
        "list",
        "safety",
        description="Services that need not run again after a reboot. V(*) stands for all.",
        default=[],
        roles=("patch",),
        modules=("patch_baseline",),
        per_host=True,
    ),
    Variable(
        "patch_checks",
        "checks",
        "safety",
        description=(
            "What must work in a host after it was patched, if it worked before: a list of mappings, each with C(name), one of "
            "C(tcp), C(http), C(service) and C(script), and C(on), the hosts that it is for."
        ),
        default=[],
        roles=("patch",),
        modules=("patch_baseline",),
        per_host=True,
    ),
    Variable(
        "patch_checks_settle_seconds",
        "int",
        "safety",
        description=(
            "How long a host may take, in seconds, until C(patch_checks) pass and what C(patch_evidence) compares is there again."
        ),
        default=300,
        minimum=0,
        maximum=3600,
        roles=("patch",),
        modules=("patch_baseline",),
        per_host=True,
    ),
    Variable(
        "patch_evidence",
        "evidence",
        "safety",
        description=(
            "What is taken in a host before and after it is patched, kept in the report and compared: a mapping of kinds to "
            "V(failure), V(remark) or V(off), which says what it is if something is not there any more. Services are compared "
            "without it, and are a failure."
        ),
        default={},
        roles=("patch",),
        modules=("patch_baseline",),
        per_host=True,
    ),
    Variable(
        "patch_restore_point",
        "str",
        "safety",
        description=(
            "Take a restore point of an EC2 host before its first installation, if something is missing on it: one snapshot of "
            "its V(root) volume, or of V(all) its volumes at one moment. Where that fails, the host is not patched."
        ),
        details="See restore-points.md. Needs the stack's parameter C(AllowSnapshots).",
        default="none",
        choices=("none", "root", "all"),
        roles=("patch",),
        modules=("patch_baseline",),
        per_host=True,
    ),
    Variable(
        "patch_restore_point_wait",
        "bool",
        "safety",
        description=(
            "Wait until the snapshots of a restore point are complete before anything is installed. They hold the "
            "moment at which they were taken in any case; only a roll-back needs them complete."
        ),
        default=False,
        roles=("patch",),
        modules=("patch_baseline",),
        per_host=True,
    ),
    Variable(
        "patch_restore_point_days",
        "int",
        "safety",
        description=(
            "How many days a restore point is kept. Later runs and the playbook C(restore_points) delete those that are "
            "older."
        ),
        default=14,
        minimum=1,
        maximum=3650,
        roles=("patch",),
        modules=("patch_baseline",),
        per_host=True,
    ),
    Variable(
        "patch_restore_point_tasks",
        "list",
        "safety",
        description=(
            "Files of tasks that take a restore point of a host without EC2, such as a snapshot of its virtual machine, before "
            "its first installation, if something is missing on it. If one fails, the host is not patched."
        ),
        default=[],
        roles=("patch",),
        per_host=True,
    ),
    Variable(
        "patch_roll_back_tasks",
        "list",
        "safety",
        description="Files of tasks with which the playbook C(roll_back) puts a host without EC2 back.",
        default=[],
        per_host=True,
    ),
)
