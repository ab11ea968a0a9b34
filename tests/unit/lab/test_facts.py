# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What real AWS does, fact by fact, and the tests that hold the lab to it.

No account can be reached from a development machine, so the emulated one has to be as unkind. A fact that the lab does not
emulate stands at the end, with the reason.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

HERE = Path(__file__).parent

FACTS: dict[str, dict[str, list[str]]] = {
    "Run Command": {
        "SendCommand takes 50 ids at most, none twice, and a Comment of 100 characters": [
            "ssm_commands.the_limits_of_a_call"
        ],
        "one bad id rejects the whole call, also shortly after a start": [
            "ssm_commands.one_bad_id_rejects_the_whole_call",
            "ssm_commands.shortly_after_a_start_the_id_is_not_valid_yet",
        ],
        "MaxErrors is 0: the first failure terminates what no node has taken": [
            "ssm_commands.the_first_failure_terminates_what_no_node_has_taken"
        ],
        "TimeoutSeconds is for the delivery, the run time is the document's own, ExpiresAfter is both": [
            "ssm_commands.what_is_not_delivered_in_time",
            "ssm_commands.the_run_time_is_the_documents_own",
        ],
        "a new command and its states are seen late": [
            "ssm_commands.a_new_command_is_not_seen_at_first",
            "stale_reads.without_stale_reads_each_change_is_seen_late_and_once",
        ],
        "a command can be Success with nodes that never had it": [
            "ssm_commands.a_node_that_goes_before_delivery_is_undeliverable_and_no_error"
        ],
        "StatusDetails are spelled with and without blanks, and a delivery that is tried again is Delayed": [
            "ssm_commands.what_is_not_delivered_in_time",
            "faults.an_invocation_that_ends_without_running",
        ],
        "DeliveryTimedOut does not prove that nothing ran": [
            "faults.a_delivery_that_timed_out_runs_all_the_same",
            "faults.a_node_that_is_off_by_then_never_runs_it",
        ],
        "a denial by tags is an invocation, and AccessDenied and InvalidPlatform count for no MaxErrors": [
            "policy.a_node_whose_tags_forbid_it_is_reported_by_its_invocation",
            "faults.what_never_ran_on_one_node_stops_no_other",
            "ssm_commands.a_script_for_windows_is_no_script_for_linux",
        ],
        "an invocation whose agent dies is InProgress until its time-out": [
            "ssm_commands.if_the_agent_dies_the_invocation_stays_in_progress_until_its_timeout",
            "ssm_commands.an_agent_that_returns_shows_how_it_ended",
        ],
        "output has 24,000 bytes, 8,000 characters and 2,500 bytes in lists; the head is kept": [
            "ssm_output.the_head_of_long_output_is_kept",
            "ssm_output.the_output_has_the_given_number_of_bytes_and_says_that_it_is_cut",
            "ssm_output.the_lists_join_output_and_errors_in_the_given_number_of_bytes",
        ],
        "3010 reboots and runs the same step again, 168 and 169 end the document": [
            "ssm_commands.exit_3010_reboots_and_runs_the_same_step_again",
            "ssm_commands.exit_codes_that_end_the_document",
        ],
        "five commands run at once on one node": ["ssm_commands.five_commands_at_once_on_one_node"],
        "what is killed ends with 137, and a dead document worker is a failure without output": [
            "ssm_commands.what_is_killed_has_the_exit_code_of_a_kill",
            "ssm_commands.a_command_whose_document_worker_is_killed_fails_without_output_and_its_program_continues",
        ],
        "too many pending invocations cancel a whole command before any node has it": [
            "faults.too_many_pending_invocations_cancel_the_command_before_any_node_has_it"
        ],
        "a parameter that names one of the Parameter Store is resolved, or refused": [
            "ssm_commands.parameters_that_a_document_does_not_take"
        ],
        "a script ends itself: an error that did not end it is Success": [
            "agent.the_end_of_a_script_counts_and_not_that_of_a_program_in_it"
        ],
        "rates are limited by operation": ["gate.each_operation_of_ssm_has_a_bucket_too"],
    },
    "The agent, as a 3.3.0.0 did it": {
        "the document of a script comes whole": ["agent.the_document_of_a_script_is_there_whole"],
        "output is whole below 24,000 bytes, then its beginning and a mark; bytes count, not characters": [
            "ssm_output.the_output_has_the_given_number_of_bytes_and_says_that_it_is_cut"
        ],
        "what the lists show of output and errors never has more than 2,500 bytes": [
            "ssm_output.the_lists_join_output_and_errors_in_the_given_number_of_bytes"
        ],
        "0 is Success, any other code Failed, and the errors end with it": [
            "agent.an_exit_code_but_zero_is_a_failure_and_the_errors_end_with_it"
        ],
        "3010 reboots, and the document goes on after it": [
            "ssm_commands.exit_3010_reboots_and_runs_the_same_step_again"
        ],
        "an exception that nothing catches is code 1, and the code of a program inside does not count": [
            "agent.the_end_of_a_script_counts_and_not_that_of_a_program_in_it"
        ],
        "a time limit and a cancel kill with 137, and leave what was printed": [
            "ssm_commands.what_is_killed_has_the_exit_code_of_a_kill",
            "agent.what_was_printed_before_the_time_limit_is_there",
            "agent.what_was_printed_before_a_cancel_is_there",
        ],
        "five run at a time, the others after them": ["agent.seven_at_once_are_five_and_then_two"],
        "quotes, tabs and braces inside of values stay": ["agent.values_come_to_the_script_as_they_are"],
        "a main worker that was killed comes back and reports everything": [
            "agent.a_worker_that_its_parent_restarts_reports_everything"
        ],
        "a document worker that was killed is a failure without output": [
            "ssm_commands.a_command_whose_document_worker_is_killed_fails_without_output_and_its_program_continues"
        ],
    },
    "Managed nodes": {
        "DescribeInstanceInformation has 10 a page and 50 at most": [
            "ssm_nodes.ten_a_page_unless_asked_and_fifty_at_most"
        ],
        "stopped nodes are not listed": ["ssm_nodes.stopped_nodes_are_not_listed"],
        "an agent pings at its start and every five minutes": [
            "ssm_nodes.the_first_ping_comes_after_the_boot_then_one_every_five_minutes"
        ],
        "Online may be stale": ["ssm_nodes.a_stale_node_is_online_from_before_and_stays_so"],
        "GetConnectionStatus is live": ["ssm_nodes.an_agent_that_dies_is_seen_at_once_only_by_the_connection_status"],
        "LaunchTime is new at each start and not at a reboot": [
            "ec2_power.launch_time_is_new_at_each_start_but_not_at_a_reboot"
        ],
        "hybrid nodes are mi-…, without power and EBS": ["ssm_nodes.hybrid_nodes_have_no_instance"],
        "an agent without credentials tries again much later": [
            "profiles.a_host_that_gets_a_profile_becomes_a_managed_node"
        ],
    },
    "Patch Manager": {
        "AWS-RunPatchBaseline takes what DescribeDocument lists": [
            "ssm_commands.describe_document_lists_what_a_document_takes",
            "patching.overrides_are_not_known",
        ],
        "RebootIfNeeded reboots for an old pending reboot, too": [
            "patching.nothing_is_missing_but_a_reboot_is_pending"
        ],
        "an Install does not list what is still missing": [
            "patching.an_install_reboots_and_does_not_list_what_is_still_missing"
        ],
        "the command's end says nothing of the updates": [
            "patching.an_update_that_is_gone_after_the_reboot",
            "patching.an_update_that_is_only_said_to_have_failed",
        ],
        "states, patches and compliance items show up each in its own time": [
            "clocks_and_lags.each_of_patch_managers_answers_has_a_lag_of_its_own",
            "clocks_and_lags.until_then_they_show_what_they_showed_before",
        ],
        "times are by the node's clock": ["clocks_and_lags.what_a_host_writes_is_by_its_own_clock"],
        "ListComplianceItems names the command": ["patching.the_witness_beside_the_snapshot"],
        "two runs within two minutes fail silently": ["patching.two_runs_within_two_minutes_fail_silently"],
        "who was never scanned is absent, a failed search has -1 and 1970": [
            "patching.who_was_never_scanned_is_absent",
            "patching.a_search_that_fails",
        ],
        "the patch group's tag has two spellings": ["patching.the_patch_group_has_two_spellings"],
        "any other scan overwrites the state": ["patching.any_other_scan_takes_the_place_of_ours"],
        "states are asked for 50 nodes at most, and patches have no HRESULT": [
            "patching.patch_states_of_fifty_nodes_at_most_and_patches_without_an_hresult"
        ],
        "the default baseline approves by class and severity": ["patching.severity_counts_over_ssm_but_not_over_winrm"],
    },
    "EC2": {
        "a call is carried out for all of its instances or for none": [
            "ec2_power.one_unknown_id_fails_the_whole_call",
            "ec2_power.a_partly_protected_stop_stops_nothing",
        ],
        "capacity and quota": [
            "ec2_power.capacity_errors_fail_the_call_as_a_whole_and_pass",
            "ec2_power.the_quota_counts_running_and_pending_and_requested_vcpus",
        ],
        "an accepted start may fall back": ["ec2_power.an_accepted_start_can_fall_back"],
        "what is on its way cannot be turned round": ["ec2_power.what_has_started_cannot_be_reversed"],
        "Spot, stop protection, instance store, managed, hibernated": [
            "ec2_power.what_must_not_be_power_cycled",
            "ec2_power.a_hibernated_instance_is_stopped_with_a_reason_of_its_own",
        ],
        "a tag and other marks tell what must not be power-cycled": [
            "ec2_describe.what_marks_a_host_that_must_not_be_power_cycled"
        ],
        "a stop cuts off an installation": ["patching.a_host_that_loses_power_while_it_installs"],
        "managed resources are hidden unless asked for": ["ec2_describe.managed_resources_are_hidden_unless_asked_for"],
        "a key that the caller may not grant": ["ec2_power.a_usable_key_does_not_hinder"],
        "reads are not monotonic": ["stale_reads.a_stale_read_shows_what_an_earlier_one_had_left_behind"],
        "answers are lost after the deed": ["faults.a_call_whose_answer_is_lost_is_done"],
        "token buckets, by operation": [
            "gate.start_requests_have_a_bucket_of_five_that_fills_by_two_a_second",
            "gate.started_instances_have_a_bucket_of_their_own",
            "gate.each_describe_call_has_a_bucket_of_its_own",
            "gate.describing_everything_at_once_has_a_smaller_bucket",
        ],
    },
    "EBS": {
        "four modifications in 24 hours, each after the last completed": [
            "ebs.at_most_four_modifications_in_24_hours",
            "ebs.the_next_has_to_wait_until_the_last_is_completed",
        ],
        "modifying, optimizing, completed; extendable from optimizing on": [
            "ebs.a_modification_goes_through_its_states",
            "ebs.the_guest_sees_a_new_size_from_optimizing_on_and_after_a_rescan",
        ],
        "no shrinking, and a largest size": ["ebs.sizes_that_no_volume_takes"],
        "the root volume is that of RootDeviceName": [
            "ec2_describe.the_root_volume_is_found_by_its_name_not_by_its_position"
        ],
        "Windows shows the volume's id as the disk's serial number": ["guest_scripts.measure_and_extend"],
        "a recovery partition and MBR are in the way": [
            "guest_scripts.a_recovery_partition_blocks_it",
            "guest_scripts.an_mbr_disk_ends_before_two_tebibytes",
        ],
    },
    "IAM and the rest": {
        "credentials that expired answer differently by service": [
            "gate.expired_credentials_answer_differently_by_service"
        ],
        "a chained role's session ends after an hour": ["accounts.a_session_of_a_chained_role_ends_after_an_hour"],
        "the tag must be on the volume": ["policy.a_volume_may_be_grown_if_the_tag_is_on_itself"],
        "a schedule needs iam:PassRole of its role": [
            "scheduler.the_controller_may_set_schedules_in_its_own_group_with_its_own_role_alone"
        ],
        "the hosts' role has AmazonSSMManagedInstanceCore": ["profiles.the_role_of_the_hosts_has_the_agents_rights"],
        "unknown keys are refused in each service's words": ["gate.credentials_that_the_lab_did_not_give_out"],
        "NextExecutionTime may be absent": ["launch.a_window_that_is_made_opens_once_and_is_taken_away"],
        "the document's ARN has no account, and tags stand on the instance's statement": [
            "policy.the_controller_may_send_its_two_documents_and_no_others"
        ],
        "all required resource types are asked for": [
            "scheduler.the_runbook_is_started_with_all_rights_that_aws_requires"
        ],
        "a simulation that lacks a key denies and names it": [
            "setups_and_guardrails.a_simulation_that_lacks_a_key_denies_and_names_it"
        ],
        "service control policies deny with their own words": [
            "setups_and_guardrails.a_guardrail_denies_each_caller_with_its_own_words"
        ],
        "service principals are the same in every partition": ["stacks_that_fail.who_may_assume_a_role"],
        "a failed stack rolls back and leaves what it retains": [
            "stacks_that_fail.what_a_failed_stack_retains_blocks_the_next"
        ],
        "ScheduleOffset, and windows in their time zone": ["windows.a_window_opens_by_its_schedule"],
        "a one-time schedule comes within a minute, and is deleted after its last attempt": [
            "scheduler.it_happens_within_a_minute_of_its_time",
            "scheduler.an_error_of_the_service_is_tried_again_and_the_schedule_stays_until_the_last_attempt",
        ],
        "a schedule that may not call its target is told to a dead-letter queue alone": [
            "scheduler.a_denial_is_final_and_sent_to_the_dead_letter_queue_alone"
        ],
        "UpdateSchedule replaces everything": [
            "scheduler.a_later_time_replaces_an_earlier_one_and_a_deleted_one_never_comes"
        ],
        "DynamoDB: conditions, conflicts, time to live, 400 kB": [
            "tables.a_condition_that_does_not_hold_cancels_the_transaction",
            "tables.a_conflict_is_no_failed_condition",
            "tables.an_item_expires_some_time_after_its_time_to_live",
            "tables.an_item_has_at_most_400_kilobytes",
        ],
    },
}

