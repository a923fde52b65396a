"""The doctor names the cause: callbacks are signed by Plivo's own SDK, broken in one way, and refused by the door."""

import hmac
import json
import os
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote_plus, urlencode, urlsplit
from uuid import uuid4

import httpx
import pytest

from landed.domain.accounts import Account
from landed.domain.errors import InputInvalid
from landed.services import requests_text
from landed.services.diagnosing import Diagnoser
from tests.calling import FORM, PUBLIC_URL, Call, plivo_signatures, send
from tests.databases import Databases
from tests.serving import Served, eventually, served

TOKENS: Final = {name: f"{name}-token-0123456789" for name in ("shop", "strict", "old", "bank", "former", "stranger")}
V2, V2_NONCE = "X-Plivo-Signature-V2", "X-Plivo-Signature-V2-Nonce"
V3, MA_V3, V3_NONCE = "X-Plivo-Signature-V3", "X-Plivo-Signature-Ma-V3", "X-Plivo-Signature-V3-Nonce"


@dataclass(frozen=True, kw_only=True)
class House:
    server: Served
    api: httpx.Client
    urls: Mapping[str, str]  #: callback URL by account

    def fields(self) -> dict[str, str]:
        return {
            "MessageUUID": str(uuid4()), "From": "14155550100", "To": "+14155550123", "Status": "delivered",
            "Units": "1", "ErrorCode": "", "Text": "Grüße, \r\n you", "TotalAmount": "0.0055",
        }  # fmt: skip

    def call(
        self,
        *,
        account: str = "shop",
        token: str = "shop",
        families: str = "v2 v3",
        signed: str | None = None,
        sent: str = "",
        method: str = "POST",
        query: str = "",
    ) -> Call:
        """Signed for `signed`, sent to the account's address and what `sent` puts behind it."""
        fields, url = self.fields(), self.urls[account] + sent
        params = {name: [value] for name, value in fields.items()} if method == "POST" else {}
        headers = plivo_signatures(method, (signed or url) + query, params, TOKENS.get(token, token), families)
        body = urlencode(fields).encode() if method == "POST" else b""
        return Call(method=method, url=url + query, headers={"Content-Type": FORM, **headers}, body=body)

    def scheme(self) -> Call:
        return self.call(signed=self.urls["shop"].replace("https:", "http:"))

    def host(self) -> Call:
        call = self.call(signed=self.urls["shop"].replace("hooks.example.com", "sms.example.org"))
        return with_headers(call, {"X-Forwarded-Host": "sms.example.org"})

    def host_www(self) -> Call:
        return self.call(signed=self.urls["shop"].replace("hooks", "www.hooks"))

    def host_case(self) -> Call:
        return self.call(signed=self.urls["shop"].replace("hooks.example.com", "HOOKS.EXAMPLE.COM"))

    def port(self) -> Call:
        return self.call(signed=self.urls["shop"].replace(".com", ".com:443"))

    def trailing_slash(self) -> Call:
        return self.call(signed=self.urls["shop"] + "/")

    def double_slash(self) -> Call:
        return self.call(signed=self.urls["shop"].replace(".com/", ".com//"))

    def path_prefix(self) -> Call:
        call = self.call(signed=self.urls["shop"].replace("/callbacks/", "/tenant-7/callbacks/"))
        return with_headers(call, {"X-Forwarded-Prefix": "/tenant-7"})

    def path_rewritten(self) -> Call:
        call = self.call(signed=f"{PUBLIC_URL}/inbound/plivo")
        return with_headers(call, {"X-Original-URI": "/inbound/plivo"})

    def path_encoding(self) -> Call:
        return self.call(signed=f"{self.urls['shop']}/messages/a%2Db", sent="/messages/a-b")

    def query_in_base(self) -> Call:
        call, nonce = self.call(families="", query=f"?q={uuid4()}"), "12345678901234567890"
        digest = hmac.digest(TOKENS["shop"].encode(), (call.url + nonce).encode(), "sha256")
        return with_headers(call, {V2: b64encode(digest).decode(), V2_NONCE: nonce})

    def query_added(self) -> Call:
        call = self.call(query="")
        return replace(call, url=f"{call.url}?utm_source=proxy")

    def query_lost(self) -> Call:
        call = self.call(query="?shop=1")
        return with_headers(replace(call, url=self.urls["shop"]), {"X-Original-URI": "/x?shop=1"})

    def method(self) -> Call:
        call = self.call()
        return replace(call, method="GET", url=f"{call.url}?{call.body.decode()}", body=b"")

    def token_expired(self) -> Call:
        return self.call(token="former")

    def token_of_other_account(self) -> Call:
        call = self.call(token="bank")
        return replace(call, headers={name: value for name, value in call.headers.items() if "-Ma-" not in name})

    def token_of_main_account(self) -> Call:
        call = self.call(token="bank")
        return without(call, V2, V3)

    def token_edges(self) -> Call:
        return self.call(token=f"{TOKENS['shop']}\n")

    def signature_missing(self) -> Call:
        return self.call(families="")

    def signature_truncated(self) -> Call:
        return changed(self.call(families="v3"), V3, lambda value: value[:32], MA_V3)

    def signature_padding(self) -> Call:
        return changed(self.call(families="v2"), V2, lambda value: value.rstrip("="), "X-Plivo-Signature-Ma-V2")

    def signature_escaped(self) -> Call:
        return changed(self.call(families="v3"), V3, quote_plus, MA_V3)

    def signature_case(self) -> Call:
        return changed(self.call(families="v3"), V3, str.lower, MA_V3)

    def signature_family(self) -> Call:
        call = self.call(families="v2")
        nonce, value = call.headers[V2_NONCE], call.headers[V2]
        return replace(call, headers={"Content-Type": FORM, V3: value, V3_NONCE: nonce})

    def nonce_missing(self) -> Call:
        return without(self.call(families="v3"), V3_NONCE)

    def nonce_altered(self) -> Call:
        return changed(self.call(families="v3"), V3_NONCE, lambda nonce: f'"{nonce}"')

    def policy(self) -> Call:
        return self.call(account="strict", token="strict", families="v2")

    def body_plus(self) -> Call:
        return rewritten(self.call(), b"%2B", b"+")

    def body_encoded_twice(self) -> Call:
        return rewritten(self.call(), b"%", b"%25")

    def body_charset(self) -> Call:
        return rewritten(self.call(), b"Gr%C3%BC%C3%9Fe", b"Gr%FC%DFe")

    def body_bom(self) -> Call:
        call = self.call()
        return replace(call, body=b"\xef\xbb\xbf" + call.body)

    def body_newlines(self) -> Call:
        return rewritten(self.call(), b"%0D%0A", b"%0A")

    def body_trimmed(self) -> Call:
        fields = self.fields() | {"Text": "STOP "}
        return self.of_fields(fields, body=urlencode(fields | {"Text": "STOP"}))

    def body_blank_dropped(self) -> Call:
        return rewritten(self.call(), b"&ErrorCode=", b"")

    def body_added(self) -> Call:
        call = self.call()
        return replace(call, body=call.body + b"&tenant=7&via=proxy")

    def body_whitespace(self) -> Call:
        call = self.call()
        return replace(call, body=call.body + b"\n")

    def body_json(self) -> Call:
        fields = self.fields() | {"Text": "hello"}
        content = json.dumps({name: value or None for name, value in fields.items()})
        return with_headers(self.of_fields(fields, body=content), {"Content-Type": "application/json"})

    def body_lost(self) -> Call:
        return replace(self.call(), body=b"")

    def v3_mismatch(self) -> Call:
        call = self.call()
        fields = {"MessageUUID": str(uuid4()), "Status": "failed"}
        return replace(call, body=urlencode(fields).encode())

    def of_fields(self, fields: dict[str, str], *, body: str) -> Call:
        url = self.urls["shop"]
        params = {name: [value] for name, value in fields.items()}
        headers = plivo_signatures("POST", url, params, TOKENS["shop"], "v2 v3")
        return Call(url=url, headers={"Content-Type": FORM, **headers}, body=body.encode())


