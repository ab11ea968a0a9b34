# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbooks' variables: their names, types, defaults and limits, in one place.

The roles' argument specs and defaults say the same (a test holds them equal).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .._base.clock import iso, parse_iso
from .._base.errors import InvalidOption, PatchFleetError

PREFIX = "patch_"
LONGEST_MESSAGE = 200
OWN_PREFIX = "patch__"
"""Names that roles register results under; never a user's."""


@dataclass(frozen=True)
class Variable:
    """A variable of the playbooks.

    Attributes:
        kind: text, message (one line for people), whole, number, yes_no, words, mapping, share (a number of hosts or a
            percentage), moment (ISO 8601).
        least: smallest valid number; for a share the smallest number of hosts.
    """

    name: str
    kind: str
    default: Any = None
    minimum: float | None = None
    choices: tuple[str, ...] = ()


VARIABLES = (
    Variable("patch_hosts", "text"),
    Variable("patch_tag_key", "text", "PatchGroup"),
    Variable("patch_tag_value", "text", "Windows"),
    Variable("patch_filters", "mapping", {}),
    Variable("patch_regions", "words", []),
    Variable("patch_exclude", "words", []),
    Variable("patch_keep_tag", "text", "patchfleet:keep"),
    Variable("patch_scheduler_tag", "text", "Schedule"),
    Variable("patch_scheduled_ok", "yes_no", False),
    Variable("patch_transport", "text", "auto", choices=("auto", "ssm", "connection")),
    Variable("patch_max_hosts", "whole", 500, minimum=1),
    Variable("patch_batch_size", "share", 5, minimum=1),
    Variable("patch_priority_instance_types", "words", []),
    Variable("patch_pause_seconds", "whole", 0, minimum=0),
    Variable("patch_rollout", "text", "waves", choices=("waves", "rolling")),
    Variable("patch_operation", "text", "install", choices=("install", "scan")),
    Variable("patch_canary", "whole", 0, minimum=0),
    Variable("patch_canary_hosts", "words", []),
    Variable("patch_failure_budget", "share", "20%", minimum=0),
    Variable("patch_max_running", "whole", minimum=1),
    Variable("patch_expected_seconds", "whole", 2700, minimum=1),
    Variable("patch_deadline", "moment"),
    Variable("patch_maintenance_window", "text"),
    Variable("patch_outside_window_ok", "yes_no", False),
    Variable("patch_credentials_expire_at", "moment"),
    Variable("patch_fail_on_deferred", "yes_no", False),
    Variable("patch_mark_tag", "text"),
    Variable("patch_start_timeout_seconds", "whole", 900, minimum=60),
    Variable("patch_dead_man_switch", "yes_no", False),
    Variable("patch_dead_man_switch_margin_seconds", "whole", 3600, minimum=600),
    Variable("patch_setup_prefix", "text", "PatchFleet"),
    Variable("patch_agent_timeout_seconds", "whole", 600, minimum=60),
    Variable("patch_install_timeout_seconds", "whole", 7200, minimum=60),
    Variable("patch_host_timeout_seconds", "whole", 14400, minimum=60),
    Variable("patch_max_passes", "whole", 3, minimum=1),
    Variable("patch_ignore_services", "words", []),
    Variable("patch_free_gib", "number", 20, minimum=0),
    Variable("patch_grow_gib", "whole", 20, minimum=0),
    Variable("patch_volume_max_gib", "whole", 200, minimum=1),
    Variable("patch_snapshot_before_grow", "yes_no", False),
    Variable("patch_reset_base", "yes_no", False),
    Variable("patch_remove_old_windows", "yes_no", False),
    Variable("patch_sessions", "text", "warn", choices=("warn", "ignore", "defer", "wait")),
    Variable("patch_sessions_timeout_seconds", "whole", 3600, minimum=60),
    Variable("patch_sessions_message", "message"),
    Variable("patch_pre_tasks", "words", []),
    Variable("patch_post_tasks", "words", []),
    Variable("patch_start_tasks", "words", []),
    Variable("patch_stop_tasks", "words", []),
    Variable("patch_room_tasks", "words", []),
    Variable("patch_tasks_timeout_seconds", "whole", 600, minimum=1),
    Variable("patch_cloudwatch_output", "yes_no", False),
    Variable("patch_cloudwatch_log_group", "text", "/aws/ssm/patch-manager"),
    Variable("patch_take_over", "yes_no", False),
    Variable("patch_ledger", "text"),
    Variable("patch_ledger_ephemeral_ok", "yes_no", False),
    Variable("patch_report_dir", "text"),
    Variable("patch_run_id", "text"),
)
BY_NAME = {variable.name: variable for variable in VARIABLES}


def refuse_unknown(names: Iterable[str]) -> None:
    """Raises PatchFleetError for a name with our prefix that is none of ours, and says which one is nearest."""
    for name in sorted(names):
        if not name.startswith(PREFIX) or name.startswith(OWN_PREFIX) or name in BY_NAME:
            continue
        nearest = difflib.get_close_matches(name, BY_NAME, n=1, cutoff=0.0)[0]
        raise PatchFleetError(
            f"There is no variable {name}. Did you mean {nearest}? Nothing was touched.", "unknown_variable"
        )


def read(values: dict[str, Any]) -> dict[str, Any]:
    """The variables with their types, the defaults filled in, without the prefix: ``patch_batch_size: "5"`` → batch_size: 5.

    Raises:
        PatchFleetError: an unknown name.
        InvalidOption: a value that cannot be right.
    """
    refuse_unknown(values)
    settings = {}
    for variable in VARIABLES:
        given = values.get(variable.name)
        blank = given is None or (given == "" and variable.name != "patch_tag_value")
        settings[variable.name.removeprefix(PREFIX)] = variable.default if blank else _convert(variable, given)
    settings["deadline_at"] = settings.pop("deadline")
    return settings


