"""/v1/broadcasts: one sending to many, as the provider reports on it."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from landed.domain.accounts import ApiKey
from landed.services.broadcasts import BroadcastList, BroadcastQuestion, BroadcastReader, BroadcastWhole
from landed.web.api.fields import LIMIT, Accounts, Cursor, Limit, Since, Text, Until
from landed.web.api.keys import Permitted

BroadcastId = Annotated[Text, Path(description="our id, the provider's, or the one in the path of its callbacks")]


def router(reader: BroadcastReader, readers: Permitted) -> APIRouter:
    routes = APIRouter(prefix="/v1/broadcasts", tags=["broadcasts"])

    @routes.get("", summary="List broadcasts, those first heard of latest first")
    async def list_broadcasts(
        key: Annotated[ApiKey, Depends(readers)],
        since: Since,
        until: Until,
        account: Accounts = [],
        final: Annotated[bool | None, Query(description="whether nothing more is expected")] = None,
        q: Annotated[Text | None, Query(description="our id, the provider's, or the name, whole")] = None,
        cursor: Cursor = None,
        limit: Limit = LIMIT,
    ) -> BroadcastList:
        question = BroadcastQuestion(accounts=account, final=final, since=since, until=until, text=q)
        return await reader.broadcasts(question, account_id=key.account_id, cursor=cursor, limit=limit)

    @routes.get("/{broadcast_id}", summary="One broadcast with every report")
    async def show_broadcast(key: Annotated[ApiKey, Depends(readers)], broadcast_id: BroadcastId) -> BroadcastWhole:
        return await reader.broadcast(broadcast_id, account_id=key.account_id)

    return routes
