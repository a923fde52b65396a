"""Landed's own client of Plivo against the stand-in, and Landed itself: sends, looks up, verifies, registers, converts.

What the official SDKs make of the stand-in is in sdk/.
"""

import socket
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest

from landed.domain.errors import OutcomeUnknown, ProviderFailed, ProviderThrottled, RequestRefused
from landed.domain.outbound import (
    BrandRequest,
    CampaignRequest,
    NumberLinkRequest,
    NumberUnlinkRequest,
    Outbound,
    ProfileRequest,
    SessionRequest,
)
from landed.domain.receipts import Channel, RegistrationStatus, SessionStatus, Source
from landed.domain.statuses import Status
from landed.providers.http import open_client
from landed.providers.plivo.client import PlivoClient
from landed.simulator import server as carrier_server
from landed.simulator import simulation
from landed.simulator.carrier.scenario import EVERYDAY
from landed.simulator.plivo.state import Registered
from landed.testing.carrier import LandedCarrier, running
from tests.asking import opened_desk
from tests.databases import Databases
from tests.doubles.plivo import AUTH_ID, AUTH_TOKEN
from tests.serving import Served, eventually, served
from tests.simulating import World, opened_world

OURS, GOOD, SPAM, LOST = "+12025550100", "+15005550000", "+15005550030", "+15005559008"


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with opened_world() as one:
        yield one


@pytest.fixture
async def client(world: World) -> AsyncIterator[PlivoClient]:
    async with open_client(connect_s_max=10, read_s_max=1) as http:
        yield PlivoClient(account_id=AUTH_ID, secret=AUTH_TOKEN, http=http, base_url=world.base_url)


def outbound(world: World, recipient: str = GOOD, **known: Any) -> Outbound:
    message: dict[str, Any] = {
        "id": uuid4(),
        "channel": Channel.SMS,
        "sender": OURS,
        "recipient": recipient,
        "text": "hello",
        "callback_url": f"{world.receiver.base_url}/messages",
        **known,
    }
    return Outbound(**message)


def as_plain(world: World, auth_id: str = AUTH_ID, token: str = AUTH_TOKEN) -> httpx.AsyncClient:
    """A plain client of one account."""
    return httpx.AsyncClient(auth=(auth_id, token), base_url=f"{world.base_url}/v1/Account/{auth_id}/")


def registered_campaign(world: World, campaign_id: str) -> Registered:
    record = {"registration_status": "ACTIVE", "usecase": "2FA"}
    return Registered(id=campaign_id, account_id=AUTH_ID, created_at=world.carrier.now(), record=record)


# --- the client ----------------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_what_was_sent_is_found_again_as_it_went(world: World, client: PlivoClient) -> None:
    before = await client.check_account()
    sent = await client.send(outbound(world))
    spam = await client.send(outbound(world, SPAM, text="x" * 200))
    (queued,) = await client.look_up(sent.provider_message_id)
    await world.pass_time(minutes=1)
    (delivered,) = await client.look_up(sent.provider_message_id)
    (refused,) = await client.look_up(spam.provider_message_id)

    assert (queued.status, delivered.status, delivered.recipient) == (Status.QUEUED, Status.DELIVERED, GOOD)
    assert (refused.status, refused.error_code, refused.units) == (Status.UNDELIVERED, "30", 2)
    assert delivered.submitted_at is not None
    since, until = delivered.submitted_at - timedelta(hours=1), delivered.submitted_at + timedelta(hours=1)
    found, following = await client.sent_between(since, until, offset=0)
    assert ({each.provider_message_id for each in found}, following) == (
        {sent.provider_message_id, spam.provider_message_id}, None,
    )  # fmt: skip
    ((only,), _) = await client.sent_between(since, until, offset=0, recipient=SPAM)
    assert only.provider_message_id == spam.provider_message_id
    assert await client.look_up(str(uuid4())) == ()
    after = await client.check_account()
    assert before.balance_nanos is not None
    assert before.balance_nanos - (after.balance_nanos or 0) == (delivered.cost_nanos or 0) + (refused.cost_nanos or 0)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("recipient", "error"),
    [
        ("+15005559400", RequestRefused),
        ("+15005559403", RequestRefused),
        ("+15005559429", ProviderThrottled),
        ("+15005559500", (OutcomeUnknown, ProviderFailed)),
        ("+15005559408", OutcomeUnknown),
        ("+15005559409", OutcomeUnknown),
    ],
)
async def test_what_magic_numbers_do_to_a_request_is_told_from_one_another(
    recipient: str, error: type[Exception], world: World, client: PlivoClient
) -> None:
    with pytest.raises(error):
        await client.send(outbound(world, recipient))
    taken = [message.recipient for message in world.plivo.messages()]
    assert taken == ([recipient] if recipient in ("+15005559408", "+15005559409") else [])


