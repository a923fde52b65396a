"""The door, for callbacks that knocked before: the same proof, and the same journal."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from landed.services.receiving import Refusals
from landed.store.refusals import Refused
from landed.web.callbacks import Message, Receive, Receiver, Scope, Send

if TYPE_CHECKING:
    from landed.services.replaying import Admit, Again


class Forgetful(Refusals):
    """Keeps nothing: what is refused again was kept when it came."""

    def __init__(self) -> None:
        super().__init__(_keep_nothing)

    def count(self, account_id: int | None, reason: str) -> None:
        pass

    def has_room(self, account_id: int) -> bool:
        return False


async def _keep_nothing(rows: Sequence[Refused]) -> None:
    pass


async def nowhere(scope: Scope, receive: Receive, send: Send) -> None:
    """Behind the door there is nothing else."""
    problem = b'{"code": "not_found", "detail": "No account has this callback address now."}'
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body", "body": problem})


def admitting(receiver: Receiver) -> "Admit":
    """What takes a request in as if it had come over the network just now. Who called is not known any more."""

    async def admit(request: "Again") -> tuple[int, bytes]:
        path, _, query = request.target.partition("?")
        scope: Scope = {
            "type": "http",
            "method": request.method,
            "path": path,
            "raw_path": path.encode("latin-1", "replace"),
            "query_string": query.encode(),
            "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in request.headers],
            "client": None,
        }
        status, body = 500, b""

        async def receive() -> Message:
            return {"type": "http.request", "body": request.body, "more_body": False}

        async def send(message: Message) -> None:
            nonlocal status, body
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                body += message.get("body", b"")

        await receiver(scope, receive, send)
        return status, body

    return admit
