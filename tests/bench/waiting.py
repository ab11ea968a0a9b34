# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one step costs that waits in a worker: forked from a parent that is warm, as ansible-core does it."""

from __future__ import annotations

import json
import os
import time

from ansible_collections.patchfleet.windows.plugins.module_utils._aws.connect import OptionsConnection, warm_up
from bench.measure import memory


def waiting_step() -> dict[str, float]:
    """cpu_seconds and memory_mb (private) of a worker that has made its clients and looks at the clock ten times."""
    warm_up()
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(writing, json.dumps(_work()).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    figures: dict[str, float] = json.loads(os.read(reading, 4096))
    return figures


def _work() -> dict[str, float]:
    started_at = time.process_time()
    options = {"region": "eu-central-1", "access_key": "a", "secret_key": "b", "validate_certs": True}
    connection = OptionsConnection(options)
    for service in ("ec2", "ssm"):
        connection.client(service, "eu-central-1")
    for _read_state in range(10):
        time.sleep(0.01)
    return {"cpu_seconds": time.process_time() - started_at, "memory_mb": memory(os.getpid())[1]}
