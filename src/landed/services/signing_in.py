"""Signing in and out: by password, by a link that works once, and how a browser is known afterwards.

A wrong password delays the next try: of that address, and of that user from any browser that has not been signed in
as that user before. So nobody can try many passwords, and nobody can lock a user out of the browser in use.
"""

import hmac
import ipaddress
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Final

from landed.domain.errors import InputInvalid, LandedError
from landed.domain.users import Backoff, User, WebSession, valid_name, valid_password
from landed.services.passwords import Passwords
from landed.store import sign_in_failures, users, web_sessions
from landed.store.accounts import Pool
from landed.store.sealing import Sealer

#: A browser nobody uses is signed out after the first, and any browser after the second.
IDLE_MAX: Final = timedelta(hours=12)
SESSION_MAX: Final = timedelta(days=7)
_SEEN_EVERY: Final = timedelta(minutes=1)
#: Failures longer ago than this count no more.
_FORGET_AFTER: Final = timedelta(hours=24)
#: Longer ones are wrong without a look: hashing what a stranger sends must stay cheap.
_CHARACTERS_LOOKED_AT_MAX: Final = 1024
_BY_USER: Final = Backoff(free=5, delay_max=timedelta(minutes=15))
_BY_ADDRESS: Final = Backoff(free=20, delay_max=timedelta(minutes=15))


class SignInRefused(LandedError):
    """Name and password do not fit. Which of them is wrong is not told; `name` is for the audit log, of users only:
    some type their password there."""

    code = "sign_in_refused"

    def __init__(self, message: str, *, name: str | None = None) -> None:
        super().__init__(message)
        self.name = name


class SignInThrottled(LandedError):
    """Too many wrong passwords. `retry_after_s` is how long to wait."""

    code = "sign_in_throttled"
    retryable = True

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """`token` goes into the session's cookie, `known` into the one by which the browser is known at the next time."""

    user: User
    token: str
    known: str


