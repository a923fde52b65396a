"""Keeping verify sessions: one row each, and the counters of the funnel."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from psycopg import AsyncConnection

from landed.domain import sessions
from landed.domain.events import Event
from landed.domain.funnel import Deltas
from landed.domain.receipts import SessionReceipt
from landed.domain.sessions import Session
from landed.services.keeping.things import Kind, Moved, ThingKeeper
from landed.store import session_counters
from landed.store.schema import sessions as table
from landed.store.things import Rows

ROWS: Final = Rows(table, "provider_session_id", SessionReceipt)


def keeper() -> ThingKeeper[SessionReceipt, Session]:
    """The keeper of verify sessions: see keeping/base.py."""
    return ThingKeeper(
        Kind(
            rows=ROWS,
            key=lambda receipt: receipt.provider_session_id,
            fold=sessions.fold,
            columns=_columns,
            events=_events,
            unknown_word=sessions.unknown_word,
            count=_count,
        )
    )


def _columns(session: Session) -> Mapping[str, Any]:
    return session._asdict() | {
        "attempts": [attempt._asdict() for attempt in session.attempts],
        "facts_count": len(session.facts),
    }


def _events(moved: Moved[Session]) -> Iterable[Event]:
    return sessions.events(moved.key.account_id, str(moved.id), moved.before, moved.after)


async def _count(connection: AsyncConnection[Any], moved: Sequence[Moved[Session]], now: datetime) -> None:
    deltas = Deltas()
    for each in moved:
        deltas.move(each.key.account_id, each.before, each.after)
    await session_counters.add(connection, deltas)
