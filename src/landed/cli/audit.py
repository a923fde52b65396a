"""`landed audit`: who did what."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from landed.cli.opening import opened_store, run
from landed.cli.speaking import AsJson, moment, print_json, print_table, say


@run
async def audit(
    since: Annotated[str | None, typer.Option(help="From this moment on: 24h, 7d, 2026-11-01.")] = None,
    until: Annotated[str | None, typer.Option(help="Before this moment.")] = None,
    actor: Annotated[
        str | None, typer.Option(help="user:NAME, key:NAME or cli:NAME; or user:, key:, cli: for all.")
    ] = None,
    action: Annotated[str | None, typer.Option(help="Such as user.signed_in.")] = None,
    cursor: Annotated[str | None, typer.Option(help="`next_cursor` of the page before.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 50,
    as_json: AsJson = False,
) -> None:
    """Example: landed audit --since 7d --action user.sign_in_failed

    List who did what, when, and from where: people in the pages, API keys that changed something, and commands.
    """
    from landed.services import auditing
    from landed.services.moments import moment as read_moment

    now = datetime.now(UTC)
    async with opened_store() as store:
        page = await auditing.page(
            store.pool,
            since=None if since is None else read_moment(since, now, field="since"),
            until=None if until is None else read_moment(until, now, field="until"),
            actor=actor,
            action=action,
            cursor=cursor,
            limit=limit,
        )
    if as_json:
        print_json(page.model_dump(mode="json"))
    elif page.data:
        print_table(
            ["at", "actor", "action", "target", "times", "address"],
            [
                [moment(each.at), each.actor, each.action, each.target, str(each.times), each.address]
                for each in page.data
            ],
        )
        if page.next_cursor:
            say(f"There is more: --cursor {page.next_cursor}")
    else:
        say("Nothing was done that this asks for.")
