"""/: how messages are doing, and where it goes wrong. Everything on it is a filter."""

from functools import partial
from typing import Annotated, Final

from fastapi import APIRouter, Depends
from starlette.responses import Response

from landed.domain.buckets import Bucket
from landed.domain.errors import InputInvalid
from landed.domain.receipts import Direction
from landed.services.framing import Compare
from landed.services.overview import Overviewer, OverviewQuestion
from landed.services.questions import Group
from landed.web.dashboard import overview_charts
from landed.web.dashboard.pages import Page, Pages
from landed.web.dashboard.view import Change, View

#: What the address may filter by; the API's own names.
_FILTERS: Final = (
    Group.ACCOUNT, Group.PROVIDER, Group.COUNTRY, Group.NETWORK, Group.SENDER, Group.CHANNEL, Group.DIRECTION,
    Group.STATUS, Group.ERROR_CODE, Group.TAG, Group.CURRENCY,
)  # fmt: skip


def router(pages: Pages, overviewer: Overviewer) -> APIRouter:
    routes = APIRouter()

    @routes.get("/")
    async def overview(page: Annotated[Page, Depends(pages.viewers_and_guests)]) -> Response:
        view = page.view
        seen = await overviewer.overview(question(view), account_id=None)
        return page.render(
            "overview.html",
            seen=seen,
            over_time=overview_charts.over_time(seen, view),
            time_to_deliver=overview_charts.time_to_deliver(seen, view),
            distribution=overview_charts.distribution(seen, view, partial(page.url, "/messages", **listed(view))),
            listed=listed(view),
        )

    return routes


def question(view: View) -> OverviewQuestion:
    """What the address asks.

    Raises:
        InputInvalid: something in it cannot be asked.
    """
    return OverviewQuestion(
        period=view.period,
        bucket=_bucket(view.bucket),
        filters={group: values for group in _FILTERS if (values := view.values(group.value))},
        time_zone=view.zone.key,
        compare=Compare.PREVIOUS if view.compares else Compare.NONE,
    )


def listed(view: View) -> dict[str, Change]:
    """What lists the messages that are counted here: unless a direction is asked for, those we sent."""
    return {Group.DIRECTION.value: Direction.OUTBOUND.value} | view.filters


def _bucket(word: str | None) -> Bucket | None:
    if word is None:
        return None
    try:
        return Bucket(word)
    except ValueError as error:
        known = ", ".join(bucket.value for bucket in Bucket if bucket is not Bucket.NONE)
        raise InputInvalid(f"{word[:40]!r} is no bucket; give one of {known}.", field="bucket") from error
