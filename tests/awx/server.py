# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in's API on a port of this machine."""

from __future__ import annotations

import json
import secrets
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from awx.launch import refuse_schedule
from awx.objects import DEFAULTS, Objects, RefusedError, Row
from awx.schema import RESOURCES, SURVEYED

Answer = tuple[int, Any]


class StandIn:
    """An AWX; a client with its ``token`` may do everything.

    Attributes:
        changes: the requests that were to change something.
        refused: those that were answered by 4xx.
    """

    def __init__(self, objects: Objects) -> None:
        self.objects = objects
        self.token = secrets.token_hex()
        self.changes: list[str] = []
        self.refused: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_caught: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, method: str, path: str, query: str, body: Any) -> Answer:
        """Status and document."""
        parts = path.removeprefix("/api/").strip("/").split("/")
        if parts[0] != "v2" or (
            parts[1] not in RESOURCES and parts[1] not in {"unified_job_templates", "project_updates", "jobs"}
        ):
            return 404, {"detail": "Not found."}
        try:
            if len(parts) == 2:
                return self._of_list(method, parts[1], dict(parse_qsl(query)), body)
            if parts[1] == "project_updates":
                return 200, {"id": int(parts[2]), "status": "successful"}
            row = self.objects.lists[parts[1]][int(parts[2])]
            return (
                self._below(method, parts[1], row, parts[3], body)
                if len(parts) == 4
                else self._of_one(method, parts[1], row, body)
            )
        except KeyError:
            return 404, {"detail": "Not found."}
        except RefusedError as refused:
            return 400, refused.args[0]

    def _of_list(self, method: str, kind: str, query: dict[str, str], body: Any) -> Answer:
        if method == "GET":
            return 200, page(self.objects.find_jobs(query) if kind == "jobs" else self.objects.find(kind, query))
        if method == "POST" and kind in RESOURCES:
            if kind == "schedules":
                refuse_schedule(self.objects, body)
            return 201, self.objects.create(kind, body)
        return 405, {"detail": f"{method} is not allowed."}

    def _of_one(self, method: str, kind: str, row: Row, body: Any) -> Answer:
        if method == "PATCH":
            if kind == "schedules":
                # What is blank, or a default, is no prompt.
                kept = {name: value for name, value in row.items() if value and value != DEFAULTS.get(name)}
                refuse_schedule(self.objects, {**kept, **body})
            self.objects.change(kind, row, body)
        elif method == "DELETE":
            self.objects.remove(kind, row)
            return (202, {}) if kind == "inventories" else (204, None)
        elif method != "GET":
            return 405, {"detail": f"{method} is not allowed."}
        return 200, row

    def _below(self, method: str, kind: str, row: Row, name: str, body: Any) -> Answer:
        if name == "survey_spec" and kind in SURVEYED:
            if method == "POST":
                self.objects.set_survey(kind, row, body)
                return 200, {}
            if method == "DELETE":
                self.objects.surveys.pop((kind, row["id"]), None)
                return 200, {}
            return 200, self.objects.surveys.get((kind, row["id"]), {})
        if name == "create_approval_template" and kind == "workflow_job_template_nodes":
            return 201, self.objects.approve(row, body)
        ids = self.objects.linked(kind, row, name)
        if method == "POST":
            self.objects.link(kind, row, name, body)
            return 204, None
        return 200, page([self.objects.lists[RESOURCES[kind].associations[name]][one] for one in ids])

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        standin = self

        class Handler(BaseHTTPRequestHandler):
            def _do(self) -> None:
                url = urlsplit(self.path)
                body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "null")
                if self.headers.get("Authorization") == f"Bearer {standin.token}":
                    status, document = standin.answer(self.command, url.path, url.query, body)
                else:
                    status, document = 401, {"detail": "Authentication credentials were not provided."}
                entry = f"{self.command} {self.path} {body if self.command != 'GET' else ''}".strip()
                if self.command != "GET":
                    standin.changes.append(entry)
                if status >= 400:
                    standin.refused.append(f"{entry}: {status} {document}")
                text = b"" if document is None else json.dumps(document).encode()
                self.send_response(status)
                self.send_header("X-API-Product-Name", "AWX")
                self.send_header("X-API-Product-Version", "24.6.1")
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = do_PATCH = do_DELETE = _do  # noqa: N815

            def log_message(self, *_args: Any) -> None:
                pass

        return Handler


def page(rows: list[Row]) -> dict[str, Any]:
    """A list as AWX answers it, all on one page."""
    return {"count": len(rows), "next": None, "previous": None, "results": rows}
