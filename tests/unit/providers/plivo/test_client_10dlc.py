"""10DLC through Plivo's client."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from landed.domain.errors import OutcomeUnknown, RequestRefused
from landed.domain.outbound import NumberLinkRequest, NumberUnlinkRequest
from landed.domain.receipts import Registration, RegistrationStatus, Source
from landed.providers.plivo.client import PlivoClient
from tests.doubles.api import Fault, impatient
from tests.doubles.plivo import AUTH_ID, PlivoDouble
from tests.unit.providers.plivo.asking import (
    CALLBACK_URL,
    OUR_ID,
    PROFILE,
    SENDER,
    WITHOUT_ANSWER,
    brand_request,
    campaign_request,
)

pytestmark = pytest.mark.anyio


async def registered(client: PlivoClient) -> tuple[str, str]:
    """A brand and a campaign of it."""
    brand = await client.create_brand(brand_request(await client.create_profile(PROFILE)))
    assert brand.provider_brand_id is not None
    campaign = await client.create_campaign(campaign_request(brand.provider_brand_id))
    assert campaign.provider_campaign_id is not None
    return brand.provider_brand_id, campaign.provider_campaign_id


async def test_profile_brand_and_campaign_are_created(client: PlivoClient, double: PlivoDouble) -> None:
    profile_id = await client.create_profile(PROFILE)
    brand = await client.create_brand(brand_request(profile_id))
    campaign = await client.create_campaign(campaign_request(brand.provider_brand_id or ""))

    targets = [arrived.target.removeprefix(f"/v1/Account/{AUTH_ID}") for arrived in double.arrived]
    assert targets == ["/Profile/", "/10dlc/Brand/", "/10dlc/Campaign/"]
    for receipt, registration in ((brand, Registration.BRAND), (campaign, Registration.CAMPAIGN)):
        assert (receipt.registration, receipt.status, receipt.source) == (
            registration,
            RegistrationStatus.PENDING,
            Source.SEND,
        )
        assert receipt.our_id == str(OUR_ID)
    profile, brand_body, campaign_body = (arrived.json() for arrived in double.arrived)
    assert profile["authorized_contact"]["phone"] == "14155550199"
    assert profile["address"]["postal_code"] == "10001"
    assert brand_body == {
        "brand_alias": "brand",
        "profile_uuid": profile_id,
        "brand_type": "STANDARD",
        "secondary_vetting": True,
        "url": "https://hooks.example.com/callbacks/k/brands/1",
        "method": "POST",
    }
    assert campaign_body["sub_usecases"] == ["2FA", "CUSTOMER_CARE"]
    assert (campaign_body["sample1"], campaign_body["sample2"]) == (
        "Your code is 1234.",
        "Your order is out for delivery.",
    )
    assert (campaign_body["embedded_link"], campaign_body["subscriber_optin"]) == (False, True)
    assert "age_gated" not in campaign_body


async def test_a_campaign_with_more_samples_than_there_are_fields_is_refused(
    client: PlivoClient, double: PlivoDouble
) -> None:
    with pytest.raises(RequestRefused, match="5 samples"):
        await client.create_campaign(campaign_request("B123456", samples=("a",) * 6))

    assert double.arrived == []


async def test_numbers_are_linked_and_unlinked(client: PlivoClient, double: PlivoDouble) -> None:
    _, campaign_id = await registered(client)
    url = "https://hooks.example.com/callbacks/k/number-links/1"

    linked = await client.link_numbers(
        NumberLinkRequest(
            id=OUR_ID, provider_campaign_id=campaign_id, numbers=(SENDER, "+12025550001"), callback_url=url
        )
    )
    unlinked = await client.unlink_number(
        NumberUnlinkRequest(id=OUR_ID, provider_campaign_id=campaign_id, number=SENDER, callback_url=url)
    )

    assert [(receipt.registration, receipt.number) for receipt in (*linked, unlinked)] == [
        (Registration.NUMBER_LINK, SENDER),
        (Registration.NUMBER_LINK, "+12025550001"),
        (Registration.NUMBER_UNLINK, SENDER),
    ]
    assert {receipt.provider_campaign_id for receipt in (*linked, unlinked)} == {campaign_id}
    assert double.arrived[-2].json() == {"numbers": ["12025550000", "12025550001"], "url": url, "method": "POST"}
    assert double.arrived[-1].path == f"/v1/Account/{AUTH_ID}/10dlc/Campaign/{campaign_id}/Number/12025550000/"
    assert double.unlinked == [(campaign_id, "12025550000", {"url": url, "method": "POST"})]


async def test_a_number_that_is_linked_already_is_refused(client: PlivoClient) -> None:
    _, campaign_id = await registered(client)
    request = NumberLinkRequest(
        id=OUR_ID, provider_campaign_id=campaign_id, numbers=(SENDER,), callback_url=CALLBACK_URL
    )
    await client.link_numbers(request)

    with pytest.raises(RequestRefused, match="already requested for linking") as refused:
        await client.link_numbers(request)

    assert "2025550000" not in str(refused.value)


async def test_registrations_are_looked_up(client: PlivoClient, double: PlivoDouble) -> None:
    brand_id, campaign_id = await registered(client)
    await client.link_numbers(
        NumberLinkRequest(id=OUR_ID, provider_campaign_id=campaign_id, numbers=(SENDER,), callback_url=CALLBACK_URL)
    )
    double.brands[brand_id]["registration_status"] = "COMPLETED"
    double.campaigns[campaign_id] |= {
        "registration_status": "FAILED",
        "error_code": "21710",
        "error_description": "The samples do not fit the use case",
    }

    brand = await client.look_up_brand(brand_id)
    campaign = await client.look_up_campaign(campaign_id)
    number = await client.look_up_number(campaign_id, SENDER)

    assert brand is not None
    assert campaign is not None
    assert number is not None
    assert (brand.status, brand.provider_status, brand.provider_brand_id) == (
        RegistrationStatus.REGISTERED,
        "COMPLETED",
        brand_id,
    )
    assert (campaign.status, campaign.error_code, campaign.reason, campaign.provider_campaign_id) == (
        RegistrationStatus.REJECTED,
        "21710",
        "The samples do not fit the use case",
        campaign_id,
    )
    assert (number.status, number.number, number.registration) == (
        RegistrationStatus.PENDING,
        SENDER,
        Registration.NUMBER_LINK,
    )
    assert {receipt.source for receipt in (brand, campaign, number)} == {Source.LOOKUP}


async def test_registrations_that_are_not_known_are_none(client: PlivoClient) -> None:
    _, campaign_id = await registered(client)

    assert await client.look_up_brand("BXXXXXX") is None
    assert await client.look_up_campaign("CXXXXXX") is None
    assert await client.look_up_number(campaign_id, SENDER) is None


async def test_registrations_are_listed(client: PlivoClient) -> None:
    profile_id = await client.create_profile(PROFILE)
    brands = {(await client.create_brand(brand_request(profile_id))).provider_brand_id for _ in range(21)}
    campaign = await client.create_campaign(campaign_request(next(filter(None, brands))))
    campaign_id = campaign.provider_campaign_id or ""
    await client.link_numbers(
        NumberLinkRequest(id=OUR_ID, provider_campaign_id=campaign_id, numbers=(SENDER,), callback_url=CALLBACK_URL)
    )

    profiles, _ = await client.profiles(offset=0)
    first, following = await client.brands(offset=0)
    second, end = await client.brands(offset=following or 0)
    campaigns, _ = await client.campaigns(offset=0)
    numbers, _ = await client.numbers(campaign_id, offset=0)

    assert [(each.provider_profile_id, each.alias, each.company_name) for each in profiles] == [
        (profile_id, "acme", "Acme Ltd")
    ]
    assert {receipt.provider_brand_id for receipt in (*first, *second)} == brands
    assert (following, end) == (20, None)
    assert ("campaign_alias", "codes") in campaigns[0].extra
    assert [receipt.number for receipt in numbers] == [SENDER]


@pytest.mark.parametrize(
    ("ask", "fault"),
    [
        pytest.param(ask, fault, id=f"{ask}: {name}")
        for ask in ("profile", "brand", "campaign", "link", "unlink")
        for name, fault in WITHOUT_ANSWER.items()
        if (ask, name) != ("unlink", "empty")  # after deleting, nothing is an answer
    ],
)
async def test_a_registration_without_a_readable_answer_may_be_under_way(
    client: PlivoClient, double: PlivoDouble, http: httpx.AsyncClient, ask: str, fault: Fault
) -> None:
    brand_id, campaign_id = await registered(client)
    profile_id = next(iter(double.profiles))
    link = NumberLinkRequest(id=OUR_ID, provider_campaign_id=campaign_id, numbers=(SENDER,), callback_url=CALLBACK_URL)
    unlink = NumberUnlinkRequest(id=OUR_ID, provider_campaign_id=campaign_id, number=SENDER, callback_url=CALLBACK_URL)
    asked: dict[str, Callable[[], Awaitable[Any]]] = {
        "profile": lambda: client.create_profile(PROFILE),
        "brand": lambda: client.create_brand(brand_request(profile_id)),
        "campaign": lambda: client.create_campaign(campaign_request(brand_id)),
        "link": lambda: client.link_numbers(link),
        "unlink": lambda: client.unlink_number(unlink),
    }
    if ask == "unlink":
        await client.link_numbers(link)
    impatient(http, fault)
    double.fail(fault)

    with pytest.raises(OutcomeUnknown):
        await asked[ask]()


def test_nobody_shows_in_the_repr_of_a_registration() -> None:
    shown = f"{PROFILE!r} {brand_request('p')!r} {campaign_request('B')!r}"

    for shy in ("Acme", "111111111", "Main St", "John", "14155550199", "example.com", "1234", "no more of us"):
        assert shy not in shown
