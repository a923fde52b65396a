"""`landed accounts`: our credentials at providers, and the URLs that providers call."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from inspect import Parameter, Signature
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from landed.cli.durations import Duration, duration
from landed.cli.opening import VARIABLES, OpenedStore, opened_store, reads, run
from landed.cli.speaking import AsJson, moment, print_json, print_line, print_table, say
from landed.cli.token_files import read_token
from landed.domain.accounts import Account, TokenRole
from landed.domain.errors import InputInvalid
from landed.providers import registry
from landed.providers.base import Provider

if TYPE_CHECKING:
    from landed.settings import Settings

app = typer.Typer(help="Accounts at providers, and the URLs to give them.", no_args_is_help=True)
_add_app = typer.Typer(no_args_is_help=True)
app.add_typer(_add_app, name="add", help="Keep an account at a provider and print its callback URL.")

#: Tokens come from files or these variables: arguments of a command can be seen by others on the machine.
_TOKEN_VARIABLES: Final = {TokenRole.ACCOUNT: "LANDED_AUTH_TOKEN", TokenRole.MAIN: "LANDED_MAIN_TOKEN"}
_WITHOUT_FILE: Final = "Without a file, a token is taken from LANDED_AUTH_TOKEN or LANDED_MAIN_TOKEN."
#: The last line of the help of the commands that print URLs.
_URL_VARIABLES: Final = reads("LANDED_DATABASE_URL", "LANDED_DATA_DIR", "LANDED_SECRET_KEY", "LANDED_PUBLIC_URL")
_RATE_VARIABLES: Final = reads(
    "LANDED_DATABASE_URL", "LANDED_DATA_DIR", "LANDED_SECRET_KEY", "LANDED_SEND_RATE_PER_ACCOUNT",
    "LANDED_SEND_RATE_PER_SENDER",
)  # fmt: skip
#: How long old path keys are taken: receipts of messages sent before come back to the old URL for days.
_KEEP_KEY_FOR: Final = Duration(days=7)
_AT_ONCE: Final = Duration(0)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The account's name: a-z, 0-9, _ and -.")]
OwnPath = Annotated[str, typer.Argument(metavar="PATH", help="What follows the host, such as /plivo/status.")]
AllowedAddress = Annotated[
    str, typer.Argument(metavar="ADDRESS", help="An address, a network such as 203.0.113.0/24, or a host name.")
]
_BASIC_FILE: Final = typer.Option(
    "--basic-file",
    metavar="FILE",
    help="File with user:password that callbacks have to carry as HTTP Basic; - is standard input.",
)
BasicFile = Annotated[str | None, _BASIC_FILE]
AuthTokenFile = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="File with the account's token or secret; - is standard input."),
]
MainTokenFile = Annotated[
    str | None, typer.Option(metavar="FILE", help="File with the auth token of the main account above it; - as well.")
]


def _offer(provider: Provider) -> None:
    """Make the command `accounts add PROVIDER`, whose options have the provider's own names."""

    async def add(**given: Any) -> None:
        await _add(provider, **given)

    options = _options(provider)
    setattr(add, "__signature__", Signature(options))  # noqa: B010  what typer reads; no type knows of it
    add.__annotations__ = {option.name: option.annotation for option in options}
    required = [secret for secret in provider.secrets if secret.is_required]
    example = [f"--{provider.id_option} ID", *(f"--{secret.option}-file {secret.option}.txt" for secret in required)]
    add.__doc__ = f"""Example: landed accounts add {provider.name} shop {" ".join(example)}

    Keep an account at {provider.name} and print its callback URL, which is to be set at the provider. A running Landed
    knows it at once.
    """
    epilog = f"{_URL_VARIABLES} {_WITHOUT_FILE}" if required else _URL_VARIABLES
    _add_app.command(provider.name, short_help=f"An account at {provider.name}.", epilog=epilog)(run(add))


