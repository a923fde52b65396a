"""`landed users`: who may look at the pages."""

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from landed.cli.opening import VARIABLES, opened_store, reads, run
from landed.cli.speaking import AsJson, moment, print_json, print_line, print_table, say
from landed.domain.errors import InputInvalid
from landed.domain.users import Role

if TYPE_CHECKING:
    from pathlib import Path

    from landed.domain.users import User

app = typer.Typer(help="Users: who may look at the pages.", no_args_is_help=True)

_VARIABLES = reads("LANDED_DATABASE_URL", "LANDED_DATA_DIR", "LANDED_SECRET_KEY", "LANDED_PUBLIC_URL")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The user's name.")]
PasswordFile = Annotated[
    str | None, typer.Option(metavar="FILE", help="A file that holds the password; asked for, if left out.")
]


@app.command(short_help="Let somebody in.", epilog=VARIABLES)
@run
async def add(
    name: Name,
    role: Annotated[Role, typer.Option(help="What the user may do; each includes the one before.")],
    password_file: PasswordFile = None,
    no_password: Annotated[bool, typer.Option(help="Signs in by `landed users link` only.")] = False,
    as_json: AsJson = False,
) -> None:
    """Example: landed users add anna --role operator

    Let somebody in. A viewer reads, with phone numbers masked; an operator sees them, and does what the pages offer;
    an administrator also decides who may.
    """
    from landed.services import users
    from landed.services.passwords import Passwords

    password = None if no_password else _password(password_file)
    async with opened_store() as store:
        user = await users.add(store.pool, Passwords(), name=name, role=role, password=password)
    _tell(user, as_json, f"The user {user.name!r} is {user.role}.")


@app.command("list", short_help="List the users.", epilog=VARIABLES)
@run
async def show_all(as_json: AsJson = False) -> None:
    """Example: landed users list

    List the users, those who are shut out too.
    """
    from landed.store import users

    async with opened_store() as store:
        rows = [_row(user) for user in await users.every(store.pool)]
    if as_json:
        print_json({"data": rows, "next_cursor": None})
    elif rows:
        print_table(list(rows[0]), [[None if v is None else str(v) for v in row.values()] for row in rows])
    else:
        say("There are no users; `landed serve` prints a link for the first one.")


@app.command(short_help="Change what a user may do.", epilog=VARIABLES)
@run
async def role(
    name: Name,
    role: Annotated[Role, typer.Argument(metavar="ROLE", help="viewer, operator or admin.")],
    as_json: AsJson = False,
) -> None:
    """Example: landed users role anna admin

    Change what a user may do, from the next page on.
    """
    from landed.services import users

    async with opened_store() as store:
        user = await users.set_role(store.pool, name, role)
    _tell(user, as_json, f"The user {user.name!r} is {user.role}.")


@app.command(short_help="Give a user another password.", epilog=VARIABLES)
@run
async def password(name: Name, password_file: PasswordFile = None, as_json: AsJson = False) -> None:
    """Example: landed users password anna

    Give a user another password; the user is signed out everywhere.
    """
    from landed.services import users
    from landed.services.passwords import Passwords

    chosen = _password(password_file)
    async with opened_store() as store:
        user = await users.set_password(store.pool, Passwords(), name, chosen)
    _tell(user, as_json, f"The user {user.name!r} has another password.")


@app.command(short_help="Shut a user out.", epilog=VARIABLES)
@run
async def disable(name: Name, as_json: AsJson = False) -> None:
    """Example: landed users disable anna

    Shut a user out, at once. The name stays taken; `landed users enable` lets in again.
    """
    from landed.services import users

    async with opened_store() as store:
        user = await users.disable(store.pool, name, datetime.now(UTC))
    _tell(user, as_json, f"The user {user.name!r} is shut out.")


@app.command(short_help="Let a user in again.", epilog=VARIABLES)
@run
async def enable(name: Name, as_json: AsJson = False) -> None:
    """Example: landed users enable anna

    Let a user in again who was shut out.
    """
    from landed.services import users

    async with opened_store() as store:
        user = await users.enable(store.pool, name)
    _tell(user, as_json, f"The user {user.name!r} may come in again.")


@app.command(short_help="Print a link that signs a user in, once.", epilog=_VARIABLES)
@run
async def link(name: Name, as_json: AsJson = False) -> None:
    """Example: landed users link anna

    Print a link that signs that user in, once, within the hour: for whoever forgot the password.
    """
    from landed.services import users

    async with opened_store() as store:
        token = await users.link(store.pool, name, datetime.now(UTC))
        url = f"{store.settings.public_url}/sign-in/{token}"
    if as_json:
        print_json({"name": name, "url": url})
        return
    say("It works once, within the hour. Whoever opens it is signed in.")
    print_line(url)


def _tell(user: "User", as_json: bool, text: str) -> None:
    if as_json:
        print_json(_row(user))
    else:
        say(text)


def _row(user: "User") -> dict[str, Any]:
    return {
        "name": user.name,
        "role": str(user.role),
        "has_password": user.has_password,
        "created_at": moment(user.created_at),
        "signed_in_at": moment(user.signed_in_at),
        "disabled_at": moment(user.disabled_at),
    }


def _password(file: "str | Path | None") -> str:
    """From the file, or asked for twice where somebody sits there."""
    from pathlib import Path

    if file is not None:
        try:
            return Path(file).read_text(encoding="utf-8").removesuffix("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise InputInvalid(f"{str(file)!r} cannot be read: {error}.", field="password_file") from error
    if not sys.stdin.isatty():
        raise InputInvalid("Nobody is there to type a password; give --password-file FILE.", field="password_file")
    chosen: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return chosen
