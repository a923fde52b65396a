"""`landed 10dlc`: brands, campaigns and numbers, where they stand and what to do next; and their part of the report.

The commands that register them are in registering.py.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Final

import typer

from landed.cli import registering
from landed.cli.figures import clean, seconds
from landed.cli.messages import Cursor, Limit
from landed.cli.opening import VARIABLES, opened_store, run
from landed.cli.speaking import AsJson, facts_table, moment, print_json, print_table, say
from landed.domain.receipts import RegistrationStatus

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text
    from sqlalchemy.ext.asyncio import AsyncEngine

    from landed.services.registration_shapes import (
        Board,
        BoardEntry,
        BoardRow,
        BrandWhole,
        CampaignWhole,
        HistoryEntry,
        NumberWhole,
        RegistrationShape,
    )
    from landed.services.registrations import RegistrationReader

app = typer.Typer(help="10DLC: register brands, campaigns and numbers, and see what to do next.", no_args_is_help=True)
brands_app = typer.Typer(help="Brands: the companies that are registered to send.", no_args_is_help=True)
campaigns_app = typer.Typer(help="Campaigns: what brands are registered to send.", no_args_is_help=True)
numbers_app = typer.Typer(help="Numbers, and the campaign each is linked to.", no_args_is_help=True)
app.add_typer(registering.profiles_app, name="profiles")
app.add_typer(brands_app, name="brands")
app.add_typer(campaigns_app, name="campaigns")
app.add_typer(numbers_app, name="numbers")
for group, name, command, short_help in (
    (brands_app, "create", registering.create_brand, "Register a brand."),
    (campaigns_app, "create", registering.create_campaign, "Register a campaign."),
    (numbers_app, "link", registering.link_numbers, "Let numbers send for a campaign."),
    (numbers_app, "unlink", registering.unlink_number, "Take a number out of its campaign."),
    (app, "apply", registering.apply_file, "Register what a file declares."),
):
    group.command(name, short_help=short_help, epilog=registering.ASKING_VARIABLES)(run(command))

_Account = Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only of this account. Repeatable.")]
_Status = Annotated[list[RegistrationStatus] | None, typer.Option(help="Only with this status. Repeatable.")]
_Q = Annotated[
    str | None, typer.Option(metavar="TEXT", help="Our id, the provider's, or our id in callback paths, whole.")
]
_QNumber = Annotated[
    str | None, typer.Option(metavar="TEXT", help="The number, our id, or our id in callback paths, whole.")
]
_Id = Annotated[str, typer.Argument(metavar="ID", help="Our id, the provider's, or our id in callback paths.")]
_Number = Annotated[str, typer.Argument(metavar="NUMBER", help="The number, written in any way; or our id of it.")]

#: How each status looks in a terminal.
STYLES: Final = {
    RegistrationStatus.REGISTERED: "green", RegistrationStatus.LINKED: "green", RegistrationStatus.REJECTED: "red",
    RegistrationStatus.FAILED: "red", RegistrationStatus.PENDING: "yellow",
}  # fmt: skip
#: Of these the report names the things that have stood there for longest.
_UNWELL: Final = frozenset({RegistrationStatus.REJECTED, RegistrationStatus.FAILED, RegistrationStatus.PENDING})
_PIPED_COLUMNS: Final = 130


@brands_app.command("list", short_help="List brands, the newest first.", epilog=VARIABLES)
@run
async def list_brands(
    status: _Status = None,
    account: _Account = None,
    q: _Q = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: AsJson = False,
) -> None:
    """Example: landed 10dlc brands list --status rejected

    List brands with their status, since when they have it, and the next step; those first heard of last first.
    """
    from landed.services.registrations import RegistrationQuestion

    question = RegistrationQuestion(accounts=account or (), statuses=status or (), text=q)
    async with opened_reader() as reader:
        page = await reader.brands(question, account_id=None, cursor=cursor, limit=limit)
    if as_json:
        print_json(page.model_dump(mode="json"))
    else:
        named = [(each, [each.provider_brand_id]) for each in page.data]
        _print_page("brands", ["brand"], named, page.next_cursor)


@brands_app.command("show", short_help="Show one brand with its history.", epilog=VARIABLES)
@run
async def show_brand(name: _Id, as_json: AsJson = False) -> None:
    """Example: landed 10dlc brands show BCDEF1G

    Show one brand: where it stands, why, what to do next, and everything that happened to it.
    """
    async with opened_reader() as reader:
        brand = await reader.brand(name, account_id=None)
    if as_json:
        print_json(brand.model_dump(mode="json"))
    else:
        _print_whole(brand, [("brand", brand.provider_brand_id)])


@campaigns_app.command("list", short_help="List campaigns, the newest first.", epilog=VARIABLES)
@run
async def list_campaigns(
    status: _Status = None,
    account: _Account = None,
    brand: Annotated[str | None, typer.Option(metavar="ID", help="Only of this brand: the provider's id.")] = None,
    q: _Q = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: AsJson = False,
) -> None:
    """Example: landed 10dlc campaigns list --brand BCDEF1G

    List campaigns with their status, since when they have it, and the next step; those first heard of last first.
    """
    from landed.services.registrations import RegistrationQuestion

    question = RegistrationQuestion(accounts=account or (), statuses=status or (), brand=brand, text=q)
    async with opened_reader() as reader:
        page = await reader.campaigns(question, account_id=None, cursor=cursor, limit=limit)
    if as_json:
        print_json(page.model_dump(mode="json"))
    else:
        named = [(each, [each.provider_campaign_id, each.provider_brand_id]) for each in page.data]
        _print_page("campaigns", ["campaign", "brand"], named, page.next_cursor)


@campaigns_app.command("show", short_help="Show one campaign with its history.", epilog=VARIABLES)
@run
async def show_campaign(name: _Id, as_json: AsJson = False) -> None:
    """Example: landed 10dlc campaigns show CY5NVUA

    Show one campaign: where it stands, why, what to do next, and everything that happened to it.
    """
    async with opened_reader() as reader:
        campaign = await reader.campaign(name, account_id=None)
    if as_json:
        print_json(campaign.model_dump(mode="json"))
    else:
        _print_whole(campaign, [("campaign", campaign.provider_campaign_id), ("brand", campaign.provider_brand_id)])


@numbers_app.command("list", short_help="List numbers, the newest first.", epilog=VARIABLES)
@run
async def list_numbers(
    status: _Status = None,
    account: _Account = None,
    campaign: Annotated[
        str | None, typer.Option(metavar="ID", help="Only of this campaign: the provider's id.")
    ] = None,
    q: _QNumber = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: AsJson = False,
) -> None:
    """Example: landed 10dlc numbers list --campaign CY5NVUA

    List numbers with the campaign each is linked to, or was last; those first heard of last first.
    """
    from landed.services.registrations import RegistrationQuestion

    question = RegistrationQuestion(accounts=account or (), statuses=status or (), campaign=campaign, text=q)
    async with opened_reader() as reader:
        page = await reader.numbers(question, account_id=None, cursor=cursor, limit=limit)
    if as_json:
        print_json(page.model_dump(mode="json"))
    else:
        named = [(each, [each.number, each.provider_campaign_id]) for each in page.data]
        _print_page("numbers", ["number", "campaign"], named, page.next_cursor)


@numbers_app.command("show", short_help="Show one number with its history.", epilog=VARIABLES)
@run
async def show_number(name: _Number, as_json: AsJson = False) -> None:
    """Example: landed 10dlc numbers show +14155550100

    Show one number: the campaign it is linked to, what to do next, and everything that happened to it.
    """
    async with opened_reader() as reader:
        number = await reader.number(name, account_id=None)
    if as_json:
        print_json(number.model_dump(mode="json"))
        return
    request = number.request
    last = f"{request.registration} {request.status}, {moment(request.at)}" if request else None
    of_campaign = number.provider_campaign_id if number.status == RegistrationStatus.LINKED else None
    _print_whole(
        number,
        [
            ("number", number.number),
            ("linked to", of_campaign),
            ("campaign", None if of_campaign else number.provider_campaign_id),
            ("free", "yes" if number.free else None),
            ("last request", last),
        ],
    )


@asynccontextmanager
async def opened_reader() -> AsyncIterator["RegistrationReader"]:
    from landed.services.registrations import RegistrationReader
    from landed.store import reading

    async with opened_store() as store:
        engine = reading.engine(store.database_url)
        try:
            yield RegistrationReader(engine)
        finally:
            await engine.dispose()


def _print_page(
    things: str,
    names: Sequence[str],
    page: "Sequence[tuple[RegistrationShape, Sequence[str | None]]]",
    next_cursor: str | None,
) -> None:
    if not page:
        say(f"No {things}.")
        return
    rows = [
        [*own, each.id, each.account, each.status, moment(each.status_since), each.reason, each.next_step]
        for each, own in page
    ]
    columns = [*names, "id", "account", "status", "since", "reason", "next step"]
    print_table(columns, [[None if cell is None else clean(cell) for cell in row] for row in rows])
    if next_cursor:
        say(f"More: add --cursor {next_cursor}")


def _print_whole(thing: "BrandWhole | CampaignWhole | NumberWhole", names: Sequence[tuple[str, str | None]]) -> None:
    from rich.table import Table
    from rich.text import Text

    console = _console()
    status = RegistrationStatus(thing.status)
    console.print(
        Text.assemble(
            (status.upper(), f"bold {STYLES.get(status, 'cyan')}"),
            f"  for {seconds(thing.status_age_s)}",
            "" if thing.final or thing.status == RegistrationStatus.PENDING else "  a request is pending",
            ("  overdue", "yellow") if thing.overdue else "",
        )
    )
    facts = [
        *names,
        ("next step", thing.next_step),
        ("reason", thing.reason),
        ("error", thing.error_code),
        ("id", thing.id),
        ("account", f"{thing.account} at {thing.provider}"),
        ("ids in paths", ", ".join(thing.our_ids)),
        ("unknown words", ", ".join(map(repr, thing.unknown_statuses))),
    ]
    console.print(facts_table(facts))
    console.print()

    steps = Table.grid(padding=(0, 2))
    for _ in range(3):
        steps.add_column(overflow="fold")
    for entry in thing.history:
        steps.add_row(Text(moment(entry.at) or "", style="dim"), _step(entry), Text(_how_we_know(entry), style="dim"))
    console.print(steps)


def _console() -> "Console":
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _PIPED_COLUMNS
    return console


def _step(entry: "HistoryEntry") -> "Text":
    from rich.text import Text

    status = RegistrationStatus(entry.status) if entry.status else None
    told = entry.status or f"{entry.provider_status!r} (unknown word)"
    text = Text(clean(f"● {told}"), style="dim" if entry.late else STYLES.get(status, "cyan") if status else "yellow")
    about = [
        entry.registration.removeprefix("number_") if entry.registration.startswith("number_") else None,
        entry.provider_campaign_id if entry.registration.startswith("number_") else None,
        entry.reason,
        f"error {entry.error_code}" if entry.error_code else None,
        "(late: changed nothing)" if entry.late else None,
    ]
    text.append(clean("".join(f"  {each}" for each in about if each)), style="dim")
    return text


def _how_we_know(entry: "HistoryEntry") -> str:
    source = " ".join([entry.source, *entry.callback_ids[:1]])
    times = f", received {entry.received_count} times" if entry.received_count > 1 else ""
    return source + times + ("" if entry.clock == "provider" else ", by our clock")


# --- the board of `landed report` ----------------------------------------------------------------------------------


async def report_board(engine: "AsyncEngine", accounts: Sequence[str]) -> "Board":
    """What the report shows of registrations. They have no country, sender or tag, and are shown as they stand now."""
    from landed.services.registrations import RegistrationReader

    return await RegistrationReader(engine).board(accounts, account_id=None)


def print_board(board: "Board") -> None:
    """A line for each status; below those that need somebody, the things that have had it for longest."""
    from rich.padding import Padding
    from rich.text import Text

    kinds = [("brands", board.brands), ("campaigns", board.campaigns), ("numbers", board.numbers)]
    if not any(rows for _, rows in kinds):
        return
    console = _console()
    console.print()
    console.print(Padding(Text("10DLC registrations", style="bold"), (0, 1)))
    console.print(_board(kinds))


def _board(kinds: "Sequence[tuple[str, Sequence[BoardRow]]]") -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, header_style="dim", pad_edge=True, padding=(0, 1))
    table.add_column("", no_wrap=True)
    table.add_column("status", no_wrap=True)
    table.add_column("count", justify="right", no_wrap=True)
    table.add_column("oldest", justify="right", no_wrap=True)
    table.add_column("next step", overflow="fold")
    for kind, rows in kinds:
        for place, row in enumerate(rows):
            status = RegistrationStatus(row.status)
            table.add_row(
                Text(kind if place == 0 else "", style="bold"),
                Text(row.status, style=STYLES.get(status, "cyan")),
                f"{row.count:,}",
                seconds(row.oldest[0].status_age_s),
                row.next_step,
            )
            needing = [each for each in row.oldest if status in _UNWELL or each.next_step != row.next_step]
            for each in needing:
                table.add_row("", Text(clean(f"  {each.name}")), "", seconds(each.status_age_s), _advice(each, row))
            if status in _UNWELL and row.count > len(needing):
                table.add_row("", Text(f"  and {row.count - len(needing)} more", style="dim"), "", "", "")
    return table


def _advice(entry: "BoardEntry", row: "BoardRow") -> "Text":
    """Why it stands there, and what to do where that is not what its row says."""
    from rich.text import Text

    told = Text(clean(entry.reason or ""))
    if entry.next_step != row.next_step:
        told.append(f"{'  ' if entry.reason else ''}{entry.next_step}", style="yellow" if entry.overdue else "")
    return told
