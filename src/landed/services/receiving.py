"""Take callbacks in: know whose they are, keep them in groups, and remember what was refused.

`Directory` tells the account of a path and is kept fresh by `DirectoryKeeper`; `Committer` writes what was accepted,
many callbacks with one commit; `Refusals` counts what was not and keeps a sample of it. All of it serves
web/callbacks.py, where tens of thousands of requests a second pass: no lookup here touches the database.
"""

import asyncio
import contextlib
import math
import time
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

import structlog

from landed.domain import addresses
from landed.domain.accounts import Account, PathRole, TokenRole
from landed.domain.errors import Overloaded, StoreUnavailable
from landed.journal.base import Accepted, Journal
from landed.providers.base import Credentials, Provider
from landed.services import callers
from landed.services.callers import Guard, Hosts
from landed.store import listening
from landed.store.accounts import CHANGED
from landed.store.refusals import Refused

_log = structlog.get_logger()
_STOPPING: Final = "Landed is stopping."


# --- whose callback is it ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An account as the door knows it."""

    account_id: int
    provider: Provider
    credentials: Credentials
    guard: Guard | None = None  #: who may call; None: anybody


class Directory:
    """Accounts by path, in memory. Replaced as a whole, so that a reader never sees half of a change."""

    def __init__(self, providers: Mapping[str, Provider], clock: Callable[[], float] = time.time) -> None:
        self.loaded = False
        self._providers = providers
        self._clock = clock
        self._accounts: Sequence[Account] = ()
        self._by_key: Mapping[str, Entry] = {}
        self._by_path: Mapping[str, Entry] = {}
        self._by_account: Mapping[int, Provider] = {}
        self._valid_until = math.inf
        self._hosts: Hosts = {}
        #: Host names among the addresses that accounts allow; HostKeeper looks them up, and is told when they change.
        self.host_names: frozenset[str] = frozenset()
        self.host_names_changed = asyncio.Event()

    def replace(self, accounts: Sequence[Account], providers: Mapping[str, Provider] | None = None) -> None:
        """Know these accounts from now on, and no others."""
        self._accounts = accounts
        self._providers = self._providers if providers is None else providers
        self._build()
        self.loaded = True
        allowed = {each for account in accounts for each in account.allowed_addresses}
        host_names = frozenset(each for each in allowed if addresses.network(each) is None)
        if host_names != self.host_names:
            self.host_names = host_names
            self.host_names_changed.set()

    def resolve(self, hosts: Hosts) -> None:
        """Know these addresses of host names from now on, and no others."""
        self._hosts = hosts
        self._build()

    def by_key(self, key: str) -> Entry | None:
        """The account of /callbacks/{key}."""
        if self._clock() >= self._valid_until:
            self._build()
        return self._by_key.get(key)

    def by_path(self, path: str) -> Entry | None:
        """The account with this path of its own. A slash at the end makes no difference, the signature decides."""
        if self._clock() >= self._valid_until:
            self._build()
        return self._by_path.get(path.rstrip("/"))

    def provider_of(self, account_id: int) -> Provider | None:
        return self._by_account.get(account_id)

    def name_of(self, account_id: int) -> str | None:
        return next((account.name for account in self._accounts if account.id == account_id), None)

    def _build(self) -> None:
        """Enter what is live now, until the next token or path expires: an old secret ends on time
        even while the database is away."""
        now = self._clock()
        expiries = [math.inf]
        by_key: dict[str, Entry] = {}
        by_path: dict[str, Entry] = {}
        by_account: dict[int, Provider] = {}

        def is_live(expires_at: datetime | None) -> bool:
            if expires_at is None:
                return True
            expiry = expires_at.timestamp()
            if expiry > now:
                expiries.append(expiry)
            return expiry > now

        for account in self._accounts:
            provider = self._providers.get(account.provider)
            if provider is None:
                _log.warning("account_skipped", account=account.name, unknown_provider=account.provider)
                continue
            by_account[account.id] = provider
            if account.disabled_at is not None:
                continue
            live = [token for token in account.tokens if is_live(token.expires_at)]
            # A password is no key to sign with: whoever may call cannot for that reason also sign.
            auth_tokens = tuple(token.value for token in live if token.role != TokenRole.BASIC)
            basic = [token.value for token in live if token.role == TokenRole.BASIC]
            entry = Entry(
                account_id=account.id,
                provider=provider,
                credentials=Credentials(auth_tokens=auth_tokens, policy=account.policy),
                guard=callers.guard(account.allowed_addresses, basic, self._hosts),
            )
            for path in account.paths:
                if is_live(path.expires_at):
                    if path.role == PathRole.KEY:
                        by_key[path.value] = entry
                    else:
                        by_path[path.value.rstrip("/")] = entry
        self._by_key, self._by_path, self._by_account = by_key, by_path, by_account
        self._valid_until = min(expiries)


