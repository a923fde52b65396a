"""`landed listen`: forward callbacks that arrive at a Landed to a program on this machine."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final, Literal
from urllib.parse import urlsplit

import typer

from landed.cli import arrows, listen_state
from landed.cli.figures import clean, seconds
from landed.cli.opening import OpenedStore, opened_store, run
from landed.cli.speaking import moment, print_line, say
from landed.cli.token_files import read_token
from landed.domain.callbacks import CallbackKind
from landed.domain.errors import InputInvalid

if TYPE_CHECKING:
    import httpx

    from landed.services.following import Source
    from landed.services.relaying import Sign
    from landed.services.resending import Answer, Outgoing
    from landed.services.streaming import StreamedCallback, StreamQuestion

#: The last lines of the help.
EPILOG: Final = (
    "Reads LANDED_API_KEY with --server, where neither --key-file nor --key is given; without --server"
    " LANDED_DATABASE_URL, LANDED_DATA_DIR and LANDED_SECRET_KEY, which `landed settings` explains. How far it came is"
    " kept below XDG_STATE_HOME."
)
_KEY_VARIABLE: Final = "LANDED_API_KEY"


@run
async def listen(
    forward_to: Annotated[
        str | None, typer.Option(metavar="URL", help="Your program, such as http://localhost:3000/hook.")
    ] = None,
    server: Annotated[
        str | None, typer.Option(metavar="URL", help="A Landed elsewhere; left out: the one whose database is at hand.")
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="An API key of the server; others on the machine can see it."),
    ] = None,
    key_file: Annotated[
        str | None, typer.Option(metavar="FILE", help="File with the API key; - is standard input.")
    ] = None,
    name: Annotated[
        str, typer.Option(metavar="NAME", help="Whose place is kept: two that listen at once need two names.")
    ] = "default",
    since: Annotated[
        str | None, typer.Option(metavar="WHEN", help="Begin with what came since then: 1h, 2026-11-01.")
    ] = None,
    from_now: Annotated[bool, typer.Option("--from-now", help="Leave out what was missed.")] = False,
    account: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only of this account. Repeatable.")] = None,
    kind: Annotated[list[CallbackKind] | None, typer.Option(help="Only about these. Repeatable.")] = None,
    status: Annotated[
        list[str] | None,
        typer.Option(metavar="WORD", help="Only with this status, in whosever words. Repeatable."),
    ] = None,
    verdict: Annotated[
        Literal["accepted", "refused", "all"], typer.Option(help="Refused ones come a few seconds later.")
    ] = "accepted",
    resign: Annotated[
        bool, typer.Option("--resign", help="Sign for --forward-to with the account's token; not with --server.")
    ] = False,
    print_as: Annotated[
        Literal["json"] | None, typer.Option("--print", help="Print each callback as a line of JSON.")
    ] = None,
    allow_remote: Annotated[
        bool, typer.Option("--allow-remote", help="Forward to another machine; callbacks hold numbers and texts.")
    ] = False,
) -> None:
    """Example: landed listen --forward-to http://localhost:3000/hook --server https://landed.example.com

    Forward callbacks that arrive at a Landed to a program on this machine, byte for byte. What came while it was not
    running comes first.
    """
    from landed.services import resending
    from landed.services.accounts import valid_name

    valid_name(name, "active listener")
    url = _target(forward_to, print_as, allow_remote=allow_remote)
    question = _question(since, account, kind, status, verdict)
    if since and from_now:
        raise InputInvalid("Choose one of --since and --from-now.")
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(resending.opened_client())
        told = _Told(url, as_json=print_as == "json")
        if server is None:
            if key or key_file:
                raise InputInvalid("A key is for a server: give --server URL as well.")
            opened = await stack.enter_async_context(_local(question, told, resign=resign))
        else:
            if resign:
                raise InputInvalid("--resign takes the account's token from the database: leave --server out.")
            opened = await stack.enter_async_context(_remote(server, _key(key, key_file), question, told))
        state = stack.enter_context(listen_state.opened(opened.server, name))
        await _relayed(opened, http, url, state, told, is_anew=bool(since or from_now))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """Where callbacks come from."""

    source: "Source"
    server: str  #: by which the place is kept
    shown: str  #: what to call it
    sign: "Sign | None" = None
    way_out: str = ""  #: for whom the signatures do not fit


async def _relayed(
    opened: _Opened,
    http: "httpx.AsyncClient",
    url: str | None,
    state: listen_state.ListenState,
    told: "_Told",
    *,
    is_anew: bool,
) -> None:
    """Relay until somebody ends it: by Ctrl-C, which is no failure."""
    from landed.services.relaying import Relay

    kept = None if is_anew else state.read()
    relay = Relay(opened.source, told, http=http, url=url, keep=state.write, sign=opened.sign)

    def ready() -> None:
        going = f"forwarding to {url}" if url else "printing what comes"
        say(f"Listening to {opened.shown}, {going}. Ctrl-C ends it.")
        say(_begins(kept, is_anew=is_anew))
        if url and opened.sign is None:
            say(f"Signatures stay as they came, for the URLs that the providers called{opened.way_out}.")

    ended = asyncio.Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(each, ended.set)
    relaying = asyncio.create_task(relay.run(kept.place if kept else None, ready))
    ending = asyncio.create_task(ended.wait())
    await asyncio.wait({relaying, ending}, return_when=asyncio.FIRST_COMPLETED)
    if ended.is_set():
        await relay.stop()
        relaying.cancel()
        await asyncio.wait({relaying})
        say(f"Ended: {relay.relayed} callbacks. The next `landed listen` goes on behind the last.")
    ending.cancel()
    if not relaying.cancelled():
        relaying.result()


def _begins(kept: listen_state.Kept | None, *, is_anew: bool) -> str:
    """Where it begins, in a sentence."""
    if kept is not None:
        ago = seconds((datetime.now(UTC) - kept.at).total_seconds())
        return f"What came since the last one ended comes first: it was {ago} ago, at {moment(kept.at)}."
    if is_anew:
        return "The place where the last one ended is left behind."
    return "This is the first under its name: it begins now. What comes while none runs comes first the next time."


def _target(url: str | None, print_as: str | None, *, allow_remote: bool) -> str | None:
    from landed.services import resending

    if url is None:
        if print_as is None:
            raise InputInvalid("Say where to: --forward-to http://localhost:3000/hook, or --print json.")
        return None
    target = resending.target(url, anywhere=True)
    if not allow_remote and not resending.is_loopback(urlsplit(target).hostname or ""):
        raise InputInvalid(
            f"{url} is not on this machine, and callbacks hold phone numbers and texts. --allow-remote says that they"
            " may go there.",
            field="forward_to",
        )
    return target


def _question(
    since: str | None,
    accounts: list[str] | None,
    kinds: Sequence[CallbackKind] | None,
    statuses: list[str] | None,
    verdict: str,
) -> "StreamQuestion":
    from landed.services.moments import moment as read_moment
    from landed.services.streaming import StreamQuestion, Wanted

    return StreamQuestion(
        accounts=accounts or (),
        kinds=kinds or (),
        statuses=[status.lower() for status in statuses or ()],
        wanted=Wanted(verdict),
        since=read_moment(since, datetime.now(UTC), field="since") if since else None,
    )


def _key(key: str | None, file: str | None) -> str:
    if key and file:
        raise InputInvalid("Choose one of --key and --key-file.")
    found = read_token(file) if file else key or os.environ.get(_KEY_VARIABLE, "").strip()
    if not found:
        raise InputInvalid(
            f"The API key is missing: give --key-file FILE, or set {_KEY_VARIABLE}; `landed keys create NAME --scope"
            " read` makes one."
        )
    if not (found.isascii() and found.isprintable() and " " not in found):
        raise InputInvalid("This is no API key: those have letters, digits, _ and - alone.")
    return found


@asynccontextmanager
async def _remote(server: str, key: str, question: "StreamQuestion", told: "_Told") -> AsyncIterator[_Opened]:
    import httpx

    from landed.services import resending
    from landed.services.following import Remote

    address = resending.target(server, anywhere=True).rstrip("/")
    parts = urlsplit(address)
    is_here = resending.is_loopback(parts.hostname or "")
    if parts.scheme == "http" and not is_here:
        say("The key and all callbacks travel unencrypted: give an https:// address if there is one.")
    parameters = [("account", account) for account in question.accounts]
    parameters += [("kind", kind.value) for kind in question.kinds]
    parameters += [("status", status) for status in question.statuses]
    parameters += [("verdict", question.wanted.value)]
    parameters += [("since", question.since.isoformat())] if question.since else []
    async with httpx.AsyncClient(trust_env=not is_here) as http:  # a proxy may be on the way to another machine
        source = Remote(http=http, server=address, key=key, parameters=parameters, trouble=told.trouble)
        yield _Opened(source=source, server=address, shown=address)


@asynccontextmanager
async def _local(question: "StreamQuestion", told: "_Told", *, resign: bool) -> AsyncIterator[_Opened]:
    from landed.providers import registry
    from landed.services.following import Local
    from landed.services.streaming import CallbackStream
    from landed.store import reading

    async with opened_store() as store:
        engine = reading.engine(store.database_url)
        try:
            settings = store.settings
            stream = CallbackStream(engine, registry.load(), lanes=settings.lanes)
            own = settings.database_url.get_secret_value() if settings.database_url else str(settings.data_dir)
            yield _Opened(
                source=Local(stream, question, told.trouble),
                server=own,
                shown=settings.public_url,
                sign=_signer(store) if resign else None,
                way_out="; --resign signs for yours",
            )
        finally:
            await engine.dispose()


def _signer(store: OpenedStore) -> "Sign":
    """Signs with the newest token of the callback's account. What its provider does not sign stays as it is."""
    from landed.domain.accounts import TokenRole
    from landed.providers import registry
    from landed.providers.base import Signs
    from landed.services.relaying import resigned
    from landed.store import accounts

    providers = registry.load()

    async def sign(callback: "StreamedCallback", request: "Outgoing") -> "Outgoing":
        provider = providers.get(callback.provider or "")
        if callback.account is None or not isinstance(provider, Signs):
            return request
        account = await accounts.find(store.pool, store.sealer, callback.account, datetime.now(UTC))
        tokens = [token.value for token in account.tokens if token.role == TokenRole.ACCOUNT]
        return resigned(request, provider, tokens[-1]) if tokens else request

    return sign


