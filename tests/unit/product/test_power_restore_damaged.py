# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host whose row, or whose run, is missing or damaged is put back like the others."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import LEASE_SECONDS, PowerRecord
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.instance_power import OPERATION as POWER
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.run_recovery import OPERATION as RECOVERY
from operations import perform

from . import dynamodb_server
from .fakes import ID, START, shown, tags
from .stage import RUN, Stage, a_host

OTHER = "i-0fedcba9876543210"


class Damage:
    """Damages what the ledger of a stage holds, by the backend's own client."""

    def __init__(self, stage: Stage, folder: Path, table: str | None) -> None:
        self.stage, self._file, self._table = stage, folder / "ledger.sqlite", table

    def _sql(self, text: str, *values: object) -> None:
        with sqlite3.connect(self._file) as database:
            database.execute(text, values)

    def _item(self, key: tuple[str, str], change: Callable[[dict[str, Any]], None] | None) -> None:
        client, where = dynamodb_server.client(), {"pk": {"S": key[0]}, "sk": {"S": key[1]}}
        if change is None:
            client.delete_item(TableName=self._table, Key=where)
            return
        item = client.get_item(TableName=self._table, Key=where)["Item"]
        change(item)
        client.put_item(TableName=self._table, Item=item)

    def facts(self) -> None:
        """The facts of a host are no JSON any more."""
        if self._table:
            self._item((f"RUN#{RUN}", f"HOST#{ID}"), lambda item: item["facts"]["M"].update(x={"S": "{no json"}))
        else:
            self._sql("UPDATE host SET facts = '{no json' WHERE host_key = ?", ID)

    def no_row(self) -> None:
        """The row of the host in its run is gone."""
        if self._table:
            self._item((f"RUN#{RUN}", f"HOST#{ID}"), None)
        else:
            self._sql("DELETE FROM host WHERE host_key = ?", ID)

    def no_run(self) -> None:
        """The run is gone, with all its hosts: in DynamoDB after 400 days, while an open record does not expire."""
        if self._table:
            self._item((f"RUN#{RUN}", "RUN"), None)
        else:
            self._sql("DELETE FROM run WHERE run_id = ?", RUN)
        self.no_row()

    def settings(self) -> None:
        """What the run was opened with is no JSON any more."""
        if self._table:
            self._item((f"RUN#{RUN}", "RUN"), lambda item: item.update(settings={"S": "{no json"}))
        else:
            self._sql("UPDATE run SET settings = '{no json' WHERE run_id = ?", RUN)


@pytest.fixture(params=["sqlite", "dynamodb"])
def damage(request: pytest.FixtureRequest, tmp_path: Path) -> Damage:
    """Two hosts that our run started, and whose controller died."""
    stage, table = Stage(tmp_path), None
    if request.param == "dynamodb":
        table = dynamodb_server.new_table()
        stage.ledger = dynamodb_server.ledger(table)
    stage.open_run(a_host(), a_host(OTHER, position=1, name="dev-02"))
    for key, name in ((ID, "dev-01"), (OTHER, "dev-02")):
        stage.ledger.record_power(PowerRecord(key, key, "eu-central-1", name, "stopped", START, RUN))
        stage.ledger.note_start(key, RUN, START)
        stage.ledger.note_launch(key, START)
    stage.clock.sleep(LEASE_SECONDS)
    stage.account.on("describe_instances", shown("running", launched=0))
    stage.account.on("stop_instances", stopping(stage))
    stage.guest.answers("servicing_state", {"installing": False})
    return Damage(stage, tmp_path, table)


def stopping(stage: Stage) -> Callable[..., dict[str, Any]]:
    def answer(**_params: Any) -> dict[str, Any]:
        stage.account.on("describe_instances", shown("stopped", launched=0))
        return {"StoppingInstances": []}

    return answer


def find(stage: Stage) -> dict[str, Any]:
    return perform(RECOVERY, stage.context(RECOVERY, state="open_hosts"))


def put_back(stage: Stage, host: dict[str, Any]) -> dict[str, Any]:
    stage.account.on("describe_instances", shown("running", launched=0))
    options = {"run_id": host["run_id"], "host": host["key"], "instance_id": host["key"], "fence": host["fence"]}
    return perform(POWER, stage.context(POWER, state="restored", scripts={"servicing_state": ""}, **options))


@pytest.mark.parametrize("what", ["facts", "no_row", "no_run", "settings"])
def test_all_hosts_are_put_back_whatever_is_damaged_of_one(damage: Damage, what: str) -> None:
    getattr(damage, what)()
    hosts = find(damage.stage)["hosts"]
    assert {host["key"] for host in hosts} == {ID, OTHER}
    assert all(host["kind"] == "ec2" for host in hosts)
    for host in hosts:
        assert put_back(damage.stage, host)["changed"] is True
    assert damage.stage.ledger.open_power() == []


@pytest.mark.parametrize("what", ["facts", "no_row", "no_run"])
def test_a_host_of_which_no_one_knows_whether_it_installs_is_asked(damage: Damage, what: str) -> None:
    getattr(damage, what)()
    damaged = next(host for host in find(damage.stage)["hosts"] if host["key"] == ID)
    put_back(damage.stage, damaged)
    assert damage.stage.guest.names == ["servicing_state"]


@pytest.mark.parametrize("what", ["settings", "no_run"])
def test_the_keep_tag_holds_although_the_runs_settings_are_lost(damage: Damage, what: str) -> None:
    getattr(damage, what)()
    (host,) = [host for host in find(damage.stage)["hosts"] if host["key"] == ID]
    kept = shown("running", launched=0, Tags=tags(patchfleet__keep="yes"))
    damage.stage.account.on("describe_instances", kept)
    options = {"run_id": host["run_id"], "host": ID, "instance_id": ID, "fence": host["fence"]}
    with pytest.raises(PatchFleetError) as caught:
        perform(POWER, damage.stage.context(POWER, state="restored", scripts={"servicing_state": ""}, **options))
    assert caught.value.code == "keep_tag"