@pytest.mark.anyio
async def test_a_person_is_verified(world: World, client: PlivoClient) -> None:
    request = SessionRequest(id=uuid4(), recipient=GOOD, callback_url=f"{world.receiver.base_url}/verify")
    session = await client.start_session(request)
    wrong = await client.check_code(session.provider_session_id, "654321")
    right = await client.check_code(session.provider_session_id, "123456")
    await world.pass_time(minutes=11)
    (known,) = await client.look_up_session(session.provider_session_id)

    assert (wrong.status, right.status, known.status) == (
        SessionStatus.IN_PROGRESS, SessionStatus.VERIFIED, SessionStatus.VERIFIED,
    )  # fmt: skip
    assert known.started_at is not None
    since = known.started_at - timedelta(hours=1)
    found, _ = await client.sessions_between(since, since + timedelta(hours=2), offset=0, recipient=GOOD)
    assert [each.provider_session_id for each in found] == [session.provider_session_id]
    late = await client.start_session(request)
    await world.pass_time(minutes=11)
    with pytest.raises(RequestRefused):
        await client.check_code(late.provider_session_id, "123456")
    assert (await client.look_up_session(late.provider_session_id))[0].status is SessionStatus.EXPIRED


@pytest.mark.anyio
async def test_a_brand_a_campaign_and_a_number_are_registered(world: World, client: PlivoClient) -> None:
    url = f"{world.receiver.base_url}/tendlc"
    profile_id = await client.create_profile(
        ProfileRequest(customer_type="DIRECT", entity_type="PRIVATE", company_name="Acme", vertical="ENERGY")
    )
    brand = await client.create_brand(
        BrandRequest(id=uuid4(), alias="approved", provider_profile_id=profile_id, callback_url=url)
    )
    brand_id = brand.provider_brand_id or ""
    pending = await client.look_up_brand(brand_id)
    await world.pass_time(minutes=5)
    registered = await client.look_up_brand(brand_id)
    assert pending is not None
    assert registered is not None
    assert (pending.status, registered.status) == (RegistrationStatus.PENDING, RegistrationStatus.REGISTERED)
    campaign = await client.create_campaign(
        CampaignRequest(
            id=uuid4(),
            provider_brand_id=brand_id,
            alias="approved",
            vertical="ENERGY",
            use_case="2FA",
            description="Codes that our customers type to sign in to their accounts",
            samples=("Your code for Acme is 123456.", "654321 is your code for Acme."),
            message_flow="People tick a box when they sign up",
            help_message="Write to help@acme.example",
            opt_out_message="You will not hear from us again",
            callback_url=url,
        )
    )
    campaign_id = campaign.provider_campaign_id or ""
    await world.pass_time(minutes=5)
    known = await client.look_up_campaign(campaign_id)
    assert known is not None
    assert known.status is RegistrationStatus.REGISTERED
    request = NumberLinkRequest(
        id=uuid4(), provider_campaign_id=campaign_id, numbers=(GOOD, SPAM), callback_url=f"{url}/link"
    )
    await client.link_numbers(request)
    await world.pass_time(minutes=5)
    numbers, _ = await client.numbers(campaign_id, offset=0)
    assert {each.number: each.status for each in numbers} == {
        GOOD: RegistrationStatus.LINKED, SPAM: RegistrationStatus.FAILED,
    }  # fmt: skip
    await client.unlink_number(
        NumberUnlinkRequest(id=uuid4(), provider_campaign_id=campaign_id, number=GOOD, callback_url=f"{url}/unlink")
    )
    await world.pass_time(minutes=5)
    assert await client.look_up_number(campaign_id, GOOD) is None
    assert [each.provider_profile_id for each in (await client.profiles(offset=0))[0]] == [profile_id]
    assert len((await client.brands(offset=0))[0]) == len((await client.campaigns(offset=0))[0]) == 1
    assert dict(world.carrier.ledger.summary().registrations) == {
        "brand registered": 1, "campaign registered": 1, "number unlinked": 1, "number failed": 1,
    }  # fmt: skip
    assert {arrived.path for arrived in world.receiver.acted} == {"/tendlc", "/tendlc/link", "/tendlc/unlink"}


