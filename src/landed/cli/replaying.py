"""`landed callbacks replay`: take callbacks in again, or send them to another URL."""

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from landed.cli.figures import clean
from landed.cli.messages import Since, Until
from landed.cli.opening import ALL_VARIABLES, OpenedStore, opened_store, run
from landed.cli.speaking import AsJson, print_json, print_line, print_table, say
from landed.domain.errors import InputInvalid, NotFound

if TYPE_CHECKING:
    from landed.domain.callbacks import Callback
    from landed.services.inspecting import Inspector
    from landed.services.replaying import Replayer
    from landed.store.accounts import Pool

#: Callbacks tracked in one transaction of a replay.
_BATCH: Final = 1_000
_ACCEPTED_ID: Final = re.compile(r"\d{1,18}", re.ASCII)


def add_to(app: typer.Typer) -> None:
    app.command("replay", short_help="Take callbacks in again, or send them to another URL.", epilog=ALL_VARIABLES)(
        replay
    )


@run
async def replay(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Ids of callbacks.")] = None,
    since: Since = None,
    until: Until = None,
    set_aside: Annotated[bool, typer.Option("--set-aside", help="Those that are set aside.")] = False,
    to: Annotated[str | None, typer.Option(metavar="URL", help="Send them there, as they came.")] = None,
    resign: Annotated[bool, typer.Option("--resign", help="With --to: sign them for that URL.")] = False,
    anywhere: Annotated[bool, typer.Option("--anywhere", help="With --to: another machine is really meant.")] = False,
    timeout_s: Annotated[
        float, typer.Option("--timeout", min=0.1, max=600, metavar="SECONDS", help="With --to: longest wait.")
    ] = 30,
    as_json: AsJson = False,
) -> None:
    """Example: landed callbacks replay --set-aside

    Track callbacks again: these ids, those received in a time, or those set aside. What was counted already changes
    nothing; what is understood now is taken out of those set aside. A refused one has to prove itself anew, with the
    tokens and the public URL of now, and is then in the journal.

    `landed callbacks replay 1042 --to http://localhost:3000/hook` sends it there instead, byte for byte.
    """
    if sum((bool(ids), bool(since or until), set_aside)) != 1:
        raise InputInvalid("Say which, in one way: ids, --since and --until, or --set-aside.")
    if to is not None:
        await _send(ids or [], to, resign=resign, anywhere=anywhere, timeout_s=timeout_s, as_json=as_json)
        return
    if resign or anywhere:
        raise InputInvalid("--resign and --anywhere go with --to.")
    async with opened_replaying() as (store, inspector, replayer):
        if ids:
            await _replay_each(store, inspector, replayer, list(dict.fromkeys(ids)), as_json=as_json)
        else:
            await _replay_many(store, replayer, since, until, set_aside=set_aside, as_json=as_json)


async def _replay_each(
    store: OpenedStore, inspector: "Inspector", replayer: "Replayer", ids: Sequence[str], *, as_json: bool
) -> None:
    from landed.store import callback_queries

    replayed = set_aside = refused = 0
    accepted = [int(each) for each in ids if _ACCEPTED_ID.fullmatch(each)]
    for start in range(0, len(accepted), _BATCH):
        batch = await callback_queries.by_ids(store.pool, accepted[start : start + _BATCH])
        set_aside += await replayer.track(batch)
        replayed += len(batch)
    missing = len(accepted) - replayed
    for callback_id in ids:
        if _ACCEPTED_ID.fullmatch(callback_id):
            continue
        try:
            found = await inspector.reader.found(callback_id, account_id=None)
        except NotFound:
            missing += 1
            continue
        outcome = await replayer.replay(found, callback_id)
        replayed += 1
        refused += outcome.outcome == "refused"
        say(clean(f"{callback_id} {outcome.outcome}{f': {outcome.detail}' if outcome.detail else ''}"))
    _print({"replayed": replayed, "set_aside": set_aside, "refused": refused}, as_json=as_json)
    if missing:
        raise InputInvalid(f"{missing} of these ids are not kept (any more); `landed callbacks list` shows them.")
    if refused:
        raise typer.Exit(1)


