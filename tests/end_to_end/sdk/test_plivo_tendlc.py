"""Plivo's own SDK for Python registers for 10DLC through the stand-in, as the document 004 shows."""

from typing import Any

import plivo
import pytest
from plivo.exceptions import ResourceNotFoundError, ValidationError

from tests.end_to_end.sdk.listening import Listener
from tests.serving import eventually

PATH = "/tendlc_status/"
CAMPAIGN: dict[str, Any] = {
    "campaign_alias": "codes, approved",
    "vertical": "INSURANCE",
    "usecase": "MIXED",
    "sub_usecases": ["CUSTOMER_CARE", "2FA"],
    "description": "Codes that our customers type to sign in, and news of what they bought",
    "subscriber_optin": True,
    "subscriber_optout": True,
    "subscriber_help": True,
    "sample1": "Your code for Acme is 123456.",
    "sample2": "Your order 17 is out for delivery.",
    "message_flow": "People tick a box when they sign up",
    "help_message": "Write to help@acme.example",
    "optout_message": "You will not hear from us again",
}


def profile(client: plivo.RestClient, **changes: str) -> str:
    told = {"customer_type": "DIRECT", "entity_type": "PRIVATE", "vertical": "INSURANCE", "ein": "111111111", **changes}
    response = client.profile.create(profile_alias="acme", company_name="Acme Inc.", **told)
    uuid: str = response.profile_uuid
    return uuid


def brand(client: plivo.RestClient, listener: Listener, alias: str = "approved", **changes: Any) -> str:
    response = client.brand.create(
        brand_alias=alias,
        brand_type="STANDARD",
        profile_uuid=profile(client, **changes),
        secondary_vetting=True,
        url=listener.base_url + PATH,
    )
    assert response.message == "Request to create brand was received and is being processed."
    brand_id: str = response.brand_id
    return brand_id


def registered_brand(client: plivo.RestClient, listener: Listener) -> str:
    brand_id = brand(client, listener)
    listener.hears(PATH, ["registered"])
    return brand_id


def registered_campaign(client: plivo.RestClient, listener: Listener) -> str:
    made = client.campaign.create(
        brand_id=registered_brand(client, listener), url=f"{listener.base_url}/campaigns/", **CAMPAIGN
    )
    listener.hears("/campaigns/", ["created", "registered"])
    campaign_id: str = made.campaign_id
    return campaign_id


def test_profiles_are_kept(client: plivo.RestClient) -> None:
    uuid = profile(client)
    assert client.profile.get(uuid).profile.company_name == "Acme Inc."
    client.profile.update(uuid, {"website": "https://acme.example", "vertical": "ENERGY"})
    assert client.profile.get(uuid).profile.vertical == "ENERGY"
    assert [each.profile_uuid for each in client.profile.list(limit=5).profiles] == [uuid]
    client.profile.delete(uuid)
    with pytest.raises(ResourceNotFoundError):
        client.profile.get(uuid)
    with pytest.raises(ValidationError, match="customer_type"):
        profile(client, customer_type="SOMEBODY")


def test_004_a_brand_is_submitted_and_registered(client: plivo.RestClient, listener: Listener) -> None:
    brand_id = registered_brand(client, listener)

    assert sorted(listener.words(PATH)) == ["created", "registered"]
    assert {(fields["Event"], fields["BrandID"]) for fields in listener.fields_of(PATH)} == {("brand", brand_id)}
    assert listener.doubted == []
    record = client.brand.get(brand_id).brand
    assert (record.registration_status, record.brand_type, record.vetting_status) == (
        "COMPLETED", "STANDARD", "ACTIVE",
    )  # fmt: skip
    assert [each.brand_id for each in client.brand.list(status="COMPLETED", type="STANDARD").brands] == [brand_id]
    assert "MIXED" in {each.code for each in client.brand.get_usecases(brand_id).use_cases}
    client.brand.delete(brand_id)
    with pytest.raises(ResourceNotFoundError):
        client.brand.get(brand_id)


