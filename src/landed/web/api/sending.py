"""POST /v1/messages: sending, and cancelling what is not yet sent."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

import orjson
from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from landed.domain.accounts import ApiKey
from landed.domain.receipts import Channel
from landed.services import idempotency
from landed.services.reading import Reader
from landed.services.sending import (
    MEDIA_MAX,
    RECIPIENTS_MAX,
    TAGS_MAX,
    TEXT_CHARACTERS_MAX,
    Asked,
    Sending,
    send_time,
)
from landed.services.sending_shapes import Accepted
from landed.services.shapes import MessageWhole
from landed.web import problems
from landed.web.api.fields import NoNul, Text
from landed.web.api.keys import Permitted
from landed.web.api.once import REPLAYED, IdempotencyKey

OurId = Annotated[Text, Path(description="our id of the message")]


def _without_blanks(url: str) -> str:
    if any(char <= " " for char in url):
        raise ValueError("It has a blank or a control character in it; write a blank as %20")
    return url


Body = Annotated[str, StringConstraints(max_length=TEXT_CHARACTERS_MAX), NoNul]
Url = Annotated[str, StringConstraints(min_length=1, max_length=2000), AfterValidator(_without_blanks)]
#: What else the answers may be.
RESPONSES: Final[dict[int | str, dict[str, Any]]] = {409: problems.described(409)}


class NewMessages(BaseModel):
    """What to send to whom: a message for each recipient. What is left out is as the provider has it."""

    model_config = ConfigDict(extra="forbid")

    account: Text | None = Field(default=None, description="its name; not needed where there is but one that can send")
    from_: Text = Field(alias="from", description="our number, short code or name", examples=["+14155550100"])
    to: Text | list[Text] = Field(
        description=f"one number or up to {RECIPIENTS_MAX:,}, written in any way", examples=["+14155550123"]
    )
    text: Body | None = None
    channel: Channel = Channel.SMS
    media_urls: list[Url] = Field(default=[], max_length=MEDIA_MAX, description="of pictures and files: mms, whatsapp")
    template: dict[str, Any] | None = Field(default=None, description="whatsapp: name, language, components")
    tags: list[Text] = Field(default=[], max_length=TAGS_MAX, description="by which messages are found and counted")
    send_at: Text | None = Field(
        default=None, description="when to send: RFC 3339, or `+10m`", examples=["2026-12-01T09:00:00Z"]
    )
    expires_after_s: int | None = Field(default=None, description="give up where it could not be handed over by then")
    trackable: bool = Field(default=False, description="conversions will be reported")
    region: Text | None = Field(default=None, description="ISO 3166 alpha-2: whose numbers those without country are")
    callback_method: Literal["POST", "GET"] = Field(default="POST", description="how the provider is to call back")


def router(sending: Sending, reader: Reader, senders: Permitted) -> APIRouter:
    routes = APIRouter(prefix="/v1/messages", tags=["messages"], responses=RESPONSES)

    @routes.post("", summary="Send a message to each recipient", status_code=202, response_model=Accepted)
    async def send_messages(
        request: Request,
        key: Annotated[ApiKey, Depends(senders)],
        new: NewMessages,
        idempotency_key: IdempotencyKey = None,
    ) -> Response:
        claim = idempotency.claim(
            key.id, idempotency_key, f"POST {request.url.path}", new.model_dump(mode="json", by_alias=True)
        )
        answer = await sending.accept(_asked(new), account_id=key.account_id, claim=claim)
        headers = {REPLAYED: "true"} if answer.replayed else {}
        return Response(orjson.dumps(answer.body), answer.status, headers, media_type="application/json")

    @routes.post("/{message_id}/cancel", summary="Do not send a message that is not yet sent")
    async def cancel_message(key: Annotated[ApiKey, Depends(senders)], message_id: OurId) -> MessageWhole:
        await sending.cancel(message_id, account_id=key.account_id)
        return await reader.message(message_id, account_id=key.account_id)

    return routes


def _asked(new: NewMessages) -> Asked:
    return Asked(
        account=new.account,
        sender=new.from_,
        recipients=[new.to] if isinstance(new.to, str) else new.to,
        text=new.text,
        channel=new.channel,
        media_urls=new.media_urls,
        template=new.template,
        tags=new.tags,
        send_at=None if new.send_at is None else send_time(new.send_at, datetime.now(UTC)),
        expires_after_s=new.expires_after_s,
        trackable=new.trackable,
        region=new.region,
        callback_method=new.callback_method,
    )
