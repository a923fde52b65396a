"""Everything on the pages is a filter: what is pressed on is in the address and holds for all that is shown, and back
and forward go through it."""

import re
from collections.abc import Callable
from typing import Any, Final

import pytest
from playwright.sync_api import Page, expect

from tests.browser.visiting import Visit

SINCE: Final = "since=7d"


@pytest.fixture
def visit(open_as: Callable[..., Visit]) -> Visit:
    return open_as("operator")


def headline(page: Page) -> int:
    """How many messages the overview says there are."""
    value = page.locator("#headline .card").first.locator(".value").text_content() or ""
    return int(value.replace(",", ""))


def chart(page: Page, name: str) -> dict[str, Any]:
    found: dict[str, Any] = page.evaluate("(id) => JSON.parse(document.getElementById(id).textContent)", f"{name}-data")
    return found


def test_a_country_that_is_pressed_filters_everything_and_back_takes_it_away(visit: Visit) -> None:
    page = visit.go(f"/?{SINCE}")
    everything, row = headline(page), page.locator("#countries tbody tr").first
    country = row.locator("th a").text_content() or ""
    count = int((row.locator("td").first.text_content() or "").split()[0].replace(",", ""))

    row.locator("th a").click()

    page.wait_for_url("**country=*")
    visit.wait_for_charts()
    code = visit.query("country")
    assert headline(page) == count < everything
    assert sum(sum(trace["y"]) for trace in chart(page, "over-time")["traces"]) == count
    expect(page.locator("#countries tbody tr")).to_have_count(1)
    expect(page.locator("#countries tr.chosen")).to_contain_text(country)
    expect(page.locator(".filters .chip")).to_contain_text(f"country: {code[0]}")

    page.go_back()
    assert visit.query("country") == []
    assert headline(page) == everything
    page.go_forward()
    assert (visit.query("country"), headline(page)) == (code, count)
    page.locator(".filters .chip").click()
    page.wait_for_url(lambda url: "country" not in url)
    assert headline(page) == everything


@pytest.mark.parametrize("name", ["delivered", "failed"])
def test_a_part_of_a_bar_that_is_pressed_shows_those_messages(visit: Visit, name: str) -> None:
    page = visit.go(f"/?{SINCE}")
    traces = chart(page, "over-time")["traces"]
    which, trace = next((at, trace) for at, trace in enumerate(traces) if trace["name"] == name)
    most = max(range(len(trace["y"])), key=trace["y"].__getitem__)

    box = page.locator("#over-time .trace.bars").nth(which).locator("path").nth(most).bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.locator("#over-time.clickable")).to_have_count(1)
    page.mouse.down()
    page.mouse.up()

    page.wait_for_url("**status=*")
    assert visit.query("status") == [name]
    assert visit.query("since") != ["7d"]
    assert headline(page) == trace["y"][most]
    page.get_by_role("link", name="Messages", exact=True).last.click()
    expect(page.locator("#messages tbody tr")).to_have_count(min(50, trace["y"][most]))


def test_a_bar_of_the_distribution_lists_the_messages_that_took_so_long(visit: Visit) -> None:
    page = visit.go(f"/?{SINCE}&country=US")
    [trace] = chart(page, "distribution")["traces"]
    most = max(range(len(trace["y"])), key=trace["y"].__getitem__)

    page.locator("#distribution .trace.bars path").nth(most).hover(force=True)
    page.mouse.down()
    page.mouse.up()

    page.wait_for_url("**/messages?**")
    assert visit.query("country") == ["US"]
    assert re.fullmatch(r"latency:>\S+s latency:<=\S+s", page.get_by_label("Search messages").input_value())
    expect(page.locator("#messages tbody tr")).to_have_count(min(50, trace["y"][most]))


def test_an_error_code_that_is_pressed_says_where_it_happens(visit: Visit) -> None:
    page = visit.go(f"/?{SINCE}")
    link = page.locator("#errors tbody tr th > a").first
    code = link.text_content() or ""

    link.click()

    page.wait_for_url("**error_code=*")
    assert visit.query("error_code") == [code]
    assert set(page.locator("#errors tr th > a").all_text_contents()) == {code}
    page.locator("#networks tbody th a").first.click()
    page.wait_for_url("**network=*")
    assert visit.query("error_code") == [code]
    expect(page.locator(".filters .chip")).to_have_count(2)


