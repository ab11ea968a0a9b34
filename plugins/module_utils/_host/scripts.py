# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a script for a Windows host gets its parameters and answers: one base64 JSON document in, one JSON document out.

Nothing that a user sets becomes PowerShell text: base64 has no character that PowerShell or SSM would interpret. Nothing that a
host answers is taken as it is: this module reads it, and cleans it, once.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from .._base.errors import CommandTimeout, NoAnswer, Unreachable
from .._base.text import clean_text
from .._model.reasons import Reason
from .._operation.channel import ScriptOutput
from .._operation.context import OperationContext
from .answers import GUEST_REASONS
from .fields import HRESULT, LONGEST_TEXT, ScriptEnded, invalid_answer

NOT_TAKEN = frozenset({"DeliveryTimedOut", "Undeliverable", "Terminated"})
NOT_ENDED = frozenset({"TimedOut", "ExecutionTimedOut"})
ENDED = frozenset({"Success", "Failed"})
"""The statuses with which SSM and a connection report the end of a script that ran."""
BEGINNING = re.compile(r'^\{"(patchfleet|script|ok|data|error)":')
"""Of an answer; the order of its keys is PowerShell's."""
CUT_OFF = "output truncated"
"""In the mark that the SSM agent puts where it cuts (amazon-ssm-agent, iohandler)."""
READ_ONLY_PREFIXES = ("measure_", "inspect_", "missing_", "update_history", "servicing_state", "probe")
"""Of the names of scripts that change nothing in the host."""
LONGEST_QUESTION_SECONDS = 300
"""A script with a longer timeout is not run again where its answer was lost."""
NOT_LOADED = ("SecurityError", "UnauthorizedAccess")
"""The category and the id of the error with which PowerShell refuses a script file (PSSecurityException)."""
LONGEST_MESSAGE = 1000
DEEPEST = 12
"""PowerShell's ConvertTo-Json writes 8 levels in prelude.ps1."""

PROBE = r"""
# patchfleet-script: probe
$PatchFleetInput = 'e30='
$version = $PSVersionTable.PSVersion
$data = '"language": "' + $ExecutionContext.SessionState.LanguageMode + '", "version": "' + $version.Major + '.' + $version.Minor
$data += '", "wow64": "' + $env:PROCESSOR_ARCHITEW6432 + '"'
'{"patchfleet": 1, "script": "probe", "ok": true, "error": null, "data": {' + $data + '}}'
""".strip().splitlines()
"""A script that does nothing but say what the PowerShell of the host can do. It reads properties and joins texts, which Constrained
Language Mode and PowerShell 2.0 allow. Windows sets PROCESSOR_ARCHITEW6432 in a 32-bit process of a 64-bit Windows alone."""
PROBE_SECONDS = 120


@dataclass(frozen=True)
class ErrorMeaning:
    """What an HRESULT means where a script ends with it: a sentence that the reason gets, and the reason code."""

    sentence: str
    code: Reason


NO_MEANINGS: Mapping[str, ErrorMeaning] = MappingProxyType({})


def compose(name: str, text: str, values: dict[str, Any]) -> list[str]:
    """The lines that are sent: which script it is, its parameters, its text."""
    blob = base64.b64encode(json.dumps(values, sort_keys=True, allow_nan=False).encode()).decode("ascii")
    return [f"# patchfleet-script: {name}", f"$PatchFleetInput = '{blob}'", *text.splitlines()]


def run_script(
    context: OperationContext,
    lines: list[str],
    timeout_seconds: int,
    *,
    services_windows: bool = False,
    meanings: Mapping[str, ErrorMeaning] = NO_MEANINGS,
) -> dict[str, Any]:
    """Run composed lines in the host of the context and return the script's data.

    Args:
        context: of the operation.
        lines: what compose made.
        timeout_seconds: for the script.
        services_windows: whether Windows is serviced while the script runs. The fact ``servicing`` says so until the script has
            ended, and stays where its end is unknown: a stop of the host asks the host first. ``working_since`` stays where the
            controller is killed meanwhile: the script runs on, and its time is not idle.
        meanings: what HRESULTs mean for this script, by their spelling ``0x800F0906``.

    Raises:
        PatchFleetError: code is the script's error category, or ``script_failed`` where it gave no answer.
    """
    name = script_name(lines)
    if services_windows:
        now = context.clock.now()
        context.update_facts_and_work(servicing=True, installation_overdue=False, working_since=now)
    output = context.channel.run_script(lines, timeout_seconds)
    if is_lost(output) and reads_only(name) and timeout_seconds <= LONGEST_QUESTION_SECONDS:
        context.report_progress(f"no answer to the script {name}: Windows may have rebooted, running it again")
        again = context.channel.run_script(lines, timeout_seconds)
        output = output if is_silent(again) else again
    if services_windows:
        context.update_facts(servicing=not has_ended(name, output), working_since=None)
    return parse(name, output, meanings)


def reads_only(name: str) -> bool:
    """Whether the script of this name changes nothing in the host."""
    return name.startswith(READ_ONLY_PREFIXES)


def is_lost(output: ScriptOutput) -> bool:
    """Whether a script ended as those do that a reboot ends, or a crash of the agent: SSM hears no more of it, or hears that it
    failed, without a word. Others may reboot a host at any time, so a short script that only reads is run again.

    Source: amazon-ssm-agent, which reports a document whose worker is gone as failed.
    """
    return output.details in NOT_ENDED or (output.details == "Failed" and is_silent(output))


def is_silent(output: ScriptOutput) -> bool:
    """Whether a script has printed nothing."""
    return not (output.stdout.strip() or output.stderr.strip())