def _options(provider: Provider) -> list[Parameter]:
    def option(name: str, kind: Any, told: Any, default: Any = None) -> Parameter:
        return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, told])

    account_id = typer.Option(f"--{provider.id_option}", metavar="ID", help="Its id, as the provider shows it.")
    name = typer.Argument(metavar="NAME", help="The account's name: a-z, 0-9, _ and -.")
    options = [
        option("name", str, name, Parameter.empty),
        option("provider_account_id", str, account_id, Parameter.empty),
    ]
    for secret in provider.secrets:
        told = f"File with {secret.meaning}; - is standard input."
        file = typer.Option(f"--{secret.option}-file", metavar="FILE", help=told)
        options.append(option(f"{secret.role}_file", str | None, file))
    path = typer.Option(metavar="PATH", help="A further path to take callbacks at, such as /hooks/sms. Repeatable.")
    allow_address = typer.Option(
        metavar="ADDRESS",
        help="Take callbacks from this address, network or host name only, by default from anywhere. Repeatable.",
    )
    options += [
        option("path", list[str] | None, path),
        option("allow_address", list[str] | None, allow_address),
        option("basic_file", str | None, _BASIC_FILE),
    ]
    if len(provider.policies) > 1:
        told = f"How strict to be about signatures: {', '.join(provider.policies)} (the first if left out)."
        options.append(option("policy", str | None, typer.Option(metavar="POLICY", help=told)))
    options.append(Parameter("as_json", Parameter.KEYWORD_ONLY, default=False, annotation=AsJson))
    return options


async def _add(
    provider: Provider,
    *,
    name: str,
    provider_account_id: str,
    path: list[str] | None,
    allow_address: list[str] | None,
    basic_file: str | None,
    as_json: bool,
    policy: str | None = None,
    **files: str | None,
) -> None:
    """`files` are those of the provider's secrets, each named by its role."""
    from landed.services import accounts

    required = [secret for secret in provider.secrets if secret.is_required]
    secrets = {TokenRole(file.removesuffix("_file")): given for file, given in files.items()}
    tokens = _tokens({**secrets, TokenRole.BASIC: basic_file}, from_variables=bool(required))
    for secret in required:
        if secret.role not in tokens:
            raise InputInvalid(
                f"The {secret.option.replace('-', ' ')} is missing: give --{secret.option}-file FILE (- is standard"
                f" input), or set {_TOKEN_VARIABLES[secret.role]}.",
                field=secret.option.replace("-", "_"),
            )
    async with opened_store() as store:
        account = await accounts.add(
            store.pool,
            store.sealer,
            registry.load(),
            provider=provider.name,
            name=name,
            provider_account_id=provider_account_id,
            auth_token=tokens.get(TokenRole.ACCOUNT),
            main_token=tokens.get(TokenRole.MAIN),
            basic=tokens.get(TokenRole.BASIC),
            allowed_addresses=allow_address or [],
            paths=path or [],
            policy=policy,
            now=datetime.now(UTC),
        )
    say(f"The account {name!r} is kept. Its callback URL, to be set at {provider.name}:")
    _print_url(store.settings, account, as_json)
    for own in path or []:
        say(f"It takes callbacks at {store.settings.public_url}{own} as well.")
    if not provider.is_signed:
        say(f"{provider.name} signs nothing: {_GUESSED}")


#: What to know of an address where nothing else proves who calls.
_GUESSED: Final = (
    "whoever knows an address of the account can tell Landed anything. Keep it secret, and choose own paths that nobody"
    " can guess."
)


def _policies() -> str:
    choosing = [provider for provider in registry.load().values() if len(provider.policies) > 1]
    return "; ".join(f"{provider.name} has {', '.join(provider.policies)}" for provider in choosing)


for _provider in registry.load().values():
    _offer(_provider)


@app.command("list", short_help="List the accounts.", epilog=_URL_VARIABLES)
@run
async def show_all(as_json: AsJson = False) -> None:
    """Example: landed accounts list

    List the accounts, disabled ones too.
    """
    from landed.store import accounts

    async with opened_store() as store:
        every = await accounts.every(store.pool, store.sealer, datetime.now(UTC))
    if as_json:
        print_json({"data": [_described(store.settings, account) for account in every], "next_cursor": None})
    elif every:
        columns = ["name", "provider", "provider_account_id", "policy", "disabled_at", "callback_url"]
        rows = [_described(store.settings, account) for account in every]
        print_table(columns, [[row[column] for column in columns] for row in rows])
    else:
        say("There are no accounts; `landed accounts add` keeps one.")


@app.command(short_help="Show an account with its URLs and the ids of its tokens.", epilog=_URL_VARIABLES)
@run
async def show(name: Name, as_json: AsJson = False) -> None:
    """Example: landed accounts show shop

    Show an account with the URLs it takes callbacks at and the ids of its live tokens, never the tokens.
    """
    from landed.store import accounts

    async with opened_store() as store:
        account = await accounts.find(store.pool, store.sealer, name, datetime.now(UTC))
    _print_account(store, account, as_json)


