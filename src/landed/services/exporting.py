"""Exporting: flat rows as CSV that is safe to open in a spreadsheet, and as Parquet with real types.

Both are written piece by piece while rows come in, so that a file of any length takes little memory.

CSV follows RFC 4180: UTF-8, commas, CRLF, a head. A spreadsheet takes text that begins with `=`, `+`, `-` or `@` for a
formula, and others write such text to us; so it gets an apostrophe before it. Phone numbers and other plain numbers
begin like that, too, and are left alone: `+14155550123` stays as it is.
"""

import asyncio
import csv
import io
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import orjson

from landed.domain.errors import InputInvalid
from landed.domain.words import Word
from landed.services.tables import Column, Kind

if TYPE_CHECKING:
    import pyarrow as pa


class Format(Word):
    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"


MEDIA_TYPES: Final = {
    Format.JSON: "application/json",
    Format.CSV: "text/csv; charset=utf-8",
    Format.PARQUET: "application/vnd.apache.parquet",
}
#: Also what a cell may begin with that some spreadsheets skip, and the wide forms that some take for the same.
_FORMULA: Final = re.compile(r"[=+\-@\t\r\n＝＋－＠]")
_NUMBER: Final = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)
#: Decimals, all of them billionths: domain/money.py.
_PRECISION: Final = 38
_SCALE: Final = 9

Batches = AsyncIterator[Sequence[Any]]


def check_available(format_: Format) -> None:
    """
    Raises:
        InputInvalid: what writes this is not installed here.
    """
    if format_ is Format.PARQUET:
        try:
            import pyarrow.parquet  # noqa: F401  it is large, and few export: only now
        except ImportError as error:
            raise InputInvalid(
                "Parquet is not installed with this Landed. Ask for CSV, or install it: pip install 'landed[parquet]'.",
                field="format",
            ) from error


async def written(format_: Format, columns: Sequence[Column], batches: Batches) -> AsyncIterator[bytes]:
    """The file, in pieces. What a batch has becomes a piece, and in Parquet a row group, before the next is asked for.

    Raises:
        InputInvalid: what writes this is not installed here.
    """
    check_available(format_)
    pieces = _parquet(columns, batches) if format_ is Format.PARQUET else _csv(columns, batches)
    async for piece in pieces:
        yield piece


# --- CSV ---------------------------------------------------------------------------------------------------------


async def _csv(columns: Sequence[Column], batches: Batches) -> AsyncIterator[bytes]:
    yield _lines([[column.name for column in columns]])
    async for batch in batches:
        yield _lines([_cell(column.kind, column.value(row)) for column in columns] for row in batch)


def _lines(rows: Iterator[list[str]] | list[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


def _cell(kind: Kind, value: Any) -> str:
    if value is None:
        return ""
    if kind is Kind.TEXT:
        return safe(value)
    if kind is Kind.TEXTS:
        return orjson.dumps(value).decode() if value else ""
    if kind is Kind.MOMENT:
        return moment(value)
    if kind is Kind.BOOLEAN:
        return "true" if value else "false"
    return format(value, "f") if kind is Kind.AMOUNT else str(value)


def safe(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def moment(at: datetime) -> str:
    """RFC 3339 in UTC, to the microsecond where there are some."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


# --- Parquet -----------------------------------------------------------------------------------------------------


async def _parquet(columns: Sequence[Column], batches: Batches) -> AsyncIterator[bytes]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([(column.name, _arrow_type(pa, column.kind)) for column in columns])
    sink = _Sink()
    writer = pq.ParquetWriter(sink, schema, compression="zstd")
    async for batch in batches:
        if batch:
            # In a thread: encoding takes a while, and others want to be answered meanwhile.
            await asyncio.to_thread(writer.write_table, _table(pa, schema, columns, batch))
            yield sink.taken()
    writer.close()
    yield sink.taken()


def _table(pa: Any, schema: "pa.Schema", columns: Sequence[Column], batch: Sequence[Any]) -> "pa.Table":
    arrays = [
        pa.array([column.value(row) for row in batch], field.type)
        for column, field in zip(columns, schema, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _arrow_type(pa: Any, kind: Kind) -> "pa.DataType":
    return {
        Kind.TEXT: pa.string(),
        Kind.TEXTS: pa.list_(pa.string()),
        Kind.INTEGER: pa.int64(),
        Kind.NUMBER: pa.float64(),
        Kind.AMOUNT: pa.decimal128(_PRECISION, _SCALE),
        Kind.MOMENT: pa.timestamp("us", "UTC"),
        Kind.BOOLEAN: pa.bool_(),
    }[kind]


class _Sink(io.RawIOBase):
    """A file that is passed on while it is written."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._length = 0

    def writable(self) -> bool:
        return True

    def write(self, piece: Any) -> int:
        content = bytes(piece)
        self._pieces.append(content)
        self._length += len(content)
        return len(content)

    def tell(self) -> int:
        return self._length

    def taken(self) -> bytes:
        """What was written since it was last taken."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)
