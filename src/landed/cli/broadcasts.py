"""`landed broadcasts`: one sending to many, as the provider reports on it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from landed.cli.figures import clean
from landed.cli.messages import Cursor, Limit, Since, Until
from landed.cli.opening import VARIABLES, opened_store, run
from landed.cli.speaking import AsJson, moment, print_json, print_table, say

if TYPE_CHECKING:
    from collections.abc import Mapping

    from landed.services.broadcasts import BroadcastReader

app = typer.Typer(help="Broadcasts: one sending to many, as the provider reports on it.", no_args_is_help=True)


@app.command("list", short_help="List broadcasts, the newest first.", epilog=VARIABLES)
@run
async def show_page(
    account: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only of this account. Repeatable.")] = None,
    final: Annotated[bool | None, typer.Option("--final/--running", help="Only those that are over, or not.")] = None,
    since: Since = None,
    until: Until = None,
    q: Annotated[str | None, typer.Option(metavar="TEXT", help="Our id, the provider's, or the name, whole.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: AsJson = False,
) -> None:
    """Example: landed broadcasts list --running

    List broadcasts, those first heard of latest first.
    """
    from landed.services.broadcasts import BroadcastQuestion
    from landed.services.moments import moment as read_moment

    now = datetime.now(UTC)
    question = BroadcastQuestion(
        accounts=account or (),
        final=final,
        since=read_moment(since, now, field="since") if since else None,
        until=read_moment(until, now, field="until") if until else None,
        text=q,
    )
    async with _opened_reader() as reader:
        page = await reader.broadcasts(question, account_id=None, cursor=cursor, limit=limit)
    if as_json:
        print_json(page.model_dump(mode="json"))
        return
    if not page.data:
        say("No broadcasts.")
        return
    rows = [
        [
            moment(each.first_heard_at),
            each.id,
            each.account,
            each.name,
            each.provider_status,
            "yes" if each.final else "no",
            None if each.recipients is None else str(each.recipients),
            _counts(each.counts),
        ]
        for each in page.data
    ]
    columns = ["first heard", "id", "account", "name", "status", "over", "recipients", "messages"]
    print_table(columns, [[None if cell is None else clean(cell) for cell in row] for row in rows])
    if page.next_cursor:
        say(f"More: add --cursor {page.next_cursor}")


@app.command("show", short_help="Show one broadcast with every report.", epilog=VARIABLES)
@run
async def show_one(
    broadcast_id: Annotated[str, typer.Argument(metavar="ID", help="Our id of the broadcast, or the provider's.")],
    as_json: AsJson = False,
) -> None:
    """Example: landed broadcasts show 182d20da-1cd1-4d94-b3f5-c2dd38352d22

    Show one broadcast: where it stands, and every report of the provider.
    """
    async with _opened_reader() as reader:
        broadcast = await reader.broadcast(broadcast_id, account_id=None)
    if as_json:
        print_json(broadcast.model_dump(mode="json"))
        return
    facts = [
        ("id", broadcast.id),
        (broadcast.provider or "provider", broadcast.provider_broadcast_id),
        ("account", broadcast.account),
        ("name", broadcast.name),
        ("status", f"{broadcast.provider_status}{'' if broadcast.final else ', not over yet'}"),
        ("recipients", None if broadcast.recipients is None else str(broadcast.recipients)),
        ("messages", _counts(broadcast.counts)),
    ]
    print_table(["", ""], [[name, clean(value)] for name, value in facts if value])
    rows = [
        [moment(each.received_at), clean(each.provider_status), clean(_counts(each.counts) or "-")]
        for each in broadcast.receipts
    ]
    print_table(["heard", "status", "messages"], rows)


@asynccontextmanager
async def _opened_reader() -> AsyncIterator["BroadcastReader"]:
    from landed.services.broadcasts import BroadcastReader
    from landed.store import reading

    async with opened_store() as store:
        engine = reading.engine(store.database_url)
        try:
            yield BroadcastReader(engine)
        finally:
            await engine.dispose()


def _counts(counts: "Mapping[str, int]") -> str | None:
    return ", ".join(f"{count} {name}" for name, count in counts.items()) or None
