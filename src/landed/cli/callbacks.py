"""`landed callbacks`: what providers sent, byte for byte, what became of it, and one beside another."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from landed.cli import doctor, inspector, replaying
from landed.cli.figures import clean
from landed.cli.messages import Cursor, Limit, Since, Until
from landed.cli.opening import VARIABLES, opened_store, run
from landed.cli.speaking import AsJson, moment, print_json, print_line, print_table, say

if TYPE_CHECKING:
    from landed.services.inspecting import Inspector
    from landed.services.inspecting_shapes import InspectedCallback

app = typer.Typer(
    help="Callbacks: what providers sent, why it was refused, and taking it in again.", no_args_is_help=True
)

_Id = Annotated[str, typer.Argument(metavar="ID", help="Its id, as `landed callbacks list` shows it.")]


@app.command("list", short_help="List callbacks, the latest first.", epilog=VARIABLES)
@run
async def show_page(
    account: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only of this account. Repeatable.")] = None,
    verdict: Annotated[
        Literal["accepted", "refused", "set_aside"] | None,
        typer.Option(help="Only accepted ones, refused ones, or those of the accepted that are set aside."),
    ] = None,
    reason: Annotated[
        list[str] | None, typer.Option(metavar="WORD", help="Only refused or set aside for this. Repeatable.")
    ] = None,
    kind: Annotated[
        list[str] | None, typer.Option(metavar="KIND", help="Only of this kind by its address: messages, verify, …")
    ] = None,
    status: Annotated[
        list[str] | None, typer.Option(metavar="WORD", help="Only with this word of the provider's in a field.")
    ] = None,
    method: Annotated[list[str] | None, typer.Option(metavar="METHOD", help="Only GET, or POST.")] = None,
    verified_by: Annotated[str | None, typer.Option(metavar="HEADER", help="Only proven by this header.")] = None,
    message: Annotated[str | None, typer.Option(metavar="ID", help="Only those that told of this message.")] = None,
    q: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Only with this in body or address: an id, a number, any text.")
    ] = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: AsJson = False,
) -> None:
    """Example: landed callbacks list --verdict refused

    List callbacks, the latest first: accepted ones, and the latest refused ones with the reason.
    """
    from landed.services.moments import moment as read_moment
    from landed.services.reading import CallbackQuestion
    from landed.store.callback_queries import Verdict

    now = datetime.now(UTC)
    question = CallbackQuestion(
        accounts=account or (),
        verdict=Verdict(verdict) if verdict else None,
        since=read_moment(since, now, field="since") if since else None,
        until=read_moment(until, now, field="until") if until else None,
        reasons=reason or (),
        kinds=kind or (),
        statuses=status or (),
        methods=method or (),
        verified_by=verified_by,
        message=message,
        text=q,
    )
    async with opened_inspector() as inspector:
        page = await inspector.reader.callbacks(question, account_id=None, cursor=cursor, limit=limit, keys_shown=False)
    if as_json:
        print_json(page.model_dump(mode="json"))
        return
    if not page.data:
        say("No callbacks." if not page.next_cursor else "None among the latest.")
    else:
        rows = [
            [
                moment(each.received_at),
                each.id,
                each.account,
                each.outcome or each.verdict,
                each.reason,
                each.method,
                str(each.body_bytes),
                ", ".join(each.verified_by) or None,
            ]
            for each in page.data
        ]
        columns = ["received", "id", "account", "outcome", "reason", "method", "bytes", "verified by"]
        print_table(columns, [[None if cell is None else clean(cell) for cell in row] for row in rows])
    if page.next_cursor:
        say(f"More: add --cursor {page.next_cursor}")


@app.command("show", short_help="Show one callback, and what it became.", epilog=VARIABLES)
@run
async def show_one(callback_id: _Id, as_json: AsJson = False) -> None:
    """Example: landed callbacks show 1042

    Show one callback as it came, but for secrets, and what we made of it.
    """
    async with opened_inspector() as inspector:
        callback = await inspector.inspect(callback_id, account_id=None, keys_shown=False)
    if as_json:
        print_json(callback.model_dump(mode="json"))
        return
    say(f"{callback.outcome or callback.verdict} {moment(callback.received_at)} account {callback.account}")
    if callback.reason:
        say(clean(f"{callback.reason}: {callback.detail}"))
    if callback.verified_by:
        say(f"verified by {', '.join(callback.verified_by)}")
    print_line(clean(f"{callback.method} {callback.url}"))
    for header in callback.header_lines:
        print_line(clean(f"{header.name}: {header.value}"))
    print_line("")
    if callback.body is not None:
        print_line(clean(callback.body))
    else:
        print_line(f"{callback.body_base64}")
        say("The body is not text, and shown in base64.")
    if callback.body_truncated:
        say(f"Only the first bytes of {callback.body_bytes} are kept.")
    for line in became(callback):
        say(clean(line))
    if callback.verdict == "refused":
        say(f"Why: landed callbacks doctor {callback.id}")


@app.command("compare", short_help="Show two callbacks side by side, differences first.", epilog=VARIABLES)
@run
async def compare(
    a: Annotated[str, typer.Argument(metavar="A", help="Id of one callback.")],
    b: Annotated[str, typer.Argument(metavar="B", help="Id of the other.")],
    everything: Annotated[bool, typer.Option("--all", help="What is the same, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Example: landed callbacks compare 1042 refused-1-7-1764000000000000

    Show two callbacks side by side: verdict, request line, fields and headers, differences first.
    """
    async with opened_inspector() as inspector:
        comparison = await inspector.compare(a, b, account_id=None, keys_shown=False)
    if as_json:
        print_json(comparison.model_dump(mode="json"))
        return
    rows = [row for row in comparison.rows if everything or row.differs]
    if rows:
        cells = [["≠" if row.differs else "", row.part, row.name, row.a, row.b] for row in rows]
        print_table(
            ["", "part", "name", a, b], [[None if cell is None else clean(cell) for cell in row] for row in cells]
        )
    same = len(comparison.rows) - comparison.differences
    say(f"{comparison.differences} differences, {same} the same{'' if everything else ' (--all shows them)'}.")


def became(callback: "InspectedCallback") -> Iterable[str]:
    """What one callback became, a line for each fact."""
    for told in callback.receipts:
        found = f" -> {told.thing.kind} {told.thing.id}, now {told.thing.status}" if told.thing else ""
        name = told.provider_id or told.our_id or "?"
        yield f"tells: {told.kind} {name} {told.provider_status or '(no status)'}{found}"
    if callback.parse_problem:
        yield f"nothing is read out of it: {callback.parse_problem}"
    if callback.nonce_first_used_by:
        yield f"its nonce was first used by callback {callback.nonce_first_used_by}"
    if callback.neighbours:
        yield f"others of the same: {', '.join(each.id for each in callback.neighbours)}"


@asynccontextmanager
async def opened_inspector() -> AsyncIterator["Inspector"]:
    from landed.providers import registry
    from landed.services.inspecting import Inspector
    from landed.store import reading

    async with opened_store() as store:
        engine = reading.engine(store.database_url)
        try:
            yield Inspector(engine, registry.load())
        finally:
            await engine.dispose()


replaying.add_to(app)
doctor.add_to(app)
inspector.add_to(app)