class _Told:
    """Tells what happens: arrow lines, or a line of JSON for each callback."""

    def __init__(self, url: str | None, *, as_json: bool) -> None:
        self._url = url
        self._as_json = as_json
        self._is_troubled = self._has_told_of_masks = False

    def going_out(self, callback: "StreamedCallback", request: "Outgoing") -> None:
        if callback.body_masked and not self._has_told_of_masks:
            self._has_told_of_masks = True
            say("The account's key is masked in some bodies: a key made with `--scope admin` sees them as they came.")
        shown = replace(request, url=self._url or request.url)  # the query may hold numbers and texts
        self._line(arrows.arrow_out(shown, label=_label(callback)))

    def unreached(self, answer: "Answer") -> None:
        self._line(arrows.style(answer))
        say("Waiting for your program; nothing is left out.")

    def answered(self, callback: "StreamedCallback", answer: "Answer") -> None:
        self._line(arrows.style(answer))
        if self._as_json:
            outcome = {"status": answer.status, "elapsed_ms": answer.elapsed_ms, "problem": answer.problem}
            _print_json_line({**callback.model_dump(mode="json"), "answer": outcome})

    def left_out(self, callback: "StreamedCallback", reason: str) -> None:
        say(f"{_label(callback)} is left out: {reason}.")

    def taken(self, callback: "StreamedCallback") -> None:
        _print_json_line({**callback.model_dump(mode="json"), "answer": None})

    def trouble(self, sentence: str | None) -> None:
        if sentence is None:
            if self._is_troubled:
                say("The connection is back.")
            self._is_troubled = False
        elif not self._is_troubled:
            self._is_troubled = True
            say(f"{clean(sentence)} Trying again until it works.")

    def _line(self, text: str) -> None:
        (say if self._as_json else print_line)(text)


def _print_json_line(content: object) -> None:
    print_line(json.dumps(content, ensure_ascii=False))


def _label(callback: "StreamedCallback") -> str:
    """What a callback is, in few words: `shop messages delivered`."""
    words = [callback.account or "nobody's"]
    words += [f"{told.kind} {told.status or told.provider_status}" for told in callback.told[:1]]
    words += [f"refused: {callback.reason}"] if callback.verdict == "refused" else []
    return clean(" ".join(words))
