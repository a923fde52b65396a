import base64
import hashlib
import hmac
import json
import string
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from plivo.utils import validate_signature
from plivo.utils.signature_v3 import validate_v3_signature

from landed.domain.errors import CallbackMalformed, SignatureInvalid
from landed.providers import forms
from landed.providers.plivo import signatures
from landed.providers.plivo.signatures import MA_V2, MA_V3, V2, V2_NONCE, V3, V3_NONCE, Policy

VECTORS = Path(__file__).parents[3] / "providers" / "plivo" / "signatures"
URL = "https://hooks.example.com:8443/callbacks/k7/messages/m-1?tenant=42"
TOKEN = "Y2Q2ZDgxZmY5YWRiOTI5YmQ1Njg0MTAxZWIyOTc4"
MAIN = "NmE3YjU4YjktZDA2My00ZTBlLWE1NTEtMTc2OWQx"
NONCE = "05429567804466091622"
FORM = {"Status": ["delivered"], "MessageUUID": ["u-1"], "ErrorCode": [""], "Media": ["b", "a"]}


def vectors(file: str, kind: str) -> list[Any]:
    return [pytest.param(vector, id=vector["id"]) for vector in json.loads((VECTORS / file).read_text())[kind]]


def verdict(vector: Mapping[str, Any]) -> bool:
    url, nonce, signature, tokens = vector["url"], vector["nonce"], vector["signature"], [vector["auth_token"]]
    if vector["version"] == "v2":
        return signatures.is_valid_v2(url, nonce, signature, tokens)
    return signatures.is_valid_v3(vector["method"], url, nonce, signature, tokens, vector["params"])


# --- vectors -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vector", vectors("plivo_v2.json", "vectors") + vectors("plivo_v3.json", "vectors"))
def test_a_vector_gets_the_verdict_of_the_sdks(vector: Mapping[str, Any]) -> None:
    assert verdict(vector) is vector["valid"]


@pytest.mark.parametrize("vector", vectors("plivo_v2.json", "disputed") + vectors("plivo_v3.json", "disputed"))
def test_a_disputed_vector_gets_the_recommended_verdict(vector: Mapping[str, Any]) -> None:
    assert verdict(vector) in {"accept": {True}, "reject": {False}}.get(vector["recommended"], {True, False})


@pytest.mark.parametrize("file", ["plivo_v2.json", "plivo_v3.json"])
def test_the_vector_files_are_whole(file: str) -> None:
    content = json.loads((VECTORS / file).read_text())

    assert {kind: len(content[kind]) for kind in ("vectors", "disputed")} == {
        kind: content["meta"]["count"][kind] for kind in ("vectors", "disputed")
    }


def test_the_vector_that_plivo_publishes_can_be_signed() -> None:
    signature = signatures.sign_v2("https://answer.url", "12345", "my_auth_token")

    assert signature == "ehV3IKhLysWBxC1sy8INm0qGoQYdYsHwuoKjsX7FsXc="


# --- against the official SDK ------------------------------------------------------------------------------------

ASCII = st.text(string.ascii_letters + string.digits + " -_.~!*'()@:/?#[]=&+%,;$\"<>", max_size=10)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
SECRET = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
NONCES = st.text(string.ascii_letters + string.digits, max_size=24)
#: URLs the Python SDK can take: ASCII, no ";params", which it drops from the path and the six others keep.
ADDRESSES = st.builds(
    "{}://{}{}{}".format,
    st.sampled_from(["http", "https"]),
    st.sampled_from(["hooks.example.com", "HOOKS.Example.COM", "10.0.0.1", "[2001:db8::1]", "xn--mnchen-3ya.example"]),
    st.sampled_from(["", ":80", ":443", ":8443"]),
    st.text(string.ascii_letters + string.digits + "-_.~%@:+", max_size=12).map(lambda path: path and f"/{path}"),
)
FRAGMENTS = st.sampled_from(["", "#", "#ct=2000&rt=5000", "#a?b=c"])


def url_with(address: str, query: list[tuple[str, str]], fragment: str) -> str:
    return f"{address}?{urlencode(query)}{fragment}" if query else f"{address}{fragment}"


QUERIES = st.lists(st.tuples(ASCII.map(lambda key: f"q{key}"), ASCII), max_size=4)
PARAMS = st.dictionaries(
    TEXT.map(lambda key: f"p{key}"), st.one_of(TEXT, st.lists(TEXT, min_size=1, max_size=3)), max_size=5
)


