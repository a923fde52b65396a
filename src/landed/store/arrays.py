"""Columns of many rows, a parameter each, packed before psycopg sees them: it would look at each value for its type.

In SQL such a parameter is written `%b::bigint[]`, and `unnest` makes rows of several.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from struct import Struct
from typing import Any, Final

import psycopg
from psycopg import BaseConnection
from psycopg.adapt import Dumper
from psycopg.pq import Format

# Arrays as PostgreSQL takes them in binary (array_recv in its source): dimensions, if there are NULLs, type of values;
# length and first index of the one dimension; then each value behind its length.
_ARRAY: Final = Struct("!iiIii")
_LENGTH: Final = Struct("!i")
_NULL: Final = _LENGTH.pack(-1)
_INTEGER: Final = Struct("!i")
_BIGINT: Final = Struct("!q")
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class Array:
    """One column. None in it is NULL; it has one row at least."""

    __slots__ = ("packed",)

    def __init__(self, type_name: str, values: Sequence[Any]) -> None:
        pack, count = _PACK[type_name], len(values)
        oid = psycopg.adapters.types[type_name].oid
        # Most columns of a batch say one thing: one method, one account, one URL.
        is_one = values.count(values[0]) == count
        fields = _fields(values[:1], pack) * count if is_one else _fields(values, pack)
        self.packed = b"".join([_ARRAY.pack(1, 1, oid, count, 1), *fields])


def _fields(values: Sequence[Any], pack: Callable[[Any], bytes]) -> list[bytes]:
    """Each value behind its length."""
    if None in values:
        return [_NULL if value is None else b"".join(_fields([value], pack)) for value in values]
    packed = [*map(pack, values)]
    fields = [b""] * (2 * len(packed))
    fields[::2] = map(_LENGTH.pack, map(len, packed))
    fields[1::2] = packed
    return fields


def _microseconds(moment: datetime) -> bytes:
    return _BIGINT.pack((moment - _EPOCH) // _MICROSECOND)


def _days(day: date) -> bytes:
    return _INTEGER.pack((day - _EPOCH.date()).days)


_PACK: Final[Mapping[str, Callable[[Any], bytes]]] = {
    "int4": _INTEGER.pack,
    "int8": _BIGINT.pack,
    "text": str.encode,
    "bytea": bytes,
    "date": _days,
    "timestamptz": _microseconds,
}


class _ArrayDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: Array) -> bytes:
        return obj.packed


def register(connection: BaseConnection[Any]) -> None:
    """Let this connection take columns as parameters."""
    connection.adapters.register_dumper(Array, _ArrayDumper)
