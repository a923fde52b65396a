"""`landed 10dlc`, the commands that register: profiles, brands, campaigns, numbers, and all of a file at once."""

import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import typer

from landed.cli.durations import Duration, duration
from landed.cli.figures import clean
from landed.cli.messages import Cursor, Limit
from landed.cli.opening import VARIABLES, opened_clients, opened_store, reads, run
from landed.cli.speaking import AsJson, moment, print_json, print_table, say
from landed.domain.errors import InputInvalid

if TYPE_CHECKING:
    from pydantic import BaseModel

    from landed.services.applying import Applier
    from landed.services.calling import Clients
    from landed.services.declaring import Declared, Step
    from landed.services.registering import ProfileReader, Registrar
    from landed.services.registering_shapes import ProfileShape
    from landed.services.registration_shapes import BrandWhole, CampaignWhole, NumberWhole
    from landed.services.registrations import RegistrationReader
    from landed.store.accounts import Pool

    M = TypeVar("M", bound=BaseModel)

ASKING_VARIABLES: Final = reads(
    "LANDED_DATABASE_URL", "LANDED_DATA_DIR", "LANDED_SECRET_KEY", "LANDED_PUBLIC_URL", "LANDED_DEFAULT_REGION",
    "LANDED_PROVIDER_URLS",
)  # fmt: skip
_Account = Annotated[str | None, typer.Option(metavar="NAME", help="Not needed where one alone can.")]
_Accounts = Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only of this account. Repeatable.")]
_Alias = Annotated[str, typer.Argument(metavar="ALIAS", help="What it is called from now on.")]
_Campaign = Annotated[str, typer.Argument(metavar="CAMPAIGN", help="Its alias, our id of it, or the provider's.")]
_Text = Annotated[str | None, typer.Option(metavar="TEXT")]
_FILE_BYTES_MAX: Final = 1024 * 1024
_WAIT_MOST: Final = Duration(minutes=30)

profiles_app = typer.Typer(help="Profiles: who brands belong to.", no_args_is_help=True)


@profiles_app.command("create", short_help="Create a profile.", epilog=ASKING_VARIABLES)
@run
async def create_profile(
    alias: _Alias,
    company_name: Annotated[str, typer.Option(metavar="NAME", help="The company's name, as it is registered.")],
    entity_type: Annotated[
        str, typer.Option(metavar="TYPE", help="PRIVATE, PUBLIC, NON_PROFIT, GOVERNMENT or INDIVIDUAL.")
    ],
    vertical: Annotated[str, typer.Option(metavar="WORD", help="What it is in, such as TECHNOLOGY.")],
    customer_type: Annotated[str, typer.Option(metavar="TYPE", help="DIRECT or RESELLER.")] = "DIRECT",
    ein: Annotated[str | None, typer.Option(metavar="NUMBER", help="What the tax office knows it by.")] = None,
    ein_issuing_country: Annotated[str | None, typer.Option(metavar="CODE", help="Whose tax office: US.")] = None,
    website: Annotated[str | None, typer.Option(metavar="URL", help="Its address on the web.")] = None,
    stock_symbol: Annotated[str | None, typer.Option(metavar="SYMBOL", help="Of a public company.")] = None,
    stock_exchange: Annotated[str | None, typer.Option(metavar="NAME", help="Of a public company.")] = None,
    alt_business_id: Annotated[str | None, typer.Option(metavar="ID", help="Another number of the company.")] = None,
    alt_business_id_type: Annotated[str | None, typer.Option(metavar="TYPE", help="DUNS, LEI, GIIN or NONE.")] = None,
    doing_business_as: Annotated[str | None, typer.Option(metavar="NAME", help="What people know it by.")] = None,
    business_contact_email: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Of its contact.")] = None,
    subaccount: Annotated[str | None, typer.Option(metavar="ID", help="The provider's id of a sub-account.")] = None,
    account: _Account = None,
    as_json: AsJson = False,
) -> None:
    """Example: landed 10dlc profiles create acme --company-name 'Acme Inc' --entity-type PRIVATE --vertical TECHNOLOGY

    Create a profile, which brands belong to. Address and contact stand in a file: see `landed 10dlc apply`.
    """
    from landed.services.registering_shapes import NewProfile

    new = _read(
        NewProfile,
        {
            "alias": alias,
            "company_name": company_name,
            "entity_type": entity_type,
            "vertical": vertical,
            "customer_type": customer_type,
            "ein": ein,
            "ein_issuing_country": ein_issuing_country,
            "website": website,
            "stock_symbol": stock_symbol,
            "stock_exchange": stock_exchange,
            "alt_business_id": alt_business_id,
            "alt_business_id_type": alt_business_id_type,
            "doing_business_as": doing_business_as,
            "business_contact_email": business_contact_email,
            "subaccount": subaccount,
            "account": account,
        },
    )
    async with _opened() as opened:
        created = await opened.registrar.create_profile(new, account_id=None)
        profile = await opened.profiles.profile(created, account_id=None)
    if as_json:
        print_json(profile.model_dump(mode="json"))
    else:
        _print_profiles([profile])


