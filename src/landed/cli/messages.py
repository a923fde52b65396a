"""`landed messages`: sending them, and what became of them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from landed.cli import exporting, sending
from landed.cli import message_options as options
from landed.cli.figures import clean, seconds
from landed.cli.opening import VARIABLES, opened_store, run
from landed.cli.speaking import AsJson, facts_table, moment, on_terminal, print_json, print_table, say
from landed.domain.receipts import Source
from landed.domain.statuses import Status

if TYPE_CHECKING:
    from rich.text import Text

    from landed.services.reading import Reader
    from landed.services.shapes import MessageShape, MessageWhole, TimelineEntry

app = typer.Typer(help="Messages: sending them, and what became of them.", no_args_is_help=True)
sending.add_to(app)
exporting.add_to(app)

Since = options.Since
Until = options.Until
Countries = options.Countries
Limit = Annotated[int, typer.Option(min=1, max=200, help="Rows of a page.")]
Cursor = Annotated[str | None, typer.Option(metavar="CURSOR", help="Where the page before ended.")]

#: How each status looks in a terminal.
STYLES = {
    Status.DELIVERED: "green", Status.READ: "green", Status.RECEIVED: "green", Status.FAILED: "red",
    Status.UNDELIVERED: "red", Status.EXPIRED: "yellow",
}  # fmt: skip


@app.command("list", short_help="List messages, the newest first.", epilog=VARIABLES)
@run
async def show_page(
    status: options.Statuses = None,
    to: options.To = None,
    from_: options.From = None,
    account: options.AccountNames = None,
    country: options.Countries = None,
    error_code: options.ErrorCodes = None,
    tag: options.Tag = None,
    channel: options.Channels = None,
    direction: options.Directions = None,
    since: options.Since = None,
    until: options.Until = None,
    q: options.Words = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: AsJson = False,
) -> None:
    """Example: landed messages list --status failed --country US --since 7d

    List messages, the newest submission first.
    """
    question = options.message_question(
        status=status, to=to, from_=from_, account=account, country=country, error_code=error_code, tag=tag,
        channel=channel, direction=direction, since=since, until=until, q=q,
    )  # fmt: skip
    async with opened_reader() as reader:
        page = await reader.messages(question, account_id=None, cursor=cursor, limit=limit)
    if as_json:
        print_json(page.model_dump(mode="json"))
        return
    if not page.data:
        say("No messages.")
        return
    titles = on_terminal()  # of errors: for people; what goes into a pipe is cut at spaces
    columns = ["queued", "id", "account", "from", "to", "country", "network", "status", "error", "took", "cost"]
    rows = [
        [
            moment(each.queued_at or each.created_at),
            each.id,
            each.account,
            each.from_,
            each.to,
            each.country,
            each.network.name or "".join(filter(None, (each.network.mcc, each.network.mnc))) or None,
            each.status,
            _error(each) if titles else each.error_code or each.provider_reason,
            seconds(each.latency_s),
            f"{each.cost.amount} {each.cost.currency or ''}" if each.cost else None,
        ]
        for each in page.data
    ]
    print_table(columns, [[None if cell is None else clean(cell) for cell in row] for row in rows])
    if page.next_cursor:
        say(f"More: add --cursor {page.next_cursor}")


@app.command("show", short_help="Show one message with everything that is known of it.", epilog=VARIABLES)
@run
async def show_one(
    message_id: Annotated[str, typer.Argument(metavar="ID", help="Our id of the message, or the provider's.")],
    as_json: AsJson = False,
) -> None:
    """Example: landed messages show 5b1c0c3e-6f0b-11ef-9d0a-0242ac110003

    Show one message with its parts, every receipt and its way in order of time.
    """
    async with opened_reader() as reader:
        message = await reader.message(message_id, account_id=None)
    if as_json:
        print_json(message.model_dump(mode="json"))
        return
    _print_whole(message)


@app.command(short_help="Report whether the person did what the message was for.", epilog=VARIABLES)
@run
async def conversion(
    message_id: Annotated[str, typer.Argument(metavar="ID", help="Our id of the message, or the provider's.")],
    converted: Annotated[
        bool, typer.Option("--converted/--not", help="The person did it, or did not.", show_default=False)
    ],
    at: Annotated[str, typer.Option(metavar="WHEN", help="When: 5m, 2026-11-01T09:30:00Z.")] = "now",
    as_json: AsJson = False,
) -> None:
    """Example: landed messages conversion 5b1c0c3e-6f0b-11ef-9d0a-0242ac110003 --converted

    Report whether the person did what the message was for: typed the code, opened the link. A worker tells the
    provider. Once reported, `--converted` stays.
    """
    from landed.services.converting import Converter
    from landed.services.moments import moment as read_moment

    now = datetime.now(UTC)
    async with opened_store() as store:
        told = await Converter(store.pool).report(
            message_id, converted=converted, at=read_moment(at, now, field="at"), account_id=None
        )
    if as_json:
        print_json(told.model_dump(mode="json"))
    else:
        say(
            f"The message {told.message_id} is kept as {'converted' if told.converted else 'not converted'};"
            f" telling the provider: {told.state}. {told.problem or ''}".rstrip()
        )


@asynccontextmanager
async def opened_reader() -> AsyncIterator["Reader"]:
    from landed.providers import registry
    from landed.services.reading import Reader
    from landed.store import reading

    async with opened_store() as store:
        engine = reading.engine(store.database_url)
        try:
            yield Reader(engine, registry.load())
        finally:
            await engine.dispose()


def _print_whole(message: "MessageWhole") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    head = Text.assemble(
        (message.status.upper(), f"bold {STYLES.get(Status(message.status), 'cyan')}"),
        "" if message.final else "  not final yet",
        ("  contradictory answers", "yellow") if message.contradictory else "",
    )
    console.print(head)
    console.print(facts_table(_facts(message)))
    console.print()

    steps = Table.grid(padding=(0, 2))
    for _ in range(4):
        steps.add_column(overflow="fold")
    first = message.timeline[0].at if message.timeline else None
    for entry in message.timeline:
        passed = (entry.at - first).total_seconds() if first else 0.0
        steps.add_row(
            Text(f"{entry.at:%Y-%m-%d %H:%M:%S}.{entry.at.microsecond // 1000:03d}", style="dim"),
            Text(f"+{seconds(passed)}" if passed else "", style="dim", justify="right"),
            _step(entry),
            Text(clean(_how_we_know(entry)), style="dim"),
        )
    console.print(steps)


def _facts(message: "MessageWhole") -> list[tuple[str, str | None]]:
    network = message.network
    codes = "-".join(filter(None, (network.mcc, network.mnc)))
    names = ", ".join(filter(None, (message.country, network.name)))
    found: list[tuple[str, str | None]] = [
        ("id", message.id),
        (message.provider or "provider", message.provider_message_id),
        ("account", message.account),
        (f"{message.channel} {message.direction}", f"{message.from_ or '?'} → {message.to or '?'}"),
        ("network", " ".join(filter(None, (names, codes and f"({codes})")))),
        ("parts", "  ".join(f"{part.number}/{part.of} {part.status}" for part in message.parts)),
        ("units", _units(message)),
        ("cost", f"{message.cost.amount} {message.cost.currency or ''}" if message.cost else None),
        ("took", f"{seconds(message.latency_s)}, on {_clock(message.latency_clock)}" if message.latency_s else None),
        ("tags", ", ".join(message.tags)),
        ("converted", None if message.converted is None else "yes" if message.converted else "no"),
        ("outbox", _waits(message)),
        ("error", _error(message)),
        ("what to do", message.error.advice if message.error else None),
        ("unknown words", ", ".join(message.unknown_statuses)),
    ]
    return found


def _units(message: "MessageWhole") -> str | None:
    """What is charged for, and what we expected where that is something else."""
    if message.units is None or message.segments_estimated in (None, message.units):
        return None if message.units is None else str(message.units)
    return f"{message.units}, where {message.segments_estimated} were expected"


def _waits(message: "MessageWhole") -> str | None:
    if message.outbox is None:
        return None
    tried = f", tried {message.outbox.attempts} times" if message.outbox.attempts else ""
    why = f": {message.outbox.problem}" if message.outbox.problem else ""
    return f"{message.outbox.state}, due {moment(message.outbox.due_at)}{tried}{why}"


def _error(message: "MessageShape") -> str | None:
    """The code and what it means; a reason in words says that itself."""
    lost = message.error_code or message.provider_reason
    return f"{lost} {message.error.title}" if message.error_code and message.error else lost


def _clock(clock: str | None) -> str:
    return "our clock" if clock == "ours" else "the provider's clock"


def _step(entry: "TimelineEntry") -> "Text":
    from rich.text import Text

    status = Status(entry.status) if entry.status else None
    is_unknown = status is None and entry.source != Source.OURS  # what is ours and no status is a conversion
    told = entry.status or f"{entry.provider_status}{' (unknown word)' if is_unknown else ''}".replace("_", " ")
    text = Text(clean(f"● {told}"), style="yellow" if is_unknown else STYLES.get(status, "cyan") if status else "cyan")
    if entry.part is not None:
        text.append(f" part {entry.part}", style="dim")
    if lost := entry.error_code or entry.provider_reason:
        text.append(clean(f" error {lost}"), style="red")
    return text


def _how_we_know(entry: "TimelineEntry") -> str:
    if entry.received_at is None:
        return "told by a later receipt"
    source = f"{entry.source} {entry.callback_id}" if entry.callback_id else entry.source or ""
    return source if entry.clock == "provider" else f"{source}, by our clock"
