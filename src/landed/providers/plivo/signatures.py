"""Plivo's webhook signatures, V2 and V3.

    V2   base64(HMAC-SHA256(auth token, base + nonce))
    V3   base64(HMAC-SHA256(auth token, base [+ "?" + parameters] + "." + nonce))

`base` is the configured callback URL without query and fragment: scheme in lower case; host, port and path exactly as
written. V2 covers nothing else, neither method nor query nor body. V3 covers the parameters, decoded and sorted: those
of the query as `k=v&k=v`, those of the body as `kvkv`.

Plivo sends each family twice: signed with the token of the account or subaccount that owns the resource, and (`-ma-`)
with the main account's. Its pages document V2 for messaging and V3 for voice; integrations of 2026 get both on
messaging, and there often only `-ma-v3` of the V3 pair verifies. Held to vectors that the seven official SDKs answered
(tests/providers/plivo/signatures); where those disagree the vectors say what we follow.
"""

import hashlib
import hmac
from binascii import b2a_base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import Final
from urllib.parse import parse_qsl

from landed.domain.errors import CallbackMalformed, SignatureInvalid
from landed.providers import forms

V2: Final = "x-plivo-signature-v2"
MA_V2: Final = "x-plivo-signature-ma-v2"
V2_NONCE: Final = "x-plivo-signature-v2-nonce"
V3: Final = "x-plivo-signature-v3"
MA_V3: Final = "x-plivo-signature-ma-v3"
V3_NONCE: Final = "x-plivo-signature-v3-nonce"
HEADERS: Final = frozenset({V2, MA_V2, V2_NONCE, V3, MA_V3, V3_NONCE})

#: Body parameters, decoded: a mapping whose values are text or, for a repeated key, lists of text; or plain pairs.
Params = Mapping[str, object] | Sequence[tuple[str, str]]


class Policy(StrEnum):
    """Which family has to verify. Any live auth token may match either header of the family."""

    V3_PREFERRED = "v3-preferred"  #: V3 decides wherever one of its headers is present, else V2
    V2_ONLY = "v2-only"  #: V3 is not looked at
    V3_ONLY = "v3-only"  #: V2 is not looked at
    ANY = "any"  #: one header of either family is enough: whoever drops V3 gets by with V2


# A look into an enumeration takes as long as ten of these.
_V3_PREFERRED: Final = Policy.V3_PREFERRED
_V2_ONLY: Final = Policy.V2_ONLY
_ANY: Final = Policy.ANY


def is_valid_v2(url: str, nonce: str | None, signature: str, auth_tokens: Iterable[str]) -> bool:
    """Whether `signature` (the header's value) is Plivo's for this URL and nonce, with any of the tokens."""
    if nonce is None:  # the header is missing
        return False
    return bool(_matching({V2: signature}, (V2,), _message_v2(url, nonce), auth_tokens))


def is_valid_v3(
    method: str, url: str, nonce: str | None, signature: str, auth_tokens: Iterable[str], params: Params | None = None
) -> bool:
    """Whether `signature` (the header's value) is Plivo's for this request, with any of the tokens.

    `url` includes the query. `params` are those of the body; for GET the URL supplies all of them, and passing
    them a second time does no harm.
    """
    if nonce is None:  # the header is missing
        return False
    try:
        message = _message_v3(method, url, nonce, params or ())
    except (RecursionError, ValueError):  # endless nesting, or a number too long for str(): no form can hold them
        return False
    return message is not None and bool(_matching({V3: signature}, (V3,), message, auth_tokens))


def sign_v2(url: str, nonce: str, auth_token: str) -> str:
    """The header value Plivo would send."""
    return _signature(auth_token, _message_v2(url, nonce)).decode()


def sign_v3(method: str, url: str, nonce: str, auth_token: str, params: Params | None = None) -> str:
    """The header value Plivo would send. ValueError for a method other than GET and POST."""
    message = _message_v3(method, url, nonce, params or ())
    if message is None:
        raise ValueError(f"Plivo signs GET and POST with V3, not {method!r}")
    return _signature(auth_token, message).decode()


