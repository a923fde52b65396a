"""/verify: how codes reach people, and what became of one session."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from starlette.responses import Response

from landed.domain.buckets import Bucket
from landed.domain.receipts import SessionStatus
from landed.services.framing import NO_MINUTES, Compare
from landed.services.funnel import Funnel, FunnelReporter, Group, Question
from landed.services.overview import automatic_bucket
from landed.services.sessions import SessionQuestion, SessionReader
from landed.web.dashboard.pages import Page, Pages
from landed.web.dashboard.view import View
from landed.web.dashboard.words import words

PAGE: Final = 25
_FILTERS: Final = (Group.ACCOUNT, Group.COUNTRY, Group.NETWORK, Group.CHANNEL)


def router(pages: Pages, reporter: FunnelReporter, reader: SessionReader) -> APIRouter:
    routes = APIRouter()

    @routes.get("/verify")
    async def funnel(page: Annotated[Page, Depends(pages.viewers)]) -> Response:
        view = page.view
        totals, over_time, by_country, by_channel = [
            await reporter.funnel(_question(view, *groups, bucket=bucket), account_id=None)
            for groups, bucket in (
                ((), Bucket.NONE),
                ((), automatic_bucket(view.period, view.zone, NO_MINUTES)),
                ((Group.COUNTRY,), Bucket.NONE),
                ((Group.CHANNEL,), Bucket.NONE),
            )
        ]
        sessions = await reader.sessions(sessions_of(view), account_id=None, cursor=view.value("cursor"), limit=PAGE)
        return page.render(
            "verify.html",
            totals=totals.data[0],
            series=over_time.data,
            over_time=_over_time(over_time, view),
            by_country=by_country.data[:12],
            by_channel=by_channel.data,
            sessions=sessions,
        )

    @routes.get("/verify/{session_id}")
    async def one(page: Annotated[Page, Depends(pages.viewers)], session_id: str) -> Response:
        return page.render("session.html", session=await reader.session(session_id, account_id=None))

    return routes


def _question(view: View, *group_by: Group, bucket: Bucket = Bucket.NONE) -> Question:
    return Question(
        period=view.period,
        group_by=group_by,
        bucket=bucket,
        filters={group: values for group in _FILTERS if (values := view.values(group.value))},
        time_zone=view.zone.key,
        compare=Compare.PREVIOUS if view.compares and bucket is Bucket.NONE else Compare.NONE,
    )


def sessions_of(view: View) -> SessionQuestion:
    """Which sessions the address asks for.

    Raises:
        InputInvalid: something in it cannot be asked.
    """
    return SessionQuestion(
        accounts=view.values("account"),
        statuses=words(view, "status", SessionStatus),
        channels=view.values("channel"),
        countries=view.values("country"),
        networks=view.values("network"),
        error_codes=view.values("error_code"),
        since=view.period.since,
        until=view.period.until,
        text=view.value("q"),
    )


def _over_time(funnel: Funnel, view: View) -> dict[str, Any]:
    """Sessions by when they were started: verified, expired, ended and those still open."""
    rows = funnel.data
    starts = [row.bucket_at for row in rows if row.bucket_at is not None]
    times = [at.astimezone(view.zone).strftime("%Y-%m-%dT%H:%M:%S") for at in starts]
    ends = [*starts[1:], funnel.meta.until]
    traces = []
    for name, tone, status in (
        ("verified", "good", SessionStatus.VERIFIED),
        ("pending", 1, SessionStatus.IN_PROGRESS),
        ("expired", "warn", SessionStatus.EXPIRED),
        ("ended", "bad", None),
    ):
        counts = [getattr(row, name) for row in rows]
        if any(counts):
            links = [
                view.link(since=since.isoformat(), until=until.isoformat(), status=status.value if status else None)
                for since, until in zip(starts, ends, strict=True)
            ]
            traces.append({"type": "bar", "name": name, "x": times, "y": counts, "tone": tone, "links": links})
    return {"traces": traces, "layout": {"barmode": "stack"}}
