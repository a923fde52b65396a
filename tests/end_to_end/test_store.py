"""The schema in a real database, and the PostgreSQL that we bring along."""

import asyncio
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import psutil
import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg import AsyncConnection
from sqlalchemy import create_engine

from landed.domain.errors import SchemaBehind, StoreUnavailable
from landed.store import embedded, migrate, partitions
from landed.store.reading import sqlalchemy_url
from landed.store.schema import metadata
from tests.conftest import wait_until_stopped

# --- schema and migrations -----------------------------------------------------------------------------------------

PARTITIONS = "SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r'"
#: Every column, constraint and index of ours, as PostgreSQL writes them.
CATALOGUE = """
SELECT 'column', table_name, column_name, data_type, is_nullable, column_default
  FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL
SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid), '', ''
  FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL
SELECT 'index', tablename, indexname, indexdef, '', '' FROM pg_indexes WHERE schemaname = 'public'
ORDER BY 1, 2, 3
"""


def rows(database: str, query: Any) -> list[Any]:
    with psycopg.connect(database, autocommit=True) as connection:
        return connection.execute(query).fetchall()


@pytest.mark.anyio
@pytest.mark.filterwarnings("ignore:Did not recognize type 'xid8'")
async def test_schema_and_migrations_agree(database: str) -> None:
    async with await AsyncConnection.connect(database, autocommit=True) as connection:
        await partitions.make(connection, datetime.now(UTC).date())
    made = {name for (name,) in rows(database, PARTITIONS)}
    options = {
        "compare_type": True,
        "compare_server_default": True,
        "include_name": lambda name, kind, _: kind != "table" or name not in made,
    }
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(database))
    with engine.connect() as opened:
        differences = compare_metadata(MigrationContext.configure(opened, opts=options), metadata)
    engine.dispose()

    assert made
    assert differences == []


def test_a_migration_is_named_for_its_revision_and_follows_the_one_before() -> None:
    newest_first = ScriptDirectory(str(Path(migrate.__file__).parent / "migrations")).walk_revisions()

    assert migrate.revisions() == [script.revision for script in newest_first][::-1]


def test_upgrading_again_changes_nothing(blank_database: str) -> None:
    before, after = migrate.upgrade(blank_database)
    catalogue = rows(blank_database, CATALOGUE)

    assert before is None
    assert migrate.upgrade(blank_database) == (after, after)
    assert rows(blank_database, CATALOGUE) == catalogue


def test_several_processes_may_upgrade_at_once(blank_database: str) -> None:
    with ThreadPoolExecutor(3) as executor:
        revisions = list(executor.map(migrate.upgrade, [blank_database] * 3))

    assert [before is None for before, _ in revisions].count(True) == 1
    assert len({after for _, after in revisions}) == 1
    migrate.check(blank_database)


def test_a_database_that_is_behind_is_refused_with_what_to_run(blank_database: str) -> None:
    with pytest.raises(SchemaBehind, match="run `landed db upgrade`"):
        migrate.check(blank_database)


def test_a_database_of_a_newer_version_is_refused_with_what_to_run(database: str) -> None:
    migrate.check(database)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(SchemaBehind, match="revision 9999, which this version does not know: run a newer Landed"):
        migrate.check(database)


