# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: night
type: stdout
short_description: One line for what matters, and a board that stands still below it
version_added: 1.0.0
author: Patch Fleet contributors (@patchfleet)
description:
  - Prints the lines in which the collection reports progress, its plan and its report, each problem at once in a line of its
    own, and a recap of the hosts that failed. It prints no headings of plays and tasks, and no line for a task that is C(ok),
    C(changed) or C(skipping).
  - In a terminal it shows below these lines where the run stands. This board is drawn again in the same lines every five
    seconds. It needs the Python library C(rich) where Ansible runs. Elsewhere (no C(rich), a file, a pipe, E(TERM=dumb)) the
    run prints one line a minute.
  - A failure that does not come from the collection, such as an error of a module, of the connection or of a template, is
    printed as P(ansible.builtin.default#callback) prints it, with everything that Ansible knows about it. So are warnings, and
    the results of M(ansible.builtin.debug).
  - With C(-v) it prints what P(ansible.builtin.default#callback) prints.
  - E(NO_COLOR) turns off the colours.
extends_documentation_fragment:
  - ansible.builtin.default_callback
  - ansible.builtin.result_format_callback
requirements:
  - set as stdout in configuration (E(ANSIBLE_STDOUT_CALLBACK=patchfleet.windows.night))
  - rich, for the board
"""

from collections.abc import Mapping
from typing import Any

from ansible import constants
from ansible.plugins.callback.default import CallbackModule as DefaultCallback

from ansible_collections.patchfleet.windows.plugins.module_utils._base.text import clean_text
from ansible_collections.patchfleet.windows.plugins.module_utils._model.outcomes import Outcome
from ansible_collections.patchfleet.windows.plugins.plugin_utils._board import Board, open_board
from ansible_collections.patchfleet.windows.plugins.plugin_utils._progress import name_in_progress, progress_line

WIDTH = 80
FAIL_ACTIONS = frozenset({"fail", "ansible.builtin.fail", "ansible.legacy.fail"})


class CallbackModule(DefaultCallback):  # type: ignore[misc]  # ansible-core has no types
    """Ansible's default output without the lines that say that all is well."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "patchfleet.windows.night"

    def __init__(self) -> None:
        super().__init__()
        self._board: Board | None = None

    @property
    def _is_quiet(self) -> bool:
        return bool(self._display.verbosity == 0)

    def set_options(self, *args: Any, **options: Any) -> None:
        super().set_options(*args, **options)
        if self._is_quiet:
            # Then the default callback prints the heading of a task no earlier than a line of it.
            self.set_option("display_skipped_hosts", False)

    def v2_playbook_on_start(self, playbook: Any) -> None:
        super().v2_playbook_on_start(playbook)
        self._board = self._board or open_board()

    def v2_playbook_on_play_start(self, play: Any) -> None:
        if self._board:
            self._board.clear()
        if self._is_quiet:
            self._play = play
        else:
            super().v2_playbook_on_play_start(play)

    def v2_playbook_on_no_hosts_matched(self) -> None:
        if not self._is_quiet:
            super().v2_playbook_on_no_hosts_matched()

    def v2_playbook_on_include(self, included_file: Any) -> None:
        if not self._is_quiet:
            super().v2_playbook_on_include(included_file)

    def v2_runner_on_ok(self, result: Any) -> None:
        if self._run_is_verbose(result):
            super().v2_runner_on_ok(result)
        else:
            self._handle_warnings(_values(result))

    def v2_runner_item_on_ok(self, result: Any) -> None:
        if self._run_is_verbose(result):
            super().v2_runner_item_on_ok(result)
        else:
            self._handle_warnings(_values(result))

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        if not self._is_quiet or not _is_sentence(result):
            super().v2_runner_on_failed(result, ignore_errors=ignore_errors)
            return
        values, host = _values(result), _attribute(result, "host")
        self._handle_warnings(values)
        name = name_in_progress({"inventory_hostname": host.get_name(), **host.get_vars()})
        text = _with_outcome(values) + (" (ignored)" if ignore_errors else "")
        line = progress_line(name, values.get("step"), text)
        if _is_verdict(values):  # the table before it has the whole text
            line = clean_text(line, WIDTH)
        self._display.display(line, color=constants.COLOR_ERROR, stderr=self.get_option("display_failed_stderr"))

    def v2_playbook_on_stats(self, stats: Any) -> None:
        if self._board:
            self._board.close()
            self._board = None
        if not self._is_quiet:
            super().v2_playbook_on_stats(stats)
            return
        failed = _FailedHosts(stats)
        super().v2_playbook_on_stats(failed)
        without_failure = len(stats.processed) - len(failed.processed)
        self._display.display(f"{without_failure} of {len(stats.processed)} hosts without a failure.")


class _FailedHosts:
    """The hosts of the recap that failed or were unreachable, and everything else of the statistics."""

    def __init__(self, stats: Any) -> None:
        self._stats = stats
        summaries = {host: stats.summarize(host) for host in stats.processed}
        self.processed = {host: 1 for host, sums in summaries.items() if sums["failures"] or sums["unreachable"]}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stats, name)


def _is_sentence(result: Any) -> bool:
    """Whether the message alone says what failed: a result of the collection, or a message that a playbook gives."""
    values, task = _values(result), _attribute(result, "task")
    if not values.get("msg") or "results" in values or getattr(task, "loop", None):
        return False
    return "reason_code" in values or task.action in FAIL_ACTIONS


def _with_outcome(values: Mapping[str, Any]) -> str:
    """E.g. ``failed: C: has 11.2 GiB free, …``; a verdict begins with its outcome already."""
    text = str(values["msg"])
    return text if _is_verdict(values) else f"{values.get('outcome') or Outcome.FAILED.value}: {text}"


def _is_verdict(values: Mapping[str, Any]) -> bool:
    """Whether this is what a run says at its end of a host that was not patched."""
    return str(values["msg"]).partition(":")[0] in {outcome.value for outcome in Outcome}


def _values(result: Any) -> Any:
    """What the task returned. ansible-core 2.19 made the attributes of a result public; they had an underline before."""
    return _attribute(result, "result")


def _attribute(result: Any, name: str) -> Any:
    return getattr(result, name) if hasattr(result, name) else getattr(result, f"_{name}")
