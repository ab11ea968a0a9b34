# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AWX is set up, set up again, and taken down, by the playbooks that do it, against a stand-in of its API.

The commands and the file of variables are those of docs/awx.md.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import awx_setup
import botocore.session
import pytest
from awx_setup import SECRETS, SET_UP, SET_UP_AGAIN, TAKE_DOWN, fresh_awx, run

from awx.dispatcher import Dispatcher, Runs, UpdateFailedError
from awx.inventories import Document, script_data, sources_of_launch
from awx.launch import inject
from awx.objects import Objects, Row
from awx.server import StandIn

awx_collection = pytest.importorskip(
    "ansible_collections.awx.awx", reason="the package ansible 12 brings it, 14 does not"
)


@pytest.fixture
def awx() -> Iterator[StandIn]:
    with StandIn(fresh_awx()) as standin:
        yield standin


@pytest.mark.parametrize(
    ("variables", "reported"),
    [
        (
            {"awx_job_templates_variables": {"patch_ledger": "a.sqlite"}},
            "patch_ledger is a.sqlite. It must name a ledger that",
        ),
        (
            {"awx_job_templates_schedule_days": 15},
            "awx_job_templates_schedule_days: 15 is not valid. It must be 0 to 14",
        ),
        (
            {"awx_job_templates_schedule_time": "22"},
            "awx_job_templates_schedule_time: 22 is not valid. It must be HH:MM",
        ),
        (
            {
                "awx_job_templates_variables": {"patch_ledger": "dynamodb://T"},
                "awx_job_templates_regions": ["eu-central-1", "eu-west-1"],
            },
            "patch_ledger is dynamodb://T. It must name a ledger that outlives a job, with its region",
        ),
        (
            {"awx_job_templates_schedules": [{"name": "late", "days": 20}]},
            "late: awx_job_templates_schedule_days: 20 is not valid",
        ),
        (
            {"awx_job_templates_aws_role_arn": "arn", "awx_job_templates_aws_credential": "Theirs"},
            "awx_job_templates_aws_role_arn: the role cannot be added to an existing credential",
        ),
        (
            {"awx_job_templates_accounts": [{"name": "plant", "role_arn": "arn", "external_id": "7"}]},
            "plant has an external id, which the inventory plugin amazon.aws.aws_ec2 cannot send",
        ),
        (
            {"awx_job_templates_answers": {"patch_canari": 1}},
            "awx_job_templates_answers: no survey asks for patch_canari",
        ),
        (
            {"awx_job_templates_timeout_seconds": {"patches": 1}},
            "awx_job_templates_timeout_seconds: there is no template patches. There are plan, patch",
        ),
        ({"awx_job_templates_scm_urll": "x"}, "There is no variable awx_job_templates_scm_urll. There are"),
    ],
)
def test_what_cannot_be_right_is_refused_first(
    awx: StandIn, tmp_path: Path, variables: dict[str, Any], reported: str
) -> None:
    with pytest.raises(AssertionError) as refused:
        run(awx, tmp_path, SET_UP, **variables)
    assert reported in " ".join(str(refused.value).split())
    assert awx.changes == []


def changed(results: list[dict[str, Any]]) -> list[str]:
    return [line["task"] for line in results if line["result"].get("changed")]


def test_set_up_twice_and_taken_down(awx: StandIn, tmp_path: Path) -> None:
    before = copy.deepcopy(awx.objects.lists)

    run(awx, tmp_path, SET_UP)
    assert awx.refused == []
    check_what_was_made(awx.objects)

    awx.changes.clear()
    assert changed(run(awx, tmp_path, SET_UP_AGAIN)) == []
    assert awx.changes == []

    red_hats = tmp_path / "ansible_collections" / "ansible" / "controller"  # of the same content
    red_hats.parent.mkdir(parents=True)
    red_hats.symlink_to(Path(awx_collection.__path__[0]))
    settings = {"awx_job_templates_remove_organization": True, "awx_job_templates_collection": "ansible.controller"}
    run(awx, tmp_path, TAKE_DOWN, **settings)
    assert awx.refused == []
    assert awx.objects.lists == before

    awx.changes.clear()
    assert changed(run(awx, tmp_path, TAKE_DOWN)) == []
    assert awx.changes == []


