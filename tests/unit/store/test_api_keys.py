import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest

from landed.domain.accounts import Scope
from landed.domain.errors import InputInvalid, NotFound
from landed.store import api_keys, connect
from landed.store.accounts import Pool

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def run(database_url: str, story: Callable[[Pool], Awaitable[None]]) -> None:
    async def with_pool() -> None:
        async with connect.pool(database_url, connections_max=2) as pool:
            await story(pool)

    asyncio.run(with_pool())


def test_key_is_found_by_its_text_only(database_url: str) -> None:
    async def story(pool: Pool) -> None:
        made, key = await api_keys.create(pool, name="grafana", scope=Scope.READ, account_id=None)

        assert re.fullmatch(r"landed_[A-Za-z0-9_-]{43}", key)
        assert await api_keys.find(pool, key) == made
        assert (made.scope, made.hint, made.account_id) == (Scope.READ, key[:11], None)
        for other in ("", "landed_", key[:-1], key + "x", key + "\n", key.swapcase(), "landed_" + "a" * 43, made.hint):
            assert await api_keys.find(pool, other) is None

    run(database_url, story)


def test_revoked_key_is_not_found_but_listed(database_url: str) -> None:
    async def story(pool: Pool) -> None:
        _, key = await api_keys.create(pool, name="grafana", scope=Scope.READ, account_id=None)
        await api_keys.create(pool, name="admin", scope=Scope.ADMIN, account_id=None)

        await api_keys.revoke(pool, "grafana", NOW)
        await api_keys.revoke(pool, "grafana", datetime(2027, 1, 1, tzinfo=UTC))

        assert await api_keys.find(pool, key) is None
        assert [(each.name, each.revoked_at) for each in await api_keys.every(pool)] == [
            ("admin", None),
            ("grafana", NOW),
        ]

    run(database_url, story)


def test_name_is_taken_once(database_url: str) -> None:
    async def story(pool: Pool) -> None:
        await api_keys.create(pool, name="grafana", scope=Scope.READ, account_id=None)

        with pytest.raises(InputInvalid, match="There is a key 'grafana' already"):
            await api_keys.create(pool, name="grafana", scope=Scope.READ, account_id=None)

    run(database_url, story)


def test_unknown_key_cannot_be_revoked(database_url: str) -> None:
    async def story(pool: Pool) -> None:
        with pytest.raises(NotFound, match="There is no key 'nobody'"):
            await api_keys.revoke(pool, "nobody", NOW)

    run(database_url, story)
