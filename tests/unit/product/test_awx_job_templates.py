# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What AWX is set up with: surveys that ask for variables of ours, playbooks that AWX sees, options that its modules know."""

from __future__ import annotations

import datetime
import json
import re
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import jinja2
import pytest
import yaml
from dateutil.rrule import rrulestr

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import InvalidOption
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.variable import Variable
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.variables import BY_NAME, read

ROLE = Path(__file__).parents[3] / "roles" / "awx_job_templates"
SURVEYS = sorted((ROLE / "files" / "surveys").glob("*.json"))
PROJECT = sorted((ROLE / "files" / "project").glob("*.yml"))
AWX_SEES = re.compile(r"^\s*?-?\s*?(?:hosts|include|import_playbook):\s*?.*?$", re.MULTILINE)
"""Of AWX's own awx/main/utils/ansible.py: in which files it sees a playbook."""

QUESTIONS = [
    (path.stem, question) for path in SURVEYS for question in json.loads(path.read_text(encoding="utf-8"))["spec"]
]
EVERY_QUESTION = pytest.mark.parametrize(
    "question", [pytest.param(question, id=f"{name}-{question['variable']}") for name, question in QUESTIONS]
)
WHEN = {"time": "22:00", "timezone": "Europe/Berlin"}
ASKED_AS = {
    "int": "integer",
    "bool": "multiplechoice",
    "str": "text",
    "count_or_percent": "text",
    "list": "text",
    "datetime": "text",
    "line": "text",
    "kbs": "text",
}


def variables() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROLE / "vars" / "main.yml").read_text(encoding="utf-8"))
    return document


def kind_of_question(variable: Variable) -> str:
    return "multiplechoice" if variable.choices else ASKED_AS[variable.kind]


# Surveys


def test_every_template_has_its_survey() -> None:
    templates = variables()["awx_job_templates__templates"]
    of_templates = {template.get("survey", Path(template["playbook"]).stem) for template in templates}
    of_workflows = {workflow["survey"] for workflow in variables()["awx_job_templates__workflows"]}
    assert {path.stem for path in SURVEYS} == of_templates | of_workflows


def test_the_workflow_asks_what_patch_asks_but_for_what_restore_must_not_hear() -> None:
    asked = {name: [question for of, question in QUESTIONS if of == name] for name in ("patch", "workflow")}
    assert [question for question in asked["patch"] if question not in asked["workflow"]] == [
        question for question in asked["patch"] if question["variable"] == "patch_take_over"
    ]


@EVERY_QUESTION
def test_a_question_is_of_its_variables_kind_with_its_choices(question: dict[str, Any]) -> None:
    variable = BY_NAME[question["variable"]]
    assert question["type"] == kind_of_question(variable)
    if variable.kind == "bool":
        assert question["choices"] == ["false", "true"]
    else:
        assert tuple(question["choices"]) == variable.choices
    if question["type"] == "integer":
        assert question["min"] >= (variable.minimum or 0)


@EVERY_QUESTION
def test_a_question_that_is_left_as_it_is_means_the_default(question: dict[str, Any]) -> None:
    name = question["variable"].removeprefix("patch_")
    key = {"deadline": "deadline_at"}.get(name, name)
    assert read({question["variable"]: question["default"]})[key] == read({})[key]


@EVERY_QUESTION
def test_every_answer_that_awx_takes_is_read(question: dict[str, Any]) -> None:
    """A launch by API hands over texts for all but integers; true as such is refused by AWX, so "true" is what comes."""
    answers = {"integer": [question["min"], question["max"]], "multiplechoice": question["choices"]}
    for answer in answers.get(question["type"], [""]):
        read({question["variable"]: answer})


@EVERY_QUESTION
def test_no_question_is_required(question: dict[str, Any]) -> None:
    """A schedule or a launch by API answers none, and AWX then refuses to launch, whatever the default."""
    assert question["required"] is False


def test_a_text_where_a_number_belongs_is_reported() -> None:
    with pytest.raises(InvalidOption, match="a number of hosts"):
        read({"patch_batch_size": "five"})


# The project


def test_awx_sees_every_playbook_of_the_project_and_no_other_file() -> None:
    named = {template["playbook"] for template in variables()["awx_job_templates__templates"]}
    assert named == {path.name for path in PROJECT}
    assert all(AWX_SEES.search(path.read_text(encoding="utf-8")) for path in PROJECT)
    assert not AWX_SEES.search((ROLE / "files" / "project" / "collections" / "requirements.yml").read_text())


@pytest.mark.parametrize("path", PROJECT, ids=lambda path: path.stem)
def test_a_playbook_of_the_project_is_ours(path: Path) -> None:
    (play,) = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert play["import_playbook"] == f"patchfleet.windows.{path.stem}"
    assert (ROLE.parents[1] / "playbooks" / path.name).exists()


def test_what_a_checkout_of_this_repository_would_offer_as_a_project() -> None:
    """AWX skips what lies in folders of these names, and offers whatever else looks like a playbook."""
    root = ROLE.parents[1]
    skipped = {
        "roles",
        "tasks",
        "group_vars",
        "host_vars",
        "tests",
        "extensions",
    }  # the last two are noise that does no harm
    folders = [folder for folder in root.iterdir() if folder.is_dir() and folder.name[0] not in "._"]
    files = [*root.glob("*.y*ml"), *(path for folder in folders for path in folder.rglob("*.y*ml"))]
    offered = {
        path.relative_to(root).as_posix()
        for path in files
        if not skipped.intersection(path.relative_to(root).parts[:-1])
        and AWX_SEES.search(path.read_text(encoding="utf-8"))
    }
    runs, once = ("patch", "plan", "report", "restore"), ("setup_aws", "setup_awx", "teardown_aws", "teardown_awx")
    by_hand = ("evidence", "history", "restore_points", "resume", "roll_back", "status", "stop")
    names = (*runs, *once, *by_hand, "prove_account")
    assert offered == {f"playbooks/{name}.yml" for name in names}


