"""Passwords are hashed so that they cannot be read back, and checked in the same time whether there is one or not."""

import asyncio

import pytest

from landed.services.passwords import Passwords

pytestmark = pytest.mark.anyio


@pytest.fixture
def passwords() -> Passwords:
    return Passwords(memory_kib=64, passes=1)


async def test_the_right_password_is_right_and_no_other(passwords: Passwords) -> None:
    kept = await passwords.hash("correct horse")

    assert kept.startswith("$argon2id$")
    assert await passwords.check("correct horse", kept)
    assert not await passwords.check("correct horsE", kept)
    assert not await passwords.check("", kept)


async def test_who_has_no_password_is_let_in_with_none(passwords: Passwords) -> None:
    assert not await passwords.check("of nobody", None)
    assert not await passwords.check("", None)


@pytest.mark.parametrize("kept", ["", "x", "$argon2id$", "plain"])
async def test_what_is_no_hash_fits_no_password(passwords: Passwords, kept: str) -> None:
    assert not await passwords.check(kept, kept)


async def test_a_hash_with_other_parameters_is_outdated(passwords: Passwords) -> None:
    kept = await passwords.hash("correct horse")

    assert not passwords.is_outdated(kept)
    assert Passwords(memory_kib=128, passes=1).is_outdated(kept)


async def test_many_at_once_do_not_block_the_loop(passwords: Passwords) -> None:
    checks = asyncio.gather(*(passwords.check("x", None) for _ in range(20)))
    turns = 0
    while not checks.done():
        await asyncio.sleep(0)
        turns += 1

    assert turns > 1
    assert await checks == [False] * 20
