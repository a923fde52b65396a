"""Databases of tests: each is made from a template once, and emptied after a test for the next one, which is a hundred
times as fast. One whose tables a test changed is dropped."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

import psycopg
from psycopg import AsyncConnection, Connection, sql

#: Above this it is quicker to make a table anew than to delete its rows, and leaves nothing for the next test to skip.
DELETED_BYTES_MAX: Final = 1024 * 1024
TERMINATED_MS_MAX: Final = 10_000
HIDDEN_S_MAX: Final = 30

# Everything but contents: what a test adds, drops or alters shows here.
_SHAPE: Final = """
SELECT md5(string_agg(line, ';' ORDER BY line)) FROM (
    SELECT concat_ws(' ', 'class', oid, relname, relkind, relhastriggers, relacl) FROM pg_class
     WHERE relnamespace = 'public'::regnamespace
     UNION ALL
    SELECT concat_ws(' ', 'column', attrelid, attname, atttypid, attnotnull, atthasdef, attisdropped) FROM pg_attribute
      JOIN pg_class ON pg_class.oid = attrelid WHERE relnamespace = 'public'::regnamespace
     UNION ALL
    SELECT concat_ws(' ', 'constraint', oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace
     UNION ALL
    SELECT concat_ws(' ', 'trigger', oid, tgenabled) FROM pg_trigger
     UNION ALL
    SELECT concat_ws(' ', 'function', oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
     UNION ALL
    SELECT concat_ws(' ', 'partition', inhrelid, inhparent) FROM pg_inherits
     UNION ALL
    SELECT concat_ws(' ', 'schema', nspname) FROM pg_namespace WHERE nspname !~ '^pg_'
     UNION ALL
    SELECT concat_ws(' ', 'setting', setrole, setconfig) FROM pg_db_role_setting
     WHERE setdatabase IN (SELECT oid FROM pg_database WHERE datname = current_database())
) AS lines (line)
"""
_TABLES: Final = """
SELECT relname, relkind, pg_total_relation_size(oid) > %s FROM pg_class
 WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
"""
_LARGE_PARTITIONS: Final = """
SELECT relname FROM pg_class
 WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relispartition AND pg_total_relation_size(oid) > %s
"""
_SEQUENCES: Final = "SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'public'"
_OTHERS: Final = """
SELECT pg_terminate_backend(pid, %s) FROM pg_stat_activity
 WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    name: str
    shape: str


class Databases:
    """On one server, with the schema of its database `landed` and the rows that are there from the start."""

    def __init__(self, server_url: str) -> None:
        self._server_url = server_url
        self._numbers = count(1)
        self._empty: list[_Made] = []
        self._rows: Mapping[str, bytes] | None = None
        self._sequences: Mapping[str, int | None] = {}

    @contextmanager
    def fresh(self) -> Iterator[str]:
        """The address of a database as a new one is. It never was anybody else's: who still calls that finds none."""
        name = f"test_{next(self._numbers)}"
        made = self._renamed(self._empty.pop(), name) if self._empty else self._made(name)
        yield self._url(name)
        if self._is_as_made(made):
            self._empty.append(made)
        else:
            self._drop(name)

    @contextmanager
    def blank(self) -> Iterator[str]:
        """The address of a database without any table."""
        name = f"test_{next(self._numbers)}"
        self._run("CREATE DATABASE {}", name)
        yield self._url(name)
        self._drop(name)

    def _made(self, name: str) -> _Made:
        if self._rows is None:
            with psycopg.connect(self._server_url) as connection:
                self._rows = _rows(connection)
                self._sequences = dict(connection.execute(_SEQUENCES).fetchall())
        self._run("CREATE DATABASE {} TEMPLATE landed", name)
        with psycopg.connect(self._url(name)) as connection:
            return _Made(name=name, shape=_value(connection, _SHAPE))

    def _renamed(self, made: _Made, name: str) -> _Made:
        self._run("ALTER DATABASE {} RENAME TO {}", made.name, name)
        return _Made(name=name, shape=made.shape)

    def _is_as_made(self, made: _Made) -> bool:
        """Empty it; False where a test left it otherwise, or dropped it."""
        try:
            connection = psycopg.connect(self._url(made.name))
        except psycopg.OperationalError:
            return False
        with closing(connection), connection.transaction():
            connection.execute(_OTHERS, [TERMINATED_MS_MAX])
            if _value(connection, _SHAPE) != made.shape:
                return False
            self._empty_all(connection)
        return True

    def _empty_all(self, connection: Connection[Any]) -> None:
        assert self._rows is not None
        # No trigger and no foreign key has a say in it.
        connection.execute("SET LOCAL session_replication_role = replica")
        large = [name for (name,) in connection.execute(_LARGE_PARTITIONS, [DELETED_BYTES_MAX])]
        tables = connection.execute(_TABLES, [DELETED_BYTES_MAX]).fetchall()
        large += [name for name, kind, is_large in tables if is_large and kind == "r"]
        if large:
            names = sql.SQL(", ").join(map(sql.Identifier, large))
            connection.execute(sql.SQL("TRUNCATE {} CASCADE").format(names))
        deletes = [sql.SQL("DELETE FROM {}").format(sql.Identifier(name)) for name, _, _ in tables]
        connection.execute(sql.SQL("; ").join(deletes))
        for name, rows in self._rows.items():
            with connection.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(name))) as copy:
                copy.write(rows)
        for name, value in self._sequences.items():
            connection.execute("SELECT setval(%s, %s, %s)", [name, value or 1, value is not None])

    def _drop(self, name: str) -> None:
        self._run("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def _run(self, statement: str, *names: str) -> None:
        with psycopg.connect(self._server_url.replace("/landed?", "/postgres?"), autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def _url(self, name: str) -> str:
        return self._server_url.replace("/landed?", f"/{name}?")


def _rows(connection: Connection[Any]) -> dict[str, bytes]:
    """What is in the tables that are not empty."""
    found = {}
    for name, _, _ in connection.execute(_TABLES, [0]).fetchall():
        with connection.cursor().copy(
            sql.SQL("COPY (SELECT * FROM {}) TO STDOUT").format(sql.Identifier(name))
        ) as copy:
            if rows := b"".join(copy):
                found[name] = rows
    return found


def _value(connection: Connection[Any], statement: str) -> Any:
    row = connection.execute(statement).fetchone()
    assert row is not None
    return row[0]


async def until_nothing_hides(connection: AsyncConnection[Any]) -> None:
    """Wait until whoever reads in the order of commit sees all that was written before this. A transaction that is
    older hides it for as long as it runs, in whichever database of the cluster: that of an autovacuum, say."""
    cursor = await connection.execute("SELECT pg_current_xact_id()::text")
    written = await cursor.fetchone()
    shown = "SELECT pg_snapshot_xmin(pg_current_snapshot()) > %s::xid8"
    async with asyncio.timeout(HIDDEN_S_MAX):
        while await (await connection.execute(shown, written)).fetchone() != (True,):  # noqa: ASYNC110  nothing tells
            await asyncio.sleep(0.01)
