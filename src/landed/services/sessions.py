"""Reading verify sessions as people ask for them, page by page or whole.

Everything takes `account_id`, the account a key is bound to (None: all): what belongs to others is not there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from landed.domain.errors import NotFound
from landed.domain.receipts import SessionStatus
from landed.providers.base import Provider
from landed.services import cursors, session_shapes
from landed.services.keeping.sessions import ROWS
from landed.services.reading import NONE, account_ids, network_codes, number
from landed.store import session_queries
from landed.store.reading import account_names
from landed.store.session_queries import SessionCursor, SessionFilter


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionQuestion:
    """Which sessions to list, as a person says it. Numbers may be written in any way; `none` stands for "not known"."""

    accounts: Sequence[str] = ()
    statuses: Sequence[SessionStatus] = ()
    channels: Sequence[str] = ()
    recipient: str | None = None
    countries: Sequence[str] = ()
    networks: Sequence[str] = ()  #: see `network_codes`
    error_codes: Sequence[str] = ()
    since: datetime | None = None
    until: datetime | None = None
    text: str | None = None


class SessionReader:
    def __init__(self, engine: AsyncEngine, providers: Mapping[str, Provider]) -> None:
        self._engine = engine
        self._providers = providers

    async def sessions(
        self, question: SessionQuestion, *, account_id: int | None, cursor: str | None, limit: int
    ) -> session_shapes.SessionList:
        """A page of sessions, newest start first.

        Raises:
            InputInvalid: there is no such account, or the cursor is not ours.
        """
        names = await account_names(self._engine)
        wanted = SessionFilter(
            account_ids=account_ids(names, question.accounts, account_id),
            statuses=question.statuses,
            channels=[None if value == NONE else value for value in question.channels],
            recipient=number(question.recipient),
            countries=[None if value == NONE else value.upper() for value in question.countries],
            networks=[(mcc or None, mnc) for mcc, mnc in map(network_codes, question.networks)],
            error_codes=[None if value == NONE else value for value in question.error_codes],
            since=question.since,
            until=question.until,
            text=question.text,
            number=number(question.text),
        )
        after = cursors.read_row(cursor)
        rows = await session_queries.page(self._engine, wanted, SessionCursor(*after) if after else None, limit + 1)
        more = len(rows) > limit
        return session_shapes.SessionList(
            data=[session_shapes.session(row, names, self._providers) for row in rows[:limit]],
            next_cursor=cursors.write_row(rows[limit - 1].started_at, rows[limit - 1].id) if more else None,
        )

    async def session(self, session_id: str, *, account_id: int | None) -> session_shapes.SessionWhole:
        """One session with attempts, receipts and timeline: by our id, the provider's, or that of its callbacks' path.

        Raises:
            NotFound: there is none, or none of this account.
        """
        row = await session_queries.one(self._engine, session_id, None if account_id is None else [account_id])
        if row is None:
            raise NotFound("There is no verify session with this id, ours or the provider's.")
        names = await account_names(self._engine)
        resent = await session_queries.resent(self._engine, row.account_id, row.provider_session_id)
        return session_shapes.session_whole(row, ROWS.facts(row.facts), names, self._providers, resent)
