# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The answer of each script has a schema, and a host that does not keep to it harms only itself."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._base.text import clean_text
from ansible_collections.patchfleet.windows.plugins.module_utils._host import (
    answers,
    check_answers,
    cluster_answers,
    update_answers,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._host.fields import Fields
from ansible_collections.patchfleet.windows.plugins.module_utils._host.scripts import parse
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.channel import ScriptOutput

from .fakes import TYPICAL

ROOT = Path(__file__).parents[3]
ANSWERS = {
    found.SCRIPT: found
    for module in (answers, check_answers, cluster_answers, update_answers)
    for found in vars(module).values()
    if dataclasses.is_dataclass(found) and hasattr(found, "SCRIPT")
}
EXAMPLES: dict[str, dict[str, Any]] = {
    **TYPICAL,
    "check_host": {
        "time": "2026-11-14T22:00:00Z",
        "boot_time": "2026-11-01T22:00:00Z",
        "checks": [{"ok": False, "detail": "refused"}],
        "evidence": [{"kind": "ports", "items": ["443"], "cut": False, "trouble": None}],
    },
    "clean_disk": {"rungs": [{"name": "temp_files", "won_gib": 1.5, "skipped": None}]},
    "missing_update_sizes": {"updates": [{"kb": "KB1", "max_download_bytes": 5, "recommended_mib": 7}]},
    "search_updates": {"updates": [{"kb": "KB1", "state": "superseded", "superseded_by": "KB2"}]},
    "install_updates": {"results": [{"kb": "KB1", "result": "failed", "hresult": "0x80070643"}]},
    "restore_services": {"restored": [{"name": "bits", "trouble": None, "changed_by_others": True}]},
    "restart_windows": {"boot_time": "2026-11-14T22:00:00Z", "restarting": True},
    "inspect_sessions": {"sessions": 2},
    "inspect_cluster": {
        "cluster": {
            "id": "8d6b",
            "name": "sales-sql",
            "node": "SQL-1",
            "state": "up",
            "nodes": [{"name": "SQL-2", "state": "paused"}],
            "roles": ["SQL Server (MSSQLSERVER)"],
            "unhealthy": ["ag-sales"],
        }
    },
    "inspect_use": {"processes": ["backup"], "detail": "The script returned true."},
    "drain_cluster_node": {"state": "paused", "drain": "completed", "roles": []},
    "resume_cluster_node": {"state": "up", "trouble": None},
    "mark_pending": {"pending_reboot": ["windows_update"]},
    "shift_clock": {"time": "2026-11-14T22:00:00Z"},
    "send_session_message": {"sessions": 2, "sent": True},
    "update_history": {
        "entries": [{"kb": "KB5031001", "result": "failed", "hresult": "0x80070005", "at": "2026-11-14"}]
    },
    "remove_old_update_cache": {"removed": [], "left": ["C:\\Windows\\x"]},
    "repair_services": {
        "repaired": [
            {"name": "bits", "was_start_type": "disabled", "was_status": "stopped", "start_type": "manual"},
        ]
    },
}
HOSTILE = [
    None,
    True,
    -1e300,
    10**400,
    "\x1b[31m\nfatal: [other]: FAILED!\u202e{{ lookup('pipe', 'id') }}<script>",
    "x" * 20_000,
    [],
    {},
    [[[[[[]]]]]],
    [{"kb": {}, "at": 7}],
    {"ok": "yes"},
]
JSON = st.recursive(
    st.sampled_from(HOSTILE) | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def read(script: str, data: dict[str, Any]) -> Any:
    document = json.dumps({"patchfleet": 1, "script": script, "ok": True, "data": data, "error": None})
    return ANSWERS[script].read(Fields(script, parse(script, ScriptOutput("Success", "Success", document))))


def read_or_refuse(script: str, data: dict[str, Any]) -> Any:
    try:
        return read(script, data)
    except PatchFleetError as error:
        return error


def leaves(value: Any) -> list[Any]:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [leaf for field in dataclasses.fields(value) for leaf in leaves(getattr(value, field.name))]
    if isinstance(value, (tuple, frozenset)):
        return [leaf for item in value for leaf in leaves(item)]
    return [value]


def test_each_script_has_a_schema() -> None:
    assert {path.stem for path in ROOT.glob("roles/*/files/*.ps1")} == set(ANSWERS) == set(EXAMPLES)


@pytest.mark.parametrize("script", sorted(EXAMPLES))
def test_what_a_script_answers_is_read_and_other_fields_are_ignored(script: str) -> None:
    assert read(script, EXAMPLES[script]) == read(script, {**EXAMPLES[script], "of_a_newer_version": {"a": [1]}})


@pytest.mark.parametrize("script", sorted(EXAMPLES))
@given(data=st.data())
def test_a_hostile_answer_is_refused_or_harmless(script: str, data: st.DataObject) -> None:
    """Whatever is in a field: the script ends with its own reason code, or each value is of its type and clean."""
    name = data.draw(st.sampled_from(sorted(EXAMPLES[script])))
    answer = read_or_refuse(script, {**EXAMPLES[script], name: data.draw(JSON)})
    if isinstance(answer, PatchFleetError):
        assert answer.code in {"invalid_answer", "script_failed"}
        assert (answer.reason, len(answer.reason) < 600) == (clean_text(answer.reason), True)
        return
    for leaf in leaves(answer):
        if isinstance(leaf, str):
            assert (leaf, len(leaf) <= 1000) == (clean_text(leaf), True)
        else:
            assert leaf is None or (isinstance(leaf, (bool, int, float)) and math.isfinite(leaf))


@pytest.mark.parametrize(
    ("script", "field", "value", "what"),
    [
        ("measure_disk", "free_gib", None, "free_gib must be a number"),
        ("measure_disk", "free_gib", True, "free_gib must be a number"),
        ("measure_disk", "free_gib", -0.1, "free_gib must be a number from 0"),
        ("measure_disk", "blocked_by", "a moat", "blocked_by must be one of other_partition, "),
        ("inspect_sessions", "sessions", 1.5, "sessions must be a whole number"),
        ("inspect_boot", "time", "yesterday", "time must be a time"),
        ("inspect_boot", "services", list("ab") * 600, "services must be a list of at most"),
        ("inspect_windows_update", "agent", {"ok": "yes"}, "agent.ok must be true or false"),
        ("servicing_state", "pending_reboot", ["maybe"], "pending_reboot must be a list of"),
        ("clean_disk", "rungs", [{"name": 7}], "rungs[0].name must be a text"),
    ],
)
def test_an_invalid_answer_names_the_field_and_what_is_wrong(script: str, field: str, value: Any, what: str) -> None:
    with pytest.raises(PatchFleetError) as caught:
        read(script, {**EXAMPLES[script], field: value})
    assert caught.value.code == "invalid_answer"
    assert f"The answer of the script {script} is not valid: {what}" in caught.value.reason


def test_what_a_host_does_not_know_is_none() -> None:
    assert read("servicing_state", {**EXAMPLES["servicing_state"], "installing": None}).installing is None
