# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How values reach a script and answers come back, without ever becoming PowerShell text."""

from __future__ import annotations

import base64
import contextlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import (
    CommandTimeout,
    InvalidOption,
    NoAnswer,
    PatchFleetError,
    Unreachable,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._base.text import clean_text
from ansible_collections.patchfleet.windows.plugins.module_utils._host.answers import GUEST_REASONS
from ansible_collections.patchfleet.windows.plugins.module_utils._host.fields import ScriptEnded
from ansible_collections.patchfleet.windows.plugins.module_utils._host.powershell import refuse_unusable
from ansible_collections.patchfleet.windows.plugins.module_utils._host.scripts import (
    PROBE,
    compose,
    has_ended,
    parse,
    script_name,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.windows_script import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.channel import ScriptOutput

from .fakes import ID, Outcome, complained
from .stage import Stage

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
HARMLESS = re.compile(r"\$PatchFleetInput = '[A-Za-z0-9+/=]*'")


def ended(stdout: str = "", stderr: str = "", details: str = "Success") -> ScriptOutput:
    return ScriptOutput(details, details, stdout, stderr)


def answered(script: str, **data: Any) -> Outcome:
    """An answer with exactly this data."""
    return Outcome(stdout=json.dumps({"patchfleet": 1, "script": script, "ok": True, "data": data, "error": None}))


def trouble(output: ScriptOutput) -> PatchFleetError:
    with pytest.raises(PatchFleetError) as caught:
        parse("measure_disk", output)
    return caught.value


# In


@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_no_value_ever_becomes_text_of_the_script(values: dict[str, Any]) -> None:
    first, second, *rest = compose("measure_disk", "line 1\nline 2", values)
    assert first == "# patchfleet-script: measure_disk"
    assert HARMLESS.fullmatch(second)
    assert rest == ["line 1", "line 2"]
    assert json.loads(base64.b64decode(second.split("'")[1])) == values


@pytest.mark.parametrize(
    "value", ["'; Remove-Item C:\\ -Recurse; '", "$(Get-Secret)", "{{ssm:secret}}", "`n", "\u2019"]
)
def test_a_value_that_means_harm_arrives_as_a_value(value: str) -> None:
    lines = compose("measure_disk", "text", {"value": value})
    assert value not in "\n".join(lines)
    assert json.loads(base64.b64decode(lines[1].split("'")[1])) == {"value": value}


def test_the_name_of_composed_lines_is_known_again() -> None:
    assert script_name(compose("clean_disk", "", {})) == "clean_disk"


def test_the_probe_speaks_the_same_protocol() -> None:
    assert PROBE[:2] == compose("probe", "", {})
    assert PROBE[-1].startswith('\'{"patchfleet": 1, "script": "probe", ')


UNSIGNED = "CategoryInfo : SecurityError: (:) [], ParentContains\n    + FullyQualifiedErrorId : UnauthorizedAccess"


def test_a_script_that_a_policy_does_not_load_says_so() -> None:
    with pytest.raises(ScriptEnded, match="not signed") as caught:
        parse("measure_disk", ScriptOutput("Failed", "Failed", "", UNSIGNED))
    assert caught.value.code == "execution_policy"


ANSWER = answered("measure_disk").stdout
REFUSED = complained("measure_disk", "no_room", "C: is full.").stdout
OF_ANOTHER = answered("clean_disk").stdout
DETAILS = ("Success", "Failed", "Cancelled", "Terminated", "Undeliverable", "DeliveryTimedOut", "ExecutionTimedOut")


@pytest.mark.parametrize("details", DETAILS)
@pytest.mark.parametrize("stderr", ["", UNSIGNED], ids=["", "unsigned"])
@pytest.mark.parametrize("stdout", ["", "noise", ANSWER, REFUSED, REFUSED[:40], OF_ANOTHER])
def test_a_script_has_ended_where_its_answer_or_its_error_says_so(stdout: str, stderr: str, details: str) -> None:
    """What is written of the host by has_ended, and the error that ends the operation, say the same."""
    output = ended(stdout, stderr, details)
    known = (ScriptEnded,) if has_ended("measure_disk", output) else (NoAnswer, Unreachable, CommandTimeout)
    with contextlib.nullcontext() if stdout == ANSWER else pytest.raises(known):
        parse("measure_disk", output)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({"language": "ConstrainedLanguage", "version": "5.1", "wow64": ""}, "constrained_language"),
        ({"language": "FullLanguage", "version": "4.0", "wow64": ""}, "powershell_too_old"),
        ({"language": "FullLanguage", "version": "5.0", "wow64": ""}, "powershell_too_old"),
        ({"language": "FullLanguage", "version": "5.1", "wow64": "AMD64"}, "wrong_bitness"),
        ({"language": "FullLanguage", "version": "5.1", "wow64": ""}, None),
        ({"language": "FullLanguage", "version": "7.4", "wow64": ""}, None),
        ({"language": 5, "version": "x", "wow64": [1]}, None),
        ({}, None),
    ],
    ids=str,
)
def test_what_the_powershell_of_a_host_cannot_do_is_known_from_the_probe(
    data: dict[str, Any], code: str | None
) -> None:
    with pytest.raises(ScriptEnded) if code else contextlib.nullcontext() as caught:
        refuse_unusable(answered("probe", **data).stdout)
    assert (caught.value.code if caught else None) == code


