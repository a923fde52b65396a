"""Registrations: brands, campaigns and numbers as people ask for them, page by page, whole, or all at a glance.

Everything takes `account_id`, the account a key is bound to (None: all): what belongs to others is not there.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from landed.domain.errors import InputInvalid, NotFound
from landed.domain.receipts import RegistrationStatus
from landed.domain.registrations import STATUSES, Thing
from landed.services import cursors
from landed.services import registration_shapes as shapes
from landed.services.reading import account_ids, number
from landed.store import registration_queries
from landed.store.reading import account_names
from landed.store.registration_queries import RegistrationCursor, RegistrationFilter

#: Of each status the board shows this many things.
BOARD_ENTRIES_MAX: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationQuestion:
    """Which things to list, as a person says it."""

    accounts: Sequence[str] = ()
    statuses: Sequence[RegistrationStatus] = ()
    brand: str | None = None  #: of campaigns: the provider's id of the brand
    campaign: str | None = None  #: of numbers: the provider's id of the campaign
    text: str | None = None


class RegistrationReader:
    def __init__(self, engine: AsyncEngine, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._engine = engine
        self._clock = clock

    async def brands(
        self, question: RegistrationQuestion, *, account_id: int | None, cursor: str | None, limit: int
    ) -> shapes.BrandList:
        """A page of brands, those first heard of last first.

        Raises:
            InputInvalid: there is no such account, brands never have that status, or the cursor is not ours.
        """
        data, next_cursor = await self._page(Thing.BRAND, question, account_id, cursor, limit)
        return shapes.BrandList(data=[shapes.BrandShape(**each) for each in data], next_cursor=next_cursor)

    async def campaigns(
        self, question: RegistrationQuestion, *, account_id: int | None, cursor: str | None, limit: int
    ) -> shapes.CampaignList:
        """A page of campaigns: see `brands`."""
        data, next_cursor = await self._page(Thing.CAMPAIGN, question, account_id, cursor, limit)
        return shapes.CampaignList(data=[shapes.CampaignShape(**each) for each in data], next_cursor=next_cursor)

    async def numbers(
        self, question: RegistrationQuestion, *, account_id: int | None, cursor: str | None, limit: int
    ) -> shapes.NumberList:
        """A page of numbers: see `brands`."""
        data, next_cursor = await self._page(Thing.NUMBER, question, account_id, cursor, limit)
        return shapes.NumberList(data=[shapes.NumberShape(**each) for each in data], next_cursor=next_cursor)

    async def brand(self, name: str, *, account_id: int | None) -> shapes.BrandWhole:
        """One brand with history and receipts: by our id, the provider's, or our id in callback paths.

        Raises:
            NotFound: there is none, or none of this account.
        """
        return shapes.BrandWhole(**await self._one(Thing.BRAND, name, account_id))

    async def campaign(self, name: str, *, account_id: int | None) -> shapes.CampaignWhole:
        """One campaign: see `brand`."""
        return shapes.CampaignWhole(**await self._one(Thing.CAMPAIGN, name, account_id))

    async def number(self, name: str, *, account_id: int | None) -> shapes.NumberWhole:
        """One number, written in any way, or by our ids: see `brand`."""
        return shapes.NumberWhole(**await self._one(Thing.NUMBER, name, account_id))

    async def board(self, accounts: Sequence[str] = (), *, account_id: int | None) -> shapes.Board:
        """How many stand where, and what has stood there for longest.

        Raises:
            InputInvalid: there is no such account.
        """
        names = await account_names(self._engine)
        among = account_ids(names, accounts, account_id)
        now = self._clock()
        brands, campaigns, numbers = [
            shapes.board_rows(
                thing,
                await registration_queries.standing(self._engine, thing, among, BOARD_ENTRIES_MAX),
                names,
                now,
            )
            for thing in Thing
        ]
        return shapes.Board(brands=brands, campaigns=campaigns, numbers=numbers)

    async def _page(
        self, thing: Thing, question: RegistrationQuestion, account_id: int | None, cursor: str | None, limit: int
    ) -> tuple[list[dict[str, Any]], str | None]:
        for status in question.statuses:
            if status not in STATUSES[thing]:
                known = ", ".join(sorted(STATUSES[thing]))
                raise InputInvalid(f"A {thing} is never {status.value!r}. Give one of {known}.", field="status")
        names = await account_names(self._engine)
        wanted = RegistrationFilter(
            account_ids=account_ids(names, question.accounts, account_id),
            statuses=question.statuses,
            provider_brand_id=question.brand,
            provider_campaign_id=question.campaign,
            text=question.text,
            number=number(question.text),
        )
        rows = await registration_queries.page(self._engine, thing, wanted, _cursor(cursor), limit + 1)
        now = self._clock()
        last = rows[limit - 1] if len(rows) > limit else None
        return (
            [shapes.columns(thing, row, names, now) for row in rows[:limit]],
            cursors.write(last.first_heard_at, last.id.hex) if last else None,
        )

    async def _one(self, thing: Thing, name: str, account_id: int | None) -> dict[str, Any]:
        among = None if account_id is None else [account_id]
        row = await registration_queries.one(self._engine, thing, name, number(name), among)
        if row is None:
            raise NotFound(f"There is no {thing} with this id, ours or the provider's.")
        return shapes.whole(thing, row, await account_names(self._engine), self._clock())


def _cursor(cursor: str | None) -> RegistrationCursor | None:
    if cursor is None:
        return None
    at, (hexadecimal,) = cursors.read(cursor, [str])
    try:
        return RegistrationCursor(at, UUID(hex=str(hexadecimal)))
    except ValueError as error:
        raise cursors.invalid() from error
