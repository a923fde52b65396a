"""From what a callback says to the HTTP request that carries it, signed where its provider signs.

Plivo sends a form by POST or adds the fields to the URL's query, and signs with one family of headers or both. Routee
posts JSON and signs nothing.
"""

import json
import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

from landed.domain.words import Word
from landed.providers.plivo import signatures
from landed.simulator.callbacks.addresses import as_sent
from landed.simulator.callbacks.plivo import Fields

FORM: Final = "application/x-www-form-urlencoded"
JSON: Final = "application/json"
NONCE_DIGITS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request. `url` has the query."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)


class Family(Word):
    """Plivo's two ways to sign; either, both or none come with a callback."""

    V2 = "v2"
    V3 = "v3"


BOTH: Final = frozenset(Family)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Tokens:
    """What Plivo signs with. A main account has one token for everything.

    Attributes:
        account: of the account or sub-account that the callback is about.
        main: of the main account, for the `-Ma-` headers; None: the same.
        account_v3: what the plain V3 header is signed with; None: as V2. On messaging it is none that anybody knows,
            seen 2026.
    """

    account: str
    main: str | None = None
    account_v3: str | None = None


def new_nonce() -> str:
    return f"{secrets.randbelow(10**NONCE_DIGITS):0{NONCE_DIGITS}d}"


def plivo(
    fields: Fields,
    url: str,
    *,
    tokens: Tokens | None,
    method: str = "POST",
    families: Collection[Family] = BOTH,
    nonce: Callable[[], str] = new_nonce,
) -> Request:
    """A form by POST, or a GET whose query follows the one that `url` may have. Without tokens it is not signed."""
    url, form = as_sent(url), urlencode(fields)
    if method == "GET":
        url, body, headers = with_query(url, form), b"", {}
    else:
        body, headers = form.encode(), {"Content-Type": FORM}
    params = () if method == "GET" else fields
    signed = {} if tokens is None else plivo_headers(method, url, params, tokens=tokens, families=families, nonce=nonce)
    return Request(method=method, url=url, headers={"Accept": "*/*", **headers, **signed}, body=body)


def plivo_json(
    fields: Fields,
    url: str,
    *,
    tokens: Tokens | None,
    families: Collection[Family] = BOTH,
    nonce: Callable[[], str] = new_nonce,
) -> Request:
    """The same as a JSON object, which is how Plivo sends alerts. That V3 covers its fields is a guess."""
    url = as_sent(url)
    signed = {} if tokens is None else plivo_headers("POST", url, fields, tokens=tokens, families=families, nonce=nonce)
    body = json.dumps(dict(fields)).encode()
    return Request(method="POST", url=url, headers={"Accept": "*/*", "Content-Type": JSON, **signed}, body=body)


def plivo_headers(
    method: str,
    url: str,
    params: Fields,
    *,
    tokens: Tokens,
    families: Collection[Family] = BOTH,
    nonce: Callable[[], str] = new_nonce,
) -> dict[str, str]:
    """The signature headers of the asked-for families, a nonce for each. `params` are those of the body."""
    main = tokens.main or tokens.account
    headers: dict[str, str] = {}
    if Family.V2 in families:
        value = nonce()
        headers |= {
            "X-Plivo-Signature-V2": signatures.sign_v2(url, value, tokens.account),
            "X-Plivo-Signature-Ma-V2": signatures.sign_v2(url, value, main),
            "X-Plivo-Signature-V2-Nonce": value,
        }
    if Family.V3 in families:
        value = nonce()
        headers |= {
            "X-Plivo-Signature-V3": signatures.sign_v3(method, url, value, tokens.account_v3 or tokens.account, params),
            "X-Plivo-Signature-Ma-V3": signatures.sign_v3(method, url, value, main, params),
            "X-Plivo-Signature-V3-Nonce": value,
        }
    return headers


def routee(content: Mapping[str, Any], url: str) -> Request:
    headers = {"Accept": "*/*", "Content-Type": f"{JSON};charset=UTF-8"}
    return Request(method="POST", url=as_sent(url), headers=headers, body=json.dumps(content).encode())


def with_signatures(headers: Mapping[str, str], value: str) -> dict[str, str]:
    """The headers with this in the place of every signature; nonces stay."""
    return {name: value if _is_signature(name) else old for name, old in headers.items()}


def with_query(url: str, query: str) -> str:
    """The URL with this query behind the one that it may have."""
    address, hash_mark, fragment = url.partition("#")
    return f"{address}{'&' if '?' in address else '?'}{query}{hash_mark}{fragment}"


def _is_signature(name: str) -> bool:
    plain = name.lower()
    return plain.startswith("x-plivo-signature-") and not plain.endswith("-nonce")