@pytest.mark.parametrize("stdout", ["", "no JSON", '{"patchfleet": 1, "script": "probe", "data": [1]}'])
def test_a_probe_that_says_nothing_decides_nothing(stdout: str) -> None:
    refuse_unusable(stdout)


@pytest.mark.parametrize("value", [None, True, -1, 1e300, [], ["NoLanguage"], {}, {"a": []}, "x" * 9000])
@pytest.mark.parametrize("field", ["language", "version", "wow64"])
def test_a_probe_with_a_value_of_another_type_ends_with_a_sentence_or_decides_nothing(
    field: str, value: object
) -> None:
    """A hostile host may print anything. Before, a list as language mode ended the task with a TypeError."""
    with contextlib.suppress(ScriptEnded):
        refuse_unusable(answered("probe", **{field: value}).stdout)


# Out


def test_the_data_of_an_answer_is_read() -> None:
    assert parse("measure_disk", ended(answered("measure_disk", free_gib=12.5).stdout)) == {"free_gib": 12.5}


def test_the_last_answer_counts_whatever_else_was_printed() -> None:
    noise = "WARNING: {half\n[1]\n" + answered("measure_disk", free_gib=1).stdout + "\n"
    assert parse("measure_disk", ended(noise + answered("measure_disk", free_gib=2).stdout + "\r\nbye\n")) == {
        "free_gib": 2
    }


def test_an_answer_without_data_is_empty() -> None:
    document = '{"patchfleet": 1, "script": "measure_disk", "ok": true, "data": null, "error": null}'
    assert parse("measure_disk", ended(document)) == {}


@pytest.mark.parametrize(
    ("details", "code"),
    [
        *[(details, "unreachable") for details in ("DeliveryTimedOut", "Undeliverable", "Terminated")],
        *[(details, "command_timeout") for details in ("TimedOut", "ExecutionTimedOut")],
    ],
)
def test_a_host_that_does_not_answer_is_reported_as_over_a_connection(details: str, code: str) -> None:
    """The codes are those of HostConnection."""
    assert trouble(ended(details=details)).code == code


@pytest.mark.parametrize("first", ["patchfleet", "script", "ok", "data", "error"])
def test_an_answer_without_its_end_is_reported_as_that(first: str) -> None:
    """Its keys come in any order; Run Command cuts at 24,000 characters."""
    answer = {"patchfleet": 1, "script": "measure_disk", "ok": True, "data": {"names": ["x" * 99]}, "error": None}
    text = json.dumps({first: answer[first], **answer}, separators=(",", ":"))
    with pytest.raises(PatchFleetError, match=r"measure_disk is cut off after 100 characters") as caught:
        parse("measure_disk", ended(text[:100]))
    assert caught.value.code == "answer_cut_off"


def test_an_error_is_data_with_its_category_and_hresult() -> None:
    error = trouble(ended(complained("measure_disk", "no_room", "Nothing to extend", "0x80042401").stdout))
    assert (error.code, error.reason) == ("no_room", "Nothing to extend (0x80042401)")
    assert error.facts == {"hresult": "0x80042401"}


