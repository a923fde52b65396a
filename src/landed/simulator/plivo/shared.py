"""What all resources of the stand-in share: the carrier, the state, who asks, and how things are told."""

import json
import re
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from hmac import compare_digest
from random import Random
from time import monotonic
from typing import Any, Final, TypeVar

from landed.simulator.callbacks import signing
from landed.simulator.callbacks.addresses import as_sent
from landed.simulator.callbacks.signing import Family, Request, Tokens
from landed.simulator.carrier.calls import Call, Rules
from landed.simulator.carrier.carrier import Carrier
from landed.simulator.carrier.chaos import Chaos, Flaw
from landed.simulator.carrier.scenario import Answer, Outcome
from landed.simulator.items import AnyTruth
from landed.simulator.plivo.answers import Refused, not_found
from landed.simulator.plivo.parameters import Parameters
from landed.simulator.plivo.state import ACCOUNTS_MAX, KEPT_MAX, Account, AccountOptions, State

NAME: Final = "plivo"
#: "First at 60 seconds after the original attempt, second 120 after the first retry, third 240 after the second."
PAUSES_S: Final = (60.0, 120.0, 240.0)
#: Not documented for messages; Plivo's pages on voice give this.
TIMEOUT_S: Final = 15.0
REQUESTS_S: Final = 5.0
TOKEN_CHARACTERS_MAX: Final = 200
_ACCOUNT_ID: Final = re.compile(r"[MS]A[A-Z0-9]{18}")
_ANOTHER_TOKEN: Final = "of-another-account"  # noqa: S105  what wrong signatures are made with

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A request of the API, by an account that is who it says."""

    account: Account
    parameters: Parameters
    query: Mapping[str, str]
    requester_ip: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a callback says. An answer of the API that was asked to come later is JSON, with values of any kind."""

    fields: tuple[tuple[str, Any], ...]
    is_json: bool = False


