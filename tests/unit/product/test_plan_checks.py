# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks and evidence as users write them: what is read of them, and what is refused before anything is touched."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import InvalidOption
from ansible_collections.patchfleet.windows.plugins.module_utils._fleet.hosts import FleetHost
from ansible_collections.patchfleet.windows.plugins.module_utils._host.scripts import compose
from ansible_collections.patchfleet.windows.plugins.module_utils._model.checks import KINDS
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.checks import (
    LONGEST_CHECKS,
    refuse_unfit_scripts,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.names import unmatched_checks
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.variables import read
from ansible_collections.patchfleet.windows.plugins.plugin_utils._check_scripts import (
    checks_of_host,
    refuse_unreadable_scripts,
)

ROOT = Path(__file__).parents[3]
PRELUDE = ROOT / "plugins" / "plugin_utils" / "_windows_script" / "prelude.ps1"
SCRIPT = ROOT / "roles" / "patch" / "files" / "check_host.ps1"
WEB = FleetHost(key="i-1", name="web-1", kind="ec2", inventory_name="web-one", tags={"Name": "Web server"})
USUAL = {"on": [], "timeout_seconds": 30}


def checks(*given: Any) -> Any:
    return read({"patch_checks": list(given)})["checks"]


def test_without_them_nothing_is_checked() -> None:
    assert (read({})["checks"], read({})["evidence"]) == ([], {})


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ({"tcp": 443}, {"port": 443}),
        ({"tcp": "443", "timeout_seconds": "5"}, {"port": 443, "timeout_seconds": 5}),
        ({"tcp": "db-1:1433"}, {"port": 1433, "address": "db-1"}),
        ({"tcp": "[::1]:80"}, {"port": 80, "address": "::1"}),
        ({"http": "http://localhost:8080/health"}, {"http": "http://localhost:8080/health", "status": 200}),
        ({"http": "https://x", "status": 302, "text": "ok"}, {"http": "https://x", "status": 302, "text": "ok"}),
        ({"service": "MSSQL$SHOP"}, {"service": "MSSQL$SHOP"}),
        ({"script": "checks/queue.ps1"}, {"script": "checks/queue.ps1"}),
        ({"tcp": 443, "on": "web-*, db"}, {"port": 443, "on": ["web-*", "db"]}),
        ({"tcp": 443, True: ["api"]}, {"port": 443, "on": ["api"]}),
        ({"tcp": 443, "true": ["api"]}, {"port": 443, "on": ["api"]}),
    ],
)
def test_a_check_is_read_with_its_defaults(given: dict[Any, Any], meant: dict[str, Any]) -> None:
    """YAML 1.1 reads the key ``on`` as true."""
    assert checks({"name": "it", **given}) == [{"name": "it", **USUAL, **meant}]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("443", "must be a list of mappings"),
        (["443"], "patch_checks[0]: '443' is not valid"),
        ([{"name": "a"}], "exactly one of tcp, http, service and script"),
        ([{"name": "a", "tcp": 1, "service": "x"}], "exactly one of"),
        ([{"name": "a", "tpc": 1}], "Did you mean tcp?"),
        ([{"tcp": 1}], "patch_checks[0].name"),
        ([{"name": "a\nb", "tcp": 1}], "one line"),
        ([{"name": "a", "tcp": 1}, {"name": "a", "tcp": 2}], "Each name must be there once."),
        ([{"name": "a", "tcp": 0}], "from 1 to 65535"),
        ([{"name": "a", "tcp": True}], "from 1 to 65535"),
        ([{"name": "a", "tcp": "https"}], "from 1 to 65535"),
        ([{"name": "a", "http": "localhost/health"}], "begins with http:// or https://"),
        ([{"name": "a", "http": "http://u:p@x/"}], "without user and password"),
        ([{"name": "a", "http": "http://x:99999/"}], "begins with http://"),
        ([{"name": "a", "http": "http://x", "status": 99}], "from 100 to 599"),
        ([{"name": "a", "tcp": 1, "text": "ok"}], "Only a check with http"),
        ([{"name": "a", "service": "W3*"}], "without wildcards"),
        ([{"name": "a", "script": ["x"]}], "patch_checks[0].script"),
        ([{"name": "a", "tcp": 1, "timeout_seconds": 301}], "from 1 to 300"),
        ([{"name": "a", "tcp": 1, "on": []}], "patch_checks[0].on"),
        ([{"name": "a", "tcp": 1, "on": [{}]}], "patch_checks[0].on"),
        ([{"name": str(number), "tcp": 1} for number in range(51)], "At most 50"),
    ],
)
def test_what_cannot_be_right_is_refused(given: Any, words: str) -> None:
    with pytest.raises(InvalidOption) as caught:
        read({"patch_checks": given})
    assert words in caught.value.reason


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (
            {"ports": "failure", "tasks": "remark", "cluster": False},
            {"ports": "failure", "tasks": "remark", "cluster": "off"},
        ),
        (["ports", "events"], {"ports": "failure", "events": "remark"}),
        ("remark", dict.fromkeys(KINDS, "remark")),
    ],
)
def test_evidence_has_a_level_for_each_kind(given: Any, meant: dict[str, str]) -> None:
    assert read({"patch_evidence": given})["evidence"] == meant


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"port": "failure"}, "Did you mean ports?"),
        ({"ports": "fail"}, "one of failure, remark, off"),
        ({"events": "failure"}, "one of remark, off"),
        ("everything", "must be a mapping of kinds"),
        (7, "must be a mapping of kinds"),
    ],
)
def test_evidence_that_cannot_be_right_is_refused(given: Any, words: str) -> None:
    with pytest.raises(InvalidOption) as caught:
        read({"patch_evidence": given})
    assert words in caught.value.reason


