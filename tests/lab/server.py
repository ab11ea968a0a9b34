# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab that runs: a scenario's account at a URL, in the time of its clock."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import sqlite3
import threading
import uuid
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.aws.agent_service import AgentService
from lab.aws.http import HttpServer
from lab.aws.moto_logs import MotoLogs
from lab.aws.moto_tables import MotoTables
from lab.aws.s3 import StoredObject
from lab.aws.setup import set_up, set_up_member
from lab.clock import LabClock
from lab.disk_image import DiskImage
from lab.guests import GUESTS
from lab.play import Play
from lab.scenario import Scenario
from lab.winrm.options import Options
from lab.winrm.service import WinRm

WINRM_SCALE = 30.0
RIGHTS_FOLDER = "PATCHFLEET_LAB_RIGHTS"
"""Names an environment variable: a folder in which each lab writes down which rights its callers' roles used."""


@dataclass(frozen=True)
class Credentials:
    """Throw-away credentials."""

    access_key: str
    secret_key: str = field(repr=False)
    session_token: str = field(repr=False)


class LabError(Exception):
    """Something in the simulation broke, so nothing that it says can be believed."""


def _scale(scenario: Scenario, guests: str) -> float:
    """A call over WinRM to a real PowerShell takes a real second or more, and has a limit in the lab's time. At 60 that leaves five
    for 300; a busy machine needs more.
    """
    over_winrm = any(host.kind == "winrm" for host in scenario.hosts)
    return min(scenario.scale, WINRM_SCALE) if guests == "powershell" and over_winrm else scenario.scale


