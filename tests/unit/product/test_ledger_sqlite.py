# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What only the SQLite file has: where it lies, who may read it, and its version."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import signal
import sqlite3
import stat
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import InvalidOption, PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger import default_ledger, open_ledger, sqlite_file
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.mounts import file_system_of, refuse_shared
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import PowerRecord
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.sqlite import SqliteLedger
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.sqlite_file import (
    APPLICATION_ID,
    MIGRATIONS,
    SCHEMA_VERSION,
)

from .fakes import ID, START
from .stage import RUN, a_host, a_run


def refused(path: Path) -> str:
    with pytest.raises(InvalidOption) as caught:
        open_ledger(str(path))
    assert caught.value.option == "patch_ledger"
    return caught.value.reason


def test_a_folder_that_is_missing_is_made_for_the_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "state" / "patchfleet" / "ledger.sqlite"
    open_ledger(str(path))
    assert path.exists()
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_what_is_committed_survives_a_power_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, synchronous: str
) -> None:
    """SQLite waits for the disk at each commit only with synchronous = FULL, which is 2, and that holds for a connection."""
    made: list[sqlite3.Connection] = []
    connect = sqlite3.connect

    def connect_and_keep(*arguments: Any, **options: Any) -> sqlite3.Connection:
        made.append(connect(*arguments, **options))
        return made[-1]

    monkeypatch.setattr(sqlite3, "connect", connect_and_keep)
    monkeypatch.setattr(sqlite_file, "SYNCHRONOUS", synchronous)
    open_ledger(str(tmp_path / "ledger.sqlite"))
    assert [connection.execute("PRAGMA synchronous").fetchone() for connection in made] == [(2,)]


def test_without_a_path_it_lies_in_the_state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert default_ledger() == str(tmp_path / "patchfleet" / "ledger.sqlite")
    open_ledger("")
    assert (tmp_path / "patchfleet" / "ledger.sqlite").exists()
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", "/home/somebody")
    assert default_ledger() == "/home/somebody/.local/state/patchfleet/ledger.sqlite"


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    open_ledger("~/own.sqlite")
    assert (tmp_path / "own.sqlite").exists()


def test_a_path_that_cannot_be_written_is_refused_with_option_and_value(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file, no folder")
    for path in (tmp_path / "file" / "ledger.sqlite", Path("/proc/ledger.sqlite"), tmp_path):
        assert f"patch_ledger: '{path}' is not valid. It must be a file that can be written" in refused(path)


def test_a_file_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    letter = tmp_path / "letter.txt"
    letter.write_text("Dear Sir or Madam, " * 100)
    assert "file is not a database" in refused(letter)
    assert letter.read_text().startswith("Dear Sir")


def test_a_url_is_refused_with_what_would_be_right() -> None:
    with pytest.raises(InvalidOption, match=r"must be the path of an SQLite file, e\.g\."):
        open_ledger("mysql://patchfleet")


def test_a_ledger_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    SqliteLedger(str(path))
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    message = refused(path)
    assert f"written by a newer version of this collection (its schema is {SCHEMA_VERSION + 1}" in message
    assert "Update patchfleet.windows" in message
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION + 1,)


def test_another_program_can_read_it_while_it_is_open(tmp_path: Path) -> None:
    """So the emulated account proves that a host was recorded before it was started."""
    path = tmp_path / "ledger.sqlite"
    ledger = SqliteLedger(str(path))
    ledger.record_power(PowerRecord(ID, ID, "eu-central-1", "dev-01", "stopped", START, RUN))
    query = "SELECT original_state FROM power_record WHERE instance_id = ? AND closed_at IS NULL"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as reader:
        assert reader.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert reader.execute(query, (ID,)).fetchone() == ("stopped",)
        ledger.close_power(ID, "restored", START)
        assert reader.execute(query, (ID,)).fetchone() is None


def test_a_state_that_is_none_is_refused_by_the_file_itself(tmp_path: Path) -> None:
    ledger = SqliteLedger(str(tmp_path / "ledger.sqlite"))
    with pytest.raises(sqlite3.IntegrityError):
        ledger.record_power(PowerRecord(ID, ID, "eu-central-1", "dev-01", "pending", START, RUN))
    assert ledger.open_power() == []


def test_what_fails_halfway_leaves_nothing(tmp_path: Path) -> None:
    ledger = SqliteLedger(str(tmp_path / "ledger.sqlite"))
    with pytest.raises(sqlite3.IntegrityError):
        ledger.open_run(a_run(), [a_host("i-1"), a_host("i-1")], take_over=False)
    assert ledger.runs() == []
    assert not ledger.holds_lease(RUN, "i-1")


