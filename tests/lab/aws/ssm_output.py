# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the agent reports of a program's output: bytes count, and what is cut says so.

Source: amazon-ssm-agent, framework/processor/executer/iohandler, and what an agent 3.3.0.0 did.
"""

from __future__ import annotations

STDOUT_BYTES, STDERR_CHARACTERS, JOINED_BYTES = 24_000, 8_000, 2_500
CUT = b"--output truncated--"
CUT_OUTPUT, CUT_ERRORS = b"\n---Output truncated---", b"\n---Error truncated----"
ERRORS = b"\n----------ERROR-------\n"


def stdout(text: str) -> str:
    """Whole below 24,000 bytes; else its beginning and the agent's mark, 24,000 bytes together."""
    data = text.encode()
    return text if len(data) < STDOUT_BYTES else _text(data[: STDOUT_BYTES - len(CUT)] + CUT)


def stderr(text: str) -> str:
    """The first 8,000 characters, as GetCommandInvocation gives them."""
    return text[:STDERR_CHARACTERS]


def joined(out: str, err: str) -> str:
    """What the lists show of both: at most 2,500 bytes, with a mark where something is cut away."""
    output, errors = stdout(out).encode(), err.encode()
    title = ERRORS if errors else b""
    room = JOINED_BYTES - len(title)
    if len(output) + len(errors) < room:
        return _text(output + title + errors)
    if len(output) > room // 2 and len(errors) > room // 2:
        half = (room - len(CUT_OUTPUT) - len(CUT_ERRORS)) // 2
        return _text(output[:half] + CUT_OUTPUT + title + errors[:half] + CUT_ERRORS)
    if len(output) < room // 2:
        return _text(output + title + errors[: room - len(CUT_ERRORS) - len(output)] + CUT_ERRORS)
    return _text(output[: room - len(CUT_OUTPUT) - len(errors)] + CUT_OUTPUT + title + errors)


def with_failure(err: str, exit_code: int) -> str:
    """The standard error of a program that failed: the agent adds a line of its own, once."""
    reported = f"failed to run commands: exit status {exit_code}"
    if err.endswith(reported):
        return err
    return f"{err}\n{reported}" if err else reported


def _text(data: bytes) -> str:
    """A character that the cut went through is none any more."""
    return data.decode(errors="replace")
