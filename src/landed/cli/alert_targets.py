"""`landed alerts targets`: who is told of alerts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from landed.cli.opening import VARIABLES, opened_store, run
from landed.cli.recording import record
from landed.cli.speaking import AsJson, print_json, print_line, print_table, say
from landed.cli.token_files import read_token
from landed.domain.alerting import TargetKind
from landed.domain.errors import InputInvalid

if TYPE_CHECKING:
    from landed.services.alert_shapes import TargetShape
    from landed.services.alert_targets import Targets


app = typer.Typer(help="The targets of alerts: who is told.", no_args_is_help=True)

TargetName = Annotated[str, typer.Argument(metavar="TARGET", help="The target's name.")]
Addresses = Annotated[list[str] | None, typer.Option("--to", metavar="ADDRESS", help="Of mail. Repeatable.")]
UrlFile = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="Holds the address of a hook, which is a secret; - is standard input."),
]
WeeklySummary = Annotated[bool | None, typer.Option(help="Whether it gets the weekly summary.")]


@app.command("list", short_help="List who is told.", epilog=VARIABLES)
@run
async def show_all(as_json: AsJson = False) -> None:
    """Example: landed alerts targets list

    List who is told, without the addresses of hooks and their secrets.
    """
    async with _opened() as targets:
        found = await targets.every()
    if as_json:
        print_json(found.model_dump(mode="json"))
    elif found.data:
        _print(found.data)
    else:
        say("Nobody is told; `landed alerts targets add` changes that.")


@app.command(short_help="Tell somebody more.", epilog=VARIABLES)
@run
async def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it.")],
    kind: Annotated[TargetKind, typer.Option(help="How to tell.")],
    to: Addresses = None,
    url_file: UrlFile = None,
    secret_file: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Holds what a webhook's requests are signed with; else one is made."),
    ] = None,
    weekly_summary: WeeklySummary = None,
    as_json: AsJson = False,
) -> None:
    """Example: landed alerts targets add team --kind email --to ana@example.com

    Tell somebody more: by mail, in a chat that takes Slack's incoming webhooks, or by a signed webhook, whose secret is
    printed this once.
    """
    async with _opened() as targets:
        made = await targets.add(
            name=name,
            kind=kind,
            addresses=to or (),
            url=read_token(url_file) if url_file else None,
            secret=read_token(secret_file) if secret_file else None,
            weekly_summary=bool(weekly_summary),
        )
        await record(targets.pool, "alert_target.added", name)
    if as_json:
        print_json(made.model_dump(mode="json"))
        return
    say(f"{made.name!r} is told of alerts from now on; `landed alerts test {made.name}` tries it.")
    if made.secret:
        say("Its requests are signed with this secret. Keep it now: it is shown this once.")
        print_line(made.secret)


@app.command(short_help="Change a target, or switch it off or on.", epilog=VARIABLES)
@run
async def change(
    target: TargetName,
    to: Addresses = None,
    url_file: UrlFile = None,
    weekly_summary: WeeklySummary = None,
    enabled: Annotated[bool | None, typer.Option("--on/--off", help="Tell it, or do not for now.")] = None,
    as_json: AsJson = False,
) -> None:
    """Example: landed alerts targets change team --to ana@example.com --to ben@example.com --weekly-summary

    Change what is given; addresses are replaced as a whole.
    """
    if to is None and url_file is None and weekly_summary is None and enabled is None:
        raise InputInvalid("Say what is to be changed; --help tells what can be.", field="target")
    async with _opened() as targets:
        changed = await targets.change(
            target,
            addresses=to,
            url=read_token(url_file) if url_file else None,
            weekly_summary=weekly_summary,
            enabled=enabled,
        )
        await record(targets.pool, "alert_target.changed", changed.name)
    if as_json:
        print_json(changed.model_dump(mode="json"))
        return
    _print([changed])


@app.command(short_help="Tell somebody no more.", epilog=VARIABLES)
@run
async def remove(target: TargetName, as_json: AsJson = False) -> None:
    """Example: landed alerts targets remove team

    Tell somebody no more, also of what was still on its way. Rules that named this target alone tell nobody.
    """
    async with _opened() as targets:
        await targets.remove(target)
        await record(targets.pool, "alert_target.removed", target)
    if as_json:
        print_json({"name": target})
        return
    say(f"{target!r} is told no more.")


def _print(targets: "list[TargetShape]") -> None:
    rows = [
        [
            each.name,
            each.kind,
            ", ".join(each.addresses) or each.host,
            "yes" if each.weekly_summary else "no",
            "on" if each.enabled else "off",
        ]
        for each in targets
    ]
    print_table(["target", "kind", "where", "weekly summary", "state"], rows)


@asynccontextmanager
async def _opened() -> AsyncIterator["Targets"]:
    from landed.services.alert_targets import Targets

    async with opened_store() as store:
        yield Targets(pool=store.pool, sealer=store.sealer)