# The schedule


@pytest.mark.parametrize("days", range(15))
def test_the_schedule_falls_the_given_days_after_the_second_tuesday(days: int) -> None:
    weekdays = variables()["awx_job_templates__weekdays"]
    rule_text = jinja2.Template(variables()["awx_job_templates__rrule"])
    rendered = rule_text.render(**WHEN, days=days, awx_job_templates__weekdays=weekdays)
    rule = rrulestr(rendered.replace(" RRULE", "\nRRULE"))
    tuesdays = [next(day for day in days_from(month, 8) if day.weekday() == 1) for month in range(1, 13)]
    expected = [day + datetime.timedelta(days=days, hours=22) for day in tuesdays]
    new_year = datetime.datetime(2027, 1, 1, tzinfo=ZoneInfo(WHEN["timezone"]))
    assert [when.replace(tzinfo=None) for when in rule.xafter(new_year, count=12)] == expected


def days_from(month: int, first: int) -> list[datetime.datetime]:
    return [datetime.datetime(2027, month, first + number) for number in range(7)]  # noqa: DTZ001 - at the place


# The objects


def tasks() -> list[dict[str, Any]]:
    found = []
    for path in sorted((ROLE / "tasks").glob("*.yml")):
        for task in yaml.safe_load(path.read_text(encoding="utf-8")):
            found += task.get("block", [task])
    return [task for task in found if "action" in task]


TASKS = pytest.mark.parametrize("task", [pytest.param(task, id=task["name"]) for task in tasks()])


@TASKS
def test_a_task_gives_its_module_options_that_it_knows_and_choices_that_it_has(task: dict[str, Any]) -> None:
    name = task["action"].rpartition(".")[2]
    module = pytest.importorskip(
        f"ansible_collections.awx.awx.plugins.modules.{name}",
        reason="the package ansible 12 brings awx.awx, 14 does not",
        exc_type=ImportError,
    )
    known = yaml.safe_load(module.DOCUMENTATION)["options"]
    assert set(task["args"]) <= set(known)
    for option, value in task["args"].items():
        if "choices" in known[option] and "{{" not in str(value):
            assert value in known[option]["choices"]


def test_every_template_that_takes_a_limit_asks_for_it_and_no_other() -> None:
    """One that is not asked for is dropped without a word, and the job runs on all hosts; restore and report are for all."""
    takes = {template["name"]: template["limit"] for template in variables()["awx_job_templates__templates"]}
    assert {name for name, is_taken in takes.items() if is_taken} == {"plan", "patch", "scan"}
    made = {task["action"].rpartition(".")[2]: task["args"] for task in tasks() if "state" not in task["args"]}
    assert made["job_template"]["ask_limit_on_launch"] == "{{ item.limit }}"
    assert made["workflow_job_template"]["ask_limit_on_launch"] == "{{ item.limit }}"
    workflows = {workflow["name"]: workflow["limit"] for workflow in variables()["awx_job_templates__workflows"]}
    assert workflows == {"workflow": True, "roll back workflow": False}


def test_a_right_names_templates_that_there_are_and_what_starts_a_host_needs_more_than_execute() -> None:
    starting = {
        template["name"]: template.get("starts_hosts", False)
        for template in variables()["awx_job_templates__templates"]
    }
    rights = {
        name: set(right.get("job_templates", ())) for name, right in variables()["awx_job_templates__rights"].items()
    }
    assert set().union(*rights.values()) == set(starting)
    assert not any(starting[name] for name in rights["execute"])
    specs = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]
    teams = specs["main"]["options"]["awx_job_templates_teams"]["options"]
    assert teams["rights"]["choices"] == list(rights)


def test_a_task_that_takes_a_secret_is_not_logged() -> None:
    silent = [task["name"] for task in tasks() if task.get("no_log")]
    assert silent == [task["name"] for task in tasks() if re.search("password|secret_key", str(task["args"]))]


def test_the_teardown_names_what_the_set_up_makes() -> None:
    """Hosts, sources, nodes, rights and schedules go with what they belong to; AWX removes a label that nothing has.

    A team may have been there before, and has members.
    """
    with_their_owners = {"group", "host", "inventory_source", "label", "role", "schedule", "workflow_job_template_node"}
    made = {
        task["action"].rpartition(".")[2] for task in tasks() if task["args"].get("state") not in ("absent", "exists")
    }
    removed = {task["action"].rpartition(".")[2] for task in tasks() if task["args"].get("state") == "absent"}
    only_reads = {"job_list"}
    assert removed == made - with_their_owners - {"team"} - only_reads


# The pages


@pytest.mark.parametrize("page", [ROLE / "README.md", ROLE.parents[1] / "docs" / "awx.md"], ids=lambda page: page.stem)
def test_a_page_names_variables_that_there_are_and_shows_files_that_are_taken(page: Path) -> None:
    specs = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]
    options = {name: spec for entry in specs.values() for name, spec in entry["options"].items()}
    text = page.read_text(encoding="utf-8")
    assert set(re.findall(r"\bawx_job_templates_[a-z]\w+", text)) <= set(options)
    shown = [yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)]
    for block in shown:
        values = block[0]["vars"] if isinstance(block, list) else block
        types = {"str": str, "list": list, "dict": dict, "int": int, "bool": bool}
        for name, value in values.items():
            if name in options:
                assert type(value) is types[options[name]["type"]], name
