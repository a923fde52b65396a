"""/live/{id}: one callback with all that is known of it; two beside each other; taking them in again; the doctor.

They are not at /callbacks: that is where providers call.
"""

from collections.abc import Sequence
from typing import Annotated, Final
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends
from starlette.responses import Response

from landed.domain.errors import InputInvalid
from landed.domain.users import Role
from landed.services import redacting
from landed.services.diagnosing import Diagnoser
from landed.services.inspecting import Inspector, request_of
from landed.services.inspecting_shapes import InspectedCallback, ThingShape
from landed.services.replaying_several import SEVERAL_MAX, Replayed, SeveralReplayer
from landed.services.requests_text import as_curl
from landed.web.dashboard.pages import Page, Pages
from landed.web.dashboard.viewer import Forbidden

_PAGES: Final = {
    "message": "/messages/",
    "session": "/verify/",
    "brand": "/10dlc/brands/",
    "campaign": "/10dlc/campaigns/",
    "number": "/10dlc/numbers/",
}
_URLS_MAX: Final = 5


def router(pages: Pages, inspector: Inspector, replayer: SeveralReplayer, diagnoser: Diagnoser) -> APIRouter:
    routes = APIRouter()

    @routes.get("/live/compare")
    async def compare(page: Annotated[Page, Depends(pages.viewers)]) -> Response:
        view = page.view
        if chosen := view.values("id"):  # from the list's boxes
            if len(chosen) != 2:
                raise InputInvalid("Choose two callbacks to compare.", field="id")
            return page.go("/live/compare", said=None, a=chosen[0], b=chosen[1], **view.kept)
        a, b = view.value("a"), view.value("b")
        if a is None or b is None:
            raise InputInvalid("Name two callbacks to compare.", field="b")
        both = await inspector.compare(a.strip(), b.strip(), account_id=None, keys_shown=page.may(Role.ADMIN))
        return page.render("compare.html", both=both if page.may(Role.OPERATOR) else redacting.comparison(both))

    @routes.post("/live/replay")
    async def replay(page: Annotated[Page, Depends(pages.operators)]) -> Response:
        ids = page.form.all("id")
        if page.form.get("to") != "url":
            results = await replayer.replay(ids)
            await _record(page, "callback.replayed", results)
            return page.render("replayed.html", results=results, sent_to=None)
        url, anywhere = page.form.text("url", "the URL"), page.form.flag("anywhere")
        if anywhere and not page.may(Role.ADMIN):
            raise Forbidden("Sending callbacks to another machine takes the role admin.")
        results = await replayer.send(ids, url, anywhere=anywhere)
        sent_to = f"{urlsplit(url).scheme}://{urlsplit(url).netloc}"
        await _record(page, "callback.sent", results, f" to {sent_to}")
        return page.render("replayed.html", results=results, sent_to=sent_to)

    @routes.get("/live/{callback_id}")
    async def one(page: Annotated[Page, Depends(pages.viewers)], callback_id: str) -> Response:
        keys_shown = page.may(Role.ADMIN)
        whole = await inspector.inspect(callback_id, account_id=None, keys_shown=keys_shown)
        curl = diagnosis = None
        if page.may(Role.OPERATOR):
            curl = await _curl(inspector, whole, keys_shown=keys_shown)
        if page.view.value("doctor") and page.may(Role.OPERATOR):
            diagnosis = await diagnoser.diagnose(
                callback_id, account_id=None, keys_shown=keys_shown, other_urls=page.view.values("url")[:_URLS_MAX]
            )
        return page.render(
            "callback.html",
            callback=whole if page.may(Role.OPERATOR) else redacting.inspected(whole),
            curl=curl,
            diagnosis=diagnosis,
            page_of=page_of,
            several_max=SEVERAL_MAX,
        )

    return routes


def page_of(thing: ThingShape) -> str | None:
    """The path of the page about a thing; None: it has none."""
    if thing.kind == "message" and thing.status == "received":
        return f"/inbound/{thing.id}"
    return f"{_PAGES[thing.kind]}{thing.id}" if thing.kind in _PAGES else None


async def _curl(inspector: Inspector, whole: InspectedCallback, *, keys_shown: bool) -> str:
    """A command line that makes the same request, but for what is masked."""
    found = await inspector.reader.found(whole.id, account_id=None)
    masked = await inspector.reader.mask(found, keys_shown=keys_shown)
    return masked(as_curl(request_of(found), [(each.name, each.value) for each in whole.header_lines]))


async def _record(page: Page, action: str, results: Sequence[Replayed], where: str = "") -> None:
    """What failed did nothing, and its id may be anything that somebody typed."""
    for each in results:
        if each.outcome != "failed":
            await page.record(action, f"callback:{each.callback_id}{where}")
