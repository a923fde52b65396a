"""The pages about messages, sessions, registrations, inbound messages and opt-outs say what is in the database, filter
by all that their address says, and hide people's numbers and texts from those who may not see them."""

import asyncio
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode

import psycopg
import pytest

from landed.domain.periods import Period
from landed.services.framing import Compare
from landed.services.funnel import FunnelReporter
from landed.services.funnel import Question as FunnelQuestion
from landed.services.guessing import NUMBERS_MAX
from landed.services.overview import Overviewer, OverviewQuestion
from landed.web.dashboard import formats
from tests import filled
from tests.dashboard import House, Visitor, dashboard
from tests.databases import Databases
from tests.end_to_end.test_opt_outs import NO_NUMBERS
from tests.markup import Markup
from tests.walking import walk

NOW: Final = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
PERIOD: Final = Period(NOW - timedelta(hours=40), NOW)
#: In an address; whole hours, so that counters tell the very same period.
WITHIN: Final = urlencode({"since": f"{PERIOD.since:%Y-%m-%dT%H:00Z}", "until": f"{PERIOD.until:%Y-%m-%dT%H:00Z}"})
PAGES: Final = ("/", "/messages", "/verify", "/10dlc", "/10dlc/brands", "/10dlc/campaigns", "/10dlc/numbers",
                "/inbound", "/opt-outs")  # fmt: skip


@pytest.fixture(scope="module")
def house(databases: Databases) -> Iterator[House]:
    """One for all that leaves the messages as they are."""
    with databases.fresh() as database:
        asyncio.run(filled.fill(database, now=datetime.now(UTC)))
        with dashboard(database) as house:
            yield house


@pytest.fixture(scope="module")
def operator(house: House) -> Visitor:
    return house.visitor("operator")


