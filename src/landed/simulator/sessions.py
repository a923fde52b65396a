"""Verify sessions: a code by text, for some a call after it, and then it is typed, or the session expires."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Final

from landed.simulator import draws, world
from landed.simulator.callbacks import plivo
from landed.simulator.items import Kind, SessionTruth, Told
from landed.simulator.world import Country, Network

PER_MESSAGE: Final = 0.1  #: sessions begun for each message that is sent
#: Plivo's sessions live 10 minutes. Here they live so long, for whoever watches.
LIFE: Final = timedelta(seconds=100)
TYPED: Final = 0.82  #: share of those whom a code reached who type it
CALLED: Final = 0.5  #: share of those who have not typed a code after a while who are called
CALL_AFTER: Final = timedelta(seconds=25)
BY_GET: Final = 0.03
WITH_V3: Final = 0.25
LATE: Final = 0.03

#: How calls go, and how often: the channel's words in their order, and the cause of the hangup.
_CALLS: Final = (
    ("ringing in-progress completed", "", 66),
    ("ringing no-answer", "3000", 22),
    ("ringing no-answer", "3010", 8),
    ("failed", "2010", 4),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Session:
    id: str
    at: datetime
    recipient: str
    country: Country
    network: Network
    by_get: bool
    with_v3: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Attempt:
    id: str
    sequence: int
    channel: str
    at: datetime
    #: What its channel tells, when, and with which error code; in the order of time.
    told: tuple[tuple[str, datetime, str], ...]

    @property
    def reached_at(self) -> datetime | None:
        """When the person had the code."""
        word, at, _ = self.told[-1]
        return at if word in ("delivered", "completed") else None


def tell(random: Random, at: datetime) -> Iterator[Told]:
    """All that is told of a session that begins now, in no order."""
    country = draws.pick(random, world.COUNTRIES, [country.weight for country in world.COUNTRIES])
    session = _Session(
        id=draws.uuid(random),
        at=at,
        recipient=draws.number(random, country.numbers),
        country=country,
        network=draws.pick(random, country.networks, [network.weight for network in country.networks]),
        by_get=random.random() < BY_GET,
        with_v3=random.random() < WITH_V3,
    )
    attempts = [_text(random, session)]
    typed_at = _typed_at(random, attempts[0], 12.0)
    if (typed_at is None or typed_at > at + CALL_AFTER) and random.random() < CALLED:
        attempts.append(_call(random, at + CALL_AFTER))
        typed_at = typed_at or _typed_at(random, attempts[1], 5.0)
    expires_at = at + LIFE
    ended_at = typed_at if typed_at and typed_at < expires_at else expires_at
    for attempt in attempts:
        for word, when, code in attempt.told:
            if when < ended_at:
                yield _told(random, session, attempt, "in-progress", word, code, when)
    last = [attempt for attempt in attempts if attempt.told[0][1] < ended_at][-1]
    word, _, code = [told for told in last.told if told[1] < ended_at][-1]
    yield _told(random, session, last, "expired" if ended_at == expires_at else "verified", word, code, ended_at)


def _text(random: Random, session: _Session) -> _Attempt:
    sent_at = session.at + draws.seconds(random, 0.5, 0.5)
    told = [("sent", sent_at, "")]
    network, drawn = session.network, random.random()
    slow = 25.0 if random.random() < network.slow else 1.0
    ended_at = sent_at + draws.seconds(random, network.latency_s * slow, network.spread)
    for code, share in session.country.failures:
        if drawn < share and code not in world.FAILED_CODES:
            told.append(("undelivered", ended_at, code))
            break
        if drawn < share:
            told = [("failed", sent_at, code)]
            break
        drawn -= share
    else:
        if drawn >= session.country.silent:
            told.append(("delivered", ended_at, ""))
    return _Attempt(id=draws.uuid(random), sequence=1, channel="sms", at=session.at, told=tuple(told))


def _call(random: Random, at: datetime) -> _Attempt:
    course, code, _ = draws.pick(random, _CALLS, [weight for _, _, weight in _CALLS])
    words = course.split()
    told = []
    when = at
    for word in words:
        when += draws.seconds(random, 4.0, 0.4)
        told.append((word, when, code if word == words[-1] else ""))
    return _Attempt(id=draws.uuid(random), sequence=2, channel="voice", at=at, told=tuple(told))


def _typed_at(random: Random, attempt: _Attempt, median_s: float) -> datetime | None:
    if attempt.reached_at is None or random.random() >= TYPED:
        return None
    return attempt.reached_at + draws.seconds(random, median_s, 0.6)


def _told(
    random: Random, session: _Session, attempt: _Attempt, status: str, word: str, code: str, at: datetime
) -> Told:
    late_s = random.uniform(1, 12) if random.random() < LATE else 0.0
    return Told(
        due_at=at + draws.seconds(random, 0.12, 0.7) + timedelta(seconds=late_s),
        truth=SessionTruth(
            kind=Kind.GENUINE,
            session_id=session.id,
            status=status,
            country=session.country.iso2,
            attempt=attempt.sequence,
            channel=attempt.channel,
            attempt_status=word,
        ),
        fields=plivo.verify_session(
            plivo.Session(uuid=session.id, recipient=session.recipient),
            status,
            plivo.Attempt(uuid=attempt.id, sequence=attempt.sequence, channel=attempt.channel, requested_at=attempt.at),
            word,
            error_code=code,
        ),
        lie={"SessionStatus": "expired" if status == "verified" else "verified"},
        by_get=session.by_get,
        with_v3=session.with_v3,
    )
