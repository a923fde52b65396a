"""Users of the pages: made, changed, shut out, and let in by a link that works once."""

from datetime import datetime, timedelta
from typing import Final

from landed.domain.errors import NotFound
from landed.domain.users import Role, User, valid_name, valid_password
from landed.services.passwords import Passwords
from landed.store import users, web_sessions
from landed.store.accounts import Pool

LINK_LASTS: Final = timedelta(hours=1)


async def add(pool: Pool, passwords: Passwords, *, name: str, role: Role, password: str | None) -> User:
    """A new user; without a password one that signs in by a link.

    Raises:
        InputInvalid: the name is taken, or name or password cannot be used.
    """
    name = valid_name(name)
    password_hash = None if password is None else await passwords.hash(valid_password(password, name))
    return await users.add(pool, name=name, role=role, password_hash=password_hash)


async def find(pool: Pool, name: str) -> User:
    """Raises NotFound where there is no such user."""
    found = await users.find(pool, name.strip().lower())
    if found is None:
        raise NotFound(f"There is no user {name[:64]!r}; `landed users list` shows the ones there are.")
    return found[0]


async def set_role(pool: Pool, name: str, role: Role) -> User:
    """Takes effect with the user's next request. Raises NotFound, or InputInvalid for the last administrator."""
    user = await find(pool, name)
    await users.set_role(pool, user.name, role)
    return await find(pool, user.name)


async def set_password(pool: Pool, passwords: Passwords, name: str, password: str) -> User:
    """Another's password; the user is signed out everywhere. Raises NotFound or InputInvalid."""
    user = await find(pool, name)
    await users.set_password(pool, user.name, await passwords.hash(valid_password(password, user.name)))
    await web_sessions.close_all(pool, user.id)
    return user


async def disable(pool: Pool, name: str, now: datetime) -> User:
    """Shut the user out and sign out all browsers. Raises NotFound, or InputInvalid for the last administrator."""
    user = await find(pool, name)
    await users.set_disabled(pool, user.name, now)
    await web_sessions.close_all(pool, user.id)
    return await find(pool, user.name)


async def enable(pool: Pool, name: str) -> User:
    """Let the user in again. Raises NotFound."""
    user = await find(pool, name)
    await users.set_disabled(pool, user.name, None)
    return await find(pool, user.name)


async def link(pool: Pool, name: str, now: datetime) -> str:
    """The token of a link that signs that user in, once, within the hour. Raises NotFound."""
    user = await find(pool, name)
    if user.disabled_at is not None:
        raise NotFound(f"The user {user.name!r} is shut out; `landed users enable {user.name}` lets in again.")
    return await users.add_link(pool, user_id=user.id, now=now, until=now + LINK_LASTS)


async def start_link(pool: Pool, now: datetime) -> str | None:
    """The token of a link that makes the first administrator; None: there are users already."""
    if await users.exist(pool):
        return None
    return await users.add_link(pool, user_id=None, now=now, until=now + LINK_LASTS)
