"""`landed verify`: verifying people, what became of their sessions, and the funnel for `landed report`."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final

import typer

from landed.cli.figures import bar, clean, percent, seconds
from landed.cli.messages import STYLES as ATTEMPT_STYLES
from landed.cli.messages import Countries, Cursor, Limit, Since, Until
from landed.cli.opening import VARIABLES, opened_clients, opened_store, reads, run
from landed.cli.speaking import AsJson, facts_table, moment, print_json, print_table, say
from landed.domain.countries import name_of
from landed.domain.receipts import AttemptChannel, SessionStatus
from landed.domain.statuses import Status

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text
    from sqlalchemy.ext.asyncio import AsyncEngine

    from landed.domain.periods import Period
    from landed.services.funnel import FunnelReport, FunnelRow
    from landed.services.questions import Group as MessageGroup
    from landed.services.session_shapes import SessionStep, SessionWhole
    from landed.services.sessions import SessionReader
    from landed.services.verifying import Verifier

app = typer.Typer(help="Verify sessions: send codes, and see who typed them.", no_args_is_help=True)

#: Who is limited, where no API key asks.
CALLER: Final = "command line"
_SENDING_VARIABLES: Final = reads(
    "LANDED_DATABASE_URL", "LANDED_DATA_DIR", "LANDED_SECRET_KEY", "LANDED_PUBLIC_URL", "LANDED_DEFAULT_REGION",
    "LANDED_PROVIDER_URLS", "the limits of verify sessions",
)  # fmt: skip
_SessionId = Annotated[str, typer.Argument(metavar="ID", help="Our id of the session, or the provider's.")]

#: How each status of a session looks in a terminal.
STYLES: Final = {
    SessionStatus.VERIFIED: "green", SessionStatus.FAILED: "red", SessionStatus.CANCELLED: "yellow",
    SessionStatus.EXPIRED: "yellow",
}  # fmt: skip
_BAR_CELLS: Final = 24
_COUNTRIES_SHOWN: Final = 10
_PIPED_COLUMNS: Final = 130


@app.command("list", short_help="List verify sessions, the newest first.", epilog=VARIABLES)
@run
async def show_page(
    status: Annotated[list[SessionStatus] | None, typer.Option(help="Only with this status. Repeatable.")] = None,
    to: Annotated[str | None, typer.Option(metavar="NUMBER", help="Only to this number.")] = None,
    account: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only of this account. Repeatable.")] = None,
    country: Countries = None,
    channel: Annotated[list[AttemptChannel] | None, typer.Option(help="Only begun on this channel.")] = None,
    error_code: Annotated[list[str] | None, typer.Option(metavar="CODE", help="Only with this error code.")] = None,
    since: Since = None,
    until: Until = None,
    q: Annotated[str | None, typer.Option(metavar="TEXT", help="Our id, the provider's, or the number, whole.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: AsJson = False,
) -> None:
    """Example: landed verify list --status expired --country US --since 24h

    List verify sessions, the newest start first.
    """
    from landed.services.moments import moment as read_moment
    from landed.services.sessions import SessionQuestion

    now = datetime.now(UTC)
    question = SessionQuestion(
        accounts=account or (),
        statuses=status or (),
        channels=channel or (),
        recipient=to,
        countries=country or (),
        error_codes=error_code or (),
        since=read_moment(since, now, field="since") if since else None,
        until=read_moment(until, now, field="until") if until else None,
        text=q,
    )
    async with opened_reader() as reader:
        page = await reader.sessions(question, account_id=None, cursor=cursor, limit=limit)
    if as_json:
        print_json(page.model_dump(mode="json"))
        return
    if not page.data:
        say("No verify sessions.")
        return
    columns = ["started", "id", "account", "to", "country", "channel", "status", "attempts", "error", "took"]
    rows = [
        [
            moment(each.started_at),
            each.id,
            each.account,
            each.to,
            each.country,
            each.channel,
            each.status,
            str(len(each.attempts)) if each.attempts else None,
            each.error_code,
            seconds(each.time_to_verify_s),
        ]
        for each in page.data
    ]
    print_table(columns, [[None if cell is None else clean(cell) for cell in row] for row in rows])
    if page.next_cursor:
        say(f"More: add --cursor {page.next_cursor}")


@app.command("show", short_help="Show one verify session with everything that is known of it.", epilog=VARIABLES)
@run
async def show_one(
    session_id: Annotated[str, typer.Argument(metavar="ID", help="Our id of the session, or the provider's.")],
    as_json: AsJson = False,
) -> None:
    """Example: landed verify show 3e5bcce6-cd2f-4934-efc4-6c08039cd862

    Show one verify session with its attempts, and its way in order of time.
    """
    async with opened_reader() as reader:
        session = await reader.session(session_id, account_id=None)
    if as_json:
        print_json(session.model_dump(mode="json"))
        return
    _print_whole(session)


@app.command("start", short_help="Send a person a code.", epilog=_SENDING_VARIABLES)
@run
async def start(
    to: Annotated[str, typer.Argument(metavar="NUMBER", help="The person's number, written in any way.")],
    channel: Annotated[AttemptChannel, typer.Option(help="How the code goes out.")] = AttemptChannel.SMS,
    account: Annotated[str | None, typer.Option(metavar="NAME", help="Not needed where one alone can.")] = None,
    region: Annotated[
        str | None, typer.Option(metavar="CODE", help="Whose number it is if it has no country's code: US.")
    ] = None,
    locale: Annotated[
        str | None, typer.Option(metavar="LANGUAGE", help="The language of the provider's own words.")
    ] = None,
    brand_name: Annotated[str | None, typer.Option(metavar="NAME", help="Whom the code is from, in the text.")] = None,
    code_length: Annotated[int | None, typer.Option(metavar="DIGITS", help="How long the code is.")] = None,
    app_id: Annotated[str | None, typer.Option("--app", metavar="ID", help="Plivo: the Verify application.")] = None,
    text: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Routee: the text, with {code} where the code is to stand.")
    ] = None,
    sender: Annotated[str | None, typer.Option(metavar="SENDER", help="A number or name of ours.")] = None,
    lifetime_s: Annotated[
        int | None, typer.Option("--lifetime", metavar="SECONDS", help="Routee: how long the code is good.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Example: landed verify start +14155550123 --channel voice

    Send a person a code, within the limits against abuse. `landed verify check` tells whether they typed it rightly.
    """
    from landed.services.verifying import SessionAsked

    asked = SessionAsked(
        to=to,
        channel=channel,
        account=account,
        region=region,
        locale=locale,
        brand_name=brand_name,
        code_length=code_length,
        app=app_id,
        text=text,
        sender=sender,
        lifetime_s=lifetime_s,
    )
    async with _opened_verifier() as (verifier, reader):
        session = await reader.session(await verifier.start(asked, caller=CALLER, account_id=None), account_id=None)
    _tell(session, as_json)


