"""Alerts: rules on figures, and when an alert begins and ends. Pure: who watches tells what was seen, and when.

An incident is told of twice: when it has begun, and when it is over. In between lies hysteresis: it begins where the
figure reaches the threshold and stays there for `hold_s`, and ends where it comes back to `recovery` and stays there
for `recovery_hold_s`. Between the two nothing changes.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from landed.domain.errors import InputInvalid
from landed.domain.words import Word


class Kind(Word):
    """What a rule looks at. Shares are from 0 to 1."""

    FAILURE_SHARE = "failure_share"  #: failed and undelivered, over those that are final
    SLOW_SHARE = "slow_share"  #: took longer than `after_s` to be delivered, or still are not, over both kinds
    MISSING_SHARE = "missing_share"  #: after `after_s` the provider has not told by itself how it ended, over all sent
    UNKNOWN_STATUSES = "unknown_statuses"  #: facts with a word of the provider that has no mapping
    REFUSED_SIGNATURES = "refused_signatures"  #: callbacks refused since nothing proves who sent them
    TRACKING_LAG = "tracking_lag"  #: seconds since the oldest callback came in that is not tracked yet
    SPEND = "spend"  #: what messages cost, in `currency`; or `against_usual`: how many times what is usual
    OTP_CONVERSION = "otp_conversion"  #: verify sessions that were passed, over those started


class Severity(Word):
    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class TargetKind(Word):
    """How somebody is told."""

    EMAIL = "email"
    SLACK = "slack"  #: and what takes the same: Mattermost, Rocket.Chat, Discord at /slack
    WEBHOOK = "webhook"  #: JSON, signed in the Standard Webhooks way


class Filter(Word):
    """What a rule can be narrowed to: the names that analytics filters have, too."""

    ACCOUNT = "account"
    COUNTRY = "country"
    NETWORK = "network"
    SENDER = "sender"
    CHANNEL = "channel"
    TAG = "tag"


_MESSAGES: Final = frozenset(Filter)
#: Which filters make sense for which kind.
FILTERS: Final = {
    Kind.FAILURE_SHARE: _MESSAGES,
    Kind.SLOW_SHARE: _MESSAGES,
    Kind.MISSING_SHARE: _MESSAGES,
    Kind.SPEND: _MESSAGES,
    Kind.OTP_CONVERSION: frozenset({Filter.ACCOUNT, Filter.COUNTRY, Filter.NETWORK, Filter.CHANNEL}),
    Kind.UNKNOWN_STATUSES: frozenset({Filter.ACCOUNT}),
    Kind.REFUSED_SIGNATURES: frozenset({Filter.ACCOUNT}),
    Kind.TRACKING_LAG: frozenset[Filter](),
}
SHARES: Final = frozenset({Kind.FAILURE_SHARE, Kind.SLOW_SHARE, Kind.MISSING_SHARE, Kind.OTP_CONVERSION})
#: These need a length of time after which a message is called slow, or its receipt missing.
AFTER: Final = frozenset({Kind.SLOW_SHARE, Kind.MISSING_SHARE})
#: Bad is what lies below the threshold, not above it.
BELOW: Final = frozenset({Kind.OTP_CONVERSION})


class Terms(NamedTuple):
    """What of a rule decides when an alert begins and ends."""

    threshold: float
    recovery: float  #: on the good side of the threshold, or the same
    is_below: bool  #: bad is below
    floor: int  #: with fewer messages (or sessions) in the window nothing is said
    hold: timedelta
    recovery_hold: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What to look at, and when to speak."""

    name: str
    kind: Kind
    threshold: float
    recovery: float
    window: timedelta
    filters: dict[Filter, tuple[str, ...]] = field(default_factory=dict)
    floor: int = 0
    hold: timedelta = timedelta(0)
    recovery_hold: timedelta = timedelta(0)
    after: timedelta | None = None
    currency: str | None = None  #: of spend; None: whichever currency is worst
    against_usual: bool = False
    severity: Severity = Severity.WARNING
    enabled: bool = True
    repeat_after: timedelta | None = None

    @property
    def terms(self) -> Terms:
        return Terms(self.threshold, self.recovery, self.kind in BELOW, self.floor, self.hold, self.recovery_hold)


class Observation(NamedTuple):
    """What was seen at a moment. `value` is None where there is nothing to tell it from."""

    at: datetime
    value: float | None
    of: int  #: how many messages (or sessions) it is told from; where a kind needs no floor, any number


class State(Word):
    """Where the watch of a rule stands."""

    OK = "ok"
    PENDING = "pending"  #: bad, but not for long enough
    FIRING = "firing"
    RECOVERING = "recovering"  #: good again, but not for long enough: the alert still stands


