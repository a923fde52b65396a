"""/v1/10dlc: registering brands, campaigns and numbers; where they stand, and what to do next."""

from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from landed.domain.accounts import ApiKey
from landed.domain.receipts import RegistrationStatus
from landed.domain.registrations import STATUSES, Thing
from landed.services.idempotency import Pool
from landed.services.registering import ProfileReader, Registrar
from landed.services.registering_shapes import (
    NewBrand,
    NewCampaign,
    NewNumbers,
    NewProfile,
    ProfileList,
    ProfileShape,
)
from landed.services.registration_shapes import (
    BrandList,
    BrandWhole,
    CampaignList,
    CampaignWhole,
    NumberList,
    NumbersAsked,
    NumberWhole,
)
from landed.services.registrations import RegistrationQuestion, RegistrationReader
from landed.web import problems
from landed.web.api.fields import LIMIT, Accounts, Cursor, Limit, Many, Text
from landed.web.api.keys import Permitted
from landed.web.api.once import IdempotencyKey, once

_NAMES: Final = "our id, the provider's id, or our id in callback paths"

Name = Annotated[Text, Path(description=_NAMES)]
ProfileName = Annotated[Text, Path(description="our id, the provider's id, or the alias")]
CampaignName = Annotated[Text, Path(description=f"the alias, {_NAMES}")]
#: What else answers of those that register may be.
RESPONSES: Final[dict[int | str, dict[str, Any]]] = {status: problems.described(status) for status in (409, 502)}
Q = Annotated[Text | None, Query(description=f"{_NAMES}, whole")]


def _statuses(thing: Thing) -> object:
    return Many(", ".join(STATUSES[thing]))


def router(reader: RegistrationReader, profiles: ProfileReader, readers: Permitted) -> APIRouter:
    routes = APIRouter(prefix="/v1/10dlc", tags=["10dlc"])

    @routes.get("/profiles", summary="List the profiles that were asked for here, latest first")
    async def list_profiles(
        key: Annotated[ApiKey, Depends(readers)],
        account: Accounts = [],
        cursor: Cursor = None,
        limit: Limit = LIMIT,
    ) -> ProfileList:
        return await profiles.profiles(account, account_id=key.account_id, cursor=cursor, limit=limit)

    @routes.get("/profiles/{name}", summary="One profile that was asked for here")
    async def show_profile(key: Annotated[ApiKey, Depends(readers)], name: ProfileName) -> ProfileShape:
        return await profiles.profile(name, account_id=key.account_id)

    @routes.get("/brands", summary="List brands, those first heard of last first")
    async def list_brands(
        key: Annotated[ApiKey, Depends(readers)],
        status: Annotated[list[RegistrationStatus], _statuses(Thing.BRAND)] = [],
        account: Accounts = [],
        q: Q = None,
        cursor: Cursor = None,
        limit: Limit = LIMIT,
    ) -> BrandList:
        question = RegistrationQuestion(accounts=account, statuses=status, text=q)
        return await reader.brands(question, account_id=key.account_id, cursor=cursor, limit=limit)

    @routes.get("/brands/{name}", summary="One brand with its history, its receipts and the next step")
    async def show_brand(key: Annotated[ApiKey, Depends(readers)], name: Name) -> BrandWhole:
        return await reader.brand(name, account_id=key.account_id)

    @routes.get("/campaigns", summary="List campaigns, those first heard of last first")
    async def list_campaigns(
        key: Annotated[ApiKey, Depends(readers)],
        status: Annotated[list[RegistrationStatus], _statuses(Thing.CAMPAIGN)] = [],
        account: Accounts = [],
        brand: Annotated[Text | None, Query(description="the provider's id of the brand")] = None,
        q: Q = None,
        cursor: Cursor = None,
        limit: Limit = LIMIT,
    ) -> CampaignList:
        question = RegistrationQuestion(accounts=account, statuses=status, brand=brand, text=q)
        return await reader.campaigns(question, account_id=key.account_id, cursor=cursor, limit=limit)

    @routes.get("/campaigns/{name}", summary="One campaign with its history, its receipts and the next step")
    async def show_campaign(key: Annotated[ApiKey, Depends(readers)], name: Name) -> CampaignWhole:
        return await reader.campaign(name, account_id=key.account_id)

    @routes.get("/numbers", summary="List numbers, those first heard of last first")
    async def list_numbers(
        key: Annotated[ApiKey, Depends(readers)],
        status: Annotated[list[RegistrationStatus], _statuses(Thing.NUMBER)] = [],
        account: Accounts = [],
        campaign: Annotated[Text | None, Query(description="the provider's id of the campaign")] = None,
        q: Annotated[Text | None, Query(description=f"the number, written in any way, or {_NAMES}, whole")] = None,
        cursor: Cursor = None,
        limit: Limit = LIMIT,
    ) -> NumberList:
        question = RegistrationQuestion(accounts=account, statuses=status, campaign=campaign, text=q)
        return await reader.numbers(question, account_id=key.account_id, cursor=cursor, limit=limit)

    @routes.get("/numbers/{name}", summary="One number with its history, its receipts and the next step")
    async def show_number(
        key: Annotated[ApiKey, Depends(readers)],
        name: Annotated[Text, Path(description=f"the number, written in any way, or {_NAMES}")],
    ) -> NumberWhole:
        return await reader.number(name, account_id=key.account_id)

    return routes


