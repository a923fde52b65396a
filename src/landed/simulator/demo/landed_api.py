"""Landed's API as the company of the demo calls it. Nothing that it answers stops the company."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import httpx

_CONNECTIONS_MAX: Final = 32
_ANSWER_S_MAX: Final = 30.0


class LandedApi:
    """`answers` counts every answer by HTTP status, 0 standing for none."""

    def __init__(self, base_url: str, key: str) -> None:
        self.answers: Counter[int] = Counter()
        self._client = httpx.AsyncClient(
            base_url=base_url,
            headers={"Authorization": f"Bearer {key}"},
            timeout=_ANSWER_S_MAX,
            trust_env=False,
            limits=httpx.Limits(max_connections=_CONNECTIONS_MAX, max_keepalive_connections=_CONNECTIONS_MAX),
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def get(self, path: str) -> dict[str, Any] | None:
        return await self._ask("GET", path)

    async def post(self, path: str, content: Mapping[str, Any]) -> dict[str, Any] | None:
        return await self._ask("POST", path, content)

    async def delete(self, path: str) -> dict[str, Any] | None:
        return await self._ask("DELETE", path)

    async def _ask(self, method: str, path: str, content: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
        """What is answered; None where it is a refusal or nothing."""
        try:
            answer = await self._client.request(method, path, json=content)
        except httpx.HTTPError:
            self.answers[0] += 1
            return None
        self.answers[answer.status_code] += 1
        return dict(answer.json()) if answer.is_success else None