class Lab:
    """One lab. ``ledger`` is the file of the run's memory; the lab looks into it, reading only, at StartInstances.

    The account is as `setup_aws` leaves it, and credentials are those of the controller's role; a ``bare`` one has nothing
    of ours in it, and its credentials are an administrator's.
    ``on_controller`` is called with "kill" or "term" by events, on a thread of the lab, and must not wait for calls.
    ``winrm`` says of which hosts the WinRM endpoint is not as a scenario's is.
    """

    def __init__(
        self,
        scenario: Scenario,
        out: Path,
        *,
        guests: str = "model",
        bare: bool = False,
        on_controller: Callable[[str], None] | None = None,
        winrm: Mapping[str, Options] | None = None,
    ) -> None:
        if guests not in GUESTS:
            raise ValueError(f"guests: {guests!r} is not known; {', '.join(GUESTS)} are")
        self.scenario = scenario
        self.ledger: Path | None = None
        self.clock = LabClock(_scale(scenario, guests), scenario.start)
        self._tables = MotoTables(scenario)
        self._play = Play(scenario, self.clock, out / "trace.jsonl", MotoLogs(), self._is_recorded, on_controller)
        self._guests = GUESTS[guests]()
        for account in self._play.account.estate:
            account.guests = self._guests
        self.winrm = WinRm(self._play, winrm)
        self._role = None if bare else self._set_up()
        self._server = HttpServer(self._play.account, self._tables)
        self._thread = threading.Thread(target=self._play.sim.run, daemon=True, name="lab-simulation")

    def _set_up(self) -> str:
        """In all accounts; returns the name of the controller's role in the first."""
        first, *members = self._play.account.estate
        for account, member in zip(members, self.scenario.account.accounts, strict=True):
            set_up_member(account.stacks, self.scenario, member)
        return set_up(first.stacks, self.scenario, self.scenario.start)

    @property
    def url(self) -> str:
        return self._server.url

    def start(self) -> None:
        """Second 0 of the lab's time is when its hosts can run scripts."""
        self._guests.start()
        self.clock.restart()
        self._play.begin()
        self.winrm.start()
        self._thread.start()
        self._server.start()

    def stop(self) -> None:
        """Also of a lab that never started; LabError when the simulation broke meanwhile."""
        self._server.stop()
        self.winrm.stop()
        self._play.sim.stop()
        if self._thread.is_alive():
            self._thread.join()
        self._guests.stop()
        self._play.trace.close()
        self._note_used_rights()
        if self._play.sim.failures:
            raise LabError("the simulation broke") from self._play.sim.failures[0]

    def _note_used_rights(self) -> None:
        """For the check whether the template grants more than is ever used (tests/tools/unused_rights.py)."""
        folder = os.environ.get(RIGHTS_FOLDER)
        used = set().union(*(account.gate.used for account in self._play.account.estate))
        if folder and used:
            (Path(folder) / f"{uuid.uuid4()}.json").write_text(json.dumps(sorted(used)), encoding="utf-8")

    def serve_agents(self, *hosts: str) -> AgentService:
        """Let real agents outside be those of these hybrid hosts, from before the start on; see ``AgentServer``."""
        return AgentService(self._play.account, list(hosts))

    @property
    def secrets(self) -> list[str]:
        """What is not to be seen of the lab's own, whatever credentials it gives out besides."""
        passwords = [self.winrm.account.password] if self.winrm.endpoints else []
        return passwords + [secret for account in self._play.account.estate for secret in account.secrets]

    def instance_id(self, name: str) -> str | None:
        """``i-…`` or ``mi-…``, None for a WinRM host; KeyError for an unknown name."""
        return self._play.world.hosts[name].id

    def variables(self, name: str) -> dict[str, Any]:
        """What the inventory says of a host: its id, as the plugin aws_ec2 calls it, or how it is reached over WinRM."""
        return self.winrm.variables(name) or {"instance_id": self.instance_id(name)}

    def make_role(self, name: str, policy: dict[str, Any]) -> None:
        """A role of the user's own in the account."""
        self._play.account.roles.make(name, policy)

    def new_credentials(self, *, administrator: bool = False, role: str | None = None) -> Credentials:
        """For one step, of the controller's role, another one or the administrator; ``expire_credentials`` ends the newest."""
        credentials = Credentials("ASIA" + secrets.token_hex(8).upper(), secrets.token_hex(20), secrets.token_hex(60))
        # Before the start nothing may be done that is due: what happens then would count as second 0 and later.
        with self._play.sim.current() if self._thread.is_alive() else nullcontext():
            self._play.account.gate.admit_key(credentials.access_key, None if administrator else role or self._role)
        return credentials

    def switch(self, name: str, on: bool) -> None:
        """A person, or a hypervisor, switches a host without EC2 on or off."""
        with self._play.sim.current():
            self._play.world.hosts[name].switch(on=on)

    def enlarge_disk(self, name: str, gib: int) -> None:
        """The same for the disk of a virtual machine."""
        with self._play.sim.current():
            self._play.world.hosts[name].added_gib += gib

    def image(self, name: str) -> DiskImage:
        """A hypervisor's snapshot of a virtual machine."""
        with self._play.sim.current():
            return self._play.world.hosts[name].guest.image()

    def revert(self, name: str, image: DiskImage) -> None:
        """A hypervisor puts a virtual machine that is on back to a snapshot, and boots it."""
        with self._play.sim.current():
            guest = self._play.world.hosts[name].guest
            guest.replace_system(lambda: guest.load(image))

    def objects(self, bucket: str) -> dict[str, StoredObject]:
        """What is in a bucket of the first account, by keys."""
        return self._play.account.buckets[bucket]

    def truth(self) -> dict[str, Any]:
        """The content of ``state.json`` at the moment."""
        return self._play.truth()

    def move_on(self, lab_seconds: float) -> None:
        """Be so much later at once. Events, schedules and windows that fall due meanwhile happen in their order."""
        with self._play.sim.current():
            self.clock.move_on(lab_seconds)
        with self._play.sim.current():  # what is due by now has happened
            self._play.sim.after(0.0, lambda: None)  # the simulation's thread computes again how long it may wait

    def records_in_tables(self) -> list[dict[str, Any]] | None:
        """The power records of a ledger in DynamoDB: instance_id, original_state, closed. None where none was used."""
        with self._play.sim.current():
            return self._tables.records() if self._tables.used else None

    def _is_recorded(self, instance_id: str) -> bool:
        """Whether a ledger has an open, committed record; a file or table that is not there has none."""
        if self.ledger is not None and _is_in_file(self.ledger, instance_id):
            return True
        with self._play.sim.current():
            return self._tables.is_recorded(instance_id)


def _is_in_file(file: Path, instance_id: str) -> bool:
    try:
        with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as ledger:
            row = ledger.execute(
                "SELECT original_state FROM power_record WHERE instance_id = ? AND closed_at IS NULL", (instance_id,)
            ).fetchone()
    except sqlite3.DatabaseError:
        return False
    return row is not None
