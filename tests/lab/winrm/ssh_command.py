# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What sshd runs instead of a session's command: it hands the command and its input to the lab, and returns the answer.

It takes the path of the lab's Unix socket. The lab answers once the command has ended; a command that reads no input ends
while the client still holds the input open.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import sys
import threading


def send_input(lab: socket.socket) -> None:
    with contextlib.suppress(OSError), lab.makefile("wb") as target:
        shutil.copyfileobj(sys.stdin.buffer, target)
        target.flush()
        lab.shutdown(socket.SHUT_WR)


def main() -> int:
    with socket.socket(socket.AF_UNIX) as lab:
        lab.connect(sys.argv[1])
        lab.sendall(json.dumps({"line": os.environ.get("SSH_ORIGINAL_COMMAND", "")}).encode() + b"\n")
        threading.Thread(target=send_input, args=(lab,), daemon=True).start()
        with lab.makefile("rb") as source:
            answer = source.read()
    if not answer:  # the host went down
        return 255
    ended = json.loads(answer)
    sys.stdout.write(ended["stdout"])
    sys.stderr.write(ended["stderr"])
    sys.stdout.flush()
    return int(ended["exit_code"]) & 0xFF


if __name__ == "__main__":
    os._exit(main())  # the thread may still wait for input
