"""What is told reads well, and nothing of others' words does anything where it is read."""

import json
from datetime import UTC, datetime
from typing import Any

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
