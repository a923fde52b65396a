"""`landed report`: what is going on, on one page."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from landed.cli import report_rows
from landed.cli.exporting import STDOUT, Output
from landed.cli.figures import bar, clean, percent, seconds
from landed.cli.messages import Countries
from landed.cli.opening import opened_store, run
from landed.cli.speaking import AsJson, print_json
from landed.cli.tendlc import print_board, report_board
from landed.cli.verify import print_funnel, report_funnel
from landed.domain.buckets import Bucket
from landed.domain.countries import name_of
from landed.domain.errors import InputInvalid

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from landed.services.reporting import AnalyticsRow, ErrorRow, Report

_COUNTRIES_SHOWN: Final = 15
_NETWORKS_SHOWN: Final = 10
_BAR_CELLS: Final = 14
_PIPED_COLUMNS: Final = 130
#: Below these delivery rates a row is shown as a warning, and as a fault.
_RATE_GOOD: Final = 0.95
_RATE_FAIR: Final = 0.85


@run
async def report(
    since: Annotated[str, typer.Option(metavar="WHEN", help="From then on: 24h, 7d, 2026-11-01.")] = "24h",
    until: Annotated[str, typer.Option(metavar="WHEN", help="Before then, written in the same way.")] = "now",
    account: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only of this account. Repeatable.")] = None,
    country: Countries = None,
    sender: Annotated[list[str] | None, typer.Option(metavar="NUMBER", help="Only from this number or name.")] = None,
    tag: Annotated[str | None, typer.Option(metavar="TAG", help="Only with this tag.")] = None,
    group_by: report_rows.GroupBy = None,
    bucket: report_rows.Buckets = Bucket.NONE,
    time_zone: report_rows.TimeZone = "UTC",
    compare: report_rows.Compare = False,
    format_: report_rows.Format = None,
    output: Output = STDOUT,
    as_json: AsJson = False,
) -> None:
    """Example: landed report --since 7d --country US

    What is going on: delivery rate, time to deliver, cost, countries, networks, and what goes wrong where. With groups,
    buckets, a comparison or a format it is rows: landed report --since 30d --group-by country --bucket day --format csv
    """
    from landed.domain.periods import Period
    from landed.providers import registry
    from landed.services.moments import moment
    from landed.services.questions import Group
    from landed.services.reporting import Reporter
    from landed.store import reading

    if format_ is None and output != STDOUT:
        raise InputInvalid("--output is for rows as a file: say --format csv or --format parquet.", field="output")
    if format_ is not None and as_json:
        raise InputInvalid("Choose one of --format and --json.", field="format")
    now = datetime.now(UTC)
    period = Period(moment(since, now, field="since"), moment(until, now, field="until"))
    asked: dict[Group, Sequence[str]] = {
        Group.ACCOUNT: account or (),
        Group.COUNTRY: country or (),
        Group.SENDER: sender or (),
        Group.TAG: [tag] if tag else (),
    }
    filters = {group: values for group, values in asked.items() if values}
    async with opened_store() as store:
        engine = reading.engine(store.database_url)
        try:
            if group_by or bucket is not Bucket.NONE or compare or format_:
                await report_rows.print_rows(
                    engine, period, filters, group_by=group_by, bucket=bucket, time_zone=time_zone, compare=compare,
                    format_=format_, output=output, as_json=as_json,
                )  # fmt: skip
                return
            answer = await Reporter(engine, registry.load()).report(period, filters, account_id=None)
            funnel = await report_funnel(engine, period, filters)
            board = await report_board(engine, account or ())
        finally:
            await engine.dispose()
    if as_json:
        told = answer.model_dump(mode="json", exclude_unset=True)
        told["registrations"] = board.model_dump(mode="json")
        print_json(told | {"verify": funnel.model_dump(mode="json", exclude_unset=True) if funnel else None})
        return
    print_report(answer, ", ".join(value for values in filters.values() for value in values))
    if funnel:
        print_funnel(funnel)
    print_board(board)


def print_report(answer: "Report", only: str = "") -> None:
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _PIPED_COLUMNS
    title = f"{answer.since:%Y-%m-%d %H:%M} to {answer.until:%Y-%m-%d %H:%M} UTC"
    console.print()
    console.print(Padding(Text.assemble(("Landed", "bold"), f"  {title}", (clean(f"  {only}"), "cyan")), (0, 1)))
    console.print()
    console.print(Padding(_totals(answer.totals), (0, 1)))
    if not answer.totals.messages:
        console.print(Padding(Text("\nNo messages were submitted in this time.", style="dim"), (0, 1)))
        return
    if len(answer.by_provider) > 1:
        _section(console, "Providers", _rates("provider", answer.by_provider, _provider), len(answer.by_provider))
    countries = answer.by_country
    _section(console, "Countries", _rates("country", countries[:_COUNTRIES_SHOWN], _country), len(countries))
    networks = [row for row in answer.by_network if row.network and row.network.mcc]
    if networks:
        _section(console, "Networks", _rates("network", networks[:_NETWORKS_SHOWN], _network), len(networks))
    if answer.errors:
        _section(console, "What goes wrong", _errors(answer.errors), len(answer.errors))
    console.print()


def _totals(row: "AnalyticsRow") -> "Table":
    from rich.table import Table
    from rich.text import Text

    figures = [
        (f"{row.messages:,}", "messages", "bold"),
        (percent(row.delivery_rate), "delivered", f"bold {_style(row.delivery_rate)}"),
        (percent(row.failure_rate), "failed", "bold"),
        (f"{row.pending:,}", "pending", "bold"),
        (seconds(row.latency_s.p50), "p50 to deliver", "bold"),
        (seconds(row.latency_s.p95), "p95", "bold"),
        (seconds(row.latency_s.p99), "p99", "bold"),
        (_cost(row), "cost", "bold"),
    ]
    if row.receipts_missing:
        figures.insert(4, (percent(row.missing_rate), "receipts missing", "bold yellow"))
    if row.conversion_rate is not None:
        figures.append((percent(row.conversion_rate), "converted", "bold"))
    table = Table.grid(padding=(0, 4, 0, 0))
    for _ in figures:
        table.add_column(no_wrap=True)
    table.add_row(*(Text(value, style=style) for value, _, style in figures))
    table.add_row(*(Text(name, style="dim") for _, name, _ in figures))
    return table


def _section(console: "Console", title: str, table: "Table", rows: int) -> None:
    from rich.padding import Padding
    from rich.text import Text

    console.print()
    console.print(Padding(Text(title, style="bold"), (0, 1)))
    console.print(table)
    if rows > table.row_count:
        console.print(Padding(Text(f"and {rows - table.row_count} more", style="dim"), (0, 1)))


def _table() -> "Table":
    from rich import box
    from rich.table import Table

    return Table(box=box.SIMPLE_HEAD, header_style="dim", pad_edge=True, padding=(0, 1))


def _rates(what: str, rows: Sequence["AnalyticsRow"], name: Any) -> "Table":
    """A line per row: its share as a bar, and how it does."""
    from rich.text import Text

    most = max(row.messages for row in rows)
    table = _table()
    table.add_column(what, no_wrap=True)
    table.add_column("messages", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True, min_width=_BAR_CELLS)
    columns = ["delivered", "failed", "pending", "missing", "p50", "p95", "p99", "cost"]
    has_conversions = any(row.conversion_rate is not None for row in rows)
    for column in [*columns, "converted"] if has_conversions else columns:
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            name(row),
            f"{row.messages:,}",
            Text(bar(row.messages / most, _BAR_CELLS), style=_style(row.delivery_rate)),
            Text(percent(row.delivery_rate), style=_style(row.delivery_rate)),
            percent(row.failure_rate),
            f"{row.pending:,}" if row.pending else "-",
            percent(row.missing_rate) if row.receipts_missing else "-",
            seconds(row.latency_s.p50),
            seconds(row.latency_s.p95),
            seconds(row.latency_s.p99),
            _cost(row),
            *([percent(row.conversion_rate)] if has_conversions else []),
        )
    return table


def _errors(rows: Sequence["ErrorRow"]) -> "Table":
    from rich.text import Text

    table = _table()
    table.add_column("country", no_wrap=True)
    table.add_column("code", justify="right", no_wrap=True)
    table.add_column("messages", justify="right", no_wrap=True)
    table.add_column("share", justify="right", no_wrap=True)
    table.add_column("meaning and what to do", overflow="fold")
    for row in rows:
        meaning = Text(clean(row.error.title), style="bold") if row.error else Text("-")
        if row.error:
            meaning.append(f"  {row.error.advice}", style="not bold dim")
        code = Text(clean(row.error_code), style="red")
        table.add_row(row.country or "?", code, f"{row.messages:,}", percent(row.share), meaning)
    return table


def _provider(row: "AnalyticsRow") -> "Text":
    from rich.text import Text

    return Text(row.provider or "not known", style="bold")


def _country(row: "AnalyticsRow") -> "Text":
    from rich.text import Text

    if row.country is None:
        return Text("not known", style="dim")
    return Text.assemble((row.country, "bold"), f" {name_of(row.country) or ''}")


def _network(row: "AnalyticsRow") -> "Text":
    from rich.text import Text

    assert row.network is not None  # noqa: S101  only rows with one are shown
    codes = "-".join(filter(None, (row.network.mcc, row.network.mnc)))
    return Text.assemble((row.country or "?", "bold"), f" {row.network.name or codes}")


def _style(delivery_rate: float | None) -> str:
    if delivery_rate is None:
        return "dim"
    return "green" if delivery_rate >= _RATE_GOOD else "yellow" if delivery_rate >= _RATE_FAIR else "red"


def _cost(row: "AnalyticsRow") -> str:
    """Rounded to the cent where it is more than a few: what an account really pays stands in `--json`."""
    return " + ".join(f"{_short(cost.amount)} {cost.currency or ''}".strip() for cost in row.cost) or "-"


def _short(amount: str) -> str:
    value = float(amount)
    return f"{value:,.2f}" if abs(value) >= 0.1 else amount
