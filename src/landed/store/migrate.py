"""Bring a database to the schema this version was written for, or tell that it is behind.

Each command checks, and few upgrade: what that loads takes longer than most commands.
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psycopg

from landed.domain.errors import SchemaBehind, StoreUnavailable
from landed.store.connect import OPTIONS

if TYPE_CHECKING:
    from sqlalchemy import Connection

_MIGRATIONS_LOCK: Final = 0x1A9DED02
_HERE: Final = Path(__file__).parent / "migrations"


def load_ahead() -> None:
    """Load what `upgrade` needs, for whoever has to wait anyway."""
    import_module("alembic.command")


def upgrade(database_url: str) -> tuple[str | None, str]:
    """Run the migrations that are missing, one process at a time.

    Returns:
        The revision before (None: it was empty) and after.

    Raises:
        StoreUnavailable: the database cannot be reached; nothing was changed.
    """
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import create_engine, text
    from sqlalchemy.exc import OperationalError

    from landed.store.reading import sqlalchemy_url

    config = Config()
    config.set_main_option("script_location", str(_HERE).replace("%", "%%"))
    engine = create_engine(sqlalchemy_url(database_url), connect_args=OPTIONS)
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": _MIGRATIONS_LOCK})
            connection.commit()
            before = _revision(connection)
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.commit()
            after = _revision(connection)
            assert after is not None  # noqa: S101  there is at least one migration
            return before, after
    except OperationalError as error:
        raise _unreachable(error.orig) from error
    finally:
        engine.dispose()


def _revision(connection: "Connection") -> str | None:
    from alembic.migration import MigrationContext

    return MigrationContext.configure(connection).get_current_revision()


def check(database_url: str) -> None:
    """Refuse a database that this version cannot work with.

    Raises:
        SchemaBehind: it needs `landed db upgrade`, or was upgraded by a newer version.
        StoreUnavailable: it cannot be reached.
    """
    try:
        with psycopg.connect(database_url, autocommit=True, **OPTIONS) as connection:
            version = connection.info.server_version
            revision = _marked(connection)
    except psycopg.OperationalError as error:
        raise _unreachable(error) from error
    if version < 150000:
        raise SchemaBehind(f"Landed needs PostgreSQL 15 or newer; this one is {version // 10000}.")
    *older, head = revisions()
    if revision == head:
        return
    if revision is None or revision in older:
        raise SchemaBehind(
            f"The database is at revision {revision or 'none'}, this version needs {head}: run `landed db upgrade`."
        )
    raise SchemaBehind(f"The database is at revision {revision}, which this version does not know: run a newer Landed.")


def revisions() -> list[str]:
    """All there are, in their order: a migration's file is named for its revision."""
    return sorted(file.name.partition("_")[0] for file in (_HERE / "versions").glob("[0-9]*_*.py"))


def _marked(connection: "psycopg.Connection[tuple[str | None]]") -> str | None:
    """The revision that Alembic has written down there."""
    row = connection.execute("SELECT to_regclass('alembic_version')::text").fetchone()
    if row == (None,):  # nothing was made yet
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return row[0] if row else None


def _unreachable(error: BaseException | None) -> StoreUnavailable:
    return StoreUnavailable(f"The database cannot be reached: {str(error).strip().splitlines()[0]}")
