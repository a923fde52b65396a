"""Wrong passwords of late: in the database, so that the delay holds over processes and restarts."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from landed.domain.users import Backoff
from landed.store.accounts import Pool
from landed.store.connect import transaction

_FORGET: Final = "DELETE FROM sign_in_failures WHERE last_at <= %s"
# In one order, or two tries would wait for each other. The update locks what is there, which a right password may be
# about to delete: a look at it afterwards might find nothing.
_LOCK: Final = """
INSERT INTO sign_in_failures (subject, failures, last_at, free_at)
SELECT subject, 0, %(now)s, %(now)s FROM unnest(%(subjects)s::text[]) AS subject ORDER BY subject
    ON CONFLICT (subject) DO UPDATE SET last_at = sign_in_failures.last_at
RETURNING subject, failures, free_at
"""
_LEAVE: Final = "DELETE FROM sign_in_failures WHERE subject = ANY(%s) AND failures = 0"
_COUNT: Final = "UPDATE sign_in_failures SET failures = %s, last_at = %s, free_at = %s WHERE subject = %s"
_FORGIVE: Final = "DELETE FROM sign_in_failures WHERE subject = %s"
_TAKE_BACK: Final = """
UPDATE sign_in_failures SET failures = greatest(failures - 1, 0), free_at = %s WHERE subject = ANY(%s)
"""


async def begin(pool: Pool, backoffs: Mapping[str, Backoff], now: datetime, forget_after: timedelta) -> datetime | None:
    """Count a try as failed in advance, for each of these subjects: many at once get no more tries than one by one.

    Returns:
        None where it may be tried now. Else nothing is counted, and this is when it may.
    """
    subjects = sorted(backoffs)
    async with transaction(pool) as connection:
        await connection.execute(_FORGET, [now - forget_after])
        known = await (await connection.execute(_LOCK, {"subjects": subjects, "now": now})).fetchall()
        free_at: datetime = max(free_at for _, _, free_at in known)
        if free_at > now:
            await connection.execute(_LEAVE, [subjects])  # or strangers would fill it with names they make up
            return free_at
        for subject, failures, _ in known:
            wait = backoffs[subject].delay(failures + 1)
            await connection.execute(_COUNT, [failures + 1, now, now + wait, subject])
    return None


async def forgive(pool: Pool, subject: str, others: Sequence[str], now: datetime) -> None:
    """The password was right: forget the failures of that subject, and take back that the try was one of the others'.

    Nobody clears an address of tries at other users' passwords by signing in as himself.
    """
    async with transaction(pool) as connection:
        await connection.execute(_FORGIVE, [subject])
        await connection.execute(_TAKE_BACK, [now, list(others)])
