# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Is this a place whose disk is thrown away when the job ends?

A ledger file there is lost with the job, and with it the record of the hosts that are on because of a run. What is
recognised: jobs of AWX and of the automation controller, ansible-runner, and containers such as execution environments (the
files and variables that Docker, Podman, Kubernetes, ECS and CodeBuild leave in theirs).
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from .._base.errors import InvalidOption

EPHEMERAL_OK_VARIABLE = "PATCHFLEET_LEDGER_EPHEMERAL_OK"
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


def thrown_away(environment: Mapping[str, str] | None = None) -> str | None:
    """What kind of such a place this is; None for a machine that stays."""
    variables = os.environ if environment is None else environment
    for name, kind in BY_VARIABLE.items():
        if variables.get(name):
            return kind
    return next((kind for file, kind in BY_FILE.items() if os.path.exists(file)), None)


def refuse_thrown_away(ledger: str | None, ephemeral_ok: bool) -> None:
    """Raises InvalidOption for a file in an environment whose disk is deleted with it, unless the user says that the file stays."""
    if (
        ephemeral_ok
        or os.environ.get(EPHEMERAL_OK_VARIABLE, "").lower() in {"1", "true", "yes", "on"}
        or "://" in (ledger or "")
    ):
        return
    environment = thrown_away()
    if environment is not None:
        raise InvalidOption(
            "patch_ledger",
            ledger or "(the default, a file)",
            f"This is {environment}. Its disk is deleted with it, and so is the record of the hosts "
            "that a killed run left on. "
            "Use a table that stays: patch_ledger=dynamodb://TABLE (docs/ledger.md). Where the file lies on a volume "
            "that stays, say so: patch_ledger_ephemeral_ok=true.",
        )