def changing_router(
    reader: RegistrationReader, profiles: ProfileReader, registrar: Registrar, pool: Pool, senders: Permitted
) -> APIRouter:
    routes = APIRouter(prefix="/v1/10dlc", tags=["10dlc"], responses=RESPONSES)

    @routes.post("/profiles", summary="Create a profile", status_code=201, response_model=ProfileShape)
    async def create_profile(
        request: Request,
        key: Annotated[ApiKey, Depends(senders)],
        new: NewProfile,
        idempotency_key: IdempotencyKey = None,
    ) -> Response:
        async def create() -> ProfileShape:
            created = await registrar.create_profile(new, account_id=key.account_id)
            return await profiles.profile(created, account_id=key.account_id)

        return await once(pool, request, key, idempotency_key, new, create, status=HTTPStatus.CREATED)

    @routes.post("/brands", summary="Register a brand", status_code=202, response_model=BrandWhole)
    async def create_brand(
        request: Request,
        key: Annotated[ApiKey, Depends(senders)],
        new: NewBrand,
        idempotency_key: IdempotencyKey = None,
    ) -> Response:
        async def create() -> BrandWhole:
            created = await registrar.create_brand(new, account_id=key.account_id)
            return await reader.brand(created, account_id=key.account_id)

        return await once(pool, request, key, idempotency_key, new, create, status=HTTPStatus.ACCEPTED)

    @routes.post("/campaigns", summary="Register a campaign", status_code=202, response_model=CampaignWhole)
    async def create_campaign(
        request: Request,
        key: Annotated[ApiKey, Depends(senders)],
        new: NewCampaign,
        idempotency_key: IdempotencyKey = None,
    ) -> Response:
        async def create() -> CampaignWhole:
            created = await registrar.create_campaign(new, account_id=key.account_id)
            return await reader.campaign(created, account_id=key.account_id)

        return await once(pool, request, key, idempotency_key, new, create, status=HTTPStatus.ACCEPTED)

    @routes.post(
        "/campaigns/{name}/numbers",
        summary="Let numbers send for a campaign",
        status_code=202,
        response_model=NumbersAsked,
    )
    async def link_numbers(
        request: Request,
        key: Annotated[ApiKey, Depends(senders)],
        name: CampaignName,
        new: NewNumbers,
        idempotency_key: IdempotencyKey = None,
    ) -> Response:
        async def link() -> NumbersAsked:
            numbers = await registrar.link_numbers(name, new, account_id=key.account_id)
            return NumbersAsked(data=[await reader.number(each, account_id=key.account_id) for each in numbers])

        return await once(pool, request, key, idempotency_key, new, link, status=HTTPStatus.ACCEPTED)

    @routes.delete("/campaigns/{name}/numbers/{number}", summary="Take a number out of its campaign", status_code=202)
    async def unlink_number(
        key: Annotated[ApiKey, Depends(senders)],
        name: CampaignName,
        number: Annotated[Text, Path(description="the number, written in any way")],
        account: Annotated[Text | None, Query(description="whose the campaign is, if that is not known")] = None,
    ) -> NumberWhole:
        unlinked = await registrar.unlink_number(name, number, account=account, account_id=key.account_id)
        return await reader.number(unlinked, account_id=key.account_id)

    return routes
