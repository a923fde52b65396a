"""Registering for 10DLC: profiles, brands and campaigns are created, numbers linked and unlinked.

A request is kept before the provider is asked, under the alias that the thing has at the provider. So one that died
halfway, or that got no readable answer, is found again in the provider's list by its alias, and is not asked for twice.
What the provider answers are facts, folded as callbacks are: our id travels in the path of its callbacks.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple, TypeGuard, TypeVar
from uuid import UUID, uuid4

import psycopg
import structlog
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from sqlalchemy.ext.asyncio import AsyncEngine

from landed.domain import registration_rules
from landed.domain.accounts import Account, AccountName
from landed.domain.errors import Conflict, InputInvalid, NotFound, OutcomeUnknown, SendFailed, StoreUnavailable
from landed.domain.outbound import (
    BrandRequest,
    CampaignRequest,
    NumberLinkRequest,
    NumberUnlinkRequest,
    ProfileRequest,
)
from landed.domain.receipts import Registration, RegistrationReceipt, RegistrationStatus, Source, Telling
from landed.providers.clients import Registers
from landed.services import addressing, cursors
from landed.services.calling import Clients
from landed.services.choosing import callback_url, choose, client_of
from landed.services.keeping.base import Told
from landed.services.keeping.recording import keep_and_record
from landed.services.keeping.registrations import RegistrationKeeper
from landed.services.reading import account_ids
from landed.services.registering_shapes import (
    NewBrand,
    NewCampaign,
    NewNumbers,
    NewProfile,
    ProfileList,
    ProfileShape,
    fields_of,
)
from landed.store import registration_requests as rows
from landed.store.connect import transaction
from landed.store.reading import account_names
from landed.store.registration_requests import Asked, RequestKind, RequestState

#: A request that is still being asked for after this was asked for by a process that died: a call takes 40 s at most.
ASKING_MAX: Final = timedelta(seconds=60)
#: What the provider does not list after this, it did not take.
LISTED_AFTER: Final = timedelta(seconds=60)
#: What was taken so long ago, and is not known to the provider any more, was deleted there.
GONE_AFTER: Final = timedelta(hours=1)
#: Pages of a provider's list that are looked through.
PAGES_MAX: Final = 100
_WHAT: Final = "register for 10DLC"
_PATHS: Final = {
    RequestKind.BRAND: "brands",
    RequestKind.CAMPAIGN: "campaigns",
    RequestKind.NUMBER_LINK: "number-links",
    RequestKind.NUMBER_UNLINK: "number-unlinks",
}

Pool = AsyncConnectionPool[AsyncConnection[Any]]
T = TypeVar("T")
_log = structlog.get_logger()


class Answer(NamedTuple):
    """What a provider answered to a request of ours."""

    provider_id: str | None
    receipts: Sequence[RegistrationReceipt] = ()


class Listed(NamedTuple):
    """A profile, brand or campaign, as the provider lists it."""

    alias: str | None
    provider_id: str
    parent_id: str | None
    status: RegistrationStatus | None
    reason: str | None
    receipt: RegistrationReceipt | None


class Registrar:
    """Asks providers to register things, each once.

    Args:
        public_url: see settings.py.
        region: what bare numbers are of, where nobody says it.
    """

    def __init__(
        self,
        *,
        pool: Pool,
        clients: Clients,
        public_url: str,
        region: str | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._pool = pool
        self._clients = clients
        self._public_url = public_url
        self._region = region
        self._clock = clock
        self._keeper = RegistrationKeeper()

    # --- what can be asked for -------------------------------------------------------------------------------------

    async def create_profile(self, new: NewProfile, *, account_id: int | None) -> str:
        """Create a profile. Asking for the same again gives the same one.

        Returns:
            Our id of it.

        Raises:
            InputInvalid: it cannot be asked for like this; names the field.
            Conflict: there is another one with this alias.
            OutcomeUnknown: the provider may have taken it; asking again later finds it, or asks again.
            SendFailed: any other: nothing came of it.
            StoreUnavailable: nothing was asked for.
        """
        account, client = await choose(self._clients, new.account, account_id, _registers, _WHAT)
        asked = self._asked(account, RequestKind.PROFILE, new.alias, fields_of(new))

        async def create() -> Answer:
            request = ProfileRequest(
                address=new.address.plain() if new.address else None,
                authorized_contact=new.authorized_contact.plain() if new.authorized_contact else None,
                **new.model_dump(exclude={"account", "address", "authorized_contact"}),
            )
            return Answer(await client.create_profile(request))

        return await self._ask(asked, client, create)

    async def create_brand(self, new: NewBrand, *, account_id: int | None, profile_id: str | None = None) -> str:
        """Register a brand: see `create_profile`. One that was rejected may be asked for again.

        Args:
            profile_id: the provider's id of the profile, where it is known.
        """
        account, client, profile_id = await self._under(
            RequestKind.PROFILE, profile_id or new.profile, new.account, account_id
        )
        asked = self._asked(account, RequestKind.BRAND, new.alias, fields_of(new), parent_id=profile_id)

        async def create() -> Answer:
            request = BrandRequest(
                id=asked.id,
                provider_profile_id=profile_id,
                callback_url=self._url(account, asked),
                **new.model_dump(exclude={"account", "profile"}),
            )
            receipt = await client.create_brand(request)
            return Answer(receipt.provider_brand_id, [receipt])

        return await self._ask(asked, client, create)

    async def create_campaign(self, new: NewCampaign, *, account_id: int | None, brand_id: str | None = None) -> str:
        """Register a campaign: see `create_brand`."""
        if not new.unchecked:
            check_campaign(new)
        account, client, brand_id = await self._under(RequestKind.BRAND, brand_id or new.brand, new.account, account_id)
        request_id = uuid4()
        alias = new.alias or str(request_id)  # what has none cannot be found again
        asked = self._asked(
            account, RequestKind.CAMPAIGN, alias, fields_of(new), parent_id=brand_id, request_id=request_id
        )

        async def create() -> Answer:
            plain = new.model_dump(exclude={"account", "brand", "unchecked", "alias", "samples", "sub_use_cases"})
            request = CampaignRequest(
                id=asked.id,
                provider_brand_id=brand_id,
                alias=alias,
                samples=tuple(new.samples),
                sub_use_cases=tuple(new.sub_use_cases),
                callback_url=self._url(account, asked),
                **plain,
            )
            receipt = await client.create_campaign(request)
            return Answer(receipt.provider_campaign_id, [receipt])

        return await self._ask(asked, client, create)

    async def link_numbers(self, campaign: str, new: NewNumbers, *, account_id: int | None) -> list[str]:
        """Let numbers send for a campaign.

        Returns:
            The numbers.

        Raises:
            as `create_profile`.
        """
        numbers = list(dict.fromkeys(self._number(each, new.region, "numbers") for each in new.numbers))
        account, client, campaign_id = await self._under(RequestKind.CAMPAIGN, campaign, new.account, account_id)
        asked = self._asked(account, RequestKind.NUMBER_LINK, None, {}, parent_id=campaign_id, numbers=numbers)

        async def link() -> Answer:
            request = NumberLinkRequest(
                id=asked.id,
                provider_campaign_id=campaign_id,
                numbers=tuple(numbers),
                callback_url=self._url(account, asked),
            )
            return Answer(None, await client.link_numbers(request))

        await self._ask(asked, client, link)
        return numbers

    async def unlink_number(
        self, campaign: str, number: str, *, account: str | None = None, account_id: int | None
    ) -> str:
        """Take a number out of its campaign.

        Returns:
            The number.

        Raises:
            as `create_profile`.
        """
        plain = self._number(number, None, "number")
        owner, client, campaign_id = await self._under(RequestKind.CAMPAIGN, campaign, account, account_id)
        asked = self._asked(owner, RequestKind.NUMBER_UNLINK, None, {}, parent_id=campaign_id, numbers=[plain])

        async def unlink() -> Answer:
            request = NumberUnlinkRequest(
                id=asked.id,
                provider_campaign_id=campaign_id,
                number=plain,
                callback_url=self._url(owner, asked),
            )
            return Answer(None, [await client.unlink_number(request)])

        await self._ask(asked, client, unlink)
        return plain

    # --- asking once -----------------------------------------------------------------------------------------------

    def _asked(
        self,
        account: Account,
        kind: RequestKind,
        alias: str | None,
        fields: Mapping[str, Any],
        *,
        parent_id: str | None = None,
        numbers: Sequence[str] = (),
        request_id: UUID | None = None,
    ) -> Asked:
        return Asked(
            id=request_id or uuid4(),
            account_id=account.id,
            kind=kind,
            alias=alias,
            parent_id=parent_id,
            numbers=numbers,
            fields=fields,
            asked_at=self._clock(),
        )

    def _url(self, account: Account, asked: Asked) -> str:
        return callback_url(self._public_url, account, _PATHS[asked.kind], str(asked.id))

    def _number(self, number: str, region: str | None, field: str) -> str:
        return addressing.recipient(number, region=region or self._region, field=field)

    async def _ask(self, asked: Asked, client: Registers, ask: Callable[[], Awaitable[Answer]]) -> str:
        """Keep the request, ask, and keep what came of it. Our id of what there is then."""
        before = await self._reserve(asked, client)
        if before is not None:
            return str(before.id)
        try:
            answer = await ask()
        except OutcomeUnknown as error:
            await self._settle(asked, RequestState.UNKNOWN, error)
            with suppress(SendFailed):
                if await self._find_out(asked, client):
                    return str(asked.id)
            error.our_id = str(asked.id)
            raise
        except SendFailed as error:
            await self._settle(asked, RequestState.REFUSED, error)
            raise
        try:
            await self._keep(asked, answer)
        except StoreUnavailable as error:
            unknown = OutcomeUnknown("The provider took it, and that could not be kept: asking again finds it.")
            unknown.our_id = str(asked.id)
            raise unknown from error
        return str(asked.id)

    async def _reserve(self, asked: Asked, client: Registers) -> Asked | None:
        """Keep the request. Gives the one there is already, where that is the same.

        Raises:
            Conflict: the alias belongs to another.
            OutcomeUnknown: whether there is one already can not be told yet.
            SendFailed: the provider cannot be asked what became of the one before.
        """
        while True:
            async with transaction(self._pool) as connection:
                if await rows.insert(connection, asked):
                    return None
                known = await rows.live(connection, asked.account_id, asked.kind, asked.alias or "")
            if known is None:
                continue  # it was refused just now
            if not await self._is_replaceable(known, client):
                known = await self._again(known)
                if known.state is RequestState.ASKED and dict(known.fields) == dict(asked.fields):
                    return known
                raise Conflict(_there_is(known))
            async with transaction(self._pool) as connection:
                await rows.retire(connection, known.id, self._clock())

    async def _again(self, known: Asked) -> Asked:
        async with transaction(self._pool) as connection:
            return await rows.live(connection, known.account_id, known.kind, known.alias or "") or known

    async def _is_replaceable(self, known: Asked, client: Registers) -> bool:
        """Whether another may be asked for under its alias: it was rejected or deleted, or was never taken."""
        age = self._clock() - known.asked_at
        if known.state is RequestState.ASKED:
            async with transaction(self._pool) as connection:
                status = await self._status(connection, known)
            if status == RegistrationStatus.REJECTED:
                return True
            return not await self.is_there(known, client)
        if known.state is RequestState.ASKING and age < ASKING_MAX:
            return False
        if await self._find_out(known, client):
            return False
        if age < LISTED_AFTER:
            unknown = OutcomeUnknown(
                f"Whether the provider took the {known.kind} {known.alias!r} is not known yet: ask again in a minute."
            )
            unknown.our_id = str(known.id)
            raise unknown
        return True

    async def is_there(self, asked: Asked, client: Registers) -> bool:
        """Whether what came of a request is still known to the provider, which may not list it yet."""
        return self._clock() - asked.asked_at <= GONE_AFTER or not await self._is_gone(asked, client)

    async def _status(self, connection: AsyncConnection[Any], known: Asked) -> str | None:
        if known.kind is RequestKind.PROFILE or known.provider_id is None:
            return None
        return (await rows.statuses(connection, known.account_id, known.kind)).get(known.provider_id)

    async def _is_gone(self, known: Asked, client: Registers) -> bool:
        if known.provider_id is None:
            return False
        match known.kind:
            case RequestKind.BRAND:
                return await client.look_up_brand(known.provider_id) is None
            case RequestKind.CAMPAIGN:
                return await client.look_up_campaign(known.provider_id) is None
            case _:
                return all(each.provider_id != known.provider_id for each in await list_all(client, known.kind))

    async def _find_out(self, asked: Asked, client: Registers) -> bool:
        """Whether the provider took it after all; then what it is is kept.

        Raises:
            Conflict: it may be one of several.
            SendFailed: that cannot be asked now.
            StoreUnavailable
        """
        answer = await self._found(asked, client)
        if answer is None:
            return False
        mine = [receipt._replace(our_id=str(asked.id)) for receipt in answer.receipts]
        await self._keep(asked, Answer(answer.provider_id, mine))
        return True

    async def _found(self, asked: Asked, client: Registers) -> Answer | None:
        async with transaction(self._pool) as connection:
            heard = await rows.heard_of(connection, asked)
            taken = await rows.taken(connection, asked)
        if heard is not None:
            return Answer(heard)
        if asked.kind is RequestKind.NUMBER_LINK:
            campaign_id = asked.parent_id or ""
            receipts = [await client.look_up_number(campaign_id, number) for number in asked.numbers]
            return Answer(None, [each for each in receipts if each]) if all(receipts) else None
        if asked.kind is RequestKind.NUMBER_UNLINK:
            return await self._found_unlinked(asked, client)
        found = [
            each
            for each in await list_all(client, asked.kind)
            if each.alias == asked.alias and each.provider_id not in taken and each.parent_id in (None, asked.parent_id)
        ]
        if len(found) > 1:
            raise Conflict(f"The provider lists several {asked.kind}s {asked.alias!r}: choose another alias.")
        if not found:
            return None
        return Answer(found[0].provider_id, [found[0].receipt] if found[0].receipt else [])

    async def _found_unlinked(self, asked: Asked, client: Registers) -> Answer | None:
        (number,) = asked.numbers
        if await client.look_up_number(asked.parent_id or "", number) is not None:
            return None
        receipt = RegistrationReceipt(
            registration=Registration.NUMBER_UNLINK,
            provider_status="",
            status=RegistrationStatus.UNLINKED,
            source=Source.LOOKUP,
            provider_campaign_id=asked.parent_id,
            number=number,
        )
        return Answer(None, [receipt])

    async def _settle(self, asked: Asked, state: RequestState, error: SendFailed) -> None:
        """Where this cannot be written the request stays as it is: whoever asks again finds out."""
        try:
            async with transaction(self._pool) as connection:
                await rows.settle(connection, asked.id, state, self._clock(), problem=error.code, detail=str(error))
        except StoreUnavailable:
            _log.warning("registration_request_not_settled", state=state)

    async def _keep(self, asked: Asked, answer: Answer) -> None:
        async def settle(connection: AsyncConnection[Any]) -> None:
            await rows.settle(connection, asked.id, RequestState.ASKED, self._clock(), provider_id=answer.provider_id)

        await self._tell(asked.account_id, answer.receipts, settle)

    async def _tell(
        self,
        account_id: int,
        receipts: Sequence[RegistrationReceipt],
        more: Callable[[AsyncConnection[Any]], Awaitable[None]] | None = None,
    ) -> None:
        """Fold facts into state, and what else belongs into the same transaction."""
        while True:
            now = self._clock()
            told = [Told(account_id, Telling(receipt, now, None)) for receipt in receipts]
            try:
                async with transaction(self._pool) as connection:
                    await keep_and_record(connection, self._keeper, told, now)
                    if more is not None:
                        await more(connection)
                return
            except (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure):
                continue  # a tracker was quicker: the same again

    async def learn(self, account_id: int, receipts: Sequence[RegistrationReceipt]) -> None:
        """Keep what a provider's list says of things, as far as it is news: an answer that we do not know yet, or a
        thing that we never heard of. That something is pending is not told after more is known."""
        async with transaction(self._pool) as connection:
            known: dict[str, str] = {}
            for kind in (RequestKind.BRAND, RequestKind.CAMPAIGN):
                known |= await rows.statuses(connection, account_id, kind)
            known |= {number: status for number, (_, status) in (await rows.numbers(connection, account_id)).items()}
        news = [each for each in receipts if _is_news(each, known)]
        if news:
            await self._tell(account_id, news)

    # --- names -----------------------------------------------------------------------------------------------------

    async def _under(
        self, kind: RequestKind, name: str, account: str | None, account_id: int | None
    ) -> tuple[Account, Registers, str]:
        """Whose the thing is that another is to belong to, and its id at the provider. What is not known here is
        taken to be such an id: the provider will say so where it is none.

        Raises:
            InputInvalid: it belongs to another account, or several have one of that name.
        """
        field = kind.value
        among = account_id
        if account is not None:
            among = (await choose(self._clients, account, account_id, _registers, _WHAT))[0].id
        async with transaction(self._pool) as connection:
            found = await rows.resolve(connection, kind, name, among)
        if len(found) > 1:
            raise InputInvalid(f"Several accounts have a {kind} {name!r}: say which one it is for.", field="account")
        if found:
            ((owner, provider_id),) = found
            return *(await client_of(self._clients, owner, _registers, _WHAT)), provider_id
        if not name.isascii() or any(map(str.isspace, name)):
            raise InputInvalid(f"There is no {kind} {name!r}: create it first, or give the provider's id.", field=field)
        return *(await choose(self._clients, account, account_id, _registers, _WHAT)), name


def check_campaign(new: NewCampaign, place: str = "") -> None:
    """Raises InputInvalid: the registry would refuse it. All reasons are told, and the first field is named."""
    found = registration_rules.broken(
        description=new.description,
        samples=new.samples,
        message_flow=new.message_flow,
        help_message=new.help_message,
        opt_out_message=new.opt_out_message,
    )
    if found:
        told = " ".join(f"`{place}{each.field}`: {each.how}" for each in found)
        raise InputInvalid(
            f"The registry would refuse it. {told} `unchecked` has it sent all the same.",
            field=f"{place}{found[0].field}",
        )


async def list_all(client: Registers, kind: RequestKind) -> list[Listed]:
    """All profiles, brands or campaigns that the provider knows.

    Raises:
        SendFailed: but never OutcomeUnknown.
    """
    if kind is RequestKind.PROFILE:
        profiles = await every(client.profiles)
        return [Listed(each.alias, each.provider_profile_id, None, None, None, None) for each in profiles]
    receipts = await every(client.brands if kind is RequestKind.BRAND else client.campaigns)
    return [listed for receipt in receipts if (listed := _listed(kind, receipt))]


def _listed(kind: RequestKind, receipt: RegistrationReceipt) -> Listed | None:
    is_brand = kind is RequestKind.BRAND
    provider_id = receipt.provider_brand_id if is_brand else receipt.provider_campaign_id
    if provider_id is None:
        return None
    parent_id = None if is_brand else receipt.provider_brand_id
    # What the provider calls the field is its own; that it is called an alias is all we know of it.
    alias = next((value for name, value in receipt.extra if name.lower().replace("_", "").endswith("alias")), None)
    return Listed(alias, provider_id, parent_id, receipt.status, receipt.reason, receipt)


async def every(page: Callable[..., Awaitable[tuple[Sequence[T], int | None]]], *arguments: Any) -> list[T]:
    """A whole list of a provider's, page by page."""
    found: list[T] = []
    offset: int | None = 0
    for _ in range(PAGES_MAX):
        if offset is None:
            break
        some, offset = await page(*arguments, offset=offset)
        found += some
    return found


