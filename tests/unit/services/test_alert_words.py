"""Where alerts lead: to the page that shows what they tell."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from landed.domain.alerting import Filter, Kind, Observation, Rule
from landed.domain.explaining import Counted
from landed.domain.periods import Period
from landed.services import alert_words
from landed.services.observing import Seen
from landed.store.oddities import OddityCount

AT: Final = datetime(2026, 11, 21, 12, 20, 7, tzinfo=UTC)
WINDOW: Final = Period(AT.replace(minute=4, second=0), AT.replace(minute=19, second=0))


def rule(kind: Kind, filters: dict[Filter, tuple[str, ...]] | None = None) -> Rule:
    return Rule(name="x", kind=kind, threshold=1, recovery=1, window=timedelta(minutes=15), filters=filters or {})


def led_to(
    asked: Rule, *, words: Sequence[str] = (), until: datetime = WINDOW.until
) -> tuple[str, dict[str, list[str]]]:
    """The page, and its parameters in lists."""
    counts = [OddityCount(1, word, 1) for word in words]
    seen = Seen(Observation(AT, 1, 1), Period(WINDOW.since, until), Counted(1, 1), words=counts)
    parts = urlsplit(alert_words.path(asked, seen, AT, {"network": "310-260"} if not words else {}))
    told: dict[str, list[str]] = {}
    for name, value in parse_qsl(parts.query):
        told.setdefault(name, []).append(value)
    return parts.path, told


def test_counted_figures_are_shown_for_the_time_they_are_told_from() -> None:
    filters = {Filter.COUNTRY: ("US",), Filter.NETWORK: ("310-410", "310-260")}

    page, told = led_to(rule(Kind.FAILURE_SHARE, filters))

    assert page == "/"
    assert told == {
        "since": ["2026-11-21T12:04:00Z"],
        "until": ["2026-11-21T12:19:00Z"],
        "country": ["US"],
        "network": ["310-260"],
    }


def test_verify_sessions_and_the_lag_have_pages_of_their_own() -> None:
    assert led_to(rule(Kind.OTP_CONVERSION))[0] == "/verify"
    assert led_to(rule(Kind.TRACKING_LAG)) == ("/settings", {})


def test_refusals_are_shown_as_callbacks_up_to_the_last_one() -> None:
    page, told = led_to(rule(Kind.REFUSED_SIGNATURES), words=["signature_mismatch", "signature_missing"], until=AT)

    assert (page, told["until"]) == ("/live", ["2026-11-21T12:21:00Z"])
    assert (told["verdict"], told["reason"]) == (["refused"], ["signature_mismatch", "signature_missing"])


def test_unknown_words_are_looked_for_where_all_of_them_are_words() -> None:
    asked = rule(Kind.UNKNOWN_STATUSES)

    assert led_to(asked, words=["bounced", "read-by all"])[1]["status"] == ["bounced", "read-by all"]
    for words in (["bounced", "+14155550100"], [""], [f"word {'x' * number}" for number in range(21)]):
        assert "status" not in led_to(asked, words=words)[1], words
