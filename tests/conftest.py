"""One embedded PostgreSQL for a run of tests, and a database of its own for each test that asks for one."""

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest
from hypothesis import settings
from psycopg import sql

from landed.store import embedded, migrate

#: Packages of their own with their own tests: test_third_party_provider.py installs and runs them.
collect_ignore = ["packages"]

# Speed is checked in benchmarks, never by how long an example took on a busy machine.
settings.register_profile("landed", deadline=None)
settings.load_profile("landed")

_numbers = count(1)


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
    yield server.database_url
    server.close()


@pytest.fixture
def database(server_url: str) -> Iterator[str]:
    """The address of an empty database with the schema, dropped afterwards."""
    yield from fresh_database(server_url)


@pytest.fixture
def database_url(database: str) -> str:
    """The same, where the test calls it by the setting's name."""
    return database


@pytest.fixture
def blank_database(server_url: str) -> Iterator[str]:
    """The address of a database without any table, dropped afterwards."""
    yield from _fresh(server_url, sql.SQL("CREATE DATABASE {}"))


def fresh_database(server_url: str) -> Iterator[str]:
    yield from _fresh(server_url, sql.SQL("CREATE DATABASE {} TEMPLATE landed"))


def _fresh(server_url: str, create: sql.SQL) -> Iterator[str]:
    name = f"test_{next(_numbers)}"
    with psycopg.connect(server_url.replace("/landed?", "/postgres?"), autocommit=True) as connection:
        connection.execute(create.format(sql.Identifier(name)))
        yield server_url.replace("/landed?", f"/{name}?")
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def wait_until_stopped(data_directory: Path, home: str = "postgres") -> None:
    """Return when the embedded server's keeper has stopped it and is gone: it holds this lock all its life."""
    lock = data_directory / home / "keeper.lock"
    if lock.exists():
        with lock.open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
