"""What holds for every page, whoever writes it: who may see it, its headers, its forms, and what strangers put in."""

import re
from collections.abc import Iterator
from typing import cast
from urllib.parse import quote

import httpx
import psycopg
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from landed.domain.users import Role
from landed.web.dashboard.gate import CONTENT_SECURITY_POLICY
from landed.web.dashboard.pages import Guard, guard_of
from tests.dashboard import PUBLIC_URL, House, dashboard
from tests.databases import Databases

#: Routes that need no guard: they tell nothing of anybody, or check a token of their own.
OPEN = {"/{rest:path}", "/static/{version}/{name}", "/shared/{token}"}
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'; alert(1) //",
    "</script><script>alert(1)</script>",
    "{{ 7 * 7 }}${7*7}",
    "javascript:alert(1)",
    "\u202e\ufeff\x01\U0001f4a5",
]


@pytest.fixture(scope="module")
def house(databases: Databases) -> Iterator[House]:
    """One for all that leaves it as it was, but for users and keys with names of their own."""
    with databases.fresh() as database, dashboard(database) as house:
        house.run(_account(house))
        yield house


async def _account(house: House) -> None:
    async with house.pool.connection() as connection:
        await connection.execute(
            "INSERT INTO accounts (name, provider, provider_account_id, policy) VALUES ('shop', 'plivo', 'MA1', 'x')"
        )


def routes(house: House) -> Iterator[tuple[str, str, Guard | None]]:
    """Method, path and guard of every route there is."""
    waiting = list(cast(FastAPI, house.app.app).routes)
    while waiting:
        route = waiting.pop()
        if isinstance(route, APIRoute):
            yield from ((method, route.path, guard_of(route)) for method in route.methods or ())
        elif (router := getattr(route, "original_router", None)) is not None:
            waiting += router.routes


def pages(house: House) -> list[str]:
    """Paths of all pages that need somebody signed in, with something for their parameters."""
    found = [(path, guard) for method, path, guard in routes(house) if method == "GET" and guard and guard.role]
    return sorted(_filled(path) for path, _ in found)


def _filled(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "1", path)


def test_every_route_says_who_may_use_it(house: House) -> None:
    assert {path for _, path, guard in routes(house) if guard is None} == OPEN


def test_roles_hold_on_every_route(house: House) -> None:
    """Whoever may not gets 401 or 403 (a page: the way to sign in), whoever may gets anything but that."""
    walked = sorted((method, path, guard.role) for method, path, guard in routes(house) if guard and guard.role)
    assert len(walked) > 20
    for method, path, needed in walked:
        for role in (None, *Role):
            visitor = house.visitor(role, name=None if role is None else f"{role}-of-{abs(hash((method, path)))}")
            if method in ("GET", "HEAD"):
                ask = visitor.get if method == "GET" else visitor.head
                status = ask(_filled(path), headers={"Accept": "text/html"}).status_code
                may = status != 403 and not (status == 303 and role is None)
            else:
                status = visitor.send(_filled(path), {"csrf_token": visitor.token()}).status_code
                may = status not in (401, 403)
            assert may == (role is not None and role.includes(needed)), f"{method} {path} as {role}: {status}"
            assert status < 500, f"{method} {path} as {role}: {status}"


def test_every_answer_has_strict_headers(house: House) -> None:
    admin = house.visitor("admin")
    for path in [*pages(house), "/sign-in", "/nowhere", "/sign-in/x", "/start/x", "/shared/x", "/static/x/app.css"]:
        headers = admin.get(path).headers
        assert headers["content-security-policy"] == CONTENT_SECURITY_POLICY, path
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert headers["cache-control"] == ("no-cache" if path.startswith("/static") else "no-store"), path


def test_whoever_asks_for_the_head_of_a_page_gets_that_of_the_page(house: House) -> None:
    admin = house.visitor("admin")
    addresses = [*(set(pages(house)) - {"/live/stream"}), "/sign-in", "/start/x", "/nowhere", "/static/x/app.css"]
    for path in addresses:
        head, whole = admin.head(path), admin.get(path)
        assert head.status_code == whole.status_code, path
        assert head.headers.get("content-type") == whole.headers.get("content-type"), path
        assert head.content == b""

    stream = admin.head("/live/stream?place=x")
    assert (stream.status_code, stream.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert house.visitor().head("/messages?since=7d").headers["location"] == "/sign-in?next=%2Fmessages%3Fsince%3D7d"


def test_what_a_page_does_not_take_is_told_with_what_it_takes(house: House) -> None:
    answer = house.run(house.visitor()._client.options("/account"))

    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}


