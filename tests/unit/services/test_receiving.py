"""Whose callback it is, group commit, and what is remembered of refusals."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

import pytest

from landed.domain.accounts import Account, CallbackPath, PathRole, Token, TokenRole
from landed.domain.errors import Overloaded, StoreUnavailable
from landed.journal.base import Accepted, Backlog, Batch
from landed.providers import registry
from landed.services.receiving import Committer, Directory, DirectoryKeeper, Refusals
from landed.store.refusals import Refused

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def account(
    *,
    tokens: Sequence[Token] = (),
    paths: Sequence[CallbackPath] = (),
    disabled_at: datetime | None = None,
    allowed_addresses: Sequence[str] = (),
) -> Account:
    return Account(
        id=7,
        name="main",
        provider="plivo",
        provider_account_id="MA1",
        policy="v3-preferred",
        tokens=tuple(tokens),
        paths=tuple(paths),
        created_at=NOW,
        disabled_at=disabled_at,
        allowed_addresses=tuple(allowed_addresses),
    )


def token(value: str, expires_at: datetime | None = None, role: TokenRole = TokenRole.ACCOUNT) -> Token:
    return Token(id=1, role=role, value=value, expires_at=expires_at)


def path(role: PathRole, value: str, expires_at: datetime | None = None) -> CallbackPath:
    return CallbackPath(id=1, role=role, value=value, expires_at=expires_at)


def callback(number: int = 1, body: bytes = b"") -> Accepted:
    return Accepted(NOW, 7, "POST", f"https://x.test/{number}", None, None, b"", body, "")


class Clock:
    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now.timestamp()


class FakeJournal:
    """Keeps what it is given, or does what it is told: fail, wait, refuse one poisonous callback."""

    lanes = 1

    def __init__(self) -> None:
        self.batches: list[list[Accepted]] = []
        self.is_away = False
        self.opened = 0
        self.asked = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.poison = b"poison"

    async def open(self) -> None:
        if self.is_away:
            raise StoreUnavailable("away")
        self.opened += 1

    async def close(self) -> None: ...

    async def append(self, callbacks: Sequence[Accepted]) -> None:
        self.asked += 1
        await self.gate.wait()
        if self.is_away:
            raise StoreUnavailable("away")
        if any(one.body == self.poison for one in callbacks):
            raise ValueError("a table that does not take it")
        self.batches.append(list(callbacks))

    async def read(self, lane: int, after: str, limit: int) -> Batch:
        raise NotImplementedError

    async def backlog(self, lane: int, after: str) -> Backlog:
        raise NotImplementedError

    async def wait(self, timeout_s: float) -> bool:
        raise NotImplementedError


def run(test: Callable[[Committer, FakeJournal, "asyncio.Task[None]"], Awaitable[None]], **limits: int) -> None:
    """A committer at work on a fake journal."""

    async def main() -> None:
        journal = FakeJournal()
        committer = Committer(journal, **{"waiting_max": 100, "waiting_bytes_max": 1 << 20} | limits)
        committer.REOPEN_S = (0.001,) * 5  # type: ignore[misc]
        task = asyncio.create_task(committer.run())
        await until(lambda: committer.available)
        async with asyncio.timeout(10):
            await test(committer, journal, task)
        task.cancel()
        await asyncio.wait({task})
        assert committer.waiting == 0
        assert committer.waiting_bytes == 0

    asyncio.run(main())


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  what is asked for is a plain number of what is under test
            await asyncio.sleep(0)


class TestDirectory:
    def test_finds_an_account_by_key_and_by_its_own_path_with_and_without_a_slash(self) -> None:
        directory = Directory(registry.load(), Clock())
        directory.replace([account(paths=[path(PathRole.KEY, "k1"), path(PathRole.OWN, "/plivo/status")])])

        entries = [directory.by_key("k1"), directory.by_path("/plivo/status"), directory.by_path("/plivo/status/")]

        assert [entry and entry.account_id for entry in entries] == [7, 7, 7]
        assert directory.by_key("k2") is None
        assert directory.by_key("/plivo/status") is None
        assert directory.by_path("k1") is None

    def test_both_paths_and_both_tokens_are_live_while_they_are_rotated(self) -> None:
        clock = Clock()
        soon = NOW + timedelta(hours=1)
        directory = Directory(registry.load(), clock)
        directory.replace([account(
            tokens=[token("old", soon), token("new")],
            paths=[path(PathRole.KEY, "k-old", soon), path(PathRole.KEY, "k-new")],
        )])  # fmt: skip

        before = directory.by_key("k-old")
        clock.now = soon
        after = directory.by_key("k-new")

        assert before is not None
        assert before.credentials.auth_tokens == ("old", "new")
        assert after is not None
        assert after.credentials.auth_tokens == ("new",)
        assert directory.by_key("k-old") is None

    def test_a_disabled_account_takes_nothing_but_its_provider_stays_known(self) -> None:
        directory = Directory(registry.load(), Clock())
        directory.replace([account(paths=[path(PathRole.KEY, "k1")], disabled_at=NOW)])

        assert directory.by_key("k1") is None
        assert directory.provider_of(7) is not None
        assert directory.provider_of(8) is None

    def test_is_not_loaded_before_it_was_given_accounts(self) -> None:
        directory = Directory(registry.load())
        assert not directory.loaded
        directory.replace([])
        assert directory.loaded

    def test_secrets_are_not_in_what_it_prints(self) -> None:
        directory = Directory(registry.load())
        tokens = [token("top-secret"), token("user:top-secret", role=TokenRole.BASIC)]
        directory.replace([account(tokens=tokens, paths=[path(PathRole.KEY, "k1")])])
        assert "top-secret" not in repr(directory.by_key("k1"))

    def test_only_an_account_with_addresses_or_credentials_has_a_guard(self) -> None:
        directory = Directory(registry.load(), Clock())
        lasting, ending = (token(value, at, TokenRole.BASIC) for value, at in (("a:b", None), ("c:d", NOW)))

        def guard_of(**changed: Any) -> Any:
            directory.replace([account(paths=[path(PathRole.KEY, "k1")], **changed)])
            entry = directory.by_key("k1")
            assert entry is not None
            return entry.guard

        assert guard_of(tokens=[token("signs")]) is None
        assert guard_of(tokens=[ending]) is None
        assert guard_of(tokens=[lasting, ending]).basic == ("a:b",)
        assert guard_of(allowed_addresses=["203.0.113.7"]).networks is not None

    def test_credentials_of_callers_are_no_keys_to_sign_with(self) -> None:
        directory = Directory(registry.load(), Clock())
        tokens = [token("signs"), token("user:word", role=TokenRole.BASIC)]
        directory.replace([account(tokens=tokens, paths=[path(PathRole.KEY, "k1")])])

        entry = directory.by_key("k1")

        assert entry is not None
        assert entry.credentials.auth_tokens == ("signs",)

    def test_tells_when_other_host_names_are_to_be_looked_up_and_knows_what_they_stand_for(self) -> None:
        directory = Directory(registry.load(), Clock())
        listed = account(paths=[path(PathRole.KEY, "k1")], allowed_addresses=["203.0.113.0/24", "a.example.com"])

        directory.replace([listed])
        assert (set(directory.host_names), directory.host_names_changed.is_set()) == ({"a.example.com"}, True)
        directory.host_names_changed.clear()
        directory.replace([listed])
        assert not directory.host_names_changed.is_set()
        directory.resolve({"a.example.com": frozenset({ip_address("198.51.100.9")})})

        entry = directory.by_key("k1")
        assert entry is not None
        assert entry.guard is not None
        assert (set(entry.guard.hosts), entry.guard.unresolved) == ({ip_address("198.51.100.9")}, ())


class TestDirectoryKeeper:
    def test_unknown_keys_make_it_look_again_once_a_second_for_all_who_ask(self) -> None:
        async def main() -> None:
            loads = 0
            now = 100.0

            async def load() -> list[Account]:
                nonlocal loads
                loads += 1
                await asyncio.sleep(0)
                return [account(paths=[path(PathRole.KEY, "k1")])]

            directory = Directory(registry.load())
            keeper = DirectoryKeeper(directory, load, "", lambda: now)

            assert await asyncio.gather(*(keeper.look_again() for _ in range(50))) == [True] * 50
            assert await keeper.look_again()
            assert loads == 1
            assert directory.by_key("k1") is not None
            now += 1.0
            assert await keeper.look_again()
            assert loads == 2

        asyncio.run(main())

    def test_keeps_the_last_accounts_and_says_so_while_the_database_is_away(self) -> None:
        async def main() -> None:
            answers: list[Any] = [StoreUnavailable("away"), [account(paths=[path(PathRole.KEY, "k1")])]]

            async def load() -> list[Account]:
                answer = answers.pop()
                if isinstance(answer, StoreUnavailable):
                    raise answer
                return list(answer)

            directory = Directory(registry.load())
            keeper = DirectoryKeeper(directory, load, "")

            assert await keeper.load()
            assert not await keeper.load()
            assert directory.by_key("k1") is not None
            assert not await keeper.look_again()

        asyncio.run(main())


def arriving(committer: Committer, turns: int) -> None:
    """One callback in each turn of the event loop."""
    committer.enter(callback(turns), lambda _: None)
    if turns > 1:
        asyncio.get_running_loop().call_soon(arriving, committer, turns - 1)


class TestCommitter:
    def test_returns_when_it_is_on_disk_and_not_before(self) -> None:
        async def test(committer: Committer, journal: FakeJournal, _: Any) -> None:
            journal.gate.clear()
            adding = asyncio.create_task(committer.add(callback()))
            for _ in range(20):
                await asyncio.sleep(0)
            assert not adding.done()
            journal.gate.set()
            await adding
            assert journal.batches == [[callback()]]
            assert committer.acknowledged == 1

        run(test)

    def test_takes_all_that_waits_with_one_commit(self) -> None:
        async def test(committer: Committer, journal: FakeJournal, _: Any) -> None:
            journal.gate.clear()
            adding = [asyncio.create_task(committer.add(callback(0)))]
            for _ in range(20):
                await asyncio.sleep(0)
            adding += [asyncio.create_task(committer.add(callback(number))) for number in range(1, 90)]
            await asyncio.sleep(0)
            journal.gate.set()
            await asyncio.gather(*adding)
            assert [len(batch) for batch in journal.batches] == [1, 89]
            assert committer.batches == 2
            assert sum(committer.commit_durations.counts) == 2

        run(test)

    def test_the_next_batch_is_on_its_way_before_those_of_the_last_are_told(self) -> None:
        async def test(committer: Committer, journal: FakeJournal, _: Any) -> None:
            asked_when_told: list[int] = []
            journal.gate.clear()
            committer.enter(callback(), lambda _: asked_when_told.append(journal.asked))
            await until(lambda: journal.asked == 1)
            for number in range(committer.WORTH_A_COMMIT):
                committer.enter(callback(number), lambda _: None)
            journal.gate.set()
            await until(lambda: len(asked_when_told) == 1)
            assert asked_when_told == [2]

        run(test)

    def test_what_comes_in_the_same_moment_is_committed_together(self) -> None:
        async def test(committer: Committer, journal: FakeJournal, _: Any) -> None:
            arriving(committer, turns=4)
            await until(lambda: committer.acknowledged == 4)
            assert [len(batch) for batch in journal.batches] == [4]

        run(test)

    def test_a_commit_does_not_wait_for_ever_for_those_that_keep_coming(self) -> None:
        async def test(committer: Committer, journal: FakeJournal, _: Any) -> None:
            arriving(committer, turns=50)
            await until(lambda: committer.acknowledged == 50)
            assert len(journal.batches) > 1

        run(test)

    @pytest.mark.parametrize("steps", range(6))
    def test_what_is_on_disk_when_it_is_stopped_is_told_so(self, steps: int) -> None:
        async def test(committer: Committer, journal: FakeJournal, task: "asyncio.Task[None]") -> None:
            told: list[StoreUnavailable | None] = []
            journal.gate.clear()
            for number in range(300):
                committer.enter(callback(number), told.append)
            await until(lambda: journal.asked == 1)
            journal.gate.set()
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            await until(lambda: len(told) == 300)
            assert told == [None] * 300

        run(test, waiting_max=300)

    def test_a_batch_has_bounds_in_number_and_bytes(self) -> None:
        async def test(committer: Committer, journal: FakeJournal, _: Any) -> None:
            bodies = [b"x" * 10_000] * 4 + [b""] * 12
            await asyncio.gather(*(committer.add(callback(body=body)) for body in bodies))
            assert sum(len(batch) for batch in journal.batches) == 16
            assert max(len(batch) for batch in journal.batches) <= 8
            assert max(sum(len(one.body) for one in batch) for batch in journal.batches) <= 30_000

        run(test, batch_max=8, batch_bytes_max=30_000)

    def test_refuses_at_once_beyond_the_limit_of_waiting_callbacks(self) -> None:
        async def test(committer: Committer, journal: FakeJournal, _: Any) -> None:
            journal.gate.clear()
            adding = [asyncio.create_task(committer.add(callback(number))) for number in range(5)]
            await asyncio.sleep(0)
            with pytest.raises(Overloaded):
                await committer.add(callback(5))
            assert committer.refused_overloaded == 1
            journal.gate.set()
            await asyncio.gather(*adding)
            await committer.add(callback(6))
            assert committer.acknowledged == 6

        run(test, waiting_max=5)

    def test_refuses_at_once_beyond_the_limit_of_waiting_bytes(self) -> None:
        async def test(committer: Committer, journal: FakeJournal, _: Any) -> None:
            with pytest.raises(Overloaded):
                await committer.add(callback(body=b"x" * 20_000))
            await committer.add(callback(body=b"x" * 10_000))

        run(test, waiting_bytes_max=15_000)

    def test_while_the_journal_is_away_all_are_refused_at_once_and_it_recovers_by_itself(self) -> None:
        async def test(committer: Committer, journal: FakeJournal, _: Any) -> None:
            journal.is_away = True
            adding = [committer.add(callback(number)) for number in range(9)]
            first = await asyncio.gather(*adding, return_exceptions=True)
            assert [type(error) for error in first] == [StoreUnavailable] * 9
            assert not committer.available
            with pytest.raises(StoreUnavailable):
                committer.enter(callback(), lambda _: None)
            assert committer.refused_unavailable == 10
            journal.is_away = False
            await until(lambda: committer.available)
            await committer.add(callback())
            assert committer.acknowledged == 1

        run(test)

    def test_one_callback_that_cannot_be_kept_takes_no_other_down(self) -> None:
        async def test(committer: Committer, journal: FakeJournal, _: Any) -> None:
            bodies = [b"good", b"good", b"poison", b"good", b"good"]
            results = await asyncio.gather(
                *(committer.add(callback(body=body)) for body in bodies), return_exceptions=True
            )
            assert [type(result) for result in results] == [type(None)] * 2 + [StoreUnavailable] + [type(None)] * 2
            assert committer.acknowledged == 4
            assert committer.available

        run(test)

    def test_commits_what_waits_when_it_is_stopped(self) -> None:
        async def test(committer: Committer, journal: FakeJournal, task: "asyncio.Task[None]") -> None:
            journal.gate.clear()
            adding = [asyncio.create_task(committer.add(callback(0)))]
            for _ in range(20):
                await asyncio.sleep(0)
            adding += [asyncio.create_task(committer.add(callback(number))) for number in range(1, 6)]
            await asyncio.sleep(0)
            task.cancel()
            for _ in range(5):
                await asyncio.sleep(0)
            journal.gate.set()
            await asyncio.gather(*adding)
            await asyncio.wait({task})
            assert sum(len(batch) for batch in journal.batches) == 6
            with pytest.raises(StoreUnavailable):
                await committer.add(callback())

        run(test)

    def test_a_journal_that_does_not_answer_is_not_waited_for_for_ever(self) -> None:
        async def test(committer: Committer, journal: FakeJournal, _: Any) -> None:
            committer.COMMIT_S_MAX = 0.01  # type: ignore[misc]
            journal.gate.clear()
            with pytest.raises(StoreUnavailable):
                await committer.add(callback())
            journal.gate.set()
            await until(lambda: committer.available)
            await committer.add(callback())
            assert committer.acknowledged == 1

        run(test)


def refused(account_id: int = 7, body: bytes = b"") -> Refused:
    return Refused(account_id, "signature_mismatch", "", NOW, "POST", "https://x.test/", b"", body, len(body))


class TestRefusals:
    def test_a_flood_is_counted_and_only_a_sample_of_it_kept(self) -> None:
        async def main() -> None:
            written: list[Refused] = []

            async def write(rows: Sequence[Refused]) -> None:
                written.extend(rows)

            refusals = Refusals(write)
            for _ in range(10_000):
                refusals.count(7, "signature_mismatch")
                refusals.keep(refused())
            refusals.keep(refused(account_id=8))

            assert await refusals.flush() == refusals.FLUSH_ROWS_MAX
            assert await refusals.flush() == 1
            assert refusals.counts[7, "signature_mismatch"] == 10_000
            assert refusals.unkept == 10_000 - refusals.QUEUE_PER_ACCOUNT_MAX
            assert [row.account_id for row in written[-2:]] == [7, 8]

        asyncio.run(main())

    def test_keeps_the_first_bytes_of_a_body_and_lets_go_while_the_database_is_away(self) -> None:
        async def main() -> None:
            written: list[Refused] = []
            is_away = False

            async def write(rows: Sequence[Refused]) -> None:
                if is_away:
                    raise StoreUnavailable("away")
                written.extend(rows)

            refusals = Refusals(write)
            refusals.keep(refused(body=b"x" * 100_000))
            await refusals.flush()
            is_away = True
            refusals.keep(refused())
            await refusals.flush()

            assert [(len(row.body), row.body_bytes) for row in written] == [(16 * 1024, 100_000)]
            assert refusals.unkept == 1

        asyncio.run(main())
