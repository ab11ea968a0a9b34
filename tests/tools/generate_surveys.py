# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AWX's surveys, from surveys.yml and the variables that they ask for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.patchfleet.windows.plugins.module_utils._plan.variable import Variable
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.variables import BY_NAME

SOURCE = Path(__file__).with_name("surveys.yml")
LONGEST_ANSWER = 1024
"""Of a text; AWX's own default."""


def survey_files(root: Path) -> Iterator[tuple[Path, str]]:
    """One file for each survey."""
    source = yaml.safe_load(SOURCE.read_text(encoding="utf-8"))
    for survey, names in source["surveys"].items():
        help_here = source["help_in"].get(survey, {})
        spec = [
            _question(
                BY_NAME[name], {**source["questions"][name], **({"help": help_here[name]} if name in help_here else {})}
            )
            for name in names
        ]
        text = json.dumps({"name": "", "description": "", "spec": spec}, indent=2)
        yield root / "roles/awx_job_templates/files/surveys" / f"{survey}.json", f"{text}\n"


def _question(variable: Variable, words: dict[str, Any]) -> dict[str, Any]:
    choices = ["false", "true"] if variable.kind == "bool" else list(variable.choices)
    is_number = variable.kind == "int"
    kind = "multiplechoice" if choices else "integer" if is_number else "text"
    bounds = {
        "multiplechoice": (None, None),
        "integer": (int(variable.minimum or 0), words.get("max")),
        "text": (0, LONGEST_ANSWER),
    }
    lower, upper = bounds[kind]
    return {
        "question_name": words["name"],
        "question_description": words["help"],
        "required": False,  # a schedule or a launch by API answers none, and AWX would then refuse to launch
        "type": kind,
        "variable": variable.name,
        "min": lower,
        "max": upper,
        "default": _default(variable),
        "choices": choices or "",
        "new_question": True,
    }


def _default(variable: Variable) -> Any:
    if variable.kind == "int":
        return variable.default
    if variable.kind == "bool":
        return str(variable.default).lower()
    return "" if variable.default in (None, [], {}) else str(variable.default)
