"""/messages: finding messages, and what became of one."""

from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Depends
from starlette.responses import Response

from landed.domain.errors import InputInvalid
from landed.domain.receipts import Channel, Direction
from landed.domain.statuses import Status
from landed.services.reading import MessageQuestion, Reader
from landed.services.searching import narrowed
from landed.services.shapes import MessageWhole
from landed.web.dashboard.pages import Page, Pages
from landed.web.dashboard.view import View
from landed.web.dashboard.words import words

PAGE: Final = 50
#: Typed for whoever presses on them.
EXAMPLES: Final = (
    ("status:failed,undelivered", "what went wrong"),
    ("latency:>30s", "slow ones"),
    ("segments:>1", "longer than one segment"),
    ("is:missing", "without a receipt"),
    ("is:contradictory", "told of in two ways"),
    ("code:30 country:US", "a code in a country"),
    ("tag:otp", "a tag"),
    ("to:+14155550123", "a number"),
)


def router(pages: Pages, reader: Reader) -> APIRouter:
    routes = APIRouter()

    @routes.get("/messages")
    async def found(page: Annotated[Page, Depends(pages.viewers)]) -> Response:
        try:
            messages = await reader.messages(
                question(page.view), account_id=None, cursor=page.view.value("cursor"), limit=PAGE
            )
        except InputInvalid as problem:
            return page.render("messages.html", status=422, found=None, problem=str(problem), examples=EXAMPLES)
        return page.render("messages.html", found=messages, problem=None, examples=EXAMPLES)

    @routes.get("/messages/{message_id}")
    async def one(page: Annotated[Page, Depends(pages.viewers)], message_id: str) -> Response:
        message = await reader.message(message_id, account_id=None)
        return page.render("message.html", message=message, began_at=_began_at(message))

    return routes


def question(view: View) -> MessageQuestion:
    """What the address asks for: its filters, its period, and what was typed.

    Raises:
        InputInvalid: something in it cannot be asked.
    """
    directions = words(view, "direction", Direction)
    asked = MessageQuestion(
        accounts=view.values("account"),
        providers=view.values("provider"),
        statuses=words(view, "status", Status),
        channels=words(view, "channel", Channel),
        direction=directions[0] if len(directions) == 1 else None,
        ours=view.values("sender"),
        countries=view.values("country"),
        networks=view.values("network"),
        error_codes=view.values("error_code"),
        tags=view.values("tag"),
        currencies=view.values("currency"),
        since=view.period.since,
        until=view.period.until,
    )
    return narrowed(asked, view.value("q") or "")


def _began_at(message: MessageWhole) -> datetime:
    """What delays are counted from."""
    return min([entry.at for entry in message.timeline] or [message.created_at])