class Transition(Word):
    """What others are told of."""

    FIRED = "fired"
    RECOVERED = "recovered"
    QUIET = "quiet"  #: over, since for long there was too little to tell from


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where the watch of a rule stands. Of a rule that was never looked at, `observed_at` is None.

    `since`: of `pending` and `firing`, when it began to be bad; of `recovering` that stays, and `good_since` says when
    it began to be good.
    """

    state: State = State.OK
    since: datetime | None = None
    good_since: datetime | None = None
    quiet_since: datetime | None = None
    observed_at: datetime | None = None


class Level(Word):
    BAD = "bad"
    BETWEEN = "between"  #: in the band of hysteresis
    GOOD = "good"
    SILENT = "silent"  #: too little to tell from


#: Looks further apart than this prove nothing of the time between: a worker was down.
GAP: Final = timedelta(minutes=2)
#: An alert about which there has been nothing to tell for this long is over.
QUIET: Final = timedelta(hours=1)
#: What is to be silent for longer is switched off.
MUTED_MAX: Final = timedelta(days=366)


def level(observation: Observation, terms: Terms) -> Level:
    """What a figure means to a rule."""
    value = observation.value
    if value is None or observation.of < terms.floor:
        return Level.SILENT
    sign = -1 if terms.is_below else 1
    if sign * value >= sign * terms.threshold and not (terms.is_below and value == terms.threshold):
        return Level.BAD
    return Level.GOOD if sign * value <= sign * terms.recovery else Level.BETWEEN


def advance(standing: Standing, observation: Observation, terms: Terms) -> tuple[Standing, Transition | None]:
    """Where the watch stands after that look, and what there is to tell of.

    The same observation again, or an older one, changes nothing. After a gap nothing is taken to have held meanwhile:
    waiting begins anew, and an alert that stands goes on standing.
    """
    at, seen_at = observation.at, standing.observed_at
    if seen_at is not None and at <= seen_at:
        return standing, None
    has_gap = seen_at is not None and at - seen_at > GAP
    if has_gap:
        standing = _after_gap(standing)
    seen = level(observation, terms)
    standing = replace(standing, observed_at=at)
    if standing.state in (State.OK, State.PENDING):
        return _while_good(standing, seen, at, terms)
    return _while_bad(standing, seen, at, terms)


def _after_gap(standing: Standing) -> Standing:
    if standing.state is State.PENDING:
        return Standing(observed_at=standing.observed_at)
    if standing.state is State.RECOVERING:
        return replace(standing, state=State.FIRING, good_since=None, quiet_since=None)
    return replace(standing, quiet_since=None)


def _while_good(standing: Standing, seen: Level, at: datetime, terms: Terms) -> tuple[Standing, Transition | None]:
    if seen is not Level.BAD:
        return Standing(observed_at=at), None
    since = standing.since or at
    if at - since >= terms.hold:
        return Standing(state=State.FIRING, since=since, observed_at=at), Transition.FIRED
    return Standing(state=State.PENDING, since=since, observed_at=at), None


def _while_bad(standing: Standing, seen: Level, at: datetime, terms: Terms) -> tuple[Standing, Transition | None]:
    if seen is Level.SILENT:
        quiet_since = standing.quiet_since or at
        if at - quiet_since >= QUIET:
            return Standing(observed_at=at), Transition.QUIET
        return replace(standing, quiet_since=quiet_since), None
    if seen is not Level.GOOD:
        return replace(standing, state=State.FIRING, good_since=None, quiet_since=None), None
    good_since = standing.good_since or at
    if at - good_since >= terms.recovery_hold:
        return Standing(observed_at=at), Transition.RECOVERED
    return replace(standing, state=State.RECOVERING, good_since=good_since, quiet_since=None), None


def repeat_is_due(
    rule: Rule, *, told_at: datetime | None, acknowledged: bool, muted_until: datetime | None, now: datetime
) -> bool:
    """Whether those who were told of an alert that stands are to be told again."""
    if rule.repeat_after is None or told_at is None or acknowledged or is_muted(muted_until, now):
        return False
    return now - told_at >= rule.repeat_after


def is_muted(muted_until: datetime | None, now: datetime) -> bool:
    return muted_until is not None and now < muted_until


def mute_end(until: datetime, now: datetime, field: str) -> datetime:
    """Until when somebody asked for silence, in UTC.

    Raises:
        InputInvalid: it is over, or far away; names the field.
    """
    if not now < until <= now + MUTED_MAX:
        raise InputInvalid(f"`{field}` has to lie ahead, by up to {MUTED_MAX.days} days.", field=field)
    return until.astimezone(UTC)