def _is_news(receipt: RegistrationReceipt, known: Mapping[str, str]) -> bool:
    match receipt.registration:
        case Registration.BRAND:
            name = receipt.provider_brand_id
        case Registration.CAMPAIGN:
            name = receipt.provider_campaign_id
        case _:
            name = receipt.number
    if name is None or receipt.status is None:
        return False
    if known.get(name) == RegistrationStatus.UNLINKED:
        return False  # the list lags behind: linking it again would have been asked for
    return name not in known or (receipt.status is not RegistrationStatus.PENDING and receipt.status != known[name])


def _there_is(known: Asked) -> str:
    if known.state is RequestState.ASKING:
        return f"The {known.kind} {known.alias!r} is being asked for just now: wait for that."
    said = f" ({known.provider_id})" if known.provider_id else ""
    return f"There is another {known.kind} {known.alias!r}{said} in this account: choose another alias."


def _registers(client: object) -> TypeGuard[Registers]:
    return isinstance(client, Registers)


class ProfileReader:
    """Profiles that were asked for here."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def profiles(
        self, accounts: Sequence[str], *, account_id: int | None, cursor: str | None, limit: int
    ) -> ProfileList:
        """A page of them, latest first.

        Raises:
            InputInvalid: there is no such account, or the cursor is not ours.
        """
        names = await account_names(self._engine)
        among = account_ids(names, accounts, account_id)
        found = await rows.page_of_profiles(self._engine, among, cursors.read_row(cursor), limit + 1)
        last = found[limit - 1] if len(found) > limit else None
        return ProfileList(
            data=[_profile(row, names) for row in found[:limit]],
            next_cursor=cursors.write_row(last.asked_at, last.id) if last else None,
        )

    async def profile(self, name: str, *, account_id: int | None) -> ProfileShape:
        """One of them: by our id, the provider's, or its alias.

        Raises:
            NotFound: there is none, or none of this account.
        """
        row = await rows.one_profile(self._engine, name, None if account_id is None else [account_id])
        if row is None:
            raise NotFound("There is no profile with this id or alias.")
        return _profile(row, await account_names(self._engine))


def _profile(row: Any, names: Mapping[int, AccountName]) -> ProfileShape:
    account = names.get(row.account_id)
    return ProfileShape(
        id=str(row.id),
        account=account.name if account else None,
        provider=account.provider if account else None,
        provider_profile_id=row.provider_id,
        alias=row.alias,
        company_name=row.fields.get("company_name"),
        state=row.state,
        error_code=row.problem,
        error=row.detail,
        created_at=row.asked_at,
        updated_at=row.updated_at,
    )
