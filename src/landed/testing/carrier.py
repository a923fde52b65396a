"""A local carrier in a thread, and what a test says to it: behind the fixture `landed_carrier`."""

import asyncio
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import httpx

from landed.domain.errors import LandedError
from landed.simulator import server, simulation
from landed.simulator.carrier import scenario as scenarios

#: Simulated seconds in each of ours: what takes a carrier seconds takes a test hundredths.
SPEED: Final = 100.0
_START_S_MAX: Final = 30.0
_ANSWER_S_MAX: Final = 150.0
_SHOWN_MAX: Final = 15

Thing = dict[str, Any]


class PlivoAccount(NamedTuple):
    """Credentials that the stand-in takes. `base_uri` goes in the place of the SDK's own:

    `monkeypatch.setattr("plivo.rest.client.PLIVO_API_BASE_URI", landed_carrier.plivo.base_uri)`
    """

    auth_id: str
    auth_token: str
    base_uri: str


class RouteeApplication(NamedTuple):
    application_id: str
    application_secret: str
    base_url: str


class LandedCarrier:
    """What tests say and ask. Calls wait for their answer: out of a coroutine, make them by `asyncio.to_thread`."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.seed = 0
        self.plivo = PlivoAccount("MALANDEDTESTING00000", "plivo-token-for-testing", f"{base_url}/v1/Account")
        self.routee = RouteeApplication("landed-testing", "routee-secret-for-testing", base_url)
        self._http = httpx.Client(base_url=f"{base_url}/_sim", timeout=_ANSWER_S_MAX, trust_env=False)

    # --- worlds ----------------------------------------------------------------------------------------------------

    def begin(
        self,
        *,
        seed: int | None = None,
        scenario: str | Mapping[str, Any] = "calm",
        chaos: str | Mapping[str, float] | None = None,
        speed: float = SPEED,
    ) -> None:
        """A new world. `scenario`: the name of a built-in one, the path of a file, or what a file would say."""
        self.seed = self.seed if seed is None else seed
        loaded = _content(scenario)
        self._ask("POST", "/reset", {"seed": self.seed, "scenario": loaded, "chaos": chaos, "speed": speed})
        self._sign_in()

    reset = begin

    def _sign_in(self) -> None:
        """The stand-ins know an account from its first request on, and its token, which callbacks are signed with."""
        self._http.get(f"{self.plivo.base_uri}/{self.plivo.auth_id}/", auth=self.plivo[:2])
        grant = {"grant_type": "client_credentials"}
        self._http.post(f"{self.routee.base_url}/oauth/token", auth=self.routee[:2], data=grant)

    def end(self) -> None:
        """Nothing more is called back."""
        self._ask("POST", "/reset", {"speed": 0})

    def scenario(self, **changes: Any) -> None:
        """What is different from now on: `countries`, `chaos`, `magic`, `replies`, as a scenario file has them."""
        self._ask("PATCH", "/scenario", changes)

    def set_up(self, provider: str = "plivo", **options: Any) -> None:
        """What that provider's console would be for, such as `message_url`; its page in the docs has all options."""
        account = self.plivo.auth_id if provider == "plivo" else self.routee.application_id
        self._ask("PATCH", f"/accounts/{provider}/{account}", options)

    # --- what happened ---------------------------------------------------------------------------------------------

    def messages(self, **filters: str) -> list[Thing]:
        """The latest first. Filters: `to`, `sender`, `provider`, `status`, `direction`, `id`."""
        return self._list("/messages", filters)

    def message(self, message_id: str) -> Thing:
        """One with all its callbacks and their attempts."""
        return dict(self._ask("GET", f"/messages/{message_id}"))

    def callbacks(self, **filters: str) -> list[Thing]:
        """The latest first. Filters: `state`, `name`, `provider`, `flaw`, `thing_id`."""
        return self._list("/callbacks", filters)

    def ledger(self) -> Thing:
        """What was told and heard, in figures."""
        return dict(self._ask("GET", "/ledger"))

    # --- waiting ---------------------------------------------------------------------------------------------------

    def wait_for(self, *, told: bool = True, timeout_s: float = 10.0, **filters: str) -> Thing:
        """The newest message that is as described, once it is so, and its callback was taken.

        Args:
            told: False: it need not be told.
            timeout_s: in our seconds.

        Raises:
            AssertionError: it is not so in time; says what there is instead.
        """
        answer = self._ask("POST", "/expect", {**_named(filters), "told": told, "timeout_s": timeout_s})
        if not answer["met"]:
            wanted = ", ".join(f"{name}={value}" for name, value in filters.items())
            there = "".join(f"\n{_state(each)}" for each in self.messages()[:_SHOWN_MAX]) or " none"
            raise AssertionError(f"No message with {wanted} within {timeout_s:g} s. There are:{there}")
        return dict(answer["messages"][-1])

    def settle(self, *, within_s: float | None = None, timeout_s: float = 10.0) -> None:
        """Wait until nothing more is planned, or nothing within so many simulated seconds.

        Raises:
            AssertionError: it is not so in time.
        """
        wanted = {"quiet": True, "count": 0, "within_s": within_s, "timeout_s": timeout_s}
        if not self._ask("POST", "/expect", wanted)["met"]:
            raise AssertionError(f"Callbacks are still to come after {timeout_s:g} s.")

    def latest_otp(self, to: str, *, timeout_s: float = 5.0) -> str:
        """The code that a person was sent last, by a verify session or in a text.

        Raises:
            AssertionError: none was sent in time.
        """
        answer = self._http.get("/otp/latest", params={"to": to, "timeout_s": f"{timeout_s}"})
        if answer.status_code == 404:
            raise AssertionError(f"No code was sent to {to} within {timeout_s:g} s.")
        return str(_read(answer)["code"])

    # --- doing -----------------------------------------------------------------------------------------------------

    def receive(self, *, sender: str, to: str, text: str, provider: str = "plivo", **options: Any) -> str:
        """Somebody writes to a number of yours; the message's id.

        Args:
            options: `url`, where it goes this once, and what else the stand-in of that provider knows.
        """
        if "url" in options:
            options.setdefault("account", self.plivo.auth_id if provider == "plivo" else self.routee.application_id)
        given = {"from": sender, "to": to, "text": text, "provider": provider, "options": options}
        return str(self._ask("POST", "/inbound", given)["id"])

    def advance(self, seconds: float) -> None:
        """Let so many simulated seconds pass at once; all that falls due is done when this returns."""
        self._ask("POST", "/clock/advance", {"seconds": seconds})

    def report(self) -> str:
        """How to repeat it, and the last callbacks: what pytest shows with a failure."""
        lines = [f"Repeat it with --landed-seed={self.seed}", f"Scenario {self._ask('GET', '/health')['scenario']}"]
        shown = self._ask("GET", "/callbacks", params={"limit": str(_SHOWN_MAX)})["data"]
        return "\n".join([*lines, *(_line(each) for each in reversed(shown))])

    # --- asking ----------------------------------------------------------------------------------------------------

    def _ask(
        self, method: str, path: str, content: Mapping[str, Any] | None = None, params: Mapping[str, str] | None = None
    ) -> Any:
        return _read(self._http.request(method, path, json=content, params=params))

    def _list(self, path: str, filters: Mapping[str, str]) -> list[Thing]:
        found: list[Thing] = []
        params = {**_named(filters), "limit": "1000"}
        while True:
            page = self._ask("GET", path, params=params)
            found += page["data"]
            if page["next_cursor"] is None:
                return found
            params["cursor"] = page["next_cursor"]


