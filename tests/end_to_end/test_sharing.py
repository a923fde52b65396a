"""Shared links: one page, read only, numbers masked, until they are over."""

import re
from collections.abc import Iterator
from typing import Annotated

import pytest
from fastapi import APIRouter, Depends
from jinja2 import ChoiceLoader, DictLoader
from starlette.responses import Response

from landed.web.dashboard.pages import Page, Pages
from tests.dashboard import Clock, House, Visitor, dashboard

NUMBER = "+14155550123"
QUERY = "since=7d&country=US"


@pytest.fixture
def clock() -> Clock:
    return Clock()


def example(pages: Pages) -> APIRouter:
    """A page that shows a phone number and a text, as an example of all."""
    body = """{% extends 'base.html' %}{% block content %}[{{ n | number }}][{{ t | private }}]{{ view.query() }}
              <a href="{{ view.link(country='DE') }}">x</a>{% endblock %}"""
    loader = pages.templates.loader
    assert loader is not None
    pages.templates.loader = ChoiceLoader([loader, DictLoader({"example.html": body})])
    routes = APIRouter()

    @routes.get("/example")
    async def show(page: Annotated[Page, Depends(pages.viewers_and_guests)]) -> Response:
        return page.render("example.html", n=NUMBER, t="the text")

    @routes.post("/example")
    async def change(page: Annotated[Page, Depends(pages.viewers_and_guests)]) -> Response:
        return page.go("/example")

    return routes


@pytest.fixture
def house(database: str, clock: Clock) -> Iterator[House]:
    with dashboard(database, clock=clock, more=[example]) as house:
        yield house


def share(visitor: Visitor, path: str = "/example", query: str = QUERY, days: str = "7") -> str:
    """The link's path, as the page shows it."""
    answer = visitor.post("/shared", path=path, query=query, days=days)
    assert answer.status_code == 200, answer.text
    found = re.search(r"https://landed\.test(/shared/[\w-]+)", answer.text)
    assert found is not None
    return found[1]


def test_operators_see_numbers_and_texts_and_viewers_do_not(house: House) -> None:
    assert f"[{NUMBER}][the text]" in house.visitor("operator").page("/example")

    seen = house.visitor("viewer").page("/example")

    assert "[+1415•••••23][hidden]" in seen
    assert NUMBER not in seen


def test_whoever_has_the_link_sees_that_page_with_numbers_masked(house: House) -> None:
    link = share(house.visitor("operator"))

    seen = house.visitor().page(link)

    assert "[+1415•••••23][hidden]" in seen
    assert "since=7d&amp;country=US" in seen
    assert NUMBER not in seen
    assert "csrf_token" not in seen


def test_signed_in_or_not_a_shared_page_is_the_same_for_all(house: House) -> None:
    operator = house.visitor("operator")
    link = share(operator)

    assert NUMBER not in operator.page(link)


def test_a_link_is_bound_to_its_filters_and_leads_nowhere(house: House) -> None:
    seen = house.visitor().page(share(house.visitor("operator")) + "?country=DE&since=90d")

    assert "since=7d&amp;country=US" in seen
    assert "country=DE" not in seen
    assert '<a href="">x</a>' in seen
    assert not re.search(r'href="/(?!static)', seen)


def test_what_a_shared_page_is_filtered_by_tells_no_number_but_ours(house: House) -> None:
    operator = house.visitor("operator")
    query = "since=7d&tag=%2B14155550123&sender=%2B14155550100"

    seen = house.visitor().page(share(operator, "/", query))

    assert NUMBER not in seen
    assert "tag: +1415•••••23" in seen
    assert "sender: +14155550100" in seen
    assert f"tag: {NUMBER}" in operator.page(f"/?{query}")


def test_nothing_can_be_changed_by_a_link(house: House) -> None:
    operator = house.visitor("operator")
    link = share(operator)

    assert house.visitor().send(link, {}).status_code == 404
    assert operator.send(link, {"csrf_token": operator.token()}).status_code == 404


@pytest.mark.parametrize("path", ["/settings", "/account", "/settings/users", "/nowhere", "//evil.test", "/shared/x"])
def test_only_pages_that_are_meant_for_it_can_be_shared(house: House, path: str) -> None:
    assert house.visitor("operator").post("/shared", path=path, query="", days="7").status_code == 422


@pytest.mark.parametrize("days", ["0", "91", "-1", "x", "9" * 50, "1.5"])
def test_a_link_lasts_at_most_ninety_days(house: House, days: str) -> None:
    assert house.visitor("operator").post("/shared", path="/example", query="", days=days).status_code == 422


def test_viewers_cannot_share(house: House) -> None:
    viewer = house.visitor("viewer")

    assert viewer.post("/shared", path="/example", query="", days="7").status_code == 403
    assert "Make a link" not in viewer.page("/example")
    assert "Make a link" in house.visitor("operator").page("/example")


def test_a_link_is_over_after_its_days(house: House, clock: Clock) -> None:
    link = share(house.visitor("operator"), days="1")
    clock.go_on(hours=23)
    assert house.visitor().get(link).status_code == 200
    clock.go_on(hours=1)
    assert house.visitor().get(link).status_code == 404


def test_a_revoked_link_is_over_at_once(house: House) -> None:
    operator = house.visitor("operator")
    link = share(operator)
    assert "/example?since=7d&amp;country=US" in operator.page("/settings/links")

    operator.post("/settings/links/revoke", id="1")

    assert house.visitor().get(link).status_code == 404
    assert "revoked" in operator.page("/settings/links")
    assert operator.post("/settings/links/revoke", id="99").status_code == 404
    assert [row[:2] for row in house.audit()] == [("user:operator", "link.revoked"), ("user:operator", "link.shared")]


def test_a_link_that_was_never_made_shows_nothing(house: House) -> None:
    assert house.visitor().get("/shared/" + "a" * 43).status_code == 404
    assert house.visitor().get("/shared/é%00").status_code == 404
