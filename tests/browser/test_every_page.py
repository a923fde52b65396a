"""Every page there is, in light, in dark and on a phone: it complains of nothing, everybody can read it, and those who
may not see numbers do not."""

import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from tests.browser.visiting import DESKTOP, PHONE, Site, Visit
from tests.serving import eventually
from tests.walking import walk

SINCE: Final = "since=7d"
#: Of these there has to be one at least, `#` an id of something.
KINDS: Final = (
    "/", "/messages", "/messages/#", "/live", "/live/#", "/verify", "/verify/#", "/10dlc", "/10dlc/brands",
    "/10dlc/brands/#", "/10dlc/campaigns/#", "/10dlc/numbers/#", "/inbound", "/inbound/#", "/opt-outs", "/opt-outs/#",
    "/alerts", "/settings", "/settings/accounts", "/account",
)  # fmt: skip


def settled(look: Callable[[], list[str]]) -> list[str]:
    """What is still found after a moment: charts are drawn anew when colours change, and texts fade over."""
    found: list[str] = []

    def is_fine() -> bool:
        found[:] = look()
        return not found

    with suppress(AssertionError):
        eventually(is_fine, 2)
    return found


def test_every_page_can_be_read_by_everybody(open_as: Callable[..., Visit]) -> None:
    visit = open_as("admin")
    found: dict[str, list[Any]] = {}

    def look(address: str) -> str:
        page = visit.go(address)
        problems = settled(lambda: visit.look("faint")) + visit.look("unclear")
        page.emulate_media(color_scheme="dark")
        problems += [f"dark: {each}" for each in settled(lambda: visit.look("faint"))]
        page.set_viewport_size(PHONE)
        problems += [f"phone: {each}" for each in settled(lambda: visit.look("tooWide"))]
        page.set_viewport_size(DESKTOP)
        page.emulate_media(color_scheme="light")
        if problems:
            found[address] = problems
        return page.content()

    seen = walk(look, f"/?{SINCE}", filters=False)

    assert found == {}
    kinds = {re.sub(r"/(?!10dlc)[^/]*\d[^/]*", "/#", address.partition("?")[0]) for address in seen}
    assert [kind for kind in KINDS if kind not in kinds] == []


def test_on_a_phone_menus_open_within_the_window(site: Site, open_as: Callable[..., Visit]) -> None:
    visit = open_as("operator", viewport=PHONE)
    [(alert,)] = site.rows("SELECT id FROM alerts LIMIT 1")
    for address in ("/?since=2026-01-01T10:00&until=2026-12-28T10:00", f"/alerts/{alert}"):
        page = visit.go(address)
        menus = page.locator("main details.pop")
        assert menus.count() > 0
        for at in range(menus.count()):
            menus.nth(at).locator("summary").click()
            box = menus.nth(at).locator(".pop-body").bounding_box()
            assert box is not None
            assert 0 <= box["x"] < box["x"] + box["width"] <= PHONE["width"]
            page.keyboard.press("Escape")


def test_on_a_phone_long_rows_are_read_without_scrolling_sideways(site: Site, open_as: Callable[..., Visit]) -> None:
    site.rows(
        "INSERT INTO audit_log (at, actor, action, target, address, times) VALUES (now(), 'user:with-a-long-name',"
        " 'user.signed_out_everywhere', 'callback:0b8f1234-5678-4321-8765-432112345678 to http://127.0.0.1:3000',"
        " '2001:db8:1234:5678:1234:5678:1234:5678', 2)"
    )
    visit = open_as("admin", viewport=PHONE)
    for address in ("/settings/audit", "/settings/values"):
        page = visit.go(address)
        [widths] = page.locator(".table-wrap:has(.stacked)").evaluate_all(
            "(all) => all.map((each) => [each.scrollWidth, each.clientWidth])"
        )
        assert widths[0] <= widths[1], address


def test_pages_for_those_outside_can_be_read_by_everybody(open_as: Callable[..., Visit]) -> None:
    visit = open_as(None)
    visit.expected = {403, 404}
    for address in ("/sign-in", "/sign-in/none", "/start/none", "/shared/none", "/nowhere"):
        for scheme in ("light", "dark"):
            visit.page.emulate_media(color_scheme=scheme)
            page = visit.go(address)
            assert settled(lambda: visit.look("faint")) == [], address
            assert visit.look("unclear") == [], address
            page.set_viewport_size(PHONE)
            assert visit.look("tooWide") == [], address


def test_looking_notices_what_is_wrong(open_as: Callable[..., Visit]) -> None:
    """Else it would look in vain."""
    visit = open_as("viewer")
    page = visit.go("/account")
    assert (visit.look("faint"), visit.look("unclear"), visit.look("tooWide")) == ([], [], [])
    page.evaluate("""() => {
        const wrong = document.createElement("p");
        wrong.append("too faint", document.createElement("button"), document.createElement("h1"));
        document.querySelector("main").append(wrong);
        const styles = new CSSStyleSheet();
        styles.replaceSync("main p:last-child { color: #999; background: #fff; width: 3000px } h1 { min-height: 9px }");
        document.adoptedStyleSheets = [styles];
        wrong.querySelector("h1").append("another");
    }""")

    assert "too faint" in visit.look("faint")[0]
    assert {"2 headings of the first level", "button. has no name: <button></button>"} <= set(visit.look("unclear"))
    assert visit.look("tooWide")


def people(site: Site) -> set[str]:
    """Numbers of people, as digits; those that are ours as well, and the examples of search fields, are not secret."""
    found = site.rows(
        """SELECT CASE direction WHEN 'outbound' THEN recipient ELSE sender END FROM messages
           UNION SELECT recipient FROM sessions UNION SELECT recipient FROM opt_outs
           EXCEPT (SELECT CASE direction WHEN 'outbound' THEN sender ELSE recipient END FROM messages
                   UNION SELECT number FROM number_links UNION SELECT sender FROM opt_outs
                   UNION SELECT '+14155550123')"""
    )
    return {number.removeprefix("+") for (number,) in found if number and len(number) > 7}


def test_a_viewer_sees_no_number_of_anybody_on_any_page(site: Site, open_as: Callable[..., Visit]) -> None:
    visit, secrets = open_as("viewer"), people(site)
    assert len(secrets) > 300
    told: dict[str, set[str]] = {}

    def look(address: str) -> str:
        html = visit.go(address).content()
        found = secrets.intersection(re.findall(r"\d{8,15}", html))
        if found:
            told[address] = found
        return html

    seen = walk(look, f"/?{SINCE}", filters=False)

    assert told == {}
    assert len(seen) > 25