@pytest.mark.anyio
async def test_conversions_are_taken_of_trackable_messages_alone(world: World, client: PlivoClient) -> None:
    trackable = await client.send(outbound(world, trackable=True))
    other = await client.send(outbound(world))
    at = world.carrier.now()
    await client.report_conversion(trackable.provider_message_id, converted=True, at=at)
    with pytest.raises(RequestRefused, match="trackable"):
        await client.report_conversion(other.provider_message_id, converted=False, at=at)
    assert list(world.plivo.state.conversions) == [trackable.provider_message_id]
    path = f"{world.base_url}/v1/account/{AUTH_ID}/message/{trackable.provider_message_id}/conversion"
    body = {"status": "NOT_CONVERTED", "timestamp": "2023-02-09T09:00:43.511Z"}
    async with httpx.AsyncClient(auth=(AUTH_ID, AUTH_TOKEN)) as plain:
        taken = await plain.post(path, json=body)
        refused = await plain.post(path, json={**body, "status": "MAYBE"})
    assert (taken.status_code, taken.json()["message"]) == (200, "successfully recorded.")
    assert taken.json()["conversion_uuid"] == f"conv-{trackable.provider_message_id}"
    assert refused.status_code == 400


@pytest.mark.anyio
async def test_a_main_account_tells_of_its_sub_accounts_conversions_and_nobody_else_does(
    world: World, client: PlivoClient
) -> None:
    async with as_plain(world) as main, as_plain(world, "MAYYYYYYYYYYYYYYYYYY", "another") as stranger:
        made = (await main.post(f"{main.base_url}Subaccount/", json={"name": "shop", "enabled": True})).json()
        async with as_plain(world, made["auth_id"], made["auth_token"]) as sub:
            body = {"src": OURS, "dst": GOOD, "text": "hello", "trackable": True}
            (message_id,) = (await sub.post("Message/", json=body)).json()["message_uuid"]
        told = {"status": "CONVERTED", "timestamp": "2023-02-09T09:00:43.511Z"}
        path = f"message/{message_id}/conversion"
        statuses = [
            (await one.post(f"{str(one.base_url).replace('/Account/', '/account/')}{path}", json=told)).status_code
            for one in (main, stranger)
        ]

    assert statuses == [200, 404]


@pytest.mark.anyio
async def test_a_number_that_is_unlinked_twice_is_unlinked_once(world: World, client: PlivoClient) -> None:
    campaign_id = "CAMPAIG"
    world.plivo.state.campaigns[campaign_id] = registered_campaign(world, campaign_id)
    url = f"{world.receiver.base_url}/unlink"
    linking = NumberLinkRequest(id=uuid4(), provider_campaign_id=campaign_id, numbers=(GOOD,), callback_url=url)
    await client.link_numbers(linking)
    await world.pass_time(minutes=5)
    world.receiver.acted.clear()

    for last in ("first", "second"):
        await client.unlink_number(
            NumberUnlinkRequest(id=uuid4(), provider_campaign_id=campaign_id, number=GOOD, callback_url=f"{url}/{last}")
        )
    await world.pass_time(minutes=5)

    assert {arrived.path for arrived in world.receiver.acted} == {"/unlink/first"}
    assert dict(world.carrier.ledger.summary().registrations)["number unlinked"] == 1


@pytest.mark.anyio
async def test_what_was_told_to_nobody_is_found_out_by_asking(database: str, world: World, client: PlivoClient) -> None:
    """The receipts of this number get lost; Landed asks, and its state is that of the ledger."""
    async with opened_desk(database) as desk:
        shop = await desk.account()
        sent = await client.send(outbound(world, LOST))
        await desk.told(shop, sent, at=world.carrier.now())
        await world.pass_time(minutes=1)
        assert world.receiver.acted == []
        desk.now = world.carrier.now() + timedelta(hours=2)

        assert await desk.reconcile(desk.reconciler(plivo=world.base_url)) == 1

        row = await desk.message(sent.provider_message_id)
        assert (row["status"], row["final"], row["receipt_missing"]) == ("delivered", True, True)
        assert sent.source is Source.SEND
    summary = world.carrier.ledger.summary()
    assert (dict(summary.by_status), summary.callbacks) == ({"delivered": 1}, 0)