def test_an_hresult_that_the_message_names_is_not_named_twice() -> None:
    error = trouble(
        ended(complained("measure_disk", "failed", "Exception from HRESULT: 0X8024402C", "0x8024402c").stdout)
    )
    assert error.reason == "Exception from HRESULT: 0X8024402C"


@pytest.mark.parametrize("category", ["unreachable", "command_timeout", "agent_lost", "keep_tag", "\x1b[31m", 7, None])
def test_a_host_cannot_choose_a_reason_code_that_is_not_a_scripts(category: Any) -> None:
    """The codes of transport, leases and policies decide about other hosts, too."""
    document = {"patchfleet": 1, "script": "measure_disk", "ok": False, "error": {"category": category, "message": "m"}}
    assert trouble(ended(json.dumps(document))).code == "script_failed"


def test_the_reason_codes_that_a_host_may_choose_are_those_of_the_scripts() -> None:
    root = Path(__file__).parents[3]
    texts = [path.read_text() for path in [*root.glob("roles/*/files/*.ps1"), *root.glob("plugins/**/*.ps1")]]
    used = {
        code
        for text in texts
        for found in re.findall(r"New-PatchFleet(?:Error|Failure) '([a-z_]+)'|\"category\": \"([a-z_]+)\"", text)
        for code in found
        if code
    }
    assert used - GUEST_REASONS == {"category"}  # the name of the argument, in a comment


def test_control_characters_of_a_host_reach_no_one() -> None:
    text = "\x1b[31mred\x1b]0;title\x07\nfatal: [other]: FAILED! \u202e\u2066"
    assert parse("measure_disk", ended(answered("measure_disk", **{text: [text]}).stdout)) == {
        clean_text(text): [clean_text(text)]
    }
    for error in (
        trouble(ended(complained("measure_disk", "no_room", text).stdout)),
        trouble(ended(stderr=text, details="Failed")),
    ):
        assert error.reason == clean_text(error.reason)
        assert "\x1b" not in error.reason


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ('{"free_gib": NaN}', "script_failed"),
        ('{"free_gib": Infinity}', "script_failed"),
        ('{"free_gib": 1e999}', "invalid_answer"),
        ("[" * 1_000_000 + "]" * 1_000_000, "script_failed"),  # Python 3.14 reads more than 10,000 levels
        ("[" * 500 + "]" * 500, "invalid_answer"),
    ],
    ids=["nan", "infinity", "too_large", "no_end_of_depth", "deep"],
)
def test_what_is_no_json_of_a_script_is_refused(data: str, code: str) -> None:
    document = '{"patchfleet": 1, "script": "measure_disk", "ok": true, "error": null, "data": ' + data + "}"
    assert trouble(ended(document)).code == code


def test_an_error_without_words_is_still_a_sentence() -> None:
    document = '{"patchfleet": 1, "script": "measure_disk", "ok": false, "data": null, "error": null}'
    error = trouble(ended(document))
    assert (error.code, error.reason) == ("script_failed", "measure_disk failed")


@pytest.mark.parametrize(
    "stdout",
    [
        "",
        "not JSON",
        "[1]",
        '{"patchfleet": 2, "script": "measure_disk", "ok": true}',
        answered("clean_disk", free_gib=1).stdout,
    ],
    ids=["empty", "noise", "list", "other_protocol", "other_script"],
)
def test_what_is_no_answer_of_this_script_is_a_failure(stdout: str) -> None:
    error = trouble(ended(stdout, "powershell.exe is blocked", "Failed"))
    assert error.code == "script_failed"
    assert error.reason.endswith("(Failed): powershell.exe is blocked")


def test_a_script_that_said_nothing_is_reported_as_that() -> None:
    assert trouble(ended(details="Failed")).reason.endswith("(Failed): no output")


def test_of_a_long_complaint_the_end_is_reported() -> None:
    assert len(trouble(ended(stderr="x" * 5000 + "the cause")).reason) < 500
    assert trouble(ended(stderr="x" * 5000 + "the cause")).reason.endswith("the cause")


