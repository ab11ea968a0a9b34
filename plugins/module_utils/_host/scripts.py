# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a script for a Windows host gets its parameters and answers: one base64 JSON document in, one JSON document out.

Nothing that a user sets becomes PowerShell text: base64 has no character that PowerShell or SSM would interpret.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any

from .._base.errors import PatchFleetError
from .._operation.channel import ScriptOutput
from .._operation.context import OperationContext

NOT_TAKEN = frozenset({"DeliveryTimedOut", "Undeliverable", "Terminated"})
NOT_ENDED = frozenset({"TimedOut", "ExecutionTimedOut"})
BEGINNING = re.compile(r'^\{"(patchfleet|script|ok|data|error)":')
"""Of an answer; the order of its keys is PowerShell's."""


PROBE = [
    "# patchfleet-script: probe",
    "$PatchFleetInput = 'e30='",
    '\'{"patchfleet": 1, "script": "probe", "ok": true, "data": {}, "error": null}\'',
]
"""A script that does nothing but answer."""
PROBE_SECONDS = 120


class ScriptEnded(PatchFleetError):
    """A script that has ended, with an error: nothing of it goes on in the host."""


def compose(name: str, text: str, values: dict[str, Any]) -> list[str]:
    """The lines that are sent: which script it is, its parameters, its text."""
    blob = base64.b64encode(json.dumps(values, sort_keys=True).encode()).decode("ascii")
    return [f"# patchfleet-script: {name}", f"$PatchFleetInput = '{blob}'", *text.splitlines()]


def run_script(context: OperationContext, lines: list[str], timeout_seconds: int) -> dict[str, Any]:
    """Run composed lines in the host of the context and return the script's data.

    Raises:
        PatchFleetError: code is the script's error category, or ``script_failed`` where it gave no answer.
    """
    return parse(script_name(lines), context.channel.run_script(lines, timeout_seconds))


def script_name(lines: list[str]) -> str:
    """The name that compose wrote."""
    return lines[0].partition(": ")[2]


def parse(name: str, output: ScriptOutput) -> dict[str, Any]:
    """The data of an answer."""
    answer = _last_document(output.stdout)
    if answer is None and _is_cut_off(output.stdout):
        raise ScriptEnded(
            f"The answer of the script {name} is cut off after {len(output.stdout)} characters: its end is missing.",
            "answer_cut_off",
        )
    if answer is None or answer.get("script") != name:
        _refuse_unanswered(name, output.details)
        said = (output.stderr or output.stdout).strip()
        raise (ScriptEnded if output.status in {"Success", "Failed"} else PatchFleetError)(
            f"The script {name} gave no answer that can be read ({output.details}): {said[-300:] or 'no output'}",
            "script_failed",
        )
    if answer.get("ok"):
        return dict(answer.get("data") or {})
    raise script_error(name, answer.get("error") or {})


def _refuse_unanswered(name: str, details: str) -> None:
    """Time-outs and lost hosts mean the same through SSM as over a connection.

    Source: SSM user guide, "Understanding command statuses".

    Raises:
        PatchFleetError: ``unreachable``, the host never took the command; ``command_timeout``, it did and told nothing more.
    """
    if details in NOT_TAKEN:
        raise PatchFleetError(f"The host did not take the script {name} ({details}).", "unreachable")
    if details in NOT_ENDED:
        raise PatchFleetError(
            f"The script {name} had not ended in time, or the host was lost ({details}).", "command_timeout"
        )


def _is_cut_off(text: str) -> bool:
    """Whether there is an answer without its end."""
    begun = [line for line in text.splitlines() if BEGINNING.match(line)]
    try:
        return bool(begun) and json.loads(begun[-1]) is None
    except ValueError:
        return True


def _last_document(text: str) -> dict[str, Any] | None:
    for line in reversed(text.strip().splitlines()):
        try:
            answer = json.loads(line)
        except ValueError:
            continue
        if isinstance(answer, dict) and answer.get("patchfleet") == 1:
            return answer
    return None


def script_error(name: str, error: dict[str, Any]) -> ScriptEnded:
    """The error that a script answered with."""
    hresult, message = error.get("hresult"), str(error.get("message") or f"{name} failed")
    text = f"{message} ({hresult})" if hresult and str(hresult).lower() not in message.lower() else message
    return ScriptEnded(text, str(error.get("category") or "script_failed"), {"hresult": hresult})