@pytest.mark.parametrize(("alias", "ein"), [("please reject", "111111111"), ("acme", "00-0000000")])
def test_004_a_brand_is_rejected_for_its_name_or_number(
    alias: str, ein: str, client: plivo.RestClient, listener: Listener
) -> None:
    brand_id = brand(client, listener, alias, ein=ein)
    told = listener.hears(PATH, ["created", "rejected"])
    assert told[-1]["Reason"]
    record = client.brand.get(brand_id).brand
    assert (record.registration_status, record.declined_reasons) == ("FAILED", [told[-1]["Reason"]])
    with pytest.raises(ValidationError, match="not registered"):
        client.campaign.create(brand_id=brand_id, **CAMPAIGN)


def test_004_a_campaign_is_registered_and_its_numbers_linked_and_unlinked(
    client: plivo.RestClient, listener: Listener
) -> None:
    campaign_id = registered_campaign(client, listener)
    record = client.campaign.get(campaign_id).campaign
    assert (record.registration_status, record.usecase, record.sub_usecase) == ("ACTIVE", "MIXED", "CUSTOMER_CARE,2FA")
    assert [each.campaign_id for each in client.campaign.list(usecase="MIXED").campaigns] == [campaign_id]
    client.campaign.update(campaign_id, sample1="Your code for Acme is 654321.")
    assert client.campaign.get(campaign_id).campaign.sample1 == "Your code for Acme is 654321."

    good, bad = "15005550000", "15005550030"
    linked = client.campaign.number_link(campaign_id, url=f"{listener.base_url}/links/", numbers=[good, bad])
    assert "being processed" in linked.message
    told = listener.hears("/links/", ["created", "success", "failed"])
    assert {(fields["Event"], fields["CampaignID"]) for fields in told} == {("number_linking", campaign_id)}
    assert {fields["Number"]: fields["Status"] for fields in told} == {good: "success", bad: "failed"}
    numbers = client.campaign.get_numbers(campaign_id).phone_numbers
    assert {each.number: each.status for each in numbers} == {good: "COMPLETED", bad: "FAILED"}
    assert client.campaign.get_number(campaign_id, good).phone_numbers[0].status == "COMPLETED"
    with pytest.raises(ValidationError, match="already"):
        client.campaign.number_link(campaign_id, numbers=[good])

    client.campaign.number_unlink(campaign_id, good, url=f"{listener.base_url}/unlinks/", method="GET")
    told = listener.hears("/unlinks/", ["created", "success"])
    assert {fields["Event"] for fields in told} == {"number_unlinking"}
    assert listener.doubted == []
    with pytest.raises(ResourceNotFoundError, match="not linked"):
        client.campaign.get_number(campaign_id, good)


def test_004_a_campaign_as_short_as_in_the_document_is_rejected_with_the_reasons(
    client: plivo.RestClient, listener: Listener
) -> None:
    made = client.campaign.create(
        brand_id=registered_brand(client, listener),
        vertical="INSURANCE",
        usecase="MIXED",
        sub_usecases=["2FA", "ACCOUNT_NOTIFICATION", "CUSTOMER_CARE", "DELIVERY_NOTIFICATION", "FRAUD_ALERT"],
        description="OTP registration",
        direct_lending=True,
        subscriber_optin=True,
        subscriber_optout=True,
        subscriber_help=True,
        sample1="Your OTP is 1234.",
        sample2="Your order {ID} is out for delivery.",
        url=f"{listener.base_url}/campaigns/",
    )
    told = listener.hears("/campaigns/", ["created", "rejected"])
    assert told[-1]["Reason"].startswith("description has 16 characters, and needs 40")
    record = client.campaign.get(made.campaign_id).campaign
    assert (record.registration_status, record.error_reason) == ("FAILED", told[-1]["Reason"])


def test_a_campaign_is_taken_over_and_given_up(client: plivo.RestClient, listener: Listener) -> None:
    client.campaign.import_campaign("CY5NVUA", "approved", url=f"{listener.base_url}/campaigns/")
    listener.hears("/campaigns/", ["registered"])
    assert client.campaign.get("CY5NVUA").campaign.campaign_source == "imported"
    assert client.campaign.delete("CY5NVUA").message == "Campaign Deactivated"
    eventually(lambda: client.campaign.list().campaigns == [])
