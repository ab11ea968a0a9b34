# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All variables of the playbooks, and the settings that follow from their values."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import cast

from .._base.clock import iso
from .._base.errors import Failed, InvalidOption
from .._model.outcome_tags import OUTCOME_TAGS
from .._model.reasons import Reason
from .._model.settings import Settings
from .._operation.arguments import Argument
from .accounts import refuse_other_partitions
from .host_variables import HOST_VARIABLES
from .report_bucket import ReportBucket, parse_report_bucket
from .run_variables import RUN_VARIABLES
from .slices import check_slice
from .target_variables import TARGET_VARIABLES
from .variable import OWN_PREFIX, PREFIX, Variable
from .variable_kinds import convert

VARIABLES = (*TARGET_VARIABLES, *RUN_VARIABLES, *HOST_VARIABLES)
BY_NAME = {variable.name: variable for variable in VARIABLES}
WATCHDOG_KEEP_TAG = re.compile(r"[0-9A-Za-z_.:/=+@ -]{0,128}")
"""What the runbook of the watchdog takes as its parameter KeepTag."""

OPTION_TYPES = {
    "str": "str",
    "line": "str",
    "webhook": "str",
    "int": "int",
    "float": "float",
    "bool": "bool",
    "list": "list",
    "kbs": "list",
    "dict": "dict",
    "count_or_percent": "str",
    "datetime": "str",
    "accounts": "list",
    "at_most": "list",
    "checks": "list",
    "evidence": "raw",
    "organization": "dict",
    "prices": "raw",
    "skip_when": "dict",
    "sla_days": "dict",
    "slice": "str",
    "stack_set": "dict",
}
"""Types in Ansible's argument specs, by the kinds of variables."""
LISTS_OF_DICTS = ("accounts", "at_most", "checks")


def module_options(module: str) -> dict[str, Argument]:
    """The argument spec of the options that a module takes from variables."""
    return {variable.short_name: _option(variable) for variable in VARIABLES if module in variable.modules}


def _option(variable: Variable) -> Argument:
    option: Argument = {"type": OPTION_TYPES[variable.kind], "no_log": variable.kind == "webhook"}
    if OPTION_TYPES[variable.kind] == "list":
        option["elements"] = "dict" if variable.kind in LISTS_OF_DICTS else "str"
    if variable.choices:
        option["choices"] = list(variable.choices)
    if variable.default is not None:
        option["default"] = variable.default
    return option


def refuse_unknown(names: Iterable[str]) -> None:
    """Raises PatchFleetError for a name with our prefix that is none of ours, and says which one is nearest."""
    for name in sorted(names):
        if not name.startswith(PREFIX) or name.startswith(OWN_PREFIX) or name in BY_NAME:
            continue
        nearest = difflib.get_close_matches(name, BY_NAME, n=1, cutoff=0.0)[0]
        raise Failed(
            f"There is no variable {name}. Did you mean {nearest}? Nothing was touched.", Reason.UNKNOWN_VARIABLE
        )


def read(values: Mapping[str, object]) -> Settings:
    """The variables with their types, the defaults filled in, without the prefix: ``patch_batch_size: "5"`` → batch_size: 5.

    Raises:
        PatchFleetError: an unknown name.
        InvalidOption: a value that cannot be right.
    """
    refuse_unknown(values)
    settings: dict[str, object] = {}
    for variable in VARIABLES:
        given = values.get(variable.name)
        blank = given is None or (given == "" and variable.name != "patch_tag_value")
        settings[key_of(variable)] = variable.default if blank else convert(variable, given)
    return cast("Settings", settings)  # the fields are generated from VARIABLES


def key_of(variable: Variable) -> str:
    """Under which the settings have it."""
    return {"deadline": "deadline_at"}.get(variable.short_name, variable.short_name)


def check_together(settings: Settings, forks: int, now: float) -> None:
    """What no value alone shows.

    Raises:
        InvalidOption: forks that do not fit, a deadline in the past, wildcards in a tag, roles of another partition.
    """
    batch = settings["batch_size"]
    if isinstance(batch, int):
        _check_forks(batch, forks, settings["rollout"])
    _refuse_past("patch_deadline", settings["deadline_at"], now)
    _refuse_past("patch_credentials_expire_at", settings["credentials_expire_at"], now)
    refuse_other_partitions(settings)
    check_slice(settings)
    _check_mark(settings)
    _check_keep_tag(settings)
    _check_history(settings)
    report_bucket_of(settings)


def report_bucket_of(settings: Settings) -> ReportBucket | None:
    """The bucket that the settings name; raises InvalidOption for what is none."""
    return parse_report_bucket(settings["report_bucket"], settings["report_kms_key"], settings["report_link_seconds"])


def _check_mark(settings: Settings) -> None:
    """The mark is set and taken away again, which no tag that means something else may be."""
    owner_tag = str(settings["mark_tag"] or "")
    if settings["outcome_tags"] and owner_tag in OUTCOME_TAGS:
        raise InvalidOption("patch_mark_tag", owner_tag, "patch_outcome_tags sets this tag. It must be another key.")
    taken = {settings["tag_key"], settings["keep_tag"], settings["scheduler_tag"], "Name"}
    if owner_tag in taken or owner_tag.lower().startswith("aws:"):
        right = "It must be a tag key of its own: not the targets', the keep tag's or a scheduler's, not Name, none of AWS's."
        raise InvalidOption("patch_mark_tag", owner_tag, right)


def _check_keep_tag(settings: Settings) -> None:
    """The runbook of the watchdog takes this key as a parameter, and would refuse any other only when it is due."""
    keep_tag = str(settings["keep_tag"] or "")
    if settings["dead_man_switch"] and not WATCHDOG_KEEP_TAG.fullmatch(keep_tag):
        right = "With patch_dead_man_switch it must be of letters without accents, digits, blanks and _ . : / = + @ -, 128 at most."
        raise InvalidOption("patch_keep_tag", keep_tag, right)


def _check_history(settings: Settings) -> None:
    """A roll-back reads the run that took the restore point."""
    kept, needed = settings["history_days"], settings["restore_point_days"]
    if settings["restore_point"] != "none" and kept < needed:
        right = f"With patch_restore_point it must be at least patch_restore_point_days ({needed}), which a roll-back needs."
        raise InvalidOption("patch_history_days", kept, right)


def _refuse_past(name: str, at: float | None, now: float) -> None:
    if at is not None and at <= now:
        raise InvalidOption(name, iso(at), f"It must be in the future; it is {iso(now)} now.")


def _check_forks(batch: int, forks: int, rollout: str) -> None:
    if rollout == "rolling" and forks != batch:
        raise InvalidOption(
            "forks",
            forks,
            "In rolling mode Ansible's forks are the window, so they must be what patch_batch_size says. "
            + _set_forks(str(batch)),
        )
    if forks < batch:
        raise InvalidOption(
            "forks",
            forks,
            f"Ansible would work on {forks} hosts of a batch of {batch} only. {_set_forks(f'{batch} or more')}",
        )


def _set_forks(number: str) -> str:
    return f"Run with --forks {number}, or set Forks in the job template."
