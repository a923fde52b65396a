"""/v1/verify/sessions: starting them, and what became of them. /v1/analytics/verify: the funnel of many."""

from http import HTTPStatus
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from landed.domain.accounts import ApiKey
from landed.domain.buckets import Bucket
from landed.domain.receipts import AttemptChannel, SessionStatus
from landed.services.analytics_export import funnel_file
from landed.services.exporting import Format
from landed.services.framing import Compare
from landed.services.funnel import Funnel, FunnelReporter, Group, Question
from landed.services.idempotency import Pool
from landed.services.session_shapes import CodeChecked, SessionList, SessionWhole
from landed.services.sessions import SessionQuestion, SessionReader
from landed.services.verifying import SessionAsked, Verifier
from landed.web import problems
from landed.web.api import files
from landed.web.api.analytics import CompareAsked, TimeZone, asked_groups, asked_period
from landed.web.api.fields import LIMIT, Accounts, Cursor, Limit, Many, Since, Text, Until
from landed.web.api.files import AskedFormat
from landed.web.api.keys import Permitted
from landed.web.api.once import IdempotencyKey, once

_GROUPS: Final = ", ".join(Group)

Id = Annotated[Text, Path(description="our id, the provider's, or the one in the path of its callbacks")]
GroupBy = Annotated[list[Text], Query(max_length=20, description=f"any of {_GROUPS}; repeated, or by commas")]
Channel = AttemptChannel | Literal["none"]
BucketAsked = Annotated[Bucket, Query(description="split the period, by hours at least")]
Sent = Literal["sms", "voice"]
#: What else answers of those that send may be.
RESPONSES: Final[dict[int | str, dict[str, Any]]] = {status: problems.described(status) for status in (409, 429, 502)}


class NewSession(BaseModel):
    """Whom to verify, and how. What is left out is as the provider has it."""

    model_config = ConfigDict(extra="forbid")

    to: Text = Field(description="the number, written in any way", examples=["+14155550123"])
    channel: Sent = Field(default="sms", description="how the code goes out")
    account: Text | None = Field(default=None, description="its name; not needed where there is but one that can")
    region: Text | None = Field(default=None, description="ISO 3166 alpha-2: whose number it is if it has no country")
    locale: Text | None = Field(default=None, description="the language of the provider's own words", examples=["en"])
    brand_name: Text | None = Field(default=None, description="whom the code is from, in the text")
    code_length: int | None = Field(default=None, ge=4, le=8)
    app: Text | None = Field(default=None, description="Plivo: the id of the Verify application")
    text: Text | None = Field(default=None, description="Routee: the text, with {code} where the code is to stand")
    sender: Text | None = Field(default=None, description="a number or name of ours")
    lifetime_s: int | None = Field(default=None, ge=30, le=3600, description="Routee: how long the code is good")


class Code(BaseModel):
    """What the person typed."""

    model_config = ConfigDict(extra="forbid")

    code: Text = Field(description="spaces and dashes are ignored", examples=["123456"])


class Resending(BaseModel):
    model_config = ConfigDict(extra="forbid")

    channel: Sent | None = Field(default=None, description="left out: the other one")