def _content(scenario: str | Mapping[str, Any]) -> Any:
    """What a scenario is, for whoever has no files: a name, or all that a file leads to."""
    if isinstance(scenario, str) and scenario not in scenarios.names():
        from landed.simulator.control import shapes

        return shapes.scenario(scenarios.load(scenario))
    return scenario if isinstance(scenario, str) else dict(scenario)


def _named(filters: Mapping[str, str]) -> dict[str, str]:
    """`from` is no name in Python."""
    return {"from" if name == "sender" else name: value for name, value in filters.items()}


def _read(answer: httpx.Response) -> Any:
    if answer.is_success:
        return answer.json() if answer.content else None
    raise LandedError(answer.json()["detail"])


def _state(message: Thing) -> str:
    told = f"told {message['told']['status']}" if message["told"] else "nobody was told"
    return f"{message['id']} to {message['to']}: {message['status']}, {told}; callbacks {message['callback_states']}"


def _line(callback: Thing) -> str:
    tried = ", ".join(f"{each['status'] or each['problem']}" for each in callback["attempts"]) or "not yet made"
    flaw = "" if callback["flaw"] == "none" else f" ({callback['flaw'].replace('_', ' ')})"
    return f"{callback['name']}  {callback['method']} {callback['url']}  {callback['state']}: {tried}{flaw}"


# --- the thread ----------------------------------------------------------------------------------------------------


@contextmanager
def running() -> Iterator[LandedCarrier]:
    """A local carrier on a free port of the loopback, in a thread of its own."""
    thread = _Thread()
    thread.start()
    try:
        yield LandedCarrier(thread.base_url(_START_S_MAX))
    finally:
        thread.stop()


class _Thread(threading.Thread):
    def __init__(self) -> None:
        super().__init__(name="landed-carrier", daemon=True)
        self._started_or_failed = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._base_url = ""
        self._error: BaseException | None = None

    def base_url(self, seconds_max: float) -> str:
        self._started_or_failed.wait(seconds_max)
        if not self._base_url:
            raise LandedError("The local carrier did not start.") from self._error
        return self._base_url

    def stop(self) -> None:
        if self.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
        self.join(_START_S_MAX)

    def run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            try:
                runner.run(self._serve())
            except BaseException as error:  # told where it can be seen
                self._error = error
            finally:
                self._started_or_failed.set()

    async def _serve(self) -> None:
        world = simulation.create(scenario=scenarios.load("calm"), seed=0, speed=SPEED)
        with server.listen() as listener:
            async with server.serving(world, listener=listener) as serving:
                self._base_url = serving.base_url
                self._started_or_failed.set()
                stop: asyncio.Future[Any] = asyncio.create_task(self._stopping.wait())
                await asyncio.wait({stop, serving.ended}, return_when=asyncio.FIRST_COMPLETED)
                stop.cancel()
