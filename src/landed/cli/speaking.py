"""How commands speak: data to stdout as a table or JSON, all else to stderr."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from landed.cli.figures import clean

if TYPE_CHECKING:
    from rich.table import Table

#: The option that every command with data has.
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead.")]


def say(text: str) -> None:
    typer.echo(text, err=True)


def print_json(data: Any) -> None:
    typer.echo(json.dumps(data, indent=2, ensure_ascii=False))


def print_line(text: str) -> None:
    typer.echo(text)


def on_terminal() -> bool:
    """Whether data goes to a person rather than into a pipe or a file."""
    from rich.console import Console

    return Console().is_terminal


def facts_table(facts: Iterable[tuple[str, str | None]]) -> "Table":
    """Names and what is known; a name of which nothing is known is left out."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, value in facts:
        if value:
            table.add_row(name, Text(clean(value)))
    return table


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str | None]]) -> None:
    """Columns without a name have no head. Cells are folded to fit a terminal; in a pipe every row is one line."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    piped = not console.is_terminal
    table = Table(
        box=None if piped else box.SIMPLE_HEAD, pad_edge=not piped, header_style="bold", show_header=any(columns)
    )
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=piped)
    for row in rows:
        table.add_row(*(Text("-" if cell is None else cell) for cell in row))
    if piped:
        console.width = 10_000
    console.print(table)


def moment(at: datetime | None) -> str | None:
    """RFC 3339 in UTC, to the second."""
    return None if at is None else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
