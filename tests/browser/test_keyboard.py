"""With the keyboard alone: everything can be reached, in the order in which it is read, and one sees where one is."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.visiting import Visit


@pytest.fixture
def visit(open_as: Callable[..., Visit]) -> Visit:
    return open_as("operator")


def tab(visit: Visit, times: int = 1) -> list[dict[str, Any]]:
    """What has the focus after each press."""
    found = []
    for _ in range(times):
        visit.page.keyboard.press("Tab")
        found.append(visit.look("focus"))
    return found


def test_the_first_press_leads_past_the_navigation(visit: Visit) -> None:
    page = visit.go("/messages?since=7d")

    [first] = tab(visit)

    assert first["name"] == "Skip to the content"
    assert first["isSeen"]
    page.keyboard.press("Enter")
    assert visit.look("focus")["id"] == "content"
    [following] = tab(visit)
    assert following["name"] == "Overview of these"


@pytest.mark.parametrize("address", ["/?since=7d", "/messages?since=7d", "/live", "/opt-outs", "/alerts"])
def test_what_has_the_focus_can_be_seen_to_have_it(visit: Visit, address: str) -> None:
    visit.go(address)

    focused = tab(visit, 34)

    assert [each for each in focused if each["tag"] != "body" and not (each["isSeen"] and each["isMarked"])] == []
    assert [each["name"] for each in focused[1:11]] == [
        "Landed", "Overview", "Messages", "Live", "Verify", "10DLC", "Inbound", "Opt-outs", "Alerts", "Settings",
    ]  # fmt: skip


def test_a_slash_goes_to_the_search(visit: Visit) -> None:
    page = visit.go("/messages?since=7d")

    page.keyboard.press("/")

    expect(page.get_by_label("Search messages")).to_be_focused()
    page.keyboard.type("a/b")
    expect(page.get_by_label("Search messages")).to_have_value("a/b")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=a*")


def test_what_is_a_button_to_those_who_hear_the_page_is_pressed_like_one(visit: Visit) -> None:
    page = visit.go("/?since=24h")

    page.get_by_role("button", name="Compare").focus()
    page.keyboard.press("Space")

    page.wait_for_url("**compare=previous*")


def test_menus_and_dialogs_open_and_close_and_give_the_focus_back(visit: Visit) -> None:
    page = visit.go("/opt-outs")
    opener = page.get_by_role("button", name="Add an opt-out")
    opener.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    inside = page.evaluate("document.querySelector('dialog[open]').contains(document.activeElement)")
    assert inside
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(opener).to_be_focused()

    visit.go("/?since=7d")
    menu = page.locator("details.pop summary", has_text="Share")
    menu.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("For how long")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_label("For how long")).to_be_hidden()
    expect(menu).to_be_focused()


def test_callbacks_are_walked_through_by_j_and_k(visit: Visit) -> None:
    page = visit.go("/live")
    links = page.locator("#rows a")

    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(links.nth(1)).to_be_focused()
    page.keyboard.press("k")
    expect(links.nth(0)).to_be_focused()
    page.keyboard.press("x")
    expect(page.locator("#rows input").first).to_be_checked()
    page.keyboard.press("/")
    assert visit.look("focus")["tag"] == "input"
    page.keyboard.type("j")
    page.keyboard.press("Escape")
    page.locator("#rows a").nth(2).focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/live/*")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
