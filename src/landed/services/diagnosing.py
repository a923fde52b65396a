"""Diagnosing: why a callback was refused or set aside, and what to change, in one sentence.

What a signature needs to hold its provider finds out (providers/base.py, `Diagnoses`); here is what comes before and
after: whose it is, who may call, what a nonce was used for.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from landed.domain import addresses
from landed.domain.accounts import Account, CallbackPath, PathRole, TokenRole
from landed.domain.callbacks import CallbackRequest
from landed.domain.diagnoses import Case, Finding, KnownToken, Standing
from landed.domain.errors import CallerNotAllowed, InputInvalid, LandedError
from landed.providers.base import Credentials, Diagnoses, Provider
from landed.services import callers, requests_text
from landed.services.accounts import path_url
from landed.services.inspecting import Inspector, request_of
from landed.services.inspecting_shapes import Diagnosis, FindingShape
from landed.store import set_aside
from landed.store.callback_queries import Found

#: Every account, disabled ones too, with every token and path it ever had: expired ones explain much.
Known = Callable[[], Awaitable[Sequence[Account]]]

_PREFIX: Final = "/callbacks/"
_WOULD_BE_ACCEPTED: Final = "Nothing is wrong with it: it would be accepted now."
_OF_SIGNATURE: Final = frozenset({"signature_missing", "signature_mismatch", "nonce_missing", "callback_malformed"})
#: Reason at the door -> what to change, where there is nothing to find out.
_AT_THE_DOOR: Final[Mapping[str, str]] = {
    "basic_missing": "The account {account} asks for HTTP Basic credentials and none came: write them into the callback"
    " URL at the provider (https://user:password@host/…), and let no proxy take the Authorization header away.",
    "basic_mismatch": "The HTTP Basic credentials are not those of the account {account}: write the same into the"
    " callback URL at the provider as `landed accounts add-token {account} --basic-file` was given.",
    "method_not_allowed": "It came as {method}, and providers call with GET or POST: see which proxy changes the"
    " method, or who else calls this address.",
    "callback_too_large": "Its body is over LANDED_BODY_BYTES_MAX, which no callback of a provider is: see who else"
    " calls this address.",
    "headers_too_large": "Its headers are over 32 KiB: see which proxy adds so many.",
    "callback_malformed": "Its body or query cannot be read ({detail}): let the proxy pass it on byte for byte, with"
    " its Content-Type.",
    "addresses_unresolved": "The address of a host name that the account {account} allows could not be looked up: see"
    " whether this machine can resolve it, or allow a network instead.",
}


class _Account(NamedTuple):
    """Whose callback it is, as far as its address tells."""

    account: Account | None
    path: CallbackPath | None = None
    path_value: str = ""  #: of the address in the request


class Diagnoser:
    def __init__(
        self,
        *,
        known: Known,
        providers: Mapping[str, Provider],
        public_url: str,
        inspector: Inspector | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Without `inspector` only requests that somebody brings can be looked at."""
        self._known = known
        self._providers = providers
        self._public_url = public_url.rstrip("/")
        self._inspector = inspector
        self._clock = clock

    async def diagnose(
        self, callback_id: str, *, account_id: int | None, keys_shown: bool, other_urls: Sequence[str] = ()
    ) -> Diagnosis:
        """Why a kept callback was refused or set aside.

        Raises:
            NotFound: there is none, or it is another account's.
            InputInvalid: an address is none.
        """
        for url in other_urls:
            requests_text.split_url(url)
        assert self._inspector is not None  # noqa: S101  whoever asks by id has a store
        reader = self._inspector.reader
        found = await reader.found(callback_id, account_id=account_id)
        shown = await reader.shown(found, keys_shown=False)
        known = [each for each in await self._known() if account_id in (None, each.id)]
        account = next((each for each in known if each.id == found.row.account_id), None)
        if found.cursor.accepted:
            findings = await self._of_accepted(found, callback_id)
        else:
            findings = await self._of_refused(found, account, known, other_urls)
        masked = await reader.mask(found, keys_shown=keys_shown)
        diagnosis = self._diagnosis(findings, account, known, callback_id=callback_id)
        return diagnosis.model_copy(
            update={
                "sentence": masked(diagnosis.sentence.replace("replay ID", f"replay {callback_id}")),
                "details": [masked(detail) for detail in diagnosis.details],
                "alternatives": [
                    each.model_copy(
                        update={
                            "sentence": masked(each.sentence),
                            "details": [masked(detail) for detail in each.details],
                        }
                    )
                    for each in diagnosis.alternatives
                ],
                "verdict": shown.verdict,
                "reason": shown.reason,
                "account": shown.account,
                "body_truncated": shown.body_truncated,
            }
        )

    async def diagnose_request(
        self, request: CallbackRequest, *, account: str | None = None, other_urls: Sequence[str] = ()
    ) -> Diagnosis:
        """Why a request that somebody brings would be refused. `account`: whose it is, where its address does not tell.

        Raises:
            InputInvalid: there is no such account, or an address is none.
        """
        for url in (request.url, *other_urls):
            requests_text.split_url(url)
        known = await self._known()
        whose = self._whose(request, known)
        if account is not None:
            named = next((each for each in known if each.name == account), None)
            if named is None:
                raise InputInvalid(f"There is no account {account[:60]!r}.", field="account")
            whose = _Account(named)
        findings = [
            replace(each, sentence=_WOULD_BE_ACCEPTED) if each.causes == ("accepted_now",) else each
            for each in await self._of_request(request, whose, known, other_urls)
        ]
        return self._diagnosis(findings, whose.account, known)

    # --- of kept ones -----------------------------------------------------------------------------------------

    async def _of_accepted(self, found: Found, callback_id: str) -> Sequence[Finding]:
        row = found.row
        if not row.reason:
            held = row.verified_by.replace(",", ", ") or "its address, since the provider signs nothing"
            return [
                Finding(causes=(), sentence=f"Nothing is wrong: it was accepted, proven by {held}.", is_proven=True)
            ]
        if row.reason == set_aside.NONCE_REUSED:
            assert self._inspector is not None  # noqa: S101  it was found by it
            whole = await self._inspector.inspect(callback_id, account_id=None, keys_shown=False)
            first = whole.nonce_first_used_by
            by = f" by the callback {first}" if first else ""
            details = (f"`landed callbacks compare {first} {callback_id}` shows what differs.",) if first else ()
            return [
                Finding(
                    causes=(set_aside.NONCE_REUSED,),
                    sentence=f"Its nonce was used before{by} with other content, and its signature does not cover the"
                    " content: take it for a forgery, unless a proxy of yours sends requests again and changes them.",
                    details=details,
                )
            ]
        return [
            Finding(
                causes=(row.reason,),
                sentence=f"It was accepted and set aside, because nothing in it could be tracked: {row.detail}",
            )
        ]

    async def _of_refused(
        self, found: Found, account: Account | None, known: Sequence[Account], other_urls: Sequence[str]
    ) -> Sequence[Finding]:
        row, request = found.row, request_of(found)
        if account is None:
            return [Finding(causes=("account_unknown",), sentence="The account that it came for is gone.")]
        if account.disabled_at is not None:
            return [_disabled(account)]
        if row.reason == "address_not_allowed":
            return [_address(account, request, row.detail)]
        if row.reason not in _OF_SIGNATURE:
            return [_at_the_door(row.reason, account, request, row.detail)]
        whose = _Account(account, path_value=self._path(request.url))
        findings = await self._signature(request, whose, known, other_urls, body_bytes=row.body_bytes)
        if not findings and row.reason == "callback_malformed":
            return [_at_the_door(row.reason, account, request, row.detail)]
        return findings

    # --- of requests ------------------------------------------------------------------------------------------

    async def _of_request(
        self, request: CallbackRequest, whose: _Account, known: Sequence[Account], other_urls: Sequence[str]
    ) -> Sequence[Finding]:
        account, path = whose.account, whose.path
        if account is None:
            return [
                Finding(
                    causes=("key_unknown",),
                    sentence="No account has this callback address: give the provider the one that `landed accounts"
                    " show NAME` prints, or say with --account whose it is.",
                )
            ]
        if account.disabled_at is not None:
            return [_disabled(account)]
        if path is not None and path.expires_at is not None and path.expires_at <= self._clock():
            return [
                Finding(
                    causes=("key_expired",),
                    sentence=f"The key in its address was replaced and has expired: give the provider the callback URL"
                    f" that `landed accounts show {account.name}` prints.",
                )
            ]
        if request.method not in ("GET", "POST"):
            return [_at_the_door("method_not_allowed", account, request, "")]
        if (refused := self._guarded(account, request)) is not None:
            return [refused]
        url = self._door_url(request.url) or request.url
        there = [request.url] if url != request.url else []
        findings = await self._signature(replace(request, url=url), whose, known, [*other_urls, *there])
        if findings or self._diagnoses(account) is not None:
            return findings
        return self._verified(replace(request, url=url), account)

    def _guarded(self, account: Account, request: CallbackRequest) -> Finding | None:
        """HTTP Basic; where it came from a request that somebody brings does not tell."""
        basic = [
            token.value for token in account.tokens if token.role is TokenRole.BASIC and self._is_live(token.expires_at)
        ]
        guard = callers.guard((), basic, {})
        if guard is None:
            return None
        try:
            guard.check(None, request.headers.get(callers.AUTHORIZATION))
        except CallerNotAllowed as error:
            return _at_the_door(error.reason, account, request, str(error))
        return None

    def _verified(self, request: CallbackRequest, account: Account) -> Sequence[Finding]:
        provider = self._providers.get(account.provider)
        if provider is None:
            return [Finding(causes=("provider_unknown",), sentence=f"No provider {account.provider!r} is installed.")]
        tokens = tuple(token.value for token in account.tokens if token.role is not TokenRole.BASIC)
        try:
            provider.verify(request, Credentials(auth_tokens=tokens, policy=account.policy))
            provider.parse(request)
        except LandedError as error:
            return [Finding(causes=(error.code,), sentence=str(error))]
        return [Finding(causes=("accepted_now",), sentence=_WOULD_BE_ACCEPTED)]

    # --- signatures -------------------------------------------------------------------------------------------

    async def _signature(
        self,
        request: CallbackRequest,
        whose: _Account,
        known: Sequence[Account],
        other_urls: Sequence[str],
        body_bytes: int = 0,
    ) -> Sequence[Finding]:
        account = whose.account
        assert account is not None  # noqa: S101  callers have looked
        provider = self._diagnoses(account)
        if provider is None:
            return ()
        case = Case(
            request=request,
            account=account.name,
            policy=account.policy,
            tokens=[*self._tokens(account, known)],
            public_url=self._public_url,
            other_urls=[*other_urls, *self._other_paths(account, whose.path_value, request.url)],
            body_bytes=body_bytes or len(request.body),
        )
        return await asyncio.to_thread(provider.diagnose, case)

    def _diagnoses(self, account: Account) -> Diagnoses | None:
        provider = self._providers.get(account.provider)
        return provider if isinstance(provider, Diagnoses) else None

    def _tokens(self, account: Account, known: Sequence[Account]) -> Sequence[KnownToken]:
        """Its own first, then those of the provider's other accounts."""
        of_provider = [each for each in known if each.provider == account.provider and each.id != account.id]
        return [
            KnownToken(
                value=token.value,
                label=f"token {token.id} ({token.role})" if token.id else "the token",
                account=each.name,
                role=token.role,
                standing=Standing.OTHER
                if each.id != account.id
                else Standing.LIVE
                if self._is_live(token.expires_at)
                else Standing.EXPIRED,
            )
            for each in (account, *of_provider)
            for token in each.tokens
            if token.role is not TokenRole.BASIC
        ]

    def _is_live(self, expires_at: datetime | None) -> bool:
        return expires_at is None or expires_at > self._clock()

    def _other_paths(self, account: Account, path_value: str, url: str) -> Sequence[str]:
        """The same callback at the account's other addresses."""
        path = urlsplit(url).path
        behind = path.partition(path_value)[2] if path_value and path_value in path else ""
        return [
            path_url(self._public_url, each.role, each.value) + behind
            for each in account.paths
            if each.value != path_value
        ]

    # --- whose it is ------------------------------------------------------------------------------------------

    def _whose(self, request: CallbackRequest, known: Sequence[Account]) -> _Account:
        value = self._path(request.url)
        path = urlsplit(request.url).path.rstrip("/")
        for account in known:
            for each in account.paths:
                if each.role is PathRole.KEY and each.value == value:
                    return _Account(account, each, value)
                if each.role is PathRole.OWN and path.endswith(each.value.rstrip("/")):
                    return _Account(account, each, each.value)
        return _Account(None)

    def _path(self, url: str) -> str:
        """The key in an address of ours, else the path."""
        path = urlsplit(url).path
        return path.partition(_PREFIX)[2].partition("/")[0] if _PREFIX in path else path

    def _door_url(self, url: str) -> str | None:
        """The URL that signatures are checked against: the public one, whatever address the request was sent to."""
        _, _, query = url.partition("#")[0].partition("?")
        path = urlsplit(url).path
        if _PREFIX in path:
            path = path[path.index(_PREFIX) :]
        public_path = urlsplit(self._public_url).path
        if public_path and path.startswith(f"{public_path}/"):
            path = path.removeprefix(public_path)
        return f"{self._public_url}{path}{'?' if query else ''}{query}" if self._public_url else None

    # --- what is told -----------------------------------------------------------------------------------------

    def _diagnosis(
        self,
        findings: Sequence[Finding],
        account: Account | None,
        known: Sequence[Account],
        callback_id: str | None = None,
    ) -> Diagnosis:
        tokens = [] if account is None else self._tokens(account, known)
        first = findings[0] if findings else _nothing(account, tokens)
        return Diagnosis(
            callback_id=callback_id,
            account=account.name if account else None,
            provider=account.provider if account else None,
            verdict=None,
            reason=None,
            cause=first.causes[0] if first.causes else None,
            causes=list(first.causes),
            is_proven=first.is_proven,
            sentence=first.sentence,
            details=list(first.details),
            checks=[] if findings else _checks(account, tokens),
            alternatives=[
                FindingShape(
                    causes=list(each.causes),
                    sentence=each.sentence,
                    is_proven=each.is_proven,
                    details=list(each.details),
                )
                for each in findings[1:]
            ],
            tokens_tried=len(tokens),
            body_truncated=False,
        )


