"""What commands open: the settings, the database (started for the command if it is the embedded one), the store."""

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

from landed.cli import recording
from landed.domain.errors import SchemaBehind, SettingInvalid

if TYPE_CHECKING:
    from landed.domain.accounts import Account
    from landed.services.calling import Clients
    from landed.settings import Settings
    from landed.store.accounts import Pool
    from landed.store.sealing import Sealer


def reads(*variables: str) -> str:
    """The last line of a command's help, which names the variables it reads."""
    *others, last = variables
    return f"Reads {', '.join(others)} and {last}; `landed settings` explains them."


#: For every command that opens the store.
VARIABLES: Final = reads("LANDED_DATABASE_URL", "LANDED_DATA_DIR", "LANDED_SECRET_KEY")
#: For commands that run processes of ours.
ALL_VARIABLES: Final = "Reads all LANDED_ variables; `landed settings` explains them."
_CONNECTIONS_MAX: Final = 2

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedStore:
    settings: "Settings"
    database_url: str
    pool: "Pool"
    sealer: "Sealer"


def run(command: Callable[Parameters, Awaitable[Result]]) -> Callable[Parameters, Result]:
    """Make a command of an async function."""

    @functools.wraps(command)
    def waiting(*arguments: Parameters.args, **options: Parameters.kwargs) -> Result:
        async def main() -> Result:
            return await command(*arguments, **options)

        recording.running.set(recording.Running(command, options))
        return asyncio.run(main())

    return waiting


@contextmanager
def opened_database(settings: "Settings", *, outlives_exec: bool = False) -> Iterator[str]:
    """The address of the database, whatever its schema. The embedded one runs at least as long as this is open, or as
    the program that replaces this one by `exec`.

    Raises:
        SettingInvalid: the data directory cannot be used.
        StoreUnavailable: the embedded PostgreSQL does not start.
    """
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
        return
    from landed.store import embedded

    try:
        server = embedded.start(settings.data_dir)
    except OSError as error:
        raise SettingInvalid(
            f"LANDED_DATA_DIR is {str(settings.data_dir)!r}, which cannot be used: {error.strerror}."
            " Give a directory of yours, or set LANDED_DATABASE_URL."
        ) from error
    if outlives_exec:
        server.outlive_exec()
    try:
        yield server.database_url
    finally:
        server.close()


@asynccontextmanager
async def opened_store(settings: "Settings | None" = None) -> AsyncIterator[OpenedStore]:
    """All that a command needs to read and change what is kept, whether `landed serve` runs or not.

    A command that got through, and is not one that only reads, is in the audit log.

    Raises:
        SchemaBehind: a database of the operator's own needs `landed db upgrade`; the embedded one is upgraded here.
        SettingInvalid: a setting cannot be used, or the secret key does not fit the database.
        StoreUnavailable: the database cannot be reached.
    """
    from landed.settings import read, secret_key
    from landed.store import accounts, connect
    from landed.store.sealing import Sealer

    settings = settings or read()
    with opened_database(settings) as database_url:
        bring_up_to_date(database_url, embedded=settings.database_url is None)
        sealer = Sealer(secret_key(settings))
        async with connect.pool(database_url, connections_max=_CONNECTIONS_MAX) as pool:
            await accounts.prove_key(pool, sealer)
            yield OpenedStore(settings=settings, database_url=database_url, pool=pool, sealer=sealer)
            await recording.record_command(pool)


@asynccontextmanager
async def opened_clients(store: OpenedStore) -> "AsyncIterator[Clients]":
    """What calls the providers for the accounts of this store."""
    from datetime import UTC, datetime

    from landed.providers import registry
    from landed.providers.http import open_client
    from landed.services.calling import Clients
    from landed.store import accounts

    async def live_accounts() -> "list[Account]":
        return await accounts.all_live(store.pool, store.sealer, datetime.now(UTC))

    async with open_client() as http:
        yield Clients(live_accounts, registry.load(), http, store.settings.provider_urls)


def bring_up_to_date(database_url: str, *, embedded: bool) -> None:
    """Upgrade the embedded database where it is behind; refuse any other.

    Raises:
        SchemaBehind: it is the operator's to upgrade, or was upgraded by a newer version.
    """
    from landed.store import migrate

    try:
        migrate.check(database_url)
    except SchemaBehind as behind:
        if not embedded:
            raise
        from alembic.util import CommandError

        try:
            migrate.upgrade(database_url)
        except CommandError:
            # A revision that Alembic does not find, since it comes from a newer version: `behind` says that better.
            raise behind from None
