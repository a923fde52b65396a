"""Pages shared by a link: whoever has it may read that page, numbers masked, until it is over or revoked."""

from datetime import datetime, timedelta
from typing import Final

from landed.domain.errors import InputInvalid, NotFound
from landed.domain.users import SharedLink
from landed.store import shared_links
from landed.store.accounts import Pool

DAYS_MAX: Final = 90
_QUERY_CHARACTERS_MAX: Final = 4000


async def share(pool: Pool, *, path: str, query: str, days: int, by: str, now: datetime) -> tuple[SharedLink, str]:
    """A link to that page with these parameters; its token is shown this once.

    Raises:
        InputInvalid: it cannot be shared for so long, or its address is too long.
    """
    if not 1 <= days <= DAYS_MAX:
        raise InputInvalid(f"A link can be shared for 1 to {DAYS_MAX} days.", field="days")
    if len(query) > _QUERY_CHARACTERS_MAX:
        raise InputInvalid("This page has too many filters to be shared.", field="query")
    return await shared_links.add(
        pool, path=path, query=query, created_by=by, now=now, until=now + timedelta(days=days)
    )


async def find(pool: Pool, token: str, now: datetime) -> SharedLink:
    """Raises NotFound where the link is over, revoked, or none."""
    found = await shared_links.find(pool, token, now)
    if found is None:
        raise NotFound("This link is over, or was revoked. Ask whoever sent it to you for a new one.")
    return found


async def revoke(pool: Pool, link_id: int, now: datetime) -> None:
    """Raises NotFound where there is no such link."""
    if not await shared_links.revoke(pool, link_id, now):
        raise NotFound("There is no such link.")
