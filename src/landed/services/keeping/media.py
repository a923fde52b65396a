"""Keeping media: a row for each picture, sound or file that came with an inbound message, for it to be downloaded."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from psycopg import AsyncConnection

from landed.services.keeping.base import Kept, Told
from landed.store import media as rows
from landed.store.media import Found
from landed.store.messages import MessageKey, message_id

#: Of one message. Plivo's have at most 10; more is a prank.
MEDIA_MAX: Final = 50
#: Longer addresses are shown with their message, but not downloaded.
URL_CHARACTERS_MAX: Final = 2_000


class MediaKeeper:
    """The keeper of media: see keeping/base.py."""

    async def keep(self, connection: AsyncConnection[Any], told: Sequence[Told], now: datetime) -> Kept:
        found: dict[Found, None] = {}
        for account_id, (receipt, _, _) in told:
            if receipt.content is not None and receipt.content.media:
                number = message_id(MessageKey(account_id, receipt.provider_message_id, receipt.direction))
                for each in receipt.content.media[:MEDIA_MAX]:
                    if len(each.url) <= URL_CHARACTERS_MAX:
                        found[Found(account_id, number, each.url)] = None
        await rows.add(connection, list(found), now)
        return Kept()