def one(objects: Objects, kind: str, name: str) -> Row:
    return next(row for row in objects.lists[kind].values() if row["name"] == name)


LITTLE = """
awx_job_templates_scm_url: https://git.example.com/patching.git
awx_job_templates_regions: [eu-central-1]
awx_job_templates_variables: {patch_ledger: dynamodb://Table}
"""


def test_what_an_administrator_changed_in_awx_stays_unless_a_variable_names_it(
    awx: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(awx_setup, "OWN_FILE", LITTLE)
    run(awx, tmp_path, SET_UP)
    objects = awx.objects
    patch, schedule = (
        one(objects, "job_templates", "Patch Fleet patch"),
        next(iter(objects.lists["schedules"].values())),
    )
    variables = {**json.loads(patch["extra_vars"]), "patch_exclude": ["db-1"]}
    objects.change("job_templates", patch, {"forks": 7, "timeout": 900, "extra_vars": json.dumps(variables)})
    rule = "DTSTART;TZID=Europe/Berlin:20260101T030000 RRULE:FREQ=DAILY;INTERVAL=1"
    objects.change("schedules", schedule, {"enabled": True, "rrule": rule})
    survey = copy.deepcopy(objects.surveys["job_templates", patch["id"]])
    next(question for question in survey["spec"] if question["variable"] == "patch_canary")["default"] = 2
    objects.set_survey("job_templates", patch, survey)

    run(awx, tmp_path, SET_UP_AGAIN)
    assert awx.refused == []
    assert (patch["forks"], patch["timeout"], schedule["enabled"], schedule["rrule"]) == (7, 900, True, rule)
    assert json.loads(patch["extra_vars"]) == variables
    asked = {
        question["variable"]: question["default"] for question in objects.surveys["job_templates", patch["id"]]["spec"]
    }
    assert asked["patch_canary"] == 2
    assert "patch_exclude" not in asked, "its default would go over the template's variable"

    run(
        awx,
        tmp_path,
        SET_UP_AGAIN,
        awx_job_templates_forks=9,
        awx_job_templates_job_slice_count=3,
        awx_job_templates_reset=True,
    )
    assert (patch["forks"], patch["timeout"], "patch_exclude" in json.loads(patch["extra_vars"])) == (9, 0, False)
    assert (schedule["enabled"], "BYMONTHDAY" in schedule["rrule"]) == (False, True)
    templates = awx.objects.lists["job_templates"].values()
    slices = {row["name"].removeprefix("Patch Fleet "): row["job_slice_count"] for row in templates}
    sliced = {name for name, count in slices.items() if count == 3}
    assert sliced == {"patch", "scan"}, "a roll-back is for one host"


@pytest.mark.parametrize(
    ("jobs", "named"),
    [
        ([("patch", "running")], "1 Patch Fleet patch running"),
        ([("patch", "failed")], "1 Patch Fleet patch failed"),
        ([("restore", "successful"), ("scan", "canceled")], "2 Patch Fleet scan canceled"),
        ([("roll back", "running")], "1 Patch Fleet roll back running"),
        ([("patch", "failed"), ("restore points", "successful")], "1 Patch Fleet patch failed"),
        ([("patch", "failed"), ("restore", "failed")], "2 Patch Fleet restore failed, 1 Patch Fleet patch failed"),
        ([("patch", "failed"), ("restore", "successful"), ("plan", "failed"), ("report", "running")], None),
        ([("patch", "successful")], None),
    ],
    ids=lambda value: "-".join(" ".join(job) for job in value) if isinstance(value, list) else "",
)
def test_no_teardown_while_hosts_may_be_on_because_of_a_job(
    awx: StandIn, tmp_path: Path, jobs: list[tuple[str, str]], named: str | None
) -> None:
    objects = awx.objects
    organization = objects.add("organizations", name="Patch Fleet")
    theirs = objects.add("organizations", name="Others")
    objects.jobs = [
        {"id": number, "name": f"Patch Fleet {name}", "organization": organization, "status": status}
        for number, (name, status) in enumerate(jobs, 1)
    ]
    objects.jobs.append({"id": 9, "name": "Patch Fleet patch", "organization": theirs, "status": "running"})
    if named is None:
        run(awx, tmp_path, TAKE_DOWN)
        return
    with pytest.raises(AssertionError) as refused:
        run(awx, tmp_path, TAKE_DOWN)
    words = " ".join(str(refused.value).split())
    assert f"Hosts may be on because of {named}." in words
    assert "launch Patch Fleet restore until it succeeds" in words
    assert awx.changes == []
    run(awx, tmp_path, TAKE_DOWN, awx_job_templates_teardown_anyway=True)


def check_what_was_made(objects: Objects) -> None:
    check_templates(objects)
    check_inventory(objects)
    check_workflow(objects)
    check_rights(objects)
    check_a_good_night(objects)
    check_a_night_without_an_account(objects)


def names(objects: Objects, kind: str, numbers: Iterable[int]) -> list[str]:
    return [objects.lists[kind][number]["name"] for number in numbers]


TAKE_A_LIMIT = {"patch", "plan", "scan"}
WORK_FROM_THE_LEDGER = {
    "evidence",
    "history",
    "report",
    "restore",
    "restore points",
    "resume",
    "roll back",
    "status",
    "stop",
}


def check_templates(objects: Objects) -> None:
    templates = {row["name"].removeprefix("Patch Fleet "): row for row in objects.lists["job_templates"].values()}
    assert set(templates) == TAKE_A_LIMIT | WORK_FROM_THE_LEDGER
    # AWX hands a workflow's limit on to every template that asks for one, and the other ones work for all hosts.
    assert {name for name, row in templates.items() if row["ask_limit_on_launch"]} == TAKE_A_LIMIT
    assert {name: row["timeout"] for name, row in templates.items() if row["timeout"]} == {"plan": 1800}
    for row in templates.values():
        variables = json.loads(row["extra_vars"])
        assert (variables["patch_hosts"], variables["patch_regions"]) == ("all", ["eu-central-1"])
        assert [account["name"] for account in variables["patch_accounts"]] == ["sales", "plant"]
        assert not any("credential" in account for account in variables["patch_accounts"])
        linked = {name: names(objects, name, objects.linked("job_templates", row, name)) for name in LINKED}
        assert linked == {
            "credentials": ["Patch Fleet AWS", "Patch Fleet machine"],
            "instance_groups": ["patching"],
            "labels": ["windows", "patching"],
        }
        assert row["ask_verbosity_on_launch"]
        assert objects.surveys["job_templates", row["id"]]["spec"]


LINKED = ("credentials", "instance_groups", "labels")


def check_inventory(objects: Objects) -> None:
    """One, which every template uses, and which a launch brings up to date."""
    (number,) = {row["inventory"] for row in objects.lists["job_templates"].values() if row["ask_limit_on_launch"]}
    assert objects.lists["inventories"][number]["kind"] == ""
    sources = {row["name"]: row for row in sources_of_launch(objects, number)}
    assert list(sources) == ["Patch Fleet EC2", "Patch Fleet EC2 sales", "Patch Fleet EC2 plant"]
    options = {name: json.loads(row["source_vars"]) for name, row in sources.items()}
    assert [options[name].get("assume_role_arn", "")[:25] for name in sources] == ["", "arn:aws:iam::210987654321", ""]
    assert [options[name]["regions"] for name in sources] == [["eu-central-1"], ["eu-central-1"], ["us-east-1"]]
    held = names(objects, "credentials", [row["credential"] for row in sources.values()])
    assert held == ["Patch Fleet AWS", "Patch Fleet AWS", "AWS of the plant"]
    assert [group["prefix"] for group in options["Patch Fleet EC2"]["keyed_groups"]] == ["name", "region", "ring"]
    document = script_data(objects, number)
    assert (document["hybrid"]["hosts"], document["onprem"]["hosts"]) == (["shop-01"], ["hall-01"])
    assert document["onprem"]["vars"]["ansible_connection"] == "winrm"
    assert document["_meta"]["hostvars"]["shop-01"]["instance_id"] == "mi-0123456789abcdef0"


def check_workflow(objects: Objects) -> None:
    lists = objects.lists
    workflows = {row["name"]: row["ask_limit_on_launch"] for row in lists["workflow_job_templates"].values()}
    assert workflows == {"Patch Fleet workflow": True, "Patch Fleet roll back workflow": False}
    assert links(objects) == {
        ("plan", "success", "approve"),
        ("approve", "success", "patch"),
        ("patch", "success", "report"),
        ("patch", "failure", "restore"),
        ("restore", "success", "report"),
        ("restore", "failure", "wait"),
        ("wait", "always", "restore again"),
        ("restore again", "always", "report"),
        ("approve", "success", "roll back"),
    }
    approvals = {row["name"]: row["timeout"] for row in lists["workflow_approval_templates"].values()}
    assert approvals == {
        "Patch Fleet approve the plan": 86400,
        "Patch Fleet approve the roll-back": 86400,
        "Patch Fleet wait for the lease to end": 1200,
    }
    rules = {row["name"]: row["rrule"] for row in lists["schedules"].values() if row["enabled"]}
    monthly = "DTSTART;TZID=Europe/Berlin:20260101T220000 RRULE:FREQ=MONTHLY;INTERVAL=1;BYDAY=SA;BYMONTHDAY="
    assert rules == {
        "Patch Fleet canaries": f"{monthly}12,13,14,15,16,17,18",
        "Patch Fleet the rest": f"{monthly}19,20,21,22,23,24,25",
    }


def check_rights(objects: Objects) -> None:
    """Who may launch the workflows may not launch patch or roll back itself, which no approval holds back."""
    rights = {
        (names(objects, "teams", [team])[0], role["name"], str(objects.unified(role["content_object"])["name"]))
        for role in objects.lists["roles"].values()
        for team in objects.linked("roles", role, "teams")
    }
    launched = ("workflow", "roll back workflow", *{"plan"} | WORK_FROM_THE_LEDGER - {"roll back", "restore points"})
    assert rights == {
        *(("Windows operators", "execute_role", f"Patch Fleet {name}") for name in launched),
        *(("Service owners", "approval_role", f"Patch Fleet {name}") for name in ("workflow", "roll back workflow")),
    }


def check_a_good_night(objects: Objects) -> None:
    """A schedule's limit and answers reach the jobs that they are for, and few messages are sent."""
    objects = copy.deepcopy(objects)
    runs = Runs(lambda _job: ("successful", {}), lambda _source, _inputs: {}, lambda _approval: "approved")
    awx = Dispatcher(objects, runs)
    night = awx.start_schedule("Patch Fleet canaries")
    assert night.status == "successful"
    limits = {name: job.limit for name, job in night.jobs.items() if name != "approve"}
    assert limits == {"plan": "ring_canary", "patch": "ring_canary", "report": ""}
    assert night.jobs["patch"].variables["patch_failure_budget"] == "0"
    approval = "Patch Fleet approve the plan"
    assert awx.notified == [
        ("Pager", approval, "approvals"),
        ("Pager", f"{approval}: approved", "approvals"),
        ("Pager", "Patch Fleet patch", "success"),
    ]


def check_a_night_without_an_account(objects: Objects) -> None:
    """A source fails: nothing is patched, and what an earlier run has left on is put back all the same."""
    objects = copy.deepcopy(objects)
    awx = Dispatcher(objects, Runs(lambda _job: ("successful", {}), no_source, lambda _approval: "approved"))
    ends = {name: awx.launch(f"Patch Fleet {name}").status for name in ("plan", "patch", "scan", "restore", "report")}
    assert ends == {
        "plan": "failed",
        "patch": "failed",
        "scan": "failed",
        "restore": "successful",
        "report": "successful",
    }
    restore = next(job for job in awx.jobs if job.template["name"] == "Patch Fleet restore")
    assert restore.inventory["onprem"]["vars"]["ansible_connection"] == "winrm", (
        "it reaches hosts that AWS does not know"
    )


def no_source(source: Row, inputs: list[Document]) -> Document:
    """Those of EC2 fail; a constructed one has its inputs."""
    if source["source"] == "ec2":
        raise UpdateFailedError(source["name"])
    return inputs[0]


def test_what_holds_for_every_job_is_not_undone_by_a_survey(awx: StandIn, tmp_path: Path) -> None:
    settings = {
        "awx_job_templates_variables": {"patch_ledger": "dynamodb://Table", "patch_exclude": "db-1"},
        "awx_job_templates_answers": {"patch_canary": 2, "patch_sessions": "defer"},
        "awx_job_templates_aws_role_arn": ROLE_ARN,
        "awx_job_templates_accounts": [],
    }
    run(awx, tmp_path, SET_UP, **settings)
    assert awx.refused == []
    runs = Runs(lambda _job: ("successful", {}), lambda _source, _inputs: {}, lambda _approval: "approved")
    patch = Dispatcher(awx.objects, runs).launch_workflow("Patch Fleet workflow").jobs["patch"]
    kept = {name: patch.variables[name] for name in ("patch_exclude", "patch_canary", "patch_sessions")}
    assert kept == {"patch_exclude": "db-1", "patch_canary": 2, "patch_sessions": "defer"}
    assert "patch_ledger" not in patch.variables, "the credential brings it"
    check_role(awx.objects, patch.template, tmp_path)
    run(awx, tmp_path, TAKE_DOWN, **settings, awx_job_templates_remove_organization=True)
    assert not [
        row
        for kind in ("credentials", "credential_types")
        for row in awx.objects.lists[kind].values()
        if "role" in row["name"]
    ]


ROLE_ARN = "arn:aws:iam::123456789012:role/PatchFleet-controller-eu-central-1"


def check_role(objects: Objects, template: Row, folder: Path) -> None:
    """What the credential injects has AWS's own code assume the role with the keys."""
    number = objects.linked("job_templates", template, "credentials")[0]
    credential = objects.lists["credentials"][number]
    kind = objects.lists["credential_types"][credential["credential_type"]]
    given = {**credential["inputs"], "secret_key": SECRETS[0]}
    environment, variables = inject(kind["injectors"], given, folder)
    assert variables == {"patch_ledger": "dynamodb://Table?region=eu-central-1"}
    session = botocore.session.Session(session_vars={"config_file": (None, None, environment["AWS_CONFIG_FILE"], None)})
    assert session.get_config_variable("region") == environment["AWS_REGION"] == "eu-central-1"
    found = session.get_credentials()
    assert found.method == "assume-role"
    profiles = session.full_config["profiles"]
    assert profiles["default"]["role_arn"] == ROLE_ARN
    assert profiles["keys"] == {"aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": SECRETS[0]}


def links(objects: Objects) -> set[tuple[str, str, str]]:
    """Of the workflow: from which node by which outcome to which."""
    nodes = objects.lists["workflow_job_template_nodes"]
    return {
        (nodes[source]["identifier"], name.removesuffix("_nodes"), nodes[target]["identifier"])
        for (kind, source, name), targets in objects.links.items()
        if kind == "workflow_job_template_nodes"
        for target in targets
    }
