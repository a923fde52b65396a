"""/v1/opt-outs: who does not want to hear from us. Read by all, put in by those who send, taken back by admins."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, Field

from landed.domain.accounts import ApiKey
from landed.domain.opt_outs import OptOutSource
from landed.services.opt_out_shapes import OptOutCheck, OptOutList, OptOutWhole
from landed.services.opt_outs import OptOutChanger, OptOutQuestion, OptOutReader
from landed.web.api.fields import LIMIT, Accounts, Cursor, Limit, Many, Since, Text, Until
from landed.web.api.keys import Permitted

OptOutId = Annotated[Text, Path(description="our id of the opt-out")]


class NewOptOut(BaseModel):
    """Who does not want to hear from which of our numbers."""

    account: Text | None = Field(default=None, description="its name; not needed by a key that is bound to one")
    sender: Text = Field(description="our number or name", examples=["+14155550100"])
    recipient: Text = Field(description="the person's number", examples=["+14155550123"])


def router(reader: OptOutReader, readers: Permitted) -> APIRouter:
    routes = APIRouter(prefix="/v1/opt-outs", tags=["opt-outs"])

    @routes.get("", summary="List opt-outs, latest change first")
    async def list_opt_outs(
        key: Annotated[ApiKey, Depends(readers)],
        since: Since,
        until: Until,
        sender: Annotated[Text | None, Query(description="our number or name, in any writing")] = None,
        recipient: Annotated[Text | None, Query(description="the person's number, in any writing")] = None,
        account: Accounts = [],
        opted_out: Annotated[bool | None, Query(description="false: those who opted in again")] = None,
        source: Annotated[list[OptOutSource], Many("how we know")] = [],
        cursor: Cursor = None,
        limit: Limit = LIMIT,
    ) -> OptOutList:
        question = OptOutQuestion(
            accounts=account,
            sender=sender,
            recipient=recipient,
            opted_out=opted_out,
            sources=source,
            since=since,
            until=until,
        )
        return await reader.opt_outs(question, account_id=key.account_id, cursor=cursor, limit=limit)

    @routes.get("/check", summary="Whether a person wants to hear from a number of ours")
    async def check_opt_out(
        key: Annotated[ApiKey, Depends(readers)],
        sender: Annotated[Text, Query(description="our number or name, in any writing")],
        recipient: Annotated[Text, Query(description="the person's number, in any writing")],
        account: Accounts = [],
    ) -> OptOutCheck:
        return await reader.check(sender, recipient, accounts=account, account_id=key.account_id)

    @routes.get("/{opt_out_id}", summary="One opt-out with all that was said of it")
    async def show_opt_out(key: Annotated[ApiKey, Depends(readers)], opt_out_id: OptOutId) -> OptOutWhole:
        return await reader.opt_out(opt_out_id, account_id=key.account_id)

    return routes


def changing_router(reader: OptOutReader, changer: OptOutChanger, senders: Permitted, admins: Permitted) -> APIRouter:
    routes = APIRouter(prefix="/v1/opt-outs", tags=["opt-outs"])

    @routes.post("", summary="Opt a person out", status_code=201)
    async def add_opt_out(key: Annotated[ApiKey, Depends(senders)], new: NewOptOut) -> OptOutWhole:
        wanted = await reader.new_key(new.account, new.sender, new.recipient, account_id=key.account_id)
        opt_out_id = await changer.change(wanted, opted_out=True)
        return await reader.opt_out(opt_out_id, account_id=key.account_id)

    @routes.delete("/{opt_out_id}", summary="Opt a person in again, who has agreed to it")
    async def remove_opt_out(key: Annotated[ApiKey, Depends(admins)], opt_out_id: OptOutId) -> OptOutWhole:
        wanted = await reader.key(opt_out_id, account_id=key.account_id)
        await changer.change(wanted, opted_out=False)
        return await reader.opt_out(opt_out_id, account_id=key.account_id)

    return routes
