# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Messages are whole sentences, made in one place of codes and data; no function returns a piece of one."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._base.text import join_names, join_sentences
from ansible_collections.patchfleet.windows.plugins.module_utils._host.servicing import Overrun
from ansible_collections.patchfleet.windows.plugins.module_utils._model.phases import Phase
from ansible_collections.patchfleet.windows.plugins.module_utils._model.reasons import Reason
from ansible_collections.patchfleet.windows.plugins.module_utils._run import messages as run
from ansible_collections.patchfleet.windows.plugins.module_utils._run.common_causes import BreakerCause, BreakerCode
from ansible_collections.patchfleet.windows.plugins.module_utils._update import causes
from ansible_collections.patchfleet.windows.plugins.module_utils._update import messages as update

from .stage import a_run

PLUGINS = Path(__file__).parents[3] / "plugins"
PIECE = re.compile(r"[ ,;]+\(?[A-Za-z{][^ ]*( \S+){2}")
"""A text that starts with a blank or a comma and has three words is glued to the end of another text."""
WSUS = {"kind": "wsus", "url": "http://wsus:8530", "proxy": None}


def texts(source: str) -> Iterator[tuple[int, str]]:
    """Each text of a module with its line; a value in it stands as ``{}``."""
    tree = ast.parse(source)
    parts = {
        id(part)
        for text in ast.walk(tree)
        if isinstance(text, ast.JoinedStr)
        for part in ast.walk(text)
        if part != text
    }
    for node in ast.walk(tree):
        if id(node) in parts:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
        elif isinstance(node, ast.JoinedStr):
            yield (
                node.lineno,
                "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values),
            )


def pieces(source: str) -> list[tuple[int, str]]:
    return [(line, text) for line, text in texts(source) if PIECE.match(text) and "\n" not in text]


def test_no_text_is_a_piece_of_a_sentence() -> None:
    found = {
        f"{path.relative_to(PLUGINS)}:{line}": text
        for path in sorted(PLUGINS.rglob("*.py"))
        for line, text in pieces(path.read_text(encoding="utf-8"))
    }
    assert found == {}


@pytest.mark.parametrize(
    "text",
    [
        '" Its patch_post_tasks have not run."',
        'f", and has made no progress since {since}"',
        'f" The cache is kept: {folders}."',
        'f" ({count} of the hosts)"',
    ],
)
def test_a_piece_of_a_sentence_is_found(text: str) -> None:
    assert pieces(f"message += {text}") != []
    assert pieces('", ".join(names) + " and " + f"{host} is kept: {folders}."') == []


CLAUSE = re.compile(
    r"(it|its|they|their|this|that|the|another|each|no|no one|because|since|but|which|may|cannot)\b"
    r".* (is|are|was|were|has|have|had|does|do|did|could|cannot|can|may|must|lacks?|knows?|opens|builds|failed|started|read)\b"
)
"""A text with subject and verb that starts in the middle of a sentence is inserted into another one."""
LINES = frozenset({"report_progress", "append"})
"""Functions that take a line of progress, which is no sentence."""
NO_MESSAGES = ("_model", "_variables.py", "answers.py")
"""Notes about fields, which tables show, and what was expected of an answer."""


def clauses(source: str) -> list[tuple[int, str]]:
    """The texts of a module that are clauses, without its lines of progress."""
    tree = ast.parse(source)
    lines = {
        part.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LINES
        for part in ast.walk(node)
        if isinstance(part, ast.expr)
    }
    return [
        (line, text)
        for line, text in texts(source)
        if CLAUSE.match(text) and not text.endswith(".") and "\n" not in text and line not in lines
    ]


def test_no_text_is_a_clause_of_a_sentence() -> None:
    found = {
        f"{path.relative_to(PLUGINS)}:{line}": text
        for path in sorted((PLUGINS / "module_utils").rglob("*.py")) + sorted((PLUGINS / "plugin_utils").rglob("*.py"))
        if not any(part in str(path) for part in NO_MESSAGES)
        for line, text in clauses(path.read_text(encoding="utf-8"))
    }
    assert found == {}


@pytest.mark.parametrize(
    "source",
    [
        'doubt = "the tag does not show that the run started it: it was on before"',
        'doubt = f"another user started it again at {at}"',
        'raise Failed(not_valid(f"they could not be renewed: {failure}"))',
        'wanted = f"its VPC lacks the endpoints {names}"',
        'reason = "it opens next at noon" if opens else "AWS knows none"',
    ],
)
def test_a_clause_that_is_inserted_is_found(source: str) -> None:
    assert clauses(source) != []


