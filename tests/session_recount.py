"""What the counters of verify sessions should be, counted anew from the sessions themselves.

Only what anyone can see of a session is used: its columns and its attempts.
"""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from landed.domain import latency

_COUNTS = (
    *("started", "sent", "delivered", "verified", "expired", "ended", "attempts", "attempts_sent"),
    "attempts_delivered",
)


async def recount_sessions(connection: AsyncConnection[Any]) -> list[tuple[Any, ...]]:
    """Where counters and sessions disagree, in every resolution: empty when all is right."""
    differences: list[tuple[Any, ...]] = []
    sessions = await _rows(connection, "SELECT * FROM sessions")
    for resolution in ("hour", "day"):
        should: Counter[tuple[Any, ...]] = Counter()
        for session in sessions:
            should.update(_counted(session, resolution))
        found: Counter[tuple[Any, ...]] = Counter()
        for row in await _rows(connection, f"SELECT * FROM session_counters_{resolution}"):
            key = (row["account_id"], row["bucket_at"], row["country"], row["mcc"], row["mnc"], row["channel"])
            found.update({(*key, name): row[name] for name in _COUNTS if row[name]})
            histogram = latency.counts(latency.unpack(row["histogram"]))
            found.update({(*key, bucket): count for bucket, count in histogram.items()})
        differences += [(resolution, "should be", *item) for item in should.items() if item not in found.items()]
        differences += [(resolution, "is", *item) for item in found.items() if item not in should.items()]
    return differences


def _counted(session: dict[str, Any], resolution: str) -> Counter[tuple[Any, ...]]:
    started_at: datetime = session["started_at"].astimezone(UTC)
    bucket_at = started_at.replace(minute=0, second=0, microsecond=0)
    if resolution == "day":
        bucket_at = bucket_at.replace(hour=0)
    place = (session["account_id"], bucket_at, *(session[name] or "" for name in ("country", "mcc", "mnc")))
    attempts = session["attempts"]
    verified = session["status"] == "verified"
    arrived = verified or any(attempt["delivered_at"] for attempt in attempts)
    stages = {
        "started": True,
        "sent": arrived or any(attempt["sent_at"] for attempt in attempts),
        "delivered": arrived,
        "verified": verified,
        "expired": session["status"] == "expired",
        "ended": session["status"] in ("failed", "cancelled"),
    }
    counted = Counter({(*place, session["channel"] or "", name): 1 for name, holds in stages.items() if holds})
    if session["time_to_verify_ms"] is not None:
        counted[*place, session["channel"] or "", latency.bucket(session["time_to_verify_ms"])] = 1
    for attempt in attempts:
        tried = {"attempts": True, "attempts_sent": attempt["sent_at"], "attempts_delivered": attempt["delivered_at"]}
        counted.update((*place, attempt["channel"] or "", name) for name, holds in tried.items() if holds)
    return counted


async def _rows(connection: AsyncConnection[Any], query: Any) -> list[dict[str, Any]]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query)
        return await cursor.fetchall()