def test_pages_hold_nothing_that_the_policy_would_refuse(house: House) -> None:
    admin = house.visitor("admin")
    for path in [*pages(house), "/sign-in", "/nowhere"]:
        text = admin.get(path).text
        assert not re.search(r"<[^>]+\sstyle=", text), path
        assert not re.search(r"<[^>]+\son[a-z]+=", text), path
        assert "<style" not in text, path
        assert not re.search(r"<script(?![^>]*(\ssrc=|type=\"application/json\"))", text), path
        for target in re.findall(r'(?:src|href|action)="([^"]*)"', text):
            assert not re.match(r"[a-z]+:|//", target) or target.startswith(PUBLIC_URL), f"{path}: {target}"


def test_what_strangers_put_into_an_address_is_shown_as_text(house: House) -> None:
    hostile = " ".join(HOSTILE)
    admin = house.visitor("admin", headers={"User-Agent": hostile.encode()})
    harmless_alone = dict.fromkeys(("country", "tag", "sender", "q", "actor", "status"), hostile)
    for path in pages(house):
        for query in (harmless_alone, {"since": hostile}, {"time_zone": hostile}, {"cursor": hostile}):
            answer = admin.get(path, params=query)
            assert answer.status_code < 500, (path, query)
            _is_text(answer)
    nobody = house.visitor()
    _is_text(nobody.get("/sign-in", params={"next": hostile}))
    _is_text(nobody.post("/sign-in", token_from="/sign-in", name=hostile, password="x", next=hostile))
    _is_text(nobody.get(f"/{quote(hostile)}"))


def _is_text(answer: httpx.Response) -> None:
    if "html" in answer.headers.get("content-type", ""):
        assert [hostile for hostile in HOSTILE if "<" in hostile and hostile in answer.text] == []
    assert "49$" not in answer.text
    assert not re.search(r'(?:href|src|action)="\s*javascript:', answer.text, re.IGNORECASE)


@pytest.mark.parametrize(
    "period",
    [
        "since=0001-01-01T00:00:00Z&until=0001-01-03T00:00:00Z&time_zone=Etc/GMT%2B12",
        "since=9999-12-30T00:00:00Z&until=9999-12-31T23:59:59Z&time_zone=Pacific/Kiritimati",
        "since=0001-01-01&until=0001-01-03&time_zone=Pacific/Kiritimati",
        "since=1990-01-01&until=1990-01-03",
        "since=2200-01-01&until=2200-01-03",
    ],
)
def test_the_ends_of_all_time_are_a_page_or_a_sentence(house: House, period: str) -> None:
    visitor = house.visitor("operator")
    for path in ("/", "/messages", "/verify", "/live", "/inbound", "/opt-outs", "/alerts"):
        for more in ("", "&compare=previous"):
            assert visitor.get(f"{path}?{period}{more}").status_code in (200, 422), path


@pytest.mark.parametrize("path", ["/sign-out", "/shared", "/settings/users", "/settings/keys", "/account/password"])
def test_a_forged_form_is_refused(house: House, path: str) -> None:
    admin, other = house.visitor("admin", name="forger"), house.visitor("admin", name="other")
    token, theirs = admin.token(), other.token()
    forgeries: list[tuple[dict[str, str], dict[str, str]]] = [
        ({}, {}),
        ({"csrf_token": ""}, {}),
        ({"csrf_token": theirs}, {}),
        ({"csrf_token": token[:-1]}, {}),
        ({"csrf_token": "é" * 64}, {}),
        ({"csrf_token": token}, {"Origin": "https://evil.test"}),
        ({"csrf_token": token}, {"Origin": "null"}),
        ({"csrf_token": token}, {"Origin": "http://landed.test.evil.test"}),
        ({"csrf_token": token}, {"Sec-Fetch-Site": "cross-site"}),
        ({"csrf_token": token}, {"Sec-Fetch-Site": "same-site"}),
    ]
    for fields, headers in forgeries:
        assert admin.send(path, fields, headers=headers).status_code == 403, (fields, headers)
    assert [row for row in house.audit() if row[0] == "user:forger"] == []


def test_a_form_from_our_own_page_passes(house: House) -> None:
    admin = house.visitor("admin")

    headers = {"Origin": PUBLIC_URL, "Sec-Fetch-Site": "same-origin"}
    answer = admin.send(
        "/settings/keys", {"csrf_token": admin.token(), "name": "grafana", "scope": "read"}, headers=headers
    )

    assert answer.status_code == 200
    assert re.search(r"landed_[\w-]{43}", answer.text)
    assert ("user:admin", "key.created", "key:grafana to read") in house.audit()


def test_the_form_to_sign_in_is_guarded_as_well(house: House) -> None:
    house.add_user("anna", "viewer")
    fields = {"name": "anna", "password": "correct horse battery staple"}
    one, other = house.visitor(), house.visitor()
    one.get("/sign-in")

    assert one.send("/sign-in", fields).status_code == 403
    assert one.send("/sign-in", fields | {"csrf_token": other.token("/sign-in")}).status_code == 403


