"""Cursors: where a page ended, as text that means nothing to anyone but us."""

import base64
import binascii
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import orjson

from landed.domain.errors import InputInvalid

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_NUMBER_MAX: Final = 2**63 - 1


def write(at: datetime, *rest: str | int | bool) -> str:
    """A moment, to the microsecond, and what tells apart the things of that moment."""
    return encoded(orjson.dumps([micros(at), *rest]))


def read(cursor: str, kinds: Sequence[type]) -> tuple[datetime, list[str | int | bool]]:
    """What was written, if it has these kinds of values after the moment.

    Raises:
        InputInvalid: it is no cursor of ours.
    """
    try:
        content = orjson.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
        since_epoch, *rest = content
        if [type(value) for value in (since_epoch, *rest)] != [int, *kinds]:
            raise ValueError("other kinds")
        if any(type(value) is int and abs(value) > _NUMBER_MAX for value in rest):
            raise ValueError("out of range")
        return moment_of(since_epoch), rest
    except (ValueError, TypeError, OverflowError, binascii.Error) as error:
        raise invalid() from error


def write_row(at: datetime, row_id: UUID) -> str:
    """The place of a row in a list that is ordered by a time and then by id."""
    return write(at, row_id.hex)


def read_row(cursor: str | None) -> tuple[datetime, UUID] | None:
    """The place that `write_row` wrote; None: the list's beginning.

    Raises:
        InputInvalid: it is no cursor of ours.
    """
    if cursor is None:
        return None
    at, (hexadecimal,) = read(cursor, [str])
    try:
        return at, UUID(hex=str(hexadecimal))
    except ValueError as error:
        raise invalid() from error


def encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def invalid() -> InputInvalid:
    return InputInvalid(
        "This is no cursor of ours. Take `next_cursor` of the page before as it is, or leave it out to begin anew.",
        field="cursor",
    )


def micros(at: datetime) -> int:
    """Microseconds since 1970."""
    return (at - _EPOCH) // _MICROSECOND


def moment_of(micros_since_1970: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros_since_1970)
