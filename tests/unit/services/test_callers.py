"""Who may call an account's callback address: by address, by host name, by HTTP Basic."""

import asyncio
import base64
from collections.abc import Mapping, Sequence
from ipaddress import ip_address

import pytest

from landed.domain.addresses import Address
from landed.domain.errors import AddressesUnresolved, CallerNotAllowed
from landed.services import callers
from landed.services.callers import Guard, HostKeeper, Hosts

HOST = "callbacksallow.routee.net"
HERE, THERE = ip_address("203.0.113.7"), ip_address("198.51.100.9")


def guard(allowed: Sequence[str] = (), basic: Sequence[str] = (), hosts: Hosts | None = None) -> Guard:
    made = callers.guard(allowed, basic, hosts or {})
    assert made is not None
    return made


def basic(text: str, scheme: str = "Basic") -> str:
    return f"{scheme} {base64.b64encode(text.encode()).decode()}"


def reason(made: Guard, caller: Address | None = HERE, authorization: str | None = None) -> str:
    with pytest.raises(CallerNotAllowed) as refused:
        made.check(caller, authorization)
    return refused.value.reason


def test_an_account_that_asks_for_nothing_has_no_guard() -> None:
    assert callers.guard((), (), {}) is None


class TestAddresses:
    @pytest.mark.parametrize("allowed", ["203.0.113.7", "203.0.113.0/24", "0.0.0.0/0", HOST])
    def test_whoever_is_on_the_list_is_let_in(self, allowed: str) -> None:
        assert guard(["192.0.2.1", allowed], hosts={HOST: frozenset({HERE})}).check(HERE, None) == ()

    @pytest.mark.parametrize("caller", [THERE, ip_address("::1"), None])
    def test_all_others_are_not(self, caller: Address | None) -> None:
        assert reason(guard(["203.0.113.0/24", HOST], hosts={HOST: frozenset({HERE})}), caller) == "address_not_allowed"

    def test_the_refusal_names_who_called(self) -> None:
        with pytest.raises(CallerNotAllowed, match=r"198\.51\.100\.9 is not among the addresses"):
            guard(["203.0.113.0/24"]).check(THERE, None)

    def test_a_host_that_was_never_looked_up_is_our_trouble_and_not_the_callers(self) -> None:
        made = guard([HOST, "203.0.113.0/24"])

        assert made.check(HERE, None) == ()
        with pytest.raises(AddressesUnresolved, match=HOST):
            made.check(THERE, None)


class TestBasic:
    @pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC"])
    def test_any_live_pair_is_let_in_and_names_its_header(self, scheme: str) -> None:
        made = guard(basic=["old:secret", "new:päss:word"])

        assert made.check(None, basic("old:secret", scheme)) == ("authorization",)
        assert made.check(THERE, basic("new:päss:word", scheme)) == ("authorization",)

    @pytest.mark.parametrize("authorization", [None, ""])
    def test_without_credentials_it_says_so(self, authorization: str | None) -> None:
        assert reason(guard(basic=["user:secret"]), authorization=authorization) == "basic_missing"

    @pytest.mark.parametrize(
        "authorization",
        [
            basic("user:other"),
            basic("user:secret "),
            basic(""),
            basic("user:secret", "Bearer"),
            "Basic",
            "Basic user:secret",
            "Basic ÿ===",
            basic("user:secret") + "=",
            "Basic " + "A" * 10_000,
        ],
    )
    def test_wrong_credentials_are_refused_without_showing_any(self, authorization: str) -> None:
        made = guard(basic=["user:secret"])

        assert reason(made, authorization=authorization) == "basic_mismatch"
        assert "secret" not in repr(made)

    def test_address_and_credentials_are_both_asked_for(self) -> None:
        made = guard(["203.0.113.7"], ["user:secret"])

        assert made.check(HERE, basic("user:secret")) == ("authorization",)
        assert reason(made, THERE, basic("user:secret")) == "address_not_allowed"
        assert reason(made, HERE) == "basic_missing"


class Names:
    """Host names that can be looked up, or not."""

    def __init__(self, **known: Address) -> None:
        self.known = known
        self.told: list[Mapping[str, frozenset[Address]]] = []
        self.wanted = frozenset(known)
        self.changed = asyncio.Event()

    async def look_up(self, name: str) -> frozenset[Address]:
        if name not in self.known:
            raise OSError("no such host")
        return frozenset({self.known[name]})

    def keeper(self) -> HostKeeper:
        return HostKeeper(lambda: self.wanted, self.changed, self.told.append, self.look_up)


class TestHostKeeper:
    def test_tells_what_hosts_stand_for_and_only_news(self) -> None:
        async def main() -> None:
            names = Names(a=HERE, b=THERE)
            keeper = names.keeper()

            assert [await keeper.refresh(), await keeper.refresh()] == [True, True]
            assert names.told == [{"a": {HERE}, "b": {THERE}}]
            names.known["a"] = THERE
            await keeper.refresh()
            assert names.told[1:] == [{"a": {THERE}, "b": {THERE}}]

        asyncio.run(main())

    def test_the_last_addresses_stay_while_a_host_cannot_be_looked_up(self) -> None:
        async def main() -> None:
            names = Names(a=HERE)
            keeper = names.keeper()
            await keeper.refresh()
            names.known.clear()

            assert not await keeper.refresh()
            assert names.told == [{"a": {HERE}}]

        asyncio.run(main())

    def test_a_host_that_nobody_names_any_more_is_forgotten(self) -> None:
        async def main() -> None:
            names = Names(a=HERE, b=THERE)
            keeper = names.keeper()
            await keeper.refresh()
            names.wanted = frozenset({"b"})
            await keeper.refresh()

            assert names.told[-1] == {"b": {THERE}}

        asyncio.run(main())

    def test_looks_up_at_once_when_other_hosts_are_named(self) -> None:
        async def main() -> None:
            names = Names(a=HERE)
            names.wanted = frozenset()
            running = asyncio.create_task(names.keeper().run())
            for _ in range(5):
                await asyncio.sleep(0)
            names.wanted = frozenset({"a"})
            names.changed.set()
            async with asyncio.timeout(10):
                while not names.told:  # noqa: ASYNC110  what is asked for is a plain list of what is under test
                    await asyncio.sleep(0)
            running.cancel()
            await asyncio.wait({running})

            assert names.told == [{"a": {HERE}}]

        asyncio.run(main())
