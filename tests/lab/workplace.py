# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the commands of a run work: a home of their own, an inventory, and an environment without the caller's."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from lab.inventory import inventory
from lab.scenario import Scenario
from lab.server import Lab

# Whatever the caller has set for AWS or Ansible would make a run depend on who runs it.
CALLERS_OWN = ("AWS_", "AMAZON_", "ANSIBLE_", "BOTO", "EC2_", "PATCHFLEET_", "XDG_")
CALLERS_PYTHON = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP")

FAST_SCALE, PAUSE_SECONDS = 10.0, 0.02


class Workplace:
    """A folder outside DIR: what a killed ansible-playbook leaves behind is not part of the result."""

    def __init__(self, scenario: Scenario, lab: Lab) -> None:
        self.lab = lab
        self.region = scenario.account.region
        self.clock_ahead_seconds = scenario.account.controller_clock_seconds
        self._secrets: list[str] = []
        self.path = Path(tempfile.mkdtemp(prefix="patchfleet-work-"))
        self.home = self.path / "home"
        self.home.mkdir()
        self.inventory = self.path / "inventory.yml"
        self.inventory.write_text(_yaml(inventory(scenario, lab.variables)), encoding="utf-8")
        self.no_inventory = self.path / "no-inventory"
        self.no_inventory.write_text("# a step without an inventory\n", encoding="utf-8")
        self.config = self.path / "ansible.cfg"
        self.config.write_text(_config(lab.clock.scale), encoding="utf-8")

    @property
    def secrets(self) -> list[str]:
        """All that have been given out so far, by the lab itself, too."""
        return [*self.lab.secrets, *self._secrets]

    def close(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.path, ignore_errors=True)

    def settings(self) -> dict[str, str]:
        """Environment variables that lead to the lab, with credentials that no step has had before."""
        credentials = self.lab.new_credentials()
        self._secrets += [credentials.secret_key, credentials.session_token]
        return {
            "AWS_ENDPOINT_URL": self.lab.url,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ACCESS_KEY_ID": credentials.access_key,
            "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
            "AWS_SESSION_TOKEN": credentials.session_token,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "PATCHFLEET_CLOCK": self.lab.clock.env_value(self.clock_ahead_seconds),
            "PATCHFLEET_LEDGER_EPHEMERAL_OK": "true",  # DIR stays, whatever the lab itself runs in
            "ANSIBLE_CONFIG": str(self.config),
            "ANSIBLE_HOME": str(self.home / ".ansible"),
            "ANSIBLE_COLLECTIONS_PATH": str(Path(sys.prefix) / "collections"),
            "ANSIBLE_INVENTORY": str(self.inventory),
        }

    def environment(self) -> dict[str, str]:
        """The whole environment of a command: the caller's without what is the caller's own, and ``settings``."""
        kept = {key: value for key, value in os.environ.items() if not is_callers_own(key)}
        tools = str(Path(sys.prefix) / "bin")
        return {
            **kept,
            "HOME": str(self.home),
            "PATH": os.pathsep.join([tools, kept.get("PATH", os.defpath)]),
            "VIRTUAL_ENV": sys.prefix,
            "LC_ALL": "C.UTF-8",  # names may be written in any script
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
            **self.settings(),
        }


def is_callers_own(key: str) -> bool:
    """Whether the environment variable ``key`` must not reach a command of a run."""
    return key.startswith(CALLERS_OWN) or key in CALLERS_PYTHON


def _config(scale: float) -> str:
    """The collection lets Ansible pause 0.05 s of the run's time in its idle loop: in a fast lab so short that the loop takes
    a fifth of all CPU time. The lab sets a pause of its own there.
    """
    return "[defaults]\n" + ("" if scale < FAST_SCALE else f"internal_poll_interval = {PAUSE_SECONDS}\n")


def _yaml(document: Any) -> str:
    return yaml.safe_dump(document, allow_unicode=True, sort_keys=False)
