"""Bring a database to the schema this version was written for, or tell that it is behind."""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import OperationalError

from landed.domain.errors import SchemaBehind, StoreUnavailable
from landed.store.connect import OPTIONS
from landed.store.reading import sqlalchemy_url

_MIGRATIONS_LOCK: Final = 0x1A9DED02
_HERE: Final = Path(__file__).parent / "migrations"


def upgrade(database_url: str) -> tuple[str | None, str]:
    """Run the migrations that are missing, one process at a time.

    Returns:
        The revision before (None: it was empty) and after.

    Raises:
        StoreUnavailable: the database cannot be reached; nothing was changed.
    """
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
        raise StoreUnavailable(f"The database cannot be reached: {_first_line(error)}") from error
    finally:
        engine.dispose()


def check(database_url: str) -> None:
    """Refuse a database that this version cannot work with.

    Raises:
        SchemaBehind: it needs `landed db upgrade`, or was upgraded by a newer version.
        StoreUnavailable: it cannot be reached.
    """
    engine = create_engine(sqlalchemy_url(database_url), connect_args=OPTIONS)
    try:
        with engine.connect() as connection:
            version = int(connection.execute(text("SHOW server_version_num")).scalar_one())
            revision = _revision(connection)
    except OperationalError as error:
        raise StoreUnavailable(f"The database cannot be reached: {_first_line(error)}") from error
    finally:
        engine.dispose()
    if version < 150000:
        raise SchemaBehind(f"Landed needs PostgreSQL 15 or newer; this one is {version // 10000}.")
    scripts = ScriptDirectory(str(_HERE))
    head = scripts.get_current_head()
    if revision == head:
        return
    known = {script.revision for script in scripts.walk_revisions()}
    if revision is None or revision in known:
        raise SchemaBehind(
            f"The database is at revision {revision or 'none'}, this version needs {head}: run `landed db upgrade`."
        )
    raise SchemaBehind(f"The database is at revision {revision}, which this version does not know: run a newer Landed.")


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _first_line(error: OperationalError) -> str:
    return str(error.orig).strip().splitlines()[0]
