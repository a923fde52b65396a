"""Live: what comes in is on the page at once, with its verdict, for whoever may see it and as they may see it."""

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count

import pytest
from playwright.sync_api import Page, expect

from tests import filled
from tests.browser.visiting import Site, Visit
from tests.calling import plivo_post, send

_numbers = count(1)


def call(site: Site, *, token: str = filled.AUTH_TOKEN, **fields: str) -> str:
    """Let the provider call; the message's id."""
    message_id = f"live-{next(_numbers)}"
    told = {
        "MessageUUID": message_id, "Status": "delivered", "From": "14155550100", "To": "14155550188", "MCC": "310",
        "MNC": "260", "MessageTime": f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S.%f}", **fields,
    }  # fmt: skip
    send(site.server, plivo_post(f"{site.base_url}/callbacks/{filled.CALLBACK_PATH}", told, token))
    return message_id


@pytest.fixture
def visit(open_as: Callable[..., Visit]) -> Visit:
    return open_as("operator")


def watching(visit: Visit, address: str = "/live") -> Page:
    page = visit.go(address)
    expect(page.locator("#live-state")).to_have_text("connected")
    return page


def test_a_callback_appears_the_moment_it_comes_and_becomes_a_message(site: Site, visit: Visit) -> None:
    page = watching(visit)

    message_id = call(site)

    row = page.locator("#rows tr.is-new").first
    expect(row).to_contain_text("+14155550188")
    expect(row).to_contain_text("accepted")
    row.get_by_role("link").click()
    page.wait_for_url("**/live/*")
    expect(page.locator("main")).to_contain_text(message_id)


def test_a_forged_one_is_shown_as_refused(site: Site, visit: Visit) -> None:
    page = watching(visit)

    call(site, token="a token that nobody has")

    expect(page.locator("#rows tr.is-new").first).to_contain_text("refused")


def test_while_it_is_paused_callbacks_wait_and_are_counted(site: Site, visit: Visit) -> None:
    page = watching(visit)
    page.keyboard.press("p")
    expect(page.locator("#live-state")).to_have_text("paused")

    call(site)
    call(site)

    expect(page.locator("#waiting")).to_contain_text("2 waiting")
    expect(page.locator("#rows tr.is-new")).to_have_count(0)
    page.locator("#waiting").click()
    expect(page.locator("#rows tr.is-new")).to_have_count(2)


def test_filters_hold_for_what_comes_in_and_are_in_the_address(site: Site, visit: Visit) -> None:
    page = watching(visit)
    page.get_by_label("Verdict").select_option("refused")
    page.wait_for_url("**verdict=refused*")
    expect(page.locator("#live-chips")).to_contain_text("verdict: refused")
    expect(page.locator("#live-state")).to_have_text("connected")

    call(site)
    call(site, token="a token that nobody has")

    expect(page.locator("#rows tr.is-new").first).to_contain_text("refused")
    assert "accepted" not in (page.locator("#rows").text_content() or "")
    page.go_back()
    expect(page.locator("#live-chips")).not_to_contain_text("refused")
    expect(page.locator("#rows")).to_contain_text("accepted")


def test_a_viewer_sees_it_come_with_its_number_masked(site: Site, open_as: Callable[..., Visit]) -> None:
    visit = open_as("viewer")
    page = watching(visit)

    call(site)

    expect(page.locator("#rows tr.is-new").first).to_contain_text("+1415•••••88")
    assert "14155550188" not in page.content()
    expect(page.get_by_label("Text in body or address")).to_have_count(0)


def test_what_takes_its_time_is_seen_to_go_on(visit: Visit) -> None:
    page = visit.go("/live")
    # Playwright looks at no page that waits for the next one.
    page.evaluate("addEventListener('submit', (event) => event.preventDefault())")
    page.locator("#rows input").first.check()
    page.get_by_role("button", name="Replay").first.click()
    dialog = page.get_by_role("dialog")

    dialog.get_by_role("button", name="Replay", exact=True).click()

    expect(dialog.get_by_role("progressbar", name="Replaying…")).to_be_visible()
    expect(dialog.get_by_role("button", name="Replay", exact=True)).to_be_disabled()


def test_two_callbacks_are_compared_side_by_side(visit: Visit) -> None:
    page = visit.go("/live")
    boxes = page.locator("#rows input")
    compare = page.get_by_role("button", name="Compare")
    expect(compare).to_be_disabled()

    boxes.nth(0).check()
    boxes.nth(1).check()
    compare.click()

    page.wait_for_url("**/live/compare?*")
    assert len(visit.query("id") or [*visit.query("a"), *visit.query("b")]) == 2
    expect(page.get_by_role("heading", level=1)).to_be_visible()