def test_a_ledger_of_an_older_version_is_brought_up_to_date_with_all_that_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with closing(sqlite3.connect(path)) as database:
        database.executescript(MIGRATIONS[0])
        database.execute("INSERT INTO run VALUES ('old', 1.0, 'install', 's', '{}', '{}', 1.0, NULL, NULL)")
        database.execute("INSERT INTO lease VALUES (?, 'old', 7)", (ID,))
        database.execute(
            "INSERT INTO power_record VALUES (?, ?, 'eu-central-1', 'dev-01', 'stopped', 1.0, 'old', 2.0, 'old', 3.0, NULL, NULL)",
            (ID, ID),
        )
        database.execute("PRAGMA user_version = 1")
        database.commit()
    ledger = SqliteLedger(str(path))
    assert ledger.fence("old", ID) == 7
    assert ledger.open_power() == [
        PowerRecord(ID, ID, "eu-central-1", "dev-01", "stopped", 1.0, "old", 2.0, "old", 3.0)
    ]
    assert ledger.history(ID) == []
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)


def test_what_goes_wrong_in_the_middle_of_a_run_is_reported_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = sqlite3.connect

    def on_a_small_disk(*args: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*args, **options)
        connection.execute("PRAGMA max_page_count = 40")
        return connection

    monkeypatch.setattr(sqlite3, "connect", on_a_small_disk)
    ledger = SqliteLedger(str(tmp_path / "ledger.sqlite"))
    ledger.open_run(a_run(), [a_host()], take_over=False)
    with pytest.raises(
        PatchFleetError, match=r"ledger\.sqlite cannot be read or written any more: .* is full"
    ) as caught:
        ledger.update_facts(RUN, ID, {"much": "x" * 1_000_000})
    assert caught.value.code == "ledger_failed"
    assert ledger.host(RUN, ID).facts == {}, "and nothing of it was written"