def has_ended(name: str, output: ScriptOutput) -> bool:
    """Whether nothing of a script continues in the host; where this is False, it is unknown."""
    answer = last_document(output.stdout)
    if _is_cut_off(output.stdout) if answer is None else answer.get("script") == name:
        return True
    return output.details not in NOT_TAKEN | NOT_ENDED and (
        output.status in ENDED or is_refused_by_policy(output.stderr)
    )


def script_name(lines: list[str]) -> str:
    """The name that compose wrote."""
    return lines[0].partition(": ")[2]


def parse(name: str, output: ScriptOutput, meanings: Mapping[str, ErrorMeaning] = NO_MEANINGS) -> dict[str, Any]:
    """The data of an answer: its texts are clean and its numbers are finite.

    Raises:
        ScriptEnded: the script has ended without it (has_ended).
        Unreachable, CommandTimeout, NoAnswer: whether the script has ended is unknown.
    """
    answer = last_document(output.stdout)
    if answer is None and _is_cut_off(output.stdout):
        raise ScriptEnded(
            f"The answer of the script {name} is cut off after {len(output.stdout)} characters: its end is missing.",
            Reason.ANSWER_CUT_OFF,
        )
    if answer is None or answer.get("script") != name:
        _refuse_unanswered(name, output.details)
        refuse_execution_policy(output.stderr)
        written = clean_text((output.stderr or output.stdout)[-LONGEST_TEXT:].strip())
        sentence = (
            f"The script {name} gave no answer that can be read ({output.details}): {written[-300:] or 'no output'}"
        )
        if output.status in ENDED:
            raise ScriptEnded(sentence, Reason.SCRIPT_FAILED)
        raise NoAnswer(sentence)
    answer = _cleaned(name, answer)
    if answer.get("ok") is True:
        return _object(answer.get("data"))
    raise script_error(name, _object(answer.get("error")), meanings)


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _cleaned(name: str, value: Any, depth: int = 0) -> Any:
    """The same value with clean texts; ScriptEnded for a number that is not finite, and for what is nested too deeply."""
    if depth > DEEPEST:
        raise invalid_answer(name, "the document", f"nested at most {DEEPEST} levels deep")
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise invalid_answer(name, "each number", "finite")
    if isinstance(value, list):
        return [_cleaned(name, item, depth + 1) for item in value]
    if isinstance(value, dict):
        return {clean_text(key): _cleaned(name, item, depth + 1) for key, item in value.items()}
    return value


def _refuse_unanswered(name: str, details: str) -> None:
    """Time-outs and lost hosts mean the same through SSM as over a connection.

    Source: SSM user guide, "Understanding command statuses".

    Raises:
        PatchFleetError: ``unreachable``, the host never took the command; ``command_timeout``, it did and reported nothing more.
    """
    if details in NOT_TAKEN:
        raise Unreachable(f"The host did not take the script {name} ({details}).")
    if details in NOT_ENDED:
        raise CommandTimeout(f"The script {name} had not ended in time, or the host was lost ({details}).")


def refuse_execution_policy(stderr: str) -> None:
    """Windows PowerShell has loaded no script, since a Group Policy wants signed ones, or none.

    The SSM agent passes ``-ExecutionPolicy unrestricted``, which a Group Policy overrides. The names in the error are never
    localised.
    Source: Microsoft Learn, "about_Execution_Policies".

    Raises:
        ScriptEnded: ``execution_policy``.
    """
    if is_refused_by_policy(stderr):
        raise ScriptEnded(
            "A policy of the host lets PowerShell run no script that is not signed. Set the Group Policy Turn on Script Execution "
            "to local scripts (RemoteSigned): Patch Manager's own scripts need that, too.",
            Reason.EXECUTION_POLICY,
        )


def is_refused_by_policy(stderr: str) -> bool:
    """Whether PowerShell refused to load the script; see refuse_execution_policy."""
    return all(word in stderr for word in NOT_LOADED)


def _is_cut_off(text: str) -> bool:
    """Whether there is an answer without its end."""
    lines = [line.strip() for line in text.splitlines() if BEGINNING.match(line)]
    return bool(lines) and (not lines[-1].endswith("}") or CUT_OFF in text)


def last_document(text: str) -> dict[str, Any] | None:
    """The last answer of a script among what was printed; None where there is none."""
    for line in reversed(text.strip().splitlines()):
        try:
            answer = json.loads(line, parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            continue
        if isinstance(answer, dict) and answer.get("patchfleet") == 1:
            return answer
    return None


def _refuse_constant(name: str) -> None:
    """Python reads NaN and Infinity, which JSON does not have (RFC 8259, section 6)."""
    raise ValueError(f"{name} is no JSON")


def script_error(name: str, error: dict[str, Any], meanings: Mapping[str, ErrorMeaning] = NO_MEANINGS) -> ScriptEnded:
    """The error that a script answered with. Its reason code is one of GUEST_REASONS, whatever the host says, or that of its
    HRESULT in ``meanings``.
    """
    category, hresult, message = error.get("category"), error.get("hresult"), error.get("message")
    code = Reason(category) if isinstance(category, str) and category in GUEST_REASONS else Reason.SCRIPT_FAILED
    text = clean_text(message, LONGEST_MESSAGE) if isinstance(message, str) and message else f"{name} failed"
    known = hresult if isinstance(hresult, str) and HRESULT.fullmatch(hresult) else None
    if known and known.lower() not in text.lower():
        text = f"{text} ({known})"
    meaning = meanings.get(f"0x{known[2:].upper()}") if known else None
    if meaning:
        text, code = f"{text} {meaning.sentence}", meaning.code
    return ScriptEnded(text, code, {"hresult": known})
