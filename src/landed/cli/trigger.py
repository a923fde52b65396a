"""`landed trigger`: any callback of a provider, signed, to any URL."""

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final, Literal, NamedTuple

import typer

from landed.cli.opening import opened_store, run
from landed.cli.speaking import print_json, print_line, print_table, say
from landed.cli.token_files import read_token
from landed.domain.errors import InputInvalid

if TYPE_CHECKING:
    from landed.simulator.callbacks.event import Described, Event
    from landed.simulator.callbacks.signing import Tokens
    from landed.simulator.triggering import Signing, Triggered

#: The last lines of the help.
EPILOG: Final = (
    "Reads LANDED_AUTH_TOKEN where neither --auth-token-file nor --account is given; without it a test token signs,"
    " which is printed. --account reads LANDED_DATABASE_URL, LANDED_DATA_DIR, LANDED_SECRET_KEY and LANDED_PUBLIC_URL;"
    " `landed settings` explains them."
)
_TOKEN_VARIABLE: Final = "LANDED_AUTH_TOKEN"  # noqa: S105  a name
REPEAT_MAX: Final = 1000
#: What is told as new began a little before.
_BEGAN: Final = timedelta(seconds=5)


class _Target(NamedTuple):
    """Where it goes, and what signs it."""

    url: str
    tokens: "Tokens | None"
    auth_id: str | None


@run
async def trigger(
    event: Annotated[
        str | None, typer.Argument(metavar="[EVENT]", help="Such as plivo.message.delivered; --list has all of them.")
    ] = None,
    url: Annotated[
        str | None, typer.Option(metavar="URL", help="Where to; left out with --account: Landed's own callback URL.")
    ] = None,
    to: Annotated[str | None, typer.Option(metavar="NUMBER", help="Whom it is to.")] = None,
    sender: Annotated[str | None, typer.Option("--from", metavar="NUMBER", help="Whom it is from.")] = None,
    text: Annotated[
        str | None, typer.Option(metavar="TEXT", help="The message's text; of a status, its units.")
    ] = None,
    thing_id: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="The provider's id of the thing; a new one if left out.")
    ] = None,
    our_id: Annotated[
        str | None, typer.Option(metavar="ID", help="Landed's own id of it, for Landed's callback URL.")
    ] = None,
    to_set: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="Set a field, known or not; FIELD= empties it. Repeatable."),
    ] = None,
    to_leave_out: Annotated[
        list[str] | None, typer.Option("--unset", metavar="FIELD", help="Leave a field out. Repeatable.")
    ] = None,
    sequence: Annotated[
        str | None, typer.Option(metavar="WORDS", help="Of a family: several in order, such as queued,sent,delivered.")
    ] = None,
    repeat: Annotated[
        int, typer.Option(min=1, max=REPEAT_MAX, help="Send each so often, as a provider that got no answer does.")
    ] = 1,
    by_get: Annotated[bool, typer.Option("--get/--post", help="Plivo's: as a query, or as a form.")] = False,
    v2: Annotated[bool, typer.Option("--v2", help="Sign with the V2 headers alone.")] = False,
    v3: Annotated[bool, typer.Option("--v3", help="Sign with the V3 headers alone.")] = False,
    both: Annotated[
        bool, typer.Option("--both", help="Sign with both families, which is what happens anyway.")
    ] = False,
    unsigned: Annotated[bool, typer.Option("--unsigned", help="Do not sign.")] = False,
    bad_signature: Annotated[bool, typer.Option("--bad-signature", help="Sign wrongly, to see it refused.")] = False,
    auth_token_file: Annotated[
        str | None, typer.Option(metavar="FILE", help="File with the token to sign with; - is standard input.")
    ] = None,
    auth_id: Annotated[
        str | None, typer.Option(metavar="ID", help="Plivo's id of the account, where it is told.")
    ] = None,
    account: Annotated[
        str | None, typer.Option(metavar="NAME", help="Take URL and tokens of this account of Landed.")
    ] = None,
    allow_any: Annotated[bool, typer.Option("--allow-any", help="Exit 0 whatever the answer is.")] = False,
    print_as: Annotated[
        Literal["curl", "http", "json"] | None,
        typer.Option("--print", help="Print the requests instead of sending them."),
    ] = None,
    show_list: Annotated[bool, typer.Option("--list", help="List all events.")] = False,
) -> None:
    """Example: landed trigger plivo.message.undelivered --url http://localhost:3000/hook

    Send any callback of a provider, signed as the provider signs, to your own program or to Landed.
    """
    from landed.simulator import triggering
    from landed.simulator.callbacks import events

    if show_list:
        _print_list(print_as == "json")
        return
    if event is None:
        raise InputInvalid("Name an event, such as plivo.message.delivered; `landed trigger --list` has all of them.")
    chosen = events.named(event, [word.strip() for word in sequence.split(",")] if sequence else ())
    signs = chosen[0].provider == "plivo"
    if not signs and (v2 or v3 or both or unsigned or bad_signature):
        raise InputInvalid(f"{chosen[0].provider} signs nothing: leave the options of signatures out.")
    target = await _target(chosen[0], url, account, auth_token_file, our_id, is_signed=signs and not unsigned)
    how = _signing(target.tokens, by_get=by_get, v2=v2, v3=v3, both=both, unsigned=unsigned, bad=bad_signature)
    described = _described(chosen[0], target, auth_id, thing_id, sender, to, text)
    changes = triggering.Changes(to_set=[_pair(each) for each in to_set or ()], to_leave_out=to_leave_out or ())
    made = [
        triggering.Triggered(
            each,
            triggering.request(each, triggering.altered(each, each.content(described), changes), target.url, how),
        )
        for each in chosen
        for _ in range(repeat)
    ]
    if print_as:
        _print(made, print_as)
    elif not await _sent(made, target.url, allow_any=allow_any):
        raise typer.Exit(1)


