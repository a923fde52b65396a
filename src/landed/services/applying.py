"""Making what is registered for 10DLC as a file declares it: step by step, and again from where it stands.

Nothing of a run is remembered but what was asked for. Each round looks at what the provider lists and does what can be
done now, so a run that was interrupted goes on with the next one, and one too many does nothing.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, TypeGuard

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from landed.domain.accounts import Account
from landed.domain.errors import OutcomeUnknown, ProviderFailed, ProviderThrottled, ProviderUnreachable
from landed.domain.receipts import RegistrationReceipt, RegistrationStatus
from landed.providers.clients import Registers
from landed.services.calling import Clients
from landed.services.choosing import choose
from landed.services.declaring import COMING, DOING, Action, Declared, Kind, Registered, Step, parent_id, steps
from landed.services.registering import Listed, Registrar, every, list_all
from landed.services.registering_shapes import NewCampaign, NewNumbers
from landed.store import registration_requests as rows
from landed.store.connect import transaction
from landed.store.registration_requests import RequestKind, RequestState

#: Between two looks at the provider while registrations are waited for.
LOOK_EVERY_S: Final = 15.0
#: Where waiting, and looking again, may help.
_MENDED_BY_TIME: Final = (ProviderUnreachable, ProviderThrottled, ProviderFailed, OutcomeUnknown)
_LISTED: Final = {
    Kind.PROFILE: RequestKind.PROFILE,
    Kind.BRAND: RequestKind.BRAND,
    Kind.CAMPAIGN: RequestKind.CAMPAIGN,
}

Pool = AsyncConnectionPool[AsyncConnection[Any]]
#: Told of each round: all steps as they stand.
Report = Callable[[Sequence[Step]], None]


class Applier:
    """Compares a file with what there is, and does what is missing.

    Args:
        prune: whether to unlink numbers that the file does not have.
        sleep: seconds, as asyncio.sleep.
        clock: seconds, as time.monotonic.
    """

    def __init__(
        self,
        *,
        pool: Pool,
        clients: Clients,
        registrar: Registrar,
        declared: Declared,
        prune: bool = False,
        look_every_s: float = LOOK_EVERY_S,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool = pool
        self._clients = clients
        self._registrar = registrar
        self._declared = declared
        self._prune = prune
        self._look_every_s = look_every_s
        self._sleep = sleep
        self._clock = clock
        self._seen = Registered()
        self._done: set[tuple[Action, str | None, str]] = set()

    async def plan(self) -> list[Step]:
        """What is to be done, as things stand.

        Raises:
            InputInvalid: something is to belong to what is neither declared nor registered; there is no such account.
            SendFailed: the provider cannot be asked. Never OutcomeUnknown.
        """
        account, client = await self._account()
        return await self._steps(account, client)

    async def apply(self, *, wait_s: float | None = None, report: Report = lambda steps: None) -> list[Step]:
        """Do what can be done now; and wait for what is pending, but for so long at most.

        Args:
            wait_s: None: wait for nothing.
            report: told of the steps before each round and after the last.

        Returns:
            How things stand in the end.

        Raises:
            InputInvalid, Conflict: a step cannot be done; those before it were.
            SendFailed: the provider refuses a step, or cannot be asked.
        """
        until = None if wait_s is None else self._clock() + wait_s
        while True:
            try:
                found, is_over = await self._round(report, waits=until is not None)
            except _MENDED_BY_TIME:
                if until is None or self._clock() + self._look_every_s > until:
                    raise
            else:
                if any(step.action in DOING for step in found):
                    continue  # what was done may let more be done
                if is_over or until is None or self._clock() + self._look_every_s > until:
                    return found
            await self._sleep(self._look_every_s)

    async def _round(self, report: Report, *, waits: bool) -> tuple[list[Step], bool]:
        """The steps as they stood, and whether there is nothing more to do for this run."""
        account, client = await self._account()
        found = [self._not_again(step) for step in await self._steps(account, client)]
        report(found)
        doing = [step for step in found if step.action in DOING]
        if doing:
            # What belongs to something comes after it, in a round of its own.
            await self._do([step for step in doing if step.kind is doing[0].kind], account)
            return found, False
        return found, not (waits and any(step.action in COMING for step in found))

    def _not_again(self, step: Step) -> Step:
        """The provider's list may lag behind what was done just now."""
        if step.action in DOING and (step.action, step.of, step.name) in self._done:
            return replace(step, action=Action.WAIT, why="asked for just now")
        return step

    async def _do(self, now: Sequence[Step], account: Account) -> None:
        if now[0].kind is Kind.NUMBER:
            await self._do_numbers(now, account)
        for step in now:
            if step.kind is not Kind.NUMBER:
                await self._create(step, account)
            self._done.add((step.action, step.of, step.name))

    async def _create(self, step: Step, account: Account) -> None:
        owner = {"account": account.name}
        match step.kind:
            case Kind.PROFILE:
                profile = self._declared.profiles[step.name].model_copy(update=owner)
                await self._registrar.create_profile(profile, account_id=account.id)
            case Kind.BRAND:
                brand = self._declared.brands[step.name].model_copy(update=owner)
                profile_id = parent_id(Kind.PROFILE, brand.profile, self._seen)
                await self._registrar.create_brand(brand, account_id=account.id, profile_id=profile_id)
            case _:
                declared = self._declared.campaigns[step.name].model_copy(update=owner)
                campaign = NewCampaign(**declared.model_dump(exclude={"numbers"}))
                brand_id = parent_id(Kind.BRAND, campaign.brand, self._seen)
                await self._registrar.create_campaign(campaign, account_id=account.id, brand_id=brand_id)

    async def _do_numbers(self, now: Sequence[Step], account: Account) -> None:
        linked: dict[str, list[str]] = {}
        for step in now:
            campaign_id = step.provider_id or ""
            if step.action is Action.UNLINK:
                await self._registrar.unlink_number(campaign_id, step.name, account=account.name, account_id=account.id)
            else:
                linked.setdefault(campaign_id, []).append(step.name)
        for campaign_id, numbers in linked.items():
            await self._registrar.link_numbers(
                campaign_id, NewNumbers(numbers=numbers, account=account.name), account_id=account.id
            )

    # --- what there is ---------------------------------------------------------------------------------------------

    async def _account(self) -> tuple[Account, Registers]:
        return await choose(self._clients, self._declared.account, None, _registers, "register for 10DLC")

    async def _steps(self, account: Account, client: Registers) -> list[Step]:
        self._seen = await self._registered(account, client)
        return steps(self._declared, self._seen, prune=self._prune)

    async def _registered(self, account: Account, client: Registers) -> Registered:
        """What the provider lists, and what we know of it besides. What is news in it is kept."""
        async with transaction(self._pool) as connection:
            live = await rows.all_live(connection, account.id)
            asked = await rows.asked_fields(connection, account.id)
            known = await rows.numbers(connection, account.id)
            statuses = {
                kind: await rows.statuses(connection, account.id, kind)
                for kind in (RequestKind.BRAND, RequestKind.CAMPAIGN)
            }
        listed = {kind: await list_all(client, kind) for kind in _LISTED.values()}
        for request in live:
            if request.state is RequestState.ASKED and request.provider_id and request.kind in listed:
                ids = {each.provider_id for each in listed[request.kind]}
                if request.provider_id not in ids and await self._registrar.is_there(request, client):
                    status = statuses.get(request.kind, {}).get(request.provider_id)
                    listed[request.kind].append(
                        Listed(
                            request.alias,
                            request.provider_id,
                            request.parent_id,
                            RegistrationStatus(status) if status else None,
                            None,
                            None,
                        )
                    )
        numbers, receipts = await self._numbers(listed[RequestKind.CAMPAIGN], client)
        mine = {*self._declared.brands, *self._declared.campaigns}
        receipts += [
            each.receipt
            for kind in (RequestKind.BRAND, RequestKind.CAMPAIGN)
            for each in listed[kind]
            if each.receipt is not None and each.alias in mine
        ]
        await self._registrar.learn(account.id, receipts)
        return Registered(
            profiles=listed[RequestKind.PROFILE],
            brands=listed[RequestKind.BRAND],
            campaigns=listed[RequestKind.CAMPAIGN],
            numbers=numbers,
            linked={
                number: campaign_id
                for number, (campaign_id, status) in known.items()
                if campaign_id and status == RegistrationStatus.LINKED
            },
            asked=asked,
        )

    async def _numbers(
        self, campaigns: Sequence[Listed], client: Registers
    ) -> tuple[Mapping[str, Mapping[str, RegistrationStatus | None]], list[RegistrationReceipt]]:
        """The numbers of the campaigns that are declared with any, and the facts of that."""
        found: dict[str, dict[str, RegistrationStatus | None]] = {}
        receipts: list[RegistrationReceipt] = []
        for alias, campaign in self._declared.campaigns.items():
            campaign_id = parent_id(Kind.CAMPAIGN, alias, Registered(campaigns=campaigns))
            if campaign_id is None or not (campaign.numbers or self._prune):
                continue
            told = await every(client.numbers, campaign_id)
            receipts += told
            found[campaign_id] = {each.number: each.status for each in told if each.number}
        return found, receipts


def _registers(client: object) -> TypeGuard[Registers]:
    return isinstance(client, Registers)