def router(reader: SessionReader, reporter: FunnelReporter, readers: Permitted) -> APIRouter:
    routes = APIRouter(prefix="/v1", tags=["verify"])

    @routes.get("/verify/sessions", summary="List verify sessions, newest start first")
    async def list_sessions(
        key: Annotated[ApiKey, Depends(readers)],
        since: Since,
        until: Until,
        status: Annotated[list[SessionStatus], Many("canonical status")] = [],
        to: Annotated[Text | None, Query(description="the recipient's number, written in any way")] = None,
        account: Accounts = [],
        country: Annotated[list[Text], Many("ISO 3166 alpha-2, or `none`")] = [],
        channel: Annotated[list[Channel], Many("of the first attempt: sms, voice, whatsapp, or `none`")] = [],
        error_code: Annotated[list[Text], Many("the provider's code, or `none`")] = [],
        q: Annotated[
            Text | None, Query(description="our id, the provider's, that of the callbacks' path, or the number, whole")
        ] = None,
        cursor: Cursor = None,
        limit: Limit = LIMIT,
    ) -> SessionList:
        question = SessionQuestion(
            accounts=account,
            statuses=status,
            channels=channel,
            recipient=to,
            countries=country,
            error_codes=error_code,
            since=since,
            until=until,
            text=q,
        )
        return await reader.sessions(question, account_id=key.account_id, cursor=cursor, limit=limit)

    @routes.get("/verify/sessions/{session_id}", summary="One verify session with attempts, receipts and timeline")
    async def show_session(key: Annotated[ApiKey, Depends(readers)], session_id: Id) -> SessionWhole:
        return await reader.session(session_id, account_id=key.account_id)

    @routes.get(
        "/analytics/verify",
        summary="The funnel of verify sessions",
        response_model=Funnel,
        response_model_exclude_unset=True,
        responses=files.RESPONSES,
    )
    async def count_sessions(
        key: Annotated[ApiKey, Depends(readers)],
        since: Since,
        until: Until,
        format_: AskedFormat,
        group_by: GroupBy = [],
        bucket: BucketAsked = Bucket.NONE,
        time_zone: TimeZone = "UTC",
        compare: CompareAsked = Compare.NONE,
        account: Accounts = [],
        channel: Annotated[list[Channel], Many("sms, voice, whatsapp, or `none`")] = [],
        country: Annotated[list[Text], Many("ISO 3166 alpha-2, or `none`")] = [],
        network: Annotated[list[Text], Many("MCC-MNC, MCC, or `none`")] = [],
    ) -> Funnel | Response:
        filters: dict[Group, list[str]] = {
            Group.ACCOUNT: account,
            Group.CHANNEL: [*channel],
            Group.COUNTRY: country,
            Group.NETWORK: network,
        }
        question = Question(
            period=asked_period(since, until),
            group_by=asked_groups(group_by, Group),
            bucket=bucket,
            filters={group: values for group, values in filters.items() if values},
            time_zone=time_zone,
            compare=compare,
        )
        answer = await reporter.funnel(question, account_id=key.account_id)
        return (
            answer if format_ is Format.JSON else files.sent(funnel_file(answer, format_), format_, "analytics-verify")
        )

    return routes


def changing_router(reader: SessionReader, verifier: Verifier, pool: Pool, senders: Permitted) -> APIRouter:
    routes = APIRouter(prefix="/v1/verify/sessions", tags=["verify"], responses=RESPONSES)

    @routes.post("", summary="Send a person a code", status_code=201, response_model=SessionWhole)
    async def start_session(
        request: Request,
        key: Annotated[ApiKey, Depends(senders)],
        new: NewSession,
        idempotency_key: IdempotencyKey = None,
    ) -> Response:
        async def start() -> SessionWhole:
            asked = SessionAsked(**{**new.model_dump(), "channel": AttemptChannel(new.channel)})
            started = await verifier.start(asked, caller=_caller(key), account_id=key.account_id)
            return await reader.session(started, account_id=key.account_id)

        return await once(pool, request, key, idempotency_key, new, start, status=HTTPStatus.CREATED)

    @routes.post("/{session_id}/resend", summary="Send a code again", status_code=201, response_model=SessionWhole)
    async def resend_code(
        request: Request,
        key: Annotated[ApiKey, Depends(senders)],
        session_id: Id,
        resending: Resending | None = None,
        idempotency_key: IdempotencyKey = None,
    ) -> Response:
        asked = resending or Resending()
        channel = None if asked.channel is None else AttemptChannel(asked.channel)

        async def resend() -> SessionWhole:
            started = await verifier.resend(session_id, channel, caller=_caller(key), account_id=key.account_id)
            return await reader.session(started, account_id=key.account_id)

        return await once(pool, request, key, idempotency_key, asked, resend, status=HTTPStatus.CREATED)

    @routes.post("/{session_id}/check", summary="Tell whether a code is right")
    async def check_code(key: Annotated[ApiKey, Depends(senders)], session_id: Id, typed: Code) -> CodeChecked:
        checked = await verifier.check(session_id, typed.code, account_id=key.account_id)
        session = await reader.session(checked.session_id, account_id=key.account_id)
        return CodeChecked(verified=checked.is_verified, tries_left=checked.tries_left, session=session)

    @routes.post("/{session_id}/cancel", summary="Call a session off, where the provider can")
    async def cancel_session(key: Annotated[ApiKey, Depends(senders)], session_id: Id) -> SessionWhole:
        cancelled = await verifier.cancel(session_id, account_id=key.account_id)
        return await reader.session(cancelled, account_id=key.account_id)

    return routes


def _caller(key: ApiKey) -> str:
    """Who is limited. Names of keys are given again, numbers are not."""
    return f"key {key.id}"
