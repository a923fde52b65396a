"""One embedded PostgreSQL for a run of tests, and a database of its own for each test that asks for one."""

import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from landed.store import embedded, migrate


@pytest.fixture(scope="session")
def data_directory() -> Iterator[Path]:
    # Not tmp_path, which only root can enter: there the database would lie elsewhere and outlive the tests.
    directory = Path(tempfile.mkdtemp(prefix="landed-tests-"))
    directory.chmod(0o755)
    yield directory
    deadline = time.monotonic() + 10
    while embedded.running_url(directory) is not None and time.monotonic() < deadline:
        time.sleep(0.05)
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def server_url(data_directory: Path) -> Iterator[str]:
    """The embedded server's own database, with the schema in it: a template, not to be written to."""
    server = embedded.start(data_directory)
    migrate.upgrade(server.database_url)
    yield server.database_url
    server.close()


@pytest.fixture
def database_url(server_url: str) -> Iterator[str]:
    """An empty database with the schema."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(server_url.replace("/landed?", "/postgres?"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE landed")
        yield server_url.replace("/landed?", f"/{name}?")
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
