"""Files that spreadsheets open safely, written piece by piece."""

import builtins
import csv
import io
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landed.domain.errors import InputInvalid
from landed.services.exporting import Format, safe, written
from landed.services.tables import Column, Kind

pytestmark = pytest.mark.anyio

COLUMNS = [
    Column(kind.value, kind, lambda row, place=place: row[place])  # type: ignore[misc]
    for place, kind in enumerate(Kind)
]
ROW = ("=1+1", ["a", "b,c"], 7, 0.25, Decimal("0.005500000"), datetime(2026, 11, 1, 9, 30, tzinfo=UTC), True)
EMPTY = (None,) * len(ROW)


async def batches(*rows: Sequence[Any]) -> AsyncIterator[Sequence[Any]]:
    for row in rows:
        yield [row]


async def whole(format_: Format, *rows: Sequence[Any]) -> list[bytes]:
    return [piece async for piece in written(format_, COLUMNS, batches(*rows))]


async def test_csv_is_a_head_and_a_line_for_each_row() -> None:
    assert b"".join(await whole(Format.CSV, ROW, EMPTY)) == (
        b"text,texts,integer,number,amount,moment,boolean\r\n"
        b'\'=1+1,"[""a"",""b,c""]",7,0.25,0.005500000,2026-11-01T09:30:00Z,true\r\n'
        b",,,,,,\r\n"
    )


async def test_parquet_keeps_what_is_and_what_is_not_there() -> None:
    pieces = await whole(Format.PARQUET, ROW, EMPTY)
    file = pq.ParquetFile(io.BytesIO(b"".join(pieces)))
    assert [tuple(row.values()) for row in file.read().to_pylist()] == [ROW, EMPTY]
    assert file.metadata.num_row_groups == 2
    assert len(pieces) == 3, "a piece for each batch, and the end"


@pytest.mark.parametrize("format_", [Format.CSV, Format.PARQUET])
async def test_what_a_batch_has_is_written_before_the_next_is_asked_for(format_: Format) -> None:
    asked = 0

    async def counted() -> AsyncIterator[Sequence[Any]]:
        nonlocal asked
        for _ in range(3):
            asked += 1
            yield [ROW]

    seen = [asked async for piece in written(format_, COLUMNS, counted()) if piece]
    assert [number for number in seen if number][:3] == [1, 2, 3]


@pytest.mark.parametrize("text", ["+14155550123", "-3.5", "+1.25", "42", "LANDED", "a=b", "", "'x"])
def test_numbers_and_plain_text_stay_as_they_are(text: str) -> None:
    assert safe(text) == text


@pytest.mark.parametrize(
    "text", ["=1+1", "+1+1", "-1-1", "@SUM(A1)", "\t=1", "\r=1", "+1415 555", "+cmd|' /C calc'!A0", "＝1", "-", "+1e5"]
)
def test_what_could_be_a_formula_becomes_text(text: str) -> None:
    assert safe(text) == "'" + text


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_whatever_is_written_is_read_back_as_one_cell(text: str) -> None:
    line = io.StringIO(newline="")
    csv.writer(line, lineterminator="\r\n").writerow([safe(text), "end"])
    assert next(csv.reader(io.StringIO(line.getvalue(), newline=""))) == [safe(text), "end"]


async def test_without_pyarrow_the_way_out_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    load = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return load(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputInvalid, match=r"pip install 'landed\[parquet\]'"):
        await whole(Format.PARQUET, ROW)
    assert await whole(Format.CSV, ROW)