@given(ADDRESSES, QUERIES, FRAGMENTS, TEXT, SECRET)
@example("https://hooks.example.com/p", [], "", "1", "k" * 64)  # as long as a block of the hash, and longer
@example("https://hooks.example.com/p", [], "", "1", "k" * 65)
def test_v2_signs_what_the_sdk_accepts(
    address: str, query: list[tuple[str, str]], fragment: str, nonce: str, token: str
) -> None:
    url = url_with(address, query, fragment)
    signature = signatures.sign_v2(url, nonce, token)

    assert validate_signature(url, nonce, signature, token)
    assert signatures.is_valid_v2(url, nonce, signature, [token])


@given(ADDRESSES, ADDRESSES, NONCES, NONCES, SECRET, SECRET)
def test_v2_answers_as_the_sdk_does_when_something_differs(
    signed: str, called: str, nonce: str, other_nonce: str, token: str, other_token: str
) -> None:
    signature = signatures.sign_v2(signed, nonce, token)

    assert signatures.is_valid_v2(called, other_nonce, signature, [other_token]) == validate_signature(
        called, other_nonce, signature, other_token
    )


@given(st.sampled_from(["GET", "POST", "get", "post"]), ADDRESSES, QUERIES, FRAGMENTS, PARAMS, NONCES, SECRET)
@example("POST", "https://hooks.example.com", [], "", {"p": ["b", "a"]}, "1", "t")
@example("POST", "https://hooks.example.com", [("q", "")], "", {}, "1", "t")
@example("GET", "https://hooks.example.com", [("q", "2"), ("q", "1")], "#x", {"p": "é"}, "1", "t")
def test_v3_signs_what_the_sdk_accepts(
    method: str,
    address: str,
    query: list[tuple[str, str]],
    fragment: str,
    params: dict[str, str | list[str]],
    nonce: str,
    token: str,
) -> None:
    url = url_with(address, query, fragment)
    signature = signatures.sign_v3(method, url, nonce, token, params)

    assert validate_v3_signature(method, url, nonce, token, signature, dict(params))
    assert signatures.is_valid_v3(method, url, nonce, signature, [token], params)


@given(st.sampled_from(["GET", "POST"]), ADDRESSES, QUERIES, PARAMS, PARAMS, SECRET)
def test_v3_answers_as_the_sdk_does_when_the_parameters_differ(
    method: str,
    address: str,
    query: list[tuple[str, str]],
    signed: dict[str, str | list[str]],
    received: dict[str, str | list[str]],
    token: str,
) -> None:
    url = url_with(address, query, "")
    signature = signatures.sign_v3(method, url, NONCE, token, signed)

    assert signatures.is_valid_v3(method, url, NONCE, signature, [token], received) == validate_v3_signature(
        method, url, NONCE, token, signature, dict(received)
    )


@pytest.mark.parametrize("query", ["off=100%", "a=%zz", "a&&b", "=", "&", "a=b=c"])
def test_v3_takes_a_sloppy_query_as_the_sdk_does(query: str) -> None:
    url = f"https://hooks.example.com/status?{query}"
    signature = signatures.sign_v3("POST", url, NONCE, TOKEN, FORM)

    assert validate_v3_signature("POST", url, NONCE, TOKEN, signature, dict(FORM))


# --- odd input ---------------------------------------------------------------------------------------------------


def test_headers_that_verify_are_named_in_their_order_whichever_token_proves_them() -> None:
    signed = {MA_V2: signatures.sign_v2(URL, NONCE, TOKEN), V2: signatures.sign_v2(URL, NONCE, MAIN), V2_NONCE: NONCE}

    for tokens in ([TOKEN, MAIN], [MAIN, TOKEN], ["", "other", TOKEN, "", MAIN]):
        assert signatures.verified_headers("POST", URL, signed, dict, tokens) == (V2, MA_V2)


@given(st.text(), st.text(), st.text(), st.lists(st.text(), max_size=3))
@example("\ud800", "\ud800", "\ud800", ["\ud800"])
@example("https://[", "", ",", [""])
def test_v2_never_raises_and_never_accepts_what_is_not_signed(
    url: str, nonce: str, signature: str, tokens: list[str]
) -> None:
    assert signatures.is_valid_v2(url, nonce, signature, tokens) is False


