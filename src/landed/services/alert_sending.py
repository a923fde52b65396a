"""Sending what is told of alerts: one notification to one target.

Where a hook leads is the operator's choice and may be inside the own network. Still only http and https are spoken, no
redirect is followed, of the answer little is read and nothing is shown but its number, and each attempt ends in time.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import httpx
import orjson

from landed.domain.alerting import TargetKind
from landed.domain.mail import Mail, MailFailed
from landed.services import alert_texts, webhook_signing
from landed.store.alert_targets import TargetRow
from landed.store.sealing import Sealer

if TYPE_CHECKING:
    from landed.services.mailing import Mailer  # which loads what only those with a mail server need

#: From the first byte out to the last one in.
HOOK_S_MAX: Final = 15.0
_ANSWER_BYTES_MAX: Final = 16 * 1024
_GONE: Final = 410
_NO_MAIL: Final = "No mail server is set: LANDED_SMTP_URL is where mail is handed over."


class NotDelivered(Exception):
    """It did not arrive, as far as we know. `final`: it never will. `left`: with whom, where others have it."""

    def __init__(self, message: str, *, final: bool = False, left: Sequence[str] | None = None) -> None:
        super().__init__(message)
        self.final = final
        self.left = left


class Sender:
    """Delivers one notification to one target."""

    def __init__(self, *, sealer: Sealer, http: httpx.AsyncClient, mailer: "Mailer | None") -> None:
        self._sealer = sealer
        self._http = http
        self._mailer = mailer

    async def send(
        self,
        target: TargetRow | None,
        addresses: Sequence[str],
        message_id: UUID,
        content: Mapping[str, Any],
        at: datetime,
    ) -> str | None:
        """Deliver it. The same id is the same message, however often it comes. What is to be noted, if anything.

        Args:
            target: None: mail to `addresses`.
            addresses: of a target, those that are left, where the others have it.
            at: now; of mail, when it was written.

        Raises:
            NotDelivered: it did not arrive, as far as we know.
        """
        if target is None or target.kind == TargetKind.EMAIL:
            to = [each for each in target.addresses if not addresses or each in addresses] if target else addresses
            return await self._mail(to, message_id, content) if to else None
        kept = orjson.loads(self._sealer.open(target.sealed or b""))
        if target.kind == TargetKind.SLACK:
            await self._post(kept["url"], orjson.dumps(alert_texts.slack(alert_texts.of(content))), {})
            return None
        body = orjson.dumps(content)
        await self._post(kept["url"], body, webhook_signing.headers(kept["secret"], f"msg_{message_id.hex}", at, body))
        return None

    async def _mail(self, to: Sequence[str], message_id: UUID, content: Mapping[str, Any]) -> str | None:
        if self._mailer is None:
            raise NotDelivered(_NO_MAIL)
        text = alert_texts.of(content)
        written = Mail(
            id=message_id.hex,
            to=to,
            subject=alert_texts.subject(text),
            text=alert_texts.plain(text),
            html=alert_texts.html(text),
            at=datetime.fromisoformat(content["timestamp"]),
        )
        try:
            return await self._mailer.send(written)
        except MailFailed as error:
            raise NotDelivered(str(error), left=error.left) from error

    async def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        """The address is a secret: errors of the library, which hold it, are named by their class."""
        request = self._http.build_request(
            "POST", url, content=body, headers={"content-type": "application/json", **headers}
        )
        try:
            async with asyncio.timeout(HOOK_S_MAX):
                response = await self._http.send(request, stream=True, follow_redirects=False)
                try:
                    await _read_a_little(response)
                finally:
                    await response.aclose()
        except (httpx.HTTPError, httpx.InvalidURL, OSError, TimeoutError) as error:
            raise NotDelivered(f"It cannot be reached, or does not answer: {type(error).__name__}.") from None
        if response.is_redirect:
            raise NotDelivered(f"It answers {response.status_code} and leads elsewhere, which is not followed.")
        if not response.is_success:
            raise NotDelivered(f"It answers {response.status_code}.", final=response.status_code == _GONE)


async def _read_a_little(response: httpx.Response) -> None:
    """So that a short answer frees its connection."""
    size = 0
    async for piece in response.aiter_raw():
        size += len(piece)
        if size > _ANSWER_BYTES_MAX:
            return
