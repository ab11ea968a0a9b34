# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Is this a place whose disk is thrown away when the job ends?

A ledger in a file there would be lost with the job: nobody would know any more which hosts are on because of it. What is
recognised: jobs of AWX and of the automation controller, ansible-runner, and containers such as execution environments (the
files and variables that Docker, Podman, Kubernetes, ECS and CodeBuild leave in theirs).
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from .._errors import InvalidOption

TOLD = "PATCHFLEET_LEDGER_EPHEMERAL_OK"
"""The same as patch_ledger_ephemeral_ok, for images and job environments that mount a volume."""
BY_VARIABLE = {
    "AWX_PRIVATE_DATA_DIR": "a job of AWX or the automation controller",
    "AWX_ISOLATED_DATA_DIR": "a job of ansible-runner",
    "KUBERNETES_SERVICE_HOST": "a container in Kubernetes",
    "ECS_CONTAINER_METADATA_URI_V4": "a container in ECS",
    "CODEBUILD_BUILD_ID": "a build in CodeBuild",
    "container": "a container",
}
BY_FILE = {"/run/.containerenv": "a container of Podman", "/.dockerenv": "a container of Docker"}


def thrown_away(environment: Mapping[str, str] = os.environ) -> str | None:
    """What kind of such a place this is; None for a machine that stays."""
    for name, place in BY_VARIABLE.items():
        if environment.get(name):
            return place
    return next((place for file, place in BY_FILE.items() if os.path.exists(file)), None)


def refuse_thrown_away(ledger: str | None, told: bool) -> None:
    """Raises InvalidOption for a file in a place whose disk is thrown away, unless told that it stays."""
    if told or os.environ.get(TOLD, "").lower() in {"1", "true", "yes", "on"} or "://" in (ledger or ""):
        return
    place = thrown_away()
    if place is not None:
        raise InvalidOption(
            "patch_ledger",
            ledger or "(the default, a file)",
            f"This is {place}, whose disk is thrown away with it, and then nobody knows which hosts a run that was cut off has "
            "left on. Use a table that stays: patch_ledger=dynamodb://TABLE (docs/ledger.md). Where the file lies on a volume "
            "that stays, say so: patch_ledger_ephemeral_ok=true.",
        )