@profiles_app.command("list", short_help="List the profiles that were asked for here.", epilog=VARIABLES)
@run
async def list_profiles(
    account: _Accounts = None, limit: Limit = 50, cursor: Cursor = None, as_json: AsJson = False
) -> None:
    """Example: landed 10dlc profiles list

    List the profiles that were asked for here, the latest first.
    """
    async with _opened_reading() as (profiles, _):
        page = await profiles.profiles(account or (), account_id=None, cursor=cursor, limit=limit)
    if as_json:
        print_json(page.model_dump(mode="json"))
        return
    if not page.data:
        say("No profiles.")
        return
    _print_profiles(page.data)
    if page.next_cursor:
        say(f"More: add --cursor {page.next_cursor}")


async def create_brand(
    alias: _Alias,
    profile: Annotated[str, typer.Option(metavar="NAME", help="The profile: its alias, our id, or the provider's.")],
    brand_type: Annotated[str | None, typer.Option("--type", metavar="TYPE", help="STANDARD or STARTER.")] = None,
    secondary_vetting: Annotated[
        bool | None,
        typer.Option("--secondary-vetting/--no-secondary-vetting", help="Have it vetted, for more messages."),
    ] = None,
    business_contact_email: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Of its contact.")] = None,
    account: _Account = None,
    as_json: AsJson = False,
) -> None:
    """Example: landed 10dlc brands create acme-brand --profile acme --type STANDARD

    Register a brand. What the registry says comes in later: `landed 10dlc brands show` tells where it stands.
    """
    from landed.services.registering_shapes import NewBrand

    new = _read(
        NewBrand,
        {
            "alias": alias,
            "profile": profile,
            "brand_type": brand_type,
            "secondary_vetting": secondary_vetting,
            "business_contact_email": business_contact_email,
            "account": account,
        },
        brand_type="type",
    )
    async with _opened() as opened:
        created = await opened.registrar.create_brand(new, account_id=None)
        _tell(await opened.reader.brand(created, account_id=None), as_json)


