"""What only a file can do: be old, corrupt, somebody else's, read-only, or shared."""

# ruff: noqa: ASYNC220, ASYNC221, ASYNC240 - nothing else runs on a test's loop

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from collector_reference import AlreadyRegistered
from collector_reference.errors import RestoreRefused, StoreUnavailable, StoreUnusable
from collector_reference.registry.sqlite import SqliteStore
from collector_reference.registry.sqlite_schema import APPLICATION_ID, MIGRATIONS
from collector_reference.registry.store import service_record

SCHEMA_1 = f"""
    CREATE TABLE services (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        namespace TEXT NOT NULL,
        service_name TEXT NOT NULL,
        message BLOB NOT NULL,
        UNIQUE (namespace, service_name)
    );
    CREATE TABLE protos (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        namespace TEXT NOT NULL,
        file_name TEXT NOT NULL,
        message BLOB NOT NULL,
        UNIQUE (namespace, file_name)
    );
    PRAGMA application_id = {APPLICATION_ID};
    PRAGMA user_version = 1;
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "registry.db"


async def test_a_file_of_an_older_schema_is_upgraded_and_keeps_its_records(path, descriptor):
    records = [service_record("ns", descriptor(name, "M")) for name in ("B", "A")]
    with sqlite3.connect(path) as old:
        old.executescript(SCHEMA_1)
        old.executemany(
            "INSERT INTO services (namespace, service_name, message) VALUES (?, ?, ?)",
            [(r.namespace, r.service_name, r.message.SerializeToString()) for r in records],
        )
    old.close()
    store = SqliteStore(path)
    assert list(store.services("ns")) == records
    with pytest.raises(AlreadyRegistered):
        await store.add_service(records[0])
    await store.close()
    upgraded = sqlite3.connect(path)
    assert upgraded.execute("PRAGMA user_version").fetchone()[0] == len(MIGRATIONS) > 1
    plan = upgraded.execute(
        "EXPLAIN QUERY PLAN SELECT id FROM services WHERE namespace = 'ns' ORDER BY id"
    ).fetchall()
    upgraded.close()
    assert "services_in_order" in str(plan)


def test_a_file_of_a_newer_schema_is_refused_and_left_alone(path):
    with sqlite3.connect(path) as newer:
        newer.executescript(SCHEMA_1 + "PRAGMA user_version = 99;")
    newer.close()
    before = path.read_bytes()
    with pytest.raises(StoreUnusable, match=r"its schema is number 99.*use the newer collector"):
        SqliteStore(path)
    assert path.read_bytes()[100:] == before[100:]


def test_a_database_of_another_program_is_refused_and_left_alone(path):
    with sqlite3.connect(path) as foreign:
        foreign.execute("CREATE TABLE invoices (id INTEGER)")
    foreign.close()
    before = path.read_bytes()
    with pytest.raises(StoreUnusable, match="a database of another program; name another file"):
        SqliteStore(path)
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_refused_and_left_alone(path):
    path.write_text("dear diary, " * 1000)
    with pytest.raises(StoreUnusable, match="it is not a database; name another file"):
        SqliteStore(path)
    assert path.read_text() == "dear diary, " * 1000


async def test_a_damaged_file_is_refused(path, descriptor):
    store = SqliteStore(path)
    await asyncio.gather(
        *(store.add_service(service_record("ns", descriptor(f"S{n}", "M"))) for n in range(500))
    )
    await store.close()
    content = bytearray(path.read_bytes())
    for page in range(2, len(content) // 4096):
        content[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    path.write_bytes(content)
    with pytest.raises(StoreUnusable, match=r"it is damaged .*; restore a copy of it, or name"):
        SqliteStore(path)


@pytest.mark.parametrize(
    ("name", "text"),
    [("missing/registry.db", "there is no folder"), (".", "it is a folder; name a file in it")],
)
def test_a_path_that_leads_to_no_file_is_refused(tmp_path, name, text):
    with pytest.raises(StoreUnusable, match=text):
        SqliteStore(tmp_path / name)


@pytest.mark.parametrize(
    ("read_only", "reason"),
    [("file", "it is read-only for this user"), ("folder", "its folder is read-only")],
)
async def test_a_read_only_file_is_refused(read_only, reason):
    # Permissions do not bind root: so an unprivileged process opens it.
    folder = Path(tempfile.mkdtemp())
    try:
        path = folder / "registry.db"
        await SqliteStore(path).close()
        path.chmod(0o444 if read_only == "file" else 0o666)
        folder.chmod(0o777 if read_only == "file" else 0o555)
        refused = subprocess.run(
            [sys.executable, "-c", _OPEN, str(path)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        folder.chmod(0o777)
        shutil.rmtree(folder)
    assert (refused.returncode, refused.stderr) == (0, "")
    assert refused.stdout.startswith(f"the registry file {path} cannot be used: {reason}")
    assert "writable" in refused.stdout


_OPEN = """
import os, sys
from pathlib import Path
from collector_reference.errors import StoreUnusable
from collector_reference.registry.sqlite import SqliteStore
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
try:
    SqliteStore(Path(sys.argv[1]))