@app.command("add-token", short_help="Take one more auth token.", epilog=f"{VARIABLES} {_WITHOUT_FILE}")
@run
async def add_token(
    name: Name,
    auth_token_file: AuthTokenFile = None,
    main_token_file: MainTokenFile = None,
    basic_file: BasicFile = None,
    as_json: AsJson = False,
) -> None:
    """Example: landed accounts add-token shop --auth-token-file new-token.txt

    Take one more auth token of the account, or of its main account, or one more pair of HTTP Basic credentials, beside
    those it has. When the provider uses the new one only, end the old one: landed accounts expire-token. The first
    HTTP Basic credentials shut out whoever has none.
    """
    from landed.services import accounts

    files = {TokenRole.ACCOUNT: auth_token_file, TokenRole.MAIN: main_token_file, TokenRole.BASIC: basic_file}
    tokens = _tokens(files, from_variables=basic_file is None)
    if not tokens:
        raise InputInvalid(
            "The token is missing: give --auth-token-file FILE, --main-token-file FILE or --basic-file FILE (- is"
            " standard input).",
            field="auth_token",
        )
    async with opened_store() as store:
        added = [
            (
                role,
                await accounts.add_token(
                    store.pool, store.sealer, registry.load(), name, token, role=role, now=datetime.now(UTC)
                ),
            )
            for role, token in tokens.items()
        ]
    if as_json:
        print_json({"name": name, "tokens": [{"id": token_id, "role": str(role)} for role, token_id in added]})
        return
    for role, token_id in added:
        say(f"The account {name!r} takes one more {role} token, id {token_id}.")


@app.command("expire-token", short_help="End an auth token, now or after a while.", epilog=_URL_VARIABLES)
@run
async def expire_token(
    name: Name,
    token_id: Annotated[int, typer.Argument(metavar="ID", help="The token's id, as `accounts show` lists it.")],
    keep_for: Annotated[
        Duration, typer.Option(parser=duration, metavar="TIME", help="Take it this much longer: 30m, 24h, 7d.")
    ] = _AT_ONCE,
    as_json: AsJson = False,
) -> None:
    """Example: landed accounts expire-token shop 1 --keep-for 24h

    Refuse what is signed with that token, from now on or after a while. The last auth token cannot be ended; without
    the last HTTP Basic credentials nobody is asked for any.
    """
    from landed.services import accounts

    async with opened_store() as store:
        account = await accounts.expire_token(
            store.pool, store.sealer, registry.load(), name, token_id, keep_for=keep_for, now=datetime.now(UTC)
        )
    _print_account(store, account, as_json)


@app.command("rotate-key", short_help="Give the account a new callback URL.", epilog=_URL_VARIABLES)
@run
async def rotate_key(
    name: Name,
    keep_for: Annotated[
        Duration, typer.Option(parser=duration, metavar="TIME", help="Take the old URL this much longer: 30m, 24h, 7d.")
    ] = _KEEP_KEY_FOR,
    as_json: AsJson = False,
) -> None:
    """Example: landed accounts rotate-key shop --keep-for 7d

    Give the account a new callback URL and print it. Callbacks at the old URL are taken for a while longer.
    """
    from landed.services import accounts

    async with opened_store() as store:
        account = await accounts.rotate_key(store.pool, store.sealer, name, keep_for=keep_for, now=datetime.now(UTC))
    say(f"The new callback URL of {name!r}, to be set at {account.provider}:")
    _print_url(store.settings, account, as_json)


@app.command("set-policy", short_help="Be more or less strict about signatures.", epilog=VARIABLES)
@run
async def set_policy(
    name: Name,
    policy: Annotated[str, typer.Argument(metavar="POLICY", help=f"One of its provider's: {_policies()}.")],
    as_json: AsJson = False,
) -> None:
    """Example: landed accounts set-policy shop v3-only

    Change how strict to be about the signatures of the account's callbacks. A running Landed does so at once.
    """
    from landed.services import accounts

    async with opened_store() as store:
        account = await accounts.set_policy(
            store.pool, store.sealer, registry.load(), name, policy, now=datetime.now(UTC)
        )
    if as_json:
        print_json({"name": name, "policy": account.policy})
        return
    say(f"The policy of the account {name!r} is {account.policy} now.")


