# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ansible's default output without the lines that say that a task of this collection went well: its hosts have lines of progress.

A playbook cannot set options of the output, and users should not have to. So the output itself leaves out these lines: of tasks,
files and plays in the folder of this collection. Nothing is left out with -v, or where the user has set an option that says which
hosts are shown. Failures, warnings and all that belongs to tasks of the user's stay as they are, and so does any other output,
such as AWX's.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.plugins.callback.default import CallbackModule as DefaultOutput
from ansible.utils.display import Display

OWN = f"{Path(__file__).resolve().parents[2]}{os.sep}"
OPTIONS = ("display_ok_hosts", "display_skipped_hosts")
SHOWN_IN_ANY_CASE = ("warnings", "deprecations", "exception", "_ansible_verbose_always")
"""Parts of a result that people must see, whatever became of the task; the last one is in the results of debug, which are there
to be read."""

Show = Callable[..., None]
WRAPPED: list[str] = []
"""The methods of the default output that leave lines out."""
HEADINGS: list[Show] = []
"""The heading of a play, until it has a task."""

_filename_of = attrgetter("_filename")


def leave_out_what_went_well() -> None:
    """From now on; the second time it does nothing."""
    if WRAPPED:
        return
    wrappers: dict[str, Callable[[Show], Show]] = {
        "v2_runner_on_ok": _without_results,
        "v2_runner_on_skipped": _without_results,
        "v2_runner_item_on_ok": _without_results,
        "v2_runner_item_on_skipped": _without_results,
        "v2_playbook_on_include": _without_includes,
        "v2_playbook_on_task_start": _with_late_headings,
        "v2_playbook_on_play_start": _with_late_plays,
        "v2_playbook_on_no_hosts_matched": _without_empty_plays,
    }
    for name, wrapper in wrappers.items():
        setattr(DefaultOutput, name, wrapper(getattr(DefaultOutput, name)))
        WRAPPED.append(name)


@functools.lru_cache(maxsize=4096)
def is_own(path: str | None) -> bool:
    """Whether a file, which may end with the number of a line, belongs to this collection."""
    return os.path.realpath(str(path or "")).startswith(OWN)


def _is_quiet(output: Any) -> bool:
    """Whether lines are left out: of an output that derives from the default one, none are."""
    return output.__class__ is DefaultOutput and Display().verbosity == 0 and not _is_set_by_user()


@functools.lru_cache(maxsize=1)
def _is_set_by_user() -> bool:
    get = functools.partial(constants.config.get_config_value_and_origin, plugin_type="callback", plugin_name="default")
    return any(get(option)[1] != "default" for option in OPTIONS)


def _attribute(result: Any, name: str) -> Any:
    """ansible-core 2.19 made the attributes of a result public; they had an underline before."""
    return getattr(result, name, None) if hasattr(result, name) else getattr(result, f"_{name}")


def _without_results(show: Show) -> Show:
    @functools.wraps(show)
    def show_result(output: Any, result: Any) -> None:
        is_plain = not any(map(_attribute(result, "result").get, SHOWN_IN_ANY_CASE))
        if not (is_plain and _is_quiet(output) and is_own(_attribute(result, "task").get_path())):
            show(output, result)

    return show_result


def _without_includes(show: Show) -> Show:
    @functools.wraps(show)
    def show_include(output: Any, included_file: Any) -> None:
        if not _is_quiet(output) or not is_own(_filename_of(included_file)):
            show(output, included_file)

    return show_include


def _with_late_headings(show: Show) -> Show:
    """The heading of a task comes with its first line, as it does where a user hides lines."""

    @functools.wraps(show)
    def show_task(output: Any, task: Any, is_conditional: bool) -> None:
        while HEADINGS:
            HEADINGS.pop()()
        if not _is_quiet(output) or not is_own(task.get_path()):
            show(output, task, is_conditional)
            return
        usual = output.get_option(OPTIONS[0])
        output.set_option(OPTIONS[0], False)
        try:
            show(output, task, is_conditional)
        finally:
            output.set_option(OPTIONS[0], usual)

    return show_task


def _with_late_plays(show: Show) -> Show:
    """The heading of a play comes with its first task: several plays of a run have hosts only now and then."""

    @functools.wraps(show)
    def show_play(output: Any, play: Any) -> None:
        HEADINGS.clear()
        if _is_quiet(output) and is_own(play.get_path()):
            HEADINGS.append(functools.partial(show, output, play))
        else:
            show(output, play)

    return show_play


def _without_empty_plays(show: Show) -> Show:
    @functools.wraps(show)
    def show_no_hosts(output: Any) -> None:
        if HEADINGS:
            HEADINGS.clear()
        else:
            show(output)

    return show_no_hosts
