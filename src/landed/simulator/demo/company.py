"""A company that uses Landed: it sends texts, verifies people, says who did what it wrote for, and registers.

It knows Landed's API and nothing else; the codes that people type are what the stand-ins sent them.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from random import Random
from typing import Any, Final

from landed.simulator import draws, world
from landed.simulator.carrier.views import SessionView
from landed.simulator.demo import registering, rhythm, texts
from landed.simulator.demo.landed_api import LandedApi
from landed.simulator.world import Country

#: Of what the company does, the rest being messages.
VERIFY: Final = 0.09
#: Share of texts that go by the account at Routee, where a sender has a number or a name of its own.
BY_ROUTEE: Final = 0.18
CONVERTED, NOT_CONVERTED = 0.7, 0.12
#: Of the people with a code: who is sent it again by voice, who types a wrong one first, and who never types it.
SENT_AGAIN, WRONG_FIRST, ABANDONED = 0.08, 0.12, 0.14
REGISTERS_EVERY_S: Final = 45.0
#: Numbers that end so say STOP now and then, and are not written to: whoever opted out is refused before it is sent.
SAYS_STOP: Final = "9"
_UNDER_WAY_MAX: Final = 200
_PICTURE: Final = "https://media.example.com/spring.jpg"


class Company:
    """`accounts`: the names of its accounts, at Plivo and at Routee."""

    def __init__(
        self,
        api: LandedApi,
        random: Random,
        *,
        accounts: tuple[str, str],
        sessions: Callable[[], Iterator[SessionView]],
    ) -> None:
        self._api = api
        self._random = random
        self._plivo, self._routee = accounts
        self._sessions = sessions
        self._free = asyncio.Semaphore(_UNDER_WAY_MAX)
        self._under_way: set[asyncio.Task[None]] = set()

    async def run(self, messages_per_s: float) -> None:
        """Until cancelled; what is under way then is broken off."""
        loop = asyncio.get_running_loop()
        began = due = loop.time()
        registers_at = began
        try:
            while True:
                due += self._random.expovariate(messages_per_s * rhythm.live_share(loop.time() - began))
                await asyncio.sleep(max(0.0, due - loop.time()))
                await self._begin(self._verify() if self._random.random() < VERIFY else self._send())
                if loop.time() >= registers_at:
                    registers_at = loop.time() + REGISTERS_EVERY_S * self._random.uniform(0.6, 1.4)
                    await self._begin(registering.register(self._api, self._random, self._plivo))
        finally:
            for task in self._under_way:
                task.cancel()
            await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _begin(self, act: Coroutine[Any, Any, None]) -> None:
        await self._free.acquire()  # at the limit the company waits, too
        task = asyncio.create_task(act)
        self._under_way.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._under_way.discard(task)
        self._free.release()
        if not task.cancelled():
            task.result()

    # --- messages --------------------------------------------------------------------------------------------------

    async def _send(self) -> None:
        random = self._random
        country = _country(random)
        text = texts.draw(random)
        given = {"to": _person(random, country), "text": text.text, "tags": [text.tag], **self._way(country)}
        converts = given["account"] == self._plivo and text.tag == texts.OTP
        answer = await self._api.post("/v1/messages", {**given, **({"trackable": True} if converts else {})})
        if answer is not None and converts and answer["data"]:
            await self._convert(answer["data"][0]["id"])

    def _way(self, country: Country) -> dict[str, Any]:
        """Account, sender and channel."""
        random = self._random
        if random.random() < country.whatsapp:
            return {"account": self._plivo, "from": f"+{world.WHATSAPP_SENDER}", "channel": "whatsapp"}
        sender = draws.pick(random, *zip(*country.senders, strict=True))
        way = {"account": self._plivo, "from": f"+{sender}" if sender.isdecimal() and len(sender) > 6 else sender}
        if country.mms_rate and random.random() < world.MMS:
            return {**way, "channel": "mms", "media_urls": [_PICTURE]}
        if random.random() < BY_ROUTEE:
            way["account"] = self._routee
        return way

    async def _convert(self, message_id: str) -> None:
        drawn = self._random.random()
        if drawn < CONVERTED + NOT_CONVERTED:
            await asyncio.sleep(draws.seconds(self._random, 18, 0.5).total_seconds())
            await self._api.post(f"/v1/messages/{message_id}/conversion", {"converted": drawn < CONVERTED})

    # --- verify sessions -------------------------------------------------------------------------------------------

    async def _verify(self) -> None:
        random = self._random
        account = self._routee if random.random() < BY_ROUTEE else self._plivo
        session = await self._api.post(
            "/v1/verify/sessions", {"to": _person(random, _country(random)), "account": account}
        )
        if session is None:
            return
        await asyncio.sleep(draws.seconds(random, 11, 0.4).total_seconds())
        if random.random() < SENT_AGAIN:
            session = await self._api.post(f"/v1/verify/sessions/{session['id']}/resend", {}) or session
            await asyncio.sleep(draws.seconds(random, 9, 0.4).total_seconds())
        if random.random() < ABANDONED:
            return
        code = self._code(session)
        if code is None:
            return
        if random.random() < WRONG_FIRST:
            await self._check(session["id"], _other(code))
            await asyncio.sleep(draws.seconds(random, 6, 0.4).total_seconds())
        await self._check(session["id"], code)

    async def _check(self, session_id: str, code: str) -> None:
        await self._api.post(f"/v1/verify/sessions/{session_id}/check", {"code": code})

    def _code(self, session: dict[str, Any]) -> str | None:
        """What its person was sent, who has looked at the telephone by now."""
        wanted = session["provider_session_id"]
        return next((view.code for view in self._sessions() if view.id == wanted), None)


def _country(random: Random) -> Country:
    return draws.pick(random, world.COUNTRIES, [country.weight for country in world.COUNTRIES])


def _person(random: Random, country: Country) -> str:
    """Somebody who is none of our own numbers."""
    while (number := draws.number(random, country.numbers)).endswith(SAYS_STOP) or number in _OURS:
        pass
    return f"+{number}"


_OURS: Final = frozenset(sender for country in world.COUNTRIES for sender, _ in country.senders)


def _other(code: str) -> str:
    return f"{(int(code[0]) + 1) % 10}{code[1:]}"
