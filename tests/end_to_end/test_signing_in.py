"""Who comes in to the pages, how long, and how hard it is made for everybody else."""

import asyncio
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psycopg
import pytest

from landed.domain.users import Backoff, Role
from landed.services import users as services
from landed.services.passwords import Passwords
from landed.services.signing_in import IDLE_MAX, SESSION_MAX
from landed.store import sign_in_failures, users
from tests.dashboard import PASSWORD, Clock, House, Visitor, dashboard

WRONG = "wrong horse battery staple"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def house(database: str, clock: Clock) -> Iterator[House]:
    with dashboard(database, clock=clock) as house:
        house.add_user("anna", "operator")
        yield house


def sign_in(visitor: Visitor, name: str = "anna", password: str = PASSWORD, **fields: str) -> httpx.Response:
    return visitor.post("/sign-in", token_from="/sign-in", name=name, password=password, **fields)


def rows(house: House, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(house.database_url) as connection:
        return connection.execute(statement.encode()).fetchall()


def test_the_right_password_signs_in_and_goes_where_one_wanted_to(house: House) -> None:
    visitor = house.visitor()
    wanted = visitor.get("/settings?since=7d")
    assert wanted.status_code == 303
    assert wanted.headers["location"] == "/sign-in?next=%2Fsettings%3Fsince%3D7d"

    answer = sign_in(visitor, " Anna ", next="/settings?since=7d")

    assert (answer.status_code, answer.headers["location"]) == (303, "/settings?since=7d")
    assert "anna" in visitor.page("/settings?since=7d")
    assert ("user:anna", "user.signed_in", "user:anna") in house.audit()


@pytest.mark.parametrize("name", ["anna", "nobody", "ANNA\n", "", "'; DROP TABLE users", "a" * 5000, "\u202eanna"])
def test_a_wrong_password_or_name_gets_one_answer_for_all(house: House, name: str) -> None:
    answer = sign_in(house.visitor(), name, WRONG)

    assert answer.status_code == 403
    assert "That name and password do not fit together." in answer.text
    assert "set-cookie" not in answer.headers or "session" not in answer.headers["set-cookie"]


def test_a_password_typed_as_the_name_is_not_written_down(house: House) -> None:
    sign_in(house.visitor(), "my secret password", WRONG)
    sign_in(house.visitor(), "anna", WRONG)

    failures = [target for _, action, target in house.audit() if action == "user.sign_in_failed"]
    assert failures == ["user:anna", None]


def test_after_some_wrong_passwords_even_the_right_one_has_to_wait(house: House, clock: Clock) -> None:
    for _ in range(6):
        assert sign_in(house.visitor(), password=WRONG).status_code == 403

    refused = sign_in(house.visitor())
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) >= 1

    clock.go_on(seconds=3)
    assert sign_in(house.visitor()).status_code == 303


def test_the_delay_grows_with_each_wrong_password_up_to_a_limit(house: House, clock: Clock) -> None:
    waits = []
    for _ in range(22):
        answer = sign_in(house.visitor(), password=WRONG)
        while answer.status_code == 429:
            waits.append(int(answer.headers["retry-after"]))
            clock.go_on(seconds=waits[-1] + 1)
            answer = sign_in(house.visitor(), password=WRONG)

    assert waits == sorted(waits)
    assert waits[0] <= 2
    assert waits[-1] == 15 * 60


def test_a_browser_that_was_signed_in_before_is_not_locked_out_by_others(house: House, clock: Clock) -> None:
    known = house.visitor(transport=house.transport_from("192.0.2.1"))
    assert sign_in(known).status_code == 303
    known.post("/sign-out")
    for n in range(30):
        sign_in(house.visitor(transport=house.transport_from(f"198.51.100.{n}")), password=WRONG)

    assert sign_in(house.visitor(transport=house.transport_from("203.0.113.9"))).status_code == 429
    assert sign_in(known).status_code == 303


def test_one_address_cannot_try_the_names_of_many(house: House) -> None:
    statuses = [sign_in(house.visitor(), f"user{n}", WRONG).status_code for n in range(25)]

    assert statuses[:20] == [403] * 20
    assert statuses[-1] == 429


def test_tries_of_long_ago_are_forgotten(house: House, clock: Clock) -> None:
    for _ in range(6):
        sign_in(house.visitor(), password=WRONG)
    clock.go_on(hours=25)
    sign_in(house.visitor(), "somebody", WRONG)

    assert rows(house, "SELECT count(*) FROM sign_in_failures") == [(2,)]


