"""/opt-outs: who does not want to hear from us, and changing it by hand."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends
from starlette.responses import Response

from landed.domain.errors import InputInvalid
from landed.domain.opt_outs import OptOutSource
from landed.services.opt_outs import OptOutChanger, OptOutQuestion, OptOutReader
from landed.web.dashboard.pages import Page, Pages
from landed.web.dashboard.view import View
from landed.web.dashboard.words import words

PAGE: Final = 50
_HERE: Final = "/opt-outs"
_STATES: Final = {"out": True, "in": False}


def router(pages: Pages, reader: OptOutReader, changer: OptOutChanger) -> APIRouter:
    routes = APIRouter()
    Operators = Annotated[Page, Depends(pages.operators)]  # noqa: N806  a type

    @routes.get(_HERE)
    async def found(page: Annotated[Page, Depends(pages.viewers)]) -> Response:
        opt_outs = await reader.opt_outs(
            question(page.view), account_id=None, cursor=page.view.value("cursor"), limit=PAGE
        )
        return page.render("opt_outs.html", found=opt_outs)

    @routes.get(_HERE + "/{opt_out_id}")
    async def one(page: Annotated[Page, Depends(pages.viewers)], opt_out_id: str) -> Response:
        return page.render("opt_out.html", opt_out=await reader.opt_out(opt_out_id, account_id=None))

    @routes.post(_HERE)
    async def add(page: Operators) -> Response:
        form = page.form
        key = await reader.new_key(
            form.text("account", "the account"), form.text("sender"), form.text("recipient"), account_id=None
        )
        opt_out_id = await changer.change(key, opted_out=True)
        await page.record("opt_out.added", f"opt_out:{opt_out_id}")
        return page.go(f"{_HERE}/{opt_out_id}", said="Nothing more is sent there from that sender.")

    @routes.post(_HERE + "/{opt_out_id}")
    async def change(page: Operators, opt_out_id: str) -> Response:
        opted_out = _opted_out(page.form.text("state"))
        key = await reader.key(opt_out_id, account_id=None)
        await changer.change(key, opted_out=opted_out)
        await page.record("opt_out.added" if opted_out else "opt_out.taken_back", f"opt_out:{opt_out_id}")
        return page.go(f"{_HERE}/{opt_out_id}", said="Opted out." if opted_out else "Opted in again.")

    return routes


def question(view: View) -> OptOutQuestion:
    """What the address asks for: whether they stand or were taken back, unless it says so.

    Raises:
        InputInvalid: something in it cannot be asked.
    """
    state = view.value("state")
    return OptOutQuestion(
        accounts=view.values("account"),
        sender=view.value("sender"),
        recipient=view.value("q"),
        opted_out=None if state is None else _opted_out(state),
        sources=words(view, "source", OptOutSource),
        since=view.period.since if view.value("since") else None,
        until=view.period.until if view.value("until") else None,
    )


def _opted_out(state: str) -> bool:
    if state not in _STATES:
        raise InputInvalid("state is out or in.", field="state")
    return _STATES[state]