@given(
    st.sampled_from(["GET", "POST", "PUT", "", "ſ"]),
    st.text(),
    st.text(),
    st.text(),
    st.lists(st.text(), max_size=3),
    st.dictionaries(
        st.text(),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda values: st.lists(values) | st.dictionaries(st.text(), values),
            max_leaves=5,
        ),
    ),
)
def test_v3_never_raises_and_never_accepts_what_is_not_signed(
    method: str, url: str, nonce: str, signature: str, tokens: list[str], params: dict[str, object]
) -> None:
    assert signatures.is_valid_v3(method, url, nonce, signature, tokens, params) is False


def endless() -> dict[str, object]:
    nested: dict[str, object] = {}
    nested["a"] = nested
    return nested


@pytest.mark.parametrize("params", [endless(), {"a": 10**5000}], ids=["endless", "number too long for text"])
def test_v3_refuses_parameters_that_have_no_text(params: dict[str, object]) -> None:
    assert signatures.is_valid_v3("POST", URL, NONCE, "x", [TOKEN], params) is False


@pytest.mark.parametrize("value", [7, 0.5, True, None], ids=repr)
def test_v3_signs_other_values_as_their_text(value: object) -> None:
    signature = signatures.sign_v3("POST", URL, NONCE, TOKEN, {"a": str(value)})

    assert signatures.is_valid_v3("POST", URL, NONCE, signature, [TOKEN], {"a": value})


def test_v3_takes_pairs_as_well_as_a_mapping() -> None:
    signature = signatures.sign_v3("POST", URL, NONCE, TOKEN, FORM)
    pairs = [(key, value) for key, values in reversed(FORM.items()) for value in values]

    assert signatures.is_valid_v3("POST", URL, NONCE, signature, [TOKEN], pairs)


def test_signing_v3_for_another_method_says_which_there_are() -> None:
    with pytest.raises(ValueError, match="GET and POST with V3, not 'PUT'"):
        signatures.sign_v3("PUT", URL, NONCE, TOKEN)


@pytest.mark.parametrize("tokens", [[], [""], "", ["", ""]], ids=repr)
def test_an_empty_token_proves_nothing(tokens: list[str] | str) -> None:
    signature = base64.b64encode(hmac.digest(b"", b"https://a.test/1", hashlib.sha256)).decode()

    assert signatures.is_valid_v2("https://a.test/", "1", signature, tokens) is False


def test_a_nonce_that_is_missing_proves_nothing_and_raises_nothing() -> None:
    assert signatures.is_valid_v2(URL, None, signatures.sign_v2(URL, "", TOKEN), [TOKEN]) is False
    assert signatures.is_valid_v3("POST", URL, None, signatures.sign_v3("POST", URL, "None", TOKEN), [TOKEN]) is False


def test_a_lone_token_is_not_read_letter_by_letter() -> None:
    guessed = signatures.sign_v2(URL, NONCE, TOKEN[0])

    assert signatures.is_valid_v2(URL, NONCE, guessed, TOKEN) is False
    assert signatures.is_valid_v2(URL, NONCE, signatures.sign_v2(URL, NONCE, TOKEN), TOKEN) is True


def test_either_token_verifies_while_one_is_rotated() -> None:
    for token in ("old", "new"):
        assert signatures.is_valid_v2(URL, NONCE, signatures.sign_v2(URL, NONCE, token), iter(["new", "old"]))
        signature = signatures.sign_v3("POST", URL, NONCE, token, FORM)
        assert signatures.is_valid_v3("POST", URL, NONCE, signature, iter(["new", "old"]), FORM)


@pytest.mark.parametrize("form", ["{0},x", "x,{0}", "x, {0} ,y", "{0},", ",\t{0}"])
def test_any_member_of_a_list_verifies_with_spaces_trimmed(form: str) -> None:
    assert signatures.is_valid_v2(URL, NONCE, form.format(signatures.sign_v2(URL, NONCE, TOKEN)), [TOKEN])
    assert signatures.is_valid_v3(
        "POST", URL, NONCE, form.format(signatures.sign_v3("POST", URL, NONCE, TOKEN, FORM)), [TOKEN], FORM
    )


