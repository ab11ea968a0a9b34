# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Generated from plugins/module_utils/_plan/*_variables.py by `make generate`; change it there.

from __future__ import annotations


class ModuleDocFragment:
    """Options of modules that variables of the playbooks set."""

    HISTORY_DAYS = r"""
options:
  history_days:
    description:
      - How many days the ledger keeps a run. The playbooks C(history) and C(evidence) show the runs of this time.
      - A run that ends deletes older ones from an SQLite file; a table deletes them itself. A run of which a host may still
        be on is never deleted.
      - At least 1.
    type: int
    default: 400
"""

    INSTALL_TIMEOUT_SECONDS = r"""
options:
  install_timeout_seconds:
    description:
      - How long one installation pass may take, in seconds. It is never cut off. Installations that others have started are
        waited for as long.
      - At least 60.
      - Without it, 1.5 times the longest of the host's earlier installations, at least an hour; V(10800) for a host without
        history.
    type: int
"""

    INSTANCE_POWER = r"""
options:
  mark_tag:
    description:
      - Key of a tag that shows, on each EC2 instance, which run is working on it. It is set before the start, with the run's
        id as its value, shows the LaunchTime of the run's start, and is removed when the host is put back. A tag with this
        key that others have set stays as it is.
      - Needs a set-up with the same key as C(MarkTag).
      - Without it, no tag is set.
    type: str
  dead_man_switch:
    description:
      - Create a one-time schedule of Amazon EventBridge for each host that is started. If the controller dies and no later
        run puts the host back, a runbook in the account stops it.
      - Needs a set-up with C(DeadManSwitch=true).
    type: bool
    default: false
  dead_man_switch_margin_seconds:
    description:
      - How long after the end of a host's time (C(patch_host_timeout_seconds)) that schedule fires, in seconds.
      - At least 600.
    type: int
    default: 3600
  setup_prefix:
    description:
      - The parameter C(Prefix) of the account's stack, after which the schedule group, the runbook and its roles are named.
    type: str
    default: PatchFleet
  start_timeout_seconds:
    description:
      - How long a start may take until the instance runs, in seconds. Waiting for capacity and quota counts. Hosts for which
        there was no capacity are tried once more when the others are done.
      - At least 60.
    type: int
    default: 900
"""

    KBS = r"""
options:
  kbs:
    description:
      - Install only these updates, such as V(KB5031364), also where the baseline does not approve them. The outcomes then
        speak of these alone.
    type: list
    elements: str
    default: []
  exclude_kbs:
    description:
      - Do not install these updates. A host that misses one of them is V(noncompliant) with the reason code V(updates_excluded).
    type: list
    elements: str
    default: []
"""

    NOTIFY = r"""
options:
  notify:
    description:
      - A webhook (Slack, Teams, or any that takes JSON) that gets the sums and a link to the report at the end of the run,
        and a message when no other host starts (a stop, an alarm, failed hosts, a controller that stood still) or the run
        continues.
      - 'Its URL is a secret: keep it in a vault or in a credential of AWX. It is in no log, ledger or report. A webhook that
        fails is a warning and changes no outcome.'
      - Without it, no message is sent.
    type: str
  notify_format:
    description:
      - What the webhook takes. V(auto) knows those of Slack and of Teams by their hosts, and sends JSON to all others.
    type: str
    choices: [auto, slack, teams, json]
    default: auto
"""

    PATCH_BASELINE = r"""
options:
  agent_timeout_seconds:
    description:
      - How long a host may take, in seconds, once it runs, until its SSM agent answers, and after a reboot, until its services
        run again.
      - At least 60.
    type: int
    default: 600
  max_passes:
    description:
      - How many installation passes a host gets at most.
      - At least 1.
    type: int
    default: 3
  reboot:
    description:
      - V(if_needed) reboots hosts whose updates ask for it. V(never) leaves that to a later run with C(patch_operation=reboot).
        Hosts that were off are rebooted in both cases.
    type: str
    choices: [if_needed, never]
    default: if_needed
  ignore_services:
    description:
      - Services that need not run again after a reboot. V(*) stands for all.
    type: list
    elements: str
    default: []
  checks:
    description:
      - 'What must work in a host after it was patched, if it worked before: a list of mappings, each with C(name), one of
        C(tcp), C(http), C(service) and C(script), and C(on), the hosts that it is for.'
    type: list
    elements: dict
    default: []
  checks_settle_seconds:
    description:
      - How long a host may take, in seconds, until C(patch_checks) pass and what C(patch_evidence) compares is there again.
    type: int
    default: 300
  evidence:
    description:
      - 'What is taken in a host before and after it is patched, kept in the report and compared: a mapping of kinds to V(failure),
        V(remark) or V(off), which says what it is if something is not there any more. Services are compared without it, and
        are a failure.'
    type: raw
    default: {}
  restore_point:
    description:
      - 'Take a restore point of an EC2 host before its first installation, if something is missing on it: one snapshot of
        its V(root) volume, or of V(all) its volumes at one moment. Where that fails, the host is not patched.'
      - See restore-points.md. Needs the stack's parameter C(AllowSnapshots).
    type: str
    choices: [none, root, all]
    default: none
  restore_point_wait:
    description:
      - Wait until the snapshots of a restore point are complete before anything is installed. They hold the moment at which
        they were taken in any case; only a roll-back needs them complete.
    type: bool
    default: false
  restore_point_days:
    description:
      - How many days a restore point is kept. Later runs and the playbook C(restore_points) delete those that are older.
      - At least 1.
    type: int
    default: 14
"""

    PATCH_HISTORY = r"""
options:
  sla_days:
    description:
      - How many days an update may be missing, by its severity (V(critical), V(important), V(moderate), V(low), V(unspecified)).
        The playbook C(history) names those that are missing longer.
      - Without it, no update has a limit.
    type: dict
  evidence_pack:
    description:
      - 'The playbook C(history) also writes a ZIP for auditors: the history, the report of each run, what each verdict is
        based on, and a manifest of SHA-256 sums.'
    type: bool
    default: false
"""

    REPAIR = r"""
options:
  repair:
    description:
      - 'What a run may repair in Windows Update: V(services) enables disabled services for the time of the run, V(cache)
        replaces a damaged update cache, and V(components) rebuilds a damaged component store. An empty list allows no repair.
        A host that needs one that is not allowed fails, and its reason names the repair.'
    type: list
    elements: str
    choices: [services, cache, components]
    default:
      - services
      - cache
      - components
"""

    REPORT_BUCKET = r"""
options:
  report_bucket:
    description:
      - 'A bucket that gets the report and the history too, for jobs whose disk is deleted when they end: C(s3://BUCKET/PREFIX),
        with C(?region=) where the environment names no region.'
      - The files are under C(PREFIX/RUN_ID/) and C(PREFIX/history/). A rule of the bucket's life cycle deletes old ones.
      - Without it, the report is in files only.
    type: str
  report_kms_key:
    description:
      - The KMS key (id or ARN) that encrypts the report in V(patch_report_bucket).
      - Without it, the bucket's own encryption holds.
    type: str
  report_link_seconds:
    description:
      - The run prints signed links to the report in V(patch_report_bucket), by which everybody who has one can read it for
        this number of seconds. V(0) prints addresses instead. At most seven days; a link ends with the credentials.
    type: int
    default: 0
"""

    SYSTEM_DRIVE_SPACE = r"""
options:
  free_gib:
    description:
      - How much must be free on C:, in GiB. Large updates may need more.
    type: float
    default: 20
  grow_gib:
    description:
      - By how much the root volume may grow, in GiB. V(0) never grows it.
    type: int
    default: 20
  volume_max_gib:
    description:
      - The largest size that the root volume may grow to, in GiB.
      - At least 1.
    type: int
    default: 200
  snapshot_before_grow:
    description:
      - Take a snapshot of the root volume before it grows. The snapshot has the volume's tags and is not deleted again. The
        run does not wait until it is complete, since later writes are not part of it.
      - Needs C(ec2:CreateSnapshot) and C(ec2:CreateTags).
    type: bool
    default: false
  clean_user_temp:
    description:
      - 'Also remove old files from the temporary folders of user profiles, by the rules for C(C:\Windows\Temp), unless the
        profile is in use: its user is logged on, or a service or task of theirs runs.'
    type: bool
    default: false
  user_temp_age_days:
    description:
      - 'With C(patch_clean_user_temp), the age in days from which files in user profiles are old: neither written nor created
        since, and not since Windows started.'
      - At least 7.
    type: int
    default: 30
  reset_base:
    description:
      - Clean the component store with C(/ResetBase). Updates that are installed can then not be removed any more.
    type: bool
    default: false
  remove_old_windows:
    description:
      - Let Windows' Disk Cleanup (C(cleanmgr /autoclean)) remove what an upgrade of Windows left behind more than 10 days
        ago. The upgrade can then not be undone any more. Disk Cleanup also removes what its other handlers find, such as
        memory dumps and error reports.
    type: bool
    default: false
"""

    WINDOWS_SESSIONS = r"""
options:
  clusters:
    description:
      - What happens to nodes of Windows failover clusters, which are found in the host. V(drain) moves their roles to other
        nodes before the host is changed, and asks for them again at the end, one node of a cluster at a time. V(defer) leaves
        nodes alone. V(ignore) does not ask hosts.
      - A node is drained only while all other nodes are up. If the drain fails, the node is resumed, and the host is not
        patched.
    type: str
    choices: [drain, defer, ignore]
    default: ignore
  skip_when:
    description:
      - What must not run on a host that is patched; a host on which it does is left alone. A mapping with C(processes) (names
        of programs), C(cluster_role) (names of roles of its failover cluster) or C(script) (a PowerShell file of the controller
        whose last value is true).
      - A script that fails, or does not end within two minutes, counts as true.
      - Without it, hosts are not asked.
    type: dict
  cluster_timeout_seconds:
    description:
      - How long V(patch_clusters=drain) waits until the other nodes are up, and how long a drain may take, in seconds.
      - At least 60.
    type: int
    default: 1800
"""
