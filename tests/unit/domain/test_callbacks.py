"""Headers as they are kept: looked up one by one they say what they say when all are read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landed.domain.callbacks import HeaderLines, headers_of

names = st.text("abcxyz-", min_size=1, max_size=4)
values = st.text(st.characters(max_codepoint=255, exclude_characters="\n"), max_size=8)


def lines(headers: list[tuple[str, str]]) -> bytes:
    return "".join(f"{name}: {value}\n" for name, value in headers).encode("latin-1")


@given(st.lists(st.tuples(names, values), max_size=6), names)
def test_each_header_reads_as_among_all_whether_repeated_or_missing(headers: list[tuple[str, str]], name: str) -> None:
    kept = lines(headers)
    found, known = HeaderLines(kept), headers_of(kept)

    assert found == known
    assert {each: found[each] for each in known} == known
    assert found.get(name) == known.get(name)
    assert found.get(name, "none") == known.get(name, "none")


def test_a_header_is_not_found_in_the_name_or_value_of_another() -> None:
    found = HeaderLines(b"x-nonce: 1\nurl: nonce: 2\n")

    assert found.get("nonce") is None
    with pytest.raises(KeyError):
        found["nonce"]


def test_a_last_line_that_nobody_ended_is_read_all_the_same() -> None:
    assert HeaderLines(b"x-a: 1\nx-b: 2").get("x-b") == "2"