def test_signatures_are_compared_in_constant_time_and_as_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def all_equal(a: bytes, b: bytes) -> bool:
        compared.append((a, b))
        return True

    monkeypatch.setattr(hmac, "compare_digest", all_equal)

    assert signatures.is_valid_v2(URL, NONCE, "forgéd", [TOKEN])
    assert signatures.is_valid_v3("POST", URL, NONCE, "forgéd", [TOKEN], FORM)

    expected = [signatures.sign_v2(URL, NONCE, TOKEN), signatures.sign_v3("POST", URL, NONCE, TOKEN, FORM)]
    assert compared == [(signature.encode(), "forgéd".encode()) for signature in expected]


# --- policies ----------------------------------------------------------------------------------------------------


def headers(**which: str) -> dict[str, str]:
    """Signed headers: v2=, ma_v2=, v3=, ma_v3= name the token to sign with, or "forged"; nonces come along."""
    made: dict[str, str] = {}
    for name, key in {"v2": V2, "ma_v2": MA_V2}.items():
        if name in which:
            made |= {key: signatures.sign_v2(URL, NONCE, which[name]), V2_NONCE: NONCE}
    for name, key in {"v3": V3, "ma_v3": MA_V3}.items():
        if name in which:
            made |= {key: signatures.sign_v3("POST", URL, "77", which[name], FORM), V3_NONCE: "77"}
    return made


def verify(
    sent: Mapping[str, str],
    policy: Policy = Policy.V3_PREFERRED,
    *,
    method: str = "POST",
    form: Callable[[], signatures.Params] = lambda: FORM,
    tokens: tuple[str, ...] = (TOKEN, MAIN),
) -> tuple[str, ...]:
    return signatures.verified_headers(method, URL, sent, form, tokens, policy)


def refusal(sent: Mapping[str, str], policy: Policy, method: str = "POST") -> str:
    with pytest.raises(SignatureInvalid) as caught:
        verify(sent, policy, method=method)
    return caught.value.reason


V2_BOTH = headers(v2=TOKEN, ma_v2=MAIN)
V3_BOTH = headers(v3=TOKEN, ma_v3=MAIN)
V3_FORGED = headers(v3="forged", ma_v3="forged")


@pytest.mark.parametrize(
    ("sent", "policy", "verified"),
    [
        (V2_BOTH, Policy.V3_PREFERRED, (V2, MA_V2)),
        (V2_BOTH, Policy.V2_ONLY, (V2, MA_V2)),
        (V2_BOTH, Policy.ANY, (V2, MA_V2)),
        (V3_BOTH, Policy.V3_PREFERRED, (V3, MA_V3)),
        (V3_BOTH, Policy.V3_ONLY, (V3, MA_V3)),
        (V3_BOTH, Policy.ANY, (V3, MA_V3)),
        (V2_BOTH | V3_BOTH, Policy.V3_PREFERRED, (V2, MA_V2, V3, MA_V3)),
        (V2_BOTH | V3_BOTH, Policy.ANY, (V2, MA_V2, V3, MA_V3)),
        (V2_BOTH | V3_BOTH, Policy.V2_ONLY, (V2, MA_V2)),
        (V2_BOTH | V3_BOTH, Policy.V3_ONLY, (V3, MA_V3)),
        (V2_BOTH | V3_FORGED, Policy.V2_ONLY, (V2, MA_V2)),
        (V2_BOTH | V3_FORGED, Policy.ANY, (V2, MA_V2)),
        (headers(v2="forged", v3=TOKEN), Policy.V3_PREFERRED, (V3,)),
        (headers(v2="forged", v3=TOKEN), Policy.ANY, (V3,)),
        # As messaging webhooks of 2026 look: the plain V3 value does not match, the main account's does.
        (headers(v2=TOKEN, ma_v2=TOKEN, v3="other", ma_v3=TOKEN), Policy.V3_PREFERRED, (V2, MA_V2, MA_V3)),
        (headers(v2=MAIN, ma_v2=TOKEN), Policy.V3_PREFERRED, (V2, MA_V2)),
        (headers(v2="forged", ma_v2=TOKEN), Policy.V2_ONLY, (MA_V2,)),
        ({V3_NONCE: "77"} | V2_BOTH, Policy.V3_PREFERRED, (V2, MA_V2)),
    ],
)
def test_policy_names_all_headers_that_verify(sent: dict[str, str], policy: Policy, verified: tuple[str, ...]) -> None:
    assert verify(sent, policy) == verified


