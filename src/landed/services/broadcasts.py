"""Broadcasts, one sending to many, as people ask for them: page by page or whole, and the shapes that show them.

Everything takes `account_id`, the account a key is bound to (None: all): what belongs to others is not there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncEngine

from landed.domain.accounts import AccountName
from landed.domain.broadcasts import Facts
from landed.domain.errors import NotFound
from landed.domain.statuses import Status
from landed.services import cursors
from landed.services.keeping.broadcasts import ROWS
from landed.services.reading import account_ids
from landed.services.shapes import Moment, Shape
from landed.store import broadcast_queries
from landed.store.broadcast_queries import BroadcastFilter
from landed.store.reading import account_names


class BroadcastShape(Shape):
    """One sending to many that the provider reports on as a whole. Each of its messages is a message, too."""

    id: str
    account: str | None
    provider: str | None
    provider_broadcast_id: str
    our_id: str | None = Field(description="our id, where its callbacks carry one")
    name: str | None
    provider_status: str = Field(description="the provider's own word")
    final: bool = Field(description="nothing more is expected")
    recipients: int | None
    counts: dict[str, int] = Field(
        description="messages by status; a word of the provider's that has no mapping stands as it came",
        examples=[{"delivered": 38, "queued": 40, "sent": 20, "undelivered": 2}],
    )
    first_heard_at: Moment
    last_heard_at: Moment = Field(description="when something new was heard last")
    created_at: Moment
    updated_at: Moment


class BroadcastReceiptShape(Shape):
    """One report, however often it was told."""

    received_at: Moment = Field(description="when we first heard it")
    received_count: int
    callback_ids: list[str]
    provider_status: str
    final: bool
    recipients: int | None
    counts: dict[str, int]
    extra: dict[str, str] = Field(description="every other field, as it came")


class BroadcastWhole(BroadcastShape):
    """One broadcast with every report, earliest heard first."""

    receipts: list[BroadcastReceiptShape]


class BroadcastList(Shape):
    data: list[BroadcastShape]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BroadcastQuestion:
    """Which broadcasts to list, as a person says it."""

    accounts: Sequence[str] = ()
    final: bool | None = None
    since: datetime | None = None
    until: datetime | None = None
    text: str | None = None


class BroadcastReader:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def broadcasts(
        self, question: BroadcastQuestion, *, account_id: int | None, cursor: str | None, limit: int
    ) -> BroadcastList:
        """A page of broadcasts, those first heard of latest first.

        Raises:
            InputInvalid: there is no such account, or the cursor is not ours.
        """
        names = await account_names(self._engine)
        wanted = BroadcastFilter(
            account_ids=account_ids(names, question.accounts, account_id),
            final=question.final,
            since=question.since,
            until=question.until,
            text=question.text,
        )
        rows = await broadcast_queries.page(self._engine, wanted, cursors.read_row(cursor), limit + 1)
        shown, more = rows[:limit], len(rows) > limit
        return BroadcastList(
            data=[BroadcastShape(**_broadcast(row, names)) for row in shown],
            next_cursor=cursors.write_row(shown[-1].first_heard_at, shown[-1].id) if more else None,
        )

    async def broadcast(self, broadcast_id: str, *, account_id: int | None) -> BroadcastWhole:
        """One broadcast with every report: by our id, the provider's, or that of its callbacks' path.

        Raises:
            NotFound: there is none, or none of this account.
        """
        row = await broadcast_queries.one(self._engine, broadcast_id, None if account_id is None else [account_id])
        if row is None:
            raise NotFound("There is no broadcast with this id, ours or the provider's.")
        names = await account_names(self._engine)
        return BroadcastWhole(**_broadcast(row, names), receipts=_receipts(ROWS.facts(row.facts)))


def _broadcast(row: Any, names: Mapping[int, AccountName]) -> dict[str, Any]:
    account = names.get(row.account_id)
    return {
        "id": str(row.id),
        "account": account.name if account else None,
        "provider": account.provider if account else None,
        "provider_broadcast_id": row.provider_broadcast_id,
        "our_id": row.our_id,
        "name": row.name,
        "provider_status": row.provider_status,
        "final": row.final,
        "recipients": row.recipients,
        "counts": _climbing(row.counts),
        "first_heard_at": row.first_heard_at,
        "last_heard_at": row.last_heard_at,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }


def _climbing(counts: Mapping[str, int]) -> dict[str, int]:
    """In the order in which messages climb; the provider's own words last."""
    known = {status.value: counts[status] for status in Status if status in counts}
    return known | {name: count for name, count in sorted(counts.items()) if name not in known}


def _receipts(facts: Facts) -> list[BroadcastReceiptShape]:
    return [
        BroadcastReceiptShape(
            received_at=heard.received_at,
            received_count=max(1, len(heard.callback_ids)),
            callback_ids=[str(number) for number in heard.callback_ids],
            provider_status=receipt.provider_status,
            final=receipt.final,
            recipients=receipt.recipients,
            counts=_climbing(dict(receipt.counts)),
            extra=dict(receipt.extra),
        )
        for receipt, heard in sorted(facts.items(), key=lambda fact: (fact[1], repr(fact[0])))
    ]
