from urllib.parse import parse_qsl, quote_plus, urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from landed.domain.errors import CallbackMalformed
from landed.providers import forms

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
#: Bytes that lean towards what a form is made of, so that broken and whole escapes are both common.
FORMISH = st.lists(
    st.one_of(
        st.sampled_from(
            [b"&", b"=", b"+", b"%", b"%3D", b"%3d", b"%26", b"%00", b"%C3", b"%A9", b"%c3%a9", b"%zz", b"\0"]
        ),
        st.sampled_from([b"a", b"key", b"2F", "é".encode(), b"\xc3", b"\xa9", b"%7F", b"%80", b"%ED%A0%80", b"\n"]),
        st.binary(max_size=3),
    ),
    max_size=12,
).map(b"".join)


def is_refused(read: object, data: bytes | str) -> bool:
    assert callable(read)
    try:
        read(data)
    except CallbackMalformed:
        return True
    return False


@given(st.lists(st.tuples(TEXT, TEXT), max_size=25))
@example([("a=b", "c=d&e"), ("100%", "é✓"), ("", "")])
def test_reads_back_whatever_urlencode_writes(fields: list[tuple[str, str]]) -> None:
    encoded = urlencode(fields)

    assert forms.pairs(encoded.encode()) == fields
    assert forms.pairs(encoded) == fields
    assert forms.pairs(encoded) == parse_qsl(encoded, keep_blank_values=True, errors="strict")


@given(FORMISH)
@example(b"a%3Db=c&a=%3D")
@example(b"&&=&==&a==b")
def test_agrees_with_parse_qsl_on_all_it_takes(data: bytes) -> None:
    if not is_refused(forms.pairs, data):
        assert forms.pairs(data) == parse_qsl(data.decode(), keep_blank_values=True, errors="strict")


@given(FORMISH)
@example(b"a=%E2%82&b=%AC")
@example(b"\xc3%A9")
@example(b"%C3\xa9")
@example(b"%f0%9f%98%80")
def test_well_formed_raises_exactly_when_pairs_raises(data: bytes) -> None:
    assert is_refused(forms.well_formed, data) == is_refused(forms.pairs, data)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"a=%", "broken percent escape at character 2"),
        (b"a=%4", "broken percent escape"),
        (b"a=1&b=%4g", "broken percent escape at character 6"),
        (b"a=\xff", "not UTF-8 at byte 2"),
        (b"a=%FF", "percent escapes that are not UTF-8"),
        (b"a=%C3&b=%A9", "percent escapes that are not UTF-8"),
        (b"a=%ED%A0%80", "percent escapes that are not UTF-8"),
        (b"a=\0", "NUL"),
        (b"a=%00", "NUL"),
        (b"&" * forms.FIELDS_MAX, f"more than {forms.FIELDS_MAX} fields"),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_malformed_input_is_refused_with_the_reason(data: bytes, says: str) -> None:
    with pytest.raises(CallbackMalformed, match=says):
        forms.pairs(data)
    with pytest.raises(CallbackMalformed, match=says):
        forms.well_formed(data)


def test_text_with_half_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(CallbackMalformed, match="not UTF-8"):
        forms.pairs("a=\ud800")


def test_as_many_fields_as_the_limit_are_taken() -> None:
    data = b"&".join([b"a=1"] * forms.FIELDS_MAX)

    forms.well_formed(data)
    assert len(forms.pairs(data)) == forms.FIELDS_MAX


@pytest.mark.parametrize(
    ("data", "fields"),
    [
        (b"", []),
        (b"flag", [("flag", "")]),
        (b"a=", [("a", "")]),
        (b"a=1&&b=2&", [("a", "1"), ("b", "2")]),
        (b"a=b=c", [("a", "b=c")]),
        (b"PartInfo=1+of+1&To=%2B14155550123", [("PartInfo", "1 of 1"), ("To", "+14155550123")]),
        ("n=é".encode(), [("n", "é")]),
        (b"a%3Db=c%26d", [("a=b", "c&d")]),
        (b"a=2&a=1", [("a", "2"), ("a", "1")]),
    ],
    ids=repr,
)
def test_fields_are_read_in_order_with_blanks_kept(data: bytes, fields: list[tuple[str, str]]) -> None:
    assert forms.pairs(data) == fields


def test_a_message_text_with_line_breaks_is_well_formed() -> None:
    forms.well_formed(b"Text=" + quote_plus("one\r\ntwo\tthree").encode())
