"""The contract of a journal: what is appended is on disk, and every reader sees all of it, once, in one order.

Any callback may go to any lane, because folding does not care for order. A lane is read by one tracker at
a time, from a position that the tracker keeps with its state. Reading never deletes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple, Protocol

from landed.domain.callbacks import Callback

#: The position before the first callback of a lane.
BEGINNING: Final = ""

#: Of URLs, headers and bodies when one reader reads all lanes; a read of one lane has its share. Without it a few
#: thousand of the largest callbacks would fill a reader's memory.
READ_BYTES_MAX: Final = 64 * 1024 * 1024


class Accepted(NamedTuple):
    """A callback that proved who sent it, as it goes in. `headers` is one line each: `name: value\\n`."""

    received_at: datetime
    account_id: int
    method: str
    url: str
    kind: str | None
    our_id: str | None
    headers: bytes
    body: bytes
    verified_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What a read gave. `position` is that of its last callback, or the one asked for where it is empty."""

    callbacks: Sequence[Callback]
    position: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What a lane still holds behind a position. `rows` stops being counted at a limit of the implementation."""

    rows: int
    oldest_received_at: datetime | None


class Journal(Protocol):
    #: How many lanes there are, numbered from 0.
    lanes: int

    async def open(self) -> None:
        """Connect, and make ready what appending needs. Safe to call again after a failure.

        Raises:
            StoreUnavailable: not now; try again later.
        """
        ...

    async def close(self) -> None: ...

    async def append(self, callbacks: Sequence[Accepted]) -> None:
        """Keep all of them, or none. When this returns they are on disk.

        Raises:
            StoreUnavailable: they may be lost, and must be refused. In a rare case they are kept all the
                same (the connection broke between commit and answer): the provider's repeat is then the same fact.
        """
        ...

    async def read(self, lane: int, after: str, limit: int) -> Batch:
        """The next callbacks of a lane in its order, without a gap: a position once passed never gains a callback.

        Fewer than `limit` where they are large: what comes behind the lane's share of READ_BYTES_MAX waits.

        Raises:
            StoreUnavailable: not now; nothing is lost.
        """
        ...

    async def backlog(self, lane: int, after: str) -> Backlog:
        """How far a reader at this position is behind."""
        ...

    async def wait(self, timeout_s: float) -> bool:
        """Sleep until something was appended, or the time is over. False: nothing is known to be new."""
        ...
