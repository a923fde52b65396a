"""Who comes in, and what keeps others out, as a real browser does it."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from urllib.parse import parse_qs

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.test_every_page import people
from tests.browser.visiting import Site, Visit
from tests.dashboard import PASSWORD


def sign_in(visit: Visit, name: str, password: str) -> None:
    visit.page.get_by_label("Name").fill(name)
    visit.page.get_by_label("Password").fill(password)
    visit.page.get_by_role("button", name="Sign in").click()


def test_whoever_signs_in_gets_where_they_wanted_to_go(open_as: Callable[..., Visit]) -> None:
    visit = open_as(None)
    visit.expected = {403}
    page = visit.go("/messages?since=7d&q=is:missing")
    expect(page).to_have_url(re.compile(r"/sign-in\?next="))

    sign_in(visit, "viewer", "not the password at all")
    expect(page.get_by_role("alert")).to_be_visible()
    sign_in(visit, "viewer", PASSWORD)

    page.wait_for_url("**/messages?**")
    assert visit.query("q") == ["is:missing"]
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in*")
    visit.go("/messages")
    expect(page).to_have_url(re.compile(r"/sign-in\?next="))


def test_a_session_that_is_over_asks_to_sign_in_and_goes_on(site: Site, open_as: Callable[..., Visit]) -> None:
    visit = open_as(None)
    page = visit.go("/sign-in")
    sign_in(visit, "viewer", PASSWORD)
    page.wait_for_url(f"{site.base_url}/")
    site.rows("DELETE FROM web_sessions WHERE id = (SELECT max(id) FROM web_sessions)")

    page.get_by_role("link", name="Verify").click()

    expect(page).to_have_url(re.compile(r"/sign-in\?next=%2Fverify"))
    sign_in(visit, "viewer", PASSWORD)
    page.wait_for_url("**/verify*")


def test_a_shared_link_shows_its_page_with_numbers_masked_and_nothing_else(
    site: Site, open_as: Callable[..., Visit]
) -> None:
    operator = open_as("operator")
    page = operator.go("/?since=7d&country=US")
    page.get_by_text("Share", exact=True).click()
    page.get_by_role("button", name="Make a link").click()
    page.wait_for_url("**/shared")
    link = re.search(rf"{re.escape(site.base_url)}(/shared/[\w-]+)", page.content())
    assert link is not None

    guest = open_as(None)
    shown = guest.go(link[1])

    expect(shown.get_by_role("heading", level=1)).to_have_text("Overview")
    expect(shown.locator(".chip").first).to_have_text("country: US")
    assert people(site).intersection(re.findall(r"\d{8,15}", shown.content())) == set()
    expect(shown.get_by_role("navigation", name="Pages")).to_have_count(0)
    assert guest.look("faint") == []
    before = shown.url
    shown.locator("#countries tbody a").first.click(force=True)
    assert shown.url == before
    reached = []
    for _ in range(12):
        shown.keyboard.press("Tab")
        reached.append(guest.look("focus"))
    assert {each["name"] for each in reached if each["tag"] == "a"} == {"Skip to the content"}
    guest.go("/?since=7d&country=US")
    expect(shown).to_have_url(re.compile("/sign-in"))


FORM = """<!doctype html><title>A prize</title><form method="post" action="{target}">
<input name="account" value="shop"><input name="sender" value="LANDED"><input name="recipient" value="+14155550166">
<input name="csrf_token" value="{token}"></form><script>document.forms[0].submit()</script>"""


@contextmanager
def another_site(target: str) -> Iterator[str]:
    """A page on another port of the same host, for browsers the same site, that sends a form to `target`."""

    class Prize(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            token = parse_qs(self.path.partition("?")[2]).get("token", [""])[0]
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(FORM.format(target=target, token=token).encode())

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with HTTPServer(("127.0.0.1", 0), Prize) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("knows_the_token", [False, True], ids=["without a token", "with the token"])
def test_a_form_that_another_page_sends_is_refused(browser: Browser, site: Site, knows_the_token: bool) -> None:
    visit = Visit.open(browser, site, "operator")
    token = visit.go("/opt-outs").locator("meta[name=csrf-token]").get_attribute("content")
    sent: list[tuple[int, str | None]] = []
    visit.context.on(
        "response",
        lambda answer: (
            sent.append((answer.status, answer.request.header_value("cookie")))
            if answer.request.method == "POST"
            else None
        ),
    )

    with another_site(f"{site.base_url}/opt-outs") as prize:
        visit.page.goto(f"{prize}?token={token if knows_the_token else ''}")
        visit.page.wait_for_url("**/opt-outs")

    expect(visit.page.locator("main")).to_contain_text("sent by a page that is not ours")
    assert [status for status, _ in sent] == [403]
    assert site.rows("SELECT count(*) FROM opt_outs WHERE recipient = '+14155550166'") == [(0,)]
    visit.close()


def test_an_opt_out_is_added_and_taken_back_by_hand(site: Site, open_as: Callable[..., Visit]) -> None:
    page = open_as("operator").go("/opt-outs")
    page.get_by_role("button", name="Add an opt-out").click()
    page.get_by_label("Account").fill("shop")
    page.get_by_label("Our sender").fill("LANDED")
    page.get_by_label("The person's number").fill("+1 415 555 0155")
    page.get_by_role("button", name="Add", exact=True).click()

    page.wait_for_url("**/opt-outs/*")
    expect(page.get_by_role("status")).to_contain_text("Nothing more is sent there")
    expect(page.get_by_role("heading", level=1)).to_have_text("+14155550155 and LANDED")
    page.once("dialog", lambda question: question.dismiss())
    page.get_by_role("button", name="Take it back").click()
    assert site.rows("SELECT opted_out FROM opt_outs WHERE recipient = '+14155550155'") == [(True,)]
    page.once("dialog", lambda question: question.accept())
    page.get_by_role("button", name="Take it back").click()
    expect(page.get_by_role("status")).to_contain_text("Opted in again")
    assert site.rows("SELECT opted_out FROM opt_outs WHERE recipient = '+14155550155'") == [(False,)]