@app.command("check", short_help="Tell whether a code is right.", epilog=_SENDING_VARIABLES)
@run
async def check(
    session_id: _SessionId,
    code: Annotated[str, typer.Argument(metavar="CODE", help="What the person typed.")],
    as_json: AsJson = False,
) -> None:
    """Example: landed verify check 3e5bcce6-cd2f-4934-efc4-6c08039cd862 123456

    Tell whether a code is right; the exit code is 1 where it is not. A wrong code counts as a try.
    """
    from landed.services.session_shapes import CodeChecked

    async with _opened_verifier() as (verifier, reader):
        checked = await verifier.check(session_id, code, account_id=None)
        session = await reader.session(checked.session_id, account_id=None)
    if as_json:
        shape = CodeChecked(verified=checked.is_verified, tries_left=checked.tries_left, session=session)
        print_json(shape.model_dump(mode="json"))
    if checked.is_verified:
        say("The code is right.")
        return
    left = checked.tries_left
    told = "" if left is None else f" {left} {'try is' if left == 1 else 'tries are'} left."
    say(f"The code is wrong.{told}")
    raise typer.Exit(1)


@app.command("resend", short_help="Send a code again.", epilog=_SENDING_VARIABLES)
@run
async def resend(
    session_id: _SessionId,
    channel: Annotated[AttemptChannel | None, typer.Option(help="Left out: the other one.")] = None,
    as_json: AsJson = False,
) -> None:
    """Example: landed verify resend 3e5bcce6-cd2f-4934-efc4-6c08039cd862 --channel voice

    Send a code again, by the other channel. From now on the new code counts, and no longer the one before.
    """
    async with _opened_verifier() as (verifier, reader):
        started = await verifier.resend(session_id, channel, caller=CALLER, account_id=None)
        session = await reader.session(started, account_id=None)
    _tell(session, as_json)