@pytest.mark.parametrize(
    ("sent", "policy", "reason"),
    [
        *[({}, policy, "signature_missing") for policy in Policy],
        *[({V2_NONCE: NONCE, V3_NONCE: "77"}, policy, "signature_missing") for policy in Policy],
        (V3_BOTH, Policy.V2_ONLY, "signature_missing"),
        (V2_BOTH, Policy.V3_ONLY, "signature_missing"),
        ({V2: "", MA_V2: "", V2_NONCE: NONCE}, Policy.V2_ONLY, "signature_missing"),
        (V2_BOTH | {V2_NONCE: ""}, Policy.V3_PREFERRED, "nonce_missing"),
        ({V2: V2_BOTH[V2]}, Policy.ANY, "nonce_missing"),
        ({V2: V2_BOTH[V2], V3_NONCE: NONCE}, Policy.V2_ONLY, "nonce_missing"),
        (V3_BOTH | {V3_NONCE: ""}, Policy.V3_ONLY, "nonce_missing"),
        (V2_BOTH | {V3: V3_BOTH[V3]}, Policy.V3_PREFERRED, "nonce_missing"),
        (headers(v2="forged"), Policy.V3_PREFERRED, "signature_mismatch"),
        (V3_FORGED, Policy.ANY, "signature_mismatch"),
        (V3_FORGED | {V2: V2_BOTH[V2]}, Policy.ANY, "signature_mismatch"),
        (V2_BOTH | {V2_NONCE: "1"}, Policy.V2_ONLY, "signature_mismatch"),
        (V2_BOTH | {V2: "é", MA_V2: "\ud800"}, Policy.V2_ONLY, "signature_mismatch"),
    ],
)
def test_refusal_says_why_in_a_word(sent: dict[str, str], policy: Policy, reason: str) -> None:
    assert refusal(sent, policy) == reason


@pytest.mark.parametrize("policy", [Policy.V3_PREFERRED, Policy.V3_ONLY])
@pytest.mark.parametrize("forged", [V3_FORGED, headers(v3="forged"), headers(ma_v3="forged")])
def test_v2_does_not_rescue_a_request_whose_v3_fails(policy: Policy, forged: dict[str, str]) -> None:
    assert refusal(V2_BOTH | forged, policy) == "signature_mismatch"


def test_an_empty_v3_header_still_lets_v3_decide() -> None:
    assert refusal(V2_BOTH | {V3: ""}, Policy.V3_PREFERRED) == "signature_missing"


def test_a_changed_body_is_refused_where_v3_is_present() -> None:
    with pytest.raises(SignatureInvalid):
        verify(V2_BOTH | V3_BOTH, form=lambda: FORM | {"Status": ["failed"]})


@pytest.mark.parametrize("method", ["PUT", "DELETE", ""])
def test_v3_proves_nothing_for_other_methods(method: str) -> None:
    assert refusal(V3_BOTH, Policy.V3_PREFERRED, method) == "signature_mismatch"


def test_the_body_is_read_once_and_only_for_v3() -> None:
    reads: list[str] = []

    def form() -> signatures.Params:
        reads.append("read")
        return FORM

    verify(V2_BOTH, form=form)
    verify(V2_BOTH | V3_BOTH, Policy.V2_ONLY, form=form)
    assert reads == []
    verify(V2_BOTH | V3_BOTH, form=form)
    assert reads == ["read"]


def test_a_body_that_cannot_be_read_is_malformed_and_not_forged() -> None:
    with pytest.raises(CallbackMalformed):
        verify(V3_BOTH, form=lambda: forms.pairs(b"a=%"))


def test_one_hmac_per_token_and_family_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    signed: list[tuple[str, bytes]] = []
    signature = signatures._signature
    sent = headers(v2=MAIN, ma_v2=MAIN, v3=MAIN, ma_v3=MAIN)

    def counted(token: str, message: bytes) -> bytes:
        signed.append((token, message))
        return signature(token, message)

    monkeypatch.setattr(signatures, "_signature", counted)

    verify(sent)

    assert sorted(token for token, _ in signed) == sorted([TOKEN, MAIN] * 2)
    assert len({message for _, message in signed}) == 2


def test_an_account_without_tokens_accepts_nothing() -> None:
    with pytest.raises(SignatureInvalid):
        verify(V2_BOTH, tokens=())


def test_a_refusal_tells_no_token_signature_or_url() -> None:
    with pytest.raises(SignatureInvalid) as caught:
        verify(V3_FORGED)

    assert not any(secret in str(caught.value) for secret in (TOKEN, MAIN, V3_FORGED[V3], URL, "/callbacks/"))