@pytest.mark.anyio
async def test_lists_are_walked_by_the_links_in_them_filters_and_all(world: World) -> None:
    async with as_plain(world) as plain:
        await plain.post("Message/", json={"src": OURS, "dst": f"{GOOD}<{SPAM}<{LOST}", "text": "hello"})
        await plain.post("Message/", json={"src": "+12025550101", "dst": GOOD, "text": "hello"})
        link, walked = f"Message/?limit=1&from_number={OURS.removeprefix('+')}", list[str]()
        while link:
            page = (await plain.get(link)).json()
            walked += [each["to_number"] for each in page["objects"]]
            link = page["meta"]["next"] and f"{world.base_url}{page['meta']['next']}"

    assert sorted(walked) == sorted(number.removeprefix("+") for number in (GOOD, SPAM, LOST))


@pytest.mark.anyio
async def test_messages_are_found_by_the_time_in_them_though_the_carrier_is_far_ahead(world: World) -> None:
    async with as_plain(world) as plain:
        await plain.post("Message/", json={"src": OURS, "dst": GOOD, "text": "first"})
        first_at = (await plain.get("Message/")).json()["objects"][0]["message_time"]
        await world.pass_time(days=3)
        await plain.post("Message/", json={"src": OURS, "dst": SPAM, "text": "second"})
        later = (await plain.get("Message/", params={"message_time__gt": first_at})).json()["objects"]
        until = (await plain.get("Message/", params={"message_time__lte": first_at})).json()["objects"]

    assert [each["to_number"] for each in later] == [SPAM.removeprefix("+")]
    assert [each["to_number"] for each in until] == [GOOD.removeprefix("+")]


@pytest.mark.anyio
async def test_destinations_are_what_stands_between_the_signs(world: World) -> None:
    async with as_plain(world) as plain:
        body = {"src": OURS, "text": "hello"}
        sent = (await plain.post("Message/", json={**body, "dst": f"<{GOOD}< <{SPAM}<"})).json()
        nobody = await plain.post("Message/", json={**body, "dst": "< <"})

    assert (len(sent["message_uuid"]), sent.get("invalid_number")) == (2, None)
    assert nobody.status_code == 400


# --- verify --------------------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_an_attempt_is_shown_with_all_that_was_asked_of_it(world: World) -> None:
    async with as_plain(world) as plain:
        asked = {"recipient": GOOD, "brand_name": "Acme", "fraud_check": False, "otp": "12345678"}
        first = (await plain.post("Verify/Session/", json=asked)).json()["session_uuid"]
        (attempt,) = (await plain.get(f"Verify/Session/{first}/")).json()["attempt_details"]
        refused = await plain.post("Verify/Session/", json={"recipient": GOOD, "brand_name": {"a": 1}})
        infinite = await plain.post("Verify/Session/", content=b'{"recipient": "15005550000", "brand_name": 1e999}')

    shown = {name: attempt[name] for name in ("brand_name", "app_hash", "code_length", "dtmf", "fraud_check")}
    assert shown == {"brand_name": "Acme", "app_hash": None, "code_length": 8, "dtmf": None, "fraud_check": False}
    assert (refused.status_code, refused.json()["error"]) == (
        400, "brand_name should be a text, a number, true or false",
    )  # fmt: skip
    assert (infinite.status_code, infinite.json()["error"]) == (400, "the body is not JSON")


@pytest.mark.anyio
async def test_a_session_is_told_where_and_how_it_was_asked_for_last(world: World) -> None:
    urls = [f"{world.receiver.base_url}/{name}" for name in ("first", "second")]
    asked: list[dict[str, str]] = [{"url": urls[0], "method": "GET"}, {}, {"method": "POST"}, {"url": urls[1]}]
    told = []
    async with as_plain(world) as plain:
        for options in asked:
            await plain.post("Verify/Session/", json={"recipient": GOOD, **options})
            await world.pass_time(minutes=1)
            told.append((world.receiver.acted[-1].method, world.receiver.acted[-1].path))

    assert told == [("GET", "/first"), ("GET", "/first"), ("POST", "/first"), ("POST", "/second")]


@pytest.mark.anyio
async def test_sessions_are_filtered_by_status_in_small_letters_and_large(world: World) -> None:
    async with as_plain(world) as plain:
        await plain.post("Verify/Session/", json={"recipient": GOOD})
        await world.pass_time(minutes=11)
        counts = [
            (await plain.get("Verify/Session/", params={"status": status})).json()["meta"]["total_count"]
            for status in ("expired", "Expired", "verified", "")
        ]

    assert counts == [1, 1, 0, 1]