def _print_list(as_json: bool) -> None:
    from landed.simulator.callbacks import events

    lives = [
        (f"{family}.{events.LIFECYCLE}", f"Its whole life: {', '.join(words)}.")
        for family, words in events.LIFECYCLES.items()
    ]
    every = [(event.name, event.sentence) for event in events.EVENTS.values()]
    listed = sorted([*every, *lives], key=lambda each: _place(each[0], [name for name, _ in every]))
    if as_json:
        data = [{"event": name, "sentence": sentence} for name, sentence in listed]
        print_json({"data": data, "next_cursor": None})
    else:
        print_table(["event", "what it tells"], listed)


def _place(name: str, order: Sequence[str]) -> int:
    """An event's place in the list; a life comes behind the last event of its family."""
    if name in order:
        return 2 * order.index(name)
    family = name.rpartition(".")[0]
    return 2 * max(place for place, each in enumerate(order) if each.startswith(f"{family}.")) + 1


async def _target(
    event: "Event", url: str | None, account: str | None, token_file: str | None, our_id: str | None, *, is_signed: bool
) -> _Target:
    from landed.services import resending
    from landed.simulator.callbacks.signing import Tokens

    if our_id is not None and (account is None or url is not None):
        raise InputInvalid("--our-id is part of Landed's own callback URL: give --account, and no --url.")
    if our_id is not None and event.path_kind is None:
        raise InputInvalid(f"{event.name} is about nothing that we have an id of: leave --our-id out.")
    if url is None and account is None:
        raise InputInvalid("Say where to: --url http://localhost:3000/hook, or --account NAME for Landed itself.")
    tokens, auth_id = None, None
    if account is not None:
        callback_url, tokens, auth_id = await _of_account(account, event)
        url = url or callback_url + (f"/{event.path_kind}/{our_id}" if our_id else "")
    if token_file is not None:
        tokens = Tokens(account=_whole(read_token(token_file)))
    if tokens is None and is_signed:
        tokens = _token_of_nobody()
    return _Target(resending.target(url or "", anywhere=True), tokens, auth_id)


