"""What a keeper is to the tracker."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from psycopg import AsyncConnection

from landed.domain.events import Event
from landed.domain.receipts import Telling


class Told(NamedTuple):
    """A telling, and the account it is about."""

    account_id: int
    telling: Telling[Any]


@dataclass(slots=True)
class Kept:
    """What came of a batch, for the tracker to write with it."""

    changed: int = 0  #: things that changed
    events: list[Event] = field(default_factory=list)
    #: Words of providers without a mapping, in facts that are new: account and word -> how many.
    unknown: Counter[tuple[int, str]] = field(default_factory=Counter)
    #: The last callback that used such a word.
    unknown_in: dict[tuple[int, str], int | None] = field(default_factory=dict)

    def note_unknown(self, account_id: int, word: str, callback_id: int | None) -> None:
        self.unknown[account_id, word] += 1
        self.unknown_in[account_id, word] = callback_id

    def add(self, other: "Kept") -> None:
        self.changed += other.changed
        self.events += other.events
        self.unknown += other.unknown
        self.unknown_in |= other.unknown_in


class Keeper(Protocol):
    async def keep(self, connection: AsyncConnection[Any], told: Sequence[Told], now: datetime) -> Kept:
        """Fold what was told into the rows there are, and make those that are missing, inside the transaction.

        Args:
            told: of the kinds of receipts this keeper is for, in any order, repeats allowed.

        Raises:
            StoreUnavailable, DeadlockDetected, SerializationFailure: the whole transaction is to be done again.
        """
        ...
