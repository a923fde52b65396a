"""Why a signature does not hold: whatever is forged is never explained, and no finding tells a secret."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import replace
from typing import Final
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landed.domain.callbacks import CallbackRequest
from landed.domain.diagnoses import Case, KnownToken, Standing
from landed.providers.base import Credentials, Diagnoses
from landed.providers.plivo import signatures
from landed.providers.plivo.diagnosis import diagnose
from landed.providers.plivo.provider import Plivo
from landed.providers.plivo.signatures import HEADERS, MA_V2, MA_V3, V2, V2_NONCE, V3, V3_NONCE

URL: Final = "https://hooks.example.com/callbacks/key/messages/1"
TOKEN: Final = "a-token-of-the-account"
FIELDS: Final = {"MessageUUID": "m-1", "Status": "sent", "To": "+14155550123", "ErrorCode": ""}
TOKENS: Final = (
    KnownToken(value=TOKEN, label="token 1", account="shop"),
    KnownToken(value="an-older-token", label="token 0", account="shop", standing=Standing.EXPIRED),
    KnownToken(value="of-another", label="token 7", account="bank", standing=Standing.OTHER),
)
FORM: Final = {"content-type": "application/x-www-form-urlencoded", "host": "hooks.example.com"}
POLICIES: Final = ("v3-preferred", "v2-only", "v3-only", "any")
_BASE64: Final = st.binary(min_size=32, max_size=32).map(lambda raw: b64encode(raw).decode())
_SIGNATURES: Final = st.one_of(_BASE64, st.text(max_size=60), st.just(""), st.text("AB=", max_size=50))
_NONCES: Final = st.one_of(st.from_regex(r"[0-9]{20}", fullmatch=True), st.text(max_size=30))


def case(
    headers: Mapping[str, str], *, url: str = URL, body: bytes | None = None, policy: str = "v3-preferred"
) -> Case:
    request = CallbackRequest(
        method="POST", url=url, headers={**FORM, **headers}, body=urlencode(FIELDS).encode() if body is None else body
    )
    return Case(request=request, account="shop", policy=policy, tokens=TOKENS, public_url="https://hooks.example.com")


def v2(url: str = URL, token: str = TOKEN, nonce: str = "12345678901234567890") -> dict[str, str]:
    return {V2: signatures.sign_v2(url, nonce, token), V2_NONCE: nonce}


def v3(url: str = URL, token: str = TOKEN, nonce: str = "22345678901234567890") -> dict[str, str]:
    return {V3: signatures.sign_v3("POST", url, nonce, token, FIELDS), V3_NONCE: nonce}


@given(
    values=st.fixed_dictionaries(
        {},
        optional={
            V2: _SIGNATURES,
            MA_V2: _SIGNATURES,
            V3: _SIGNATURES,
            MA_V3: _SIGNATURES,
            V2_NONCE: _NONCES,
            V3_NONCE: _NONCES,
        },
    ),
    body=st.one_of(st.binary(max_size=60), st.just(urlencode(FIELDS).encode()), st.just(b'{"a": 1}')),
    url=st.sampled_from([URL, f"{URL}?a=%zz&b=+1", "http://127.0.0.1:8080/x//y/"]),
    policy=st.sampled_from(POLICIES),
)
@settings(max_examples=40, deadline=None)
def test_a_forgery_is_never_explained(values: dict[str, str], body: bytes, url: str, policy: str) -> None:
    findings = diagnose(case(values, url=url, body=body, policy=policy))

    assert not any(finding.is_proven for finding in findings)
    seen = {cause for finding in findings for cause in finding.causes}
    assert seen <= {"signature_missing", "nonce_missing", "body_truncated"}
    assert ("signature_missing" in seen) == (not any(values.get(name) for name in (V2, MA_V2, V3, MA_V3)))


@given(token=st.sampled_from([token.value for token in TOKENS]), change=st.sampled_from(["/", "http", "body", "www"]))
@settings(max_examples=12, deadline=None)
def test_no_finding_tells_a_secret(token: str, change: str) -> None:
    url = {"/": f"{URL}/", "http": URL.replace("https", "http"), "www": URL.replace("hooks", "www.hooks")}.get(
        change, URL
    )
    headers = {**v2(url, token), **v3(url, token)}
    findings = diagnose(case(headers, body=b"MessageUUID=other" if change == "body" else None))

    assert findings
    said = " ".join(part for finding in findings for part in (finding.sentence, *finding.details))
    assert not any(known.value in said for known in TOKENS)
    assert signatures.sign_v2(URL, headers[V2_NONCE], TOKEN) not in said


@pytest.mark.parametrize("policy", POLICIES)
def test_what_the_door_takes_now_is_called_so(policy: str) -> None:
    headers = {**v2(), **v3()}
    (finding, *_) = diagnose(case(headers, policy=policy))

    assert finding.causes == ("accepted_now",)
    request = case(headers).request
    assert Plivo().verify(request, Credentials(auth_tokens=(TOKEN,), policy=policy))


def test_v2_alone_proves_little_where_the_fields_do_not_match() -> None:
    (finding,) = diagnose(case({**v2(), **v3()}, body=b"MessageUUID=forged&Status=delivered"))

    assert finding.causes == ("v3_mismatch",)
    assert not finding.is_proven, "whoever captured V2 can send it with any body"


def test_a_body_of_which_only_the_beginning_is_kept_is_said_so() -> None:
    whole = urlencode(FIELDS).encode()
    (finding,) = diagnose(replace(case({**v2(), **v3()}, body=whole[:20]), body_bytes=len(whole)))

    assert finding.causes == ("body_not_kept",)
    assert f"first 20 of the {len(whole)} bytes" in finding.sentence


def test_a_body_shorter_than_announced_is_said_so() -> None:
    headers = {**v2(), **v3(), "content-length": "400"}
    (finding,) = diagnose(case(headers, body=urlencode(FIELDS).encode()[:20]))

    assert finding.causes == ("body_truncated",)


@pytest.mark.parametrize(
    ("signed", "checked", "prefix"),
    [
        (
            "https://h.example/landed/callbacks/k",
            "https://h.example/callbacks/k",
            "set LANDED_PUBLIC_URL to https://h.example/landed",
        ),
        (
            "https://h.example/callbacks/k",
            "https://h.example/landed/callbacks/k",
            "take /landed out of LANDED_PUBLIC_URL",
        ),
    ],
)
def test_a_path_that_a_proxy_takes_or_adds_is_named(signed: str, checked: str, prefix: str) -> None:
    (finding, *_) = diagnose(case(v2(signed), url=checked))

    assert finding.causes == ("path_prefix",)
    assert prefix in finding.sentence


def test_an_unset_public_url_is_told_in_one_sentence() -> None:
    checked = URL.replace("https://hooks.example.com", "http://127.0.0.1:8080")
    (finding, *_) = diagnose(replace(case(v2(), url=checked), public_url="http://127.0.0.1:8080"))

    assert set(finding.causes) == {"host", "scheme", "port"}
    assert "set LANDED_PUBLIC_URL to https://hooks.example.com," in finding.sentence


def test_a_json_body_that_was_a_form_is_recognised_by_its_fields() -> None:
    body = b'{"MessageUUID": "m-1", "Status": "sent", "To": "+14155550123", "ErrorCode": null}'
    given = case(v3(), body=body)
    request = replace(given.request, headers={**given.request.headers, "content-type": "application/json"})

    assert diagnose(replace(given, request=request))[0].causes == ("body_json",)


def test_a_form_that_a_proxy_calls_json_is_told_by_its_type() -> None:
    given = case(v3())
    request = replace(given.request, headers={**given.request.headers, "content-type": "application/json"})

    assert diagnose(replace(given, request=request))[0].causes == ("body_content_type",)


@pytest.mark.parametrize("kept", ["&PartInfo=1+of+1", ""])
def test_a_plus_that_got_lost_in_a_query_is_found_beside_spaces_that_are_meant(kept: str) -> None:
    sent = f"{URL}?MessageUUID=m-1&To=%2B14155550123{kept}"
    nonce = "22345678901234567890"
    headers = {**FORM, V3: signatures.sign_v3("GET", sent, nonce, TOKEN), V3_NONCE: nonce}
    request = CallbackRequest(method="GET", url=sent.replace("%2B", "+"), headers=headers)

    assert diagnose(replace(case({}), request=request))[0].causes == ("query_plus",)


@pytest.mark.parametrize(("method", "query"), [("POST", "shop=7"), ("POST", "number=7"), ("GET", "shop=7")])
def test_a_body_that_got_lost_is_missed_though_the_address_has_a_query_of_its_own(method: str, query: str) -> None:
    url, nonce = f"{URL}?{query}", "22345678901234567890"
    signed = {**v2(url), V3: signatures.sign_v3("POST", url, nonce, TOKEN, FIELDS), V3_NONCE: nonce}
    request = CallbackRequest(method=method, url=url, headers={**FORM, **signed})

    assert "body_lost" in diagnose(replace(case({}), request=request))[0].causes


def test_a_callback_with_its_fields_in_the_query_has_lost_no_body() -> None:
    url, nonce = f"{URL}?{urlencode(FIELDS)}", "22345678901234567890"
    signed = {**v2(url), V3: signatures.sign_v3("GET", f"{URL}?MessageUUID=other", nonce, TOKEN), V3_NONCE: nonce}
    request = CallbackRequest(method="GET", url=url, headers={**FORM, **signed})

    assert diagnose(replace(case({}), request=request))[0].causes == ("v3_mismatch",)


def test_other_characters_than_utf8_are_recognised() -> None:
    fields = {"MessageUUID": "m-1", "Status": "sent", "Text": "Grüße €"}
    nonce = "22345678901234567890"
    headers = {V3: signatures.sign_v3("POST", URL, nonce, TOKEN, fields), V3_NONCE: nonce}
    body = urlencode(fields, encoding="cp1252").encode()

    assert diagnose(case(headers, body=body))[0].causes == ("body_charset",)


def test_plivo_offers_a_diagnosis_and_names_its_headers() -> None:
    provider = Plivo()

    assert isinstance(provider, Diagnoses)
    assert provider.signature_headers == HEADERS