except StoreUnusable as error:
    print(error)
"""


async def test_a_registration_is_flushed_before_it_is_acknowledged(path, descriptor):
    """The promise that SQLite makes for a loss of power is bought with synchronous FULL."""
    store = SqliteStore(path)
    assert store._connection.execute("PRAGMA synchronous").fetchone()[0] == 2
    assert store._connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    await store.add_service(service_record("ns", descriptor("S", "M")))
    # Another process, of another mind, finds it.
    found = subprocess.run(
        [sys.executable, "-c", _COUNT, str(path)],
        capture_output=True,
        check=True,
        text=True,
        timeout=60,
    )
    assert found.stdout == "1\n"
    await store.close()


_COUNT = """
import sqlite3, sys
print(sqlite3.connect(sys.argv[1]).execute("SELECT count(*) FROM services").fetchone()[0])
"""


async def test_a_file_that_stays_locked_makes_writes_fail_and_nothing_else(
    path, descriptor, monkeypatch
):
    monkeypatch.setattr("collector_reference.registry.sqlite_schema._BUSY_SECONDS", 0.05)
    store = SqliteStore(path)
    await store.add_service(service_record("ns", descriptor("Before", "M")))
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="locked"):
        await store.add_service(service_record("ns", descriptor("During", "M")))
    assert store.has_method("ns", "Before", "M")
    assert store.service("ns", "During") is None
    holder.execute("ROLLBACK")
    holder.close()
    await store.add_service(service_record("ns", descriptor("During", "M")))
    await store.close()


async def test_two_processes_on_one_file_acknowledge_each_name_once(path):
    """REG-014: sharing a file on one machine is safe."""
    script = [sys.executable, "-c", _REGISTER, str(path)]
    await SqliteStore(path).close()
    processes = [
        subprocess.Popen(script, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    won = [set(process.communicate(timeout=60)[0].split()) for process in processes]
    assert not won[0] & won[1]
    assert won[0] | won[1] == {str(number) for number in range(300)}
    store = SqliteStore(path)
    assert len(store.services("ns")) == 300
    await store.close()


_REGISTER = """
import asyncio, sys
from pathlib import Path
from google.protobuf.descriptor_pb2 import ServiceDescriptorProto
from collector_reference import AlreadyRegistered
from collector_reference.registry.sqlite import SqliteStore
from collector_reference.registry.store import service_record

async def main():
    store = SqliteStore(Path(sys.argv[1]))
    print("ready", flush=True)
    sys.stdin.readline()
    async def one(number):
        try:
            await store.add_service(service_record("ns", ServiceDescriptorProto(name=f"S{number}")))
        except AlreadyRegistered:
            return
        print(number)
    for start in range(0, 300, 10):
        await asyncio.gather(*(one(number) for number in range(start, start + 10)))
    await store.close()

asyncio.run(main())
"""


async def test_a_checkpoint_that_an_older_one_undid_is_refused(path, descriptor):
    store = SqliteStore(path)
    older = store.checkpoint()
    await store.add_service(service_record("ns", descriptor("S", "M")))
    newer = store.checkpoint()
    store.restore(older)
    with pytest.raises(RestoreRefused):
        store.restore(newer)
    store.restore(older)
    assert len(store.services(None)) == 0
    await store.close()


async def test_what_waits_when_it_closes_is_still_written(path, descriptor):
    store = SqliteStore(path)
    waiting = [
        asyncio.create_task(store.add_service(service_record("ns", descriptor(f"S{number}", "M"))))
        for number in range(100)
    ]
    await asyncio.sleep(0)
    await store.close()
    await asyncio.gather(*waiting)
    reopened = SqliteStore(path)
    assert len(reopened.services("ns")) == 100
    await reopened.close()


def test_those_that_begin_a_file_at_once_all_succeed(path):
    script = (
        "import sys; from pathlib import Path; "
        "from collector_reference.registry.sqlite import SqliteStore; "
        "print('ready', flush=True); sys.stdin.readline(); SqliteStore(Path(sys.argv[1]))"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    outcomes = [process.communicate("go\n", timeout=60)[1] for process in processes]
    assert outcomes == ["", "", ""]