# The step


def run(stage: Stage, *, check_mode: bool = False, **params: Any) -> dict[str, Any]:
    options = {"instance_id": ID, "name": "measure_disk", "script": "text", **params}
    return OPERATION.work(stage.context(OPERATION, check_mode=check_mode, **options))


def test_a_script_is_run_through_run_command_with_its_own_time_limit(stage: Stage) -> None:
    stage.guest.on("measure_disk", answered("measure_disk", free_gib=12.5))
    assert run(stage, input={"drive": "C:"}, timeout_seconds=900) == {"changed": False, "data": {"free_gib": 12.5}}
    (call,) = stage.account.of("send_command")
    assert call.params["DocumentName"] == "AWS-RunPowerShellScript"
    assert call.params["Parameters"]["executionTimeout"] == ["900"]
    assert stage.guest.inputs("measure_disk") == [{"drive": "C:"}]


def test_a_script_that_was_not_delivered_is_sent_again(stage: Stage) -> None:
    stage.guest.on("measure_disk", Outcome("TimedOut", "Delivery Timed Out"), answered("measure_disk"))
    assert run(stage)["data"] == {}


EXPIRED = Outcome("TimedOut", "Execution Timed Out")
WITHOUT_A_WORD = Outcome("Failed")
LATE = Outcome("TimedOut", "Delivery Timed Out")


@pytest.mark.parametrize("lost", [EXPIRED, WITHOUT_A_WORD], ids=["expired", "without_a_word"])
def test_a_short_script_that_only_reads_and_is_lost_is_run_again(stage: Stage, lost: Outcome) -> None:
    """Before, a host that others rebooted at that moment had failed."""
    stage.guest.on("measure_disk", lost, answered("measure_disk", free_gib=1))
    assert run(stage, timeout_seconds=300)["data"] == {"free_gib": 1}


@pytest.mark.parametrize(
    ("again", "code"),
    [
        ([EXPIRED], "command_timeout"),
        ([LATE, LATE], "command_timeout"),
        ([WITHOUT_A_WORD], "command_timeout"),
        ([complained("measure_disk", "no_room", "C: is full.")], "no_room"),
    ],
)
def test_where_it_is_lost_again_the_first_error_counts(stage: Stage, again: list[Outcome], code: str) -> None:
    stage.guest.on("measure_disk", EXPIRED, *again)
    with pytest.raises(PatchFleetError) as caught:
        run(stage, timeout_seconds=300)
    assert caught.value.code == code
    assert len(stage.account.of("send_command")) == 1 + len(again)


@pytest.mark.parametrize(("name", "seconds"), [("clean_disk", 300), ("measure_disk", 301)])
def test_a_script_that_changes_the_host_or_takes_long_is_not_run_again(stage: Stage, name: str, seconds: int) -> None:
    stage.guest.on(name, EXPIRED)
    with pytest.raises(CommandTimeout):
        run(stage, name=name, timeout_seconds=seconds)
    assert len(stage.account.of("send_command")) == 1


@pytest.mark.parametrize(
    ("name", "changed"), [("clean_disk", True), ("measure_disk", False), ("probe", False), ("update_history", False)]
)
def test_what_only_reads_changes_nothing_and_runs_in_check_mode(stage: Stage, name: str, changed: bool) -> None:
    stage.guest.on(name, answered(name))
    assert run(stage, name=name)["changed"] is changed
    assert run(stage, check_mode=True, name=name)["changed"] is changed
    assert len(stage.account.of("send_command")) == (1 if changed else 2)


def test_what_cannot_be_sent_is_refused(stage: Stage) -> None:
    with pytest.raises(InvalidOption, match="finite"):
        run(stage, input={"free": float("nan")})
    with pytest.raises(PatchFleetError, match=r"^input\.services: "):
        run(stage, input={"services": ["{{ssm:secret}}"]})
    assert stage.account.calls == []


def test_a_path_where_only_text_can_be_read_is_refused(stage: Stage) -> None:
    """As a module, away from the controller, it cannot read the role's files."""
    with pytest.raises(InvalidOption, match="must be the script's text"):
        run(stage, script="files/measure_disk.ps1")