def verified_headers(
    method: str,
    url: str,
    headers: Mapping[str, str],
    form: Callable[[], Params],
    auth_tokens: Sequence[str],
    policy: Policy = Policy.V3_PREFERRED,
) -> tuple[str, ...]:
    """Prove that Plivo sent a request.

    Args:
        url: the configured public URL with the query as received.
        headers: by lower-case name; a repeated header joined with commas.
        form: gives the parameters of the body, those of a form as they are. Of a JSON object the top-level fields
            as text are taken to be signed: unconfirmed, no page and no SDK of Plivo's says so. Called at most once,
            and only where a V3 header needs them.

    Returns:
        The names of all signature headers that verify, in lower case. Under `v3-preferred` V2 headers are among
        them only beside a V3 one that verifies, or where no V3 header is present.

    Raises:
        SignatureInvalid: with the reason signature_missing, nonce_missing or signature_mismatch.
        CallbackMalformed: whatever `form` raises.
    """
    if policy == _V2_ONLY or (policy == _V3_PREFERRED and V3 not in headers and MA_V3 not in headers):
        verified, refused = _verified_v2(url, headers, auth_tokens)
    elif policy == _ANY:
        verified_v2, refused_v2 = _verified_v2(url, headers, auth_tokens)
        verified_v3, refused_v3 = _verified_v3(method, url, headers, form, auth_tokens)
        verified, refused = verified_v2 + verified_v3, _closest(refused_v2, refused_v3)
    else:
        verified, refused = _verified_v3(method, url, headers, form, auth_tokens)
        if verified and policy == _V3_PREFERRED:
            verified = _verified_v2(url, headers, auth_tokens)[0] + verified
    if not verified:
        raise SignatureInvalid(_REFUSED[refused], reason=refused)
    return verified


_REFUSED: Final = {
    "signature_missing": "no Plivo signature header of the family that the account's policy asks for",
    "nonce_missing": "the request has a Plivo signature and no nonce header for it",
    "signature_mismatch": (
        "no Plivo signature header matches: check the account's auth tokens and that the public URL is exactly the "
        "one Plivo calls"
    ),
}


def _closest(*refusals: str) -> str:
    """The refusal that came closest to a proof, which is what the operator has to look at."""
    return max(refusals, key=list(_REFUSED).index)


def _verified_v2(url: str, headers: Mapping[str, str], auth_tokens: Iterable[str]) -> tuple[tuple[str, ...], str]:
    if not (headers.get(V2) or headers.get(MA_V2)):
        return (), "signature_missing"
    if not (nonce := headers.get(V2_NONCE)):
        return (), "nonce_missing"
    return _matching(headers, (V2, MA_V2), _message_v2(url, nonce), auth_tokens), "signature_mismatch"


def _verified_v3(
    method: str, url: str, headers: Mapping[str, str], form: Callable[[], Params], auth_tokens: Iterable[str]
) -> tuple[tuple[str, ...], str]:
    if not (headers.get(V3) or headers.get(MA_V3)):
        return (), "signature_missing"
    if not (nonce := headers.get(V3_NONCE)):
        return (), "nonce_missing"
    message = _message_v3(method, url, nonce, form())
    if message is None:
        return (), "signature_mismatch"
    return _matching(headers, (V3, MA_V3), message, auth_tokens), "signature_mismatch"


def _matching(
    headers: Mapping[str, str], names: Sequence[str], message: bytes, auth_tokens: Iterable[str]
) -> tuple[str, ...]:
    """The named headers whose value is the signature of the message with one of the tokens."""
    claims = [(name, _members(value)) for name in names if (value := headers.get(name))]
    verified: list[str] = []
    # A lone string would be read letter by letter, and one letter is a key that anybody can guess.
    for token in (auth_tokens,) if isinstance(auth_tokens, str) else auth_tokens:
        if not token:  # anybody can sign with an empty key
            continue
        expected = _signature(token, message)
        for name, members in claims:
            for member in members:
                if hmac.compare_digest(expected, member) and name not in verified:
                    verified.append(name)
        if len(verified) == len(claims):
            break
    return tuple(names) if len(verified) == len(names) else tuple(verified)  # there are two, and so in their order