def test_a_file_that_breaks_in_the_middle_of_a_run_is_reported_in_words(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    ledger = SqliteLedger(str(path))
    with closing(sqlite3.connect(path)) as other:
        other.execute("DROP TABLE host")
    with pytest.raises(PatchFleetError, match="no such table: host"):
        ledger.hosts(RUN)


def test_a_connection_is_never_used_across_a_fork(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = sqlite3.connect

    def noted(*args: Any, **options: Any) -> sqlite3.Connection:
        (tmp_path / f"connected-{os.getpid()}").touch()
        return connect(*args, **options)

    monkeypatch.setattr(sqlite3, "connect", noted)
    ledger = SqliteLedger(str(tmp_path / "ledger.sqlite"))
    ledger.open_run(a_run(), [a_host()], take_over=False)
    children = []
    for number in range(4):
        child = os.fork()
        if child == 0:
            with suppress(BaseException):
                for turn in range(10):
                    ledger.update_facts(RUN, ID, {f"fact_{number}_{turn}": turn})
                os._exit(0)
            os._exit(1)
        children.append(child)
    for turn in range(10):
        ledger.update_facts(RUN, ID, {f"own_{turn}": turn})
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * 4
    assert len(ledger.host(RUN, ID).facts) == 50
    assert {int(path.name.split("-")[1]) for path in tmp_path.glob("connected-*")} == {os.getpid(), *children}


# Where it may be, and what is left of it


MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
40 22 0:45 / /home rw,relatime shared:20 - {home} server:/home rw
41 22 0:46 / /mnt/with\\040space rw,relatime shared:21 - nfs4 server:/x rw
42 40 8:3 / /home/disk rw - xfs /dev/sdb1 rw
"""


@pytest.mark.parametrize(
    ("path", "home", "kind"),
    [
        ("/var/lib/patchfleet/ledger.sqlite", "nfs", "ext4"),
        ("/home/user/ledger.sqlite", "nfs", "nfs"),
        ("/home/disk/ledger.sqlite", "nfs", "xfs"),
        ("/homes/ledger.sqlite", "nfs", "ext4"),
        ("/mnt/with space/ledger.sqlite", "nfs", "nfs4"),
    ],
)
def test_the_file_system_is_that_of_the_nearest_mount(tmp_path: Path, path: str, home: str, kind: str) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS.format(home=home))
    assert file_system_of(path, str(mounts)) == kind


@pytest.mark.parametrize(
    "kind", ["nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "fuse.glusterfs", "fuse.sshfs", "virtiofs"]
)
def test_a_file_system_whose_locks_cannot_be_trusted_is_refused(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"22 1 8:1 / / rw - ext4 /dev/sda1 rw\n40 22 0:45 / {tmp_path} rw - {kind} server:/ rw\n")
    monkeypatch.setattr(refuse_shared, "__defaults__", (str(mounts),))
    ledger = open_ledger(str(tmp_path / "ledger.sqlite"))
    with pytest.raises(InvalidOption, match=rf"file system of type {kind}, whose locks") as caught:
        ledger.check()
    assert caught.value.option == "patch_ledger"


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "tmpfs", "overlay", "fuse.fuse-overlayfs", "fuseblk"])
def test_a_local_file_system_is_used(tmp_path: Path, kind: str) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"22 1 8:1 / / rw - {kind} /dev/sda1 rw\n")
    refuse_shared(str(tmp_path / "ledger.sqlite"), str(mounts))


def test_the_file_alone_names_what_is_open_after_a_kill(tmp_path: Path) -> None:
    """A copy without the write-ahead log, as backups of one file make it."""
    path = tmp_path / "ledger.sqlite"
    child = os.fork()
    if child == 0:
        ledger = SqliteLedger(str(path))
        ledger.open_run(a_run(), [a_host()], take_over=False)
        ledger.record_power(PowerRecord(ID, ID, "eu-central-1", "dev-01", "stopped", START, RUN), fence=1)
        ledger.note_start(ID, RUN, START, fence=1)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    copy = tmp_path / "copy" / "ledger.sqlite"
    copy.parent.mkdir()
    shutil.copy(path, copy)
    found = SqliteLedger(str(copy))
    assert [run.run_id for run in found.runs()] == [RUN]
    assert [record.started_by for record in found.open_power()] == [RUN]
    assert found.fences(RUN) == {ID: 1}


def test_damaged_pages_are_reported_as_damage_with_the_command_that_rebuilds_the_file(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    ledger = SqliteLedger(str(path))
    hosts = [a_host(f"i-{number}", position=number) for number in range(400)]
    ledger.open_run(a_run(), hosts, take_over=False)
    with path.open("r+b") as file:
        file.seek(3 * 4096)
        file.write(b"\xff" * (path.stat().st_size - 4 * 4096))
    with pytest.raises(PatchFleetError, match=r"is damaged .*\.recover") as caught:
        SqliteLedger(str(path)).hosts(RUN)
    assert caught.value.code == "ledger_failed"


def pragma(path: Path, name: str) -> Any:
    with closing(sqlite3.connect(path)) as database:
        return database.execute(f"PRAGMA {name}").fetchone()[0]


@pytest.mark.parametrize("statement", ["CREATE TABLE song (name TEXT)", "PRAGMA application_id = 1196444487"])
def test_the_database_of_another_program_is_refused_and_left_alone(tmp_path: Path, statement: str) -> None:
    path = tmp_path / "music.sqlite"
    with closing(sqlite3.connect(path)) as database:
        database.execute(statement)
        database.commit()
    before = path.read_bytes()
    with pytest.raises(InvalidOption, match="SQLite file of another program"):
        open_ledger(str(path))
    assert path.read_bytes() == before


def test_the_file_says_whose_it_is_also_that_of_an_earlier_version(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    SqliteLedger(str(path))
    assert pragma(path, "application_id") == APPLICATION_ID
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA application_id = 0")
        database.commit()
    SqliteLedger(str(path))
    assert pragma(path, "application_id") == APPLICATION_ID


def test_a_file_system_that_grants_no_locks_is_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite takes ENOLCK for a busy file, and waits for two minutes."""

    def refused(_file: object, _operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "lockf", refused)
    with pytest.raises(InvalidOption, match=r"grants no locks \(ENOLCK\)"):
        SqliteLedger(str(tmp_path / "ledger.sqlite"))
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_damaged_in_a_page_is_warned_of_and_gives_no_all_clear(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    ledger = SqliteLedger(str(path))
    assert (ledger.check(), ledger.unreadable_power()) == ([], [])
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA ignore_check_constraints = ON")
        database.execute(
            "INSERT INTO power_record (host_key, instance_id, region, name, original_state, recorded_at, run_id, closed_at) "
            "VALUES ('i-9', 'i-9', '', 'x', 'on', 0, 'r', 1)"
        )
        database.commit()
    for sentences in (ledger.check(), ledger.unreadable_power()):
        assert len(sentences) == 1
        assert "is damaged" in sentences[0]