# --- the account, its balance, its parts ---------------------------------------------------------------------------


@pytest.mark.anyio
async def test_a_number_is_rented_once_and_countries_go_by_either_case(world: World) -> None:
    async with as_plain(world) as plain:
        searched = [
            (await plain.get("PhoneNumber/", params={"country_iso": iso2})).json()["objects"]
            for iso2 in ("US", "us", "de")
        ]
        number = searched[0][0]["number"]
        statuses = [(await plain.post(f"PhoneNumber/{number}/")).status_code for _ in range(2)]
        held = (await plain.get("Number/")).json()["objects"]

    assert searched[0] == searched[1]
    assert searched[2] == []
    assert statuses == [201, 400]
    assert [each["number"] for each in held].count(number) == 1


@pytest.mark.anyio
async def test_who_comes_without_credentials_is_asked_for_them(world: World) -> None:
    async with httpx.AsyncClient() as stranger:
        refused = await stranger.get(f"{world.base_url}/v1/Account/{AUTH_ID}/")

    assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, 'Basic realm="Plivo"')


@pytest.mark.anyio
async def test_without_credit_the_api_refuses_and_what_waits_fails(world: World, client: PlivoClient) -> None:
    world.plivo.set_up(AUTH_ID, balance="0.00600")
    first = await client.send(outbound(world))
    second = await client.send(outbound(world))
    await world.pass_time(minutes=1)
    states = {(await client.look_up(each.provider_message_id))[0].error_code for each in (first, second)}
    assert states == {None, "900"}
    world.plivo.set_up(AUTH_ID, balance="0")
    with pytest.raises(RequestRefused, match="Insufficient Credit"):
        await client.send(outbound(world))


@pytest.mark.anyio
async def test_an_account_can_have_its_parts_reported_and_be_signed_by_v2_alone(
    world: World, client: PlivoClient
) -> None:
    world.plivo.set_up(AUTH_ID, reports_parts=True, only_v2=True)
    sent = await client.send(outbound(world, text="x" * 400))
    await world.pass_time(minutes=1)
    told = [httpx.QueryParams(arrived.body.decode()) for arrived in world.receiver.acted]

    assert {fields["ParentMessageUUID"] for fields in told} == {sent.provider_message_id}
    assert {fields["PartInfo"] for fields in told} == {"1 of 3", "2 of 3", "3 of 3"}
    assert len({fields["MessageUUID"] for fields in told}) == 3
    assert {fields["Units"] for fields in told} == {"1"}
    headers = {name for arrived in world.receiver.acted for name in arrived.headers if "signature" in name}
    assert headers == {"x-plivo-signature-v2", "x-plivo-signature-ma-v2", "x-plivo-signature-v2-nonce"}
    summary = world.carrier.ledger.summary()
    assert (summary.units, dict(summary.by_status)) == (3, {"delivered": 1})
    assert (await client.look_up(sent.provider_message_id))[0].status is Status.DELIVERED


@pytest.mark.anyio
async def test_the_same_seed_gives_the_same_world_in_any_order_of_requests() -> None:
    async def told(recipients: list[str]) -> dict[str, tuple[str, str, str | None]]:
        async with opened_world(seed=3) as world, open_client(connect_s_max=10, read_s_max=1) as http:
            client = PlivoClient(account_id=AUTH_ID, secret=AUTH_TOKEN, http=http, base_url=world.base_url)
            for recipient in recipients:
                await client.send(outbound(world, recipient))
            await world.pass_time(minutes=30)
            return {each.recipient: (each.id, each.status, each.error_code) for each in world.plivo.messages()}

    recipients = [f"+2348000000{number:04}" for number in range(40)]
    assert await told(recipients) == await told(recipients[::-1])


@pytest.mark.anyio
async def test_a_snapshot_brings_back_what_the_stand_in_knew(world: World, client: PlivoClient) -> None:
    sent = await client.send(outbound(world))
    before = world.carrier.snapshot()
    await world.pass_time(minutes=1)
    assert (await client.look_up(sent.provider_message_id))[0].status is Status.DELIVERED
    await world.carrier.restore(before)
    assert (await client.look_up(sent.provider_message_id))[0].status is Status.QUEUED
    await world.pass_time(minutes=1)
    assert (await client.look_up(sent.provider_message_id))[0].status is Status.DELIVERED