def test_whole_sentences_and_lines_of_progress_are_no_clauses() -> None:
    assert clauses('context.report_progress("it was not made: trying again")') == []
    assert clauses('reason = "The tag does not show it."') == []


def test_sentences_are_joined_without_those_that_are_not_there() -> None:
    assert join_sentences("One.", None, "", "Two.") == "One. Two."
    assert join_sentences(None) == ""


def test_the_first_names_of_a_long_list_are_named() -> None:
    assert join_names(["a", "b"], 2) == "a, b"
    assert join_names(["a", "b", "c", "d"], 2) == "a, b and 2 more"


@pytest.mark.parametrize(
    ("cause", "sentence"),
    [
        (BreakerCause(BreakerCode.CANARY_FAILED, ("a", "b")), "The canary a, b failed."),
        (BreakerCause(BreakerCode.CANARY_NOT_PATCHED), "No canary was patched, so nothing is proven."),
        (
            BreakerCause(BreakerCode.BUDGET_SPENT, failures=3, budget=2),
            "3 hosts failed, and patch_failure_budget tolerates 2.",
        ),
        (
            BreakerCause(BreakerCode.NOT_BOOTED, ("a",)),
            "a has not come back from its updates, and the other hosts would get the same updates.",
        ),
        (
            BreakerCause(BreakerCode.NO_SOURCE, ("a", "b")),
            "No host has reached its update source yet, and a, b could not.",
        ),
        (
            BreakerCause(BreakerCode.RIGHT_MISSING, ("a", "b"), action="ssm:SendCommand"),
            "Every host needs the right ssm:SendCommand, and AWS refused it for a, b.",
        ),
        (
            BreakerCause(BreakerCode.ACCOUNT_RIGHT_MISSING, ("a", "b"), action="ssm:SendCommand", account="sales (2)"),
            "Every host of the account sales (2) needs the right ssm:SendCommand, and AWS refused it for a, b.",
        ),
        (
            BreakerCause(BreakerCode.ACCOUNT_BUDGET_SPENT, failures=2, budget=1, account="sales (2)"),
            "2 hosts of the account sales (2) failed, and patch_account_failure_budget tolerates 1.",
        ),
    ],
)
def test_each_cause_of_an_open_breaker_is_a_sentence(cause: BreakerCause, sentence: str) -> None:
    assert run.breaker_reason(cause) == sentence
    assert run.no_host_starts(sentence) == f"No other host starts in this run. {sentence}"


def test_there_is_a_sentence_for_each_code_of_the_breaker() -> None:
    sentences = {run.breaker_reason(BreakerCause(code, ("a",))) for code in BreakerCode}
    assert len(sentences) == len(BreakerCode)
    assert all(re.fullmatch(r"\S.*\.", sentence) for sentence in sentences)


def test_a_restore_says_which_hosts_are_on_because_of_a_run() -> None:
    found = {ours: run.host_found("dev-01", "i-1", "R", ours=ours) for ours in (True, False, None)}
    assert found == {
        True: "dev-01 (i-1) of run R: on because of it",
        False: "dev-01 (i-1) of run R: on before it",
        None: "dev-01 (i-1) of run R",
    }


def test_a_host_that_left_its_play_is_described() -> None:
    lost = "Ansible lost it in the phase patch: a task found it unreachable, or ended its play."
    undone, still_on = run.POST_TASKS_MISSING, "It was started for this run and is still on: run `restore`."
    assert run.host_lost(Phase.PATCH, post_tasks_missing=False, restore_command=None) == lost
    assert (
        run.host_lost(Phase.PATCH, post_tasks_missing=True, restore_command="`restore`")
        == f"{lost} {undone} {still_on}"
    )
    interrupted = "The run was interrupted while it worked on this host."
    assert run.host_interrupted(post_tasks_missing=False) == interrupted
    assert run.host_interrupted(post_tasks_missing=True) == f"{interrupted} {undone}"


def test_a_host_that_another_controller_works_on_is_named() -> None:
    assert run.host_busy("web-1 (i-1)", a_run("run-2")) == (
        "Run run-2, which somebody started on controller (process 1), works on web-1 (i-1). It was last active at "
        "2026-11-14T22:00:00Z; its lease ends at 2026-11-14T22:15:00Z, unless it renews it."
    )
    assert run.host_busy("web-1 (i-1)", None) == "Another restore puts web-1 (i-1) back."


