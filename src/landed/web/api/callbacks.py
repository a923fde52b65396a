"""/v1/callbacks: what providers sent, byte for byte, and what we made of it."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from landed.domain.accounts import ApiKey, Scope
from landed.services.reading import CallbackQuestion, Reader
from landed.services.shapes import CallbackList, CallbackWhole
from landed.store.callback_queries import Verdict
from landed.web.api.fields import LIMIT, Accounts, Cursor, Limit, Since, Text, Until
from landed.web.api.keys import Permitted, includes


def router(reader: Reader, readers: Permitted) -> APIRouter:
    routes = APIRouter(prefix="/v1/callbacks", tags=["callbacks"])

    @routes.get("", summary="List callbacks, the latest first")
    async def list_callbacks(
        key: Annotated[ApiKey, Depends(readers)],
        since: Since,
        until: Until,
        account: Accounts = [],  # noqa: B006  FastAPI copies defaults
        verdict: Annotated[Verdict | None, Query(description="`set_aside` are those of the accepted")] = None,
        cursor: Cursor = None,
        limit: Limit = LIMIT,
    ) -> CallbackList:
        question = CallbackQuestion(accounts=account, verdict=verdict, since=since, until=until)
        return await reader.callbacks(
            question,
            account_id=key.account_id,
            cursor=cursor,
            limit=limit,
            keys_shown=includes(key, Scope.ADMIN),
        )

    @routes.get("/{callback_id}", summary="One callback with headers and body")
    async def show_callback(
        key: Annotated[ApiKey, Depends(readers)], callback_id: Annotated[Text, Path()]
    ) -> CallbackWhole:
        return await reader.callback(callback_id, account_id=key.account_id, keys_shown=includes(key, Scope.ADMIN))

    return routes
