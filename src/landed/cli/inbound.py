"""`landed inbound`: what people write to us."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

import typer

from landed.cli.figures import clean
from landed.cli.messages import Cursor, Limit, Since, Until
from landed.cli.opening import VARIABLES, opened_store, run
from landed.cli.speaking import AsJson, moment, on_terminal, print_json, print_line, print_table, say
from landed.domain.receipts import Channel, Intent

if TYPE_CHECKING:
    from landed.services.inbound import InboundReader
    from landed.services.inbound_shapes import InboundWhole, MediaShape

app = typer.Typer(help="Inbound messages: what people write to us.", no_args_is_help=True)

#: Of a text, in a list.
_TEXT_CHARACTERS: Final = 60


class IntentAsked(StrEnum):
    OPT_OUT = Intent.OPT_OUT.value
    OPT_IN = Intent.OPT_IN.value
    HELP = Intent.HELP.value
    NONE = "none"


@app.command("list", short_help="List inbound messages, the newest first.", epilog=VARIABLES)
@run
async def show_page(
    from_: Annotated[str | None, typer.Option("--from", metavar="NUMBER", help="Only from this person.")] = None,
    to: Annotated[str | None, typer.Option(metavar="NUMBER", help="Only to this number of ours.")] = None,
    account: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only of this account. Repeatable.")] = None,
    channel: Annotated[list[Channel] | None, typer.Option(help="Only of this channel. Repeatable.")] = None,
    intent: Annotated[list[IntentAsked] | None, typer.Option(help="Only those that ask this. Repeatable.")] = None,
    has_media: Annotated[bool | None, typer.Option("--media/--no-media", help="Only with, or without, files.")] = None,
    since: Since = None,
    until: Until = None,
    q: Annotated[str | None, typer.Option(metavar="TEXT", help="Our id, the provider's, or a number, whole.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: AsJson = False,
) -> None:
    """Example: landed inbound list --intent opt_out --since 7d

    List what people wrote to numbers of ours, the newest first.
    """
    from landed.services.inbound import InboundQuestion
    from landed.services.moments import moment as read_moment

    now = datetime.now(UTC)
    question = InboundQuestion(
        accounts=account or (),
        channels=channel or (),
        sender=from_,
        recipient=to,
        intents=[None if each is IntentAsked.NONE else Intent(each.value) for each in intent or ()],
        has_media=has_media,
        since=read_moment(since, now, field="since") if since else None,
        until=read_moment(until, now, field="until") if until else None,
        text=q,
    )
    async with _opened_reader() as reader:
        page = await reader.messages(question, account_id=None, cursor=cursor, limit=limit)
    if as_json:
        print_json(page.model_dump(mode="json"))
        return
    if not page.data:
        say("No inbound messages.")
        return
    rows = [
        [
            moment(each.received_at),
            each.id,
            each.account,
            each.from_,
            each.to,
            each.channel,
            each.intent,
            str(len(each.media)) if each.media else None,
            _short(each.text),
        ]
        for each in page.data
    ]
    columns = ["received", "id", "account", "from", "to", "channel", "asks for", "files", "text"]
    print_table(columns, [[None if cell is None else clean(cell) for cell in row] for row in rows])
    if page.next_cursor:
        say(f"More: add --cursor {page.next_cursor}")


@app.command("show", short_help="Show one inbound message.", epilog=VARIABLES)
@run
async def show_one(
    message_id: Annotated[str, typer.Argument(metavar="ID", help="Our id of the message, or the provider's.")],
    as_json: AsJson = False,
) -> None:
    """Example: landed inbound show 5b1c0c3e-6f0b-11ef-9d0a-0242ac110003

    Show one inbound message: what it says, what came with it, and which callbacks told it.
    """
    async with _opened_reader() as reader:
        message = await reader.message(message_id, account_id=None)
    if as_json:
        print_json(message.model_dump(mode="json"))
        return
    print_table(["", ""], [[name, clean(value)] for name, value in _facts(message) if value])
    if message.text:
        print_line("")
        print_line(clean(message.text))


@asynccontextmanager
async def _opened_reader() -> AsyncIterator["InboundReader"]:
    from landed.providers import registry
    from landed.services.inbound import InboundReader
    from landed.store import reading

    async with opened_store() as store:
        engine = reading.engine(store.database_url)
        try:
            yield InboundReader(engine, registry.load())
        finally:
            await engine.dispose()


def _facts(message: "InboundWhole") -> list[tuple[str, str | None]]:
    cost = message.cost
    return [
        ("id", message.id),
        (message.provider or "provider", message.provider_message_id),
        ("account", message.account),
        (message.channel, f"{message.from_ or '?'} → {message.to or '?'}"),
        ("country", message.country),
        ("received", moment(message.received_at)),
        ("asks for", message.intent),
        ("units", None if message.units is None else str(message.units)),
        ("error", f"{message.error_code} {message.error.title}" if message.error else message.error_code),
        ("cost", f"{cost.amount} {cost.currency or ''}" if cost else None),
        ("told", f"{len(message.callbacks)} times, by callbacks {', '.join(message.callbacks)}"),
        *((f"file {each.number}", _media(each)) for each in message.media),
        *(message.extra.items()),
    ]


def _media(media: "MediaShape") -> str:
    size_bytes = f"{media.size_bytes} bytes" if media.size_bytes else None
    download = media.download
    if download is None:
        became = "not downloaded"
    elif download.state == "downloaded":
        became = f"downloaded, {download.size_bytes} bytes"
    else:
        became = " ".join(filter(None, (download.state, download.problem)))
    return "  ".join(filter(None, (media.mime_type, size_bytes, media.url, became)))


def _short(text: str | None) -> str | None:
    """One line of it; on a terminal not more than fits."""
    line = " ".join(text.split()) if text else None
    if line and on_terminal() and len(line) > _TEXT_CHARACTERS:
        return f"{line[:_TEXT_CHARACTERS]}…"
    return line
