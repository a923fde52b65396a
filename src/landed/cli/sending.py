"""`landed messages send` and `cancel`."""

import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from landed.cli.durations import Duration, duration
from landed.cli.figures import clean
from landed.cli.opening import VARIABLES, opened_clients, opened_store, reads, run
from landed.cli.speaking import AsJson, print_json, print_table, say
from landed.domain.errors import InputInvalid
from landed.domain.receipts import Channel

#: Idempotency keys of the command line are apart from those of API keys, which count from 1.
COMMAND_LINE: Final = 0
_SENDING_VARIABLES: Final = reads(
    "LANDED_DATABASE_URL", "LANDED_DATA_DIR", "LANDED_SECRET_KEY", "LANDED_DEFAULT_REGION"
)


def add_to(app: typer.Typer) -> None:
    """Offer these commands."""
    app.command("send", short_help="Send a message.", epilog=_SENDING_VARIABLES)(send)
    app.command("cancel", short_help="Do not send a message that is not yet sent.", epilog=VARIABLES)(cancel)


@run
async def send(
    from_: Annotated[str, typer.Option("--from", metavar="SENDER", help="Our number, short code or name.")],
    to: Annotated[list[str], typer.Option(metavar="NUMBER", help="To whom, written in any way. Repeatable.")],
    text: Annotated[str | None, typer.Option(metavar="TEXT", help="What it says; - is standard input.")] = None,
    account: Annotated[str | None, typer.Option(metavar="NAME", help="Not needed where but one can send.")] = None,
    channel: Annotated[Channel, typer.Option(help="How it goes.")] = Channel.SMS,
    media: Annotated[list[str] | None, typer.Option(metavar="URL", help="A picture or file. Repeatable.")] = None,
    template: Annotated[
        str | None, typer.Option(metavar="FILE", help="JSON: a WhatsApp template with name and language.")
    ] = None,
    tag: Annotated[list[str] | None, typer.Option(metavar="TAG", help="To find it by. Repeatable.")] = None,
    at: Annotated[str | None, typer.Option(metavar="WHEN", help="2026-12-01T09:00:00Z, or +10m; else now.")] = None,
    expires: Annotated[
        Duration | None, typer.Option(parser=duration, metavar="TIME", help="Give up after: 5m, 2h, 1d.")
    ] = None,
    trackable: Annotated[bool, typer.Option("--trackable", help="Conversions will be reported.")] = False,
    region: Annotated[str | None, typer.Option(metavar="CODE", help="Country of numbers without one: US.")] = None,
    callback_method: Annotated[str, typer.Option(metavar="METHOD", help="How to call back: POST or GET.")] = "POST",
    idempotency_key: Annotated[
        str | None, typer.Option(metavar="KEY", help="With the same key, asking again sends nothing again.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Example: landed messages send --from +14155550100 --to +14155550123 --text 'Your table is ready.'

    Send a message to each recipient. It is kept, and a worker sends it: `landed serve` or `landed worker` has to run.
    """
    from landed.services import idempotency
    from landed.services.sending import Asked, Sending, send_time
    from landed.store import partitions

    now = datetime.now(UTC)
    asked = Asked(
        account=account,
        sender=from_,
        recipients=to,
        text=sys.stdin.read().rstrip("\n") if text == "-" else text,
        channel=channel,
        media_urls=media or (),
        template=_template(template) if template else None,
        tags=tag or (),
        send_at=send_time(at, now, field="at") if at else None,
        expires_after_s=int(expires.total_seconds()) if expires else None,
        trackable=trackable,
        region=region,
        callback_method=callback_method.upper(),
    )
    claim = idempotency.claim(COMMAND_LINE, idempotency_key, "landed messages send", asdict(asked) | {"send_at": at})
    async with opened_store() as store, opened_clients(store) as clients:
        async with store.pool.connection() as connection:  # for its event: nothing else may have run for days
            await partitions.make(connection, now.date())
        sending = Sending(store.pool, clients, region=store.settings.default_region)
        answer = await sending.accept(asked, account_id=None, claim=claim)
    if as_json:
        print_json(answer.body)
    else:
        _print_accepted(answer.body)
    if answer.replayed:
        say("This is what was answered to the first request with this key; nothing was sent again.")


@run
async def cancel(
    message_id: Annotated[str, typer.Argument(metavar="ID", help="Our id of the message.")],
    as_json: AsJson = False,
) -> None:
    """Example: landed messages cancel 5b1c0c3e-6f0b-11ef-9d0a-0242ac110003

    Do not send a message that still waits. One that is being sent, or was, cannot be cancelled.
    """
    from landed.providers import registry
    from landed.services.reading import Reader
    from landed.services.sending import Sending
    from landed.store import partitions, reading

    async with opened_store() as store, opened_clients(store) as clients:
        async with store.pool.connection() as connection:  # for its event
            await partitions.make(connection, datetime.now(UTC).date())
        await Sending(store.pool, clients).cancel(message_id, account_id=None)
        engine = reading.engine(store.database_url)
        try:
            message = await Reader(engine, registry.load()).message(message_id, account_id=None)
        finally:
            await engine.dispose()
    if as_json:
        print_json(message.model_dump(mode="json"))
        return
    say(f"The message {message.id} is cancelled: nothing is sent.")


def _template(file: str) -> dict[str, Any]:
    try:
        content = json.loads(Path(file).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputInvalid(f"The file {file!r} cannot be read: {error.strerror}.", field="template") from error
    except ValueError as error:
        raise InputInvalid(f"The file {file!r} is not JSON.", field="template") from error
    if not isinstance(content, dict):
        raise InputInvalid(f"The file {file!r} holds no JSON object.", field="template")
    return content


def _print_accepted(body: dict[str, Any]) -> None:
    from landed.services.sending_shapes import Accepted

    accepted = Accepted.model_validate(body)
    columns = ["id", "account", "from", "to", "parts", "status"]
    rows = [
        [each.id, each.account, each.from_, each.to, str(each.segments.parts) if each.segments else None, each.status]
        for each in accepted.data
    ]
    print_table(columns, rows)
    for refused in accepted.refused:
        say(f"Not to {clean(refused.to)}: {refused.detail}")
    for warning in accepted.warnings:
        say(warning)
