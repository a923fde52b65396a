"""Registrations by age: how many brands, campaigns and numbers stand where for how long, and how long it takes."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncEngine

from landed.domain.registrations import STATUSES, Thing
from landed.services.reading import account_ids
from landed.services.shapes import Moment, Shape
from landed.store import registration_ages
from landed.store.reading import account_names

#: Where one class of age ends and the next begins, in days.
BOUNDS_D: Final = (1, 3, 7, 14)


class Ages(Shape):
    """How many have their status for so long."""

    under_1_d: int
    from_1_to_3_d: int
    from_3_to_7_d: int
    from_7_to_14_d: int
    over_14_d: int


class TimeToRegister(Shape):
    """Seconds from when we first heard of a thing until it got the status it has; null where none tells."""

    count: int = Field(description="how many tell: those first heard of when they were registered already do not")
    p50: float | None
    p90: float | None


class RegistrationAgesRow(Shape):
    """All things of a kind that have one status."""

    kind: str = Field(examples=[thing.value for thing in Thing])
    status: str
    count: int
    ages: Ages
    oldest_since: Moment | None = Field(description="since when the one that has it for longest has it")
    time_to_register_s: TimeToRegister = Field(description="of those that are registered or linked")


class RegistrationAgesMeta(Shape):
    at: Moment = Field(description="ages are up to this moment")


class RegistrationAges(Shape):
    data: list[RegistrationAgesRow]
    next_cursor: str | None
    meta: RegistrationAgesMeta


class RegistrationAging:
    def __init__(self, engine: AsyncEngine, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._engine = engine
        self._clock = clock

    async def ages(self, accounts: Sequence[str] = (), *, account_id: int | None) -> RegistrationAges:
        """A row for every kind and status, also where there are none; what needs somebody comes first.

        Raises:
            InputInvalid: there is no such account.
        """
        among = account_ids(await account_names(self._engine), accounts, account_id)
        now = self._clock()
        rows = []
        for thing in Thing:
            found = {row.status: row for row in await registration_ages.ages(self._engine, thing, among, BOUNDS_D, now)}
            rows += [_row(thing, status, found.get(status)) for status in STATUSES[thing]]
        return RegistrationAges(data=rows, next_cursor=None, meta=RegistrationAgesMeta(at=now))


def _row(thing: Thing, status: str, row: Any | None) -> RegistrationAgesRow:
    younger = [0, *(getattr(row, f"younger_{number}") if row else 0 for number in range(len(BOUNDS_D)))]
    count = row.things if row else 0
    classes = [after - before for before, after in zip(younger, [*younger[1:], count], strict=True)]
    return RegistrationAgesRow(
        kind=thing,
        status=status,
        count=count,
        ages=Ages(**dict(zip(Ages.model_fields, classes, strict=True))),
        oldest_since=row.oldest_since if row else None,
        time_to_register_s=TimeToRegister(
            count=row.took if row else 0, p50=row.p50_s if row else None, p90=row.p90_s if row else None
        ),
    )