def test_a_script_proves_itself_with_a_header(house: House) -> None:
    admin = house.visitor("admin")
    fields = {"name": "of-a-script", "scope": "read"}

    assert admin.send("/settings/keys", fields, headers={"X-CSRF-Token": admin.token()}).status_code == 200


def test_a_form_that_is_too_large_is_refused_without_reading_it(house: House) -> None:
    admin = house.visitor("admin")
    assert admin.send("/settings/keys", {"csrf_token": admin.token(), "name": "x" * 300_000}).status_code == 413
    many = {f"field{n}": "x" for n in range(600)}
    assert admin.send("/settings/keys", many | {"csrf_token": admin.token()}).status_code == 422


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("landed.test", 303),
        ("LANDED.test:8443", 303),
        ("localhost:8080", 303),
        ("127.0.0.1:8080", 303),
        ("[::1]:8080", 303),
        ("192.168.1.20", 303),
        ("evil.test", 421),
        ("landed.test.evil.test", 421),
        ("127.0.0.1.evil.test", 421),
        ("localhost.evil.test", 421),
        ("[::1", 421),
        ("", 421),
        *((f"{ours}{mark}evil.test", 421) for ours in ("landed.test", "127.0.0.1") for mark in "/?#@\\"),
        *((f"evil.test{mark}landed.test", 421) for mark in "/?#@\\"),
    ],
)
def test_asked_by_a_name_that_is_not_ours_it_answers_nothing(house: House, host: str, status: int) -> None:
    answer = house.visitor().get("/", headers={"Host": host})

    assert answer.status_code == status
    assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY


def test_errors_are_pages_for_people_and_problems_for_scripts(house: House) -> None:
    viewer = house.visitor("viewer")

    assert "There is nothing here" in viewer.get("/nowhere").text
    assert 'href="/messages"' in viewer.get("/nowhere").text
    assert viewer.get("/settings/users").status_code == 403
    assert "is no moment" in viewer.get("/?since=yesterday").text
    script = viewer.get("/settings/users", headers={"Accept": "application/json"})
    assert script.headers["content-type"] == "application/problem+json"
    assert script.json()["code"] == "forbidden"
    assert house.visitor().get("/account", headers={"Sec-Fetch-Dest": "empty"}).status_code == 401


def test_while_the_database_is_away_the_page_says_what_becomes_of_callbacks(database: str) -> None:
    with dashboard(database) as house:
        viewer = house.visitor("viewer")
        house.run(house.pool.close())

        answer = viewer.get("/settings")

        assert answer.status_code == 503
        assert answer.headers["retry-after"]
        assert "providers send them again" in answer.text


def test_static_files_are_kept_by_browsers_and_compressed(house: House) -> None:
    nobody = house.visitor()
    address = re.findall(r'href="(/static/[^"]+app.css)"', nobody.page("/sign-in"))[0]

    answer = nobody.get(address, headers={"Accept-Encoding": "gzip"})

    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-encoding"] == "gzip"
    assert "--accent" in answer.text
    again = nobody.get(address, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.text) == (304, "")
    assert nobody.get("/static/x/../pages.py").status_code == 404
    assert nobody.get("/static/x/%2e%2e%2fpages.py").status_code == 404
    assert nobody.get("/static/x/none.css").status_code == 404


def test_plotly_comes_from_its_package(house: House) -> None:
    nobody = house.visitor()
    address = re.findall(r'name="plotly" content="([^"]+)"', nobody.page("/sign-in"))[0]

    zipped = nobody.get(address, headers={"Accept-Encoding": "gzip"})

    assert int(zipped.headers["content-length"]) < 2_000_000
    assert zipped.text.startswith("/**\n* plotly.js v")
    assert zipped.content == nobody.get(address, headers={"Accept-Encoding": "identity"}).content


def test_below_a_path_of_the_public_url_every_link_has_it(database: str) -> None:
    with dashboard(database, public_url=f"{PUBLIC_URL}/sms") as house:
        page = house.visitor("admin").page("/settings/users")

        links = re.findall(r'(?:src|href|action)="(/[^"]*)"', page)
        assert links
        assert [link for link in links if not link.startswith("/sms/")] == []


def test_the_audit_log_cannot_be_changed(house: House) -> None:
    house.visitor("admin").post("/settings/keys", name="audited", scope="read")
    assert house.audit()[0] == ("user:admin", "key.created", "key:audited to read")

    for statement in ("UPDATE audit_log SET actor = 'nobody'", "DELETE FROM audit_log"):
        with psycopg.connect(house.database_url) as connection, pytest.raises(psycopg.errors.RaiseException):
            connection.execute(statement.encode())


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_a_call_to_an_address_of_nobody_is_told_so_without_a_page(house: House, method: str) -> None:
    answer = house.run(house.visitor()._client.request(method, "/plivo/status", content=b"Status=sent"))
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/plain; charset=utf-8")
