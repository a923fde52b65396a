"""What was told and taken, kept by a second and much simpler reckoning than the tracker's, to hold it against."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from landed.domain.receipts import Registration
from landed.simulator.items import FORGED, AnyTruth, InboundTruth, Kind, RegistrationTruth, SessionTruth, Truth

#: How far each word of the stream has got. Words that are not here change nothing.
RANK: Final = {"queued": 0, "sent": 1, "failed": 2, "undelivered": 3, "delivered": 4, "read": 5}
_UNKNOWN: Final = -1
#: How far each word for a session has got, and ours for it.
SESSION_RANK: Final = {"in-progress": 0, "failed": 1, "cancelled": 2, "expired": 3, "verified": 4}
#: How far a brand, campaign or number has got with each word, and what it is then. Each is granted or refused once; a
#: request to unlink a number changes nothing until it is granted.
REGISTRATION_RANK: Final = {
    **{(Registration.BRAND, word): place for word, place in (
        ("created", (0, "brand pending")), ("rejected", (1, "brand rejected")), ("registered", (1, "brand registered")),
    )},
    **{(Registration.CAMPAIGN, word): place for word, place in (
        ("created", (0, "campaign pending")), ("rejected", (1, "campaign rejected")),
        ("registered", (1, "campaign registered")),
    )},
    (Registration.NUMBER_UNLINK, "created"): (0, "number pending"),
    (Registration.NUMBER_LINK, "created"): (0, "number pending"),
    (Registration.NUMBER_LINK, "failed"): (1, "number failed"),
    (Registration.NUMBER_LINK, "success"): (2, "number linked"),
    (Registration.NUMBER_UNLINK, "success"): (3, "number unlinked"),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The picture that `landed report` should show once all is tracked, and what came besides."""

    messages: int  #: in both directions, as are units, cost and countries
    units: int
    cost_nanos: int
    by_status: Mapping[str, int]
    by_country: Mapping[str, int]
    by_error_code: Mapping[str, int]
    sessions: Mapping[str, int]  #: by status, in our words
    registrations: Mapping[str, int]  #: by thing and status, in our words: `number linked`
    callbacks: int  #: genuine ones, repeats not counted
    duplicates: int
    unknown: int  #: genuine callbacks with a status that nobody explains, repeats not counted
    forged: Mapping[Kind, int]


class End(NamedTuple):
    """What was told of a message, all its parts together."""

    status: str  #: in our words
    country: str
    error_code: str | None
    units: int
    cost_nanos: int


class _Known(NamedTuple):
    """The furthest that is known of a message or one of its parts."""

    rank: int
    sequence: int
    status: str
    country: str
    error_code: str | None
    units: int
    cost_nanos: int


class Ledger:
    """Takes in what was acknowledged, in any order and however often. Grows by one small entry per message."""

    def __init__(self) -> None:
        self._known: dict[str, dict[int | None, _Known]] = {}
        self._received: dict[str, InboundTruth] = {}
        self._sessions: dict[str, str] = {}
        self._registrations: dict[tuple[bool, str], tuple[int, str]] = {}
        self._kinds: Counter[Kind] = Counter()
        self._unknown = 0

    def tell(self, truth: AnyTruth) -> None:
        """A callback was answered: with 2xx if it was genuine, with anything if it was forged."""
        self._kinds[truth.kind] += 1
        if truth.kind not in FORGED:
            self.learn(truth)

    def learn(self, truth: AnyTruth) -> None:
        """It is known, whoever told it: an answer of the API is no callback, and says the same."""
        match truth:
            case Truth():
                self._tell_status(truth)
            case InboundTruth():
                self._received[truth.message_id] = truth
            case SessionTruth():
                known = self._sessions.get(truth.session_id, truth.status)
                self._sessions[truth.session_id] = max(known, truth.status, key=SESSION_RANK.__getitem__)
            case RegistrationTruth():
                is_number = truth.registration in (Registration.NUMBER_LINK, Registration.NUMBER_UNLINK)
                place = REGISTRATION_RANK[truth.registration, truth.status]
                key = is_number, truth.subject
                self._registrations[key] = max(self._registrations.get(key, place), place)

    def _tell_status(self, truth: Truth) -> None:
        rank = RANK.get(truth.status, _UNKNOWN)
        if rank == _UNKNOWN and truth.kind is Kind.GENUINE:
            self._unknown += 1
        known = _Known(
            rank,
            truth.sequence,
            truth.status if rank != _UNKNOWN else "queued",
            truth.country,
            truth.error_code,
            truth.units,
            truth.cost_nanos,
        )
        parts = self._known.setdefault(truth.message_id, {})
        parts[truth.part] = max(parts.get(truth.part, known), known, key=lambda entry: entry[:2])

    def end(self, message_id: str) -> End | None:
        """What was told of a message; None: nothing."""
        if (parts := self._known.get(message_id)) is not None:
            end, counted = _end(parts), _counted(parts)
            units, cost_nanos = (sum(getattr(part, name) for part in counted) for name in ("units", "cost_nanos"))
            return End(end.status, end.country, end.error_code, units, cost_nanos)
        if (truth := self._received.get(message_id)) is not None:
            return End("received", truth.country, None, truth.units, truth.cost_nanos)
        return None

    def sessions(self) -> dict[str, str]:
        """Where each verify session stands, by its id, in our words."""
        return {session_id: status.replace("-", "_") for session_id, status in self._sessions.items()}

    def message_ids(self) -> list[str]:
        """Of all that was told of, in both directions."""
        return [*self._known, *self._received]

    def summary(self) -> Summary:
        ends = [_end(parts) for parts in self._known.values()]
        every = [known for parts in self._known.values() for known in _counted(parts)]
        received = self._received.values()
        return Summary(
            messages=len(ends) + len(received),
            units=sum(known.units for known in every) + sum(truth.units for truth in received),
            cost_nanos=sum(known.cost_nanos for known in every) + sum(truth.cost_nanos for truth in received),
            by_status=Counter([end.status for end in ends] + ["received" for _ in received]),
            by_country=Counter([end.country for end in ends] + [truth.country for truth in received]),
            by_error_code=Counter(end.error_code for end in ends if end.error_code),
            sessions=Counter(self.sessions().values()),
            registrations=Counter(place for _, place in self._registrations.values()),
            callbacks=self._kinds[Kind.GENUINE],
            duplicates=self._kinds[Kind.DUPLICATE],
            unknown=self._unknown,
            forged={kind: self._kinds[kind] for kind in sorted(FORGED)},
        )


def _counted(parts: Mapping[int | None, _Known]) -> list[_Known]:
    """What adds up: the parts, where they were told of one by one, else the whole."""
    return [known for part, known in parts.items() if part is not None] or list(parts.values())


def _end(parts: Mapping[int | None, _Known]) -> _Known:
    """Where a message stands: lost with the first part that is, else as far as its slowest part, or further where
    that was said of the whole."""
    each = _counted(parts)
    lost = [part for part in each if part.status in ("failed", "undelivered")]
    if lost:
        return max(lost, key=lambda part: part[:2])
    slowest = min(each, key=lambda part: part[:2])
    return max(slowest, parts.get(None, slowest), key=lambda part: part.rank)
