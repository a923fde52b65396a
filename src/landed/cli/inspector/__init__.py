"""`landed callbacks inspect`: every callback in a terminal, with keys. State, drawing and terminal are apart."""

from typing import Annotated

import typer

from landed.cli.opening import ALL_VARIABLES, run
from landed.domain.errors import InputInvalid


def add_to(app: typer.Typer) -> None:
    app.command("inspect", short_help="Look through callbacks in the terminal, with keys.", epilog=ALL_VARIABLES)(
        inspect
    )


@run
async def inspect(
    search: Annotated[
        str,
        typer.Argument(
            metavar="[FILTER]", help="What to begin with: 'verdict:refused account:shop since:1h', any text."
        ),
    ] = "",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Show new ones as they come.")] = False,
) -> None:
    """Example: landed callbacks inspect verdict:refused

    Look through callbacks, accepted and refused ones, in the terminal: their requests, headers, fields, verdicts and
    what became of them; compare two, replay one, ask the doctor. `?` shows the keys.
    """
    import sys

    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise InputInvalid("This needs a terminal; elsewhere `landed callbacks list` and `show` do.")
    from landed.cli.inspector.loop import look

    await look(search, follow=follow)
