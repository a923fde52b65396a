"""`landed messages export`: message lists as files; and how commands write files."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Final

import typer

from landed.cli import message_options as options
from landed.cli.opening import VARIABLES, opened_store, run
from landed.cli.speaking import say
from landed.domain.errors import InputInvalid
from landed.domain.words import Word

STDOUT: Final = "-"


class FileFormat(Word):
    """As services/exporting.py has them, which commands that export nothing do not load."""

    CSV = "csv"
    PARQUET = "parquet"


Output = Annotated[str, typer.Option("--output", "-o", metavar="FILE", help="Where to write it; - is stdout.")]


def add_to(app: typer.Typer) -> None:
    app.command("export", short_help="Write all messages of a list to a file.", epilog=VARIABLES)(export)


@run
async def export(
    format_: Annotated[FileFormat, typer.Option("--format", help="What to write.")] = FileFormat.CSV,
    output: Output = STDOUT,
    status: options.Statuses = None,
    to: options.To = None,
    from_: options.From = None,
    account: options.AccountNames = None,
    country: options.Countries = None,
    error_code: options.ErrorCodes = None,
    tag: options.Tag = None,
    channel: options.Channels = None,
    direction: options.Directions = None,
    since: options.Since = None,
    until: options.Until = None,
    q: options.Words = None,
) -> None:
    """Example: landed messages export --since 30d --country US --format parquet -o messages.parquet

    Write all messages that the filters of `landed messages list` leave, the newest submission first. Parquet needs
    `pip install 'landed[parquet]'`.
    """
    from landed.providers import registry
    from landed.services.exporting import Format
    from landed.services.message_export import MessageExporter
    from landed.services.reading import Reader
    from landed.store import reading

    question = options.message_question(
        status=status, to=to, from_=from_, account=account, country=country, error_code=error_code, tag=tag,
        channel=channel, direction=direction, since=since, until=until, q=q,
    )  # fmt: skip
    async with opened_store() as store:
        engine = reading.engine(store.database_url)
        try:
            exporter = MessageExporter(Reader(engine, registry.load()))
            await write(await exporter.export(question, Format(format_), account_id=None), format_, output)
        finally:
            await engine.dispose()


async def write(pieces: AsyncIterator[bytes], format_: FileFormat, output: str) -> None:
    """To stdout, or to a file, which is there when it is whole.

    Raises:
        InputInvalid: it cannot be written there.
    """
    if output == STDOUT:
        if format_ is FileFormat.PARQUET and sys.stdout.isatty():
            raise InputInvalid("Parquet is nothing for a terminal; name a file: --output FILE.", field="output")
        async for piece in pieces:
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
        return
    path = Path(output)
    is_special = _is_special(path)
    partial = path if is_special else path.with_name(path.name + ".part")
    try:
        with partial.open("wb") as file:
            async for piece in pieces:
                file.write(piece)
        if not is_special:
            partial.replace(path)
    except OSError as error:
        raise InputInvalid(f"{output!r} cannot be written: {error.strerror}.", field="output") from error
    finally:
        if not is_special:
            partial.unlink(missing_ok=True)
    say(f"Written to {output}.")


def _is_special(path: Path) -> bool:
    """A pipe or a device, which is written to and stays what it is."""
    return path.exists() and not path.is_file()
