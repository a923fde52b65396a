"""One embedded PostgreSQL for a run of tests, with a database for each test that asks for one: see databases.py."""

import asyncio
import fcntl
import gc
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from hypothesis import settings
from psycopg import AsyncConnection

from landed.store import embedded, migrate, partitions
from tests.databases import Databases

#: Packages of their own with their own tests: test_third_party_provider.py installs and runs them.
collect_ignore = ["packages"]

# Speed is checked in benchmarks, never by how long an example took on a busy machine.
settings.register_profile("landed", deadline=None)
settings.load_profile("landed")


def pytest_collection_finish() -> None:
    """Thousands of tests stay until the end: Python would walk through them over and over, for 3 to 9 % of its time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Tests marked `anyio` run on asyncio, as Landed does."""
    return "asyncio"


@pytest.fixture(scope="session")
def data_directory() -> Iterator[Path]:
    # Not tmp_path, which only root can enter: there the database would lie elsewhere and outlive the tests.
    directory = Path(tempfile.mkdtemp(prefix="landed-tests-"))
    directory.chmod(0o755)
    yield directory
    wait_until_stopped(directory)
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def server_url(data_directory: Path) -> Iterator[str]:
    """The embedded server's own database, with the schema in it: a template, not to be written to."""
    server = embedded.start(data_directory)
    migrate.upgrade(server.database_url)
    with psycopg.connect(server.database_url, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")  # what has to outlive its process has a server of its own
        # Its transactions hide from a journal's reader what was just appended, until they end.
        connection.execute("ALTER SYSTEM SET autovacuum = off")
        connection.execute("SELECT pg_reload_conf()")
    asyncio.run(_make_partitions(server.database_url))
    yield server.database_url
    server.close()


async def _make_partitions(database_url: str) -> None:
    """Those of today, which whatever is started would make in each database anew."""
    async with await AsyncConnection.connect(database_url, autocommit=True) as connection:
        await partitions.make(connection, datetime.now(UTC).date())


@pytest.fixture(scope="session")
def databases(server_url: str) -> Databases:
    return Databases(server_url)


@pytest.fixture
def database(databases: Databases) -> Iterator[str]:
    """The address of an empty database with the schema."""
    with databases.fresh() as address:
        yield address


@pytest.fixture
def database_url(database: str) -> str:
    """The same, where the test calls it by the setting's name."""
    return database


@pytest.fixture
def blank_database(databases: Databases) -> Iterator[str]:
    """The address of a database without any table, dropped afterwards."""
    with databases.blank() as address:
        yield address


def wait_until_stopped(data_directory: Path, home: str = "postgres") -> None:
    """Return when the embedded server's keeper has stopped it and is gone: it holds this lock all its life."""
    lock = data_directory / home / "keeper.lock"
    if lock.exists():
        with lock.open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
