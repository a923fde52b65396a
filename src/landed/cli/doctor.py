"""`landed callbacks doctor`: why a callback was refused, and what to change."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from landed.cli.figures import clean
from landed.cli.opening import VARIABLES, OpenedStore, opened_store, run
from landed.cli.speaking import AsJson, print_json, print_line, say
from landed.cli.token_files import read_token
from landed.domain.errors import InputInvalid

if TYPE_CHECKING:
    from landed.domain.accounts import Account
    from landed.domain.callbacks import CallbackRequest
    from landed.services.diagnosing import Diagnoser
    from landed.services.inspecting import Inspector
    from landed.services.inspecting_shapes import Diagnosis

#: As the time of now: every token and path is live then, also those that have expired since.
EVER: Final = datetime.min.replace(tzinfo=UTC)


def add_to(app: typer.Typer) -> None:
    app.command("doctor", short_help="Say why a callback was refused, and what to change.", epilog=VARIABLES)(doctor)


@run
async def doctor(
    callback_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="Its id, as `landed callbacks list` shows it.")
    ] = None,
    curl: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="A request instead: a curl command line, or HTTP text. `-` is stdin."),
    ] = None,
    url: Annotated[
        list[str] | None, typer.Option(metavar="URL", help="That the provider may have called. Repeatable.")
    ] = None,
    account: Annotated[str | None, typer.Option(metavar="NAME", help="With --curl: whose it is.")] = None,
    auth_token_file: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE", help="With --curl: the token to try; no database is used then. Repeatable."),
    ] = None,
    policy: Annotated[str | None, typer.Option(metavar="POLICY", help="With --auth-token-file: how strict.")] = None,
    provider: Annotated[str, typer.Option(metavar="NAME", help="With --auth-token-file: whose signature.")] = "plivo",
    as_json: AsJson = False,
) -> None:
    """Example: landed callbacks doctor refused-1-7-1764000000000000

    Find out which change would make the signature of a refused callback hold, and say in one sentence what to change.

    `landed callbacks doctor --curl request.txt --auth-token-file token --url https://hooks.example.com/plivo` looks at
    a request of any program, without a database; the first --url is then what signatures are checked against.
    """
    if (callback_id is None) == (curl is None):
        raise InputInvalid("Say which: the id of a callback, or --curl FILE.")
    if curl is None and (account or auth_token_file or policy):
        raise InputInvalid("--account, --auth-token-file and --policy go with --curl.")
    if auth_token_file:
        if account:
            raise InputInvalid("Give --account or --auth-token-file, not both.")
        diagnosis = await _without_database(_request(curl or ""), auth_token_file, url or [], policy, provider)
    else:
        diagnosis = await _with_database(callback_id, curl, url or [], account)
    if as_json:
        print_json(diagnosis.model_dump(mode="json"))
        return
    print_diagnosis(diagnosis)


def print_diagnosis(diagnosis: "Diagnosis") -> None:
    for line in lines(diagnosis):
        print_line(clean(line))
    if diagnosis.body_truncated:
        say("Of its body only the first bytes are kept.")


def lines(diagnosis: "Diagnosis") -> Sequence[str]:
    """The sentence, then what it rests on."""
    found = [diagnosis.sentence]
    if diagnosis.causes:
        proof = "proven: the signature holds then" if diagnosis.is_proven else "seen, not proven"
        found += ["", f"cause    {', '.join(diagnosis.causes)} ({proof})"]
    found += [f"         {detail}" for detail in diagnosis.details]
    found += [f"check    {check}" for check in diagnosis.checks]
    found += [f"or       {each.sentence}" for each in diagnosis.alternatives]
    return found


async def _with_database(
    callback_id: str | None, curl: str | None, urls: Sequence[str], account: str | None
) -> "Diagnosis":
    from landed.providers import registry
    from landed.services.inspecting import Inspector
    from landed.store import reading

    async with opened_store() as store:
        engine = reading.engine(store.database_url)
        inspector = Inspector(engine, registry.load())
        try:
            if callback_id is not None:
                return await diagnosed(store, inspector, callback_id, urls)
            diagnoser = _diagnoser(store, inspector)
            return await diagnoser.diagnose_request(_request(curl or ""), account=account, other_urls=urls)
        finally:
            await engine.dispose()


async def diagnosed(
    store: OpenedStore, inspector: "Inspector", callback_id: str, urls: Sequence[str] = ()
) -> "Diagnosis":
    """Of a kept callback."""
    diagnoser = _diagnoser(store, inspector)
    return await diagnoser.diagnose(callback_id, account_id=None, keys_shown=False, other_urls=urls)


def _diagnoser(store: OpenedStore, inspector: "Inspector") -> "Diagnoser":
    from landed.providers import registry
    from landed.services.diagnosing import Diagnoser
    from landed.store import accounts

    return Diagnoser(
        known=partial(accounts.every, store.pool, store.sealer, EVER),
        providers=registry.load(),
        public_url=store.settings.public_url,
        inspector=inspector,
    )


async def _without_database(
    request: "CallbackRequest", files: Sequence[str], urls: Sequence[str], policy: str | None, provider: str
) -> "Diagnosis":
    from landed.domain.accounts import Account, Token, TokenRole
    from landed.providers import registry
    from landed.services.diagnosing import Diagnoser

    providers = registry.load()
    policies = registry.named(providers, provider).policies
    if policy is not None and policy not in policies:
        raise InputInvalid(f"{provider} has no policy {policy!r}; there are: {', '.join(policies)}.", field="policy")
    account = Account(
        id=0,
        name="given",
        provider=provider,
        provider_account_id="",
        policy=policy or policies[0],
        tokens=tuple(
            Token(id=number, role=TokenRole.ACCOUNT, value=read_token(file)) for number, file in enumerate(files, 1)
        ),
        paths=(),
        created_at=EVER,
    )
    others = [*urls[1:]]
    if urls:
        others.append(request.url)
        query = "" if "?" in urls[0] else request.url.partition("#")[0].partition("?")[2]
        request = replace(request, url=f"{urls[0]}{'?' if query else ''}{query}")

    async def known() -> "Sequence[Account]":
        return [account]

    diagnoser = Diagnoser(known=known, providers=providers, public_url="")
    return await diagnoser.diagnose_request(request, account=account.name, other_urls=others)


def _request(file: str) -> "CallbackRequest":
    from landed.services import requests_text

    try:
        content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise InputInvalid(f"The file {file!r} cannot be read: {error.strerror}.", field="curl") from error
    return requests_text.read(content.decode("utf-8", "surrogateescape"))
