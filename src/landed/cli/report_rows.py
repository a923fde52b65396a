"""`landed report` with groups, buckets or a format: rows instead of the page, for other programs and spreadsheets."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from landed.cli.exporting import FileFormat, write
from landed.cli.figures import clean, percent, seconds
from landed.cli.speaking import print_json, print_table
from landed.domain.buckets import Bucket
from landed.domain.errors import InputInvalid

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from landed.domain.periods import Period
    from landed.services.questions import Group
    from landed.services.reporting import AnalyticsRow

GroupBy = Annotated[
    str | None, typer.Option(metavar="WORDS", help="Rows instead of the page: country, network, sender, …, by commas.")
]
Buckets = Annotated[Bucket, typer.Option(help="Rows over time: how long each is.")]
TimeZone = Annotated[str, typer.Option(metavar="ZONE", help="Whose days, weeks and months: Europe/Berlin.")]
Compare = Annotated[bool, typer.Option("--compare", help="Rows with the same of the period of equal length before.")]
Format = Annotated[FileFormat | None, typer.Option("--format", help="Rows as a file.")]


async def print_rows(
    engine: "AsyncEngine",
    period: "Period",
    filters: "Mapping[Group, Sequence[str]]",
    *,
    group_by: str | None,
    bucket: Bucket,
    time_zone: str,
    compare: bool,
    format_: FileFormat | None,
    output: str,
    as_json: bool,
) -> None:
    """
    Raises:
        InputInvalid: the question cannot be answered, or the file not written.
    """
    from landed.providers import registry
    from landed.services import analytics_export, exporting, framing
    from landed.services.questions import Question
    from landed.services.reporting import Reporter

    groups = _groups(group_by)
    question = Question(
        period=period,
        group_by=groups,
        bucket=bucket,
        filters=filters,
        time_zone=time_zone,
        compare=framing.Compare.PREVIOUS if compare else framing.Compare.NONE,
    )
    answer = await Reporter(engine, registry.load()).analytics(question, account_id=None)
    if format_ is not None:
        await write(analytics_export.messages_file(answer, exporting.Format(format_)), format_, output)
    elif as_json:
        print_json(answer.model_dump(mode="json", exclude_unset=True))
    else:
        _print(answer.data, groups, has_buckets=bucket is not Bucket.NONE, is_compared=compare)


def _groups(words: str | None) -> "list[Group]":
    from landed.services.questions import Group

    try:
        return [Group(word.strip()) for word in words.split(",")] if words else []
    except ValueError as error:
        raise InputInvalid(f"{error}; there are: {', '.join(Group)}.", field="group_by") from error


def _print(rows: "Sequence[AnalyticsRow]", groups: "Sequence[Group]", *, has_buckets: bool, is_compared: bool) -> None:
    columns = ["delivered", "failed", "pending", "missing", "p50", "p95", "units", "cost"]
    compared = ["messages", "delivered", "p50"] if is_compared else []
    print_table(
        [*(["begins"] if has_buckets else []), *groups, "messages", *columns, *(f"{name} ±" for name in compared)],
        [
            [
                *([f"{row.bucket_at:%Y-%m-%dT%H:%M}Z"] if has_buckets else []),
                *(_named(row, group) for group in groups),
                f"{row.messages:,}",
                percent(row.delivery_rate),
                percent(row.failure_rate),
                f"{row.pending:,}",
                percent(row.missing_rate),
                seconds(row.latency_s.p50),
                seconds(row.latency_s.p95),
                f"{row.units:,}",
                " + ".join(f"{cost.amount} {cost.currency or ''}".strip() for cost in row.cost) or None,
                *(_changes(row) if is_compared else []),
            ]
            for row in rows
        ],
    )


def _named(row: "AnalyticsRow", group: "Group") -> str | None:
    value = getattr(row, group.value)
    if group == "network":
        return value.name or "-".join(filter(None, (value.mcc, value.mnc))) or None
    return None if value is None else clean(value)


def _changes(row: "AnalyticsRow") -> list[str | None]:
    change = row.change
    assert change is not None  # noqa: S101  only rows that are compared are shown so
    points, p50_s = change.delivery_rate.absolute, change.latency_s.p50.absolute
    return [
        None if change.messages.absolute is None else f"{change.messages.absolute:+,.0f}",
        None if points is None else f"{points:+.1f} pp",
        None if p50_s is None else f"{p50_s:+.1f} s",
    ]
