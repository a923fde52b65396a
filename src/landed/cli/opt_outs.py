"""`landed opt-outs`: who does not want to hear from us."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from landed.cli.figures import clean
from landed.cli.messages import Cursor, Limit, Since, Until
from landed.cli.opening import VARIABLES, opened_store, run
from landed.cli.speaking import AsJson, moment, print_json, print_table, say
from landed.domain.errors import NotFound
from landed.domain.opt_outs import OptOutSource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from landed.services.opt_out_shapes import OptOutShape, OptOutWhole
    from landed.services.opt_outs import OptOutReader
    from landed.store.accounts import Pool

app = typer.Typer(help="Opt-outs: who does not want to hear from us.", no_args_is_help=True)

Account = Annotated[str, typer.Argument(metavar="ACCOUNT", help="The account's name.")]
Sender = Annotated[str, typer.Argument(metavar="SENDER", help="Our number or name.")]
Recipient = Annotated[str, typer.Argument(metavar="RECIPIENT", help="The person's number, with its country code.")]
Accounts = Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only of this account. Repeatable.")]


@app.command("list", short_help="List opt-outs, the latest change first.", epilog=VARIABLES)
@run
async def show_page(
    sender: Annotated[str | None, typer.Option(metavar="NUMBER", help="Only of this number or name of ours.")] = None,
    recipient: Annotated[str | None, typer.Option(metavar="NUMBER", help="Only of this person.")] = None,
    account: Accounts = None,
    opted_out: Annotated[
        bool | None, typer.Option("--opted-out/--opted-in", help="Only those who are out, or in again.")
    ] = None,
    source: Annotated[list[OptOutSource] | None, typer.Option(help="Only known in this way. Repeatable.")] = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: AsJson = False,
) -> None:
    """Example: landed opt-outs list --opted-out --since 7d

    List who opted out of hearing from which of our numbers, and who opted in again, the latest change first.
    """
    from landed.services.moments import moment as read_moment
    from landed.services.opt_outs import OptOutQuestion

    now = datetime.now(UTC)
    question = OptOutQuestion(
        accounts=account or (),
        sender=sender,
        recipient=recipient,
        opted_out=opted_out,
        sources=source or (),
        since=read_moment(since, now, field="since") if since else None,
        until=read_moment(until, now, field="until") if until else None,
    )
    async with _opened() as opened:
        page = await opened.reader.opt_outs(question, account_id=None, cursor=cursor, limit=limit)
    if as_json:
        print_json(page.model_dump(mode="json"))
        return
    if not page.data:
        say("No opt-outs.")
        return
    _print(page.data)
    if page.next_cursor:
        say(f"More: add --cursor {page.next_cursor}")


@app.command("check", short_help="Say whether a person wants to hear from a number of ours.", epilog=VARIABLES)
@run
async def check(sender: Sender, recipient: Recipient, account: Accounts = None, as_json: AsJson = False) -> None:
    """Example: landed opt-outs check +14155550100 +14155550123

    Say whether a person opted out of hearing from a number of ours.
    """
    async with _opened() as opened:
        found = await opened.reader.check(sender, recipient, accounts=account or (), account_id=None)
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    if found.data:
        _print(found.data)
    say(f"{found.recipient} {'opted out of' if found.opted_out else 'did not opt out of'} {found.sender}.")


@app.command("add", short_help="Opt a person out.", epilog=VARIABLES)
@run
async def add(account: Account, sender: Sender, recipient: Recipient, as_json: AsJson = False) -> None:
    """Example: landed opt-outs add shop +14155550100 +14155550123

    Opt a person out of hearing from a number of ours, who said so in another way than by answering.
    """
    async with _opened() as opened:
        whole = await _change(opened, account, sender, recipient, opted_out=True)
    _tell(whole, as_json)


@app.command("remove", short_help="Opt a person in again.", epilog=VARIABLES)
@run
async def remove(account: Account, sender: Sender, recipient: Recipient, as_json: AsJson = False) -> None:
    """Example: landed opt-outs remove shop +14155550100 +14155550123

    Opt a person in again, who has agreed to it. What is known of before is kept, and a STOP from now on counts again.
    """
    async with _opened() as opened:
        known = await opened.reader.check(sender, recipient, accounts=[account], account_id=None)
        if not known.data:
            raise NotFound(
                f"The account {account!r} has no opt-out of these numbers; `landed opt-outs list` shows them."
            )
        whole = await _change(opened, account, sender, recipient, opted_out=False)
    _tell(whole, as_json)


@dataclass(frozen=True, slots=True)
class _Opened:
    reader: "OptOutReader"
    pool: "Pool"


@asynccontextmanager
async def _opened() -> AsyncIterator[_Opened]:
    from landed.services.opt_outs import OptOutReader
    from landed.store import reading

    async with opened_store() as store:
        engine = reading.engine(store.database_url)
        try:
            yield _Opened(OptOutReader(engine), store.pool)
        finally:
            await engine.dispose()


async def _change(opened: _Opened, account: str, sender: str, recipient: str, *, opted_out: bool) -> "OptOutWhole":
    from landed.services.opt_outs import OptOutChanger
    from landed.store import partitions

    key = await opened.reader.new_key(account, sender, recipient, account_id=None)
    async with opened.pool.connection() as connection:  # for its event: nothing else may have run for days
        await partitions.make(connection, datetime.now(UTC).date())
    opt_out_id = await OptOutChanger(opened.pool).change(key, opted_out=opted_out)
    return await opened.reader.opt_out(opt_out_id, account_id=None)


def _tell(whole: "OptOutWhole", as_json: bool) -> None:
    if as_json:
        print_json(whole.model_dump(mode="json"))
        return
    _print([whole])
    if whole.history[-1].source != OptOutSource.MANUAL:
        say("Something later is known, and stands: see `history` with --json.")


def _print(opt_outs: "Sequence[OptOutShape]") -> None:
    rows = [
        [
            moment(each.changed_at),
            "out" if each.opted_out else "in again",
            each.account,
            each.sender,
            each.recipient,
            each.source,
            each.keyword,
            each.id,
        ]
        for each in opt_outs
    ]
    columns = ["since", "opted", "account", "sender", "recipient", "known by", "word", "id"]
    print_table(columns, [[None if cell is None else clean(cell) for cell in row] for row in rows])