@app.command("check", short_help="See whether an account would work.", epilog=_URL_VARIABLES)
@run
async def check(name: Name, as_json: AsJson = False) -> None:
    """Example: landed accounts check shop

    See whether the account's credentials, its callback URL and its signatures would work: the provider is asked who we
    are, our own door is knocked at from outside, and a callback is signed and verified. Exit code 1 where anything
    fails.
    """
    from landed.providers.http import open_client
    from landed.services import checking
    from landed.store import accounts

    async with opened_store() as store, open_client() as http:
        account = await accounts.find(store.pool, store.sealer, name, datetime.now(UTC))
        told = await checking.check(
            account,
            registry.load(),
            public_url=store.settings.public_url,
            http=http,
            base_urls=store.settings.provider_urls,
        )
    if as_json:
        print_json(told.model_dump(mode="json"))
    else:
        rows = [[each.status, each.name, " ".join(filter(None, (each.detail, each.advice)))] for each in told.checks]
        print_table(["", "check", "what was found"], rows)
    if not told.ok:
        raise typer.Exit(1)


@app.command("add-path", short_help="Take callbacks at one more path.", epilog=_URL_VARIABLES)
@run
async def add_path(name: Name, path: OwnPath, as_json: AsJson = False) -> None:
    """Example: landed accounts add-path shop /plivo/status

    Take callbacks at one more path of your choosing, so that URLs already set at the provider keep working.
    """
    from landed.services import accounts

    async with opened_store() as store:
        await accounts.add_path(store.pool, store.sealer, name, path)
    if as_json:
        print_json({"name": name, "url": store.settings.public_url + path})
        return
    say(f"The account {name!r} takes callbacks here as well:")
    print_line(store.settings.public_url + path)


@app.command("remove-path", short_help="Take no more callbacks at a path.", epilog=VARIABLES)
@run
async def remove_path(name: Name, path: OwnPath, as_json: AsJson = False) -> None:
    """Example: landed accounts remove-path shop /plivo/status

    Take no more callbacks at that path.
    """
    from landed.services import accounts

    async with opened_store() as store:
        await accounts.remove_path(store.pool, store.sealer, name, path)
    _done(name, f"The account {name!r} takes no more callbacks at {path}.", as_json)


@app.command("add-address", short_help="Take callbacks from certain addresses only.", epilog=VARIABLES)
@run
async def add_address(name: Name, address: AllowedAddress, as_json: AsJson = False) -> None:
    """Example: landed accounts add-address shop 203.0.113.0/24

    Take the account's callbacks from this address, network or host name, and from the others added so. Without any
    they are taken from anywhere. Host names are looked up anew every five minutes.
    """
    from landed.services import accounts

    async with opened_store() as store:
        allowed = await accounts.allow(store.pool, name, address)
    _done(name, f"The account {name!r} takes callbacks from {allowed}, and from no address that is not added.", as_json)


@app.command("remove-address", short_help="Take no more callbacks from an address.", epilog=VARIABLES)
@run
async def remove_address(name: Name, address: AllowedAddress, as_json: AsJson = False) -> None:
    """Example: landed accounts remove-address shop 203.0.113.0/24

    Take no more callbacks from this address, network or host name. Without the last one they are taken from anywhere.
    """
    from landed.services import accounts

    async with opened_store() as store:
        account = await accounts.disallow(store.pool, store.sealer, name, address, now=datetime.now(UTC))
    _done(name, f"The account {name!r} takes no more callbacks from {address}.", as_json)
    if not account.allowed_addresses:
        say("That was the last one: callbacks are taken from anywhere now.")


@app.command(short_help="Refuse all callbacks of an account.", epilog=VARIABLES)
@run
async def disable(name: Name, as_json: AsJson = False) -> None:
    """Example: landed accounts disable shop

    Refuse all callbacks of the account. What is known about its messages stays.
    """
    from landed.store import accounts

    async with opened_store() as store:
        await accounts.disable(store.pool, name, datetime.now(UTC))
    _done(name, f"The account {name!r} is disabled; `landed accounts enable {name}` undoes it.", as_json)


@app.command(short_help="Take callbacks of a disabled account again.", epilog=VARIABLES)
@run
async def enable(name: Name, as_json: AsJson = False) -> None:
    """Example: landed accounts enable shop

    Take callbacks of a disabled account again.
    """
    from landed.store import accounts

    async with opened_store() as store:
        await accounts.enable(store.pool, name)
    _done(name, f"The account {name!r} is enabled.", as_json)