# Which hosts


def warnings(on: list[str], **settings: Any) -> list[str]:
    given: Any = {**read({"patch_checks": [{"name": "shop", "tcp": 443, "on": on}]}), **settings}
    return unmatched_checks(given, [WEB], ["dc-1", "databases"])


def test_names_ids_groups_and_patterns_are_known() -> None:
    assert warnings(["i-1", "web-1", "web-one", "Web server", "dc-1", "databases", "web-*", "?c-1"]) == []
    assert warnings(["nothing"], slice_of="41") == []


def test_a_word_that_fits_nothing_is_warned_of_with_the_nearest() -> None:
    own = {"checks": read({"patch_checks": [{"name": "health", "tcp": 80, "on": ["dc-2"]}]})["checks"]}
    health, shop = warnings(["web-1", "web-2"], of_hosts={"web-one": own})
    assert re.match("The check shop of patch_checks names web-2: .* Did you mean web-1?", shop)
    assert re.match("The check health of patch_checks names dc-2: .* Did you mean dc-1?", health)


@pytest.mark.parametrize(
    ("on", "expected"),
    [([], True), (["web-*"], True), (["databases"], True), (["i-7"], True), (["shop"], True), (["app*"], False)],
)
def test_a_host_gets_the_checks_for_its_names_and_groups(on: list[str], expected: bool) -> None:
    host = {"key": "i-7", "name": "shop"}
    variables = {"inventory_hostname": "web-7", "group_names": ["databases"], "patch__host": host}
    given = [{"name": "a", "tcp": 1, **({"on": on} if on else {})}, {"name": "b", "tcp": 2}]
    assert [entry["name"] for entry in checks_of_host(given, variables)] == (["a", "b"] if expected else ["b"])


# Scripts


def test_a_script_is_a_file_of_powershell_or_its_text(tmp_path: Path) -> None:
    file = tmp_path / "queue.ps1"
    file.write_text("throw 'full'", encoding="utf-8-sig")
    given = [{"name": "a", "script": str(file)}, {"name": "b", "script": "$a = 1\n$a"}]
    assert [entry["script"] for entry in checks_of_host(given, {})] == ["throw 'full'", "$a = 1\n$a"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "No such file"),
        (b"\xff\xfe", "no UTF-8"),
        (b"if ($a) { exit 1 }", "must not use exit"),
        (b"EXIT", "must not use exit"),
        (b"#" * LONGEST_CHECKS, "characters at most"),
    ],
)
def test_a_script_that_cannot_run_is_refused_by_the_plan(tmp_path: Path, text: bytes | None, words: str) -> None:
    file = tmp_path / "queue.ps1"
    if text is not None:
        file.write_bytes(text)
    with pytest.raises(InvalidOption) as caught:
        refuse_unreadable_scripts([{}, {"patch_checks": [{"name": "a", "script": str(file)}]}])
    assert words in caught.value.reason


def test_words_that_only_look_like_exit_are_none(tmp_path: Path) -> None:
    file = tmp_path / "queue.ps1"
    file.write_text("# exit\n$exit = $true\nif ($LASTEXITCODE) { throw 'The exit code.' }")
    refuse_unreadable_scripts([{"patch_checks": [{"name": "a", "script": str(file)}]}, {"patch_checks": "no list"}])


def test_the_longest_checks_fit_into_a_command() -> None:
    """A document of Run Command has 64 KB at most, with its parameters (SSM API reference, CreateDocument)."""
    given = [{"name": "a", "script": "#" * (LONGEST_CHECKS - 200)}]
    refuse_unfit_scripts("patch_checks", checks(*given))
    text = "\n".join(path.read_text(encoding="utf-8") for path in (PRELUDE, SCRIPT))
    lines = compose("check_host", text, {"checks": given, "evidence": list(KINDS)})
    assert len(json.dumps(lines)) < 62_000
