# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A ledger stays bounded: a run that is closed deletes what is older than its patch_history_days."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import PowerRecord
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_run import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.run_recovery import OPERATION as RECOVERY
from operations import perform

from .fakes import ID, START
from .stage import RUN, Stage, a_host, a_run

NOW = "20270114T220000Z-0002"
DAY = 86400.0


def close(stage: Stage) -> None:
    perform(OPERATION, stage.context(OPERATION, state="closed", run_id=NOW))


def restore(stage: Stage) -> None:
    """A run whose controller died is closed by the playbook `restore`."""
    stage.clock.sleep(DAY)
    stage.account.on("describe_instances", {"Reservations": []})
    perform(RECOVERY, stage.context(RECOVERY, state="closed"))


def an_old_run_and_a_new_one(stage: Stage, **settings: int) -> None:
    stage.ledger.open_run(a_run(), [a_host()], take_over=False)
    stage.ledger.begin_phase(RUN, ID, "patch", START)
    stage.ledger.close_run(RUN, START + 3600)
    stage.clock.sleep(60 * DAY)
    stage.open_run(a_host(run_id=NOW), run_id=NOW, **settings)


@pytest.mark.parametrize("end", [close, restore])
def test_a_run_that_ends_deletes_older_ones(stage: Stage, end: Callable[[Stage], None]) -> None:
    an_old_run_and_a_new_one(stage, history_days=30)
    fence = stage.ledger.fence(NOW, ID)
    end(stage)
    assert [run.run_id for run in stage.ledger.runs()] == [NOW]
    assert (stage.ledger.hosts(RUN), stage.ledger.phases(RUN)) == ([], [])
    assert fence == 2, "the number of the deleted run's lease grows on"
    assert (stage.ledger.fence(NOW, ID) or 0) >= fence


@pytest.mark.parametrize("settings", [{"history_days": 90}, {}])
def test_what_is_kept_longer_stays(stage: Stage, settings: dict[str, int]) -> None:
    an_old_run_and_a_new_one(stage, **settings)
    close(stage)
    assert [run.run_id for run in stage.ledger.runs()] == [NOW, RUN]


def test_a_run_stays_while_one_of_its_hosts_has_an_open_record(stage: Stage) -> None:
    an_old_run_and_a_new_one(stage, history_days=30)
    stage.ledger.record_power(PowerRecord(ID, ID, "eu-central-1", "dev-01", "stopped", START, NOW))
    close(stage)
    assert [run.run_id for run in stage.ledger.runs()] == [NOW, RUN]


def test_a_run_that_was_never_closed_stays(stage: Stage) -> None:
    stage.ledger.open_run(a_run(), [a_host("i-other")], take_over=False)
    stage.clock.sleep(60 * DAY)
    stage.open_run(a_host(run_id=NOW), run_id=NOW, history_days=30)
    close(stage)
    assert [run.run_id for run in stage.ledger.runs()] == [NOW, RUN]
