"""Answers of analytics as files: a line per row, the columns that were asked for."""

from collections.abc import AsyncIterator, Iterable, Sequence

from landed.services.counts import Counts
from landed.services.exporting import Format, check_available, written
from landed.services.funnel import Funnel, FunnelRow, Stages
from landed.services.registration_ages import RegistrationAges, RegistrationAgesRow
from landed.services.reporting import Analytics, AnalyticsMeta, AnalyticsRow
from landed.services.shapes import Shape
from landed.services.tables import Column, columns


def messages_file(answer: Analytics, format_: Format) -> AsyncIterator[bytes]:
    """
    Raises:
        InputInvalid: the format is not installed.
    """
    with_bars = any("latency_bars" in row.model_fields_set for row in answer.data)
    grouped = [*answer.meta.group_by, *(["error"] if "error_code" in answer.meta.group_by else [])]
    fields = _fields(grouped, Counts, answer.meta, ["latency_bars"] if with_bars else [])
    return _file(columns(AnalyticsRow, fields, answer.data), answer.data, format_)


def funnel_file(answer: Funnel, format_: Format) -> AsyncIterator[bytes]:
    """See `messages_file`."""
    fields = _fields(answer.meta.group_by, Stages, answer.meta, [])
    return _file(columns(FunnelRow, fields, answer.data), answer.data, format_)


def registrations_file(answer: RegistrationAges, format_: Format) -> AsyncIterator[bytes]:
    """See `messages_file`."""
    return _file(columns(RegistrationAgesRow, tuple(RegistrationAgesRow.model_fields)), answer.data, format_)


def _fields(grouped: Iterable[str], counted: type[Shape], meta: AnalyticsMeta, more: Sequence[str]) -> list[str]:
    bucket = [] if meta.bucket == "none" else ["bucket_at"]
    return [*bucket, *grouped, *counted.model_fields, *more, *(["previous", "change"] if meta.previous else [])]


def _file(cells: Sequence[Column], rows: Sequence[Shape], format_: Format) -> AsyncIterator[bytes]:
    async def once() -> AsyncIterator[Sequence[Shape]]:
        yield rows

    check_available(format_)
    return written(format_, cells, once())