def test_whoever_has_to_wait_fills_nothing_with_names_he_makes_up(house: House) -> None:
    for n in range(25):
        sign_in(house.visitor(), f"user{n}", WRONG)
    before = rows(house, "SELECT count(*) FROM sign_in_failures")

    delayed = [sign_in(house.visitor(), f"other{n}", WRONG).status_code for n in range(5)]

    assert delayed == [429] * 5
    assert rows(house, "SELECT count(*) FROM sign_in_failures") == before


def test_a_try_counts_that_comes_while_the_one_before_is_forgiven(house: House, clock: Clock) -> None:
    backoffs = {"browser": Backoff(free=5, delay_max=timedelta(minutes=1))}
    waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"

    async def begin() -> datetime | None:
        return await sign_in_failures.begin(house.pool, backoffs, clock.now, timedelta(hours=1))

    house.run(begin())
    with psycopg.connect(house.database_url) as forgiving:
        forgiving.execute("SELECT FROM sign_in_failures FOR UPDATE")

        async def at_once() -> datetime | None:
            trying = asyncio.create_task(begin())
            async with asyncio.timeout(10):
                while rows(house, waits) == [(0,)]:  # noqa: ASYNC110  nothing tells of it
                    await asyncio.sleep(0.01)
            forgiving.execute("DELETE FROM sign_in_failures")
            forgiving.commit()
            return await trying

        assert house.run(at_once()) is None
    assert rows(house, "SELECT failures FROM sign_in_failures") == [(1,)]


def test_the_database_holds_neither_password_nor_cookie(house: House) -> None:
    visitor = house.visitor()
    sign_in(visitor)
    cookie = visitor.cookies["__Host-landed-session"]

    kept = str(rows(house, "SELECT u::text, w::text FROM users u JOIN web_sessions w ON user_id = u.id"))
    assert PASSWORD not in kept
    assert cookie not in kept
    assert "$argon2id$" in kept


def test_cookies_are_for_this_host_and_no_script(house: House) -> None:
    for cookie in sign_in(house.visitor()).headers.get_list("set-cookie"):
        assert cookie.startswith("__Host-landed-")
        for word in ("HttpOnly", "Secure", "SameSite=lax", "Path=/"):
            assert word in cookie
        assert "Domain" not in cookie


def test_without_https_the_cookie_has_no_prefix_that_browsers_would_refuse(database: str) -> None:
    with dashboard(database, public_url="http://127.0.0.1:8080") as house:
        house.add_user("anna", "viewer")
        visitor = house.visitor(base_url="http://127.0.0.1:8080")

        cookies = sign_in(visitor).headers.get_list("set-cookie")

        assert any(cookie.startswith("landed-session=") for cookie in cookies)
        assert not any("Secure" in cookie for cookie in cookies)


def test_signing_in_changes_the_token_and_ends_the_session_before(house: House) -> None:
    visitor = house.visitor()
    sign_in(visitor)
    first = visitor.cookies["__Host-landed-session"]
    sign_in(visitor)

    assert visitor.cookies["__Host-landed-session"] != first
    stale = house.visitor()
    stale.cookies.set("__Host-landed-session", first)
    assert stale.get("/account").status_code == 303


def test_a_session_ends_when_nobody_uses_it(house: House, clock: Clock) -> None:
    visitor = house.visitor("viewer")
    clock.now += IDLE_MAX / 2
    assert visitor.get("/account").status_code == 200
    clock.now += IDLE_MAX * 0.9
    assert visitor.get("/account").status_code == 200
    clock.now += IDLE_MAX
    assert visitor.get("/account").status_code == 303


def test_a_session_ends_however_much_it_is_used(house: House, clock: Clock) -> None:
    visitor, until = house.visitor("viewer"), clock.now + SESSION_MAX
    while clock.now + IDLE_MAX / 2 < until:
        assert visitor.get("/account").status_code == 200
        clock.now += IDLE_MAX / 2
    clock.now = until

    assert visitor.get("/account").status_code == 303


def test_signing_out_ends_it_on_the_server_too(house: House) -> None:
    visitor = house.visitor("viewer")
    token = visitor.cookies["__Host-landed-session"]

    answer = visitor.post("/sign-out")

    assert answer.headers["location"] == "/sign-in"
    visitor.cookies.set("__Host-landed-session", token)
    assert visitor.get("/account").status_code == 303


def test_signing_out_everywhere_ends_every_browser_of_that_user_alone(house: House) -> None:
    here, there, other = house.visitor("viewer"), house.visitor("viewer"), house.visitor("operator")

    here.post("/account/sign-out-everywhere")

    assert [v.get("/account").status_code for v in (here, there, other)] == [303, 303, 200]


