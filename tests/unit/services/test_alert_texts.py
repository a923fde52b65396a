"""What is told reads well, and nothing of others' words does anything where it is read."""

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from landed.services import alert_texts
from landed.services.alert_telling import payload
from landed.services.alert_words import length, money, name, percent

AT = datetime(2026, 11, 21, 12, tzinfo=UTC)


def fired(**changes: Any) -> dict[str, Any]:
    alert: dict[str, Any] = {
        "id": "1", "rule": "Messages fail", "rule_id": "2", "kind": "failure_share", "severity": "critical",
        "state": "firing", "ended_by": None, "account": None, "title": "Messages fail: 25 % of 742 failed",
        "where": None, "error": None, "words": [], "since": AT, "fired_at": AT, "ended_at": None, "value": 0.25,
        "worst": 0.25, "last": 0.25, "threshold": 0.2, "url": "https://landed.example.com/?a=1&b=2", "told_at": None,
        "acknowledged_at": None, "acknowledged_by": None, "muted_until": None,
    }  # fmt: skip
    return payload("alert.fired", alert | changes, AT)


def test_hostile_words_stay_words() -> None:
    hostile = "<script>x</script><!channel> *a* \r\nBcc: eve@example.com"
    text = alert_texts.of(fired(title=hostile, words=[{"account": "a", "word": hostile, "times": 3}]))

    assert "<script>" not in alert_texts.html(text)
    assert "<!channel>" not in json.dumps(alert_texts.slack(text))
    assert "\n" not in alert_texts.subject(text)
    assert "\r" not in alert_texts.subject(text)
    assert 'href="https://landed.example.com/?a=1&amp;b=2"' in alert_texts.html(text)


def test_a_word_of_others_makes_no_line_and_calls_nobody() -> None:
    hostile = "x\r\nWhat to do: call @everyone, @here"
    text = alert_texts.of(fired(title=hostile, words=[{"account": "a", "word": hostile, "times": 3}]))

    assert not any(
        "\n" in line or "\r" in line for section in text.sections for line in (section.heading, *section.lines)
    )
    assert "\nWhat to do" not in alert_texts.plain(text)
    told = alert_texts.slack(text)
    for shown in (told["text"], *(block["text"]["text"] for block in told["blocks"])):
        assert not re.search("@[a-z]", shown)
    assert all(block["text"]["verbatim"] for block in told["blocks"])


def test_chats_without_blocks_get_all_of_it_as_text_with_the_title_once() -> None:
    where = {
        "dimension": "network", "value": "310-260", "name": "T-Mobile", "text": "T-Mobile: 59 % failed", "bad": 176,
        "of": 300, "share": 0.59, "others_share": 0.03, "usual_share": 0.02,
    }  # fmt: skip
    told = alert_texts.slack(alert_texts.of(fired(where=where)))["text"]

    assert told.count("25 % of 742 failed") == 1
    assert "Where: T-Mobile: 59 % failed" in told
    assert told.endswith("<https://landed.example.com/?a=1&amp;b=2|Look at it in Landed>")


def test_texts_are_cut_before_their_link_and_a_link_that_is_too_long_is_left_out() -> None:
    long = alert_texts.slack(alert_texts.of(fired(title="x" * 10_000)))
    assert len(long["text"]) <= 2_000
    assert long["text"].endswith("|Look at it in Landed>")

    endless = alert_texts.slack(alert_texts.of(fired(url=f"https://landed.example.com/?a={'x' * 3_000}")))
    assert "Look at it" not in json.dumps(endless)


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("failure_share", ["Now: 4 %", "Worst: 50 %"]),
        ("tracking_lag", ["Now: 0 s", "Worst: 0 s"]),
        ("unknown_statuses", ["Now: 0", "Worst: 0"]),
        ("spend", []),
    ],
)
def test_what_became_of_the_figure_is_told_later_on(kind: str, told: list[str]) -> None:
    alert = fired(kind=kind, last=0.04, worst=0.5)

    def figures(event: str, **changes: Any) -> list[str]:
        text = alert_texts.of({**alert, "type": event, "data": alert["data"] | changes})
        return [line for line in text.sections[0].lines if line.startswith(("Now", "Worst"))]

    assert figures("alert.fired") == []
    assert figures("alert.repeated") == told
    assert figures("alert.recovered") == told
    assert figures("alert.recovered", last=None) == []


def test_blocks_and_subjects_are_cut_where_others_refuse_longer_ones() -> None:
    text = alert_texts.of(fired(title="x" * 10_000))

    assert all(len(block["text"]["text"]) <= 3_000 for block in alert_texts.slack(text)["blocks"])
    assert len(alert_texts.subject(text)) <= 200


def test_figures_read_as_people_write_them() -> None:
    assert [percent(value) for value in (0, 0.0004, 0.033, 0.05, 0.234, 0.95, 0.999, 1)] == [
        "0 %", "<0.1 %", "3.3 %", "5 %", "23 %", "95 %", "99.9 %", "100 %"
    ]  # fmt: skip
    assert [length(seconds) for seconds in (45, 60, 90, 900, 3600, 5400, 86_400, 172_800)] == [
        "45 s", "1 min", "90 s", "15 min", "1 h", "90 min", "1 day", "2 days"
    ]  # fmt: skip
    assert money(1234.5, "USD") == "1,234.50 USD"
    assert name("network", "310-260") == "T-Mobile, US (310-260)"
    assert name("network", "999-99") == "Network 999-99"
    assert name("country", "DE") == "Germany (DE)"
    assert name("sender", "+14155550100") == "Sender +14155550100"