def test_another_period_is_one_press_or_two_moments_away(visit: Visit) -> None:
    page = visit.go("/?country=US")
    page.get_by_role("link", name="30 d").click()
    page.wait_for_url("**since=30d*")
    expect(page.locator(".segments [aria-current]").first).to_have_text("30 d")

    page.locator(".filters details.pop summary").click()
    page.get_by_label("From", exact=True).fill("2026-01-05T08:30")
    page.get_by_label("Until").fill("2026-01-06T08:30")
    page.get_by_label("Time zone").fill("Asia/Kolkata")
    page.get_by_role("button", name="Show").click()

    page.wait_for_url("**time_zone=*")
    assert [visit.query(name) for name in ("since", "until", "time_zone", "country")] == [
        ["2026-01-05T08:30"],
        ["2026-01-06T08:30"],
        ["Asia/Kolkata"],
        ["US"],
    ]
    expect(page.locator(".sub").first).to_have_text("5 Jan 2026 08:30 to 6 Jan 2026 08:30, Asia/Kolkata")
    expect(page.locator(".empty")).to_contain_text("choose a longer period")


def test_times_are_those_of_the_viewers_clock(open_as: Callable[..., Visit]) -> None:
    visit = open_as("viewer", timezone_id="Asia/Tokyo")
    page = visit.go(f"/messages?{SINCE}")
    expect(page.locator(".sub").first).to_contain_text("Asia/Tokyo")
    expect(page.locator("#messages time").first).to_have_attribute("title", re.compile(r"\+09:00 Asia/Tokyo$"))


def test_the_period_before_is_compared_with_on_request(visit: Visit) -> None:
    page = visit.go("/?since=24h")
    expect(page.locator("#headline .change")).to_have_count(0)

    page.get_by_role("button", name="Compare").click()

    page.wait_for_url("**compare=previous*")
    expect(page.locator("#headline .change").first).to_contain_text("than before")
    expect(page.get_by_role("button", name="Compare")).to_have_attribute("aria-pressed", "true")


def test_the_theme_is_remembered_from_page_to_page(visit: Visit) -> None:
    page = visit.go(f"/?{SINCE}")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)

    page.get_by_role("button", name="light or dark").click()

    dark = page.evaluate(ground)
    assert dark != light
    visit.go("/messages")
    assert page.evaluate(ground) == dark
    page.get_by_role("button", name="light or dark").click()
    visit.go(f"/?{SINCE}")
    assert page.evaluate(ground) == light


def test_a_search_is_typed_corrected_and_gone_back_to(visit: Visit) -> None:
    page = visit.go(f"/messages?{SINCE}&account=shop")
    search = page.get_by_label("Search messages")

    search.fill("status:failed,undelivered")
    search.press("Enter")

    page.wait_for_url("**q=status*")
    assert visit.query("account") == ["shop"]
    words = set(page.locator("#messages td:nth-child(2) > :first-child").all_text_contents())
    assert words == {"✕failed", "✕undelivered"}
    visit.expected = {422}
    search.fill("status:lost")
    search.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("status:lost is not known; there are")
    page.go_back()
    expect(search).to_have_value("status:failed,undelivered")
    page.go_back()
    expect(search).to_have_value("")


def test_a_list_goes_on_page_by_page_and_back(visit: Visit) -> None:
    page = visit.go(f"/messages?{SINCE}")
    times = page.locator("#messages td:first-child a")
    first = times.first.get_attribute("href")

    page.get_by_role("link", name="Next").click()
    page.wait_for_url("**cursor=*")
    assert times.first.get_attribute("href") != first
    page.get_by_role("link", name="To the first").click()
    page.wait_for_url(lambda url: "cursor" not in url)
    assert times.first.get_attribute("href") == first


def test_the_raw_callback_is_one_press_away_from_what_it_told(visit: Visit) -> None:
    page = visit.go(f"/messages?{SINCE}&account=shop&status=delivered")
    page.locator("#messages td:first-child a").first.click()
    page.wait_for_url("**/messages/*")
    expect(page.locator("#timeline li").first).to_contain_text("the beginning")
    theirs = page.locator(".facts dd", has_text=re.compile(r"^[0-9a-f-]{36}$")).last.text_content() or ""

    page.locator("#timeline").get_by_role("link", name="raw callback").first.click()

    page.wait_for_url("**/live/*")
    expect(page.locator("main")).to_contain_text(theirs)
