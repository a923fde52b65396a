"""What has to hold afterwards: all that was acknowledged is in state exactly once, and counted once."""

from collections import Counter, defaultdict
from typing import Any, Final
from urllib.parse import parse_qs

import orjson
import psycopg

from landed.domain.statuses import RANK, Status
from landed.store.messages import facts_from_json
from tests.faults.sending import TAG, Callback, Sender
from tests.recount import recount

_DOUBLE_EVENTS: Final = "SELECT type, subject_id, count(*) FROM events GROUP BY 1, 2 HAVING count(*) > 1"
_COUNTED: Final = """
SELECT sum(messages)::int FROM counters_day JOIN dimensions ON dimensions.id = dimension_id
 WHERE tag = '' AND grain = 'full'
"""


async def assert_nothing_lost_nothing_twice(database_url: str, sender: Sender) -> None:
    """Hold journal, state, events and counters to what was answered, once nothing is untracked any more."""
    assert sender.answers.keys() <= {0, 200, 503}, f"a fault of ours was answered otherwise: {sender.answers}"
    assert sender.impolite == 0, "a 503 without Retry-After"
    with psycopg.connect(database_url) as connection:
        journal = _journal(connection)
        _assert_kept(journal, sender.acknowledged)
        _assert_tracked_once(connection, journal)
        _assert_statuses(connection, sender)
        assert connection.execute("SELECT callback_id, reason, detail FROM set_aside").fetchall() == []
        assert connection.execute(_DOUBLE_EVENTS).fetchall() == []
        messages = _one(connection, "SELECT count(*)::int FROM messages")
        assert _one(connection, "SELECT count(DISTINCT provider_message_id)::int FROM messages") == messages
        assert _one(connection, _COUNTED) == messages, "counted twice, or not at all"
    async with await psycopg.AsyncConnection.connect(database_url) as recounting:
        assert await recount(recounting) == []


def assert_complete(database_url: str, sender: Sender) -> None:
    """Where everything was acknowledged: every message ended as it had to."""
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "SELECT provider_message_id, status, coalesce(error_code, ''), facts_count FROM messages"
        )
        stored = {message_id: (status, error_code, facts) for message_id, status, error_code, facts in rows}
    assert stored == {message_id: (*outcome, 3) for message_id, outcome in sender.traffic.outcomes.items()}


def _journal(connection: psycopg.Connection[Any]) -> dict[str, set[int]]:
    """The rows of each callback, by its tag."""
    rows: dict[str, set[int]] = defaultdict(set)
    for number, body in connection.execute("SELECT id, body FROM callbacks"):
        rows[parse_qs(body.decode())[TAG][0]].add(number)
    return rows


def _assert_kept(journal: dict[str, set[int]], acknowledged: Counter[Callback]) -> None:
    lost = [callback for callback, times in acknowledged.items() if len(journal.get(callback.tag, ())) < times]
    assert lost == [], "answered 200 and not in the journal as often"


def _assert_tracked_once(connection: psycopg.Connection[Any], journal: dict[str, set[int]]) -> None:
    """Each row of the journal stands under one fact of one message."""
    tracked: dict[str, set[int]] = {}
    for message_id, facts in connection.execute("SELECT provider_message_id, facts FROM messages"):
        for receipt, heard in facts_from_json(message_id, orjson.loads(facts)).items():
            tag = dict(receipt.extra)[TAG]
            assert tag not in tracked, f"{tag} is in state twice"
            tracked[tag] = set(heard.callback_ids)
    assert tracked == journal


def _assert_statuses(connection: psycopg.Connection[Any], sender: Sender) -> None:
    """No message stands lower than what was acknowledged of it, nor higher than what was ever told."""
    stored = dict(connection.execute("SELECT provider_message_id, status FROM messages").fetchall())
    for callback in +sender.acknowledged:
        assert RANK[Status(stored[callback.message_id])] >= RANK[Status(callback.status)], callback
    for message_id, status in stored.items():
        assert status in ("queued", "sent", sender.traffic.outcomes[message_id][0])


def _one(connection: psycopg.Connection[Any], query: Any) -> Any:
    row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]
