"""`Idempotency-Key` on requests that send: asking twice does nothing twice."""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Annotated, Any, Final

import orjson
from fastapi import Header, Request, Response
from pydantic import BaseModel

from landed.domain.accounts import ApiKey
from landed.services import idempotency
from landed.services.idempotency import Answer, Pool

#: The header that says that an answer was given before.
REPLAYED: Final = "Idempotent-Replayed"
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="asking again with the same key, within 48 hours, does nothing twice and gives the same answer",
    ),
]


async def once(
    pool: Pool,
    request: Request,
    key: ApiKey,
    idempotency_key: str | None,
    asked: BaseModel | Mapping[str, Any],
    work: Callable[[], Awaitable[BaseModel]],
    *,
    status: HTTPStatus,
) -> Response:
    """Do the work and answer with what it gives, or with what it gave before.

    Raises:
        IdempotencyKeyReused, IdempotencyInProgress: see services/idempotency.py.
    """
    body = asked.model_dump(mode="json") if isinstance(asked, BaseModel) else dict(asked)
    claim = idempotency.claim(key.id, idempotency_key, f"{request.method} {request.url.path}", body)

    async def answer() -> Answer:
        return Answer(status, (await work()).model_dump(mode="json"))

    given = await idempotency.once(pool, claim, answer)
    headers = {REPLAYED: "true"} if given.replayed else {}
    return Response(orjson.dumps(given.body), given.status, headers, media_type="application/json")
