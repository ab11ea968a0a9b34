# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The versions that docs/support.md names are those of the code, and a schema keeps what its major version promises."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.sqlite_file import SCHEMA_VERSION as FILE
from ansible_collections.patchfleet.windows.plugins.module_utils._model import versions
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_run import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._report.build import build_report
from lab.aws.cloudformation.template import load
from lab.aws.setup import TEMPLATE
from operations import perform
from tools.release import NAMED_IN, NUMBER

from .stage import RUN, Stage

ROOT = Path(__file__).parents[3]
EARLIER_TEMPLATES = sorted(ROOT.glob("tests/integration/earlier/*/patchfleet.template"))
REPORT_FIELDS = yaml.safe_load((Path(__file__).parent / "report_fields.yml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    return load(TEMPLATE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", NAMED_IN)
def test_every_file_names_the_same_version_of_the_collection(name: str) -> None:
    named = [found[0] for found in re.finditer(NAMED_IN[name], (ROOT / name).read_text(encoding="utf-8"))]
    assert named
    assert {re.findall(NUMBER, text)[-1] for text in named} == {versions.COLLECTION}


def test_the_page_of_support_names_each_version(template: dict[str, Any]) -> None:
    page = (ROOT / "docs" / "support.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([\w ,]+) \| (\d+\.\d+\.\d+) \|", page, re.MULTILINE)
    assert dict(rows) == {
        "report": versions.REPORT_SCHEMA,
        "history": versions.HISTORY_SCHEMA,
        "exported run": versions.EXPORT_SCHEMA,
        "CloudFormation template": template["Outputs"]["TemplateVersion"]["Value"],
    }


def test_a_report_and_an_exported_run_name_their_versions(stage: Stage) -> None:
    stage.open_run()
    report = build_report(stage.ledger, RUN, stage.clock.now())
    export = perform(OPERATION, stage.context(OPERATION, state="exported", run_id=RUN))["export"]
    for document, version in ((report, versions.REPORT_SCHEMA), (export, versions.EXPORT_SCHEMA)):
        assert document["schema_version"] == version
        assert version.split(".")[0] == str(document["schema"])
        assert document["collection_version"] == versions.COLLECTION
    assert export["ledger_schema_version"] == f"{FILE}.0.0"


def test_a_report_has_the_fields_that_its_major_version_promises(stage: Stage) -> None:
    stage.open_run()
    report = build_report(stage.ledger, RUN, stage.clock.now())
    promised = REPORT_FIELDS[report["schema"]]
    assert set(promised["run"]) <= set(report)
    assert set(promised["host"]) <= set(report["hosts"][0])


@pytest.mark.parametrize("earlier", EARLIER_TEMPLATES, ids=lambda path: path.parent.name)
def test_the_template_has_all_that_an_earlier_one_had(earlier: Path, template: dict[str, Any]) -> None:
    before = load(earlier.read_text(encoding="utf-8"))
    for section in ("Parameters", "Outputs", "Resources"):
        assert before[section].keys() <= template[section].keys()
    types = {name: resource["Type"] for name, resource in template["Resources"].items()}
    assert {name: resource["Type"] for name, resource in before["Resources"].items()}.items() <= types.items()
    new = template["Parameters"].keys() - before["Parameters"].keys()
    assert [name for name in new if "Default" not in template["Parameters"][name]] == []
