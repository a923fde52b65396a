"""`landed keys`: who may ask our API what."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from landed.cli.opening import VARIABLES, opened_store, run
from landed.cli.speaking import AsJson, moment, print_json, print_line, print_table, say
from landed.domain.accounts import Scope

app = typer.Typer(help="API keys: who may ask what.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The key's name, to tell it from others.")]


@app.command(short_help="Make an API key and print it, this once.", epilog=VARIABLES)
@run
async def create(
    name: Name,
    scope: Annotated[Scope, typer.Option(help="What it may do; each includes the one before.")],
    account: Annotated[
        str | None, typer.Option(metavar="NAME", help="The only account it may see; all, if left out.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Example: landed keys create grafana --scope read

    Make an API key and print it. Only a hash is kept: it cannot be shown again.
    """
    from landed.services import api_keys

    async with opened_store() as store:
        made, key = await api_keys.create(
            store.pool, store.sealer, name=name, scope=scope, account=account, now=datetime.now(UTC)
        )
    if as_json:
        print_json({"name": made.name, "key": key})
        return
    say(f"The key {made.name!r} may {made.scope}, {f'for account {account!r}' if account else 'for all accounts'}.")
    say("Keep it now: it is shown this once. Use it as `Authorization: Bearer KEY`.")
    print_line(key)


@app.command("list", short_help="List the API keys.", epilog=VARIABLES)
@run
async def show_all(as_json: AsJson = False) -> None:
    """Example: landed keys list

    List the API keys, revoked ones too, without the keys themselves.
    """
    from landed.store import accounts, api_keys

    async with opened_store() as store:
        keys = await api_keys.every(store.pool)
        names = {
            account.id: account.name for account in await accounts.every(store.pool, store.sealer, datetime.now(UTC))
        }
    rows = [
        {
            "name": key.name,
            "hint": key.hint,
            "scope": str(key.scope),
            "account": None if key.account_id is None else names[key.account_id],
            "created_at": moment(key.created_at),
            "revoked_at": moment(key.revoked_at),
        }
        for key in keys
    ]
    if as_json:
        print_json({"data": rows, "next_cursor": None})
    elif rows:
        print_table(list(rows[0]), [list(row.values()) for row in rows])
    else:
        say("There are no API keys; `landed keys create` makes one.")


@app.command(short_help="Refuse an API key from now on.", epilog=VARIABLES)
@run
async def revoke(name: Name, as_json: AsJson = False) -> None:
    """Example: landed keys revoke grafana

    Refuse an API key from now on. Its name stays taken.
    """
    from landed.store import api_keys

    async with opened_store() as store:
        await api_keys.revoke(store.pool, name, datetime.now(UTC))
    if as_json:
        print_json({"name": name})
        return
    say(f"The key {name!r} is revoked.")