class Shared:
    def __init__(
        self, carrier: Carrier, *, accounts: Mapping[str, AccountOptions], others: AccountOptions | None
    ) -> None:
        """
        Args:
            accounts: by their ids.
            others: what accounts are like that turn up by themselves; None: nobody else is let in.
        """
        self.carrier = carrier
        self.base_url = ""  #: where the stand-in is reached
        self._given = dict(accounts)
        self._others = others
        self.state = State()
        self.rules = Rules(
            timeout_s=TIMEOUT_S, pauses_s=PAUSES_S, is_taken=lambda status: status == 200, write=self.write
        )

    # --- who asks --------------------------------------------------------------------------------------------------

    def account(self, auth_id: str, token: str) -> Account | None:
        """Whose credentials these are; a token that is used first with an id becomes the account's."""
        account = self.known(auth_id) or self.opened(auth_id)
        if account is None or not token or len(token) > TOKEN_CHARACTERS_MAX:
            return None
        account.token = account.token or token
        return account if compare_digest(account.token.encode(), token.encode()) else None

    def opened(self, auth_id: str) -> Account | None:
        """An account that turns up by itself, if it may."""
        if self._others is None or not _ACCOUNT_ID.fullmatch(auth_id) or len(self.state.accounts) >= ACCOUNTS_MAX:
            return None
        return self.open_account(auth_id, self._others)

    def known(self, auth_id: str) -> Account | None:
        """An account that was given, or has turned up."""
        account = self.state.accounts.get(auth_id)
        if account is None and auth_id in self._given:
            return self.open_account(auth_id, self._given[auth_id])
        return account

    def sub_account(self, main: Account, auth_id: str) -> Account:
        """One of the account's own.

        Raises:
            Refused: 404.
        """
        account = self.known(auth_id)
        if account is None or account.is_deleted or account.main_id != main.id:
            raise not_found("subaccount")
        return account

    def accounts(self) -> list[Account]:
        for auth_id in self._given:
            self.known(auth_id)
        return list(self.state.accounts.values())

    def open_account(self, auth_id: str, options: AccountOptions, *, name: str = "") -> Account:
        account = Account(
            id=auth_id,
            token=options.auth_token,
            options=options,
            main_id=options.main_id,
            balance=Decimal(options.balance),
            created_at=self.now(),
            name=name,
        )
        self.state.accounts[account.id] = account
        return account

    def main_of(self, account: Account) -> Account:
        """Who pays, and holds what sub-accounts share."""
        return (self.known(account.main_id) if account.main_id else None) or account

    def count_request(self, account: Account) -> None:
        """Raises Refused (429): more than its options allow within 5 seconds."""
        self.limit(account.asked_at_s, account.options.requests_max, REQUESTS_S)

    def limit(self, asked_at_s: deque[float], most: int, within_s: float) -> None:
        """Simulated seconds count where time runs faster, and ours where it runs slower or stands.

        Raises:
            Refused: 429: `most` were asked within these seconds; this one does not count.
        """
        now_s = monotonic()
        while asked_at_s and asked_at_s[0] <= now_s - within_s / max(1.0, self.carrier.clock.speed):
            asked_at_s.popleft()
        if len(asked_at_s) >= most:
            raise Refused(429, "too many requests")
        asked_at_s.append(now_s)

    # --- lots ------------------------------------------------------------------------------------------------------

    def now(self) -> datetime:
        return self.carrier.now()

    def number_of(self, *key: str) -> int:
        """How many of these there were before, this one left out: 0, 1, 2."""
        self.state.counts[key] += 1
        return self.state.counts[key] - 1

    def random(self, *key: object) -> Random:
        return self.carrier.random(NAME, *key)

    def uuid(self, *key: object) -> str:
        return self.carrier.uuid(NAME, *key)

    def outcome(self, number: str) -> Outcome | None:
        return self.carrier.scenario.outcome(number)

    def refuse_by_magic(self, *numbers: str) -> Answer | None:
        """What magic numbers among the recipients do to the answer.

        Returns:
            HANG or HANG_UP: it is taken, and then not answered.

        Raises:
            Refused: with what the first of them stands for.
        """
        answers = [outcome.answer for number in numbers if (outcome := self.outcome(number)) and outcome.answer]
        if not answers:
            return None
        if answers[0] in _REFUSALS:
            raise Refused(*_REFUSALS[answers[0]])
        return answers[0]

    def keep(self, things: dict[str, _T], key: str, thing: _T) -> _T:
        things[key] = thing
        if len(things) > KEPT_MAX:
            del things[next(iter(things))]
        return thing

    # --- telling ---------------------------------------------------------------------------------------------------

    def tell(
        self,
        key: str,
        name: str,
        *,
        account_id: str,
        url: str | None,
        method: str,
        fields: tuple[tuple[str, Any], ...],
        truth: AnyTruth | None,
        chaos: Chaos | None = None,
        is_json: bool = False,
    ) -> None:
        """Call back, where there is an address. `key`: of this news among all, such as `message/UUID/3`."""
        if url is None:
            return
        self.carrier.tell(
            Call(
                key=f"{NAME}/{key}",
                name=f"{NAME}.{name}",
                provider=NAME,
                account=account_id,
                method=method,
                url=url,
                content=Content(fields=fields, is_json=is_json),
                truth=truth,
                chaos=chaos,
            )
        )

    def write(self, call: Call, flaw: Flaw, random: Random) -> Request:
        """The request of a call, signed with the account's token as it is by then."""
        content: Content = call.content
        account = self.known(call.account)
        options: dict[str, Any] = {
            "tokens": self._tokens(account, flaw),
            "families": {Family.V2} if account and account.options.only_v2 else signing.BOTH,
            "nonce": lambda: f"{random.randrange(10**signing.NONCE_DIGITS):0{signing.NONCE_DIGITS}d}",
        }
        if content.is_json and call.method == "POST":
            return _json(content.fields, as_sent(call.url), **options)
        fields = tuple((name, _text(value)) for name, value in content.fields)
        return signing.plivo(fields, call.url, method=call.method, **options)

    def _tokens(self, account: Account | None, flaw: Flaw) -> Tokens | None:
        if flaw is Flaw.MISSING_SIGNATURE or account is None:
            return None
        if flaw is Flaw.WRONG_SIGNATURE:
            return Tokens(account=_ANOTHER_TOKEN)
        main = self.main_of(account)
        return Tokens(account=account.token, main=None if main is account else main.token)


def _json(fields: Iterable[tuple[str, Any]], url: str, *, tokens: Tokens | None, **options: Any) -> Request:
    """Its body is no form, so that V3 covers the address alone."""
    signed = {} if tokens is None else signing.plivo_headers("POST", url, (), tokens=tokens, **options)
    headers = {"Accept": "*/*", "Content-Type": signing.JSON, **signed}
    return Request(method="POST", url=url, headers=headers, body=json.dumps(dict(fields)).encode())


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


_REFUSALS: Final = {
    Answer.BAD_REQUEST: (400, "the request is refused, as this magic number wants"),
    Answer.FORBIDDEN: (403, "Destination country is not enabled for this account"),
    Answer.THROTTLED: (429, "too many requests"),
    Answer.SERVER_ERROR: (500, "internal server error"),
}
