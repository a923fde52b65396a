"""Be told of changes by other processes: PostgreSQL's LISTEN, on a connection of its own."""

from collections.abc import AsyncIterator

from psycopg import AsyncConnection, sql

from landed.store.connect import OPTIONS, translated


async def notifications(database_url: str, channel: str) -> AsyncIterator[None]:
    """Once when it listens, since something may have changed before, then once for each notification.

    Raises:
        StoreUnavailable: the connection broke; call again.
    """
    with translated():
        connection = await AsyncConnection.connect(
            database_url, autocommit=True, **OPTIONS, application_name="landed listener"
        )
        async with connection:
            await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
            yield
            async for _ in connection.notifies():
                yield
