"""Opt-outs as people ask for them, and put in or taken back by hand.

Everything takes `account_id`, the account a key is bound to (None: all): what belongs to others is not there.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from sqlalchemy.ext.asyncio import AsyncEngine

from landed.domain import numbers
from landed.domain.errors import InputInvalid, NotFound
from landed.domain.opt_outs import OptOutFact, OptOutKey, OptOutSource
from landed.domain.receipts import Telling
from landed.services import cursors, opt_out_shapes
from landed.services.keeping import opt_outs as keeping
from landed.services.reading import account_ids, number
from landed.store import events as event_rows
from landed.store import opt_out_queries, opt_outs
from landed.store.connect import transaction
from landed.store.opt_out_queries import OptOutFilter
from landed.store.reading import account_names

#: Of a number or name; what providers tell is cut there, too.
NUMBER_CHARACTERS_MAX: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class OptOutQuestion:
    """Which to list, as a person says it. Numbers may be written in any way."""

    accounts: Sequence[str] = ()
    sender: str | None = None
    recipient: str | None = None
    opted_out: bool | None = None
    sources: Sequence[OptOutSource] = ()
    since: datetime | None = None
    until: datetime | None = None


class OptOutReader:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def opt_outs(
        self, question: OptOutQuestion, *, account_id: int | None, cursor: str | None, limit: int
    ) -> opt_out_shapes.OptOutList:
        """A page of them, latest change first.

        Raises:
            InputInvalid: there is no such account, or the cursor is not ours.
        """
        names = await account_names(self._engine)
        wanted = OptOutFilter(
            account_ids=account_ids(names, question.accounts, account_id),
            sender=number(question.sender),
            recipient=number(question.recipient),
            opted_out=question.opted_out,
            sources=question.sources,
            since=question.since,
            until=question.until,
        )
        rows = await opt_out_queries.page(self._engine, wanted, cursors.read_row(cursor), limit + 1)
        shown, more = rows[:limit], len(rows) > limit
        return opt_out_shapes.OptOutList(
            data=[opt_out_shapes.opt_out(row, names) for row in shown],
            next_cursor=cursors.write_row(shown[-1].changed_at, shown[-1].id) if more else None,
        )

    async def opt_out(self, opt_out_id: str, *, account_id: int | None) -> opt_out_shapes.OptOutWhole:
        """One with all that was said of it.

        Raises:
            NotFound: there is none, or none of this account.
        """
        row = await self._row(opt_out_id, account_id)
        return opt_out_shapes.opt_out_whole(row, opt_outs.facts_of(row.facts), await account_names(self._engine))

    async def check(
        self, sender: str, recipient: str, *, accounts: Sequence[str], account_id: int | None
    ) -> opt_out_shapes.OptOutCheck:
        """Whether that person wants to hear from that number of ours.

        Raises:
            InputInvalid: there is no such account, or these are no numbers.
        """
        names = await account_names(self._engine)
        ours, theirs = sender_of(sender), recipient_of(recipient)
        wanted = OptOutFilter(account_ids=account_ids(names, accounts, account_id), sender=ours, recipient=theirs)
        rows = await opt_out_queries.page(self._engine, wanted, None, max(1, len(names)))
        return opt_out_shapes.OptOutCheck(
            sender=ours,
            recipient=theirs,
            opted_out=any(row.opted_out for row in rows),
            data=[opt_out_shapes.opt_out(row, names) for row in rows],
        )

    async def key(self, opt_out_id: str, *, account_id: int | None) -> OptOutKey:
        """What that opt-out holds for.

        Raises:
            NotFound: there is none, or none of this account.
        """
        row = await self._row(opt_out_id, account_id)
        return OptOutKey(row.account_id, row.sender, row.recipient)

    async def new_key(self, account: str | None, sender: str, recipient: str, *, account_id: int | None) -> OptOutKey:
        """What an opt-out of these holds for, whether there is one or not.

        Args:
            account: may be left out where a key is bound to one.

        Raises:
            InputInvalid: there is no such account, or these are no numbers; names the field.
        """
        among = account_ids(await account_names(self._engine), [account] if account else (), account_id)
        if among is None:
            raise InputInvalid("Say which account it is for.", field="account")
        return OptOutKey(among[0], sender_of(sender), recipient_of(recipient))

    async def _row(self, opt_out_id: str, account_id: int | None) -> Any:
        try:
            among = None if account_id is None else [account_id]
            row = await opt_out_queries.one(self._engine, UUID(opt_out_id), among)
        except ValueError:
            row = None
        if row is None:
            raise NotFound("There is no opt-out with this id.")
        return row


class OptOutChanger:
    """Puts opt-outs in, and takes them back, by hand."""

    def __init__(
        self,
        pool: AsyncConnectionPool[AsyncConnection[Any]],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._pool = pool
        self._clock = clock

    async def change(self, key: OptOutKey, *, opted_out: bool) -> str:
        """Keep the fact that somebody of ours said so now. It is folded like any other: what comes later stands.

        Returns:
            Our id of the opt-out.

        Raises:
            StoreUnavailable: nothing was written.
        """
        now = self._clock()
        telling = Telling(OptOutFact(opted_out=opted_out, source=OptOutSource.MANUAL, occurred_at=now), now, None)
        async with transaction(self._pool) as connection:
            kept = await keeping.keep(connection, {key: [telling]}, now)
            await event_rows.record(connection, kept.events, now)
            return str((await opt_outs.lock(connection, [key]))[key].id)


def sender_of(text: str) -> str:
    """Our number or name, as messages have it.

    Raises:
        InputInvalid: nobody has that.
    """
    sender = number(text.strip())
    if not sender or len(sender) > NUMBER_CHARACTERS_MAX:
        raise InputInvalid("Give the number or name that messages are sent from.", field="sender")
    return sender


def recipient_of(text: str) -> str:
    """The person's number, as messages have it.

    Raises:
        InputInvalid: it is no number with its country code.
    """
    recipient = number(text.strip())
    if not recipient or not numbers.is_international(recipient):
        raise InputInvalid("Give the person's number with its country code, such as +14155550123.", field="recipient")
    return recipient