def test_one_browser_can_be_signed_out_but_not_anothers(house: House) -> None:
    here, there, other = house.visitor("viewer"), house.visitor("viewer"), house.visitor("operator")
    ids = re.findall(r'name="id" value="(\d+)"', here.page("/account"))
    theirs = re.findall(r'name="id" value="(\d+)"', other.page("/account"))

    assert here.post("/account/sign-out", id=theirs[0]).status_code == 422
    assert other.get("/account").status_code == 200
    for each in ids:
        here.post("/account/sign-out", id=each)
    assert there.get("/account").status_code == 303


def test_another_password_takes_the_old_one_and_signs_other_browsers_out(house: House) -> None:
    here, there = house.visitor("viewer"), house.visitor("viewer")
    new = "another horse battery staple"

    wrong = here.post("/account/password", old_password=WRONG, password=new, again=new)
    differ = here.post("/account/password", old_password=PASSWORD, password=new, again=new + "!")
    short = here.post("/account/password", old_password=PASSWORD, password="short", again="short")
    done = here.post("/account/password", old_password=PASSWORD, password=new, again=new)

    assert [wrong.status_code, differ.status_code, short.status_code, done.status_code] == [422, 422, 422, 303]
    assert here.get("/account").status_code == 200
    assert there.get("/account").status_code == 303
    assert sign_in(house.visitor(), "viewer", PASSWORD).status_code == 403
    assert sign_in(house.visitor(), "viewer", new).status_code == 303


def test_the_password_of_now_cannot_be_guessed_from_an_open_browser(house: House) -> None:
    visitor, new = house.visitor("viewer"), "another horse battery staple"
    statuses = [
        visitor.post("/account/password", old_password=WRONG, password=new, again=new).status_code for _ in range(8)
    ]

    assert statuses[-1] == 429


def test_a_password_hashed_with_old_parameters_is_hashed_anew_when_it_is_right(house: House) -> None:
    async def weaken() -> None:
        await users.set_password(house.pool, "anna", await Passwords(memory_kib=8, passes=1).hash(PASSWORD))

    house.run(weaken())
    assert "m=8,t=1" in str(rows(house, "SELECT password_hash FROM users WHERE name = 'anna'"))

    assert sign_in(house.visitor()).status_code == 303
    assert "m=64,t=1" in str(rows(house, "SELECT password_hash FROM users WHERE name = 'anna'"))


def test_a_user_who_is_shut_out_is_out_at_once_and_stays_out(house: House, clock: Clock) -> None:
    visitor = house.visitor("viewer")
    house.run(services.disable(house.pool, "viewer", clock.now))

    assert visitor.get("/account").status_code == 303
    assert sign_in(house.visitor(), "viewer").status_code == 403


def test_a_role_taken_away_holds_for_the_next_page(house: House) -> None:
    house.visitor("admin")
    visitor = house.visitor("admin", name="second")
    assert visitor.get("/settings/users").status_code == 200

    house.run(services.set_role(house.pool, "second", Role.VIEWER))

    assert visitor.get("/settings/users").status_code == 403


def test_the_last_administrator_stays(house: House) -> None:
    admin = house.visitor("admin")

    assert admin.post("/settings/users/role", name="admin", role="viewer").status_code == 422
    assert admin.post("/settings/users/disable", name="admin").status_code == 422
    house.visitor("admin", name="second")
    assert admin.post("/settings/users/role", name="admin", role="viewer").status_code == 303


def test_a_link_signs_in_once(house: House, clock: Clock) -> None:
    token = house.run(services.link(house.pool, "anna", clock.now))
    visitor = house.visitor()

    assert visitor.get(f"/sign-in/{token}").headers["location"] == "/"
    assert "anna" in visitor.page("/account")
    assert house.visitor().get(f"/sign-in/{token}").status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Purpose": "prefetch"},
        {"User-Agent": "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)"},
        {"User-Agent": "TelegramBot (like TwitterBot)"},
        {"User-Agent": "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)"},
        {"User-Agent": "WhatsApp/2.23.20.0"},
        {"User-Agent": "facebookexternalhit/1.1"},
        {"User-Agent": "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5"},
    ],
    ids=str,
)
def test_a_link_that_is_fetched_ahead_is_not_used_up(house: House, clock: Clock, headers: dict[str, str]) -> None:
    token = house.run(services.link(house.pool, "anna", clock.now))

    ahead = house.visitor().get(f"/sign-in/{token}", headers=headers)

    assert ahead.status_code == 403
    assert "session" not in ahead.headers.get("set-cookie", "")
    assert house.visitor().get(f"/sign-in/{token}").status_code == 303


