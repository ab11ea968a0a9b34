# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of the stand-in: made, found, changed and removed by AWX's rules."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Self

from awx.schema import RESOURCES, ROLES, SURVEYED, UNIFIED, Ref, Resource

Row = dict[str, Any]
ENCRYPTED = "$encrypted$"
RULE = re.compile(
    r"DTSTART;TZID=[A-Za-z_]+(/[A-Za-z_]+)*:\d{8}T\d{6} RRULE:FREQ=\w+;INTERVAL=\d+(;[A-Z]+=[A-Z0-9,-]+)*"
)
QUESTIONS = {"text", "textarea", "password", "multiplechoice", "multiselect", "integer", "float"}
DEFAULTS = {
    "job_type": "run",
    "verbosity": 0,
    "survey_enabled": False,
    "enabled": True,
    "source_vars": "",
    "job_slice_count": 1,
}
JOB_FIELDS = ("id", "name", "organization", "status")
MATCHES: dict[str, Callable[[Any, str], bool]] = {
    "": lambda field, value: str(field) == value,
    "in": lambda field, value: str(field) in value.split(","),
    "gt": lambda field, value: int(field) > int(value),
    "startswith": lambda field, value: str(field).startswith(value),
}
"""Lookups of a filter after two underscores (AWX, REST API reference, "Filtering")."""


class RefusedError(Exception):
    """What AWX would answer 400 to, as its document."""