async def create_campaign(
    brand: Annotated[str, typer.Option(metavar="NAME", help="The brand: its alias, our id, or the provider's.")],
    vertical: Annotated[str, typer.Option(metavar="WORD", help="What the brand is in, such as TECHNOLOGY.")],
    use_case: Annotated[str, typer.Option(metavar="WORD", help="What is sent: 2FA, MIXED, MARKETING, …")],
    description: Annotated[str, typer.Option(metavar="TEXT", help="What is sent, in 40 characters at least.")],
    sample: Annotated[list[str], typer.Option(metavar="TEXT", help="A message as it is sent. 2 to 5 times.")],
    alias: Annotated[str | None, typer.Option(metavar="ALIAS", help="What it is called from now on.")] = None,
    sub_use_case: Annotated[list[str] | None, typer.Option(metavar="WORD", help="Of MIXED. Repeatable.")] = None,
    message_flow: Annotated[str | None, typer.Option(metavar="TEXT", help="How people come to agree.")] = None,
    help_message: Annotated[str | None, typer.Option(metavar="TEXT", help="The answer to HELP.")] = None,
    opt_in_message: Annotated[str | None, typer.Option(metavar="TEXT", help="The answer to START.")] = None,
    opt_out_message: Annotated[str | None, typer.Option(metavar="TEXT", help="The answer to STOP.")] = None,
    opt_in_keywords: Annotated[str | None, typer.Option(metavar="WORDS", help="By commas.")] = None,
    opt_out_keywords: Annotated[str | None, typer.Option(metavar="WORDS", help="By commas.")] = None,
    help_keywords: Annotated[str | None, typer.Option(metavar="WORDS", help="By commas.")] = None,
    terms_link: Annotated[str | None, typer.Option(metavar="URL", help="Of the terms.")] = None,
    privacy_link: Annotated[str | None, typer.Option(metavar="URL", help="Of the privacy policy.")] = None,
    embedded_link: Annotated[bool | None, typer.Option(help="Messages have links.")] = None,
    embedded_phone: Annotated[bool | None, typer.Option(help="Messages have phone numbers.")] = None,
    age_gated: Annotated[bool | None, typer.Option(help="Messages are for adults.")] = None,
    direct_lending: Annotated[bool | None, typer.Option(help="Messages are about loans.")] = None,
    affiliate_marketing: Annotated[bool | None, typer.Option(help="Messages are for others.")] = None,
    subscriber_opt_in: Annotated[bool | None, typer.Option(help="People have to agree first.")] = None,
    subscriber_opt_out: Annotated[bool | None, typer.Option(help="STOP is answered.")] = None,
    subscriber_help: Annotated[bool | None, typer.Option(help="HELP is answered.")] = None,
    unchecked: Annotated[
        bool, typer.Option("--unchecked", help="Send it although the registry is known to refuse it.")
    ] = False,
    account: _Account = None,
    as_json: AsJson = False,
) -> None:
    """Example: landed 10dlc campaigns create --brand acme-brand --vertical TECHNOLOGY --use-case 2FA --description TEXT --sample TEXT --sample TEXT

    Register a campaign of a registered brand. A file says the same with less typing: see `landed 10dlc apply`.
    """  # noqa: E501  an example is one line
    from landed.services.registering_shapes import NewCampaign

    new = _read(
        NewCampaign,
        {
            "brand": brand,
            "vertical": vertical,
            "use_case": use_case,
            "description": description,
            "samples": sample,
            "alias": alias,
            "sub_use_cases": sub_use_case or [],
            "message_flow": message_flow,
            "help_message": help_message,
            "opt_in_message": opt_in_message,
            "opt_out_message": opt_out_message,
            "opt_in_keywords": opt_in_keywords,
            "opt_out_keywords": opt_out_keywords,
            "help_keywords": help_keywords,
            "terms_link": terms_link,
            "privacy_link": privacy_link,
            "embedded_link": embedded_link,
            "embedded_phone": embedded_phone,
            "age_gated": age_gated,
            "direct_lending": direct_lending,
            "affiliate_marketing": affiliate_marketing,
            "subscriber_opt_in": subscriber_opt_in,
            "subscriber_opt_out": subscriber_opt_out,
            "subscriber_help": subscriber_help,
            "unchecked": unchecked,
            "account": account,
        },
        samples="sample",
        sub_use_cases="sub-use-case",
    )
    async with _opened() as opened:
        created = await opened.registrar.create_campaign(new, account_id=None)
        _tell(await opened.reader.campaign(created, account_id=None), as_json)