@app.command(short_help="Say how fast an account or a sender may send, or see it.", epilog=_RATE_VARIABLES)
@run
async def rate(
    name: Name,
    sender: Annotated[
        str | None, typer.Option("--from", metavar="SENDER", help="Of this number or name, not of the whole account.")
    ] = None,
    per_second: Annotated[
        float | None, typer.Option(metavar="N", help="Messages per second; 0.25 is one in 4 s.")
    ] = None,
    default: Annotated[
        bool, typer.Option("--default", help="Take back what was said: the setting holds again.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Example: landed accounts rate shop --from +14155550100 --per-second 1

    Say how many messages per second an account may send, or one of its senders. Workers keep to it within a second.
    Without a number, print the rates.
    """
    from landed.services import sending_rates

    async with opened_store() as store:
        account = await sending_rates.account(store.pool, store.sealer, name, datetime.now(UTC))
        if per_second is not None or default:
            if per_second is not None and default:
                raise InputInvalid("Give --per-second or --default, not both.", field="per_second")
            await sending_rates.change(store.pool, account, sender, per_second, store.settings.default_region)
        found = await sending_rates.every(
            store.pool, account, store.settings.send_rate_per_account, store.settings.send_rate_per_sender
        )
    if as_json:
        print_json([each._asdict() for each in found])
        return
    rows = [
        [each.sender or "all together", f"{each.per_second:g}", "default" if each.is_default else "set"]
        for each in found
    ]
    print_table(["from", "messages per second", ""], rows)


def _tokens(files: Mapping[TokenRole, str | None], *, from_variables: bool) -> Mapping[TokenRole, str]:
    """The tokens that were given. The variables count only where no file of an auth token was named at all."""
    given = {role: file for role, file in files.items() if file is not None}
    if list(given.values()).count("-") > 1:
        raise InputInvalid("Only one of the tokens can come from standard input.", field="main_token_file")
    tokens = {role: read_token(file) for role, file in given.items()}
    if from_variables and given.keys() <= {TokenRole.BASIC}:
        found = {role: os.environ.get(_TOKEN_VARIABLES[role], "").strip() for role in files if role in _TOKEN_VARIABLES}
        tokens |= {role: token for role, token in found.items() if token}
    return tokens


def _described(settings: "Settings", account: Account) -> dict[str, Any]:
    from landed.services import accounts

    return {
        "name": account.name,
        "provider": account.provider,
        "provider_account_id": account.provider_account_id,
        "policy": account.policy,
        "allowed_addresses": list(account.allowed_addresses),
        "callback_url": accounts.callback_url(settings.public_url, account),
        "urls": [
            {
                "url": accounts.path_url(settings.public_url, path.role, path.value),
                "expires_at": moment(path.expires_at),
            }
            for path in account.paths
        ],
        "tokens": [
            {"id": token.id, "role": str(token.role), "expires_at": moment(token.expires_at)}
            for token in account.tokens
        ],
        "created_at": moment(account.created_at),
        "disabled_at": moment(account.disabled_at),
    }


def _print_account(store: OpenedStore, account: Account, as_json: bool) -> None:
    described = _described(store.settings, account)
    if as_json:
        print_json(described)
        return
    rows = [[name, value] for name, value in described.items() if isinstance(value, str)]
    rows += [["url", url["url"] + _until(url)] for url in described["urls"]]
    rows += [["callbacks only from", address] for address in described["allowed_addresses"]]
    rows += [[f"{token['role']} token", f"id {token['id']}{_until(token)}"] for token in described["tokens"]]
    print_table(["", ""], rows)


def _until(described: Mapping[str, str | None]) -> str:
    return f" until {described['expires_at']}" if described["expires_at"] else ""


def _print_url(settings: "Settings", account: Account, as_json: bool) -> None:
    from landed.services import accounts

    url = accounts.callback_url(settings.public_url, account)
    if as_json:
        print_json({"name": account.name, "callback_url": url})
    else:
        print_line(url)
    if "public_url" not in settings.model_fields_set:
        say(
            f"{settings.public_url} is the default address. For {account.provider} to reach it from outside, set"
            " LANDED_PUBLIC_URL to the address that Landed has there, such as https://landed.example.com;"
            f" `landed accounts show {account.name}` prints the URL anew."
        )


def _done(name: str, sentence: str, as_json: bool) -> None:
    if as_json:
        print_json({"name": name})
    else:
        say(sentence)