class Objects:
    """``playbooks`` are those that AWX finds in each project.

    Attributes:
        jobs: those that were launched: id, name (of their template), organization and status.
        imported: the hosts that a source of an inventory brought at its last update.
    """

    def __init__(self, playbooks: list[str]) -> None:
        self.lists: dict[str, dict[int, Row]] = {name: {} for name in RESOURCES}
        self.links: dict[tuple[str, int, str], list[int]] = {}
        self.surveys: dict[tuple[str, int], Row] = {}
        self.jobs: list[Row] = []
        self.imported: dict[int, set[int]] = {}
        self.playbooks = playbooks
        self._ids = itertools.count(1)

    def to_document(self) -> dict[str, Any]:
        """All of it for a file, from which ``from_document`` makes it again."""
        return {
            "lists": {kind: list(rows.values()) for kind, rows in self.lists.items() if rows},
            "links": [[*key, ids] for key, ids in self.links.items() if ids],
            "surveys": [[*key, spec] for key, spec in self.surveys.items()],
        }

    @classmethod
    def from_document(cls, playbooks: list[str], document: Mapping[str, Any]) -> Self:
        """Another one with the same objects."""
        objects = cls(playbooks)
        for kind, rows in document["lists"].items():
            objects.lists[kind] = {row["id"]: row for row in rows}
        objects.links = {(kind, number, name): ids for kind, number, name, ids in document["links"]}
        objects.surveys = {(kind, number): spec for kind, number, spec in document["surveys"]}
        objects._ids = itertools.count(1 + max(number for rows in objects.lists.values() for number in rows))
        return objects

    def add(self, kind: str, /, **fields: Any) -> int:
        """Make one as AWX's own installation, or another user, makes it; returns its id."""
        return int(self.create(kind, fields)["id"])

    def create(self, kind: str, data: Mapping[str, Any]) -> Row:
        """Raises RefusedError for what is missing, unknown, or there already."""
        resource = RESOURCES[kind]
        missing = [name for name in resource.required if data.get(name) in (None, "")]
        if missing:
            raise RefusedError({name: ["This field is required."] for name in missing})
        self._check(kind, resource, data)
        row: Row = {name: _blank(name, of) for name, of in resource.fields.items()} | _without_nulls(resource, data)
        self._refuse_second(kind, resource, row)
        row["id"] = next(self._ids)
        row["type"] = resource.type
        row["url"] = f"/api/v2/{kind}/{row['id']}/"
        below = list(resource.associations)
        if kind in SURVEYED:
            below.append("survey_spec")
        row["related"] = {name: f"{row['url']}{name}/" for name in below}
        row["summary_fields"] = {}
        self.lists[kind][row["id"]] = row
        self._made(kind, row)
        return row

    def change(self, kind: str, row: Row, data: Mapping[str, Any]) -> None:
        """Raises RefusedError like create."""
        if (
            kind == "workflow_approval_templates"
        ):  # the module sends the fields of the node, too, and AWX overlooks them
            data = {name: value for name, value in data.items() if name in RESOURCES[kind].fields}
        self._check(kind, RESOURCES[kind], data)
        row.update(_without_nulls(RESOURCES[kind], data))

    def remove(self, kind: str, row: Row) -> None:
        """What belongs to it goes with it; what only names it then names nothing."""
        for child, name in RESOURCES[kind].children.items():
            for one in [one for one in self.lists[child].values() if one.get(name) == row["id"]]:
                self.remove(child, one)
        approval = self.lists["workflow_approval_templates"].get(row.get("unified_job_template") or 0)
        if kind == "workflow_job_template_nodes" and approval:
            self.remove("workflow_approval_templates", approval)
        del self.lists[kind][row["id"]]
        for other in (other for rows in self.lists.values() for other in rows.values()):
            for name, of in RESOURCES[_list_of(other)].fields.items():
                if isinstance(of, Ref) and other.get(name) == row["id"]:
                    other[name] = None
        self._unlink(row)

    def _unlink(self, row: Row) -> None:
        labels = self._labels()
        for key in [key for key in self.links if key[1] == row["id"]]:
            del self.links[key]
        for ids in self.links.values():
            if row["id"] in ids:
                ids.remove(row["id"])
        for label in labels - self._labels():
            self.remove("labels", self.lists["labels"][label])

    def find(self, kind: str, query: Mapping[str, str]) -> list[Row]:
        """Raises RefusedError for a filter that AWX does not know."""
        rows = [
            row
            for name in (UNIFIED if kind == "unified_job_templates" else (kind,))
            for row in self.lists[name].values()
        ]
        either = {name.removeprefix("or__"): value for name, value in query.items() if name.startswith("or__")}
        every = {name: value for name, value in query.items() if not name.startswith("or__")}
        for name in {**either, **every}:
            field, _, lookup = name.partition("__")
            known = kind == "unified_job_templates" or field in {*RESOURCES[kind].fields, "id", "type"}
            if not known or lookup not in MATCHES:
                raise RefusedError({"detail": f"{name} is no field of {kind}"})
        for name, value in every.items():
            field, _, lookup = name.partition("__")
            rows = [row for row in rows if MATCHES[lookup](row.get(field), value)]
        if either:
            rows = [row for row in rows if any(str(row.get(name)) == value for name, value in either.items())]
        return rows

    def find_jobs(self, query: Mapping[str, str]) -> list[Row]:
        """Of ``jobs``, the newest first. Raises RefusedError for a filter that is not known here."""
        rows, limit = list(self.jobs), None
        for name, value in query.items():
            field, _, lookup = name.partition("__")
            if name == "page_size":
                limit = int(value)
            elif name == "order_by" and value == "-id":
                rows.sort(key=lambda row: -int(row["id"]))
            elif field in JOB_FIELDS and lookup in MATCHES:
                rows = [row for row in rows if MATCHES[lookup](row[field], value)]
            else:
                raise RefusedError({"detail": f"{name}={value} is no filter of jobs"})
        return rows[:limit]

    def unified(self, number: int | None) -> Row | None:
        """The template, project or source of that id."""
        found = (self.lists[name][number] for name in UNIFIED if number in self.lists[name])
        return next(found, None)

    def linked(self, kind: str, row: Row, name: str) -> list[int]:
        """The ids of an association, to be changed in place. Raises KeyError for one that there is not."""
        assert RESOURCES[kind].associations[name]
        return self.links.setdefault((kind, row["id"], name), [])

    def link(self, kind: str, row: Row, name: str, data: Mapping[str, Any]) -> None:
        """Raises RefusedError for an object that there is not, or that is linked already."""
        ids, one = self.linked(kind, row, name), data["id"]
        if one not in self.lists[RESOURCES[kind].associations[name]]:
            raise RefusedError({"detail": f"{name}: there is no {one}"})
        if data.get("disassociate"):
            ids.remove(one)
        else:
            ids.append(one)

    def set_survey(self, kind: str, row: Row, spec: Mapping[str, Any]) -> None:
        """Raises RefusedError for what AWX's own check of a survey finds."""
        if not spec.get("spec"):
            raise RefusedError({"error": "'spec' doesn't contain any items."})
        if set(spec) != {"name", "description", "spec"}:
            raise RefusedError({"error": "name, description and spec are required"})
        for question in spec["spec"]:
            lacking = {"type", "question_name", "variable", "required"} - set(question)
            if lacking or question["type"] not in QUESTIONS or not isinstance(question["required"], bool):
                raise RefusedError({"error": f"not valid: {question}"})
            if question["type"] == "integer" and not isinstance(question["default"], int):
                raise RefusedError({"error": f"its default is no integer: {question}"})
            if question["type"] == "multiplechoice" and question["default"] not in question["choices"]:
                raise RefusedError({"error": f"its default is no choice: {question}"})
        self.surveys[kind, row["id"]] = dict(spec)

    def approve(self, node: Row, data: Mapping[str, Any]) -> Row:
        """Make the approval that a node of a workflow waits for."""
        fields = {name: data[name] for name in ("name", "description", "timeout") if name in data}
        approval = self.create("workflow_approval_templates", fields)
        node["unified_job_template"] = approval["id"]
        node["related"]["unified_job_template"] = approval["url"]
        return approval

    def _labels(self) -> set[int]:
        """Those that some template has; AWX removes one when the last template that has it goes."""
        return {label for key, ids in self.links.items() if key[2] == "labels" for label in ids}

    def _check(self, kind: str, resource: Resource, data: Mapping[str, Any]) -> None:
        for name, value in data.items():
            if name not in resource.fields:
                raise RefusedError({name: [f"{kind} has no such field."]})
            if not self._fits(resource.fields[name], value):
                raise RefusedError({name: [f"{value!r} is not valid."]})
        if not RULE.fullmatch(data.get("rrule", "DTSTART;TZID=UTC:20260101T000000 RRULE:FREQ=DAILY;INTERVAL=1")):
            raise RefusedError({"rrule": [f"{data['rrule']} is not valid."]})
        if kind == "job_templates" and data.get("playbook", self.playbooks[0]) not in self.playbooks:
            raise RefusedError({"playbook": ["Playbook not found for project."]})
        for name in ("extra_vars", "variables", "source_vars"):
            if data.get(name) and not isinstance(json.loads(data[name]), dict):
                raise RefusedError({name: ["Cannot parse as JSON"]})
        if kind == "credentials" and "inputs" in data:
            self._check_inputs(data)
        if kind == "inventory_sources" and data.get("source") == "ec2" and data.get("credential"):
            self._check_cloud(data["credential"])

    def _fits(self, of: Any, value: Any) -> bool:
        if isinstance(of, Ref):
            lists = UNIFIED if of.list == "unified_job_templates" else (of.list,)
            return value is None or any(value in self.lists[name] for name in lists)
        if isinstance(of, tuple):
            return value is None or value in of
        return value is None or type(value) is of

    def _check_inputs(self, data: Mapping[str, Any]) -> None:
        kind = self.lists["credential_types"][data["credential_type"]]
        known = {field["id"] for field in kind["inputs"]["fields"]}
        if set(data["inputs"]) - known:
            raise RefusedError({"inputs": [f"{sorted(set(data['inputs']) - known)} are no inputs of {kind['name']}"]})

    def _check_cloud(self, credential: int) -> None:
        kind = self.lists["credential_types"][self.lists["credentials"][credential]["credential_type"]]
        if kind["name"] != "Amazon Web Services":
            raise RefusedError(
                {"credential": ["Cloud-based inventory sources (such as ec2) require credentials for it."]}
            )

    def _refuse_second(self, kind: str, resource: Resource, row: Row) -> None:
        same = [
            one for one in self.lists[kind].values() if all(one.get(name) == row.get(name) for name in resource.unique)
        ]
        if same and kind != "workflow_approval_templates":
            raise RefusedError({"__all__": [f"{kind} with this {' and '.join(resource.unique)} already exists."]})

    def _made(self, kind: str, row: Row) -> None:
        if kind == "credentials":
            secret = {
                field["id"]
                for field in self.lists["credential_types"][row["credential_type"]]["inputs"]["fields"]
                if field.get("secret")
            }
            row["inputs"] = {
                name: ENCRYPTED if name in secret else value for name, value in (row["inputs"] or {}).items()
            }
        elif kind == "projects":
            row["scm_revision"] = "0123456789abcdef0123456789abcdef01234567"
            row["summary_fields"]["current_update"] = {"id": row["id"]}
        elif kind in ROLES:
            made = {name: self.add("roles", name=name, content_object=row["id"]) for name in ROLES[kind]}
            row["summary_fields"]["object_roles"] = {name: {"id": one} for name, one in made.items()}
        elif kind == "inventories" and row["kind"] == "constructed":
            self.add(
                "inventory_sources",
                name=f"Auto-created source for: {row['name']}",
                inventory=row["id"],
                source="constructed",
                overwrite=True,
                overwrite_vars=True,
                update_on_launch=True,
            )


def _without_nulls(resource: Resource, data: Mapping[str, Any]) -> Row:
    """AWX takes null for a text that is empty."""
    return {
        name: _blank(name, resource.fields[name])
        if value is None and not isinstance(resource.fields[name], Ref)
        else value
        for name, value in data.items()
    }


def _blank(name: str, of: Any) -> Any:
    if isinstance(of, Ref) or name == "host_filter":
        return None
    if isinstance(of, tuple):
        return DEFAULTS.get(name, of[0])
    return DEFAULTS.get(name, of())


def _list_of(row: Row) -> str:
    return str(row["url"].split("/")[3])