class DirectoryKeeper:
    """Keeps a directory fresh: by notification, by the clock, and when somebody asks for a key it does not know.

    While the database is away the last accounts stay in place.
    """

    EVERY_S: Final = 10.0
    #: While nothing could be loaded, and after a failure.
    AGAIN_S: Final = 0.5
    #: Unknown keys make it look again at most this often, however many there are,
    UNKNOWN_EVERY_S: Final = 1.0
    #: and whoever asked waits for at most this long.
    UNKNOWN_WAIT_S: Final = 2.0

    def __init__(
        self,
        directory: Directory,
        load: Callable[[], Awaitable[Sequence[Account]]],
        database_url: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._directory = directory
        self._load = load
        self._database_url = database_url
        self._clock = clock
        self._changed = asyncio.Event()
        self._loading: asyncio.Task[None] | None = None
        self._loaded_at = -math.inf
        self._is_fresh = False

    async def run(self) -> None:
        """Keep it fresh until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen(), name="accounts-listener")
            while True:
                self._changed.clear()
                await self.load()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self.EVERY_S if self._is_fresh else self.AGAIN_S):
                        await self._changed.wait()

    async def load(self) -> bool:
        """Load all accounts anew, from a moment after this call. False: the database is away."""
        if self._loading is not None:
            await asyncio.wait({self._loading})
        if self._loading is None or self._loading.done():
            self._loading = asyncio.create_task(self._load_now())
        await asyncio.wait({self._loading})
        return self._is_fresh

    async def look_again(self) -> bool:
        """Somebody asked for what the directory does not have. False: we cannot know now whether it exists."""
        if self._loading is None or self._loading.done():
            if self._clock() - self._loaded_at < self.UNKNOWN_EVERY_S:
                return self._is_fresh
            self._loading = asyncio.create_task(self._load_now())
        done, _ = await asyncio.wait({self._loading}, timeout=self.UNKNOWN_WAIT_S)
        return bool(done) and self._is_fresh

    async def _load_now(self) -> None:
        try:
            self._directory.replace(await self._load())
        except StoreUnavailable as error:
            if self._is_fresh or not self._directory.loaded:
                _log.warning("accounts_not_loaded", reason=str(error))
            self._is_fresh = False
        else:
            self._is_fresh = True
        finally:
            self._loaded_at = self._clock()

    async def _listen(self) -> None:
        while True:
            with contextlib.suppress(StoreUnavailable):
                async for _ in listening.notifications(self._database_url, CHANGED):
                    self._changed.set()
            await asyncio.sleep(self.AGAIN_S)


# --- keep it -----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Durations:
    """A histogram for /metrics: `counts[i]` took at most `bounds_s[i]`, the last one longer than all."""

    bounds_s: tuple[float, ...] = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
    counts: list[int] = field(default_factory=lambda: [0] * 14)
    sum_s: float = 0.0

    def add(self, duration_s: float) -> None:
        self.counts[bisect_left(self.bounds_s, duration_s)] += 1
        self.sum_s += duration_s


#: Called once with nothing when a callback is on disk, or with the reason why it is not.
Done = Callable[[StoreUnavailable | None], None]


class _Waiting(NamedTuple):
    callback: Accepted
    done: Done
    size: int


#: Those that were told already are None.
_Batch = list[_Waiting | None]


class Committer:
    """Group commit: takes all callbacks that wait and appends them to the journal with one commit.

    While the database is away everybody is refused at once, and it is tried again until it is back.
    """

    #: Longest a commit may take. Providers give up after about 5 to 15 s; a frozen database never answers.
    COMMIT_S_MAX: Final = 10.0
    REOPEN_S: Final = (0.1, 0.2, 0.5, 1.0, 2.0)
    #: What a waiting callback takes besides its bytes: tuple, future, task, connection's buffers.
    OVERHEAD_BYTES: Final = 2_000
    #: So many do not wait for more to come.
    WORTH_A_COMMIT: Final = 64
    #: Fewer do for so many turns of the event loop, of 0.1 to 1 ms each.
    TURNS_MAX: Final = 5
    #: After a commit this many are told at a time, so that the next commit is not kept waiting by answers.
    TOLD_AT_ONCE: Final = 32

    def __init__(
        self,
        journal: Journal,
        *,
        waiting_max: int,
        waiting_bytes_max: int,
        batch_max: int = 2000,
        batch_bytes_max: int = 4 * 1024 * 1024,
    ) -> None:
        self._journal = journal
        self._waiting_max = waiting_max
        self._waiting_bytes_max = waiting_bytes_max
        self._batch_max = batch_max
        self._batch_bytes_max = batch_bytes_max
        self._queue: _Batch = []
        self._queue_bytes = 0
        self._arrived = asyncio.Event()
        self._batch: _Batch = []  #: what is being appended, and since when
        self._began = 0.0
        self._stopping = False
        #: Whether callbacks are taken now; otherwise they are refused at once.
        self.available = False
        self.waiting = 0
        self.waiting_bytes = 0
        self.acknowledged = 0
        self.refused_overloaded = 0
        self.refused_unavailable = 0
        self.batches = 0
        self.commit_durations = Durations()

    async def add(self, callback: Accepted) -> None:
        """Keep a callback; returns when it is on disk.

        Raises:
            Overloaded: at once, at the limit of waiting callbacks.
            StoreUnavailable: at once while the journal is away, or later when it cannot keep this one.
        """
        kept: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def done(failure: StoreUnavailable | None) -> None:
            if kept.done():
                return
            if failure is None:
                kept.set_result(None)
            else:
                kept.set_exception(failure)

        self.enter(callback, done)
        await kept

    def enter(self, callback: Accepted, done: Done) -> None:
        """The same without waiting: `done` is called when it is on disk, or cannot be kept."""
        if not self.available:
            self.refused_unavailable += 1
            raise StoreUnavailable("The journal is away.")
        size = len(callback.body) + len(callback.headers) + len(callback.url) + self.OVERHEAD_BYTES
        if self.waiting >= self._waiting_max or self.waiting_bytes + size > self._waiting_bytes_max:
            self.refused_overloaded += 1
            raise Overloaded(f"{self.waiting} callbacks wait to be kept.")
        if not self._queue:
            self._arrived.set()
        self._queue.append(_Waiting(callback, done, size))
        self._queue_bytes += size
        self.waiting += 1
        self.waiting_bytes += size

    async def run(self) -> None:
        """Commit until cancelled; then what waits is still committed, and nothing new is taken."""
        try:
            while True:
                if not self.available:
                    await self._open()
                await self._arrived.wait()
                self._arrived.clear()
                while self._queue and self.available:
                    await self._commit()
        finally:
            self._stopping = True
            while self._queue and self.available:
                await self._commit()
            self._fail_all(_STOPPING)

    def _next_batch(self) -> _Batch:
        queue = self._queue
        if len(queue) <= self._batch_max and self._queue_bytes <= self._batch_bytes_max:
            self._queue, self._queue_bytes = [], 0
            return queue
        count = size = 0
        for waiting in queue[: self._batch_max]:
            if waiting is None or (count and size + waiting.size > self._batch_bytes_max):
                break
            size += waiting.size
            count += 1
        self._queue, self._queue_bytes = queue[count:], self._queue_bytes - size
        return queue[:count]

    async def _commit(self) -> None:
        """Commit what waits, batch after batch, until nothing does.

        A task of its own does it, so that neither a frozen database nor our own end cuts it short. It is one for all
        of them: under load the event loop would take in requests for milliseconds before it began the next.
        """
        self._began = time.perf_counter()  # until the task itself begins
        appending = asyncio.create_task(self._append_all())
        try:
            while not appending.done() and (left := self._began + self.COMMIT_S_MAX - time.perf_counter()) > 0:
                await asyncio.wait({appending}, timeout=left)
        except asyncio.CancelledError:
            self._stopping = True
            done, _ = await asyncio.wait({appending}, timeout=self.COMMIT_S_MAX)
            if not done:
                self._tell(self._batch, 0, len(self._batch), _STOPPING)
            raise
        if not appending.done():
            self._tell(self._batch, 0, len(self._batch), "The journal does not answer.")
            self._fail_all("The journal does not answer.")
            for _ in range(2):  # the first makes the driver ask the server to stop, the second lets go of that too
                appending.cancel()
                await asyncio.wait({appending}, timeout=6.0)

    async def _append_all(self) -> None:
        while self._queue and self.available:
            self._began = time.perf_counter()
            await self._let_more_come()
            self._batch = self._next_batch()
            await self._append(self._batch, 0, len(self._batch))
            if self._stopping:
                return

    async def _let_more_come(self) -> None:
        """Take in first what has arrived: a commit costs as much as ten callbacks. The first turn of the event loop
        that brings nothing is the last."""
        for _ in range(self.TURNS_MAX):
            waiting = len(self._queue)
            if waiting >= self.WORTH_A_COMMIT or self._stopping:
                return
            await asyncio.sleep(0)
            if len(self._queue) == waiting:
                return

    async def _append(self, batch: _Batch, start: int, end: int) -> None:
        began = time.perf_counter()
        try:
            await self._journal.append([waiting.callback for waiting in batch[start:end] if waiting is not None])
        except StoreUnavailable as error:
            self._tell(batch, start, end, str(error))
            self._fail_all(str(error))
        except Exception:
            # Something of ours, or a callback that no table takes: halves, so that only that one is refused.
            if end - start > 1:
                middle = (start + end) // 2
                await self._append(batch, start, middle)
                await self._append(batch, middle, end)
            else:
                _log.exception("callback_not_kept")
                self._tell(batch, start, end, "This callback cannot be kept.")
        else:
            self.commit_durations.add(time.perf_counter() - began)
            self.batches += 1
            self.acknowledged += end - start
            if self._stopping:
                self._tell(batch, start, end, None)
            else:  # where many wait, once the next batch is on its way: the journal has nothing to do until then
                asyncio.get_running_loop().call_soon(self._tell_in_turns, batch, start, end)

    def _tell_in_turns(self, batch: _Batch, start: int, end: int) -> None:
        turn = min(start + self.TOLD_AT_ONCE, end)
        self._tell(batch, start, turn, None)
        if turn < end:
            asyncio.get_running_loop().call_soon(self._tell_in_turns, batch, turn, end)

    def _tell(self, batch: _Batch, start: int, end: int, failure: str | None) -> None:
        for index in range(start, end):
            waiting = batch[index]
            if waiting is None:
                continue
            batch[index] = None
            self.waiting -= 1
            self.waiting_bytes -= waiting.size
            if failure is None:
                waiting.done(None)
            else:
                self.refused_unavailable += 1
                waiting.done(StoreUnavailable(failure))

    def _fail_all(self, failure: str) -> None:
        """Take nothing more until the journal is open again, and refuse what waits."""
        if self.available:
            self.available = False
            log = _log.info if failure == _STOPPING else _log.warning
            log("journal_closed", reason=failure, waiting=len(self._queue))
        queue, self._queue, self._queue_bytes = self._queue, [], 0
        self._tell(queue, 0, len(queue), failure)

    async def _open(self) -> None:
        attempts = 0
        while True:
            try:
                async with asyncio.timeout(self.COMMIT_S_MAX):
                    await self._journal.open()
            except (StoreUnavailable, TimeoutError):
                await asyncio.sleep(self.REOPEN_S[min(attempts, len(self.REOPEN_S) - 1)])
                attempts += 1
            else:
                self.available = True
                _log.info("journal_open", attempts=attempts + 1)
                return


# --- remember what was refused -----------------------------------------------------------------------------


class Refusals:
    """Counts what was refused, and keeps a sample of the latest for diagnosis.

    A flood fills neither memory nor disk: what does not fit the queue is only counted, rows are written at
    50 a second at most (800 KB with the largest bodies), and the table is a ring.
    """

    BODY_BYTES_MAX: Final = 16 * 1024
    QUEUE_MAX: Final = 300
    #: One account's flood leaves room for the others.
    QUEUE_PER_ACCOUNT_MAX: Final = 100
    FLUSH_ROWS_MAX: Final = 100
    FLUSH_S: Final = 0.5
    ROW_S: Final = 0.02
    COUNTS_S: Final = 5.0

    def __init__(
        self,
        write: Callable[[Sequence[Refused]], Awaitable[None]],
        add: Callable[[Mapping[tuple[int, str], int]], Awaitable[None]] | None = None,
    ) -> None:
        """`add` takes what was counted since the last time, by account id (0: none we know) and reason."""
        self._write = write
        self._add = add
        self._added_at = -self.COUNTS_S
        self._to_add: Counter[tuple[int, str]] = Counter()
        self._queue: deque[Refused] = deque()
        self._queued: Counter[int] = Counter()
        #: By account id (None where the key was unknown) and reason.
        self.counts: Counter[tuple[int | None, str]] = Counter()
        #: Refused, but not kept for diagnosis.
        self.unkept = 0

    def count(self, account_id: int | None, reason: str) -> None:
        self.counts[account_id, reason] += 1
        self._to_add[account_id or 0, reason] += 1

    def has_room(self, account_id: int) -> bool:
        """Whether `keep` would keep one, to save the work of building it."""
        return len(self._queue) < self.QUEUE_MAX and self._queued[account_id] < self.QUEUE_PER_ACCOUNT_MAX

    def keep(self, refused: Refused) -> None:
        if not self.has_room(refused.account_id):
            self.unkept += 1
            return
        self._queued[refused.account_id] += 1
        self._queue.append(refused._replace(body=refused.body[: self.BODY_BYTES_MAX]))

    async def run(self) -> None:
        """Write until cancelled, and then once more."""
        try:
            while True:
                written = await self.flush()
                if time.monotonic() - self._added_at >= self.COUNTS_S:
                    await self.flush_counts()
                await asyncio.sleep(max(self.FLUSH_S, written * self.ROW_S))
        finally:
            async with asyncio.timeout(2.0):
                await self.flush()
                await self.flush_counts()

    async def flush(self) -> int:
        """Write what is queued, up to FLUSH_ROWS_MAX; how many that was. While the database is away they are let go."""
        rows = [self._queue.popleft() for _ in range(min(len(self._queue), self.FLUSH_ROWS_MAX))]
        self._queued.subtract(row.account_id for row in rows)
        if rows:
            try:
                await self._write(rows)
            except StoreUnavailable:
                self.unkept += len(rows)
        return len(rows)

    async def flush_counts(self) -> None:
        """Add what was counted to what all processes count. While the database is away it waits: words are few."""
        self._added_at = time.monotonic()
        if self._add is None or not self._to_add:
            return
        counts, self._to_add = self._to_add, Counter()
        try:
            await self._add(counts)
        except StoreUnavailable:
            self._to_add += counts
