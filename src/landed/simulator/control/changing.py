"""How the simulated world is changed while it runs: scenario, chaos, clock, what people write, snapshots."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from landed.domain.errors import Conflict, InputInvalid, NotFound
from landed.domain.statuses import Status
from landed.simulator.carrier import scenario as scenarios
from landed.simulator.carrier import written
from landed.simulator.carrier.views import Direction
from landed.simulator.control import queries, shapes
from landed.simulator.control.queries import Body
from landed.simulator.control.shapes import Shape
from landed.simulator.control.watching import WAIT_S_MAX, Filters, Watching, until
from landed.simulator.simulation import Simulation

SNAPSHOTS_MAX: Final = 20
#: Nothing is simulated further ahead than this in one go.
ADVANCE_S_MAX: Final = 366 * 86_400
SPEED_MAX: Final = 100_000
#: Of the messages that were waited for, the latest so many are shown.
_SHOWN_MAX: Final = 100


class Inbound(Body):
    """`options` are the provider's own, such as a channel or media."""

    provider: str | None = None
    sender: str = Field(alias="from", min_length=1, max_length=50)
    recipient: str = Field(alias="to", min_length=1, max_length=50)
    text: str = Field(max_length=5000)
    options: dict[str, Any] = Field(default_factory=dict)


class Advance(Body):
    seconds: float = Field(ge=0, le=ADVANCE_S_MAX)


class Speed(Body):
    speed: float = Field(ge=0, le=SPEED_MAX)


class Reset(Body):
    seed: int | None = None
    scenario: Any = None  #: as PUT takes it, or a name alone
    chaos: Any = None  #: as read_chaos takes it
    speed: float | None = Field(default=None, ge=0, le=SPEED_MAX)


class NewSnapshot(Body):
    name: Annotated[str, written.text_like(r"[\w.-]{1,100}", "1 to 100 letters, digits, dots and dashes")]


class Expectation(Body):
    """What is waited for: so many messages that are as described, and, if asked for, that nothing is planned within
    `within_s` simulated seconds."""

    id: str | None = None
    provider: str | None = None
    direction: Direction | None = None
    status: Status | None = None
    sender: str | None = Field(default=None, alias="from")
    recipient: str | None = Field(default=None, alias="to")
    count: int = Field(default=1, ge=0, le=100_000)
    told: bool = Field(default=False, description="whoever listens has heard of the status, too")
    quiet: bool = False
    within_s: float | None = Field(default=None, ge=0)
    timeout_s: float = Field(default=10, ge=0, le=WAIT_S_MAX)


