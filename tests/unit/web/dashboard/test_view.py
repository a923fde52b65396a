"""The state of a page is its address: what it says, and the links to its neighbours."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import cast

import pytest
from fastapi import Request

from landed.domain.errors import InputInvalid
from landed.web.dashboard import view as views
from landed.web.dashboard.pages import Page, Pages
from landed.web.dashboard.view import View

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def view(query: str, zone: str | None = None, *, is_bound: bool = False) -> View:
    return views.read(query, now=NOW, zone_of_browser=zone, is_bound=is_bound)


def test_without_a_word_it_is_the_last_day_in_utc() -> None:
    seen = view("")

    assert seen.period == (NOW - timedelta(days=1), NOW)
    assert seen.period_before == (NOW - timedelta(days=2), NOW - timedelta(days=1))
    assert (seen.zone.key, seen.period_name) == ("UTC", "last 24 hours")


def test_a_local_time_is_that_of_the_viewer() -> None:
    seen = view("since=2026-11-20&until=2026-11-21T09:30", "Europe/Berlin")

    assert seen.period == (datetime(2026, 11, 19, 23, tzinfo=UTC), datetime(2026, 11, 21, 8, 30, tzinfo=UTC))
    assert view("since=2026-11-20T00:00:00Z", "Europe/Berlin").period.since == datetime(2026, 11, 20, tzinfo=UTC)


def test_the_zone_in_the_address_outranks_the_browsers() -> None:
    assert view("time_zone=Asia/Tokyo", "Europe/Berlin").zone.key == "Asia/Tokyo"
    assert view("", "../../etc/passwd").zone.key == "UTC"
    assert view("", "No/Where").zone.key == "UTC"


@pytest.mark.parametrize(
    "query",
    [
        "time_zone=No/Where", "time_zone=../x", "since=x", "since=2026-13-01", "since=now",
        "since=1h&until=2h", "since=0001-01-01&until=0001-01-02",
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(query: str) -> None:
    seen = view(query, "Asia/Tokyo")

    with pytest.raises(InputInvalid):
        _ = (seen.zone, seen.period, seen.period_before)


@pytest.mark.parametrize("query", ["&".join(f"a={n}" for n in range(101)), f"tag={'x' * 513}", "tag=%00", "%00=x"])
def test_an_address_has_limits(query: str) -> None:
    with pytest.raises(InputInvalid):
        view(query)


@pytest.mark.parametrize("host", ["landed.test?country=GB", "landed.test/?country=GB#", "landed.test#", "[::1"])
@pytest.mark.parametrize("query", [b"country=US&tag=%C3%A9", b"country=US&tag=\xe9"])
def test_a_page_reads_its_address_from_the_line_of_the_request(host: str, query: bytes) -> None:
    scope = {
        "type": "http", "method": "GET", "scheme": "https", "path": "/messages",
        "query_string": query, "headers": [(b"host", host.encode())],
    }  # fmt: skip
    pages = cast(Pages, SimpleNamespace(clock=lambda: NOW))

    seen = Page(pages, Request(scope), viewer=None).view

    assert seen.pairs == (("country", "US"), ("tag", "é"))


def test_links_change_one_thing_and_keep_the_rest() -> None:
    seen = view("since=7d&country=US&country=GB&cursor=abc")

    assert seen.link(status="failed") == "?since=7d&country=US&country=GB&status=failed"
    assert seen.link(country=None) == "?since=7d"
    assert seen.link(cursor="next") == "?since=7d&country=US&country=GB&cursor=next"
    assert seen.link(tag=["a b", "&"]) == "?since=7d&country=US&country=GB&tag=a+b&tag=%26"
    assert seen.without_filters == "?since=7d"


def test_a_filter_is_put_on_and_taken_off_by_the_same_link() -> None:
    seen = view("country=US")

    assert seen.toggle("country", "GB") == "?country=US&country=GB"
    assert seen.toggle("country", "US") == "?"
    assert seen.only("country", "GB") == "?country=GB"
    assert seen.only("country", "US") == "?"
    assert [(chip.name, chip.value, chip.link) for chip in seen.chips] == [("country", "US", "?")]


def test_what_goes_along_to_other_pages_is_the_period_and_the_filters() -> None:
    seen = view("since=7d&account=shop&country=US&cursor=x&q=y")

    assert seen.kept == {"since": ["7d"], "account": ["shop"]}
    assert views.address("/messages", seen.filters) == "/messages?since=7d&account=shop&country=US"
    assert seen.others("q") == [("since", "7d"), ("account", "shop"), ("country", "US")]


def test_a_shared_page_leads_nowhere() -> None:
    seen = view("country=US", is_bound=True)

    assert {seen.link(country="GB"), seen.toggle("country", "US"), seen.only("tag", "x"), seen.without_filters} == {""}