async def _of_account(name: str, event: "Event") -> _Target:
    from landed.domain.accounts import TokenRole
    from landed.services import accounts
    from landed.simulator.callbacks.signing import Tokens
    from landed.store import accounts as stored

    async with opened_store() as store:
        account = await stored.find(store.pool, store.sealer, name, datetime.now(UTC))
        public_url = store.settings.public_url
    if account.provider != event.provider:
        raise InputInvalid(f"The account {name!r} is at {account.provider}, and {event.name} is {event.provider}'s.")
    lasting = {token.role: token.value for token in account.tokens if token.expires_at is None}
    token = lasting.get(TokenRole.ACCOUNT)
    tokens = Tokens(account=token, main=lasting.get(TokenRole.MAIN)) if token else None
    return _Target(accounts.callback_url(public_url, account), tokens, account.provider_account_id)


def _token_of_nobody() -> "Tokens":
    from landed.simulator.callbacks.signing import Tokens
    from landed.simulator.triggering import TEST_TOKEN

    if token := os.environ.get(_TOKEN_VARIABLE, "").strip():
        return Tokens(account=token)
    say(f"Signed with the test auth token {TEST_TOKEN}; --auth-token-file FILE or {_TOKEN_VARIABLE} names yours.")
    return Tokens(account=TEST_TOKEN)


def _whole(token: str) -> str:
    if not token:
        raise InputInvalid("The token file is empty.", field="auth_token")
    return token


def _signing(
    tokens: "Tokens | None", *, by_get: bool, v2: bool, v3: bool, both: bool, unsigned: bool, bad: bool
) -> "Signing":
    from landed.simulator import triggering
    from landed.simulator.callbacks.signing import BOTH, Family

    if sum((v2, v3, both)) > 1 or (unsigned and (v2 or v3 or both or bad)):
        raise InputInvalid("Choose one of --v2, --v3, --both and --unsigned.")
    families = BOTH if v2 == v3 else frozenset({Family.V2 if v2 else Family.V3})
    if bad:
        tokens = triggering.wrong_tokens()
    return triggering.Signing(
        method="GET" if by_get else "POST", families=families, tokens=None if unsigned else tokens
    )


def _described(
    event: "Event",
    target: _Target,
    auth_id: str | None,
    thing_id: str | None,
    sender: str | None,
    recipient: str | None,
    text: str | None,
) -> "Described":
    from landed.domain.numbers import normalise
    from landed.simulator import triggering
    from landed.simulator.callbacks.event import AUTH_ID, Described

    own_id, second_id = triggering.new_ids(event)
    return Described(
        id=thing_id or own_id,
        second_id=second_id,
        call_id=triggering.new_uuid(),
        at=datetime.now(UTC) - _BEGAN,
        sender=normalise(sender),
        recipient=normalise(recipient),
        text=text,
        auth_id=auth_id or target.auth_id or AUTH_ID,
        url=target.url,
    )


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise InputInvalid(f"--set {text[:40]!r} has no value; write FIELD=VALUE, as in ErrorCode=30.", field="set")
    return name, value


def _print(made: "Sequence[Triggered]", print_as: str) -> None:
    from landed.simulator import triggering

    if print_as == "json":
        print_json({"data": [triggering.described(each) for each in made], "next_cursor": None})
        return
    write = triggering.written_as_curl if print_as == "curl" else triggering.written_as_http
    print_line("\n".join(write(each.request) for each in made))


async def _sent(made: "Sequence[Triggered]", url: str, *, allow_any: bool) -> bool:
    """Send all of them, one after the other. Whether they were answered as they should be."""
    from landed.cli import arrows
    from landed.services import resending

    good = True
    async with resending.opened_client() as http:
        for event, request in made:
            outgoing = resending.Outgoing(
                method=request.method, url=request.url, headers=list(request.headers.items()), body=request.body
            )
            print_line(arrows.arrow_out(replace(outgoing, url=url), label=event.name))
            answer = await resending.send(http, outgoing)
            print_line(arrows.style(answer))
            good = good and (answer.is_ok or (allow_any and answer.status is not None))
            if answer.status is None:
                break  # where nobody answers, the rest is not answered either
    return good