@pytest.mark.anyio
async def test_media_are_listed_by_their_ids_and_by_their_addresses(world: World) -> None:
    asked = {"src": OURS, "dst": GOOD, "type": "mms", "media_ids": ["a", "b"], "media_urls": ["https://example.com/c"]}
    async with as_plain(world) as plain:
        (uuid,) = (await plain.post("Message/", json=asked)).json()["message_uuid"]
        media = (await plain.get(f"Message/{uuid}/Media/")).json()["objects"]

    assert [each["media_id"] for each in media][1:] == ["a", "b"]
    assert media[0]["media_url"] == "https://example.com/c"


@pytest.mark.anyio
async def test_media_lie_where_others_reach_them_though_the_carrier_listens_everywhere() -> None:
    for hosts in ((), ("carrier",)):
        listener = carrier_server.listen("0.0.0.0")
        one = simulation.create(scenario=EVERYDAY, seed=1, speed=0)
        async with carrier_server.serving(one, listener=listener, hosts=hosts):
            host = urlsplit(one.stand_ins["plivo"].base_url).hostname
        assert host == "carrier" if hosts else not ip_address(host or "").is_unspecified


@pytest.mark.anyio
async def test_what_a_deleted_sub_account_sent_stays_its_main_accounts(world: World) -> None:
    async with as_plain(world) as main:
        made = (await main.post("Subaccount/", json={"name": "team", "enabled": True})).json()
        async with as_plain(world, made["auth_id"], made["auth_token"]) as team:
            sent = await team.post("Message/", json={"src": OURS, "dst": GOOD, "text": "hello"})
            (uuid,) = sent.json()["message_uuid"]
            assert (await main.delete(f"Subaccount/{made['auth_id']}/")).status_code == 204
            await world.pass_time(minutes=1)
            message = (await main.get(f"Message/{uuid}/")).json()

            assert (message["message_state"], message["error_code"]) == ("delivered", "000")
            assert (await team.get("")).status_code == 401
        assert (await main.get(f"Subaccount/{made['auth_id']}/")).status_code == 404
        assert (await main.get("Subaccount/")).json()["objects"] == []


@pytest.mark.anyio
async def test_a_number_takes_applications_and_sub_accounts_of_its_own_account_alone(world: World) -> None:
    async with as_plain(world) as one, as_plain(world, f"MA{'B' * 18}", "b" * 40) as other:
        application = (await other.post("Application/", json={"app_name": "theirs"})).json()["app_id"]
        team = (await other.post("Subaccount/", json={"name": "team"})).json()["auth_id"]
        number = (await one.get("Number/")).json()["objects"][0]["number"]
        free = (await one.get("PhoneNumber/", params={"country_iso": "US"})).json()["objects"][0]["number"]

        assert (await one.post(f"Number/{number}/", json={"app_id": application})).status_code == 404
        assert (await one.post(f"Number/{number}/", json={"subaccount": team})).status_code == 404
        assert (await one.post(f"PhoneNumber/{free}/", json={"app_id": application})).status_code == 404


@pytest.mark.anyio
async def test_a_number_is_not_given_to_a_sub_account_that_is_deleted(world: World) -> None:
    async with as_plain(world) as plain:
        team = (await plain.post("Subaccount/", json={"name": "team"})).json()["auth_id"]
        number = (await plain.get("Number/")).json()["objects"][0]["number"]
        before = await plain.post(f"Number/{number}/", json={"subaccount": team})
        await plain.delete(f"Subaccount/{team}/")
        after = await plain.post(f"Number/{number}/", json={"subaccount": team})

    assert (before.status_code, after.status_code) == (202, 404)


@pytest.mark.anyio
@pytest.mark.parametrize("usecase", [["2FA"], {"a": 1}, 7])
async def test_a_word_of_another_shape_is_refused_in_plivos(world: World, usecase: Any) -> None:
    record = {"registration_status": "COMPLETED"}
    brand = Registered(id="B", account_id=AUTH_ID, created_at=world.carrier.now(), record=record)
    world.plivo.state.brands[brand.id] = brand
    asked = {"brand_id": brand.id, "vertical": "RETAIL", "description": "d", "sample1": "1", "sample2": "2"}
    async with as_plain(world) as plain:
        answer = await plain.post("10dlc/Campaign/", json={**asked, "usecase": usecase})

    assert answer.status_code == 400
    assert answer.json().keys() == {"api_id", "error"}
    assert answer.json()["error"].startswith("usecase should be one of")