def _convert(variable: Variable, given: Any) -> Any:
    _refuse_templates(variable.name, given)
    converted = CONVERTERS[variable.kind](variable.name, given)
    if variable.choices and converted not in variable.choices:
        raise InvalidOption(variable.name, given, f"It must be one of {', '.join(variable.choices)}.")
    if variable.minimum is not None and _number_in(converted) < variable.minimum:
        raise InvalidOption(variable.name, given, f"It must be at least {variable.minimum:g}.")
    return converted


def _refuse_templates(name: str, given: Any) -> None:
    if "{{" in str(given) or "{%" in str(given):
        raise InvalidOption(name, given, "It must not hold a template ('{{' or '{%') once Ansible has rendered it.")


def _number_in(value: Any) -> float:
    return float(str(value).rstrip("%"))


def _text(name: str, given: Any) -> str:
    if isinstance(given, (dict, list)):
        raise InvalidOption(name, given, "It must be text.")
    return str(given).strip()


def _message(name: str, given: Any) -> str:
    """msg.exe takes one line of at most 255 characters, and reads one that begins with a slash as an option of its own."""
    text = _text(name, given)
    if len(text) > LONGEST_MESSAGE or not text.isprintable() or text.startswith("/"):
        right = f"It must be one line of at most {LONGEST_MESSAGE} characters that does not begin with a slash."
        raise InvalidOption(name, given, right)
    return text


def _whole(name: str, given: Any) -> int:
    if isinstance(given, bool) or not re.fullmatch(r"-?\d+", str(given).strip()):
        raise InvalidOption(name, given, "It must be a whole number.")
    return int(given)


def _number(name: str, given: Any) -> float:
    if isinstance(given, bool) or not re.fullmatch(r"-?\d+(\.\d+)?", str(given).strip()):
        raise InvalidOption(name, given, "It must be a number.")
    return float(given)


def _yes_no(name: str, given: Any) -> bool:
    word = str(given).strip().lower()
    if word not in {"true", "yes", "on", "1", "false", "no", "off", "0"}:
        raise InvalidOption(name, given, "It must be true or false.")
    return word in {"true", "yes", "on", "1"}


def _words(name: str, given: Any) -> list[str]:
    parts = given.split(",") if isinstance(given, str) else given
    if not isinstance(parts, list) or any(isinstance(part, (dict, list)) for part in parts):
        raise InvalidOption(name, given, "It must be a list of texts.")
    return [str(part).strip() for part in parts if str(part).strip()]


def _mapping(name: str, given: Any) -> dict[str, list[str]]:
    if not isinstance(given, dict):
        raise InvalidOption(name, given, 'It must be a mapping of EC2 filters, e.g. {"tag:Stage": [dev, test]}.')
    return {str(key): _words(name, value if isinstance(value, list) else [value]) for key, value in given.items()}


def _share(name: str, given: Any) -> Any:
    text = str(given).strip()
    if isinstance(given, bool) or not re.fullmatch(r"-?\d+(\.\d+)?%|-?\d+", text):
        raise InvalidOption(name, given, "It must be a number of hosts (5) or a percentage of them (20%).")
    if text.endswith("%"):
        if not 0 <= float(text[:-1]) <= 100 or (float(text[:-1]) == 0 and BY_NAME[name].minimum):
            raise InvalidOption(name, given, "The percentage must be above 0 and at most 100.")
        return text
    return int(text)


def _moment(name: str, given: Any) -> float:
    try:
        return parse_iso(str(given))
    except ValueError:
        raise InvalidOption(name, given, f"It must be an ISO 8601 time, e.g. {iso(1794697200)}.") from None


CONVERTERS = {
    "text": _text,
    "message": _message,
    "whole": _whole,
    "number": _number,
    "yes_no": _yes_no,
    "words": _words,
    "mapping": _mapping,
    "share": _share,
    "moment": _moment,
}


def check_together(settings: dict[str, Any], forks: int, now: float) -> None:
    """What no value alone shows.

    Raises:
        InvalidOption: forks that do not fit, a deadline in the past, wildcards in a tag.
    """
    batch = settings["batch_size"]
    if isinstance(batch, int):
        _check_forks(batch, forks, settings["rollout"])
    _refuse_past("patch_deadline", settings["deadline_at"], now)

    _refuse_past("patch_credentials_expire_at", settings["credentials_expire_at"], now)
    _check_mark(settings)


def _check_mark(settings: dict[str, Any]) -> None:
    """The mark is set and taken away again, which no tag that means something else may be."""
    owner_tag = str(settings["mark_tag"] or "")
    taken = {settings["tag_key"], settings["keep_tag"], settings["scheduler_tag"], "Name"}
    if owner_tag in taken or owner_tag.lower().startswith("aws:"):
        right = "It must be a tag key of its own: not the targets', the keep tag's or a scheduler's, not Name, none of AWS's."
        raise InvalidOption("patch_mark_tag", owner_tag, right)


def _refuse_past(name: str, at: float | None, now: float) -> None:
    if at is not None and at <= now:
        raise InvalidOption(name, iso(at), f"It must be in the future; it is {iso(now)} now.")


def _check_forks(batch: int, forks: int, rollout: str) -> None:
    if rollout == "rolling" and forks != batch:
        raise InvalidOption(
            "forks",
            forks,
            f"In rolling mode Ansible's forks are the window: run with --forks {batch}, as patch_batch_size says.",
        )
    if forks < batch:
        raise InvalidOption(
            "forks",
            forks,
            f"Ansible would work on {forks} hosts of a batch of {batch} only: run with --forks {batch} or more.",
        )
