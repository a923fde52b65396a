"""/10dlc: the board of brands, campaigns and numbers, and what became of one."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from starlette.responses import Response

from landed.domain.errors import NotFound
from landed.domain.receipts import RegistrationStatus
from landed.services.registration_ages import RegistrationAging
from landed.services.registrations import RegistrationQuestion, RegistrationReader
from landed.web.dashboard.pages import Page, Pages
from landed.web.dashboard.words import words

PAGE: Final = 50
_NAMES: Final = {"brands": "Brands", "campaigns": "Campaigns", "numbers": "Numbers"}


def router(pages: Pages, reader: RegistrationReader, aging: RegistrationAging) -> APIRouter:
    routes = APIRouter()
    lists: Mapping[str, Callable[..., Awaitable[Any]]] = {
        "brands": reader.brands, "campaigns": reader.campaigns, "numbers": reader.numbers
    }  # fmt: skip
    ones: Mapping[str, Callable[..., Awaitable[Any]]] = {
        "brands": reader.brand, "campaigns": reader.campaign, "numbers": reader.number
    }  # fmt: skip

    @routes.get("/10dlc")
    async def board(page: Annotated[Page, Depends(pages.viewers)]) -> Response:
        accounts = page.view.values("account")
        shown = await reader.board(accounts, account_id=None)
        ages = await aging.ages(accounts, account_id=None)
        groups = [(kind, title, getattr(shown, kind)) for kind, title in _NAMES.items()]
        return page.render("tendlc.html", groups=groups, ages=[row for row in ages.data if row.count])

    @routes.get("/10dlc/{kind}")
    async def listed(page: Annotated[Page, Depends(pages.viewers)], kind: str) -> Response:
        if kind not in lists:
            raise NotFound("There are brands, campaigns and numbers.")
        view = page.view
        question = RegistrationQuestion(
            accounts=view.values("account"), statuses=words(view, "status", RegistrationStatus), text=view.value("q")
        )
        found = await lists[kind](question, account_id=None, cursor=view.value("cursor"), limit=PAGE)
        return page.render("tendlc_list.html", kind=kind, title=_NAMES[kind], found=found)

    @routes.get("/10dlc/{kind}/{thing_id}")
    async def one(page: Annotated[Page, Depends(pages.viewers)], kind: str, thing_id: str) -> Response:
        if kind not in ones:
            raise NotFound("There are brands, campaigns and numbers.")
        return page.render("tendlc_one.html", kind=kind, thing=await ones[kind](thing_id, account_id=None))

    return routes