def rows(house: House, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(house.database_url) as connection:
        return connection.execute(statement.encode(), values).fetchall()


def listed(visitor: Visitor, address: str, table: str = "messages") -> list[str]:
    """The addresses of all that a list holds, from page to page."""
    found: list[str] = []
    path = address.partition("?")[0]
    while True:
        page = Markup(visitor.page(address))
        found += [row.links[0].partition("?")[0] for row in page.tables.get(table, [])]
        following = page.next()
        if following is None:
            return found
        address = path + following


def headline(page: Markup) -> int:
    """How many messages the overview says there are."""
    found = re.search(r"Messages\s+([\d,]+)", page.text[page.text.index("Compare") :])
    return int(found[1].replace(",", "")) if found else 0


def of_these(page: Markup) -> str:
    """Where the overview leads for the messages that it counts."""
    return next(link.href for link in page.links if (link.text, link.style) == ("Messages", "button"))


# --- figures -----------------------------------------------------------------------------------------------------


def test_the_overview_shows_the_figures_that_the_service_tells(house: House, operator: Visitor) -> None:
    asked = OverviewQuestion(period=PERIOD, compare=Compare.PREVIOUS)
    seen = house.run(Overviewer(house.engine, house.providers).overview(asked, account_id=None))

    page = Markup(operator.page(f"/?{WITHIN}&compare=previous"))

    text = " ".join(page.text.split())
    for title, value in (
        ("Messages", formats.count(seen.totals.messages)),
        ("Delivered", formats.share(seen.totals.delivery_rate)),
        ("Failed", formats.share(seen.totals.failure_rate)),
        ("Without a receipt", formats.share(seen.totals.missing_rate)),
        ("Median to deliver", formats.seconds(seen.totals.latency_s.p50)),
        ("p95 to deliver", formats.seconds(seen.totals.latency_s.p95)),
        ("Spend", formats.spend(seen.totals.cost)),
        ("Not final yet", formats.count(seen.totals.pending)),
        ("Codes typed in", formats.share(seen.funnel.conversion_rate)),
        ("Converted", formats.share(seen.totals.conversion_rate)),
    ):
        assert " ".join(f"{title} {value}".split()) in text
    for table, told, names in (
        ("countries", seen.by_country, [formats.country(row.country) for row in seen.by_country.rows]),
        ("senders", seen.by_sender, [row.sender for row in seen.by_sender.rows]),
        ("accounts", seen.by_account, [row.account for row in seen.by_account.rows]),
        ("channels", seen.by_channel, [row.channel for row in seen.by_channel.rows]),
    ):
        shown = [(row.cells[0].strip(), row.cells[2].split("\n")[0]) for row in page.tables[table]][: len(told.rows)]
        assert [cell for cell, _ in shown] == names
        for (_, delivered), row in zip(shown, told.rows, strict=True):
            assert delivered.startswith(formats.share(row.delivery_rate))
    assert [row.links[0] for row in page.tables["errors"] if row.links] == [
        f"?{WITHIN}&compare=previous&error_code={quote(row.error_code, safe='').replace('%20', '+')}"
        for row in seen.errors.rows
    ]


def test_the_verify_page_shows_the_figures_that_the_service_tells(house: House, operator: Visitor) -> None:
    [row] = house.run(FunnelReporter(house.engine).funnel(FunnelQuestion(period=PERIOD), account_id=None)).data

    page = Markup(operator.page(f"/verify?{WITHIN}"))

    shown = [each.cells[2] for each in page.tables["funnel"]]
    assert shown == [formats.count(count) for count in (row.started, row.sent, row.delivered, row.verified)]
    assert len(listed(operator, f"/verify?{WITHIN}", "sessions")) == row.started
    for each in page.tables["by-country"]:
        assert len(listed(operator, f"/verify{each.links[0]}", "sessions")) == int(each.cells[1])


@pytest.mark.parametrize(
    "filters",
    [
        "",
        "account=shop",
        "account=shop&account=mall",
        "provider=routee",
        "provider=plivo&provider=routee",
        "country=US",
        "country=us&country=DE",
        "country=none",
        "network=310-260",
        "network=262",
        "network=262-none",
        "network=none",
        "sender=LANDED",
        "sender=14155550100",
        "sender=%3DSUM(A1)",
        "channel=sms",
        "channel=mms&channel=whatsapp",
        "direction=inbound",
        "direction=inbound&sender=LANDED",
        "direction=outbound&direction=inbound",
        "status=failed",
        "status=failed&status=undelivered&status=expired",
        "error_code=30",
        "error_code=30&error_code=none",
        "error_code=Invalid+number",
        "tag=otp",
        "tag=a,+b",
        "currency=EUR",
        "currency=none",
        "country=US&network=310-260&status=delivered&account=bank",
        "country=XX",
    ],
)
def test_the_same_filters_hold_on_overview_and_list(operator: Visitor, filters: str) -> None:
    overview = Markup(operator.page(f"/?{WITHIN}&{filters}"))

    found = listed(operator, of_these(overview))

    assert len(found) == headline(overview)
    assert bool(found) is (filters not in ("country=none", "country=XX"))


def test_what_a_row_is_pressed_for_is_what_it_counts(operator: Visitor) -> None:
    page = Markup(operator.page(f"/?{WITHIN}"))
    for table in ("countries", "networks", "senders", "accounts", "channels"):
        for row in page.tables[table][:4]:
            there = Markup(operator.page(f"/{row.links[0]}"))
            assert headline(there) == int(row.cells[1].replace(",", "")), (table, row.cells)
            assert len(listed(operator, of_these(there))) == headline(there)


def test_every_bar_leads_to_the_messages_that_it_counts(operator: Visitor) -> None:
    page = Markup(operator.page(f"/?{WITHIN}"))
    for trace in page.data["over-time-data"]["traces"]:
        most = max(range(len(trace["y"])), key=trace["y"].__getitem__)
        there = Markup(operator.page(f"/{trace['links'][most]}"))
        assert len(listed(operator, of_these(there))) == headline(there) == trace["y"][most]
    [bars] = page.data["distribution-data"]["traces"]
    assert sum(bars["y"]) > 100
    for count, link in zip(bars["y"], bars["links"], strict=True):
        assert len(listed(operator, link)) == count, link


def test_a_figure_leads_to_the_messages_that_it_counts(house: House, operator: Visitor) -> None:
    asked = OverviewQuestion(period=PERIOD)
    seen = house.run(Overviewer(house.engine, house.providers).overview(asked, account_id=None))
    page = Markup(operator.page(f"/?{WITHIN}"))
    cards = {link.text.split("\n")[1].strip(): link.href for link in page.links if link.style == "card"}

    assert len(listed(operator, cards["Messages"])) == seen.totals.messages
    assert len(listed(operator, cards["Without a receipt"])) == seen.totals.receipts_missing
    assert headline(Markup(operator.page(f"/{cards['Failed']}"))) == seen.totals.failed + seen.totals.undelivered
    assert headline(Markup(operator.page(f"/{cards['Not final yet']}"))) == seen.totals.pending
    assert seen.totals.receipts_missing


def test_what_went_wrong_leads_to_those_messages(operator: Visitor) -> None:
    page = Markup(operator.page(f"/?{WITHIN}&account=shop"))
    for row in page.tables["errors"]:
        if row.links:
            assert headline(Markup(operator.page(f"/{row.links[0]}"))) == int(row.cells[1].replace(",", ""))
    for link in page.links:
        if (found := re.fullmatch(r"(?:\w+ ?)+: ([\d,]+)", link.text.strip())) and "error_code=" in link.href:
            assert headline(Markup(operator.page(f"/{link.href}"))) == int(found[1].replace(",", ""))


# --- lists -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("term", "condition"),
    [
        ("status:failed,undelivered", "status IN ('failed', 'undelivered')"),
        ("segments:>1", "units > 1"),
        ("segments:>=2 segments:<7", "units >= 2 AND units < 7"),
        ("units:2", "units = 2"),
        ("latency:>30s", "latency_ms > 30000"),
        ("latency:>500ms latency:<=0.5min", "latency_ms > 500 AND latency_ms <= 30000"),
        ("is:missing", "receipt_missing"),
        ("is:contradictory", "contradictory"),
        ("is:converted", "converted"),
        ("is:unconverted", "NOT converted"),
        ("network:310-260,262", "(mcc = '310' AND mnc = '260' OR mcc = '262')"),
        ("network:262-none", "mcc = '262' AND mnc IS NULL"),
        ("network:none", "mcc IS NULL"),
        ("code:30 country:us", "error_code = '30' AND country = 'US'"),
        ('tag:"a, b"', "'a, b' = ANY(tags)"),
        ("currency:eur,none", "(currency = 'EUR' OR currency IS NULL)"),
        ("from:LANDED direction:outbound", "sender = 'LANDED' AND direction = 'outbound'"),
        ("provider:routee", "account_id = 3"),
        ("account:bank channel:sms", "account_id = 2 AND channel = 'sms'"),
        ("latency:>1000d", "false"),
    ],
)
def test_a_search_finds_what_its_terms_say(house: House, operator: Visitor, term: str, condition: str) -> None:
    found = listed(operator, f"/messages?{WITHIN}&q={quote(term)}")

    should = rows(
        house,
        f"SELECT '/messages/' || id FROM messages WHERE submitted_at >= %s AND submitted_at < %s AND ({condition})"
        " ORDER BY submitted_at DESC, id DESC",
        *PERIOD,
    )
    assert found == [path for (path,) in should]