def test_no_message_invites_to_take_over_a_run_that_may_be_at_work() -> None:
    """Only the last words of a run do, which is about to end itself."""
    inviting = {
        path.name
        for path in sorted(PLUGINS.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "patch_take_over" in node.value
    }
    assert inviting == {"_exit_notice.py", "run_safety_variables.py"}


@pytest.mark.parametrize(("count", "people"), [(1, "1 person is"), (2, "2 people are")])
def test_users_who_are_logged_on_are_counted(count: int, people: str) -> None:
    assert update.sessions_warning(count) == f"{people} logged on; a reboot will take their work"
    assert update.sessions_deferred(count) == f"{people} logged on (patch_sessions is defer)."
    assert update.sessions_waiting(count, 60) == f"{people} logged on: waiting at most 60 s until no user is"
    assert update.sessions_timed_out(count, 60) == (
        f"{people} still logged on after 60 s (patch_sessions is wait, patch_sessions_timeout_seconds)."
    )
    assert update.sessions_notified(count) == f"{people} logged on and saw the message"


@pytest.mark.parametrize(
    ("overrun", "error", "middle"),
    [
        (Overrun(Reason.INSTALL_TIMEOUT), None, ""),
        (Overrun(Reason.INSTALL_TIMEOUT), "timed out", "The call ended with an error: timed out. "),
        (Overrun(Reason.INSTALLATION_HUNG, no_progress_since="T"), None, "It has made no progress since T. "),
        (
            Overrun(Reason.AGENT_LOST, agent_silent_since="T"),
            None,
            "The SSM agent has been silent since T: the host may not have come back from a reboot. ",
        ),
    ],
)
def test_an_installation_that_did_not_end_is_described(overrun: Overrun, error: str | None, middle: str) -> None:
    assert update.installation_overdue(900, overrun, error) == (
        f"The installation had not ended after 900 s. {middle}It is not cut off; check the host."
    )


def test_the_update_source_is_named_where_the_cause_lies_outside_the_host() -> None:
    advice = causes.NETWORK.advice
    assert update.advice_on(causes.NETWORK, None) == advice
    assert update.advice_on(causes.NETWORK, {"kind": "microsoft"}) == f"Its source is microsoft. {advice}"
    assert update.advice_on(causes.NETWORK, WSUS) == (
        f"Its source is http://wsus:8530. WinHTTP uses no proxy. {advice}"
    )
    assert update.advice_on(causes.NETWORK, {**WSUS, "proxy": "p:80"}) == (
        f"Its source is http://wsus:8530. WinHTTP uses the proxy p:80. {advice}"
    )
    assert update.advice_on(causes.INSTALLER, WSUS) == causes.INSTALLER.advice


def test_what_windows_update_answered_is_a_sentence() -> None:
    broken = update.windows_update_broken
    assert broken("0x8024402C", "No name.", 4) == "Windows Update answered 0x8024402C after 4 searches: No name."
    assert broken("0x8024402C", None, 0) == "Windows Update answered 0x8024402C."
    assert broken(None, "No name", 0) == "Windows Update answered without an error code: No name."


def test_a_search_that_failed_has_its_cause_where_that_is_known() -> None:
    failed = "Windows could not search for updates: 0x1."
    assert update.search_failed("0x1.", causes.UNKNOWN, WSUS) == failed
    installer = f"{causes.INSTALLER.sentence} {causes.INSTALLER.advice}"
    assert update.search_failed("0x1", causes.INSTALLER, WSUS) == f"{failed} {installer}"


def test_missing_updates_are_named_with_their_causes_and_the_backup() -> None:
    missing = "Still missing after the last installation and a fresh scan: KB1, KB2 (0x1)."
    assert update.updates_missing(["KB1", "KB2 (0x1)"], [], None, [], []) == missing
    assert update.updates_missing(["KB1", "KB2 (0x1)"], [causes.CACHE], None, [], ["C:\\old"]) == (
        f"{missing} Windows Update's cache is damaged. The cache from before the repair is kept: C:\\old."
    )
    assert update.updates_missing(["KB1", "KB2 (0x1)"], [causes.CACHE], None, ["cache"], []) == (
        f"{missing} Windows Update's cache is damaged. patch_repair does not allow the repair of cache."
    )


def test_each_cause_is_a_whole_sentence() -> None:
    found = [cause for cause in vars(causes).values() if isinstance(cause, causes.Cause)]
    assert len(found) > 20
    for cause in found:
        assert re.fullmatch(r"[A-Z].*\.", cause.sentence), cause.sentence
        assert not cause.advice or cause.advice.endswith("."), cause.advice
