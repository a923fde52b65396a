"""/v1/inbound: what people write to us, and the files that come with it."""

import mimetypes
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import FileResponse

from landed.domain.accounts import ApiKey
from landed.domain.receipts import Channel, Intent
from landed.services.inbound import InboundQuestion, InboundReader
from landed.services.inbound_shapes import InboundList, InboundWhole
from landed.web.api.fields import LIMIT, Accounts, Cursor, Id, Limit, Many, Since, Text, Until
from landed.web.api.keys import Permitted

#: The file is a stranger's: whatever it is, no browser shows it, runs it, or takes it for something else.
_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, no-store",
}
_UNKNOWN_TYPE: Final = "application/octet-stream"


def router(reader: InboundReader, readers: Permitted) -> APIRouter:
    routes = APIRouter(prefix="/v1/inbound", tags=["inbound"])

    @routes.get("", summary="List inbound messages, newest first")
    async def list_inbound(
        key: Annotated[ApiKey, Depends(readers)],
        since: Since,
        until: Until,
        from_: Annotated[Text | None, Query(alias="from", description="the person's number, in any writing")] = None,
        to: Annotated[Text | None, Query(description="our number, in any writing")] = None,
        account: Accounts = [],
        channel: Annotated[list[Channel], Many("sms, mms or whatsapp")] = [],
        intent: Annotated[list[Intent | Literal["none"]], Many("what it asks of us, or `none`")] = [],
        has_media: Annotated[bool | None, Query(description="whether files came with it")] = None,
        q: Annotated[Text | None, Query(description="our id, the provider's, or either number, whole")] = None,
        cursor: Cursor = None,
        limit: Limit = LIMIT,
    ) -> InboundList:
        question = InboundQuestion(
            accounts=account,
            channels=channel,
            sender=from_,
            recipient=to,
            intents=[None if each == "none" else each for each in intent],
            has_media=has_media,
            since=since,
            until=until,
            text=q,
        )
        return await reader.messages(question, account_id=key.account_id, cursor=cursor, limit=limit)

    @routes.get("/{message_id}", summary="One inbound message with its receipts")
    async def show_inbound(key: Annotated[ApiKey, Depends(readers)], message_id: Id) -> InboundWhole:
        return await reader.message(message_id, account_id=key.account_id)

    @routes.get(
        "/{message_id}/media/{number}",
        summary="A downloaded file of an inbound message",
        response_class=FileResponse,
        responses={200: {"content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}}},
    )
    async def give_media(
        key: Annotated[ApiKey, Depends(readers)],
        message_id: Id,
        number: Annotated[int, Path(ge=1, le=1000, description="which of its files, from 1")],
    ) -> FileResponse:
        file = await reader.media(message_id, number, account_id=key.account_id)
        mime_type = file.mime_type or _UNKNOWN_TYPE
        ending = mimetypes.guess_extension(mime_type) or ""
        return FileResponse(file.path, media_type=mime_type, filename=f"{file.name}{ending}", headers=_HEADERS)

    return routes