@pytest.mark.anyio
async def test_a_body_that_is_too_large_is_refused_in_plivos_shape(world: World) -> None:
    async with as_plain(world) as plain:
        answer = await plain.post("Message/", content=b"x" * (1024 * 1024 + 1))

    assert answer.status_code == 413
    assert {"api_id", "error"} <= answer.json().keys()


@pytest.mark.anyio
async def test_a_conversion_is_shown_with_its_message(world: World) -> None:
    async with as_plain(world) as plain, httpx.AsyncClient(base_url=f"{world.base_url}/_sim") as sim:
        sent = await plain.post("Message/", json={"src": OURS, "dst": GOOD, "text": "hello", "trackable": True})
        (uuid,) = sent.json()["message_uuid"]
        before = (await sim.get(f"/messages/{uuid}")).json()["conversion"]
        told = {"status": "CONVERTED", "timestamp": "2026-03-02T09:00:43.511Z"}
        address = f"{world.base_url}/v1/account/{AUTH_ID}/message/{uuid}/conversion/"
        assert (await plain.post(address, json=told)).status_code == 200

        assert (before, (await sim.get(f"/messages/{uuid}")).json()["conversion"]) == (None, "CONVERTED")


@pytest.mark.anyio
async def test_media_are_served_behind_a_password_where_the_account_wants_it(world: World, client: PlivoClient) -> None:
    world.plivo.set_up(AUTH_ID, guards_media=True, message_url=f"{world.receiver.base_url}/inbox")
    world.plivo.receive(sender=GOOD, recipient=OURS, text="Look", type="whatsapp", media=["image/gif"])
    await world.pass_time(seconds=1)
    told = httpx.QueryParams(world.receiver.acted[0].body.decode())
    assert (told["ContentType"], told["MimeType"], told["Body"]) == ("media", "image/gif", "Look")
    async with httpx.AsyncClient() as plain:
        assert (await plain.get(told["Media0"])).status_code == 401
        fetched = await plain.get(told["Media0"], auth=(AUTH_ID, AUTH_TOKEN))
    assert (fetched.headers["content-type"], fetched.content[:3]) == ("image/gif", b"GIF")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b"{"),
        ("application/json", b"[]"),
        ("application/json", b'{"src": "\\ud800", "dst": "15005550000", "text": "x"}'),
        ("application/json", b"[" * 5_000),
        ("application/json", b'{"src": NaN}'),
        ("application/json", b'{"src": 1' + b"0" * 5_000 + b"}"),
        ("application/json", b'{"src": {"a": 1}, "dst": ["1"], "text": 7}'),
        ("application/json", b"\xff\xfe"),
        ("application/x-www-form-urlencoded", b"src=%ff&dst=15005550000"),
        ("application/x-www-form-urlencoded", b"a=1&" * 2_000),
        ("text/plain", b"hello"),
    ],
    ids=lambda value: value[:30] if isinstance(value, bytes) else "",
)
async def test_whatever_is_sent_gets_an_error_of_plivos_shape(content_type: str, body: bytes, world: World) -> None:
    async with httpx.AsyncClient(auth=(AUTH_ID, AUTH_TOKEN)) as plain:
        url = f"{world.base_url}/v1/Account/{AUTH_ID}/Message/"
        answer = await plain.post(url, content=body, headers={"Content-Type": content_type})
        form = await plain.post(url, data={"src": OURS, "dst": GOOD, "text": "as curl sends it", "log": "false"})
    assert answer.status_code == 400
    assert set(answer.json()) == {"api_id", "error"}
    assert form.status_code == 202


@pytest.mark.anyio
async def test_an_account_is_set_up_over_http_and_what_cannot_be_is_refused(world: World, client: PlivoClient) -> None:
    path = f"{world.base_url}/_sim/accounts/plivo/{AUTH_ID}"
    async with httpx.AsyncClient() as plain:
        assert (await plain.patch(path, json={"balance": "12.50000"})).status_code == 204
        for wrong in (
            {"balance": "lots"}, {"balance": 7}, {"only_v2": "yes"}, {"message_url": "ftp://example.com/"},
            {"message_method": "PUT"}, {"requests_max": 0}, {"colour": "red"},
        ):  # fmt: skip
            assert (await plain.patch(path, json=wrong)).status_code == 422, wrong
        received = {"from": GOOD, "to": OURS, "text": "x", "provider": "plivo"}
        asked: list[dict[str, Any]] = [
            {}, {"type": "fax"}, {"type": []}, {"media": ["image/png"]}, {"type": "mms", "media": ["x\r\ny: z"]},
            {"type": "mms", "media": "image/png"}, {"type": "mms", "media": 7}, {"url": 7},
            {"url": "x", "method": "GET"},
        ]  # fmt: skip
        for options in asked:
            refused = await plain.post(f"{world.base_url}/_sim/inbound", json={**received, "options": options})
            assert refused.status_code == 422, options
    assert (await client.check_account()).balance_nanos == 12_500_000_000