def test_one_message_is_found_by_its_number_and_by_either_id(house: House, operator: Visitor) -> None:
    [(our_id, theirs, number)] = rows(
        house,
        "SELECT id, provider_message_id, recipient FROM messages WHERE direction = 'outbound' AND account_id = 1"
        " AND submitted_at >= %s AND submitted_at < %s ORDER BY id LIMIT 1",
        *PERIOD,
    )
    written = f"({number[1:4]}) {number[4:8]}-{number[8:]}"
    for text in (str(our_id), theirs, number, number[1:], written, f"to:{number}"):
        found = listed(operator, f"/messages?{WITHIN}&{urlencode({'q': text})}")
        assert f"/messages/{our_id}" in found, text
    assert theirs in operator.page(f"/messages/{our_id}")
    assert str(our_id) in operator.page(f"/messages/{theirs}")


@pytest.mark.parametrize(
    ("path", "table"),
    [("/messages", "messages"), ("/verify", "sessions"), ("/inbound", "inbound"), ("/10dlc/brands", "things")],
)
def test_pages_of_a_list_have_neither_gaps_nor_repeats(house: House, operator: Visitor, path: str, table: str) -> None:
    all_of_them = {
        "/messages": "messages",
        "/verify": "sessions",
        "/inbound": "messages WHERE direction = 'inbound'",
        "/10dlc/brands": "brands",
    }
    found = listed(operator, f"{path}?since=30d", table)

    assert len(found) > 25
    assert len(set(found)) == len(found)
    assert rows(house, f"SELECT count(*) FROM {all_of_them[path]}") == [(len(found),)]


