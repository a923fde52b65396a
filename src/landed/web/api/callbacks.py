"""/v1/callbacks: what providers sent, byte for byte, what we made of it, why it was refused; and taking it in again."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from landed.domain.accounts import ApiKey, Scope
from landed.domain.callbacks import PATH_KINDS
from landed.domain.errors import InputInvalid
from landed.services.diagnosing import Diagnoser
from landed.services.inspecting import Inspector
from landed.services.inspecting_shapes import Comparison, Diagnosis, InspectedCallback, ReplayedShape
from landed.services.reading import CallbackQuestion
from landed.services.replaying import Replayer
from landed.services.shapes import CallbackList
from landed.store.callback_queries import Verdict
from landed.web.api.fields import LIMIT, Accounts, Cursor, Limit, Many, Since, Text, Until
from landed.web.api.keys import Permitted, includes

_Id = Annotated[Text, Path(description="its id, as the list shows it")]


def router(inspector: Inspector, readers: Permitted) -> APIRouter:
    routes = APIRouter(prefix="/v1/callbacks", tags=["callbacks"])

    @routes.get("", summary="List callbacks, the latest first")
    async def list_callbacks(
        key: Annotated[ApiKey, Depends(readers)],
        since: Since,
        until: Until,
        account: Accounts = [],
        verdict: Annotated[Verdict | None, Query(description="`set_aside` are those of the accepted")] = None,
        reason: Annotated[list[Text], Many("why it was refused or set aside: a stable word")] = [],
        kind: Annotated[list[Text], Many("what its address says it is about: `messages`, `verify`, …")] = [],
        status: Annotated[list[Text], Many("the provider's word that one of its fields carries")] = [],
        method: Annotated[list[Text], Many("`GET` or `POST`; of refused ones any")] = [],
        verified_by: Annotated[Text | None, Query(description="name of a header that proves it")] = None,
        message: Annotated[Text | None, Query(description="those that told of this message, by either id")] = None,
        q: Annotated[Text | None, Query(description="contained in body or address: an id, a number, any text")] = None,
        cursor: Cursor = None,
        limit: Limit = LIMIT,
    ) -> CallbackList:
        question = CallbackQuestion(
            accounts=account,
            verdict=verdict,
            since=since,
            until=until,
            reasons=reason,
            kinds=_kinds(kind),
            methods=method,
            verified_by=verified_by,
            statuses=status,
            message=message,
            text=q,
        )
        return await inspector.reader.callbacks(
            question,
            account_id=key.account_id,
            cursor=cursor,
            limit=limit,
            keys_shown=includes(key, Scope.ADMIN),
        )

    @routes.get("/{callback_id}", summary="One callback whole, with what it became")
    async def show_callback(key: Annotated[ApiKey, Depends(readers)], callback_id: _Id) -> InspectedCallback:
        return await inspector.inspect(callback_id, account_id=key.account_id, keys_shown=includes(key, Scope.ADMIN))

    @routes.get("/{callback_id}/compare/{other_id}", summary="Two callbacks side by side, differences first")
    async def compare_callbacks(
        key: Annotated[ApiKey, Depends(readers)], callback_id: _Id, other_id: _Id
    ) -> Comparison:
        return await inspector.compare(
            callback_id, other_id, account_id=key.account_id, keys_shown=includes(key, Scope.ADMIN)
        )

    return routes


def diagnosing_router(diagnoser: Diagnoser, admins: Permitted) -> APIRouter:
    routes = APIRouter(prefix="/v1/callbacks", tags=["callbacks"])

    @routes.get("/{callback_id}/diagnosis", summary="Why it was refused or set aside, and what to change")
    async def diagnose_callback(
        key: Annotated[ApiKey, Depends(admins)],
        callback_id: _Id,
        url: Annotated[list[Text], Many("another URL that the provider may have called, an earlier one say")] = [],
    ) -> Diagnosis:
        return await diagnoser.diagnose(callback_id, account_id=key.account_id, keys_shown=True, other_urls=url)

    return routes


def replaying_router(inspector: Inspector, replayer: Replayer, senders: Permitted) -> APIRouter:
    routes = APIRouter(prefix="/v1/callbacks", tags=["callbacks"])

    @routes.post("/{callback_id}/replay", summary="Track it again, or let a refused one prove itself anew")
    async def replay_callback(key: Annotated[ApiKey, Depends(senders)], callback_id: _Id) -> ReplayedShape:
        found = await inspector.reader.found(callback_id, account_id=key.account_id)
        return await replayer.replay(found, callback_id)

    return routes


def _kinds(kinds: list[str]) -> list[str]:
    for kind in kinds:
        if kind not in PATH_KINDS:
            known = ", ".join(sorted(PATH_KINDS))
            raise InputInvalid(f"No callback is of the kind {kind[:40]!r}. Give one of {known}.", field="kind")
    return kinds
