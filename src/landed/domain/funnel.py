"""What a verify session adds to the counters of the funnel: started, sent, delivered, verified, expired, ended.

The stages are monotone: who typed the code got it, so a verified session counts as delivered, and a delivered one as
sent, whether or not the provider told so. Attempts are counted as they were told.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple

from landed.domain import latency
from landed.domain.counters import MINUTES, Resolution, minute_of
from landed.domain.receipts import SessionStatus
from landed.domain.sessions import Session


class Cell(NamedTuple):
    """A row of counters in the resolution it is asked for. Text is empty where a value is not known."""

    account_id: int
    bucket_at: datetime
    country: str
    mcc: str
    mnc: str
    channel: str  #: of the session's first attempt; where attempts are counted, their own


class Counts(NamedTuple):
    """What is in a row, or what is added to one."""

    started: int = 0
    sent: int = 0
    delivered: int = 0
    verified: int = 0
    expired: int = 0
    ended: int = 0  #: failed or cancelled
    attempts: int = 0
    attempts_sent: int = 0
    attempts_delivered: int = 0
    histogram: int = 0  #: of time to verify, as domain/latency.py has it

    def plus(self, other: "Counts", sign: int = 1) -> "Counts":
        return Counts(*(mine + sign * theirs for mine, theirs in zip(self, other, strict=True)))


NOTHING: Final = Counts()


def contribution(session: Session) -> dict[str, Counts]:
    """What a session counts for, by channel."""
    verified = session.status is SessionStatus.VERIFIED
    delivered = verified or any(attempt.delivered_at for attempt in session.attempts)
    sent = delivered or any(attempt.sent_at for attempt in session.attempts)
    to_verify_ms = session.time_to_verify_ms
    counts = {
        session.channel or "": Counts(
            started=1,
            sent=sent,
            delivered=delivered,
            verified=verified,
            expired=session.status is SessionStatus.EXPIRED,
            ended=session.status in (SessionStatus.FAILED, SessionStatus.CANCELLED),
            histogram=0 if to_verify_ms is None else latency.one(latency.bucket(to_verify_ms)),
        )
    }
    for attempt in session.attempts:
        tried = Counts(
            attempts=1,
            attempts_sent=attempt.sent_at is not None,
            attempts_delivered=attempt.delivered_at is not None,
        )
        channel = attempt.channel or ""
        counts[channel] = counts.get(channel, NOTHING).plus(tried)
    return counts


class Deltas:
    """What a batch changes in the counters, added up so that each row is touched once."""

    def __init__(self) -> None:
        self._hours: dict[Cell, Counts] = {}

    def move(self, account_id: int, before: Session | None, after: Session) -> None:
        """Take what the session counted for so far out, and put in what it counts for now."""
        if before is not None:
            self._add(-1, account_id, before)
        self._add(1, account_id, after)

    def _add(self, sign: int, account_id: int, session: Session) -> None:
        hour = _bucket_at(Resolution.HOUR, session.started_at)
        for channel, counts in contribution(session).items():
            cell = Cell(account_id, hour, session.country or "", session.mcc or "", session.mnc or "", channel)
            self._hours[cell] = self._hours.get(cell, NOTHING).plus(counts, sign)

    def rows(self, resolution: Resolution) -> Mapping[Cell, Counts]:
        """Rows that change and by how much, in the order of their key."""
        totals: dict[Cell, Counts] = {}
        for cell, counts in self._hours.items():
            row = cell._replace(bucket_at=_bucket_at(resolution, cell.bucket_at))
            totals[row] = totals.get(row, NOTHING).plus(counts)
        return {cell: totals[cell] for cell in sorted(totals) if totals[cell] != NOTHING}


def _bucket_at(resolution: Resolution, at: datetime) -> datetime:
    minute = minute_of(at)
    return datetime.fromtimestamp(60 * (minute - minute % MINUTES[resolution]), UTC)