async def link_numbers(
    campaign: _Campaign,
    numbers: Annotated[list[str], typer.Argument(metavar="NUMBER...", help="The numbers, written in any way.")],
    account: _Account = None,
    as_json: AsJson = False,
) -> None:
    """Example: landed 10dlc numbers link acme-codes +14155550100 +14155550101

    Let numbers send for a registered campaign.
    """
    from landed.services.registering_shapes import NewNumbers
    from landed.services.registration_shapes import NumbersAsked

    new = _read(NewNumbers, {"numbers": numbers, "account": account})
    async with _opened() as opened:
        linked = await opened.registrar.link_numbers(campaign, new, account_id=None)
        found = [await opened.reader.number(each, account_id=None) for each in linked]
    if as_json:
        print_json(NumbersAsked(data=found).model_dump(mode="json"))
    else:
        _print_numbers(found)


async def unlink_number(
    campaign: _Campaign,
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="The number, written in any way.")],
    account: _Account = None,
    as_json: AsJson = False,
) -> None:
    """Example: landed 10dlc numbers unlink acme-codes +14155550100

    Take a number out of its campaign.
    """
    async with _opened() as opened:
        unlinked = await opened.registrar.unlink_number(campaign, number, account=account, account_id=None)
        _tell(await opened.reader.number(unlinked, account_id=None), as_json)


