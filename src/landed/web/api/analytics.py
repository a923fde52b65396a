"""/v1/analytics: counts, rates, time to deliver and cost of many messages, at one glance, and registrations by age."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, TypeVar

from fastapi import APIRouter, Depends, Query, Response

from landed.domain.accounts import ApiKey
from landed.domain.buckets import Bucket
from landed.domain.errors import InputInvalid
from landed.domain.periods import Period
from landed.domain.receipts import Channel, Direction
from landed.domain.statuses import Status
from landed.domain.words import Word
from landed.services.analytics_export import messages_file, registrations_file
from landed.services.exporting import Format
from landed.services.framing import Compare
from landed.services.overview import TOP, Overviewer, OverviewQuestion
from landed.services.overview_shapes import Overview
from landed.services.questions import Group, Question
from landed.services.registration_ages import RegistrationAges, RegistrationAging
from landed.services.reporting import Analytics, Reporter
from landed.web.api import files
from landed.web.api.fields import Accounts, Many, Since, Text, Until
from landed.web.api.files import AskedFormat
from landed.web.api.keys import Permitted

_PERIOD_DEFAULT: Final = timedelta(hours=24)
_GROUPS: Final = ", ".join(Group)
_TOP_MAX: Final = 100

GroupBy = Annotated[list[Text], Query(max_length=20, description=f"any of {_GROUPS}; repeated, or by commas")]
BucketAsked = Annotated[
    Bucket, Query(description="split the period; what is shorter than an hour is kept for the last three days")
]
TimeZone = Annotated[
    Text, Query(description="whose days, weeks and months buckets are, by its name", examples=["Europe/Berlin"])
]
CompareAsked = Annotated[Compare, Query(description="with `previous`: each row with the same of the period before it")]
BarsAsked = Annotated[bool, Query(description="tell the distribution of time to deliver of each row, too")]
Top = Annotated[int, Query(ge=1, le=_TOP_MAX, description="rows of each table; those left are added up")]
Filters = dict[Group, list[str]]
Grouping = TypeVar("Grouping", bound=Word)


def _filters(
    account: Accounts = [],
    provider: Annotated[list[Text], Many("a provider's name")] = [],
    channel: Annotated[list[Channel], Many("sms, mms or whatsapp")] = [],
    direction: Annotated[list[Direction], Many("outbound or inbound")] = [],
    country: Annotated[list[Text], Many("ISO 3166 alpha-2, or `none`")] = [],
    network: Annotated[list[Text], Many("MCC-MNC, MCC, or `none`")] = [],
    sender: Annotated[list[Text], Many("our number or name, or `none`")] = [],
    status: Annotated[list[Status], Many("canonical status")] = [],
    error_code: Annotated[list[Text], Many("the provider's code, or `none`")] = [],
    tag: Annotated[list[Text], Many("tag")] = [],
    currency: Annotated[list[Text], Many("ISO 4217, or `none`")] = [],
) -> Filters:
    given: Filters = {
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
    return {group: values for group, values in given.items() if values}


FiltersAsked = Annotated[Filters, Depends(_filters)]


def router(reporter: Reporter, overviewer: Overviewer, aging: RegistrationAging, readers: Permitted) -> APIRouter:
    routes = APIRouter(prefix="/v1/analytics", tags=["analytics"])

    @routes.get(
        "/messages",
        summary="Count messages by anything",
        response_model=Analytics,
        response_model_exclude_unset=True,
        responses=files.RESPONSES,
    )
    async def count_messages(
        key: Annotated[ApiKey, Depends(readers)],
        since: Since,
        until: Until,
        filters: FiltersAsked,
        format_: AskedFormat,
        group_by: GroupBy = [],
        bucket: BucketAsked = Bucket.NONE,
        time_zone: TimeZone = "UTC",
        compare: CompareAsked = Compare.NONE,
        bars: BarsAsked = False,
    ) -> Analytics | Response:
        question = Question(
            period=asked_period(since, until),
            group_by=asked_groups(group_by, Group),
            bucket=bucket,
            filters=filters,
            time_zone=time_zone,
            compare=compare,
            bars=bars,
        )
        answer = await reporter.analytics(question, account_id=key.account_id)
        if format_ is Format.JSON:
            return answer
        return files.sent(messages_file(answer, format_), format_, "analytics-messages")

    @routes.get("/overview", summary="All of a period at one glance", response_model_exclude_unset=True)
    async def show_overview(
        key: Annotated[ApiKey, Depends(readers)],
        since: Since,
        until: Until,
        filters: FiltersAsked,
        bucket: Annotated[Bucket | None, Query(description="of the series; without it, what fits the period")] = None,
        time_zone: TimeZone = "UTC",
        compare: CompareAsked = Compare.NONE,
        top: Top = TOP,
    ) -> Overview:
        asked = OverviewQuestion(
            period=asked_period(since, until),
            bucket=bucket,
            filters=filters,
            time_zone=time_zone,
            compare=compare,
            top=top,
        )
        return await overviewer.overview(asked, account_id=key.account_id)

    @routes.get(
        "/10dlc",
        summary="Brands, campaigns and numbers by status and age",
        response_model=RegistrationAges,
        responses=files.RESPONSES,
    )
    async def count_registrations(
        key: Annotated[ApiKey, Depends(readers)],
        format_: AskedFormat,
        account: Accounts = [],
    ) -> RegistrationAges | Response:
        answer = await aging.ages(account, account_id=key.account_id)
        if format_ is Format.JSON:
            return answer
        return files.sent(registrations_file(answer, format_), format_, "analytics-10dlc")

    return routes


def asked_period(since: datetime | None, until: datetime | None) -> Period:
    until = until or datetime.now(UTC)
    try:
        return Period(since or until - _PERIOD_DEFAULT, until)
    except OverflowError as error:
        raise InputInvalid("This is before all time; give `since` as well.", field="until") from error


def asked_groups(given: Iterable[str], groups: type[Grouping]) -> list[Grouping]:
    """Words by commas or one by one, each once."""
    words = [word.strip() for text in given for word in text.split(",") if word.strip()]
    for word in words:
        if word not in groups.__members__.values():
            raise InputInvalid(f"Cannot group by {word[:40]!r}; there are: {', '.join(groups)}.", field="group_by")
    return [groups(word) for word in dict.fromkeys(words)]
