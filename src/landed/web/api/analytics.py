"""/v1/analytics/messages: counts, rates, time to deliver and cost of many messages."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query

from landed.domain.accounts import ApiKey
from landed.domain.errors import InputInvalid
from landed.domain.periods import Period
from landed.domain.receipts import Channel, Direction
from landed.domain.statuses import Status
from landed.services.reporting import Analytics, Bucket, Group, Question, Reporter
from landed.web.api.fields import Accounts, Many, Since, Text, Until
from landed.web.api.keys import Permitted

_PERIOD_DEFAULT: Final = timedelta(hours=24)
_GROUPS: Final = ", ".join(Group)

GroupBy = Annotated[list[Text], Query(max_length=20, description=f"any of {_GROUPS}; repeated, or by commas")]
BucketAsked = Annotated[Bucket, Query(description="split the period; minutes are kept for the last days")]


def router(reporter: Reporter, readers: Permitted) -> APIRouter:
    routes = APIRouter(prefix="/v1/analytics", tags=["analytics"])

    @routes.get("/messages", summary="Count messages by anything", response_model_exclude_unset=True)
    async def count_messages(
        key: Annotated[ApiKey, Depends(readers)],
        since: Since,
        until: Until,
        group_by: GroupBy = [],  # noqa: B006  FastAPI copies defaults
        bucket: BucketAsked = Bucket.NONE,
        account: Accounts = [],  # noqa: B006
        provider: Annotated[list[Text], Many("a provider's name")] = [],  # noqa: B006
        channel: Annotated[list[Channel], Many("sms, mms or whatsapp")] = [],  # noqa: B006
        direction: Annotated[list[Direction], Many("outbound or inbound")] = [],  # noqa: B006
        country: Annotated[list[Text], Many("ISO 3166 alpha-2, or `none`")] = [],  # noqa: B006
        network: Annotated[list[Text], Many("MCC-MNC, MCC, or `none`")] = [],  # noqa: B006
        sender: Annotated[list[Text], Many("our number or name, or `none`")] = [],  # noqa: B006
        status: Annotated[list[Status], Many("canonical status")] = [],  # noqa: B006
        error_code: Annotated[list[Text], Many("the provider's code, or `none`")] = [],  # noqa: B006
        tag: Annotated[list[Text], Many("tag")] = [],  # noqa: B006
        currency: Annotated[list[Text], Many("ISO 4217, or `none`")] = [],  # noqa: B006
    ) -> Analytics:
        filters: dict[Group, list[str]] = {
            Group.ACCOUNT: account,
            Group.PROVIDER: provider,
            Group.CHANNEL: [*channel],
            Group.DIRECTION: [*direction],
            Group.COUNTRY: country,
            Group.NETWORK: network,
            Group.SENDER: sender,
            Group.STATUS: [*status],
            Group.ERROR_CODE: error_code,
            Group.TAG: tag,
            Group.CURRENCY: currency,
        }
        question = Question(
            period=asked_period(since, until),
            group_by=_groups(group_by),
            bucket=bucket,
            filters={group: values for group, values in filters.items() if values},
        )
        return await reporter.analytics(question, account_id=key.account_id)

    return routes


def asked_period(since: datetime | None, until: datetime | None) -> Period:
    until = until or datetime.now(UTC)
    try:
        return Period(since or until - _PERIOD_DEFAULT, until)
    except OverflowError as error:
        raise InputInvalid("This is before all time; give `since` as well.", field="until") from error


def _groups(given: list[str]) -> list[Group]:
    words = [word.strip() for text in given for word in text.split(",") if word.strip()]
    for word in words:
        if word not in Group.__members__.values():
            raise InputInvalid(f"Cannot group by {word[:40]!r}; there are: {_GROUPS}.", field="group_by")
    return [Group(word) for word in dict.fromkeys(words)]
