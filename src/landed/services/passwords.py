"""Passwords: hashed with argon2id, in a thread, a few at a time, so that nobody fills our memory with them."""

import asyncio
from functools import cached_property
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from argon2 import PasswordHasher

#: OWASP's password storage cheat sheet, its least for argon2id: 19 MiB, two passes, one lane. Measured 25 ms here.
MEMORY_KIB: Final = 19 * 1024
PASSES: Final = 2
_AT_ONCE_MAX: Final = 2


class Passwords:
    """Hashes and checks. Where its parameters change, a password is hashed anew when it is next right."""

    def __init__(self, *, memory_kib: int = MEMORY_KIB, passes: int = PASSES) -> None:
        self._memory_kib = memory_kib
        self._passes = passes
        self._free = asyncio.Semaphore(_AT_ONCE_MAX)
        self._nobodys: str | None = None

    async def hash(self, password: str) -> str:
        async with self._free:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def check(self, password: str, kept: str | None) -> bool:
        """Whether that is the password. Takes as long where there is none (None), and says no."""
        if kept is None:
            self._nobodys = self._nobodys or await self.hash("of nobody")
        async with self._free:
            is_right = await asyncio.to_thread(self._verify, kept or self._nobodys or "", password)
        return is_right and kept is not None

    def is_outdated(self, kept: str) -> bool:
        return self._hasher.check_needs_rehash(kept)

    def _verify(self, kept: str, password: str) -> bool:
        from argon2.exceptions import InvalidHashError, VerificationError

        try:
            return self._hasher.verify(kept, password)
        except (VerificationError, InvalidHashError):
            return False

    @cached_property
    def _hasher(self) -> "PasswordHasher":
        from argon2 import PasswordHasher

        return PasswordHasher(time_cost=self._passes, memory_cost=self._memory_kib, parallelism=1)
