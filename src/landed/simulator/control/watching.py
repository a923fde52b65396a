"""What can be asked of the simulated world: messages, codes, registrations, callbacks, the ledger."""

import asyncio
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import chain
from typing import Any, Final, NamedTuple, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from landed.domain.errors import InputInvalid, NotFound
from landed.domain.statuses import Status
from landed.simulator.carrier.calls import Making, State
from landed.simulator.carrier.chaos import Flaw
from landed.simulator.carrier.views import Direction, MessageView, SessionView
from landed.simulator.control import shapes
from landed.simulator.control.queries import Query, bare
from landed.simulator.control.shapes import Shape
from landed.simulator.simulation import Simulation

#: A code in a text: 4 to 8 digits, or 6 with a hyphen or space in their middle.
_CODE: Final = re.compile(r"(?<![\d+])(\d{4,8}|\d{3}[- ]\d{3})(?!\d)")


#: Nobody is let wait longer, in our seconds.
WAIT_S_MAX: Final = 120.0
_LOOK_EVERY_S: Final = 0.02

Found = TypeVar("Found")


async def until(look: Callable[[], Found], timeout_s: float) -> Found:
    """What is found, as soon as it is anything, or else when the time is over."""
    deadline = asyncio.get_running_loop().time() + timeout_s
    while not (found := look()) and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110  any change counts
        await asyncio.sleep(_LOOK_EVERY_S)
    return found


class Filters(NamedTuple):
    """What of the messages is wanted; None: any. Numbers with their plus or without."""

    id: str | None = None
    provider: str | None = None
    direction: Direction | None = None
    status: Status | None = None
    sender: str | None = None
    recipient: str | None = None

    def fit(self, view: MessageView) -> bool:
        return all(
            wanted is None or wanted == given
            for wanted, given in (
                (self.id, view.id),
                (self.provider, view.provider),
                (self.direction, view.direction),
                (self.status, view.status),
                (self.sender and bare(self.sender), bare(view.sender)),
                (self.recipient and bare(self.recipient), bare(view.recipient)),
            )
        )


