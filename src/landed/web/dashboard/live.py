"""/live: callbacks as they arrive. The page has the latest; static/live.js adds what comes behind them."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Depends
from starlette.responses import Response

from landed.domain.callbacks import CallbackKind
from landed.domain.errors import InputInvalid, Overloaded
from landed.domain.users import Role
from landed.providers.base import Diagnoses, Provider
from landed.services import arrivals, cursors, redacting
from landed.services.live import Batch, Live, LiveCallback, LiveQuestion
from landed.store.accounts import Pool
from landed.store.callback_queries import Verdict
from landed.web.api.streaming import KEEP_ALIVE_S, MEDIA_TYPE, STREAMS_MAX, EventStream
from landed.web.dashboard.pages import Page, Pages
from landed.web.dashboard.view import View
from landed.web.dashboard.words import word, words

PAGE: Final = 50
#: What its filters are called in the address.
FILTERS: Final = ("account", "verdict", "kind", "status", "method", "verified_by", "reason", "message", "q")
#: Streams that one person may have open, whatever is free: each page that is looked at is one.
STREAMS_OF_ONE_MAX: Final = 8
#: How often a stream looks whether its reader may still see it.
_LOOK_AGAIN_S: Final = 30.0
_RETRY: Final = b"retry: 2000\n\n"
_KEEP_ALIVE: Final = b": keep-alive\n\n"


def router(
    pages: Pages, live: Live, pool: Pool, stopping: asyncio.Event, providers: Mapping[str, Provider]
) -> APIRouter:
    routes = APIRouter()
    open_streams: defaultdict[int, set[object]] = defaultdict(set)  # by user
    headers = sorted({name for each in providers.values() if isinstance(each, Diagnoses) for name in _proofs(each)})

    @routes.get("/live")
    async def latest(page: Annotated[Page, Depends(pages.viewers)]) -> Response:
        view = page.view
        asked = question(page)
        found = await live.page(asked, cursor=view.value("cursor"), limit=PAGE, keys_shown=page.may(Role.ADMIN))
        is_streamed = found.place is not None and asked.verdict is not Verdict.SET_ASIDE
        return page.render(
            "live.html",
            found=found,
            rows=[shown(page, row) for row in found.rows],
            minutes=await arrivals.minutes(pool, view.now),
            accounts=await live.accounts(),
            kinds=[kind.value for kind in CallbackKind],
            verified_by=headers,
            chips=[(name, value) for name in FILTERS for value in view.values(name)],
            stream=page.url("/live/stream", place=found.place, **_filters(view)) if is_streamed else None,
        )

    @routes.get("/live/rates")
    async def rates(page: Annotated[Page, Depends(pages.viewers)]) -> Response:
        """For the curves above the list, which go on by themselves."""
        return page.json((await arrivals.minutes(pool, page.view.now))._asdict())

    @routes.get("/live/stream")
    async def stream(page: Annotated[Page, Depends(pages.viewers)]) -> Response:
        """What comes behind a place: of the header that browsers send when they come back, else of the address."""
        if page.request.method == "HEAD":
            return Response(media_type=MEDIA_TYPE)
        of_one = open_streams[page.user.id]
        _see_room(open_streams.values(), of_one)
        place = page.request.headers.get("last-event-id") or page.view.value("place")
        if place is None:
            raise InputInvalid("Say behind which place, as the page does.", field="place")
        batches = live.batches(question(page), place, keys_shown=page.may(Role.ADMIN))
        first = await anext(batches)  # an error is an answer, not an event
        _see_room(open_streams.values(), of_one)  # others may have come meanwhile
        return EventStream(_events(pages, page, place, first, batches), stopping, of_one)

    return routes


def _see_room(streams: Iterable[set[object]], of_one: set[object]) -> None:
    """Raises Overloaded where all places are taken, or all that one person may have."""
    if sum(map(len, streams)) >= STREAMS_MAX:
        raise Overloaded(f"{STREAMS_MAX} pages are watched already. Come back later.")
    if len(of_one) >= STREAMS_OF_ONE_MAX:
        raise Overloaded(f"You watch {STREAMS_OF_ONE_MAX} pages already. Close one of them.")


def question(page: Page) -> LiveQuestion:
    """What the address asks for.

    Raises:
        InputInvalid: something in it cannot be asked, or not by this viewer: whoever may look for parts of numbers and
            texts can find them out.
    """
    view = page.view
    statuses = view.values("status")
    text = view.value("q")
    if not page.may(Role.OPERATOR):
        if text is not None:
            raise InputInvalid(
                "Looking into callbacks takes the role operator: they hold numbers and texts.", field="q"
            )
        if any(not _is_a_word(status) for status in statuses):
            raise InputInvalid("A status is a word, such as delivered.", field="status")
    return LiveQuestion(
        accounts=view.values("account"),
        verdict=word(view, "verdict", Verdict),
        since=view.period.since if view.value("since") else None,
        until=view.period.until if view.value("until") else None,
        reasons=view.values("reason"),
        kinds=words(view, "kind", CallbackKind),
        words=[status.lower() for status in statuses],
        methods=[method.upper() for method in view.values("method")],
        verified_by=view.value("verified_by"),
        message=view.value("message"),
        text=text,
    )


def shown(page: Page, row: LiveCallback) -> dict[str, Any]:
    """A line as this viewer may see it, for templates and scripts alike."""
    local = row.received_at.astimezone(page.view.zone)

    def private(text: str | None) -> str | None:
        return redacting.text(text) if text and not page.may(Role.OPERATOR) else text

    return {
        "id": row.id,
        "href": page.url(f"/live/{row.id}", **page.view.kept),
        "at": cursors.micros(row.received_at),
        "day": local.strftime("%-d %b"),
        "time": local.strftime("%H:%M:%S"),
        "exact": f"{local.isoformat(sep=' ', timespec='milliseconds')} {page.view.zone.key}",
        "verdict": row.outcome if row.outcome == "set_aside" else row.verdict,
        "kind": row.kind,
        "status": row.status or private(row.provider_status),
        "is_known": row.status is not None,
        "number": page.number(row.number) if row.number else None,
        "account": row.account,
        "method": private(row.method),
        "proof": (row.reason or "").replace("_", " ") or ", ".join(map(_proof_name, row.verified_by)),
        "detail": private(row.detail),
        "bytes": row.body_bytes,
    }


async def _events(
    pages: Pages, page: Page, place: str, first: Batch | None, rest: AsyncIterator[Batch | None]
) -> AsyncIterator[bytes]:
    """The stream as it is written. Now and then it is seen whether the reader is still signed in, and as whom."""
    yield _RETRY + f"id: {place}\n\n".encode()
    told_at = looked_at = time.monotonic()
    batch = first
    while True:
        now = time.monotonic()
        if now - looked_at >= _LOOK_AGAIN_S:
            page, looked_at = await pages.viewers(page.request), now
        if batch is not None:
            yield _event(page, batch)
            told_at = now
        elif now - told_at >= KEEP_ALIVE_S:
            yield _KEEP_ALIVE
            told_at = now
        batch = await anext(rest)


def _event(page: Page, batch: Batch) -> bytes:
    place = f"id: {batch.place}\n".encode()
    if not batch.count:
        return place + b"\n"
    rows = [shown(page, row) for row in batch.rows]
    return b"%bevent: callbacks\ndata: %b\n\n" % (place, orjson.dumps({"rows": rows, "count": batch.count}))


def _filters(view: View) -> dict[str, Any]:
    return {name: view.values(name) for name in (*FILTERS, "since", "until", "time_zone") if view.values(name)}


def _proofs(provider: Diagnoses) -> list[str]:
    return [name for name in provider.signature_headers if not name.endswith("-nonce")]


def _proof_name(header: str) -> str:
    """x-plivo-signature-ma-v2 -> ma-v2: a list has no room for more, and says so in its heading."""
    return header.rpartition("-signature-")[2]


def _is_a_word(text: str) -> bool:
    return text.replace("-", "").replace("_", "").replace(" ", "").isalpha()
