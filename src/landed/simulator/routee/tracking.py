"""Routee's look-ups of messages: one by its id, or many by time and filters."""

from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from landed.simulator.routee.answers import INVALID, Problem, invalid, json_of, moment
from landed.simulator.routee.state import Application, Message

if TYPE_CHECKING:
    from landed.simulator.routee.stand_in import RouteeStandIn

_BACK_MAX: Final = timedelta(days=7)
#: What a client's clock may differ from ours.
_LENIENCE: Final = timedelta(minutes=5)
_SIZE, _SIZE_MAX = 20, 2000
_OPERATORS: Final = ("equals", "contains", "startsWith")


class Tracking:
    def __init__(self, stand_in: "RouteeStandIn") -> None:
        self._stand_in = stand_in

    async def single(self, request: Request, application: Application) -> Response:
        message = self._stand_in.state.messages.get(request.path_params["message_id"])
        if message is None or message.application_id != application.id:
            raise Problem(404, "404005000", "Tracking not found")
        self._stand_in.outbound.told(message)
        return JSONResponse(self._stand_in.outbound.records(message))

    async def many(self, request: Request, application: Application) -> Response:
        """By the time of sending, by ours or the carrier's: where the carrier's runs faster, nobody knows it."""
        query = request.query_params
        since, until = moment(query.get("dateStart")), moment(query.get("dateEnd"))
        if since is None or until is None:
            raise invalid({name: "is no time" for name in ("dateStart", "dateEnd") if moment(query.get(name)) is None})
        clock = self._stand_in.carrier.clock
        if min(clock.now(), clock.real_now()) - since > _BACK_MAX + _LENIENCE:
            raise Problem(400, INVALID, "Only the latest 7 days")
        page, size = _whole(query.get("page"), 0), _whole(query.get("size"), _SIZE)
        if page is None or size is None or not 1 <= size <= _SIZE_MAX:
            raise invalid({"page": f"from 0 on, and size up to {_SIZE_MAX}"})
        filters = await _filters(request)
        found = [
            (message, record)
            for message in self._stand_in.state.messages.values()
            if message.application_id == application.id
            and (since <= message.created_at <= until or since <= message.asked_at <= until)
            and all(_may_pass(message, each) for each in filters)
            for record in self._stand_in.outbound.records(message)
            if all(_passes(record, each) for each in filters)
        ]
        shown = found[page * size : (page + 1) * size]
        self._tell(message for message, _ in shown)
        pages = -(-len(found) // size)
        return JSONResponse(
            {
                "content": [record for _, record in shown],
                "totalPages": pages,
                "last": page + 1 >= pages,
                "totalElements": len(found),
                "first": page == 0,
                "numberOfElements": len(shown),
                "size": size,
                "number": page,
            }
        )

    def _tell(self, messages: Iterable[Message]) -> None:
        for message in {each.id: each for each in messages}.values():
            self._stand_in.outbound.told(message)


def _whole(text: str | None, default: int) -> int | None:
    if text is None:
        return default
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 6 else None


async def _filters(request: Request) -> list[dict[str, str]]:
    """Conditions on fields of the records, all of which have to hold."""
    if not await request.body():
        return []
    given = await json_of(request)
    problem = invalid({"filters": 'are a list of {"fieldName", "searchTerm", "searchOperator"}'})
    if not isinstance(given, list) or len(given) > 100:
        raise problem
    for each in given:
        if not isinstance(each, dict) or not all(
            isinstance(each.get(name), str) for name in ("fieldName", "searchTerm")
        ):
            raise problem
        if each.get("searchOperator", _OPERATORS[0]) not in _OPERATORS:
            raise invalid({"searchOperator": f"is none of {', '.join(_OPERATORS)}"})
    return given


def _may_pass(message: Message, condition: dict[str, str]) -> bool:
    """Whether it is worth the while to write its records: most lists are of one recipient."""
    return condition["fieldName"] != "to" or _passes({"to": message.recipient.removeprefix("+")}, condition)


def _passes(record: dict[str, Any], condition: dict[str, str]) -> bool:
    told = record.get(condition["fieldName"])
    value, term = str(told["status"] if isinstance(told, dict) else told), condition["searchTerm"]
    match condition.get("searchOperator"):
        case "contains":
            return term in value
        case "startsWith":
            return value.startswith(term)
    return value == term