# --- addresses that make no sense ----------------------------------------------------------------------------------

PARAMETERS: Final = ("since", "until", "time_zone", "bucket", "compare", "account", "provider", "country", "network",
                     "sender", "channel", "direction", "status", "error_code", "tag", "currency", "intent", "source",
                     "state", "has_media", "q", "cursor", "unheard_of")  # fmt: skip
NONSENSE: Final = ("', (SELECT 1)--", "\x00", "\udcff", "x" * 600, "-1", "9" * 40, "0001-01-01", "9999-12-31T23:59:59",
                   "10000d", "😀 é", "none", "to:", "latency:>9e9d", "segments:>99999999999", "eyJ9", "../etc/passwd",
                   "Europe/../Berlin", "minute", "262-", "²")  # fmt: skip


@pytest.mark.parametrize("path", PAGES)
def test_whatever_an_address_says_the_answer_is_a_page_or_a_sentence(operator: Visitor, path: str) -> None:
    for number, name in enumerate(PARAMETERS):
        for value in NONSENSE[number % 4 :: 4]:
            query = f"{name}={quote(value, errors='surrogateescape')}"
            answer = operator.get(f"{path}?{query}")
            assert answer.status_code in (200, 422), (path, query, answer.status_code)
            if answer.status_code == 422:
                assert re.search(r"<p[^>]*>[^<]{15,}[.;]|role=\"alert\">[^<]{15,}\.", answer.text), (path, query)
                assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("/?since=yesterday", "is no moment"),
        ("/?since=2026-02-02&until=2026-01-01", "ends before it begins"),
        ("/?time_zone=Mars/Base", "is no time zone"),
        ("/?bucket=fortnight", "is no bucket"),
        ("/?account=nobody", "There is no account"),
        ("/?network=T-Mobile", "MCC and MNC"),
        ("/?provider=twilio", "There is no account at"),
        ("/messages?status=lost", "There is no status"),
        ("/messages?q=status:lost", "is not known"),
        ("/messages?q=colour:red", "There is no term"),
        ("/messages?q=latency:soon", "is not written like"),
        ("/messages?cursor=x", "cursor"),
        ("/verify?status=lost", "There is no status"),
        ("/inbound?has_media=maybe", "yes or no"),
        ("/opt-outs?state=maybe", "out or in"),
        ("/10dlc/brands?status=lost", "There is no status"),
    ],
)
def test_a_filter_that_makes_no_sense_is_told_so_in_a_sentence(operator: Visitor, address: str, sentence: str) -> None:
    answer = operator.get(address)

    assert answer.status_code == 422
    assert sentence in Markup(answer.text).text


@pytest.mark.parametrize("path", ["/messages/", "/verify/", "/inbound/", "/opt-outs/", "/10dlc/brands/", "/10dlc/"])
def test_what_is_not_there_is_not_found(operator: Visitor, path: str) -> None:
    nil = "00000000-0000-0000-0000-000000000000"
    for wrong in ("x", "0", "9" * 30, quote("' OR 1=1"), nil, "%00", "%ff", "x" * 900):
        assert operator.get(f"{path}{wrong}").status_code in (404, 422), wrong


# --- who may see what ----------------------------------------------------------------------------------------------


#: What search fields show as an example.
EXAMPLE: Final = "14155550123"


def people(house: House) -> set[str]:
    """Every number of a person in the database, as digits."""
    numbers = rows(
        house,
        """SELECT CASE direction WHEN 'outbound' THEN recipient ELSE sender END FROM messages
           UNION SELECT recipient FROM sessions UNION SELECT recipient FROM opt_outs""",
    )
    ours = rows(
        house,
        """SELECT CASE direction WHEN 'outbound' THEN sender ELSE recipient END FROM messages
           UNION SELECT number FROM number_links UNION SELECT sender FROM opt_outs""",
    )
    found = {number for (number,) in numbers} - {number for (number,) in ours}
    return {number.removeprefix("+") for number in found if number and len(number) > 7} - {EXAMPLE}


