"""Who is told of alerts: mail, Slack-compatible hooks, and signed webhooks; kept, changed and tried."""

import ipaddress
import socket
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import orjson

from landed.domain import mail
from landed.domain.alerting import TargetKind
from landed.domain.errors import InputInvalid
from landed.services import alert_shapes, webhook_signing
from landed.services.accounts import valid_name
from landed.services.alert_sending import NotDelivered, Sender
from landed.services.alert_shapes import TargetList, TargetMade, TargetShape, Tried
from landed.services.alert_telling import payload
from landed.store import alert_targets
from landed.store.alert_targets import Pool, TargetRow
from landed.store.sealing import Sealer

ADDRESSES_MAX: Final = 20
URL_CHARACTERS_MAX: Final = 2_000


class Targets:
    """Keeps them. Where `sender` is None they cannot be tried."""

    def __init__(
        self,
        *,
        pool: Pool,
        sealer: Sealer,
        sender: Sender | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.pool = pool
        self._sealer = sealer
        self._sender = sender
        self._clock = clock

    async def every(self) -> TargetList:
        rows = await alert_targets.all_targets(self.pool)
        return TargetList(data=[alert_shapes.target(row) for row in rows], next_cursor=None)

    async def one(self, name_or_id: str) -> TargetShape:
        """One, by its name or id.

        Raises:
            NotFound: there is none.
        """
        return alert_shapes.target(await alert_targets.find(self.pool, name_or_id))

    async def add(
        self,
        *,
        name: str,
        kind: TargetKind,
        addresses: Sequence[str] = (),
        url: str | None = None,
        secret: str | None = None,
        weekly_summary: bool = False,
    ) -> TargetMade:
        """A new one, with what a webhook's requests are signed with, which is shown this once.

        Raises:
            InputInvalid: names the field.
        """
        valid_name(name, "alert target")
        now = self._clock()
        if kind is TargetKind.WEBHOOK:
            secret = secret or webhook_signing.new_secret()
            webhook_signing.key_of(secret)
        elif secret is not None:
            raise InputInvalid("Only requests to a webhook are signed.", field="secret")
        is_mail = kind is TargetKind.EMAIL
        if is_mail and url is not None:
            raise InputInvalid("Mail goes to `addresses`.", field="url")
        if not is_mail and addresses:
            raise InputInvalid("Only mail goes to addresses; a hook has a `url`.", field="addresses")
        row = TargetRow(
            id=uuid4(),
            name=name,
            kind=kind,
            addresses=_addresses(addresses) if is_mail else (),
            host=None if is_mail else host_of(url or ""),
            sealed=None if is_mail else self._sealed(url or "", secret),
            weekly_summary=weekly_summary,
            enabled=True,
            created_at=now,
            updated_at=now,
        )
        await alert_targets.add(self.pool, row)
        return alert_shapes.target_made(row, secret)

    async def change(
        self,
        name_or_id: str,
        *,
        addresses: Sequence[str] | None = None,
        url: str | None = None,
        weekly_summary: bool | None = None,
        enabled: bool | None = None,
    ) -> TargetShape:
        """Change what is given. A webhook keeps its secret.

        Raises:
            NotFound: there is none.
            InputInvalid: names the field.
        """
        row = await alert_targets.find(self.pool, name_or_id)
        is_mail = row.kind == TargetKind.EMAIL
        if addresses is not None:
            if not is_mail:
                raise InputInvalid("Only mail goes to addresses; a hook has a `url`.", field="addresses")
            row = replace(row, addresses=_addresses(addresses))
        if url is not None:
            if is_mail:
                raise InputInvalid("Mail goes to `addresses`.", field="url")
            kept = orjson.loads(self._sealer.open(row.sealed or b""))
            row = replace(row, host=host_of(url), sealed=self._sealed(url, kept["secret"]))
        row = replace(
            row,
            weekly_summary=row.weekly_summary if weekly_summary is None else weekly_summary,
            enabled=row.enabled if enabled is None else enabled,
            updated_at=self._clock(),
        )
        await alert_targets.change(self.pool, row)
        return alert_shapes.target(row)

    async def remove(self, name_or_id: str) -> None:
        """Forget it, with all that was still to be told there.

        Raises:
            NotFound: there is none.
        """
        await alert_targets.remove(self.pool, (await alert_targets.find(self.pool, name_or_id)).id)

    async def test(self, name_or_id: str, url: str) -> Tried:
        """Tell it now that this is a test; what came of it.

        Raises:
            NotFound: there is none.
        """
        row = await alert_targets.find(self.pool, name_or_id)
        if self._sender is None:
            return Tried(target=row.name, delivered=False, problem="Nothing can be sent from here.")
        now = self._clock()
        text = f"Alerts of Landed are told to the target {row.name!r}. Nothing is wrong."
        content = payload("alert.test", {"text": text, "url": url}, now)
        try:
            problem = await self._sender.send(row, (), uuid4(), content, now)
        except NotDelivered as error:
            return Tried(target=row.name, delivered=False, problem=str(error))
        return Tried(target=row.name, delivered=True, problem=problem)

    def _sealed(self, url: str, secret: str | None) -> bytes:
        return self._sealer.seal(orjson.dumps({"url": url, "secret": secret}).decode())


def host_of(url: str) -> str:
    """Where a hook's address leads.

    Raises:
        InputInvalid: it is none that is called; the address, which may be a secret, is not repeated.
    """
    invalid = InputInvalid(
        "Give the address of the hook, such as https://hooks.example.com/…; http or https, without user and password.",
        field="url",
    )
    try:
        parts = urlsplit(url)
        port = parts.port
        httpx.Request("POST", url)  # what it cannot call is refused now, and not when there is something to tell
    except (ValueError, httpx.InvalidURL):
        raise invalid from None
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or "@" in parts.netloc
        or port == 0
        or len(url) > URL_CHARACTERS_MAX
        or not url.isascii()
        or any(not c.isprintable() or c in ' "<>\\^`{|}' for c in url)
        or _is_link_local(parts.hostname)
    ):
        raise invalid
    return parts.hostname if port is None else f"{parts.hostname}:{port}"


def _is_link_local(host: str) -> bool:
    """Whether it is an address where clouds keep the credentials of machines, in any form that is called."""
    host = host.rstrip(".")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        try:
            address = ipaddress.IPv4Address(socket.inet_aton(host))  # 0xa9fea9fe, 2852039166
        except OSError:
            return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_link_local


def _addresses(given: Sequence[str]) -> list[str]:
    found = list(dict.fromkeys(map(mail.address, given)))
    if not 1 <= len(found) <= ADDRESSES_MAX:
        raise InputInvalid(f"Give 1 to {ADDRESSES_MAX} mail addresses.", field="addresses")
    return found
