# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables that may differ between the hosts of a run. After a change, run ``make generate``."""

from __future__ import annotations

from .host_safety_variables import SAFETY_OF_HOSTS
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
    *SAFETY_OF_HOSTS,
)
