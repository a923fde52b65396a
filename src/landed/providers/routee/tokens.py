"""Access to Routee's API: a token for a while, fetched once for all that need it, and anew when it is refused."""

import asyncio
import time
from base64 import b64encode
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, replace
from typing import Any, Final

import httpx

from landed.domain.errors import SendFailed
from landed.providers.http import Answer, Api, Problem, Request

#: Where an answer does not say it: the default of Routee's applications.
LIFETIME_S_DEFAULT: Final = 3600.0
#: A token that ends while the request is under way is refused, and costs another two.
MARGIN_S: Final = 30.0
#: By either of them Routee refuses a token.
_REFUSED: Final = frozenset({401, 403})


@dataclass(frozen=True, slots=True)
class _Token:
    value: str
    until: float  #: by the clock

    def __repr__(self) -> str:
        return "<token>"


class BearerApi(Api):
    """Makes requests with a token.

    Args:
        token_url: where tokens are given.
        application_id, secret: for whom.
        clock: seconds, as time.monotonic.
    """

    def __init__(
        self,
        provider: str,
        http: httpx.AsyncClient,
        read_problem: Callable[[Request, Answer], Problem],
        *,
        token_url: str,
        application_id: str,
        secret: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        basic = b64encode(f"{application_id}:{secret}".encode()).decode()
        super().__init__(provider, http, read_problem, (secret, basic))
        self._secrets = self._withheld
        self._token_request = Request(
            what="give a token",
            method="POST",
            url=token_url,
            headers={"Authorization": f"Basic {basic}", "Content-Type": "application/x-www-form-urlencoded"},
            content=b"grant_type=client_credentials",
            is_repeatable=True,
        )
        self._clock = clock
        self._token: _Token | None = None
        self._fetching: asyncio.Task[_Token | SendFailed] | None = None

    async def ask(self, request: Request) -> Answer:
        """Once more with a new token where this one is refused: Routee has not done what it refuses.

        Raises:
            SendFailed: as Api does, and where there is no token.
        """
        token = await self.token()
        answer = await super().ask(self._with(token, request))
        if answer.status in _REFUSED:
            answer = await super().ask(self._with(await self.token(instead_of=token), request))
        return answer

    async def token(self, *, instead_of: str | None = None) -> str:
        """The token that holds now, or a new one; all who need a new one at a time share the request for it.

        Raises:
            SendFailed: but never OutcomeUnknown.
        """
        held = self._token
        if held is not None and held.value != instead_of and self._clock() < held.until:
            return held.value
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._fetch())
            self._fetching.add_done_callback(self._fetched)
        # Shielded: that one of them goes away is nothing to the others.
        outcome = await asyncio.shield(self._fetching)
        if isinstance(outcome, SendFailed):
            raise copy(outcome)  # each raises its own
        return outcome.value

    def _fetched(self, task: asyncio.Task[_Token | SendFailed]) -> None:
        self._fetching = None
        if not task.cancelled() and task.exception() is None:
            outcome = task.result()
            held = self._token
            self._token = outcome if isinstance(outcome, _Token) else None
            # The one before as well: answers to it may still come.
            self._withheld = (*self._secrets, *(token.value for token in (held, self._token) if token is not None))

    async def _fetch(self) -> _Token | SendFailed:
        asked_at = self._clock()
        try:
            answer = await super().ask(self._token_request)
            content = self.content(self._token_request, answer)
        except SendFailed as error:
            return error
        value = content.get("access_token") if isinstance(content, dict) else None
        if not isinstance(value, str) or not value.isascii() or not value.isprintable() or not value.strip():
            return self.not_understood(self._token_request, answer)
        lifetime_s = _seconds(content.get("expires_in"))
        return _Token(value.strip(), asked_at + lifetime_s - min(MARGIN_S, lifetime_s / 2))

    def _with(self, token: str, request: Request) -> Request:
        return replace(request, headers={**request.headers, "Authorization": f"Bearer {token}"})


def _seconds(told: Any) -> float:
    """From a second to twenty years have been seen."""
    try:
        seconds = float(told)
    except (TypeError, ValueError):
        return LIFETIME_S_DEFAULT
    return seconds if 0 < seconds < float("inf") else LIFETIME_S_DEFAULT
