"""A provider under whose load things are killed: it signs, tries again, and remembers what was answered 200."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final
from urllib.parse import urlencode
from uuid import UUID

import httpx

from landed.providers.plivo import signatures
from tests.faults.house import PUBLIC_URL

AUTH_TOKEN: Final = "a-token-of-the-fault-tests"
PATH: Final = "/plivo/status"
#: Messages whose callbacks are shuffled together.
GROUP_MESSAGES: Final = 12
#: A field Plivo does not send: it makes each callback a fact of its own, to be found again.
TAG: Final = "FaultTag"
#: The final word and the error code, drawn evenly.
OUTCOMES: Final = (("delivered", ""), ("delivered", ""), ("undelivered", "30"), ("failed", "420"))
NUMBERS: Final = ("15550100", "447700900", "4930100")
AGAIN_AFTER_S: Final = (0.1, 0.5)
#: The server itself gives up on a commit after 10 s; a provider waits a little longer here than it would.
ANSWER_S_MAX: Final = 20.0
_FORM: Final = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Callback:
    """One status change. Told again it is the same one; `tag` is its name."""

    tag: str
    message_id: str
    status: str
    body: str


@dataclass(slots=True)
class Traffic:
    """Messages, and what is to be told of them in no good order: queued, sent and a final word, some of it twice."""

    random: Random
    #: What becomes of each message: final word and error code.
    outcomes: dict[str, tuple[str, str]] = field(default_factory=dict)
    _tags: Iterator[int] = field(default_factory=itertools.count)

    def group(self, messages: int = GROUP_MESSAGES) -> list[Callback]:
        told = [callback for _ in range(messages) for callback in self._message()]
        told += self.random.sample(told, len(told) // 8)
        self.random.shuffle(told)
        return told

    def _message(self) -> list[Callback]:
        random = self.random
        message_id = str(UUID(int=random.getrandbits(128), version=4))
        outcome = self.outcomes[message_id] = random.choice(OUTCOMES)
        recipient = f"{random.choice(NUMBERS)}{random.randrange(1000):03}"
        sent_at = datetime.now(UTC)
        statuses = (("queued", ""), ("sent", ""), outcome)
        return [
            self._callback(message_id, recipient, sent_at, sequence, *status)
            for sequence, status in enumerate(statuses, start=1)
        ]

    def _callback(
        self, message_id: str, recipient: str, sent_at: datetime, sequence: int, status: str, error_code: str
    ) -> Callback:
        tag = f"t{next(self._tags)}"
        fields = {
            "MessageUUID": message_id,
            "ParentMessageUUID": message_id,
            "PartInfo": "1 of 1",
            "Status": status,
            "From": "15550199",
            "To": recipient,
            "Units": "1",
            "TotalRate": "0.00500",
            "TotalAmount": "0.00500",
            "MCC": "310",
            "MNC": "410",
            "ErrorCode": error_code,
            "Sequence": str(sequence),
            "MessageTime": _written(sent_at),
            "QueuedTime": _written(sent_at),
            TAG: tag,
        }
        if sequence > 1:
            fields["SentTime"] = _written(sent_at + timedelta(milliseconds=300))
        if sequence == 3:
            fields["DeliveryReportTime"] = _written(sent_at + timedelta(milliseconds=self.random.randrange(400, 9000)))
        return Callback(tag, message_id, status, urlencode(fields))


class Sender:
    """Sends callbacks at a bounded rate, and each one again until it is answered 2xx."""

    def __init__(self, url: str, seed: int, *, rate_per_s: float = 150.0, open_max: int = 200) -> None:
        self.random = Random(seed)
        self.traffic = Traffic(self.random)
        #: How often each callback was answered 200.
        self.acknowledged: Counter[Callback] = Counter()
        #: Answers by status; 0 where there was none.
        self.answers: Counter[int] = Counter()
        #: 503s without Retry-After, which a provider could not tell from a broken receiver.
        self.impolite = 0
        #: Set it to stop trying what was not acknowledged yet.
        self.giving_up = asyncio.Event()
        self._url = url + PATH
        self._rate_per_s = rate_per_s
        self._open = asyncio.Semaphore(open_max)

    async def run(self, stopping: asyncio.Event) -> None:
        """Send until told to stop, and then until everything is acknowledged (or given up)."""
        limits = httpx.Limits(max_connections=64)
        timeout = httpx.Timeout(ANSWER_S_MAX, pool=None)
        async with httpx.AsyncClient(limits=limits, timeout=timeout) as client, asyncio.TaskGroup() as deliveries:
            while not stopping.is_set():
                for callback in self.traffic.group():
                    await self._open.acquire()
                    deliveries.create_task(self._deliver(client, callback))
                    await asyncio.sleep(self.random.expovariate(self._rate_per_s))

    async def _deliver(self, client: httpx.AsyncClient, callback: Callback) -> None:
        try:
            headers = self._signed(callback)
            while not self.giving_up.is_set() and not await self._post(client, callback, headers):
                await asyncio.sleep(self.random.uniform(*AGAIN_AFTER_S))
                if self.random.random() < 0.5:
                    headers = self._signed(callback)
        finally:
            self._open.release()

    async def _post(self, client: httpx.AsyncClient, callback: Callback, headers: dict[str, str]) -> bool:
        try:
            answer = await client.post(self._url, content=callback.body, headers=headers)
        except httpx.TransportError:
            self.answers[0] += 1
            return False
        self.answers[answer.status_code] += 1
        self.impolite += answer.status_code == 503 and not answer.headers.get("retry-after", "").isdecimal()
        self.acknowledged[callback] += answer.status_code == 200
        return answer.is_success

    def _signed(self, callback: Callback) -> dict[str, str]:
        return signed(callback.body, self.random, with_v3=self.random.random() < 0.25)


def signed(body: str, random: Random, *, with_v3: bool = False) -> dict[str, str]:
    """Headers as Plivo sends them, with nonces of their own."""
    url, nonce = PUBLIC_URL + PATH, _nonce(random)
    headers = {
        "content-type": _FORM,
        "x-plivo-signature-v2": signatures.sign_v2(url, nonce, AUTH_TOKEN),
        "x-plivo-signature-v2-nonce": nonce,
    }
    if with_v3:
        params = dict(httpx.QueryParams(body).items())
        nonce = _nonce(random)
        headers["x-plivo-signature-v3"] = signatures.sign_v3("POST", url, nonce, AUTH_TOKEN, params)
        headers["x-plivo-signature-v3-nonce"] = nonce
    return headers


def _nonce(random: Random) -> str:
    return str(random.randrange(10**20, 10**21))


def _written(at: datetime) -> str:
    """As Plivo writes times."""
    return at.strftime("%Y-%m-%d %H:%M:%S.%f")
