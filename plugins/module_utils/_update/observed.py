# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One look at what works in a host: the answer of check_host by the names of the checks and the kinds of evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .._base.clock import iso
from .._base.errors import Failed, InvalidOption, LoginRefused
from .._host.check_answers import CheckAnswer, EvidenceAnswer, HostChecks
from .._host.guest_scripts import has_script, run_guest_script
from .._model.checks import BUILD, COMPARED, EVENTS, OFF, SERVICES, UPTIME
from .._operation.context import OperationContext

EVIDENCE_SECONDS = 300
"""For the script and its evidence; each check may take its own time beside."""


@dataclass(frozen=True)
class Observed:
    """What a host answered at one moment.

    Attributes:
        up_seconds: since Windows started; None where the host could not be asked.
        trouble: why it could not be asked.
    """

    checks: Mapping[str, CheckAnswer] = field(default_factory=dict)
    evidence: Mapping[str, EvidenceAnswer] = field(default_factory=dict)
    up_seconds: float | None = None
    trouble: str | None = None


def levels(context: OperationContext) -> dict[str, str]:
    """The level of each kind of evidence that is taken."""
    return {kind: level for kind, level in context.params["evidence"].items() if level != OFF}


def is_asked_for(context: OperationContext) -> bool:
    """Whether a user wants anything but the comparison of services, which needs no command of its own."""
    return bool(context.params["checks"] or set(levels(context)) - {SERVICES})


def observe(context: OperationContext) -> Observed:
    """Ask the host, by one script.

    Raises:
        InvalidOption: the operation was not given the script.
        LoginRefused: the host refuses the log-on.
    """
    if not has_script(context, HostChecks):
        right = f"It must have {HostChecks.SCRIPT}, which runs the checks and takes the evidence."
        raise InvalidOption("scripts", sorted(context.params["scripts"]), right)
    checks = context.params["checks"]
    kinds = [kind for kind in levels(context) if kind in (*COMPARED, EVENTS, BUILD)]
    seconds = EVIDENCE_SECONDS + sum(check["timeout_seconds"] for check in checks)
    sent = [{key: value for key, value in check.items() if key not in {"name", "on"}} for check in checks]
    try:
        answer = run_guest_script(context, HostChecks, seconds, checks=sent, evidence=kinds)
    except LoginRefused:
        raise
    except Failed as error:
        context.report_progress(f"its checks could not be run: {error.reason}")
        return Observed(trouble=error.reason)
    evidence = {row.kind: row for row in answer.evidence if row.kind in kinds}
    if UPTIME in levels(context):
        evidence[UPTIME] = EvidenceAnswer(UPTIME, (f"up since {iso(answer.boot_time)}",), is_cut=False, trouble=None)
    names = [check["name"] for check in checks]
    return Observed(
        checks=dict(zip(names, answer.checks, strict=False)),
        evidence=evidence,
        up_seconds=max(answer.time - answer.boot_time, 0.0),
    )
