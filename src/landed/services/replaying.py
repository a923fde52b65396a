"""Replaying callbacks: to Landed, where an accepted one is tracked again and a refused one has to prove itself anew, or
to another URL as it came.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

import httpx

from landed.domain.accounts import Account, TokenRole
from landed.domain.callbacks import Callback, CallbackRequest
from landed.domain.errors import AddressesUnresolved, InputInvalid, StoreUnavailable
from landed.journal.base import Journal
from landed.providers.base import Diagnoses, Provider, Signs
from landed.services import resending
from landed.services.inspecting import request_of
from landed.services.inspecting_shapes import ReplayedShape
from landed.services.resending import Answer, Headers, Outgoing
from landed.store import accounts, callback_queries, partitions
from landed.store.accounts import Pool
from landed.store.callback_queries import Found

if TYPE_CHECKING:
    from landed.services.tracking import Tracker

_PREFIX: Final = "/callbacks/"


class Again(NamedTuple):
    """A request for the door. `target` is path and query as they were received."""

    method: str
    target: str
    headers: Headers
    body: bytes


#: The door: takes a request as any other, proof included, and answers with HTTP status and body.
Admit = Callable[[Again], Awaitable[tuple[int, bytes]]]


class Replayer:
    """Takes callbacks in again. What was counted already changes nothing."""

    def __init__(self, *, pool: Pool, journal: Journal, providers: Mapping[str, Provider], admit: Admit) -> None:
        """`journal` is never read: a replay brings its callbacks along."""
        self._pool = pool
        self._journal = journal
        self._providers = providers
        self._admit = admit
        self._made_on: date | None = None

    async def replay(self, found: Found, callback_id: str) -> ReplayedShape:
        """One callback, of whatever verdict.

        Raises:
            InputInvalid: it is a refused one of which only the first bytes are kept.
            StoreUnavailable: nothing was written.
        """
        if not found.cursor.accepted:
            return await self._take_in(found, callback_id)
        (callback,) = await callback_queries.by_ids(self._pool, [found.row.id]) or (None,)
        if callback is None:
            raise InputInvalid(f"The callback {callback_id} is not kept any more.", field="callback_id")
        if not await self.track([callback]):
            return ReplayedShape(callback_id=callback_id, outcome="tracked", reason=None, detail=None)
        reason, detail = await callback_queries.why_set_aside(self._pool, found.row.id)
        return ReplayedShape(callback_id=callback_id, outcome="set_aside", reason=reason, detail=detail)

    async def track(self, callbacks: Sequence[Callback]) -> int:
        """Accepted ones. How many of them are set aside."""
        tracker = await self._tracker()
        return await tracker.replay(callbacks)

    async def _take_in(self, found: Found, callback_id: str) -> ReplayedShape:
        row = found.row
        _check_whole(found, callback_id)
        again = Again(row.method, _target(row.url), resending.header_lines(row.headers), row.body)
        status, answer = await self._admit(again)
        if status == 200:
            return ReplayedShape(callback_id=callback_id, outcome="accepted", reason=None, detail=None)
        try:
            problem = json.loads(answer)
        except ValueError:
            problem = {}
        detail = problem.get("detail") or f"The door answers {status}."
        if status >= 500 and problem.get("code") != AddressesUnresolved.code:
            raise StoreUnavailable(detail)
        return ReplayedShape(callback_id=callback_id, outcome="refused", reason=problem.get("code"), detail=detail)

    async def _tracker(self) -> "Tracker":
        from landed.services.tracking import Tracker

        names = await accounts.providers(self._pool)
        today = datetime.now(UTC).date()
        if self._made_on != today:  # nothing else may have run for days
            async with self._pool.connection() as connection:
                await partitions.make(connection, today)
            self._made_on = today
        return Tracker(
            name="replay",
            journal=self._journal,
            pool=self._pool,
            provider_of=lambda account_id: self._providers.get(names.get(account_id, "")),
        )


async def resend(
    http: httpx.AsyncClient,
    found: Found,
    callback_id: str,
    url: str,
    *,
    account: Account | None = None,
    provider: Provider | None = None,
    timeout_s: float = resending.TIMEOUT_S,
) -> tuple[Outgoing, Answer]:
    """Send a kept callback to another URL, byte for byte; see resending.py.

    Args:
        url: as `resending.target` gives it.
        account: with it the request is signed for that URL, with the account's token, and its old signatures go.

    Raises:
        InputInvalid: only the first bytes of it are kept, or it cannot be signed.
    """
    _check_whole(found, callback_id)
    outgoing = resending.outgoing(request_of(found), url, resending.header_lines(found.row.headers))
    if account is not None:
        outgoing = _signed(outgoing, account, provider)
    return outgoing, await resending.send(http, outgoing, timeout_s=timeout_s)


def _signed(outgoing: Outgoing, account: Account, provider: Provider | None) -> Outgoing:
    token = next((each for each in reversed(account.tokens) if each.role is TokenRole.ACCOUNT), None)
    if not isinstance(provider, Signs) or token is None:
        why = "it has no auth token" if isinstance(provider, Signs) else f"{account.provider} signs nothing"
        raise InputInvalid(f"The account {account.name!r} cannot sign: {why}.", field="resign")
    stale = provider.signature_headers if isinstance(provider, Diagnoses) else frozenset()
    headers = [(name, value) for name, value in outgoing.headers if name.lower() not in stale]
    unsigned = CallbackRequest(
        method=outgoing.method,
        url=outgoing.url,
        headers={name.lower(): value for name, value in headers},
        body=outgoing.body,
    )
    try:
        signed = provider.sign(unsigned, token.value)
    except ValueError as error:
        raise InputInvalid(f"It cannot be signed: {error}.", field="resign") from error
    kept = [(name, value) for name, value in headers if name.lower() not in signed]
    return replace(outgoing, headers=[*kept, *signed.items()])


def _check_whole(found: Found, callback_id: str) -> None:
    if len(found.row.body) < found.row.body_bytes:
        raise InputInvalid(
            f"Of the refused callback {callback_id} only the first {len(found.row.body)} of {found.row.body_bytes}"
            " bytes are kept, so it cannot be sent as it came.",
            field="callback_id",
        )


def _target(url: str) -> str:
    """Path and query as the door gets them today, whatever the public URL was then."""
    parts = urlsplit(url)
    path = parts.path
    if _PREFIX in path:
        path = path[path.index(_PREFIX) :]
    return f"{path}{'?' if parts.query else ''}{parts.query}"