@app.command("cancel", short_help="Call a session off, where the provider can.", epilog=_SENDING_VARIABLES)
@run
async def cancel(session_id: _SessionId, as_json: AsJson = False) -> None:
    """Example: landed verify cancel 3e5bcce6-cd2f-4934-efc4-6c08039cd862

    Call a session off, so that its code is good for nothing. Routee can do that, Plivo can not.
    """
    async with _opened_verifier() as (verifier, reader):
        session = await reader.session(await verifier.cancel(session_id, account_id=None), account_id=None)
    _tell(session, as_json)


def _tell(session: "SessionWhole", as_json: bool) -> None:
    if as_json:
        print_json(session.model_dump(mode="json"))
    else:
        _print_whole(session)


@asynccontextmanager
async def _opened_verifier() -> AsyncIterator[tuple["Verifier", "SessionReader"]]:
    from landed.app import make_verifier
    from landed.providers import registry
    from landed.services.sessions import SessionReader
    from landed.store import partitions, reading

    async with opened_store() as store, opened_clients(store) as clients:
        async with store.pool.connection() as connection:  # for its events: nothing else may have run for days
            await partitions.make(connection, datetime.now(UTC).date())
        engine = reading.engine(store.database_url)
        try:
            yield make_verifier(store.settings, store.pool, clients), SessionReader(engine, registry.load())
        finally:
            await engine.dispose()


def _console() -> "Console":
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _PIPED_COLUMNS
    return console


@asynccontextmanager
async def opened_reader() -> AsyncIterator["SessionReader"]:
    from landed.providers import registry
    from landed.services.sessions import SessionReader
    from landed.store import reading

    async with opened_store() as store:
        engine = reading.engine(store.database_url)
        try:
            yield SessionReader(engine, registry.load())
        finally:
            await engine.dispose()


def _print_whole(session: "SessionWhole") -> None:
    from rich.table import Table
    from rich.text import Text

    console = _console()
    head = Text.assemble(
        (session.status.upper(), f"bold {STYLES.get(SessionStatus(session.status), 'cyan')}"),
        "" if session.final else "  not final yet",
        ("  contradictory answers", "yellow") if session.contradictory else "",
    )
    console.print(head)
    console.print(facts_table(_facts(session)))
    console.print()

    steps = Table.grid(padding=(0, 2))
    for is_folded in (False, False, False, True):
        steps.add_column(no_wrap=not is_folded, overflow="fold")
    first = session.timeline[0].at if session.timeline else None
    for step in session.timeline:
        passed = (step.at - first).total_seconds() if first else 0.0
        steps.add_row(
            Text(f"{step.at:%H:%M:%S}.{step.at.microsecond // 1000:03d}", style="dim"),
            Text(f"+{seconds(passed)}" if passed else "", style="dim", justify="right"),
            _step(step),
            Text(clean(_how_we_know(step)), style="dim"),
        )
    console.print(steps)


def _facts(session: "SessionWhole") -> list[tuple[str, str | None]]:
    network = session.network
    codes = "-".join(filter(None, (network.mcc, network.mnc)))
    names = ", ".join(filter(None, (session.country, network.name)))
    clock = "our clock" if session.time_to_verify_clock == "ours" else "the provider's clock"
    took = session.time_to_verify_s
    found: list[tuple[str, str | None]] = [
        ("id", session.id),
        (session.provider or "provider", session.provider_session_id),
        ("our id", session.our_id),
        ("sent again as", ", ".join(session.resent_as) or None),
        ("sends again", session.resent_from),
        ("account", session.account),
        ("to", session.to),
        ("network", " ".join(filter(None, (names, codes and f"({codes})")))),
        ("started", moment(session.started_at)),
        ("cost", f"{session.cost.amount} {session.cost.currency or ''}" if session.cost else None),
        ("expires", moment(session.expires_at)),
        ("took", None if took is None else f"{seconds(took)}, on {clock}"),
        ("error", f"{session.error_code} {session.error.title}" if session.error else session.error_code),
        ("what to do", session.error.advice if session.error else None),
        ("unknown words", ", ".join(session.unknown_statuses)),
    ]
    return found