def texts(house: House) -> set[str]:
    found = rows(house, "SELECT DISTINCT content->>'text' FROM messages WHERE content IS NOT NULL")
    return {text for (text,) in found if text and len(text) > 12}


def told(html: str, secrets: set[str]) -> set[str]:
    """Which of them a page tells."""
    digits = set(re.findall(r"\d{7,15}", html))
    return {secret for secret in secrets if (secret in digits if secret.isdigit() else secret in html)}


def all_pages(visitor: Visitor) -> dict[str, str]:
    """The HTML of all pages that links lead to, by address."""
    found: dict[str, str] = {}

    def page(address: str) -> str | None:
        answer = visitor.get(address)
        assert answer.status_code == 200, f"{address}: {answer.status_code}"
        found[address] = answer.text
        return answer.text if answer.headers["content-type"].startswith("text/html") else None

    walk(page, f"/?{WITHIN}")
    return found


def test_a_viewer_reads_every_page_and_no_number_or_text_of_anybody(house: House) -> None:
    secrets = people(house) | texts(house)
    assert len(secrets) > 500

    seen = all_pages(house.visitor("viewer"))

    assert {path.partition("?")[0] for path in seen} >= set(PAGES)
    assert [(address, told(html, secrets)) for address, html in seen.items() if told(html, secrets)] == []


def test_an_operator_reads_every_page_with_numbers_and_texts(house: House, operator: Visitor) -> None:
    seen = all_pages(operator)

    found = told("".join(seen.values()), people(house) | texts(house))
    assert len(found) > 100
    assert found & texts(house)


def test_lists_hide_numbers_from_viewers_on_every_page_of_them(house: House) -> None:
    viewer, secrets = house.visitor("viewer"), people(house)
    for path, query in (("/messages", "q=direction:inbound"), ("/messages", "q=to:%2B49"), ("/opt-outs", "")):
        assert told(viewer.page(f"{path}?{WITHIN}&{query}"), secrets) == set()


