"""Reading what people write to us, page by page, whole, or the files that came with it.

Everything takes `account_id`, the account a key is bound to (None: all): what belongs to others is not there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy.ext.asyncio import AsyncEngine

from landed.domain.errors import NotFound
from landed.domain.receipts import Channel, Intent
from landed.providers.base import Provider
from landed.services import cursors, inbound_shapes
from landed.services.reading import account_ids, number
from landed.store import inbound_queries
from landed.store.inbound_queries import InboundFilter
from landed.store.media_files import MediaFiles
from landed.store.reading import account_names


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundQuestion:
    """Which messages to list, as a person says it. Numbers may be written in any way; an intent of None stands for
    "nothing that is recognised"."""

    accounts: Sequence[str] = ()
    channels: Sequence[Channel] = ()
    sender: str | None = None
    recipient: str | None = None
    intents: Sequence[Intent | None] = ()
    has_media: bool | None = None
    since: datetime | None = None
    until: datetime | None = None
    text: str | None = None


class MediaFile(NamedTuple):
    """A downloaded file, and what it is to be called."""

    path: Path
    name: str
    mime_type: str | None  #: as it was served to us, which proves nothing


class InboundReader:
    def __init__(self, engine: AsyncEngine, providers: Mapping[str, Provider], files: MediaFiles | None = None) -> None:
        self._engine = engine
        self._providers = providers
        self._files = files

    async def messages(
        self, question: InboundQuestion, *, account_id: int | None, cursor: str | None, limit: int
    ) -> inbound_shapes.InboundList:
        """A page of messages, newest first.

        Raises:
            InputInvalid: there is no such account, or the cursor is not ours.
        """
        names = await account_names(self._engine)
        wanted = InboundFilter(
            account_ids=account_ids(names, question.accounts, account_id),
            channels=question.channels,
            sender=number(question.sender),
            recipient=number(question.recipient),
            intents=question.intents,
            has_media=question.has_media,
            since=question.since,
            until=question.until,
            text=question.text,
            number=number(question.text),
        )
        rows = await inbound_queries.page(self._engine, wanted, cursors.read_row(cursor), limit + 1)
        shown, more = rows[:limit], len(rows) > limit
        downloads = await self._downloads(shown)
        return inbound_shapes.InboundList(
            data=[inbound_shapes.inbound(row, downloads, names, self._providers) for row in shown],
            next_cursor=cursors.write_row(shown[-1].submitted_at, shown[-1].id) if more else None,
        )

    async def message(self, message_id: str, *, account_id: int | None) -> inbound_shapes.InboundWhole:
        """One message with its receipts, by our id or the provider's.

        Raises:
            NotFound: there is none, or none of this account.
        """
        row = await self._row(message_id, account_id)
        names = await account_names(self._engine)
        return inbound_shapes.inbound_whole(row, await self._downloads([row]), names, self._providers)

    async def media(self, message_id: str, media_number: int, *, account_id: int | None) -> MediaFile:
        """A file that came with a message, from 1.

        Raises:
            NotFound: there is no such file, it was not downloaded, or it is on another machine.
        """
        row = await self._row(message_id, account_id)
        downloads = await self._downloads([row])
        media = inbound_shapes.inbound(row, downloads, {}, self._providers).media
        if not 1 <= media_number <= len(media):
            raise NotFound(f"This message has {len(media)} files; they are numbered from 1.")
        download = media[media_number - 1].download
        if download is None or download.sha256 is None:
            raise NotFound("This file is not downloaded; `download` of the message says why.")
        path = self._files.path(download.sha256) if self._files else None
        if path is None:
            raise NotFound("This file is not in the data directory here; another machine may have it.")
        return MediaFile(path, f"{row.id}-{media_number}", download.mime_type)

    async def _row(self, message_id: str, account_id: int | None) -> Any:
        row = await inbound_queries.one(self._engine, message_id, None if account_id is None else [account_id])
        if row is None:
            raise NotFound("There is no inbound message with this id, ours or the provider's.")
        return row

    async def _downloads(self, rows: Sequence[Any]) -> inbound_shapes.Downloads:
        having = [row.id for row in rows if row.content and row.content["media"]]
        return inbound_shapes.downloads(await inbound_queries.media_of(self._engine, having))
