# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""Why a host ended as it did, or why a run ended before it began: the reason codes, each with what belongs to it."""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

from .outcomes import Outcome
from .text_enum import TextEnum

if TYPE_CHECKING:
    from typing import Self


class Section(Enum):
    """A section of docs/runbook.md: its heading, and the outcome that its reasons give a host (None: they end no host)."""

    DEFERRED = "`deferred`", Outcome.DEFERRED
    EXCLUDED = "`excluded`", Outcome.EXCLUDED
    HELD = "`held`", Outcome.HELD
    START = "`failed`: start and ready", Outcome.FAILED
    DISK = "`failed`: disk", Outcome.FAILED
    UPDATE = "`failed`: Windows Update", Outcome.FAILED
    GENERAL = "`failed`: in general", Outcome.FAILED
    NONCOMPLIANT = "`noncompliant`", Outcome.NONCOMPLIANT
    BEFORE = "Before anything is touched", None
    PLAN = "What `plan` warns about", None

    def __init__(self, heading: str, outcome: Outcome | None) -> None:
        self.heading = heading
        self.outcome = outcome

    @property
    def anchor(self) -> str:
        """Of the heading, as GitHub makes it: small letters, hyphens for blanks, no other marks."""
        return re.sub(r"[^\w -]", "", self.heading.lower()).replace(" ", "-")