# --- the service ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def carrier() -> Iterator[LandedCarrier]:
    with running() as one:
        one.begin(seed=1)
        yield one


@pytest.fixture(scope="module")
def server(databases: Databases, carrier: LandedCarrier, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data: Path = tmp_path_factory.mktemp("data")
    (data / "token").write_text(carrier.plivo.auth_token)
    with (
        databases.fresh() as database,
        served(
            public_url=f"http://127.0.0.1:{port}",
            LANDED_PORT=str(port),
            LANDED_DATABASE_URL=database,
            LANDED_DATA_DIR=str(data),
            LANDED_PROVIDER_URLS=f"plivo={carrier.base_url}",
        ) as one,
    ):
        token = ("--auth-token-file", str(data / "token"))
        one.landed("accounts", "add", "plivo", "shop", "--auth-id", carrier.plivo.auth_id, *token)
        yield one


@pytest.fixture(scope="module")
def api(server: Served) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


def made(api: httpx.Client, path: str, **body: Any) -> Any:
    answer = api.post(path, json=body)
    assert answer.is_success, answer.text
    return answer.json()


def becomes(api: httpx.Client, path: str, **values: Any) -> Any:
    """A thing, once it is as described."""

    def found() -> Any:
        shown = api.get(path).json()
        return {name: shown.get(name) for name in values} == values and shown

    return eventually(found, 30)


def test_landed_sends_and_hears_what_became_of_it(server: Served, api: httpx.Client, carrier: LandedCarrier) -> None:
    sent = {
        recipient: made(api, "/v1/messages", **{"from": OURS, "to": recipient, "text": "hello", "trackable": True})
        for recipient in (GOOD, SPAM, "+15005559004", "+15005559006")
    }
    for recipient, status, code in (
        (GOOD, "delivered", None),
        (SPAM, "undelivered", "30"),
        ("+15005559004", "delivered", None),  # each receipt comes twice
        ("+15005559006", "delivered", None),  # each receipt is wrongly signed at first
    ):
        becomes(api, f"/v1/messages/{sent[recipient]['data'][0]['id']}", status=status, error_code=code)
    carrier.settle(timeout_s=30)
    server.landed("messages", "conversion", sent[GOOD]["data"][0]["id"], "--converted")
    callbacks = carrier.callbacks(state="given_up")
    assert callbacks == []


def test_a_send_whose_answer_is_lost_is_looked_up_and_not_sent_twice(api: httpx.Client, carrier: LandedCarrier) -> None:
    sent = made(api, "/v1/messages", **{"from": OURS, "to": "+15005559409", "text": "hello"})
    becomes(api, f"/v1/messages/{sent['data'][0]['id']}", status="delivered")
    assert len(carrier.messages(to="+15005559409")) == 1


def test_landed_verifies_a_person_who_is_sent_the_code_again(api: httpx.Client, carrier: LandedCarrier) -> None:
    session = made(api, "/v1/verify/sessions", to=GOOD)
    path = f"/v1/verify/sessions/{session['id']}"
    code = carrier.latest_otp(GOOD)
    again = made(api, f"{path}/resend")
    assert again["provider_session_id"] == session["provider_session_id"]
    checked = made(api, f"/v1/verify/sessions/{again['id']}/check", code=code)
    assert checked["verified"] is True
    becomes(api, f"/v1/verify/sessions/{again['id']}", status="verified")


def test_people_write_to_landed(server: Served, api: httpx.Client, carrier: LandedCarrier) -> None:
    (account,) = api.get("/v1/accounts").json()["data"]
    url = account.get("callback_url") or account["callback_urls"][0]
    message_id = carrier.receive(sender=GOOD, to=OURS, text="STOP", provider="plivo", url=url)
    shown = eventually(lambda: api.get("/v1/inbound", params={"from": GOOD}).json()["data"], 30)
    assert (shown[0]["provider_message_id"], shown[0]["text"]) == (message_id, "STOP")
