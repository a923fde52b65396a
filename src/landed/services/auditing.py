"""The audit log: who did what, when, and from where."""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, NamedTuple

import structlog
from pydantic import Field

from landed.domain.errors import StoreUnavailable
from landed.services import cursors
from landed.services.shapes import Moment, Shape
from landed.store import audit
from landed.store.accounts import Pool
from landed.store.audit import Entry

_log = structlog.get_logger()
#: What a key does again and again is one row for so long: 17 thousand rows a day for one that never stops.
_PAUSE_S: Final = 5.0
_TARGET_CHARACTERS_MAX: Final = 300


class AuditEntry(Shape):
    """One deed."""

    at: Moment
    actor: str = Field(description="user:NAME, key:NAME, cli:NAME of the system's user, or nobody")
    action: str
    target: str | None
    address: str | None = Field(description="where from")
    times: int = Field(description="requests of an API key that are alike are counted over some seconds")


class AuditList(Shape):
    data: list[AuditEntry]
    next_cursor: str | None


class Auditor:
    """Writes deeds down: those of people at once; those of API keys counted and a little later, since a key that sends
    does the same thing a thousand times."""

    def __init__(self, pool: Pool, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._pool = pool
        self._clock = clock
        self._noted: Counter[_Deed] = Counter()
        self._some = asyncio.Event()

    async def record(self, actor: str, action: str, target: str | None = None, address: str | None = None) -> None:
        """Keep one now.

        Args:
            action: noun and past tense: `user.signed_in`.
            target: what it was done to, by its name or id; neither a phone number nor a text.
        """
        await audit.add(self._pool, [self._entry(_Deed(actor, action, target, address), 1)])

    def note(self, actor: str, action: str, target: str | None = None, address: str | None = None) -> None:
        """Keep one within seconds, if the process lives that long."""
        self._noted[_Deed(actor, action, target, address)] += 1
        self._some.set()

    async def run(self) -> None:
        """Write down what was noted, until cancelled; then the rest of it."""
        try:
            while True:
                await self._some.wait()
                await asyncio.sleep(_PAUSE_S)
                await self._keep()
        finally:
            await self._keep()

    async def _keep(self) -> None:
        noted, self._noted = self._noted, Counter()
        self._some.clear()
        if not noted:
            return
        try:
            await audit.add(self._pool, [self._entry(deed, times) for deed, times in noted.items()])
        except StoreUnavailable:
            _log.warning("audit_entries_lost", entries=len(noted))

    def _entry(self, deed: "_Deed", times: int) -> Entry:
        target = None if deed.target is None else deed.target.replace("\x00", "")[:_TARGET_CHARACTERS_MAX]
        return Entry(self._clock(), deed.actor.replace("\x00", ""), deed.action, target, deed.address, times)


class _Deed(NamedTuple):
    actor: str
    action: str
    target: str | None
    address: str | None


async def page(
    pool: Pool,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    actor: str | None = None,
    action: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> AuditList:
    """The newest deeds first. `actor` may be a kind of them: `user:`, `key:` or `cli:`."""
    after = None
    if cursor is not None:
        at, (row_id,) = cursors.read(cursor, [int])
        after = (at, int(row_id))
    found = await audit.page(pool, since=since, until=until, actor=actor, action=action, after=after, limit=limit + 1)
    shown = found[:limit]
    return AuditList(
        data=[
            AuditEntry(
                at=row.at, actor=row.actor, action=row.action, target=row.target, address=row.address, times=row.times
            )
            for row in shown
        ],
        next_cursor=cursors.write(shown[-1].at, shown[-1].id) if len(found) > limit else None,
    )