def with_headers(call: Call, headers: Mapping[str, str]) -> Call:
    return replace(call, headers={**call.headers, **headers})


def without(call: Call, *names: str) -> Call:
    return replace(call, headers={name: value for name, value in call.headers.items() if name not in names})


def changed(call: Call, name: str, change: Callable[[str], str], *taken_away: str) -> Call:
    """One header of a signature changed, its twin of the main account gone."""
    return without(with_headers(call, {name: change(call.headers[name])}), *taken_away)


def rewritten(call: Call, old: bytes, new: bytes) -> Call:
    assert old in call.body
    return replace(call, body=call.body.replace(old, new))


#: The name of each way to break a callback is the cause that the doctor has to name.
BREAKS: Final = [
    name
    for name, member in vars(House).items()
    if not name.startswith("_") and name not in ("fields", "call", "of_fields") and callable(member)
]


@pytest.fixture(scope="module")
def house(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    data = tmp_path_factory.mktemp("data")
    for name, token in TOKENS.items():
        (data / name).write_text(token)
    variables = {"LANDED_DATA_DIR": str(data), "LANDED_LANES": "1"}
    with (
        databases.fresh() as database,
        served(public_url=PUBLIC_URL, LANDED_DATABASE_URL=database, **variables) as server,
    ):

        def add(name: str, *options: str) -> str:
            token = ("--auth-id", f"MA{name}", "--auth-token-file", str(data / name))
            url: str = server.landed("accounts", "add", "plivo", name, *token, *options)["callback_url"]
            return url

        urls = {"shop": add("shop"), "bank": add("bank"), "strict": add("strict", "--policy", "v3-only")}
        server.landed("accounts", "add-token", "shop", "--auth-token-file", str(data / "former"))
        (former,) = (each["id"] for each in server.landed("accounts", "show", "shop")["tokens"][1:])
        server.landed("accounts", "expire-token", "shop", str(former))
        with server.client() as api:
            yield House(server=server, api=api, urls=urls)


@pytest.fixture(scope="module")
def refused(house: House) -> Mapping[str, str]:
    """Every way to break one, sent to the door and refused; ids by cause."""
    found: dict[str, str] = {}
    eventually(lambda: send(house.server, house.token_expired()) == 403)
    for cause in BREAKS:
        call = getattr(house, cause)()
        marked = with_headers(call, {"X-Case": cause})
        assert send(house.server, marked) in (400, 403), cause

    def all_kept() -> bool:
        for each in house.api.get("/v1/callbacks", params={"verdict": "refused", "limit": 200}).json()["data"]:
            if each["id"] not in found.values():
                case = house.api.get(f"/v1/callbacks/{each['id']}").json()["headers"].get("x-case")
                found.update({case: each["id"]} if case else {})
        return len(found) == len(BREAKS)

    eventually(all_kept)
    return found


@pytest.mark.parametrize("cause", BREAKS)
def test_the_doctor_names_the_cause(house: House, refused: Mapping[str, str], cause: str) -> None:
    answer = house.api.get(f"/v1/callbacks/{refused[cause]}/diagnosis")

    assert answer.status_code == 200, answer.text
    diagnosis = answer.json()
    assert diagnosis["causes"] == [cause], diagnosis["sentence"]
    assert diagnosis["sentence"].endswith(".")
    assert "{" not in diagnosis["sentence"]
    assert not any(token in answer.text for token in TOKENS.values())


def test_two_changes_at_once_are_found_together(house: House) -> None:
    call = house.call(signed=house.urls["shop"].replace("https:", "http:") + "/")
    diagnosis = of_text(house, as_http(call))

    assert diagnosis["causes"] == ["scheme", "trailing_slash"]
    assert diagnosis["is_proven"]


def test_a_forgery_is_called_what_it_is(house: House) -> None:
    diagnosis = of_text(house, as_http(house.call(token="guessed")))

    assert diagnosis["cause"] is None
    assert diagnosis["sentence"].startswith("No variation matches: either it was signed with none of the")
    assert diagnosis["checks"]


def test_what_its_address_tells_comes_first(house: House) -> None:
    call = house.call()
    assert of_text(house, as_http(call))["cause"] == "accepted_now"
    assert of_text(house, as_http(replace(call, method="PUT")))["cause"] == "method_not_allowed"
    assert of_text(house, as_http(replace(call, url=f"{PUBLIC_URL}/callbacks/nobody")))["cause"] == "key_unknown"
    house.server.landed("accounts", "disable", "bank")
    gone = house.call(account="bank", token="bank")
    eventually(lambda: send(house.server, gone) == 404)
    assert of_text(house, as_http(gone))["cause"] == "account_disabled"
    house.server.landed("accounts", "enable", "bank")


def test_an_earlier_address_explains_what_was_signed_for_it(house: House) -> None:
    call = house.call(signed="https://old.example.net/plivo/status")

    assert of_text(house, as_http(call))["cause"] is None
    assert of_text(house, as_http(call), "--url", "https://old.example.net/plivo/status")["cause"] == "other_url"


def test_a_curl_command_needs_no_database(house: House, tmp_path: Path) -> None:
    call = house.call(signed="http://shop.example.com/hook", families="v2")
    (tmp_path / "token").write_text(TOKENS["shop"] + "\n")
    (tmp_path / "curl").write_text(
        "curl 'http://localhost:3000/hook' \\\n"
        + "".join(f"  -H '{name}: {value}' \\\n" for name, value in call.headers.items())
        + f"  --data-raw '{call.body.decode()}'\n"
    )
    options = ["--curl", str(tmp_path / "curl"), "--auth-token-file", str(tmp_path / "token")]

    right = doctor({}, *options, "--url", "http://shop.example.com/hook")
    wrong = doctor({}, *options, "--url", "https://shop.example.com/hook")

    assert (right["cause"], wrong["causes"]) == ("accepted_now", ["scheme"])
    assert "http://shop.example.com" in wrong["sentence"]


@pytest.mark.parametrize("host", ["[::1", "shop.example.com"])
def test_an_address_that_cannot_be_read_is_told_in_a_sentence(tmp_path: Path, host: str) -> None:
    (tmp_path / "token").write_text("a-token\n")
    words = [sys.executable, "-m", "landed", "callbacks", "doctor", "--curl", "-", "--url", f"http://{host}/hook"]
    words += ["--url", "http://[::1/hook", "--auth-token-file", str(tmp_path / "token")]

    ran = subprocess.run(words, input="curl http://localhost/hook", capture_output=True, text=True, check=False)

    assert ran.returncode == 2
    assert "The address 'http://[::1/hook' cannot be read" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_of_a_kept_callback_too_an_address_that_cannot_be_read_is_refused(
    house: House, refused: Mapping[str, str]
) -> None:
    answer = house.api.get(f"/v1/callbacks/{refused['scheme']}/diagnosis", params={"url": "http://[::1/a"})

    assert (answer.status_code, answer.json()["field"]) == (422, "url")
    assert "The address 'http://[::1/a' cannot be read" in answer.json()["detail"]


@pytest.mark.anyio
@pytest.mark.parametrize("text", [
    "POST http://[::1/a HTTP/1.1\r\nHost: x\r\n\r\na=b", "POST /a HTTP/1.1\r\nHost: [::1\r\n\r\na=b",
    "curl http://[::1/hook",
])  # fmt: skip
async def test_a_request_to_an_address_that_cannot_be_read_is_refused(text: str) -> None:
    async def nobody() -> list[Account]:
        return []

    diagnoser = Diagnoser(known=nobody, providers={}, public_url="")
    with pytest.raises(InputInvalid, match="cannot be read"):
        await diagnoser.diagnose_request(requests_text.read(text))


def test_a_nonce_used_twice_is_traced_to_its_first_use(house: House) -> None:
    first = house.call(families="v2")
    forged = rewritten(first, b"delivered", b"failed")
    assert (send(house.server, first), send(house.server, forged)) == (200, 200)

    def set_aside() -> list[dict[str, Any]]:
        parameters = {"reason": "nonce_reused", "verdict": "set_aside"}
        found: list[dict[str, Any]] = house.api.get("/v1/callbacks", params=parameters).json()["data"]
        return found

    (late,) = eventually(set_aside)
    diagnosis = house.api.get(f"/v1/callbacks/{late['id']}/diagnosis").json()
    shown = house.api.get(f"/v1/callbacks/{late['id']}").json()

    assert diagnosis["cause"] == "nonce_reused"
    assert shown["nonce_first_used_by"] in diagnosis["sentence"]
    accepted = house.api.get(f"/v1/callbacks/{shown['nonce_first_used_by']}/diagnosis").json()
    assert accepted["cause"] is None
    assert accepted["sentence"].startswith("Nothing is wrong")


def test_who_may_call_is_told_where_nothing_is_signed(house: House, tmp_path: Path) -> None:
    (tmp_path / "basic").write_text("routee:a secret of ours")
    options = ("--application-id", "5756a411", "--basic-file", str(tmp_path / "basic"))
    url = house.server.landed("accounts", "add", "routee", "guarded", *options)["callback_url"]
    call = Call(url=url, headers={"Content-Type": "application/json"}, body=b'{"messageId": "m"}')
    eventually(lambda: send(house.server, call) == 403)
    house.server.landed("accounts", "add-address", "guarded", "203.0.113.0/24")
    forwarded = with_headers(call, {"X-Forwarded-For": "203.0.113.7"})

    def reasons() -> set[str]:
        send(house.server, forwarded)
        page = house.api.get("/v1/callbacks", params={"account": "guarded"}).json()["data"]
        return {house.api.get(f"/v1/callbacks/{each['id']}/diagnosis").json()["cause"] for each in page}

    eventually(lambda: reasons() >= {"basic_missing", "proxy_not_trusted"})
    assert of_text(house, as_http(with_headers(call, {"Authorization": "Basic eA=="})))["cause"] == "basic_mismatch"


def as_http(call: Call) -> str:
    parts = urlsplit(call.url)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    headers = "".join(f"{name}: {value}\r\n" for name, value in call.headers.items())
    return f"{call.method} {target} HTTP/1.1\r\nHost: {parts.netloc}\r\n{headers}\r\n{call.body.decode()}"


def of_text(house: House, text: str, *options: str) -> dict[str, Any]:
    return doctor(house.server.environment, "--curl", "-", *options, text=text)


def doctor(environment: Mapping[str, str], *options: str, text: str = "") -> dict[str, Any]:
    """What `landed callbacks doctor` prints."""
    ran = subprocess.run(
        [sys.executable, "-m", "landed", "callbacks", "doctor", *options, "--json"],
        env={**os.environ, **environment} if environment else {"PATH": os.environ["PATH"]},
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    assert not any(token in ran.stdout for token in TOKENS.values())
    found: dict[str, Any] = json.loads(ran.stdout)
    return found