def _nothing(account: Account | None, tokens: Sequence[KnownToken]) -> Finding:
    own = sum(token.standing is not Standing.OTHER for token in tokens)
    return Finding(
        causes=(),
        sentence="No variation matches: either it was signed with none of the"
        f" {len(tokens)} tokens that Landed knows ({own} of this account), or it was changed in a way that was not"
        " tried, or it is forged.",
    )


def _checks(account: Account | None, tokens: Sequence[KnownToken]) -> list[str]:
    name = account.name if account else "NAME"
    checks = [
        f"Compare the auth token in the provider's console with the one of {name}: add it anew with `landed accounts"
        f" add-token {name} --auth-token-file FILE`.",
        "If the callback URL at the provider is another than Landed shows, name it with --url.",
        "If a proxy stands in front, take the whole request from before it and give it with --curl.",
        "If nobody of yours sent it, it is a forgery, and was rightly refused.",
    ]
    ids = {account.provider_account_id} if account else set()
    if any(token.value in ids for token in tokens):
        checks.insert(0, f"The token of {name} is the account's id: the token is another word in the console.")
    return checks


def _disabled(account: Account) -> Finding:
    return Finding(
        causes=("account_disabled",),
        sentence=f"The account {account.name} is disabled: `landed accounts enable {account.name}` takes its callbacks"
        " again.",
    )


def _address(account: Account, request: CallbackRequest, detail: str) -> Finding:
    networks = [network for each in account.allowed_addresses if (network := addresses.network(each)) is not None]
    hops = [hop.strip() for hop in request.headers.get("x-forwarded-for", "").split(",") if hop.strip()]
    for hop in hops:
        found = addresses.address(hop)
        if found is not None and addresses.is_among(found, networks):
            return Finding(
                causes=("proxy_not_trusted",),
                sentence=f"X-Forwarded-For names {hop}, which the account {account.name} allows, but the proxy that"
                " says so is not trusted: name it in LANDED_TRUSTED_PROXIES.",
                details=(detail,),
            )
    return Finding(
        causes=("address_not_allowed",),
        sentence=f"It came from an address that the account {account.name} does not allow: if it is the provider's,"
        f" `landed accounts add-address {account.name} ADDRESS` allows it.",
        details=(detail,),
    )


def _at_the_door(reason: str, account: Account, request: CallbackRequest, detail: str) -> Finding:
    told = _AT_THE_DOOR.get(reason, "{detail}")
    filled = told.format(account=account.name, method=request.method[:20], detail=detail.rstrip("."))
    return Finding(causes=(reason,), sentence=filled, details=(detail,) if detail else ())
