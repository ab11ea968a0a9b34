# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What reaches a job of what a launch, a workflow or a schedule gives: AWX 24.6.1's rules.

After awx/main/models/jobs.py (``_accept_or_ignore_job_kwargs``) and awx/main/models/mixins.py (``SurveyJobTemplateMixin``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import sandbox

from awx.objects import Objects, RefusedError, Row

Prompts = dict[str, Any]
"""By name: ``limit``, ``verbosity``, ``extra_vars`` and the other fields that a template may ask for."""

ASKED_BY = {
    # A field and the setting by which a template takes it (``UnifiedJobTemplate.get_ask_mapping``).
    "credentials": "ask_credential_on_launch",
    "execution_environment": "ask_execution_environment_on_launch",
    "extra_vars": "ask_variables_on_launch",
    "forks": "ask_forks_on_launch",
    "instance_groups": "ask_instance_groups_on_launch",
    "inventory": "ask_inventory_on_launch",
    "job_slice_count": "ask_job_slice_count_on_launch",
    "job_tags": "ask_tags_on_launch",
    "job_type": "ask_job_type_on_launch",
    "labels": "ask_labels_on_launch",
    "limit": "ask_limit_on_launch",
    "scm_branch": "ask_scm_branch_on_launch",
    "skip_tags": "ask_skip_tags_on_launch",
    "timeout": "ask_timeout_on_launch",
    "verbosity": "ask_verbosity_on_launch",
}
PYTHON_TYPES = {"text": str, "textarea": str, "password": str, "integer": int, "multiplechoice": str}


@dataclass(frozen=True)
class Sorted:
    """What was given, by what AWX does with it; ``errors`` refuse a schedule, and only those of the survey refuse a launch."""

    accepted: Prompts
    ignored: Prompts
    errors: dict[str, Any]


def sort_prompts(objects: Objects, kind: str, template: Row, given: Mapping[str, Any]) -> Sorted:
    """What the template takes of ``given``, and what AWX drops without a word."""
    accepted, ignored, errors = _sort_variables(objects, kind, template, given.get("extra_vars") or {})
    for name, value in given.items():
        if name == "extra_vars" or value is None or value == template.get(name):
            continue
        if template.get(ASKED_BY[name]):
            accepted[name] = value
        else:
            ignored[name] = value
            errors[name] = "Field is not configured to prompt on launch."
    return Sorted(accepted, ignored, errors)


def prompts_of(row: Row) -> Prompts:
    """What a node of a workflow or a schedule keeps for the launch."""
    fields = {name: row[name] for name in ASKED_BY if row.get(name) not in (None, "")}
    return {**fields, **({"extra_vars": row["extra_data"]} if row.get("extra_data") else {})}


def launch_variables(objects: Objects, kind: str, template: Row, runtime: Mapping[str, Any]) -> dict[str, Any]:
    """A job's extra variables. The survey's defaults go over the template's own, and what the launch gives over both."""
    own = json.loads(template["extra_vars"] or "{}")
    defaults = {
        question["variable"]: question["default"]
        for question in _questions(objects, kind, template)
        if question.get("default") is not None and not _wrong_answer(question, question["default"])
    }
    return {**own, **defaults, **runtime}


def refuse_schedule(objects: Objects, data: Mapping[str, Any]) -> None:
    """Raises RefusedError for a limit or data that the template of a schedule does not take (LaunchConfigurationBaseSerializer)."""
    template = objects.unified(data.get("unified_job_template"))
    if template is None or template["type"] not in ("job_template", "workflow_job_template"):
        return
    errors = sort_prompts(objects, f"{template['type']}s", template, prompts_of(dict(data))).errors
    if errors:
        raise RefusedError(errors)


def _sort_variables(
    objects: Objects, kind: str, template: Row, given: Mapping[str, Any]
) -> tuple[Prompts, Prompts, dict[str, Any]]:
    accepted, rest, errors = {}, dict(given), {}
    wrong = []
    for question in _questions(objects, kind, template):
        name = question["variable"]
        if name not in rest:
            wrong += [f"'{name}' value missing"] if question["required"] else []
        elif error := _wrong_answer(question, rest[name]):
            wrong.append(error)
            rest.pop(name)
        else:
            accepted[name] = rest.pop(name)
    if wrong:
        errors["variables_needed_to_start"] = wrong
    if template["ask_variables_on_launch"]:
        accepted.update(rest)
        rest = {}
    if rest:
        errors["extra_vars"] = [f"Variables {', '.join(rest)} are not allowed on launch."]
    return (
        {"extra_vars": accepted} if accepted else {},
        {"extra_vars": rest} if rest else {},
        errors,
    )


def _questions(objects: Objects, kind: str, template: Row) -> list[Row]:
    spec = objects.surveys.get((kind, template["id"])) if template["survey_enabled"] else None
    return list(spec["spec"]) if spec else []


def _wrong_answer(question: Row, answer: Any) -> str | None:
    name = question["variable"]
    if type(answer) is not PYTHON_TYPES[question["type"]]:
        return f"Value {answer} for '{name}' expected to be of the type {question['type']}."
    if question["type"] == "multiplechoice":
        return None if answer in question["choices"] else f"Value {answer} for '{name}' is none of its choices."
    size = answer if question["type"] == "integer" else len(answer)
    if question["min"] not in ("", None) and size < question["min"]:
        return f"'{name}' value {answer} is too small (must be at least {question['min']})."
    if question["max"] not in ("", None) and size > question["max"]:
        return f"'{name}' value {answer} is too large (must be no more than {question['max']})."
    return None


def inject(injectors: Row, inputs: Mapping[str, str], folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    """What a credential of a custom type gives a job: environment and extra variables (``CredentialType.inject_credential``)."""
    render = sandbox.ImmutableSandboxedEnvironment()
    names: dict[str, Any] = {name: value for name, value in inputs.items() if value}
    file = folder / "injected"
    if template := injectors.get("file", {}).get("template"):
        file.write_text(render.from_string(template).render(names), encoding="utf-8")
        file.chmod(0o600)
    names["tower"] = {"filename": str(file)}
    environment, variables = (
        {name: render.from_string(text).render(names) for name, text in injectors.get(kind, {}).items()}
        for kind in ("env", "extra_vars")
    )
    return environment, variables
