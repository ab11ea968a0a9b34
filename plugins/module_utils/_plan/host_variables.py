# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables that may differ between the hosts of a run. After a change, run ``make generate``."""

from __future__ import annotations

from .variable import Variable

HOST_VARIABLES = (
    Variable(
        "patch_transport",
        "str",
        "hosts",
        description=(
            "How a host is reached: V(ssm), its own Ansible V(connection) (winrm, psrp, or ssh with PowerShell), or "
            "V(auto), which is SSM where there is a managed node."
        ),
        default="auto",
        choices=("auto", "ssm", "connection"),
        per_host=True,
    ),
    Variable(
        "patch_account",
        "str",
        "hosts",
        description="The AWS account of a host of the inventory: its id, or its name in C(patch_accounts).",
        unset="C(owner_id), as C(amazon.aws.aws_ec2) gives it, or every account is searched",
        per_host=True,
    ),
    Variable(
        "patch_start_timeout_seconds",
        "int",
        "work",
        description=(
            "How long a start may take until the instance runs, in seconds. Waiting for capacity and quota counts. "
            "Hosts for which there was no capacity are tried once more when the others are done."
        ),
        default=900,
        minimum=60,
        roles=("start_hosts",),
        modules=("instance_power",),
        per_host=True,
    ),
    Variable(
        "patch_agent_timeout_seconds",
        "int",
        "work",
        description=(
            "How long a host may take, in seconds, once it runs, until its SSM agent answers, and after a reboot, "
            "until its services run again."
        ),
        default=600,
        minimum=60,
        roles=("patch", "start_hosts"),
        modules=("patch_baseline",),
        per_host=True,
    ),
    Variable(
        "patch_install_timeout_seconds",
        "int",
        "work",
        description=(
            "How long one installation pass may take, in seconds. It is never cut off. Installations that others have "
            "started are waited for as long."
        ),
        unset="1.5 times the longest of the host's earlier installations, at least an hour; V(10800) for a host without history",
        minimum=60,
        maximum=36000,  # StepTimeoutSeconds of AWS-RunPatchBaseline takes no more
        roles=("patch", "repair_windows_update", "restore_state"),
        modules=("host_power", "instance_power", "patch_baseline", "windows_update_health"),
        per_host=True,
    ),
    Variable(
        "patch_max_passes",
        "int",
        "work",
        description="How many installation passes a host gets at most.",
        default=3,
        minimum=1,
        roles=("patch",),
        modules=("patch_baseline",),
        per_host=True,
    ),
    Variable(
        "patch_exclude_kbs",
        "kbs",
        "work",
        description=(
            "Do not install these updates. A host that misses one of them is V(noncompliant) with the reason code "
            "V(updates_excluded)."
        ),
        default=[],
        roles=("patch",),
        modules=("patch_baseline", "patch_compliance_info"),
        per_host=True,
    ),
    Variable(
        "patch_reboot",
        "str",
        "work",
        description=(
            "V(if_needed) reboots hosts whose updates ask for it. V(never) leaves that to a later run with "
            "C(patch_operation=reboot). Hosts that were off are rebooted in both cases."
        ),
        default="if_needed",
        choices=("if_needed", "never"),
        roles=("patch",),
        modules=("patch_baseline",),
        per_host=True,
    ),
    Variable(
        "patch_repair",
        "list",
        "work",
        description=(
            "What a run may repair in Windows Update: V(services) enables disabled services for the time of the run, "
            "V(cache) replaces a damaged update cache, and V(components) rebuilds a damaged component store. An empty list "
            "allows no repair. A host that needs one that is not allowed fails, and its reason names the repair."
        ),
        default=["services", "cache", "components"],
        choices=("services", "cache", "components"),
        roles=("patch", "repair_windows_update"),
        modules=("patch_baseline", "windows_update_health"),
        per_host=True,
    ),
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
        "patch_pre_tasks",
        "list",
        "work",
        description=(
            "Files of tasks that run for each host before it is worked on, once it is on and ready. If one fails, the "
            "host is not patched."
        ),
        default=[],
        roles=("user_tasks",),
        per_host=True,
    ),
    Variable(
        "patch_post_tasks",
        "list",
        "work",
        description=(
            "Files of tasks that run for each host after it was worked on and before it is put back. They run "
            "whenever the tasks of C(patch_pre_tasks) were started, also when these or the patching failed."
        ),
        default=[],
        roles=("user_tasks",),
        per_host=True,
    ),
    Variable(
        "patch_start_tasks",
        "list",
        "work",
        description=(
            "Files of tasks that start a host without EC2 (a virtual machine, or by IPMI) from the controller, if it "
            "does not answer at its turn. A host that they started is stopped again. Needs C(patch_stop_tasks)."
        ),
        default=[],
        roles=("restore_state", "start_hosts"),
        per_host=True,
    ),
    Variable(
        "patch_stop_tasks",
        "list",
        "work",
        description=(
            "Files of tasks that stop a host that C(patch_start_tasks) started, when it is done or in the playbook "
            "C(restore)."
        ),
        default=[],
        roles=("restore_state",),
        per_host=True,
    ),
    Variable(
        "patch_tasks_timeout_seconds",
        "int",
        "work",
        description="How long each task of these files may take, in seconds, unless it has its own C(timeout).",
        default=600,
        minimum=1,
        roles=("user_tasks",),
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
        "patch_free_gib",
        "float",
        "disk",
        description="How much must be free on C:, in GiB. Large updates may need more.",
        default=20,
        minimum=0,
        roles=("expand_ebs",),
        modules=("system_drive_space",),
        per_host=True,
    ),
    Variable(
        "patch_grow_gib",
        "int",
        "disk",
        description="By how much the root volume may grow, in GiB. V(0) never grows it.",
        default=20,
        minimum=0,
        roles=("expand_ebs",),
        modules=("system_drive_space",),
        per_host=True,
    ),
    Variable(
        "patch_volume_max_gib",
        "int",
        "disk",
        description="The largest size that the root volume may grow to, in GiB.",
        default=200,
        minimum=1,
        roles=("expand_ebs",),
        modules=("system_drive_space",),
        per_host=True,
    ),
    Variable(
        "patch_snapshot_before_grow",
        "bool",
        "disk",
        description=(
            "Take a snapshot of the root volume before it grows. The snapshot has the volume's tags and is not "
            "deleted again. The run does not wait until it is complete, since later writes are not part of it."
        ),
        details="Needs C(ec2:CreateSnapshot) and C(ec2:CreateTags).",
        default=False,
        roles=("expand_ebs",),
        modules=("system_drive_space",),
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
    Variable(
        "patch_clean_user_temp",
        "bool",
        "disk",
        description=(
            "Also remove old files from the temporary folders of user profiles, by the rules for C(C:\\Windows\\Temp), unless "
            "the profile is in use: its user is logged on, or a service or task of theirs runs."
        ),
        default=False,
        roles=("expand_ebs",),
        modules=("system_drive_space",),
        per_host=True,
    ),
    Variable(
        "patch_user_temp_age_days",
        "int",
        "disk",
        description=(
            "With C(patch_clean_user_temp), the age in days from which files in user profiles are old: neither written nor "
            "created since, and not since Windows started."
        ),
        default=30,
        minimum=7,
        roles=("expand_ebs",),
        modules=("system_drive_space",),
        per_host=True,
    ),
    Variable(
        "patch_reset_base",
        "bool",
        "disk",
        description=(
            "Clean the component store with C(/ResetBase). Updates that are installed can then not be removed any more."
        ),
        default=False,
        roles=("expand_ebs",),
        modules=("system_drive_space",),
        per_host=True,
    ),
    Variable(
        "patch_remove_old_windows",
        "bool",
        "disk",
        description=(
            "Let Windows' Disk Cleanup (C(cleanmgr /autoclean)) remove what an upgrade of Windows left behind more "
            "than 10 days ago. The upgrade can then not be undone any more. Disk Cleanup also removes what its other "
            "handlers find, such as memory dumps and error reports."
        ),
        default=False,
        roles=("expand_ebs",),
        modules=("system_drive_space",),
        per_host=True,
    ),
    Variable(
        "patch_room_tasks",
        "list",
        "disk",
        description=(
            "Files of tasks that enlarge the disk of a host without EC2, if cleaning was not enough. They get "
            "C(patchfleet_lacking_gib). The drive is extended afterwards."
        ),
        default=[],
        roles=("expand_ebs",),
        per_host=True,
    ),
    Variable(
        "patch_cloudwatch_output",
        "bool",
        "evidence",
        description="Send the whole output of the patch commands to CloudWatch Logs.",
        default=False,
        roles=("patch",),
        per_host=True,
    ),
    Variable(
        "patch_cloudwatch_log_group",
        "str",
        "evidence",
        description="The log group for this output.",
        default="/aws/ssm/patch-manager",
        roles=("patch",),
        per_host=True,
    ),
)
