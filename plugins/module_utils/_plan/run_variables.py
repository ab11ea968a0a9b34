# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a run goes: the other variables that count for a whole run. After a change, run ``make generate``."""

from __future__ import annotations

from .run_evidence_variables import EVIDENCE_OF_RUNS
from .run_safety_variables import SAFETY_OF_RUNS
from .variable import EVERY_ROLE, Variable

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
        details=(
            "Hosts without a history follow what Patch Manager has recorded: most updates missing first, then last patched longest "
            "ago, then those that are off. The plan says what V(rolling) would save."
        ),
        default="waves",
        choices=("waves", "rolling"),
        roles=("discover",),
    ),
    Variable(
        "patch_runner",
        "str",
        "pace",
        description=(
            "What takes hosts through their steps. V(tasks) are tasks of Ansible, with a worker process for each host at work. "
            "V(threads) is one worker process for all hosts of a batch that Systems Manager reaches, which does the same steps "
            "with a fraction of the CPU time and memory. V(auto) is V(tasks)."
        ),
        details=(
            "Hosts with tasks of your own, hosts that need a step that only some runs have, and hosts without Systems Manager have "
            "tasks of Ansible in any case, in the same run."
        ),
        default="auto",
        choices=("auto", "tasks", "threads"),
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
            "It holds over all waves and all runs of the ledger. A share is one of the targets in the group, of all slices, and at "
            "least one host. A host without the tag, or outside EC2 for zones, has no such limit."
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
        unset="1.5 times the longest of the host's earlier workflows, at least V(14400)",
        minimum=60,
        roles=("discover",),
    ),
    *SAFETY_OF_RUNS,
    *EVIDENCE_OF_RUNS,
)
