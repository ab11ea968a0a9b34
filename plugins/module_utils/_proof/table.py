# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of beliefs, in the order in which they are asked: what the emulated account of this project takes for true.

A new belief is one function and one row.
"""

from __future__ import annotations

from . import guest_beliefs, patch_beliefs, rights_beliefs, service_beliefs
from .belief import Belief

BELIEFS: tuple[Belief, ...] = (
    Belief(
        "rights.controller.simulated",
        "The controller's role may start, stop and patch an instance with the target tag, and grow its volume.",
        "SimulatePrincipalPolicy of the role, on the proof's instance and its volume.",
        "IAM allows all four actions.",
        rights_beliefs.controller_simulated,
    ),
    Belief(
        "rights.controller.real",
        "A session of the controller's role may really do so.",
        "AssumeRole; StartInstances and StopInstances with DryRun, DescribeInstancePatchStates and SendCommand in earnest.",
        "No call is refused.",
        rights_beliefs.controller_really,
    ),
    Belief(
        "rights.scheduler.simulated",
        "The watchdog's schedules may start its runbook: on the document and on the execution.",
        "SimulatePrincipalPolicy of the scheduler role for StartAutomationExecution, on both kinds of resources.",
        "IAM allows it on both.",
        rights_beliefs.scheduler_simulated,
    ),
    Belief(
        "rights.runbook.simulated",
        "The watchdog's runbook may stop an instance with the target tag.",
        "SimulatePrincipalPolicy of the runbook's role for StopInstances, on the proof's instance.",
        "IAM allows it.",
        rights_beliefs.runbook_simulated,
    ),
    Belief(
        "rights.window.simulated",
        "The role of the window's task may start a run, where the stack has one.",
        "SimulatePrincipalPolicy of the window role, for AWX's automation and event, and for the command on the controller's node.",
        "IAM allows all that one of the two needs, or there is no such role.",
        rights_beliefs.window_simulated,
    ),
    Belief(
        "rights.host.no_parameters",
        "The role of a host does not read the parameters of the account.",
        "SimulatePrincipalPolicy of the role in the instance profile, for GetParameter on a parameter.",
        "IAM denies it.",
        rights_beliefs.host_reads_no_parameters,
    ),
    Belief(
        "image.root_size",
        "AWS's images of Windows have a root volume of 30 GiB.",
        "DescribeImages of the image that its public parameter names.",
        "30 GiB.",
        guest_beliefs.root_size,
    ),
    Belief(
        "windows.pending.fresh",
        "A fresh image waits for no reboot.",
        "The script servicing_state, as soon as the node takes commands.",
        "Nothing is pending.",
        patch_beliefs.fresh_is_not_pending,
    ),
    Belief(
        "windows.disk.fresh",
        "Windows shows the root volume's id as the disk's serial number, the disk is GPT, and nothing lies behind C:.",
        "The script measure_disk, compared with DescribeInstances.",
        "The serial number is the volume's id, gpt, nothing behind C:.",
        guest_beliefs.fresh_disk,
    ),
    Belief(
        "run_command.listed",
        "ListCommandInvocations shows a command, with its comment, two and a half minutes after it was sent at the latest.",
        "A command with a comment of its own; the list is read until it has it.",
        "It is listed within 150 s.",
        guest_beliefs.listed_after_send,
    ),
    Belief(
        "run_command.output",
        "Run Command keeps less than 24,000 bytes of an output in GetCommandInvocation and 2,500 in the list, and marks the cut.",
        "A script that prints 30,000 characters, read by both operations.",
        "24,000 bytes with a mark, and 2,500 bytes.",
        guest_beliefs.output_limits,
    ),
    Belief(
        "patch_manager.lags",
        "DescribeInstancePatchStates shows a scan within 5 minutes, DescribeInstancePatches and ListComplianceItems within 10, and "
        "the items name its command.",
        "One scan with a snapshot id of its own; the three operations are asked every 5 s.",
        "All three show it within these times.",
        patch_beliefs.patch_lags,
    ),
    Belief(
        "patch_manager.two_runs",
        "Of two patch runs within two minutes the second says Success and does nothing.",
        "Two scans, ten seconds apart, each with a snapshot id of its own.",
        "The second ends Success, and the state is that of the first.",
        patch_beliefs.two_runs,
    ),
    Belief(
        "patch_manager.clock",
        "OperationEndTime is written by the host's clock, not by AWS's.",
        "Two scans, the second with the host's clock set forward by three minutes.",
        "It moves with the host's clock.",
        patch_beliefs.whose_clock,
    ),
    Belief(
        "patch_manager.pending.others",
        "Patch Manager does not count a reboot that another program waits for.",
        "Windows Update's mark RebootRequired is set without an update; then a scan.",
        "Windows says that it waits for a reboot, and Patch Manager counts none.",
        patch_beliefs.foreign_reboot,
    ),
    Belief(
        "ebs.growth",
        "A root volume that is made larger gives C: more room without a reboot, as soon as the modification is optimizing.",
        "ModifyVolume by 2 GiB, then the scripts measure_disk and extend_partition.",
        "C: has 2 GiB more.",
        guest_beliefs.volume_growth,
    ),
    Belief(
        "windows.services.fresh",
        "Automatic services that end by themselves on a fresh image (EC2Launch) end without an error.",
        "The script inspect_boot as soon as the node takes commands, and again 15 minutes after the boot.",
        "None has ended with an error.",
        guest_beliefs.fresh_services,
    ),
    Belief(
        "patch_manager.pending",
        "After an installation without a reboot Windows says that one is pending, and Patch Manager counts it.",
        "AWS-RunPatchBaseline with Install and NoReboot, then the script servicing_state and DescribeInstancePatchStates.",
        "Both say so.",
        patch_beliefs.pending_is_counted,
    ),
    Belief(
        "ec2.stop.pending",
        "A stop while a reboot is pending ends in time, and the next start finishes the installation.",
        "StopInstances in that state, StartInstances, and a scan.",
        "Nothing is pending and nothing is missing.",
        guest_beliefs.stop_while_pending,
    ),
    Belief(
        "ec2.reads.start",
        "EC2 shows an instance as it was before its start for two minutes at most.",
        "DescribeInstances every 5 s for 150 s after StartInstances.",
        "No read shows the past after 120 s.",
        guest_beliefs.reads_after_start,
    ),
    Belief(
        "windows.starts",
        "The event Kernel-General 12 counts the starts of Windows, also one after a stop.",
        "The script inspect_boot before the stop and after the start.",
        "One start.",
        guest_beliefs.starts_counted,
    ),
    Belief(
        "ssm.stopped.unlisted",
        "DescribeInstanceInformation does not list a stopped instance.",
        "DescribeInstanceInformation after the stop, for 5 minutes.",
        "It is not listed.",
        guest_beliefs.stopped_is_unlisted,
    ),
    Belief(
        "window.without_tasks",
        "A maintenance window without tasks has an execution when it opens.",
        "A window of the proof's own that opens once, and DescribeMaintenanceWindowExecutions.",
        "It has an execution.",
        service_beliefs.window_without_tasks,
    ),
    Belief(
        "watchdog.fires",
        "The watchdog's schedule starts the runbook, and the runbook stops the instance.",
        "A schedule in the account's own group that is due after three minutes.",
        "The instance is stopped within 15 minutes.",
        service_beliefs.switch_fires,
    ),
)