@pytest.mark.parametrize("use", [migrate.check, migrate.upgrade], ids=["check", "upgrade"])
def test_a_database_that_is_away_is_said_to_be_away(use: Callable[[str], Any], tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        use(f"postgresql://landed@/landed?host={tmp_path}")


@pytest.mark.parametrize("use", [migrate.check, migrate.upgrade], ids=["check", "upgrade"])
def test_a_database_that_takes_a_connection_and_never_answers_is_given_up(use: Callable[[str], Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started_at = time.monotonic()
        with pytest.raises(StoreUnavailable, match="cannot be reached"):
            use(f"postgresql://landed@127.0.0.1:{silent.getsockname()[1]}/landed")

    assert time.monotonic() - started_at < 20


ACCOUNT = """
INSERT INTO accounts (name, provider, provider_account_id, policy) VALUES ('shop', 'plivo', 'MA1', 'x')
"""
OPT_OUT = """
INSERT INTO opt_outs (id, account_id, sender, recipient, opted_out, changed_at, source, facts)
VALUES (%s, 1, '+14155550100', %s, true, now(), 'manual', '[]')
"""
EVENT = "INSERT INTO events (recorded_at, account_id, type, subject_id, occurred_at) VALUES (now(), 1, %s, %s, now())"


def test_ids_of_opt_outs_that_tell_of_whom_they_are_are_given_anew_and_events_follow(blank_database: str) -> None:
    upgrade_to(blank_database, "0008")
    first, second, other = (uuid4() for _ in range(3))
    with psycopg.connect(blank_database) as connection:
        connection.execute(ACCOUNT)
        for number, recipient in ((first, "+14155550123"), (second, "+14155550199")):
            connection.execute(OPT_OUT, [number, recipient])
        for kind, subject in (
            ("opt_out.added", first), ("opt_out.removed", first), ("opt_out.added", second), ("message.sent", other),
        ):  # fmt: skip
            connection.execute(EVENT, [kind, str(subject)])

    migrate.upgrade(blank_database)

    ids = dict(rows(blank_database, "SELECT recipient, id FROM opt_outs"))
    a, b = ids["+14155550123"], ids["+14155550199"]
    assert len({first, second, a, b}) == 4
    assert rows(blank_database, "SELECT type, subject_id FROM events ORDER BY id") == [
        ("opt_out.added", str(a)), ("opt_out.removed", str(a)), ("opt_out.added", str(b)), ("message.sent", str(other)),
    ]  # fmt: skip


def upgrade_to(database: str, revision: str) -> None:
    """To an older schema than ours, with partitions for today."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    engine = create_engine(sqlalchemy_url(database))
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        connection.commit()
    engine.dispose()
    asyncio.run(make_partitions(database))


async def make_partitions(database: str) -> None:
    async with await AsyncConnection.connect(database, autocommit=True) as connection:
        await partitions.make(connection, datetime.now(UTC).date())


# --- the embedded server -------------------------------------------------------------------------------------------

USER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from landed.store import embedded
server = embedded.start(Path(sys.argv[1]))
print(server.database_url, flush=True)
sys.stdin.read()
server.close()
"""
NOBODY = 65534
#: An ordinary user who may still read root's own Python, where that is what runs these tests.
AS_NOBODY = [
    "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
    "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search",
]  # fmt: skip
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


class User:
    """A process that uses the embedded server until it is told to leave, or killed."""

    def __init__(self, directory: Path, as_user: list[str]) -> None:
        self.process = subprocess.Popen(
            [*as_user, sys.executable, "-c", USER, str(directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "HOME": "/"},
        )

    def url(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def leave(self) -> None:
        self.process.communicate()

    def kill(self) -> None:
        self.process.kill()
        self.leave()


class House:
    """A data directory that others may enter, and the users of its server."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.home = directory / "postgres"
        self.users: list[User] = []

    def user(self, *as_user: str) -> User:
        self.users.append(User(self.directory, list(as_user)))
        return self.users[-1]

    def server_pid(self) -> int:
        return int((self.home / "cluster" / "postmaster.pid").read_text().split()[0])

    def keeper_pid(self) -> int:
        return psutil.Process(self.server_pid()).ppid()

    def stopped(self) -> bool:
        """Wait until the keeper is gone; whether the server went with it."""
        wait_until_stopped(self.directory)
        return not (self.home / "cluster" / "postmaster.pid").exists()


@pytest.fixture
def house() -> Iterator[House]:
    directory = Path(tempfile.mkdtemp(prefix="landed-tests-"))
    directory.chmod(0o755)
    house = House(directory)
    yield house
    for user in house.users:
        user.kill()
    wait_until_stopped(directory)
    shutil.rmtree(directory)


def within(seconds: float, attempt: Callable[[], Any]) -> Any:
    """What the attempt gives, as soon as it raises no psycopg error; the last error after that time."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return attempt()
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def keep(url: str, number: int) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (number int)")
        connection.execute("INSERT INTO kept VALUES (%s)", [number])


def kept(url: str) -> list[Any]:
    return rows(url, "SELECT number FROM kept ORDER BY number")


def socket_of(url: str) -> Path:
    return Path(parse_qs(urlsplit(url).query)["host"][0]) / ".s.PGSQL.5432"


def connect_as(uid: int, path: Path) -> int:
    """The errno that a process of that user gets when it connects to the socket; 0 when it gets in."""
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        with socket.socket(socket.AF_UNIX) as client:
            os._exit(client.connect_ex(str(path)))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_there_is_no_way_in_but_a_socket_in_a_directory_of_the_owner_alone(house: House) -> None:
    url = house.user().url()
    path = socket_of(url)

    assert rows(url, "SHOW listen_addresses") == [("",)]
    assert psutil.Process(house.server_pid()).net_connections("inet") == []
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert stat.S_IMODE((house.home / "cluster").stat().st_mode) == 0o700


@root_only
def test_another_user_of_the_machine_does_not_get_in(house: House) -> None:
    path = socket_of(house.user().url())

    assert connect_as(path.stat().st_uid, path) == 0
    assert connect_as(NOBODY, path) != 0


def test_it_survives_the_process_that_started_it_while_another_uses_it(house: House) -> None:
    first = house.user()
    keep(first.url(), 1)
    second = house.user()
    url = second.url()
    with psycopg.connect(url) as connection:
        first.kill()

        assert connection.execute("SELECT number FROM kept").fetchall() == [(1,)]
    assert kept(url) == [(1,)]


@pytest.mark.parametrize("go", [User.leave, User.kill], ids=["it leaves", "it is killed"])
def test_it_stops_with_its_last_user_however_that_one_goes(house: House, go: Callable[[User], None]) -> None:
    first, second = house.user(), house.user()
    keep(first.url(), 1)
    keep(second.url(), 2)
    first.leave()
    pid = house.server_pid()
    assert psutil.pid_exists(pid)

    go(second)

    assert house.stopped()
    assert not psutil.pid_exists(pid)
    assert kept(house.user().url()) == [(1,), (2,)]


def test_the_server_is_started_again_when_it_is_killed(house: House) -> None:
    url = house.user().url()
    keep(url, 1)
    pid = house.server_pid()

    os.kill(pid, signal.SIGKILL)

    assert within(30, lambda: kept(url)) == [(1,)]
    assert house.server_pid() != pid


def test_a_killed_keeper_is_replaced_and_the_server_still_stops_with_its_last_user(house: House) -> None:
    user = house.user()
    url = user.url()
    keep(url, 1)
    keeper, server = house.keeper_pid(), house.server_pid()

    os.kill(keeper, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(server)], timeout=30)  # the next keeper stops it, and starts its own

    assert within(30, lambda: kept(url)) == [(1,)]
    assert house.server_pid() != server
    user.kill()
    assert house.stopped()


def test_processes_that_start_at_once_share_one_server(house: House) -> None:
    users = [house.user() for _ in range(3)]

    urls = {user.url() for user in users}

    assert len(urls) == 1
    assert embedded.running_url(house.directory) == urls.pop()
    servers = [process for process in psutil.process_iter(["cmdline"]) if is_server(process, house)]
    assert len(servers) == 1


def is_server(process: psutil.Process, house: House) -> bool:
    command = process.info["cmdline"] or []
    return len(command) > 2 and command[1] == "-D" and command[2] == str(house.home / "cluster")


def test_a_server_nobody_uses_is_not_said_to_run(house: House) -> None:
    user = house.user()
    user.url()
    user.leave()

    assert house.stopped()
    assert embedded.running_url(house.directory) is None


def test_a_long_path_to_the_data_is_no_trouble(house: House) -> None:
    house.directory = house.directory / ("a" * 100) / ("b" * 100)
    house.home = house.directory / "postgres"
    user = house.user()
    url = user.url()
    keep(url, 1)
    directory = socket_of(url).parent

    assert kept(url) == [(1,)]
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    user.leave()
    assert house.stopped()
    assert not directory.exists()


def test_the_address_is_written_where_only_the_owner_reads_it(house: House) -> None:
    url = house.user().url()

    assert json.loads((house.home / "ready.json").read_text()) == {"database_url": url}
    assert stat.S_IMODE((house.home / "ready.json").stat().st_mode) == 0o600


@root_only
def test_started_by_root_it_runs_as_a_user_of_its_own(house: House) -> None:
    url = house.user().url()
    server = psutil.Process(house.server_pid())

    assert server.username() == embedded.SYSTEM_USER
    assert socket_of(url).owner() == embedded.SYSTEM_USER


@root_only
def test_started_by_root_it_lives_elsewhere_where_its_user_cannot_enter_the_data_directory(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    server = embedded.start(tmp_path)
    home = socket_of(server.database_url).parent
    try:
        assert rows(server.database_url, "SELECT 1") == [(1,)]
        assert home.parent == Path("/var/lib/landed")
    finally:
        server.close()
        wait_until_stopped(home.parent, home.name)
        shutil.rmtree(home)


@root_only
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv of util-linux to become another user")
def test_started_by_an_ordinary_user_it_runs_as_that_user(house: House) -> None:
    os.chown(house.directory, NOBODY, NOBODY)
    url = house.user(*AS_NOBODY).url()
    path = socket_of(url)

    assert psutil.Process(house.server_pid()).uids().real == NOBODY
    assert path.stat().st_uid == path.parent.stat().st_uid == NOBODY
    assert connect_as(NOBODY, path) == 0
    assert connect_as(NOBODY - 1, path) != 0