class Watching:
    """The questions; each is answered from the world as it is now."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._carrier = simulation.carrier

    def routes(self) -> Iterator[Route]:
        for path, endpoint in (
            ("/messages", self.list_messages),
            ("/messages/{id}", self.show_message),
            ("/otp/latest", self.latest_otp),
            ("/sessions", self.list_sessions),
            ("/registrations", self.list_registrations),
            ("/callbacks", self.list_callbacks),
            ("/callbacks/{id}", self.show_callback),
            ("/ledger", self.ledger),
            ("/ledger/messages", self.list_told),
            ("/health", self.health),
        ):
            yield Route(path, endpoint, methods=["GET"])

    # --- messages --------------------------------------------------------------------------------------------------

    async def list_messages(self, request: Request) -> JSONResponse:
        query = Query(request)
        filters = Filters(
            id=query.text("id"),
            provider=query.one_of("provider", [*self._simulation.stand_ins]),
            direction=query.word("direction", Direction),
            status=query.word("status", Status),
            sender=query.text("from"),
            recipient=query.text("to"),
        )
        views, cursor = query.page().of(self.messages(filters), lambda view: (view.created_at, view.id))
        return JSONResponse({"data": self.message_shapes(views), "next_cursor": cursor})

    async def show_message(self, request: Request) -> JSONResponse:
        message_id = request.path_params["id"]
        view = next(iter(self.messages(Filters(id=message_id))), None)
        if view is None:
            raise NotFound(f"There is no message {message_id[:100]} here.")
        makings = self._by_thing([message_id])[message_id]
        shape = shapes.message(view, self._carrier.ledger.end(message_id), makings)
        return JSONResponse({**shape, "callbacks": [shapes.callback(making) for making in makings]})

    def messages(self, filters: Filters) -> list[MessageView]:
        every = chain.from_iterable(stand_in.messages() for stand_in in self._simulation.stand_ins.values())
        return [view for view in every if filters.fit(view)]

    def message_shapes(self, views: Iterable[MessageView]) -> list[Shape]:
        views = list(views)
        makings = self._by_thing([view.id for view in views])
        return [shapes.message(view, self._carrier.ledger.end(view.id), makings[view.id]) for view in views]

    def _by_thing(self, ids: Iterable[str]) -> dict[str, list[Making]]:
        wanted, found = set(ids), defaultdict[str, list[Making]](list)
        for making in self._carrier.makings.values() if wanted else ():
            if (thing_id := shapes.thing_of(making.call.truth)) in wanted:
                found[str(thing_id)].append(making)
        return found

    # --- codes, registrations --------------------------------------------------------------------------------------

    async def latest_otp(self, request: Request) -> JSONResponse:
        """Of the newest verify session to a number, or in the newest text to it, whichever is newer; waits for one."""
        query = Query(request)
        number, timeout_s = query.number("to"), query.seconds("timeout_s", WAIT_S_MAX)
        query.end()
        if number is None:
            raise InputInvalid("Say whose code: `to` is a phone number.", field="to")
        found = await until(lambda: [*self._codes_of_sessions(number), *self._codes_in_texts(number)], timeout_s)
        if not found:
            raise NotFound("No code was sent to that number.")
        at, code = max(found, key=lambda each: each[0])
        return JSONResponse({**code, "to": number, "created_at": shapes.moment(at)})

    def _codes_of_sessions(self, number: str) -> Iterator[tuple[datetime, Shape]]:
        for view in self._sessions():
            if view.recipient == number:
                yield view.created_at, {"code": view.code, "provider": view.provider, "session_id": view.id}

    def _codes_in_texts(self, number: str) -> Iterator[tuple[datetime, Shape]]:
        for view in self.messages(Filters(recipient=number, direction=Direction.OUTBOUND)):
            if code := _CODE.search(view.text or ""):
                digits = re.sub(r"\D", "", code[1])
                yield view.created_at, {"code": digits, "provider": view.provider, "message_id": view.id}

    def _sessions(self) -> Iterator[SessionView]:
        return chain.from_iterable(stand_in.sessions() for stand_in in self._simulation.stand_ins.values())

    async def list_sessions(self, request: Request) -> JSONResponse:
        query = Query(request)
        number, provider = query.number("to"), query.one_of("provider", [*self._simulation.stand_ins])
        views = [
            view for view in self._sessions()
            if number in (None, view.recipient) and provider in (None, view.provider)
        ]  # fmt: skip
        shown, cursor = query.page().of(views, lambda view: (view.created_at, view.id))
        return JSONResponse({"data": [shapes.session(view) for view in shown], "next_cursor": cursor})

    async def list_registrations(self, request: Request) -> JSONResponse:
        query = Query(request)
        kind = query.text("kind")
        every = chain.from_iterable(stand_in.registrations() for stand_in in self._simulation.stand_ins.values())
        views = [view for view in every if kind in (None, view.kind)]
        shown, cursor = query.page().of(views, lambda view: (view.created_at, f"{view.kind} {view.id}"))
        return JSONResponse({"data": [shapes.registration(view) for view in shown], "next_cursor": cursor})

    # --- callbacks, ledger -----------------------------------------------------------------------------------------

    async def list_callbacks(self, request: Request) -> JSONResponse:
        query = Query(request)
        state, flaw = query.word("state", State), query.word("flaw", Flaw)
        provider = query.one_of("provider", [*self._simulation.stand_ins])
        name, thing_id = query.text("name"), query.text("thing_id")
        makings = [
            making for making in self._carrier.makings.values()
            if state in (None, making.state)
            and flaw in (None, making.telling.flaw)
            and provider in (None, making.call.provider)
            and name in (None, making.call.name)
            and (thing_id is None or shapes.thing_of(making.call.truth) == thing_id)
        ]  # fmt: skip
        shown, cursor = query.page().of(makings, lambda making: (making.telling.at, f"{making.id:012}"))
        return JSONResponse({"data": [shapes.callback(making) for making in shown], "next_cursor": cursor})

    async def show_callback(self, request: Request) -> JSONResponse:
        given = request.path_params["id"]
        making = self._carrier.makings.get(int(given)) if given.isdecimal() and len(given) < 20 else None
        if making is None:
            raise NotFound(f"There is no callback {given[:50]} here, or it is forgotten.")
        return JSONResponse({**shapes.callback(making), "request": shapes.request(self._carrier.request(making))})

    async def ledger(self, request: Request) -> JSONResponse:
        """What was told and heard: what whoever listens should have counted."""
        Query(request).end()
        carrier = self._carrier
        states: dict[str, Any] = {"callback_states": carrier.counts(), "let_in": carrier.let_in}
        return JSONResponse({**shapes.summary(carrier.ledger.summary()), **states})

    async def list_told(self, request: Request) -> JSONResponse:
        """Each message that was told of, and where it ended, in the order of the first word on it."""
        Query(request).end()
        ledger = self._carrier.ledger
        ends = [(message_id, ledger.end(message_id)) for message_id in ledger.message_ids()]
        return JSONResponse({"data": [shapes.end(message_id, end) for message_id, end in ends if end is not None]})

    async def health(self, request: Request) -> JSONResponse:
        Query(request).end()
        carrier = self._carrier
        return JSONResponse(
            {
                "status": "ok",
                "quiet": carrier.is_quiet,
                "planned": carrier.agenda.waiting,
                "under_way": carrier.under_way,
                "seed": carrier.seed,
                "scenario": carrier.scenario.name,
                "providers": [*self._simulation.stand_ins],
            }
        )