class Changing:
    def __init__(self, simulation: Simulation, watching: Watching) -> None:
        self._simulation = simulation
        self._carrier = simulation.carrier
        self._watching = watching

    def routes(self) -> Iterator[Route]:
        for method, path, endpoint in (
            ("POST", "/inbound", self.receive),
            ("PATCH", "/accounts/{provider}/{account_id}", self.set_up),
            ("GET", "/scenario", self.show_scenario),
            ("PUT", "/scenario", self.put_scenario),
            ("PATCH", "/scenario", self.patch_scenario),
            ("GET", "/scenarios", self.list_scenarios),
            ("GET", "/chaos", self.show_chaos),
            ("POST", "/chaos", self.change_chaos),
            ("GET", "/clock", self.show_clock),
            ("PUT", "/clock", self.change_speed),
            ("POST", "/clock/advance", self.advance),
            ("POST", "/reset", self.reset),
            ("GET", "/snapshots", self.list_snapshots),
            ("POST", "/snapshots", self.take_snapshot),
            ("POST", "/snapshots/{name}/restore", self.restore),
            ("DELETE", "/snapshots/{name}", self.forget),
            ("POST", "/expect", self.expect),
        ):
            yield Route(path, endpoint, methods=[method])

    async def receive(self, request: Request) -> JSONResponse:
        """Somebody writes to a number of ours: the first provider that has it takes it, if none is named."""
        given = await queries.body(request, Inbound)
        stand_ins = self._simulation.stand_ins
        if given.provider is not None and given.provider not in stand_ins:
            raise InputInvalid(f"`provider` is not one of {', '.join(stand_ins)}.", field="provider")
        refusals = []
        for stand_in in [stand_ins[given.provider]] if given.provider else stand_ins.values():
            try:
                message_id = stand_in.receive(
                    sender=given.sender, recipient=given.recipient, text=given.text, **given.options
                )
            except InputInvalid as error:
                refusals.append(str(error))
            except TypeError as error:
                raise InputInvalid("There is no such option for this provider.", field="options") from error
            else:
                return JSONResponse({"id": message_id, "provider": stand_in.name}, 201)
        raise InputInvalid(" ".join(refusals), field="to")

    async def set_up(self, request: Request) -> Response:
        """What its provider's console would be for: an account's balance, where its inbound messages go, and so on."""
        stand_in = self._simulation.stand_ins.get(request.path_params["provider"])
        if stand_in is None:
            raise NotFound(f"There are stand-ins for {', '.join(self._simulation.stand_ins)} only.")
        given = await queries.content(request)
        try:
            stand_in.set_up(request.path_params["account_id"], **given)
        except TypeError as error:
            raise InputInvalid("There is no such option for this provider.", field="options") from error
        return Response(status_code=204)

    # --- scenario --------------------------------------------------------------------------------------------------

    async def list_scenarios(self, request: Request) -> JSONResponse:
        listed = [{"name": each.name, "description": each.description} for each in scenarios.built_in()]
        return JSONResponse({"data": listed})

    async def show_scenario(self, request: Request) -> JSONResponse:
        return JSONResponse(shapes.scenario(self._carrier.scenario))

    async def put_scenario(self, request: Request) -> JSONResponse:
        """In place of the one there is: a built-in one by its name alone, or what differs from the one it extends."""
        self._carrier.scenario = _scenario(await queries.content(request))
        return await self.show_scenario(request)

    async def patch_scenario(self, request: Request) -> JSONResponse:
        self._carrier.scenario = scenarios.change(self._carrier.scenario, await queries.content(request))
        return await self.show_scenario(request)

    async def show_chaos(self, request: Request) -> JSONResponse:
        return JSONResponse(shapes.chaos(self._carrier.scenario.chaos))

    async def change_chaos(self, request: Request) -> JSONResponse:
        """Shares by name, upon those there are or those of a `preset`: none, some or all."""
        shares = await queries.content(request)
        preset = shares.pop("preset", None)
        carrier = self._carrier
        if preset is not None:
            shares = {**shapes.chaos(scenarios.read_chaos(str(preset))), **shares}
        carrier.scenario = scenarios.change(carrier.scenario, {"chaos": shares})
        return await self.show_chaos(request)

    # --- time ------------------------------------------------------------------------------------------------------

    async def show_clock(self, request: Request) -> JSONResponse:
        return JSONResponse(self._clock())

    def _clock(self) -> Shape:
        carrier = self._carrier
        next_at = carrier.agenda.next_at
        return {
            "now": shapes.moment(carrier.now()),
            "speed": carrier.clock.speed,
            "planned": carrier.agenda.waiting,
            "next_at": None if next_at is None else shapes.moment(next_at),
        }

    async def change_speed(self, request: Request) -> JSONResponse:
        given = await queries.body(request, Speed)
        self._carrier.agenda.change_speed(given.speed)
        return JSONResponse(self._clock())

    async def advance(self, request: Request) -> JSONResponse:
        """Answers when all that falls due until then is done, its callbacks answered."""
        given = await queries.body(request, Advance)
        await self._carrier.advance(timedelta(seconds=given.seconds))
        return JSONResponse(self._clock())

    # --- worlds ----------------------------------------------------------------------------------------------------

    async def reset(self, request: Request) -> JSONResponse:
        given = await queries.body(request, Reset)
        carrier = self._carrier
        scenario = carrier.scenario
        if given.scenario is not None:
            scenario = _scenario(given.scenario if isinstance(given.scenario, dict) else {"name": given.scenario})
        if given.chaos is not None:
            scenario = scenarios.change(scenario, {"chaos": given.chaos})
        await carrier.reset(seed=given.seed, scenario=scenario)
        if given.speed is not None:
            carrier.agenda.change_speed(given.speed)
        return JSONResponse({"seed": carrier.seed, "scenario": carrier.scenario.name})

    async def list_snapshots(self, request: Request) -> JSONResponse:
        return JSONResponse({"data": [self._snapshot(name) for name in self._simulation.snapshots]})

    async def take_snapshot(self, request: Request) -> JSONResponse:
        """A snapshot of the same name is replaced."""
        name = (await queries.body(request, NewSnapshot)).name
        snapshots = self._simulation.snapshots
        if name not in snapshots and len(snapshots) >= SNAPSHOTS_MAX:
            raise Conflict(f"There are {SNAPSHOTS_MAX} snapshots; delete one first.")
        snapshots[name] = self._carrier.snapshot()
        return JSONResponse(self._snapshot(name), 201)

    async def restore(self, request: Request) -> JSONResponse:
        name = self._known(request)
        await self._carrier.restore(self._simulation.snapshots[name])
        return JSONResponse(self._snapshot(name))

    async def forget(self, request: Request) -> Response:
        del self._simulation.snapshots[self._known(request)]
        return Response(status_code=204)

    def _known(self, request: Request) -> str:
        name: str = request.path_params["name"]
        if name not in self._simulation.snapshots:
            raise NotFound(f"There is no snapshot {name[:100]!r}.")
        return name

    def _snapshot(self, name: str) -> Shape:
        snapshot = self._simulation.snapshots[name]
        return {
            "name": name,
            "at": shapes.moment(snapshot.now),
            "seed": snapshot.seed,
            "scenario": snapshot.scenario.name,
        }

    # --- waiting ---------------------------------------------------------------------------------------------------

    async def expect(self, request: Request) -> JSONResponse:
        """Answers as soon as it is so, or when the time is over; `met` says which."""
        wanted = await queries.body(request, Expectation)
        filters = Filters(
            id=wanted.id,
            provider=wanted.provider,
            direction=wanted.direction,
            sender=wanted.sender,
            recipient=wanted.recipient,
        )
        met = await until(lambda: self._is_met(wanted, filters), wanted.timeout_s)
        found = self._fitting(wanted, filters)[-_SHOWN_MAX:]
        return JSONResponse({"met": met, "messages": self._watching.message_shapes(found)})

    def _is_met(self, wanted: Expectation, filters: Filters) -> bool:
        if wanted.quiet and not self._is_quiet(wanted.within_s):
            return False
        return not wanted.count or len(self._fitting(wanted, filters)) >= wanted.count

    def _is_quiet(self, within_s: float | None) -> bool:
        carrier = self._carrier
        if within_s is None:
            return carrier.is_quiet
        next_at = carrier.agenda.next_at
        is_far = next_at is None or (next_at - carrier.now()).total_seconds() > within_s
        return is_far and not carrier.under_way

    def _fitting(self, wanted: Expectation, filters: Filters) -> list[Any]:
        ledger = self._carrier.ledger
        found = [
            view for view in self._watching.messages(filters)
            if wanted.status in (None, view.status)
            and (not wanted.told or _is_told(ledger.end(view.id), wanted.status))
        ]  # fmt: skip
        return sorted(found, key=lambda view: view.created_at)  # of all providers


def _is_told(end: Any, status: Status | None) -> bool:
    return end is not None and status in (None, end.status)


def _scenario(content: Shape) -> scenarios.Scenario:
    """By name, or what differs from a built-in one; never from a file, which strangers could have us read.

    Raises:
        InputInvalid
    """
    if content.keys() == {"name"}:
        return _built_in(content["name"], "name")
    base = _built_in(content.pop("extends", scenarios.EVERYDAY.name), "extends")
    return scenarios.change(base, content)


def _built_in(name: object, field: str) -> scenarios.Scenario:
    if not isinstance(name, str) or name not in scenarios.names():
        raise InputInvalid(f"Give one of the built-in scenarios: {', '.join(scenarios.names())}.", field=field)
    return scenarios.load(name)
