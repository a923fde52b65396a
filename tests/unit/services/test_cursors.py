"""Cursors come back as they were written, and nothing else passes for one."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landed.domain.errors import InputInvalid
from landed.services import cursors

numbers = st.integers(-(2**63) + 1, 2**63 - 1)


@given(st.datetimes(timezones=st.just(UTC)), st.booleans(), numbers, st.text(max_size=40))
def test_what_was_written_is_read(at: datetime, flag: bool, number: int, text: str) -> None:
    written = cursors.write(at, flag, number, text)
    assert cursors.read(written, [bool, int, str]) == (at, [flag, number, text])
    assert written.replace("-", "").replace("_", "").isalnum()


@given(st.one_of(st.text(max_size=60), st.binary(max_size=60).map(lambda content: cursors.encoded(content))))
def test_anything_else_is_refused_by_name(text: str) -> None:
    with pytest.raises(InputInvalid) as caught:
        cursors.read(text, [int, str])
    assert caught.value.field == "cursor"


def test_a_cursor_of_another_list_is_refused() -> None:
    with pytest.raises(InputInvalid):
        cursors.read(cursors.write(datetime(2026, 1, 1, tzinfo=UTC), "a"), [bool, int, int])