def test_a_link_whose_head_was_asked_for_is_not_used_up(house: House, clock: Clock) -> None:
    token = house.run(services.link(house.pool, "anna", clock.now))

    assert house.visitor().head(f"/sign-in/{token}").status_code == 403
    assert house.visitor().get(f"/sign-in/{token}").status_code == 303


def test_a_browser_on_a_phone_that_is_called_almost_like_a_robot_comes_in(house: House, clock: Clock) -> None:
    token = house.run(services.link(house.pool, "anna", clock.now))
    phone = {"User-Agent": "Mozilla/5.0 (Linux; Android 12; CUBOT KINGKONG 8) AppleWebKit/537.36 Chrome/120.0.0.0"}

    assert house.visitor().get(f"/sign-in/{token}", headers=phone).status_code == 303


def test_a_link_is_over_after_an_hour(house: House, clock: Clock) -> None:
    token = house.run(services.link(house.pool, "anna", clock.now))
    clock.go_on(minutes=61)

    assert house.visitor().get(f"/sign-in/{token}").status_code == 403


@pytest.mark.parametrize("what", ["password", "disable", "everywhere"])
def test_a_link_is_over_when_its_user_is_signed_out_everywhere(house: House, clock: Clock, what: str) -> None:
    house.add_user("root", "admin")
    token, others = (house.run(services.link(house.pool, name, clock.now)) for name in ("anna", "root"))
    anna = house.visitor()
    sign_in(anna)

    if what == "password":
        new = f"another {PASSWORD}"
        anna.post("/account/password", old_password=PASSWORD, password=new, again=new)
    elif what == "everywhere":
        anna.post("/account/sign-out-everywhere")
    else:
        house.run(services.disable(house.pool, "anna", clock.now))
        house.run(services.enable(house.pool, "anna"))

    assert house.visitor().get(f"/sign-in/{token}").status_code == 403
    assert house.visitor().get(f"/sign-in/{others}").status_code == 303


def test_the_start_link_makes_the_first_administrator_and_nobody_after(database: str) -> None:
    with dashboard(database) as house:
        token, second = (house.run(services.start_link(house.pool, datetime.now(UTC))) for _ in range(2))
        visitor = house.visitor()
        assert "Nobody can sign in yet" in visitor.page("/sign-in")
        page = f"/start/{token}"
        given = {"name": "Root", "password": PASSWORD, "again": PASSWORD}

        short = visitor.post(page, token_from=page, **given | {"password": "x", "again": "x"})
        differ = visitor.post(page, token_from=page, **given | {"again": "y"})
        made = visitor.post(page, token_from=page, **given)

        assert [short.status_code, differ.status_code, made.status_code] == [422, 422, 303]
        assert "Settings" in visitor.page("/settings/users")
        for late in (page, f"/start/{second}"):
            other = house.visitor()
            assert other.get(late).status_code == 403
            assert other.post(late, token_from="/sign-in", **given | {"name": "eve"}).status_code == 403
        assert house.run(services.start_link(house.pool, datetime.now(UTC))) is None


def test_a_start_link_is_over_after_an_hour(database: str, clock: Clock) -> None:
    with dashboard(database, clock=clock) as house:
        token = house.run(services.start_link(house.pool, clock.now))
        clock.go_on(minutes=61)

        assert house.visitor().get(f"/start/{token}").status_code == 403


@pytest.mark.parametrize("command", ["serve", "web"])
def test_a_start_on_a_port_that_is_taken_tells_no_start_link(database: str, tmp_path: Path, command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("LANDED_")}
        environment |= {
            "LANDED_DATABASE_URL": database,
            "LANDED_DATA_DIR": str(tmp_path),
            "LANDED_PORT": str(taken.getsockname()[1]),
        }
        ran = subprocess.run(
            [sys.executable, "-m", "landed", command], env=environment, capture_output=True, text=True, timeout=60
        )

    assert ran.returncode == 2
    assert "cannot be listened on" in ran.stderr
    assert "/start/" not in ran.stdout + ran.stderr


@pytest.mark.parametrize(
    "to", ["https://evil.test/", "//evil.test/", "/\\evil.test", "javascript:alert(1)", "\\\\evil.test", "evil.test"]
)
def test_signing_in_leads_nowhere_but_to_our_pages(house: House, to: str) -> None:
    assert sign_in(house.visitor(), next=to).headers["location"] == "/"
