"""Call a running Landed as Plivo and Routee do. Plivo's signatures are made by the official SDK's functions."""

import http.client
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import httpx
from plivo import utils as plivo_v2
from plivo.utils import signature_v3 as plivo_v3

from tests.serving import Served

PUBLIC_URL: Final = "https://hooks.example.com"
FORM: Final = "application/x-www-form-urlencoded"
JSON: Final = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request as a provider makes it. `url` is the public one."""

    method: str = "POST"
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


def send(server: Served, call: Call) -> int:
    """Make the call, byte for byte, past whatever proxy stands for the public URL; the status of the answer."""
    return answer(server, call)[0]


def answer(server: Served, call: Call) -> tuple[int, Mapping[str, str], bytes]:
    """The same, with headers (by lower-case name) and body of the answer."""
    url, own = urlsplit(call.url), urlsplit(server.base_url)
    connection = http.client.HTTPConnection(own.hostname or "", own.port, timeout=30)
    try:
        target = f"{url.path}?{url.query}" if url.query else url.path
        connection.request(call.method, target, call.body or None, {"Host": url.netloc, **call.headers})
        response = connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
    finally:
        connection.close()


def plivo_post(
    url: str, fields: Mapping[str, str] | Sequence[tuple[str, str]], token: str, *, families: str = "v2"
) -> Call:
    """A form POST signed by Plivo's SDK; `families` is `v2`, `v3`, both or none."""
    pairs = list(fields.items()) if isinstance(fields, Mapping) else list(fields)
    params: dict[str, Any] = {}
    for name, value in pairs:
        params.setdefault(name, []).append(value)
    headers = plivo_signatures("POST", url, params, token, families)
    return Call(url=url, headers={"Content-Type": FORM, **headers}, body=urlencode(pairs).encode())


def plivo_get(url: str, query: str, token: str, *, families: str = "v2") -> Call:
    """A GET with the same fields added to the URL's own query."""
    whole = f"{url}{'&' if '?' in url else '?'}{query}"
    return Call(method="GET", url=whole, headers=plivo_signatures("GET", whole, {}, token, families))


def plivo_signatures(
    method: str, url: str, params: Mapping[str, Any], token: str, families: str = "v2"
) -> dict[str, str]:
    """Plivo's headers for a request, with a fresh nonce each. The plain value and the main account's are the same."""
    headers: dict[str, str] = {}
    if "v2" in families:
        nonce = _nonce()
        signature = sdk_v2(url, nonce, token)
        headers |= _headers("V2", signature, nonce)
    if "v3" in families:
        nonce = _nonce()
        signature = sdk_v3(method, url, params, nonce, token)
        headers |= _headers("V3", signature, nonce)
    return headers


def sdk_v2(url: str, nonce: str, token: str) -> str:
    """The SDK publishes a check and no signer: this is what its check computes, and the check agrees."""
    parsed = plivo_v2.urlparse(url)
    base = plivo_v2.urlunparse((parsed.scheme, parsed.netloc, parsed.path, "", "", ""))
    digest = plivo_v2.hnew(token.encode(), (base + nonce).encode(), plivo_v2.sha256).digest()
    signature: str = plivo_v2.base64_encode(digest).strip().decode()
    assert plivo_v2.validate_signature(url, nonce, signature, token)
    return signature


def sdk_v3(method: str, url: str, params: Mapping[str, Any], nonce: str, token: str) -> str:
    build = plivo_v3.construct_get_url if method == "GET" else plivo_v3.construct_post_url
    base = build(url, dict(params)).decode()
    signature: str = plivo_v3.get_signature_v3(token, base, nonce).decode()
    assert plivo_v3.validate_v3_signature(method, url, nonce, token, signature, dict(params))
    return signature


def routee_post(url: str, content: Mapping[str, Any]) -> Call:
    return Call(url=url, headers={"Content-Type": "application/json;charset=UTF-8"}, body=json.dumps(content).encode())


def _headers(family: str, signature: str, nonce: str) -> dict[str, str]:
    return {
        f"X-Plivo-Signature-{family}": signature,
        f"X-Plivo-Signature-Ma-{family}": signature,
        f"X-Plivo-Signature-{family}-Nonce": nonce,
    }


def _nonce() -> str:
    return "".join(secrets.choice("0123456789") for _ in range(20))


def whole(api: httpx.Client, path: str) -> dict[str, Any] | None:
    """One thing, as the API shows it alone; None where there is none."""
    response = api.get(path)
    assert response.status_code in (200, 404), response.text
    return response.json() if response.status_code == 200 else None


def every(api: httpx.Client, path: str, **filters: Any) -> list[dict[str, Any]]:
    """A whole list, page by page."""
    data: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        page = api.get(path, params={**filters, "limit": 100, **({"cursor": cursor} if cursor else {})})
        assert page.status_code == 200, page.text
        data += page.json()["data"]
        cursor = page.json()["next_cursor"]
        if cursor is None:
            return data