class Reason(TextEnum):
    """A reason code (the report's ``reason_code``), with its section of the runbook and whether the run tries again.

    Attributes:
        section: where the runbook says what to do. A reason that stands in several has the one it comes from most.
        retry_later: whether the same run takes the host once more when the others are through.
        is_external: whether another user or service or the end of the run's credentials caused it, so that it says nothing of the
            updates and spends no failure budget.
    """

    section: Section
    retry_later: bool
    is_external: bool

    def __new__(
        cls, code: str, section: Section = Section.GENERAL, retry_later: bool = False, is_external: bool = False
    ) -> Self:
        member = str.__new__(cls, code)
        member._value_ = code
        member.section = section
        member.retry_later = retry_later
        member.is_external = is_external
        return member

    CREDENTIALS_TOO_SHORT = "credentials_too_short", Section.DEFERRED
    NO_TIME = "no_time", Section.DEFERRED
    NO_CAPACITY = "no_capacity", Section.DEFERRED, True
    NO_HEADROOM = "no_headroom", Section.DEFERRED, True
    BREAKER = "breaker", Section.DEFERRED
    STOOD_STILL = "stood_still", Section.DEFERRED
    LEASED = "leased", Section.DEFERRED
    HOST_OFF = "host_off", Section.DEFERRED
    SESSIONS = "sessions", Section.DEFERRED
    AT_MOST = "at_most", Section.DEFERRED
    IN_USE = "in_use", Section.DEFERRED, False, True
    CLUSTER_NODE = "cluster_node", Section.DEFERRED, False, True
    CLUSTER_BUSY = "cluster_busy", Section.DEFERRED, True
    CLUSTER_UNHEALTHY = "cluster_unhealthy", Section.DEFERRED, False, True
    UNREACHABLE = "unreachable", Section.DEFERRED
    CONNECTION_SETTINGS = "connection_settings", Section.DEFERRED
    LOGIN_REFUSED = "login_refused", Section.DEFERRED
    RUN_INTERRUPTED = "run_interrupted", Section.DEFERRED

    AUTO_SCALING_GROUP = "auto_scaling_group", Section.EXCLUDED, False, True
    MANAGED_BY_SERVICE = "managed_by_service", Section.EXCLUDED, False, True
    SPOT = "spot", Section.EXCLUDED
    HIBERNATED = "hibernated", Section.EXCLUDED
    INSTANCE_STORE = "instance_store", Section.EXCLUDED
    STOP_PROTECTED = "stop_protected", Section.EXCLUDED
    NOT_WINDOWS = "not_windows", Section.EXCLUDED
    NO_WAY_IN = "no_way_in", Section.EXCLUDED
    EXCLUDED_BY_USER = "excluded_by_user", Section.EXCLUDED
    UNTAGGED = "untagged", Section.EXCLUDED, False, True
    KEEP_TAG = "keep_tag", Section.EXCLUDED, False, True
    SCHEDULED = "scheduled", Section.EXCLUDED, False, True

    POWER_UNKNOWN = "power_unknown", Section.HELD
    STOP_TASKS_FAILED = "stop_tasks_failed", Section.HELD
    NO_STOP_TASKS = "no_stop_tasks", Section.HELD
    RESTARTED_BY_OTHERS = "restarted_by_others", Section.HELD, False, True
    START_UNCLEAR = "start_unclear", Section.HELD
    MARK_LEFT = "mark_left", Section.HELD
    STILL_STOPPING = "still_stopping", Section.HELD
    STILL_ON = "still_on", Section.HELD
    TAG_LOST = "tag_lost", Section.HELD, False, True
    INSTALLATION_UNKNOWN = "installation_unknown", Section.HELD
    LET_GO = "let_go", Section.HELD
    INSTALLATION_RUNNING = "installation_running", Section.HELD
    LEASE_LOST = "lease_lost", Section.HELD
    UNEXPECTED_ERROR = "unexpected_error", Section.HELD
    SERVICES_LEFT = "services_left", Section.HELD
    NODE_PAUSED = "node_paused", Section.HELD

    FELL_BACK = "fell_back", Section.START
    START_TIMEOUT = "start_timeout", Section.START
    NOT_SETTLED = "not_settled", Section.START
    STOPPED_BY_OTHERS = "stopped_by_others", Section.START, False, True
    INSTANCE_GONE = "instance_gone", Section.START, False, True
    INSTANCE_TERMINATED = "instance_terminated", Section.START, False, True
    INSTANCE_STOPPED = "instance_stopped", Section.START, False, True
    INSTANCE_STOPPING = "instance_stopping", Section.START, False, True
    INSTANCE_SHUTTING_DOWN = "instance_shutting_down", Section.START, False, True
    AGENT_SILENT = "agent_silent", Section.START
    NO_INSTANCE_PROFILE = "no_instance_profile", Section.START
    NO_COMMAND_RUNS = "no_command_runs", Section.START
    AGENT_LOST = "agent_lost", Section.START
    PRE_TASKS_FAILED = "pre_tasks_failed", Section.START
    POST_TASKS_FAILED = "post_tasks_failed", Section.START
    START_TASKS_FAILED = "start_tasks_failed", Section.START
    ROOM_TASKS_FAILED = "room_tasks_failed", Section.START
    HOST_TIMEOUT = "host_timeout", Section.START
    DRAIN_FAILED = "drain_failed", Section.START
    NO_CLUSTER_COMMANDS = "no_cluster_commands", Section.START

    NO_ROOM = "no_room", Section.DISK
    RECOVERY_PARTITION = "recovery_partition", Section.DISK
    OTHER_PARTITION = "other_partition", Section.DISK
    UNKNOWN_LAYOUT = "unknown_layout", Section.DISK
    NOT_EXTENDED = "not_extended", Section.DISK
    VOLUME_AT_MAXIMUM = "volume_at_maximum", Section.DISK
    MODIFICATION_FAILED = "modification_failed", Section.DISK
    MODIFY_TIMEOUT = "modify_timeout", Section.DISK
    WRONG_VOLUME = "wrong_volume", Section.DISK
    NO_ROOT_VOLUME = "no_root_volume", Section.DISK
    SIZE_NOT_SEEN = "size_not_seen", Section.DISK
    GROWTH_WITHOUT_EFFECT = "growth_without_effect", Section.DISK
    SNAPSHOT_FAILED = "snapshot_failed", Section.DISK

    UPDATE_SERVICE = "update_service", Section.UPDATE
    SERVICE_DISABLED_BY_POLICY = "service_disabled_by_policy", Section.UPDATE
    UPDATE_CACHE_CORRUPT = "update_cache_corrupt", Section.UPDATE
    UPDATE_METADATA_INVALID = "update_metadata_invalid", Section.UPDATE
    CACHE_IN_USE = "cache_in_use", Section.UPDATE
    COMPONENT_STORE_CORRUPT = "component_store_corrupt", Section.UPDATE
    UPDATE_SOURCE_UNREACHABLE = "update_source_unreachable", Section.UPDATE
    UPDATE_PROXY = "update_proxy", Section.UPDATE
    UPDATE_DOWNLOAD_FAILED = "update_download_failed", Section.UPDATE
    UPDATE_SOURCE_FAILED = "update_source_failed", Section.UPDATE
    UPDATE_SOURCE_FORBIDDEN = "update_source_forbidden", Section.UPDATE
    UPDATE_SOURCE_NOT_TRUSTED = "update_source_not_trusted", Section.UPDATE
    UPDATE_ACCESS_DENIED = "update_access_denied", Section.UPDATE
    WINDOWS_UPDATE_BUSY = "windows_update_busy", Section.UPDATE
    REBOOT_PENDING = "reboot_pending", Section.UPDATE
    UPDATES_EXCLUDED = "updates_excluded", Section.NONCOMPLIANT
    FILES_IN_USE = "files_in_use", Section.UPDATE
    WINDOWS_UPDATE_CANCELLED = "windows_update_cancelled", Section.UPDATE
    UPDATE_AGENT_OUTDATED = "update_agent_outdated", Section.UPDATE
    SERVICING_TIMEOUT = "servicing_timeout", Section.UPDATE
    UPDATE_INSTALLER_FAILED = "update_installer_failed", Section.UPDATE
    UPDATE_NEEDS_ANOTHER = "update_needs_another", Section.UPDATE
    LOW_MEMORY = "low_memory", Section.UPDATE
    REPAIR_SOURCE_MISSING = "repair_source_missing", Section.UPDATE
    WINDOWS_DAMAGED = "windows_damaged", Section.UPDATE
    UPDATE_NOT_FOR_HOST = "update_not_for_host", Section.UPDATE
    WINDOWS_UPDATE_BROKEN = "windows_update_broken", Section.UPDATE
    RESTORE_POINT_FAILED = "restore_point_failed", Section.UPDATE
    RESTORE_POINT_TASKS_FAILED = "restore_point_tasks_failed", Section.UPDATE
    INSTALLATION_HUNG = "installation_hung", Section.UPDATE
    INSTALL_TIMEOUT = "install_timeout", Section.UPDATE
    STILL_MISSING = "still_missing", Section.UPDATE
    SERVICES_NOT_BACK = "services_not_back", Section.UPDATE
    CHECK_FAILED = "check_failed", Section.UPDATE
    OTHERS_PATCHING = "others_patching", Section.UPDATE, False, True
    NOT_PROVEN = "not_proven", Section.UPDATE
    SCAN_FAILED = "scan_failed", Section.UPDATE

    SCRIPT_FAILED = "script_failed"
    NO_SCRIPT = "no_script"
    ROLL_BACK_TASKS_FAILED = "roll_back_tasks_failed"
    ROOT_NOT_REPLACED = "root_not_replaced"
    UPDATES_NOT_GONE = "updates_not_gone"
    INVALID_ANSWER = "invalid_answer"
    ANSWER_CUT_OFF = "answer_cut_off"
    ANSWER_TOO_LONG = "answer_too_long"
    CONSTRAINED_LANGUAGE = "constrained_language"
    WRONG_BITNESS = "wrong_bitness"
    POWERSHELL_TOO_OLD = "powershell_too_old"
    EXECUTION_POLICY = "execution_policy"
    SERVICE_STUCK = "service_stuck"
    UNKNOWN_START_TYPE = "unknown_start_type"
    UPDATE_API_REFUSED = "update_api_refused"
    UNKNOWN_SERVICE = "unknown_service"
    RESTART_FAILED = "restart_failed"
    RESTORE_HEALTH_FAILED = "restore_health_failed"
    NO_MSG = "no_msg"
    MSG_FAILED = "msg_failed"
    COMMAND_TIMEOUT = "command_timeout"
    COMMAND_CANCELLED = "command_cancelled"
    COMMAND_FAILED = "command_failed"
    ACCESS_DENIED = "access_denied"
    CREDENTIALS_EXPIRED = "credentials_expired", Section.GENERAL, False, True
    NO_CREDENTIALS = "no_credentials"
    THROTTLED = "throttled"
    UNANSWERED = "unanswered"
    AWS_UNREACHABLE = "aws_unreachable"
    AWS_CLIENT = "aws_client"
    INTERRUPTED = "interrupted"
    TASK_FAILED = "task_failed"
    NOT_RECORDED = "not_recorded"
    LEDGER_FAILED = "ledger_failed"

    UNKNOWN_VARIABLE = "unknown_variable", Section.BEFORE
    INVALID_OPTION = "invalid_option", Section.BEFORE
    EMPTY_SELECTION = "empty_selection", Section.BEFORE
    TOO_MANY_HOSTS = "too_many_hosts", Section.BEFORE
    AMBIGUOUS_HOST = "ambiguous_host", Section.BEFORE
    NO_REGION = "no_region", Section.BEFORE
    NO_RUN = "no_run", Section.BEFORE
    RECORDS_LOST = "records_lost", Section.BEFORE
    UNKNOWN_RUN = "unknown_run", Section.BEFORE
    NO_RESTORE_POINT = "no_restore_point", Section.BEFORE
    BOTO3_MISSING = "boto3_missing", Section.BEFORE
    AMAZON_AWS_MISSING = "amazon_aws_missing", Section.BEFORE
    CORE_TOO_OLD = "core_too_old", Section.BEFORE
    SETTINGS_DIFFER = "settings_differ", Section.BEFORE
    OUTSIDE_WINDOW = "outside_window", Section.BEFORE
    NO_SWITCH = "no_switch", Section.BEFORE

    ROLE_LACKS_RIGHTS = "role_lacks_rights", Section.PLAN
    CUT_OFF = "cut_off", Section.PLAN
    NOT_REGISTERED = "not_registered", Section.PLAN
    AGENT_OLD = "agent_old", Section.PLAN
    VOLUME_UNTAGGED = "volume_untagged", Section.PLAN
    PATCH_POLICY = "patch_policy", Section.PLAN
    PATCH_ASSOCIATION = "patch_association", Section.PLAN

    @property
    def forbids_stop(self) -> bool:
        """Whether nothing of ours may stop the host now, its schedule in the account included."""
        return self in FORBID_STOP

    @property
    def outcome(self) -> Outcome | None:
        """What a host becomes with it if nothing else is decided; None where no host ends with it."""
        return self.section.outcome


FORBID_STOP = frozenset(
    {
        Reason.INSTALLATION_RUNNING,
        Reason.INSTALLATION_UNKNOWN,
        Reason.OTHERS_PATCHING,
        Reason.KEEP_TAG,
        Reason.START_UNCLEAR,
    }
)


class ForeignReason(str):
    """A reason code that is none of ours: an error code of AWS's, or of a user's own script."""

    __slots__ = ()
    outcome = Outcome.FAILED
    retry_later = False
    is_external = False
    forbids_stop = False


ReasonCode: TypeAlias = Reason | ForeignReason


def reason_of(code: str) -> ReasonCode:
    """The reason with this code."""
    try:
        return Reason(code)
    except ValueError:
        return ForeignReason(code)
