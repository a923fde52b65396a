"""What alerts ask of tables of others: counters of verify sessions, names of accounts."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from psycopg import AsyncConnection

from landed.domain.accounts import AccountName
from landed.domain.periods import Period


class SessionsRow(NamedTuple):
    account_id: int
    country: str
    mcc: str
    mnc: str
    channel: str
    started: int
    verified: int


_SESSIONS: Final = """
SELECT account_id, country, mcc, mnc, channel, sum(started)::bigint, sum(verified)::bigint
  FROM session_counters_hour
 WHERE account_id = ANY(%(accounts)s) AND bucket_at >= %(since)s AND bucket_at < %(until)s
   AND (%(country)s::text[] IS NULL OR country = ANY(%(country)s))
   AND (%(channel)s::text[] IS NULL OR channel = ANY(%(channel)s))
   AND (%(mcc)s::text[] IS NULL
        OR EXISTS (SELECT 1 FROM unnest(%(mcc)s::text[], %(mnc)s::text[]) AS n (mcc, mnc)
                    WHERE n.mcc = session_counters_hour.mcc AND (n.mnc IS NULL OR n.mnc = session_counters_hour.mnc)))
 GROUP BY account_id, country, mcc, mnc, channel
HAVING sum(started) > 0
"""


async def sessions(
    connection: AsyncConnection[Any], period: Period, wanted: Mapping[str, Sequence[Any]]
) -> list[SessionsRow]:
    """Verify sessions started in whole hours.

    Args:
        wanted: `account_id`, and perhaps `country`, `channel` and `network` (pairs of codes; no MNC: all of an MCC).
    """
    networks = wanted.get("network")
    asked = {
        "accounts": list(wanted["account_id"]),
        "since": period.since,
        "until": period.until,
        "country": _list(wanted.get("country")),
        "channel": _list(wanted.get("channel")),
        "mcc": None if networks is None else [mcc for mcc, _ in networks],
        "mnc": None if networks is None else [mnc for _, mnc in networks],
    }
    return [SessionsRow(*row) for row in await (await connection.execute(_SESSIONS, asked)).fetchall()]


async def account_names(connection: AsyncConnection[Any]) -> dict[int, AccountName]:
    """Every account by id, disabled ones too."""
    cursor = await connection.execute("SELECT id, name, provider FROM accounts")
    return {row[0]: AccountName(*row) for row in await cursor.fetchall()}


def _list(values: Sequence[Any] | None) -> list[Any] | None:
    return None if values is None else list(values)
