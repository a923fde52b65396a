"""The same of the same stand-in, by Plivo's official SDK and by us."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx
import plivo
import pytest
from plivo.rest import client as plivo_sdk

from landed.domain.errors import (
    RequestRefused,
)
from landed.domain.outbound import (
    NumberLinkRequest,
    NumberUnlinkRequest,
)
from landed.providers import clients, registry
from landed.providers.base import HasApi
from landed.providers.http import open_client
from landed.providers.plivo.client import PlivoClient
from tests.doubles.api import (
    in_thread,
)
from tests.doubles.plivo import AUTH_ID, AUTH_TOKEN, PlivoDouble
from tests.unit.providers.plivo.asking import (
    CALLBACK_URL,
    NOON,
    OUR_ID,
    PROFILE,
    RECIPIENT,
    SENDER,
    TEXT,
    brand_request,
    campaign_request,
    outbound,
    session_request,
)


def test_a_client_comes_from_the_registry_and_says_what_it_can() -> None:
    provider = registry.load()["plivo"]
    assert isinstance(provider, HasApi)

    client = provider.client(account_id=AUTH_ID, secret=AUTH_TOKEN, http=httpx.AsyncClient())

    assert isinstance(client, clients.SendsMessages)
    assert isinstance(client, clients.ListsMessages)
    assert isinstance(client, clients.Verifies)
    assert isinstance(client, clients.ListsSessions)
    assert isinstance(client, clients.TakesConversions)
    assert isinstance(client, clients.Registers)
    assert isinstance(client, clients.ChecksAccount)
    assert not isinstance(client, clients.CancelsSessions)


@pytest.fixture
def sdk(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[PlivoDouble, plivo.RestClient]]:
    with in_thread(PlivoDouble(clock=lambda: NOON)) as double:
        monkeypatch.setattr(plivo_sdk, "PLIVO_API_BASE_URI", f"{double.base_url}/v1/Account")
        with plivo.RestClient(AUTH_ID, AUTH_TOKEN) as client:
            yield double, client


Sdk = tuple[PlivoDouble, plivo.RestClient]


def ours(double: PlivoDouble, ask: Callable[[PlivoClient], Awaitable[Any]]) -> Any:
    """Ask the same of the same stand-in with our client."""

    async def asked() -> Any:
        async with open_client() as http:
            return await ask(PlivoClient(account_id=AUTH_ID, secret=AUTH_TOKEN, http=http, base_url=double.base_url))

    return asyncio.run(asked())


def test_our_message_is_what_the_sdk_would_send(sdk: Sdk) -> None:
    double, theirs = sdk

    sent = theirs.messages.create(
        src=SENDER, dst=RECIPIENT, text=TEXT, url=CALLBACK_URL, trackable=True, message_expiry=600
    )
    receipt = ours(double, lambda client: client.send(outbound(trackable=True, expires_after_s=600)))

    first, second = double.arrived
    assert (first.method, first.target) == (second.method, second.target)
    assert first.headers["authorization"] == second.headers["authorization"]
    assert first.headers["content-type"] == second.headers["content-type"]
    assert {name: value for name, value in first.json().items() if name != "log"} == second.json()
    assert [*sent.message_uuid, receipt.provider_message_id] == list(double.messages)


def test_the_sdk_reads_the_stand_in_as_we_do(sdk: Sdk) -> None:
    double, theirs = sdk
    uuid = ours(double, lambda client: client.send(outbound())).provider_message_id

    record = theirs.messages.get(uuid)
    page = theirs.messages.list(message_time__gte="2026-03-02 11:59", to_number=RECIPIENT[1:])
    account = theirs.account.get()

    assert (record.message_state, record.to_number, record.units) == ("queued", RECIPIENT[1:], 1)
    assert [each.message_uuid for each in page] == [uuid]
    assert (account.cash_credits, account.auth_id) == ("23.79822", AUTH_ID)


def test_our_session_is_what_the_sdk_would_start(sdk: Sdk) -> None:
    double, theirs = sdk

    started = theirs.verify_session.create(recipient=RECIPIENT, channel="sms", url=CALLBACK_URL, method="POST")
    ours(double, lambda client: client.start_session(session_request()))
    validated = theirs.verify_session.validate(started.session_uuid, otp=double.sessions[started.session_uuid].code)
    with pytest.raises(RequestRefused, match="session is verified"):
        ours(double, lambda client: client.check_code(started.session_uuid, "1"))

    created, created_by_us, checked, checked_by_us, *_ = double.arrived
    assert (created.method, created.target) == (created_by_us.method, created_by_us.target)
    assert created.json() == created_by_us.json()
    assert validated.message == "session validated successfully."
    assert (checked.method, checked.target) == (checked_by_us.method, checked_by_us.target)
    assert checked.json().keys() == checked_by_us.json().keys() | {"session_uuid"}


def test_our_registrations_are_what_the_sdk_would_create(sdk: Sdk) -> None:
    double, theirs = sdk
    profile_id = ours(double, lambda client: client.create_profile(PROFILE))
    theirs.profile.create("acme", "DIRECT", "PRIVATE", "Acme Ltd", "INSURANCE")

    brand = theirs.brand.create(
        "brand",
        "STANDARD",
        profile_id,
        secondary_vetting=True,
        url="https://hooks.example.com/callbacks/k/brands/1",
    )
    ours(double, lambda client: client.create_brand(brand_request(profile_id)))
    theirs.campaign.create(
        brand.brand_id,
        "INSURANCE",
        "MIXED",
        description="One-time codes for those who log in",
        sample1="Your code is 1234.",
        sample2="Your order is out for delivery.",
        sub_usecases=["2FA", "CUSTOMER_CARE"],
        campaign_alias="codes",
        subscriber_optin=True,
        optout_message="You hear no more of us.",
        url="https://hooks.example.com/callbacks/k/campaigns/1",
    )
    ours(double, lambda client: client.create_campaign(campaign_request(brand.brand_id)))
    campaign_id = next(iter(double.campaigns))
    theirs.campaign.number_link(campaign_id, url=CALLBACK_URL, numbers=["12025550002"])
    link = NumberLinkRequest(
        id=OUR_ID, provider_campaign_id=campaign_id, numbers=("+12025550003",), callback_url=CALLBACK_URL
    )
    ours(double, lambda client: client.link_numbers(link))
    theirs.campaign.number_unlink(campaign_id, "12025550002", url=CALLBACK_URL)
    unlink = NumberUnlinkRequest(
        id=OUR_ID, provider_campaign_id=campaign_id, number="+12025550003", callback_url=CALLBACK_URL
    )
    ours(double, lambda client: client.unlink_number(unlink))

    by_us, by_sdk = double.arrived[0], double.arrived[1]
    assert (by_us.method, by_us.target, set(by_sdk.json()) <= set(by_us.json()) | set(by_sdk.json())) == (
        by_sdk.method,
        by_sdk.target,
        True,
    )
    pairs = list(zip(double.arrived[2::2], double.arrived[3::2], strict=True))
    assert len(pairs) == 4
    for theirs_arrived, ours_arrived in pairs:
        said, said_by_us = theirs_arrived.json(), ours_arrived.json()
        assert theirs_arrived.method == ours_arrived.method
        assert set(said_by_us) <= set(said)  # the SDK says blanks, too
        assert all(
            value == said[name] for name, value in said_by_us.items() if name not in ("numbers", "embedded_link")
        )
    assert [arrived.path.split("/Number/")[0] for pair in pairs[2:] for arrived in pair] == [
        f"/v1/Account/{AUTH_ID}/10dlc/Campaign/{campaign_id}"
    ] * 4


def test_the_sdk_raises_where_we_refuse(sdk: Sdk) -> None:
    double, theirs = sdk
    double.barred_prefixes = ("1",)

    with pytest.raises(plivo.exceptions.GeoPermissionError):
        theirs.messages.create(src=SENDER, dst=RECIPIENT, text=TEXT)
    with pytest.raises(RequestRefused):
        ours(double, lambda client: client.send(outbound()))