async def _replay_many(
    store: OpenedStore,
    replayer: "Replayer",
    since: str | None,
    until: str | None,
    *,
    set_aside: bool,
    as_json: bool,
) -> None:
    from landed.services.moments import moment as read_moment

    now = datetime.now(UTC)
    first = read_moment(since, now, field="since") if since else datetime.min.replace(tzinfo=UTC)
    last = read_moment(until, now, field="until") if until else now
    replayed = still_set_aside = 0
    async for batch in _batches(store.pool, first, last, set_aside=set_aside):
        still_set_aside += await replayer.track(batch)
        replayed += len(batch)
        say(f"{replayed} replayed …")
    _print({"replayed": replayed, "set_aside": still_set_aside}, as_json=as_json)


def _print(counts: dict[str, int], *, as_json: bool) -> None:
    shown = {name: count for name, count in counts.items() if name != "refused" or count}
    if as_json:
        print_json(shown)
    else:
        print_table([name.replace("_", " ") for name in shown], [[str(count) for count in shown.values()]])


async def _send(ids: Sequence[str], to: str, *, resign: bool, anywhere: bool, timeout_s: float, as_json: bool) -> None:
    from landed.cli import arrows
    from landed.providers import registry
    from landed.services import resending
    from landed.services.replaying import resend
    from landed.store import accounts

    if not ids:
        raise InputInvalid("With --to, say which by their ids.")
    try:
        url = resending.target(to, anywhere=anywhere)
    except InputInvalid as error:
        hint = " --anywhere does that." if "confirm" in str(error) else ""
        raise InputInvalid(f"{error}{hint}", field="to") from error
    results: list[dict[str, Any]] = []
    async with opened_replaying() as (store, inspector, _), resending.opened_client() as http:
        known = {each.id: each for each in await accounts.every(store.pool, store.sealer, datetime.now(UTC))}
        for callback_id in ids:
            found = await inspector.reader.found(callback_id, account_id=None)
            account = known.get(found.row.account_id)
            if resign and account is None:
                raise InputInvalid(f"The account of {callback_id} is gone, so it cannot be signed.", field="resign")
            outgoing, answer = await resend(
                http,
                found,
                callback_id,
                url,
                account=account if resign else None,
                provider=registry.load().get(account.provider) if account else None,
                timeout_s=timeout_s,
            )
            results.append(
                {
                    "callback_id": callback_id,
                    "url": outgoing.url,
                    "status": answer.status,
                    "elapsed_ms": answer.elapsed_ms,
                    "problem": answer.problem,
                }
            )
            if not as_json:
                print_line(arrows.arrow_out(outgoing, label=callback_id))
                print_line(arrows.style(answer))
    if as_json:
        print_json(results)
    if any(each["status"] is None or not 200 <= each["status"] < 300 for each in results):
        raise typer.Exit(1)


@asynccontextmanager
async def opened_replaying() -> "AsyncIterator[tuple[OpenedStore, Inspector, Replayer]]":
    """The store, what finds callbacks in it, and what takes them in again. The door opens when it is needed."""
    from landed import logs
    from landed.app import make_journal, opened_admit
    from landed.providers import registry
    from landed.services.inspecting import Inspector
    from landed.services.replaying import Again, Replayer
    from landed.store import reading

    logs.configure("error", role="replay")
    async with opened_store() as store:
        engine = reading.engine(store.database_url)
        providers = registry.load()
        load = partial(_live_accounts, store)

        async def admit(request: Again) -> tuple[int, bytes]:
            async with opened_admit(store.settings, store.database_url, load) as door:
                return await door(request)

        replayer = Replayer(
            pool=store.pool,
            journal=make_journal(store.settings, store.database_url),
            providers=providers,
            admit=admit,
        )
        try:
            yield store, Inspector(engine, providers), replayer
        finally:
            await engine.dispose()


async def _live_accounts(store: OpenedStore) -> Any:
    from landed.store import accounts

    return await accounts.all_live(store.pool, store.sealer, datetime.now(UTC))


async def _batches(
    pool: "Pool", since: datetime, until: datetime, *, set_aside: bool
) -> AsyncIterator[Sequence["Callback"]]:
    from landed.store import callback_queries

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