def test_a_viewer_finds_no_number_out_by_looking_for_one_after_another(house: House) -> None:
    viewer, operator = house.visitor("viewer", name="guesser"), house.visitor("operator")
    for half in (range(NUMBERS_MAX // 2), range(NUMBERS_MAX // 2, NUMBERS_MAX)):
        tried = ",".join(f"1415555{n:04}" for n in half)
        viewer.page(f"/messages?q=from:{tried}")
        operator.page(f"/messages?q=from:{tried}")

    for path in ("/messages", "/inbound", "/verify", "/opt-outs", "/10dlc/numbers"):
        refused = viewer.get(f"{path}?q=%2B14155559999")
        assert refused.status_code == 429, path
        assert 3500 < int(refused.headers["retry-after"]) <= 3600
        assert "you can look for 60 different ones an hour. Go on in 60 min" in refused.text
        assert 'href="/messages' in refused.text
        assert operator.get(f"{path}?q=%2B14155559999").status_code == 200
        assert viewer.get(f"{path}?q=14155550000").status_code == 200
    script = viewer.get("/messages?q=14155559999", headers={"Accept": "application/json"})
    assert (script.status_code, script.json()["code"]) == (429, "search_throttled")
    assert viewer.get("/live?q=5559999").status_code == 422


def test_a_shared_overview_tells_no_number_and_leads_nowhere(house: House, operator: Visitor) -> None:
    answer = operator.post("/shared", path="/", query=f"{WITHIN}&country=US", days="1")
    link = re.search(r"https://landed\.test(/shared/[\w-]+)", answer.text)
    assert link is not None

    page = Markup(house.visitor().page(link[1]))

    assert told(page.html, people(house)) == set()
    assert headline(page) == headline(Markup(operator.page(f"/?{WITHIN}&country=US")))
    assert {each.href for each in page.links} <= {"", "#content"}
    assert not [link for data in page.data.values() for trace in data["traces"] for link in trace["links"] if link]


# --- opt-outs by hand ----------------------------------------------------------------------------------------------

WHO: Final = {"account": "shop", "sender": "LANDED", "recipient": "+1 (415) 555-0177"}


def test_an_opt_out_is_added_and_taken_back_by_operators(house: House) -> None:
    operator = house.visitor("operator")

    added = operator.post("/opt-outs", **WHO)

    assert added.status_code == 303
    where = added.headers["location"]
    page = operator.page(where)
    assert "+14155550177 and LANDED" in page
    assert "Nothing more is sent there" in page
    assert rows(house, "SELECT opted_out FROM opt_outs WHERE recipient = '+14155550177'") == [(True,)]
    assert operator.post(where, state="in").status_code == 303
    assert "opted in again" in operator.page(where)
    assert [(action, target) for _, action, target in house.audit()[:2]] == [
        ("opt_out.taken_back", f"opt_out:{where.rpartition('/')[2]}"),
        ("opt_out.added", f"opt_out:{where.rpartition('/')[2]}"),
    ]
    assert "4155550177" not in str(house.audit())


def test_opt_outs_are_not_for_viewers_nor_for_forms_of_others(house: House) -> None:
    viewer, operator = house.visitor("viewer"), house.visitor("operator")
    before = rows(house, "SELECT count(*) FROM opt_outs"), house.audit()[:1]

    assert viewer.post("/opt-outs", **WHO).status_code == 403
    assert operator.send("/opt-outs", WHO).status_code == 403
    forged = {"csrf_token": operator.token(), **WHO}
    assert operator.send("/opt-outs", forged, headers={"Origin": "https://evil.test"}).status_code == 403
    assert "Add an opt-out" not in viewer.page("/opt-outs")
    assert (rows(house, "SELECT count(*) FROM opt_outs"), house.audit()[:1]) == before


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"account": ""}, "Fill in the account"),
        ({"account": "nobody"}, "There is no account"),
        ({"recipient": ""}, "Fill in recipient"),
        ({"sender": "x" * 400}, "sent from"),
        ({"recipient": "not a number"}, "number"),
        *(({"recipient": recipient}, "with its country code") for recipient in NO_NUMBERS),
    ],
)
def test_an_opt_out_that_cannot_be_is_told_so(operator: Visitor, fields: dict[str, str], sentence: str) -> None:
    answer = operator.post("/opt-outs", **(WHO | fields))

    assert answer.status_code == 422
    assert sentence in Markup(answer.text).text


def test_only_in_or_out_changes_an_opt_out(house: House, operator: Visitor) -> None:
    where = operator.post("/opt-outs", **WHO).headers["location"]

    assert operator.post(where, state="sideways").status_code == 422
    assert rows(house, "SELECT opted_out FROM opt_outs WHERE recipient = '+14155550177'") == [(True,)]


# --- where there is nothing ----------------------------------------------------------------------------------------


def test_pages_without_anything_say_what_to_do_next(database: str) -> None:
    with dashboard(database) as house:
        viewer = house.visitor("viewer")
        for path, step in (
            ("/", "landed accounts add plivo"),
            ("/messages", "landed demo"),
            ("/verify", "landed verify start"),
            ("/10dlc", "landed 10dlc apply"),
            ("/inbound", "callback URL"),
            ("/opt-outs", "STOP"),
            ("/live", "landed trigger"),
        ):
            page = viewer.page(path)
            assert 'class="empty"' in page, path
            assert step in Markup(page).text, path
        assert "/settings/accounts" not in viewer.page("/live")
        assert "/settings/accounts" in house.visitor("operator").page("/live")
        assert "Clear them" in viewer.page("/?country=US")
        assert "Take all filters away" in viewer.page("/messages?country=US")
        for path in PAGES:
            assert viewer.get(f"{path}?q=%2B14155550100&status=none").status_code in (200, 422)


def test_the_period_goes_along_from_page_to_page(operator: Visitor) -> None:
    page = Markup(operator.page(f"/messages?{WITHIN}&country=US&account=shop"))

    overview = dict(parse_qsl(page.link("Overview of these").partition("?")[2]))
    verify = dict(parse_qsl(page.link("Verify").partition("?")[2]))

    assert overview == {**dict(parse_qsl(WITHIN)), "account": "shop", "country": "US"}
    assert verify == {**dict(parse_qsl(WITHIN)), "account": "shop"}
