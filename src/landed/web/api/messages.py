"""/v1/messages: what became of them."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from landed.domain.accounts import ApiKey
from landed.domain.receipts import Channel, Direction
from landed.domain.statuses import Status
from landed.services.reading import MessageQuestion, Reader
from landed.services.shapes import MessageList, MessageWhole
from landed.web.api.fields import LIMIT, Accounts, Cursor, Id, Limit, Many, Since, Text, Until
from landed.web.api.keys import Permitted


def _question(
    since: Since,
    until: Until,
    status: Annotated[list[Status], Many("canonical status")] = [],
    to: Annotated[Text | None, Query(description="the number it went to, written in any way")] = None,
    from_: Annotated[Text | None, Query(alias="from", description="the number or name it came from")] = None,
    account: Accounts = [],
    country: Annotated[list[Text], Many("ISO 3166 alpha-2, or `none`")] = [],
    error_code: Annotated[list[Text], Many("the provider's code, or `none`")] = [],
    tag: Text | None = None,
    channel: Annotated[list[Channel], Many("sms, mms or whatsapp")] = [],
    direction: Direction | None = None,
    q: Annotated[Text | None, Query(description="our id, the provider's, or the number it went to, whole")] = None,
) -> MessageQuestion:
    return MessageQuestion(
        accounts=account,
        statuses=status,
        channels=channel,
        direction=direction,
        senders=[from_] if from_ else [],
        recipient=to,
        countries=country,
        error_codes=error_code,
        tags=[tag] if tag else [],
        since=since,
        until=until,
        text=q,
    )


#: What lists and exports of messages are asked with.
MessagesAsked = Annotated[MessageQuestion, Depends(_question)]


def router(reader: Reader, readers: Permitted) -> APIRouter:
    routes = APIRouter(prefix="/v1/messages", tags=["messages"])

    @routes.get("", summary="List messages, newest submission first")
    async def list_messages(
        key: Annotated[ApiKey, Depends(readers)], question: MessagesAsked, cursor: Cursor = None, limit: Limit = LIMIT
    ) -> MessageList:
        return await reader.messages(question, account_id=key.account_id, cursor=cursor, limit=limit)

    @routes.get("/{message_id}", summary="One message with parts, receipts and timeline")
    async def show_message(key: Annotated[ApiKey, Depends(readers)], message_id: Id) -> MessageWhole:
        return await reader.message(message_id, account_id=key.account_id)

    return routes
