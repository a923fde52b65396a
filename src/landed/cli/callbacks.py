"""`landed callbacks`: what providers sent, byte for byte, and tracking it again."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from landed.cli.figures import clean
from landed.cli.messages import Cursor, Limit, Since, Until, opened_reader
from landed.cli.opening import VARIABLES, OpenedStore, opened_store, run
from landed.cli.speaking import AsJson, moment, print_json, print_line, print_table, say
from landed.domain.errors import InputInvalid

if TYPE_CHECKING:
    from landed.domain.callbacks import Callback
    from landed.services.tracking import Tracker
    from landed.store.accounts import Pool

app = typer.Typer(help="Callbacks: what providers sent, and tracking it again.", no_args_is_help=True)

#: Callbacks tracked in one transaction of a replay.
_BATCH: Final = 1_000


@app.command("list", short_help="List callbacks, the latest first.", epilog=VARIABLES)
@run
async def show_page(
    account: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only of this account. Repeatable.")] = None,
    verdict: Annotated[
        Literal["accepted", "refused", "set_aside"] | None,
        typer.Option(help="Only accepted ones, refused ones, or those of the accepted that are set aside."),
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
    )
    async with opened_reader() as reader:
        page = await reader.callbacks(question, account_id=None, cursor=cursor, limit=limit, keys_shown=False)
    if as_json:
        print_json(page.model_dump(mode="json"))
        return
    if not page.data:
        say("No callbacks.")
        return
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


@app.command("show", short_help="Show one callback, headers and body.", epilog=VARIABLES)
@run
async def show_one(
    callback_id: Annotated[str, typer.Argument(metavar="ID", help="Its id, as `landed callbacks list` shows it.")],
    as_json: AsJson = False,
) -> None:
    """Example: landed callbacks show 1042

    Show one callback as it came, but for secrets, and what we made of it.
    """
    async with opened_reader() as reader:
        callback = await reader.callback(callback_id, account_id=None, keys_shown=False)
    if as_json:
        print_json(callback.model_dump(mode="json"))
        return
    say(f"{callback.outcome or callback.verdict} {moment(callback.received_at)} account {callback.account}")
    if callback.reason:
        say(clean(f"{callback.reason}: {callback.detail}"))
    if callback.verified_by:
        say(f"verified by {', '.join(callback.verified_by)}")
    print_line(clean(f"{callback.method} {callback.url}"))
    for name, value in callback.headers.items():
        print_line(clean(f"{name}: {value}"))
    print_line("")
    if callback.body is not None:
        print_line(clean(callback.body))
    else:
        print_line(f"{callback.body_base64}")
        say("The body is not text, and shown in base64.")
    if callback.body_truncated:
        say(f"Only the first bytes of {callback.body_bytes} are kept.")


@app.command("replay", short_help="Track callbacks again.", epilog=VARIABLES)
@run
async def replay(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Ids of accepted callbacks.")] = None,
    since: Since = None,
    until: Until = None,
    set_aside: Annotated[bool, typer.Option("--set-aside", help="Those that are set aside.")] = False,
    as_json: AsJson = False,
) -> None:
    """Example: landed callbacks replay --set-aside

    Track callbacks again: these ids, those received in a time, or those set aside. What was counted already changes
    nothing; what is understood now is taken out of those set aside.
    """
    from landed.services.moments import moment as read_moment

    now = datetime.now(UTC)
    if sum((bool(ids), bool(since or until), set_aside)) != 1:
        raise InputInvalid("Say which, in one way: ids, --since and --until, or --set-aside.")
    numbers = [_number(each) for each in ids or ()]
    first = read_moment(since, now, field="since") if since else datetime.min.replace(tzinfo=UTC)
    last = read_moment(until, now, field="until") if until else now
    replayed = still_set_aside = 0
    async with opened_store() as store:
        tracker = await _tracker(store)
        async for batch in _batches(store.pool, numbers, first, last, set_aside):
            still_set_aside += await tracker.replay(batch)
            replayed += len(batch)
            say(f"{replayed} replayed …")
    if as_json:
        print_json({"replayed": replayed, "set_aside": still_set_aside})
    else:
        print_table(["replayed", "set aside"], [[str(replayed), str(still_set_aside)]])
    if len(set(numbers)) > replayed and numbers:
        raise InputInvalid(f"{len(set(numbers)) - replayed} of these ids are not kept (any more).")


def _number(callback_id: str) -> int:
    if not (callback_id.isascii() and callback_id.isdigit() and len(callback_id) <= 18):
        raise InputInvalid(f"{callback_id[:40]!r} is no accepted callback's id; `landed callbacks list` shows them.")
    return int(callback_id)


async def _tracker(store: OpenedStore) -> "Tracker":
    from landed.journal.postgres import PostgresJournal
    from landed.providers import registry
    from landed.services.tracking import Tracker
    from landed.store import accounts, partitions

    providers = registry.load()
    names = await accounts.providers(store.pool)
    async with store.pool.connection() as connection:  # nothing else may have run for days
        await partitions.make(connection, datetime.now(UTC).date())
    return Tracker(
        name="replay",
        journal=PostgresJournal(store.database_url, lanes=1),  # not opened: a replay brings its callbacks along
        pool=store.pool,
        provider_of=lambda account_id: providers.get(names.get(account_id, "")),
    )


async def _batches(
    pool: "Pool", ids: Sequence[int], since: datetime, until: datetime, set_aside: bool
) -> AsyncIterator[Sequence["Callback"]]:
    from landed.store import callback_queries

    if ids:
        for start in range(0, len(ids), _BATCH):
            if batch := await callback_queries.by_ids(pool, ids[start : start + _BATCH]):
                yield batch
        return
    after_id = -1
    while True:
        if set_aside:
            batch = await callback_queries.set_aside_after(pool, after_id, _BATCH)
        else:
            batch = await callback_queries.between(pool, since, until, after_id, _BATCH)
        if not batch:
            return
        yield batch
        after_id = batch[-1].id