class SigningIn:
    def __init__(
        self,
        pool: Pool,
        sealer: Sealer,
        passwords: Passwords,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._pool = pool
        self._sealer = sealer
        self.passwords = passwords
        self._clock = clock

    async def by_password(
        self, name: str, password: str, *, address: str | None, browser: str, known: str | None
    ) -> SignedIn:
        """Sign in.

        Args:
            known: the cookie of a browser that was signed in before.

        Raises:
            SignInRefused: name and password do not fit, or the user is shut out.
            SignInThrottled: it has to wait; the password was not looked at.
        """
        name = name.strip().lower()[:64]
        if known and self._is_known(known, name):
            subject, backoffs = f"known:{known}", {f"known:{known}": _BY_USER}
        else:
            subject, backoffs = f"user:{name}", {f"user:{name}": _BY_USER, _of_address(address): _BY_ADDRESS}
        await self._begin(backoffs)
        found = await users.find(self._pool, name) if "\x00" not in name else None
        user, kept = found or (None, None)
        is_right = len(password) <= _CHARACTERS_LOOKED_AT_MAX and await self.passwords.check(password, kept)
        if user is None or kept is None or not is_right or user.disabled_at is not None:
            raise SignInRefused("That name and password do not fit together.", name=user.name if user else None)
        if self.passwords.is_outdated(kept):
            await users.set_password(self._pool, name, await self.passwords.hash(password))
        await self._forgive(subject, backoffs)
        return await self.open_session(user, address=address, browser=browser)

    async def by_link(self, token: str, *, address: str | None, browser: str) -> SignedIn:
        """Raises SignInRefused where the link is over, was used, or is none."""
        user = await users.use_link(self._pool, token, self._clock())
        if user is None:
            raise SignInRefused("This link was used already, or its time is over.")
        return await self.open_session(user, address=address, browser=browser)

    async def as_first(self, token: str, name: str, password: str, *, address: str | None, browser: str) -> SignedIn:
        """Make the first administrator by the link that was printed at the start, and sign in.

        Raises:
            InputInvalid: name or password cannot be used; the link still can.
            SignInRefused: the link is over, or there are users already.
        """
        name, password = valid_name(name), valid_password(password, name)
        if not await self.is_start(token):  # strangers are not to make us hash
            raise SignInRefused("This link was used already, or its time is over.")
        password_hash = await self.passwords.hash(password)
        user = await users.add_first(self._pool, token=token, name=name, password_hash=password_hash, now=self._clock())
        if user is None:
            raise SignInRefused("This link was used already, or its time is over.")
        return await self.open_session(user, address=address, browser=browser)

    async def is_start(self, token: str) -> bool:
        """Whether that link makes the first administrator."""
        return await users.is_start(self._pool, token, self._clock())

    async def nobody_yet(self) -> bool:
        return not await users.exist(self._pool)

    async def open_session(self, user: User, *, address: str | None, browser: str) -> SignedIn:
        now = self._clock()
        token = await web_sessions.open_session(
            self._pool, user=user, address=address, browser=browser, now=now, **_limits(now)
        )
        await users.note_signed_in(self._pool, user.id, now)
        return SignedIn(user=user, token=token, known=self._known(user.name, users.new_token()[0]))

    async def session(self, token: str) -> WebSession | None:
        """Who is signed in with that cookie; that the browser was seen is noted now and then."""
        now = self._clock()
        session = await web_sessions.find(self._pool, token, **_limits(now))
        if session is not None and now - session.seen_at >= _SEEN_EVERY:
            await web_sessions.seen(self._pool, session.id, now)
        return session

    async def sessions(self, user: User) -> list[WebSession]:
        """All browsers that user is signed in with, the last seen first."""
        return await web_sessions.of_user(self._pool, user.id, **_limits(self._clock()))

    async def sign_out(self, token: str) -> None:
        await web_sessions.close(self._pool, token)

    async def sign_out_one(self, user: User, session_id: int) -> bool:
        return await web_sessions.close_one(self._pool, session_id, user.id)

    async def sign_out_everywhere(self, user: User) -> None:
        await web_sessions.close_all(self._pool, user.id)

    async def change_password(self, session: WebSession, old: str, new: str) -> None:
        """Give oneself another password; all other browsers are signed out.

        Raises:
            InputInvalid: the old one is wrong, or the new one cannot be used.
            SignInThrottled: there were too many wrong ones.
        """
        name = session.user.name
        valid_password(new, name)
        found = await users.find(self._pool, name)
        kept = found[1] if found else None
        if kept is not None:
            await self._prove(f"session:{session.id}", old, kept)
        await users.set_password(self._pool, name, await self.passwords.hash(new))
        await web_sessions.close_all(self._pool, session.user.id, but=session.id)

    async def _prove(self, subject: str, password: str, kept: str) -> None:
        await self._begin({subject: _BY_USER})
        if len(password) > _CHARACTERS_LOOKED_AT_MAX or not await self.passwords.check(password, kept):
            raise InputInvalid("This is not your password of now.", field="old_password")
        await self._forgive(subject, [subject])

    async def _begin(self, backoffs: Mapping[str, Backoff]) -> None:
        """Count a try in advance, or raise SignInThrottled."""
        now = self._clock()
        hashed = {_hashed(subject): backoff for subject, backoff in backoffs.items()}
        free_at = await sign_in_failures.begin(self._pool, hashed, now, _FORGET_AFTER)
        if free_at is not None:
            wait_s = max(1.0, (free_at - now).total_seconds())
            raise SignInThrottled(
                f"There were too many wrong passwords. Try again in {ceil(wait_s)} seconds.", retry_after_s=wait_s
            )

    async def _forgive(self, subject: str, subjects: Iterable[str]) -> None:
        others = [_hashed(each) for each in subjects if each != subject]
        await sign_in_failures.forgive(self._pool, _hashed(subject), others, self._clock())

    def csrf_token(self, secret: str) -> str:
        """What forms carry: it fits the cookie of this browser alone."""
        return self._sealer.digest(f"csrf {secret}").hex()

    def is_csrf_token(self, given: str, secret: str) -> bool:
        return hmac.compare_digest(given.encode("utf-8", "replace"), self.csrf_token(secret).encode())

    def _known(self, name: str, nonce: str) -> str:
        return f"{nonce}.{self._sealer.digest(f'known {nonce} {name}').hex()}"

    def _is_known(self, known: str, name: str) -> bool:
        nonce = known.partition(".")[0]
        return hmac.compare_digest(known.encode("utf-8", "replace"), self._known(name, nonce).encode())


def _limits(now: datetime) -> dict[str, datetime]:
    return {"born_after": now - SESSION_MAX, "seen_after": now - IDLE_MAX}


def _hashed(subject: str) -> str:
    """Of one length, whatever a stranger gives for a name."""
    return users.digest(subject).hex()


def _of_address(address: str | None) -> str:
    """The address, and of IPv6 the network that one customer has."""
    if address and ":" in address:
        return f"address:{ipaddress.ip_network(f'{address}/64', strict=False)}"
    return f"address:{address}"