def _members(value: str) -> Sequence[bytes]:
    """The signatures in a header. Spaces are trimmed around the members of a list; a single value is taken as it is,
    as the SDKs do. Bytes, because compare_digest raises TypeError on a non-ASCII str."""
    if "," not in value:
        return (_bytes(value),)
    return [_bytes(member.strip(" \t")) for member in value.split(",")]


def _signature(auth_token: str, message: bytes) -> bytes:
    # HMAC as RFC 2104 has it, with the key in both hashes beforehand: two thirds of the time that `hmac` takes.
    keyed_inner, keyed_outer = _keyed(auth_token)
    inner, outer = keyed_inner.copy(), keyed_outer.copy()
    inner.update(message)
    outer.update(inner.digest())
    return b2a_base64(outer.digest(), newline=False)


@lru_cache(maxsize=1024)
def _keyed(auth_token: str) -> "tuple[hashlib._Hash, hashlib._Hash]":
    """The two hashes of HMAC, ready for a message."""
    key = _bytes(auth_token)
    block = (key if len(key) <= 64 else hashlib.sha256(key).digest()).ljust(64, b"\0")
    return hashlib.sha256(bytes(byte ^ 0x36 for byte in block)), hashlib.sha256(bytes(byte ^ 0x5C for byte in block))


def _message_v2(url: str, nonce: str) -> bytes:
    return _bytes(_base(url.partition("#")[0].partition("?")[0]) + nonce)


def _message_v3(method: str, url: str, nonce: str, params: Params) -> bytes | None:
    """What V3 signs; None where it signs nothing."""
    address, _, query = url.partition("#")[0].partition("?")
    base = _base(address)
    in_query = _query_pairs(query) if query else []
    in_body = _pairs(params)
    match method.upper():
        case "GET":
            # A caller may pass what the query says too: a pair is signed once.
            known = set(in_query)
            text = _query_text(in_query + [pair for pair in in_body if pair not in known])
        case "POST" if in_query and in_body:
            text = f"{_query_text(in_query)}.{_body_text(in_body)}"
        case "POST":
            text = _query_text(in_query) or _body_text(in_body)
        case _:
            return None
    return _bytes(f"{base}?{text}.{nonce}" if in_query or in_body else f"{base}.{nonce}")


def _base(address: str) -> str:
    scheme, separator, rest = address.partition("://")
    return address if scheme.islower() or not separator else f"{scheme.lower()}{separator}{rest}"


def _query_pairs(query: str) -> list[tuple[str, str]]:
    try:
        return forms.pairs(query)
    except CallbackMalformed:
        return parse_qsl(query, keep_blank_values=True)  # as lenient as the SDKs: `?off=100%` is signed as it stands


def _pairs(params: Params) -> list[tuple[str, str]]:
    if not isinstance(params, Mapping):
        return list(params)
    return [
        (_text(key), _text(item))
        for key, value in params.items()
        for item in (value if isinstance(value, list | tuple) else (value,))
    ]


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    # No form holds an object; one SDK of seven recurses into it, and none does better.
    return _body_text(_pairs(value)) if isinstance(value, Mapping) else str(value)


def _query_text(pairs: Iterable[tuple[str, str]]) -> str:
    return "&".join([f"{key}={value}" for key, value in sorted(pairs)])


def _body_text(pairs: Iterable[tuple[str, str]]) -> str:
    return "".join([key + value for key, value in sorted(pairs)])


def _bytes(text: str) -> bytes:
    """UTF-8 that never raises: half a surrogate pair becomes bytes that no UTF-8 has, so they match nothing."""
    return text.encode("utf-8", "surrogatepass")