async def apply_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What is to be registered, in YAML; - for stdin.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the registrations, and go on as they come.")] = False,
    wait_most: Annotated[
        Duration, typer.Option("--timeout", parser=duration, metavar="TIME", help="Wait no longer: 90s, 30m, 2d.")
    ] = _WAIT_MOST,
    prune: Annotated[
        bool, typer.Option("--prune", help="Unlink numbers that the file does not have from its campaigns.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Example: landed 10dlc apply registrations.yaml --wait --timeout 2d

    Register what a file declares: profiles, brands, campaigns and their numbers, each by its alias. Shows what it would
    do, asks, and does it. What is there already stays as it is, so a second run does nothing; and one that was
    interrupted goes on with the next. The exit code is 1 where something is blocked, or not there yet after waiting.
    """
    from landed.services import declaring
    from landed.services.declaring import BLOCKING, COMING, DOING

    declared = declaring.read(_contents(file))
    wait_s = wait_most.total_seconds() if wait else None
    async with _opened() as opened:
        applier = opened.applier(declared, prune=prune)
        steps = await applier.plan()
        doing = [step for step in steps if step.action in DOING]
        if not as_json:
            _print_steps(steps)
        if dry_run or (doing and not yes and not _agreed(len(doing))):
            if as_json:
                _print_json(steps)
            raise typer.Exit(0 if dry_run else 1)
        progress = _Progress(steps)
        steps = await applier.apply(wait_s=wait_s, report=progress.report)
    if as_json:
        _print_json(steps)
    waiting = [step for step in steps if step.action in COMING]
    if waiting:
        again = "run it again to go on" if wait else "run it again later, or with --wait"
        say(f"{len(waiting)} not there yet: {again}.")
    elif not doing and not any(step.action in BLOCKING for step in steps):
        say("All is as declared.")
    if any(step.action in BLOCKING for step in steps) or (wait and waiting):
        raise typer.Exit(1)


class _Progress:
    """Says what changed since the last look."""

    def __init__(self, steps: "Sequence[Step]") -> None:
        self._known = {(step.kind, step.of, step.name): step for step in steps}

    def report(self, steps: "Sequence[Step]") -> None:
        from landed.services.declaring import DOING

        for step in steps:
            place = (step.kind, step.of, step.name)
            if step.action in DOING:
                say(f"{step.action} {_named(step)}")
            elif self._known.get(place) != step:
                say(f"{_named(step)}: {step.why or step.action}")
            self._known[place] = step


def _agreed(count: int) -> bool:
    try:
        return typer.confirm(f"Do {'it' if count == 1 else f'these {count}'}?", err=True)
    except typer.Abort:
        say("Nothing was done: --yes does it without asking.")
        return False


def _named(step: "Step") -> str:
    return clean(f"{step.kind} {step.name}{f' of {step.of}' if step.of else ''}")


def _print_steps(steps: "Sequence[Step]") -> None:
    rows = [
        [step.action, step.kind, clean(step.name), step.of and clean(step.of), step.provider_id, clean(step.why)]
        for step in steps
    ]
    print_table(["to do", "what", "name", "of", "id", "why"], rows)


def _print_json(steps: "Sequence[Step]") -> None:
    names = ("action", "kind", "name", "of", "provider_id", "why")
    print_json({"steps": [{name: getattr(step, name) for name in names} for step in steps]})


def _contents(file: Path) -> str:
    try:
        if str(file) == "-":
            return sys.stdin.read(_FILE_BYTES_MAX + 1)
        with file.open(encoding="utf-8") as opened:
            return opened.read(_FILE_BYTES_MAX + 1)
    except OSError as error:
        raise InputInvalid(f"The file {str(file)!r} cannot be read: {error.strerror}.", field="file") from error
    except UnicodeDecodeError as error:
        raise InputInvalid(f"The file {str(file)!r} is no text in UTF-8.", field="file") from error


@dataclass(frozen=True, slots=True)
class _Opened:
    pool: "Pool"
    clients: "Clients"
    registrar: "Registrar"
    profiles: "ProfileReader"
    reader: "RegistrationReader"

    def applier(self, declared: "Declared", *, prune: bool) -> "Applier":
        from landed.services.applying import Applier

        return Applier(pool=self.pool, clients=self.clients, registrar=self.registrar, declared=declared, prune=prune)


@asynccontextmanager
async def _opened() -> AsyncIterator[_Opened]:
    from landed.app import make_registrar
    from landed.services.registering import ProfileReader
    from landed.services.registrations import RegistrationReader
    from landed.store import partitions, reading

    async with opened_store() as store, opened_clients(store) as clients:
        async with store.pool.connection() as connection:  # for its events: nothing else may have run for days
            await partitions.make(connection, datetime.now(UTC).date())
        engine = reading.engine(store.database_url)
        try:
            registrar = make_registrar(store.settings, store.pool, clients)
            yield _Opened(store.pool, clients, registrar, ProfileReader(engine), RegistrationReader(engine))
        finally:
            await engine.dispose()


@asynccontextmanager
async def _opened_reading() -> "AsyncIterator[tuple[ProfileReader, RegistrationReader]]":
    from landed.services.registering import ProfileReader
    from landed.services.registrations import RegistrationReader
    from landed.store import reading

    async with opened_store() as store:
        engine = reading.engine(store.database_url)
        try:
            yield ProfileReader(engine), RegistrationReader(engine)
        finally:
            await engine.dispose()


def _read(model: "type[M]", values: Mapping[str, Any], **options: str) -> "M":
    """Raises InputInvalid: names the option, as it is written."""
    from pydantic import ValidationError

    try:
        return model.model_validate({name: value for name, value in values.items() if value is not None})
    except ValidationError as error:
        told = [
            (options.get(str(each["loc"][0]), str(each["loc"][0]).replace("_", "-")), each["msg"])
            for each in error.errors(include_url=False)
        ]
        raise InputInvalid(" ".join(f"--{name}: {what}." for name, what in told), field=told[0][0]) from None


def _tell(thing: "BrandWhole | CampaignWhole | NumberWhole", as_json: bool) -> None:
    if as_json:
        print_json(thing.model_dump(mode="json"))
        return
    names = [getattr(thing, name, None) for name in ("provider_brand_id", "provider_campaign_id", "number")]
    row = [" ".join(filter(None, names)), thing.id, thing.status, thing.next_step]
    print_table(["", "id", "status", "next step"], [row])


def _print_numbers(numbers: "Sequence[NumberWhole]") -> None:
    rows = [[each.number, each.id, each.status, each.provider_campaign_id, each.next_step] for each in numbers]
    print_table(["number", "id", "status", "campaign", "next step"], rows)


def _print_profiles(profiles: "Sequence[ProfileShape]") -> None:
    rows = [
        [each.alias, each.provider_profile_id, each.account, each.company_name, each.state, moment(each.created_at)]
        for each in profiles
    ]
    columns = ["alias", "profile", "account", "company", "state", "asked for"]
    print_table(columns, [[None if cell is None else clean(cell) for cell in row] for row in rows])