def _step(step: "SessionStep") -> "Text":
    from rich.text import Text

    told = step.status or f"{step.provider_status} (unknown word)"
    if step.provider_attempt_id is None:
        style = STYLES.get(SessionStatus(step.status), "cyan") if step.status else "yellow"
        return Text(clean(f"● {told}"), style=f"bold {style}")
    style = ATTEMPT_STYLES.get(Status(step.status), "cyan") if step.status else "yellow"
    text = Text(clean(f"  attempt {step.attempt or '?'} {step.channel or ''}".rstrip() + " "), style="dim")
    text.append(clean(told), style=f"not dim {style}")
    if step.error_code:
        text.append(clean(f" error {step.error_code}"), style="not dim red")
    return text


def _how_we_know(step: "SessionStep") -> str:
    if step.received_at is None:
        return "told by a later receipt"
    source = f"{step.source} {step.callback_id}" if step.callback_id else step.source or ""
    return source if step.clock == "provider" else f"{source}, by our clock"


# --- the funnel, for `landed report` -----------------------------------------------------------------------------


async def report_funnel(
    engine: "AsyncEngine", period: "Period", filters: "Mapping[MessageGroup, Sequence[str]]"
) -> "FunnelReport | None":
    """The funnel of the sessions that a report is about; None where it is about what sessions do not have."""
    from landed.services.funnel import FunnelReporter, Group

    if not {*filters} <= {*Group}:  # words of the same text are equal, whatever vocabulary they are of
        return None
    asked = {Group(group.value): values for group, values in filters.items()}
    return await FunnelReporter(engine).report(period, asked, account_id=None)


def print_funnel(answer: "FunnelReport") -> None:
    """Nothing where no session began in this time."""
    from rich.padding import Padding
    from rich.text import Text

    if not answer.totals.started:
        return
    console = _console()
    console.print()
    console.print(Padding(Text("Verify sessions", style="bold"), (0, 1)))
    console.print(Padding(_stages(answer.totals), (1, 1)))
    _print_rows(console, "country", answer.by_country, [_country(row) for row in answer.by_country])
    if len(answer.by_channel) > 1:
        _print_rows(console, "channel", answer.by_channel, [row.channel or "not known" for row in answer.by_channel])
    console.print()


def _stages(row: "FunnelRow") -> "Table":
    """A line per stage, as wide as its share of the sessions that were started."""
    from rich.table import Table
    from rich.text import Text

    stages = [
        ("started", row.started, "cyan"), ("sent", row.sent, "cyan"), ("delivered", row.delivered, "cyan"),
        ("verified", row.verified, "green"), ("expired", row.expired, "yellow"), ("ended", row.ended, "red"),
        ("pending", row.pending, "dim"),
    ]  # fmt: skip
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(justify="right")
    table.add_column()
    table.add_column(justify="right")
    for name, count, style in stages:
        share = count / row.started
        table.add_row(name, f"{count:,}", Text(bar(share, _BAR_CELLS), style=style), percent(share))
    return table


def _print_rows(console: "Console", what: str, rows: Sequence["FunnelRow"], names: Sequence["Text | str"]) -> None:
    from rich import box
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, header_style="dim", pad_edge=True, padding=(0, 1))
    table.add_column(what, no_wrap=True)
    for column in ("started", "sent", "delivered", "verified", "conversion", "attempts", "p50", "p95"):
        table.add_column(column, justify="right", no_wrap=True)
    for row, name in list(zip(rows, names, strict=True))[:_COUNTRIES_SHOWN]:
        to_verify = row.time_to_verify_s
        table.add_row(
            name,
            f"{row.started:,}",
            f"{row.sent:,}",
            f"{row.delivered:,}",
            f"{row.verified:,}",
            percent(row.conversion_rate),
            f"{row.attempts:,}",
            seconds(to_verify.p50),
            seconds(to_verify.p95),
        )
    console.print(table)
    if len(rows) > table.row_count:
        console.print(Padding(Text(f"and {len(rows) - table.row_count} more", style="dim"), (0, 1)))


def _country(row: "FunnelRow") -> "Text":
    from rich.text import Text

    if row.country is None:
        return Text("not known", style="dim")
    return Text.assemble((row.country, "bold"), f" {name_of(row.country) or ''}")
