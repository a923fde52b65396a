"""/inbound: what people write to us."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends
from starlette.responses import FileResponse, Response

from landed.domain.errors import InputInvalid
from landed.domain.receipts import Channel, Intent
from landed.services.inbound import InboundQuestion, InboundReader
from landed.web.dashboard.pages import Page, Pages
from landed.web.dashboard.view import View
from landed.web.dashboard.words import words

PAGE: Final = 50
#: Files of strangers are saved, never shown: what they are is only claimed.
_FILE_HEADERS: Final = {"content-security-policy": "sandbox; default-src 'none'", "x-content-type-options": "nosniff"}


def router(pages: Pages, reader: InboundReader) -> APIRouter:
    routes = APIRouter()

    @routes.get("/inbound")
    async def found(page: Annotated[Page, Depends(pages.viewers)]) -> Response:
        messages = await reader.messages(
            question(page.view), account_id=None, cursor=page.view.value("cursor"), limit=PAGE
        )
        return page.render("inbound.html", found=messages)

    @routes.get("/inbound/{message_id}")
    async def one(page: Annotated[Page, Depends(pages.viewers)], message_id: str) -> Response:
        return page.render("inbound_message.html", message=await reader.message(message_id, account_id=None))

    @routes.get("/inbound/{message_id}/media/{number}")
    async def media(page: Annotated[Page, Depends(pages.operators)], message_id: str, number: int) -> Response:
        file = await reader.media(message_id, number, account_id=None)
        return FileResponse(
            file.path, media_type="application/octet-stream", filename=file.name, headers=dict(_FILE_HEADERS)
        )

    return routes


def question(view: View) -> InboundQuestion:
    """What the address asks for.

    Raises:
        InputInvalid: something in it cannot be asked.
    """
    if (has_media := view.value("has_media")) not in (None, "yes", "no"):
        raise InputInvalid("has_media is yes or no.", field="has_media")
    return InboundQuestion(
        accounts=view.values("account"),
        channels=words(view, "channel", Channel),
        intents=words(view, "intent", Intent),
        has_media=None if has_media is None else has_media == "yes",
        since=view.period.since,
        until=view.period.until,
        text=view.value("q"),
    )
