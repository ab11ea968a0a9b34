# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The poller of a run behind a Unix socket that only its user can open: a question and an answer are one line of JSON each.

No credentials pass the socket: the poller has its own session of AWS.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import socket
import socketserver
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from .._base.clock import Clock
from .._model.account import account_from
from .poller import RETRY_BUDGET_SECONDS, Answer, Answers, Question, Subject

ANSWER_SECONDS = RETRY_BUDGET_SECONDS + 45.0
"""By the run's clock: a longer answer is not waited for."""
REAL_MARGIN_SECONDS = 3.0
MOMENT = "$moment"
END = b"end\n"
OWNER_ONLY = 0o600


class Server(socketserver.ThreadingUnixStreamServer):
    """Listens at a path and answers questions; the folder of the path must be the user's alone."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, path: str, answers: Answers | None = None) -> None:
        """Raises OSError: the path is too long for a socket, or cannot be written."""
        before = os.umask(0o777 & ~OWNER_ONLY)
        try:
            super().__init__(path, _Conversation)
        finally:
            os.umask(before)
        self.answers = answers
        self.end_pipe = os.pipe()

    def end(self) -> None:
        """End serve_until; safe in every thread."""
        os.write(self.end_pipe[1], b"!")

    def serve_until(self, lifeline: int) -> None:
        """Answer until ``end`` is called, or the descriptor reaches its end of file: the process with its other end is gone."""
        ends = {lifeline, self.end_pipe[0]}
        with selectors.DefaultSelector() as selector:
            for descriptor in (*ends, self.fileno()):
                selector.register(descriptor, selectors.EVENT_READ)
            while not ends & {key.fd for key, _events in selector.select()}:
                self.handle_request()


class _Conversation(socketserver.StreamRequestHandler):
    server: Server

    def handle(self) -> None:
        for line in self.rfile:
            if line == END:
                self.server.end()
                return
            try:
                answer = self.server.answers.ask(_question(json.loads(line))) if self.server.answers else None
                self.wfile.write(json.dumps(_written(answer), default=_moment, allow_nan=False).encode() + b"\n")
            except (OSError, ValueError, KeyError, TypeError):
                return  # an operation that has ended, or no question


class RemotePoller:
    """The poller of another process. Once it does not answer, an operation does not ask it again."""

    def __init__(self, path: str, clock: Clock) -> None:
        self._path, self._clock = path, clock
        self._socket: socket.socket | None = None
        self._is_gone = False

    def ask(self, question: Question) -> Answer | None:
        if self._is_gone:
            return None
        try:
            return self._answer(question)
        except (OSError, ValueError, KeyError, TypeError):
            self.close()
            return None

    def _answer(self, question: Question) -> Answer | None:
        if self._socket is None:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._socket.settimeout(self._clock.real_seconds(ANSWER_SECONDS) + REAL_MARGIN_SECONDS)
            self._socket.connect(self._path)
            self._lines = self._socket.makefile("rb")
        self._socket.sendall(json.dumps(_asked(question), allow_nan=False).encode() + b"\n")
        line = self._lines.readline()
        if not line:
            raise ConnectionError(self._path)
        return _answer(json.loads(line, object_hook=_with_moments))

    def end(self) -> None:
        """The run has ended, and the poller ends with it."""
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sender:
            sender.settimeout(REAL_MARGIN_SECONDS)
            sender.connect(self._path)
            sender.sendall(END)
        self.close()

    def close(self) -> None:
        """Ask no more."""
        self._is_gone = True
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _asked(question: Question) -> dict[str, Any]:
    return {
        "subject": str(question.subject),
        "account": question.account.as_option() if question.account else None,
        "region": question.region,
        "key": question.key,
        "max_age_seconds": question.max_age_seconds,
    }


def _question(asked: Mapping[str, Any]) -> Question:
    return Question(
        Subject(asked["subject"]),
        account_from(asked["account"]),
        str(asked["region"]),
        str(asked["key"]),
        float(asked["max_age_seconds"]),
    )


def _written(answer: Answer | None) -> dict[str, Any] | None:
    if answer is None:
        return None
    return {"row": answer.row, "read_at": answer.read_at, "age_seconds": answer.age_seconds}


def _answer(written: Mapping[str, Any] | None) -> Answer | None:
    if written is None:
        return None
    return Answer(written["row"], float(written["read_at"]), float(written["age_seconds"]))


def _moment(value: object) -> dict[str, float]:
    if isinstance(value, datetime):
        return {MOMENT: value.timestamp()}
    raise TypeError(type(value).__name__)


def _with_moments(value: dict[str, Any]) -> Any:
    if set(value) == {MOMENT}:
        return datetime.fromtimestamp(value[MOMENT], timezone.utc)
    return value