NOT_EMULATED = {
    "billing by the second with a minimum of 60": "nothing that a run does depends on it",
    "AvailableSecurityUpdatesComplianceStatus": "the lab's baseline is the default one, which does not set it",
    "instance metadata": "no script of the collection asks it",
    "{{ parameter }} in a document": "only AWS's own documents are there, and the agent leaves braces in values alone",
    "CutoffBehavior of a maintenance window": "its tasks only start a run",
    "exit codes modulo 256, and colours in the errors": "Windows has neither: they come from Linux and PowerShell 7",
    "seven days until the default baseline approves": "each update of a scenario is older",
    "Parameter Store's rates, and the 30 seconds of a deleted name": "the collection writes no parameter",
    "Force and SkipOsShutdown of StopInstances": "the judge fails every run that sends one",
    "a volume type in ModifyVolume": "the judge fails every run that sends more than a size",
    "SCSI numbers of disks on Xen": "the guests have the serial numbers of Nitro",
    "the modules of amazon.aws": "the collection calls boto3 itself",
}


@pytest.mark.parametrize(
    ("area", "fact"), [(area, fact) for area, facts in FACTS.items() for fact in facts], ids=lambda text: text[:40]
)
def test_each_fact_has_a_test_that_is_there(area: str, fact: str) -> None:
    named = FACTS[area][fact]
    assert named
    for name in named:
        module, _, test = name.partition(".")
        tree = ast.parse((HERE / f"test_{module}.py").read_text(encoding="utf-8"))
        assert f"test_{test}" in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, name


def test_what_is_not_emulated_has_a_reason() -> None:
    assert all(NOT_EMULATED.values())
