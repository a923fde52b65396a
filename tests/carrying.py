"""All of Landed, in processes of its own, that sends through the local carrier and is called back by it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import httpx
from psycopg import AsyncConnection
from psycopg.rows import dict_row

from landed.domain.countries import country_of
from landed.simulator.carrier.views import Direction
from tests.faults.house import House, house
from tests.recount import recount
from tests.session_recount import recount_sessions
from tests.simulating import World

#: Accounts by the name that Landed has for them: provider, its id, and its secret.
ACCOUNTS: Final = {
    "shop": ("plivo", "MACARRIEDCARRIED0001", "token-of-the-shop"),
    "mall": ("routee", "mall", "secret-of-the-mall"),
}
#: The same, as the carrier is told of them.
KNOWN: Final = {provider: {provider_id: secret} for provider, provider_id, secret in ACCOUNTS.values()}
SECRET_KEY: Final = "a key for the tests that is long enough"
_WEEK_S: Final = str(7 * 86_400)


class State(NamedTuple):
    """Where a message stands, as the ledger and Landed can both tell it."""

    status: str
    error_code: str | None
    units: int
    cost_nanos: int
    country: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """`callback_urls` by the name of the account."""

    house: House
    world: World
    api: httpx.AsyncClient
    callback_urls: dict[str, str]

    async def send(self, account: str, to: list[str], text: str, **more: Any) -> None:
        """Ask Landed to send it to all of them."""
        asked = {"account": account, "from": "+14155550100", "to": to, "text": text, **more}
        answer = await self.api.post("/v1/messages", json=asked)
        assert answer.status_code == 202, answer.text
        assert not answer.json().get("refused"), answer.text

    async def rows(self, query: Any, *parameters: Any) -> list[dict[str, Any]]:
        async with (
            await AsyncConnection.connect(self.house.database_url, row_factory=dict_row) as connection,
            connection.cursor() as cursor,
        ):
            await cursor.execute(query, parameters)
            return await cursor.fetchall()

    async def is_quiet(self) -> bool:
        """Whether Landed has sent all that it was asked to, and the carrier has told all that it will."""
        return self.world.carrier.is_quiet and await self.rows("SELECT 1 FROM outbox LIMIT 1") == []

    async def messages(self) -> dict[str, State]:
        """What Landed has, by the provider's id; by our own where the provider never had it."""
        found = await self.rows(
            "SELECT id, provider_message_id, status, error_code, units, cost_nanos, country FROM messages"
        )
        return {
            row["provider_message_id"] or f"never sent: {row['id']}": State(
                row["status"], row["error_code"], row["units"] or 0, row["cost_nanos"] or 0, row["country"]
            )
            for row in found
        }

    async def sessions(self) -> dict[str, str]:
        found = await self.rows("SELECT provider_session_id, status FROM sessions")
        return {row["provider_session_id"]: row["status"] for row in found}

    def told(self) -> dict[str, State]:
        """What the carrier's ledger says that Landed was told, by the provider's id. Of a message whose every receipt
        got lost that is no more than that it was taken."""
        carrier, stand_ins = self.world.carrier, self.world.simulation.stand_ins.values()
        taken = {
            view.id: State("queued", None, 0, 0, country_of(view.recipient))
            for stand_in in stand_ins
            for view in stand_in.messages()
            if view.direction is Direction.OUTBOUND
        }
        ends = {message_id: carrier.ledger.end(message_id) for message_id in carrier.ledger.message_ids()}
        return taken | {
            message_id: State(end.status, end.error_code, end.units, end.cost_nanos, end.country or None)
            for message_id, end in ends.items()
            if end is not None
        }

    async def differences(self) -> list[str]:
        """A line for each message or session that Landed has otherwise than the ledger says it was told."""
        told, has = self.told(), await self.messages()
        of_sessions, has_sessions = self.world.carrier.ledger.sessions(), await self.sessions()
        return [*_differences("message", told, has), *_differences("session", of_sessions, has_sessions)]

    async def miscounted(self) -> list[Any]:
        """Where counters do not say what a recount says."""
        async with await AsyncConnection.connect(self.house.database_url) as connection:
            return [*await recount(connection), *await recount_sessions(connection)]


def _differences(thing: str, told: dict[str, Any], has: dict[str, Any]) -> list[str]:
    return [
        f"{thing} {each}: the ledger says {told.get(each)}, Landed has {has.get(each)}"
        for each in sorted(told.keys() | has.keys())
        if told.get(each) != has.get(each)
    ]


@asynccontextmanager
async def carried(world: World, **variables: str) -> AsyncIterator[Carried]:
    """`landed serve` with an account at each stand-in, which asks for nothing by itself."""
    settings: dict[str, str] = {
        "LANDED_SECRET_KEY": SECRET_KEY,
        "LANDED_PROVIDER_URLS": f"plivo={world.base_url},routee={world.base_url}",
        "LANDED_SEND_RATE_PER_ACCOUNT": "10000",
        "LANDED_SEND_RATE_PER_SENDER": "10000",
        "LANDED_RECONCILE_AFTER_S": _WEEK_S,
        "LANDED_EXPIRE_AFTER_S": _WEEK_S,
        "LANDED_VERIFY_CALLER_LIMITS": "off",
        "LANDED_VERIFY_COUNTRY_LIMITS": "off",
        "LANDED_VERIFY_SHARE_PERCENT_MIN": "0",
        **variables,
    }
    async with AsyncExitStack() as stack:
        built = stack.enter_context(house())
        built.set(LANDED_PUBLIC_URL=built.url, **settings)
        built.start()
        await built.until_ready()
        urls = {name: _add(built, name) for name in ACCOUNTS}
        world.routee.set_up(
            ACCOUNTS["mall"][1], two_step_url=urls["mall"], requests_max=100_000, token_lifetime_s=86_400
        )
        key = built.run("keys", "create", "carried", "--scope", "admin")["key"]
        headers = {"Authorization": f"Bearer {key}"}
        api = await stack.enter_async_context(httpx.AsyncClient(base_url=built.url, headers=headers, timeout=60))
        yield Carried(house=built, world=world, api=api, callback_urls=urls)


def _add(built: House, name: str) -> str:
    provider, provider_id, secret = ACCOUNTS[name]
    secret_file = built.directory / f"{name}.secret"
    secret_file.write_text(secret)
    options = {
        "plivo": ("--auth-id", provider_id, "--auth-token-file", str(secret_file)),
        "routee": ("--application-id", provider_id, "--application-secret-file", str(secret_file)),
    }
    return str(built.run("accounts", "add", provider, name, *options[provider])["callback_url"])
