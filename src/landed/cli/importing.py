"""`landed import`: what a provider knows of messages that were sent before, or while Landed was away."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from landed.cli.opening import opened_clients, opened_store, reads, run
from landed.cli.speaking import AsJson, moment, print_json, say
from landed.domain.errors import InputInvalid
from landed.providers import registry
from landed.providers.base import HasApi

if TYPE_CHECKING:
    from landed.services.calling import Called, Clients
    from landed.services.importing import Progress

app = typer.Typer(help="History: what a provider knows of messages.", no_args_is_help=True)

_VARIABLES: Final = reads(
    "LANDED_DATABASE_URL", "LANDED_DATA_DIR", "LANDED_SECRET_KEY", "LANDED_LOOKUPS_PER_S", "LANDED_RECONCILE_AFTER_S"
)


def _offer(provider: str) -> None:
    """Make the command `import PROVIDER`."""

    async def import_history(
        since: Annotated[str, typer.Option(metavar="WHEN", help="From then on: 24h, 30d, 2026-11-01.")],
        until: Annotated[str, typer.Option(metavar="WHEN", help="Before then, written in the same way.")] = "now",
        account: Annotated[
            str | None, typer.Option(metavar="NAME", help="The account; may be left out where there is one.")
        ] = None,
        again: Annotated[bool, typer.Option("--again", help="Also hours that were imported before.")] = False,
        as_json: AsJson = False,
    ) -> None:
        await _import(provider, since, until, account, again, as_json)

    import_history.__doc__ = f"""Example: landed import {provider} --since 30d --account shop

    Ask {provider} for the messages of a time, inbound and outbound, and keep what it says. Broken off, the same command
    goes on: hours that are in are left out. Importing twice changes nothing.
    """
    app.command(provider, short_help=f"Import the messages that {provider} knows.", epilog=_VARIABLES)(
        run(import_history)
    )


async def _import(provider: str, since: str, until: str, account: str | None, again: bool, as_json: bool) -> None:
    from landed import logs
    from landed.services.importing import Importer
    from landed.services.moments import moment as read_moment
    from landed.store import partitions

    now = datetime.now(UTC)
    start, end = read_moment(since, now, field="since"), read_moment(until, now, field="until")
    providers = registry.load()
    async with opened_store() as store, opened_clients(store) as clients:
        logs.configure(store.settings.log_level, role="import")
        called = await _account(clients, provider, account)
        async with store.pool.connection() as connection:
            await partitions.make(connection, now.date())  # no worker may have run yet
        importer = Importer(
            pool=store.pool,
            called=called,
            explainer_of=lambda account_id: providers.get(called.account.provider),
            requests_per_s=store.settings.lookups_per_s,
            reconcile_after_s=store.settings.reconcile_after_s,
        )
        with _shown(called.account.name) as show:
            progress = await importer.run(start, end, show, again=again)
    if as_json:
        print_json(
            {
                "account": called.account.name,
                "since": moment(start),
                "until": moment(end),
                "messages": progress.messages,
                "changed": progress.changed,
                "not_kept": progress.not_kept,
                "hours": progress.windows,
                "hours_skipped": progress.windows_skipped,
            }
        )
        return
    say(
        f"{provider} told of {progress.messages:,} messages in {progress.windows - progress.windows_skipped:,} hours;"
        f" {progress.changed:,} of them were news."
    )
    if progress.windows_skipped:
        say(f"{progress.windows_skipped:,} hours were in already; --again asks for them, too.")
    if progress.not_kept:
        say(f"{progress.not_kept:,} could not be kept; the log says why.")


async def _account(clients: "Clients", provider: str, name: str | None) -> "Called":
    if name is not None:
        called = await clients.named(name)
        if called.account.provider != provider:
            raise InputInvalid(f"The account {name!r} is at {called.account.provider}.", field="account")
        return called
    found = [each for each in (await clients.every()).values() if each.account.provider == provider]
    if len(found) != 1:
        names = ", ".join(sorted(each.account.name for each in found))
        told = f"Say which account, of: {names}." if names else f"There is no account at {provider} in use."
        raise InputInvalid(told, field="account")
    return found[0]


@contextmanager
def _shown(name: str) -> "Iterator[Callable[[Progress], None]]":
    """A bar on a terminal's standard error; nothing where nobody looks."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(),
        TextColumn("{task.fields[messages]:,} messages"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        bar = bars.add_task(name, total=None, messages=0)

        def show(progress: Any) -> None:
            bars.update(bar, total=progress.windows, completed=progress.windows_done, messages=progress.messages)

        yield show


for _name, _provider in registry.load().items():
    if isinstance(_provider, HasApi):
        _offer(_name)
