"""The stand-in for Routee against the contract of Routee's API, by a plain HTTP client; then by Landed's own client,
and with all of Landed behind it."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final
from uuid import uuid4

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landed.domain.callbacks import CallbackRequest
from landed.domain.errors import OutcomeUnknown, ProviderThrottled, RequestRefused
from landed.domain.messages import fold
from landed.domain.outbound import Outbound, SessionRequest
from landed.domain.receipts import (
    AttemptChannel,
    BroadcastReceipt,
    Channel,
    Receipt,
    SessionReceipt,
    SessionStatus,
    Telling,
)
from landed.domain.statuses import Status
from landed.providers.routee import callbacks
from landed.providers.routee.client import RouteeClient
from landed.simulator.carrier import chaos
from landed.simulator.carrier.calls import State
from landed.simulator.carrier.scenario import EVERYDAY, Outcome
from landed.simulator.routee.reasons import REASONS
from tests.carrying import KNOWN, Carried, carried
from tests.simulating import World, opened_world, routee_client

pytestmark = pytest.mark.anyio

DELIVERED, UNKNOWN_NUMBER, FAILED = "+15005550000", "+15005550050", "+15005550300"
ANN: Final = "+306973359355"
LONG: Final = "A text of several parts. " * 14  # 350 characters, 3 parts


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with opened_world() as opened:
        yield opened


@pytest.fixture
async def api(world: World) -> AsyncIterator[httpx.AsyncClient]:
    """With a token that outlasts each test."""
    world.routee.set_up("shop", token_lifetime_s=365 * 86_400)
    async with routee_client(world) as client:
        yield client


async def send(api: httpx.AsyncClient, world: World, **changes: Any) -> dict[str, Any]:
    response = await api.post("/sms", json=asked(world, **changes))
    assert response.status_code == 200, response.text
    return dict(response.json())


def asked(world: World, **changes: Any) -> dict[str, Any]:
    callback = {"url": f"{world.receiver.base_url}/hooks", "strategy": "OnChange"}
    body = {"body": "hello", "to": DELIVERED, "from": "ACME", "callback": callback, **changes}
    return {name: value for name, value in body.items() if value is not None}


def error(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


def words(world: World) -> list[str]:
    return [told["status"]["name"] for told in world.receiver.told]


class TestTokens:
    async def test_a_token_says_how_long_it_holds_and_what_it_allows(self, world: World) -> None:
        async with httpx.AsyncClient(base_url=world.base_url) as client:
            response = await client.post(
                "/oauth/token", auth=("shop", "s3cret"), data={"grant_type": "client_credentials", "scope": "sms"}
            )

        given = response.json()
        assert given.pop("access_token")
        assert given == {"token_type": "Bearer", "expires_in": 3600, "scope": "sms", "permissions": ["MT_ROLE_SMS"]}

    async def test_the_secret_that_comes_first_is_the_applications_own(self, world: World) -> None:
        ask = {"grant_type": "client_credentials"}
        async with httpx.AsyncClient(base_url=world.base_url) as client:
            first = await client.post("/oauth/token", auth=("shop", "s3cret"), data=ask)
            other = await client.post("/oauth/token", auth=("shop", "another"), data=ask)
            nobody = await client.post("/oauth/token", data=ask)
            no_type = await client.post("/oauth/token", auth=("shop", "s3cret"))
            odd_scope = await client.post("/oauth/token", auth=("shop", "s3cret"), data={**ask, "scope": "everything"})

        answers = (first, other, nobody, no_type, odd_scope)
        assert [each.status_code for each in answers] == [200, 401, 401, 400, 400]
        assert other.json()["error"] == "invalid_client"
        assert nobody.headers["WWW-Authenticate"] == 'Basic realm="Routee"'

    async def test_only_given_applications_get_in_where_some_are_given(self) -> None:
        async with opened_world(accounts={"routee": {"shop": "s3cret"}}) as world, httpx.AsyncClient() as client:
            statuses = [
                (
                    await client.post(
                        f"{world.base_url}/oauth/token", auth=credentials, data={"grant_type": "client_credentials"}
                    )
                ).status_code
                for credentials in (("shop", "s3cret"), ("shop", "other"), ("bank", "s3cret"))
            ]

        assert statuses == [200, 401, 401]

    async def test_a_token_that_has_expired_or_was_revoked_or_allows_too_little_is_refused(self, world: World) -> None:
        async with routee_client(world) as api, routee_client(world, scope="2step") as narrow:
            too_little = await narrow.post("/sms", json=asked(world))
            world.routee.set_up("shop", revoke_tokens=True)
            revoked = await api.get("/accounts/me/balance")
        async with routee_client(world) as api:
            holds = await api.get("/accounts/me/balance")
            await world.pass_time(seconds=3601)
            expired = await api.get("/accounts/me/balance")
            without = await api.get("/accounts/me/balance", headers={"Authorization": ""})

        answers = (too_little, revoked, holds, expired, without)
        assert [each.status_code for each in answers] == [403, 403, 200, 401, 401]
        assert without.headers["WWW-Authenticate"] == 'Bearer realm="Routee"'
        assert "WWW-Authenticate" not in too_little.headers


class TestSending:
    async def test_the_answer_is_as_on_routees_page(self, world: World, api: httpx.AsyncClient) -> None:
        answer = await send(api, world, label="order 7", flash=True)

        tracking_id, created_at = answer.pop("trackingId"), answer.pop("createdAt")
        assert datetime.fromisoformat(created_at).tzinfo
        assert len(tracking_id) == 36
        assert answer == {
            "status": "Queued",
            "from": "ACME",
            "to": DELIVERED,
            "body": "hello",
            "label": "order 7",
            "flash": True,
            "bodyAnalysis": {
                "parts": 1,
                "unicode": False,
                "characters": 5,
                "transcode": {"message": "hello", "parts": 1},
                "unsupportedGSMCharacters": [],
            },
            "callback": {"url": f"{world.receiver.base_url}/hooks", "strategy": "OnChange"},
        }

    async def test_the_analysis_names_what_gsm_has_no_sign_for_and_transcodes_it(
        self, world: World, api: httpx.AsyncClient
    ) -> None:
        text = "It’s ready. " * 12
        analyzed = (await api.post("/sms/analyze", json={"body": text, "to": ANN, "from": "ACME"})).json()
        as_it_is = await send(api, world, body=text)
        transcoded = await send(api, world, body=text, transcode=True)

        assert analyzed["bodyAnalysis"] == as_it_is["bodyAnalysis"]
        assert analyzed["bodyAnalysis"]["unsupportedGSMCharacters"] == ["’"]
        assert (analyzed["bodyAnalysis"]["unicode"], analyzed["bodyAnalysis"]["parts"]) == (True, 3)
        assert analyzed["bodyAnalysis"]["transcode"] == {"message": text.replace("’", "'"), "parts": 1}
        assert analyzed["cost"] == pytest.approx(3 * 0.05)
        assert (as_it_is["body"], transcoded["body"]) == (text, text.replace("’", "'"))
        tracked = [
            (await api.get(f"/sms/tracking/single/{sent['trackingId']}")).json() for sent in (as_it_is, transcoded)
        ]
        assert [len(parts) for parts in tracked] == [3, 1]

    @pytest.mark.parametrize(
        ("field", "changes"),
        [
            ("body", {"body": None}),
            ("body", {"body": 7}),
            ("body", {"body": "half \ud83d"}),
            ("body", {"body": "x" * 40_000}),
            ("to", {"to": None}),
            ("to", {"to": "306973359355"}),
            ("to", {"to": "+0306973359355"}),
            ("from", {"from": None}),
            ("from", {"from": "a name too long"}),
            ("from", {"from": "1" * 17}),
            ("label", {"label": "x" * 256}),
            ("label", {"label": "half \ud83d"}),
            ("ttl", {"ttl": float("inf")}),
            ("flash", {"flash": "yes"}),
            ("ttl", {"ttl": 0}),
            ("ttl", {"ttl": True}),
            ("callback.url", {"callback": {"url": "ftp://example.com"}}),
            ("callback.strategy", {"callback": {"url": "http://localhost/", "strategy": "Always"}}),
        ],
    )
    async def test_what_cannot_be_sent_is_refused_by_its_field(
        self, world: World, api: httpx.AsyncClient, field: str, changes: dict[str, Any]
    ) -> None:
        response = await api.post("/sms", content=json.dumps(asked(world, **changes)))

        assert error(response) == (400, "400005000")
        assert list(response.json()["properties"]) == [field]
        assert list(world.routee.messages()) == []

    async def test_what_is_no_json_object_is_refused(self, api: httpx.AsyncClient) -> None:
        bodies = (b"", b"{", b"[]", b"[NaN]", b'{"\\ud83d": 1}', b'{"\\ud83d": "\\ud83d"}', b"[" * 100_000)
        assert [error(await api.post("/sms", content=body)) for body in bodies] == [(400, "400005000")] * 7

    async def test_what_there_is_no_credit_for_is_refused(self, world: World, api: httpx.AsyncClient) -> None:
        world.routee.set_up("shop", balance="0.12")

        first = await api.post("/sms", json=asked(world, to=ANN, body=LONG[:160]))
        second = await api.post("/sms", json=asked(world, to=ANN, body=LONG))

        assert (first.status_code, error(second)) == (200, (400, "400001009"))
        balance = (await api.get("/accounts/me/balance")).json()
        assert balance == {"balance": 0.07, "currency": {"code": "EUR", "name": "Euro", "sign": "€"}}

    async def test_magic_numbers_decide_on_the_answer(self, world: World, api: httpx.AsyncClient) -> None:
        numbers = {"400": 400, "403": 403, "429": 429, "500": 500}

        found = {end: (await api.post("/sms", json=asked(world, to=f"+15005559{end}"))).status_code for end in numbers}

        assert found == numbers
        for end, failure in (("408", httpx.ReadTimeout), ("409", httpx.RemoteProtocolError)):
            with pytest.raises(failure):
                await api.post("/sms", json=asked(world, to=f"+15005559{end}"), timeout=0.3)
        assert len(list(world.routee.messages())) == 2  # both were taken

    async def test_who_asks_too_often_is_told_to_slow_down(self) -> None:
        async with opened_world() as world, routee_client(world) as api:
            world.routee.set_up("shop", requests_max=5)
            answers = [await api.get("/accounts/me/balance") for _ in range(15)]

        throttled = [each for each in answers if each.status_code == 429]
        assert throttled
        assert throttled[0].headers["Retry-After"] == "1"


class TestCallbacks:
    async def test_each_change_is_told_with_every_field(self, world: World, api: httpx.AsyncClient) -> None:
        sent = await send(api, world, label="order 7")
        await world.pass_time(minutes=1)

        assert words(world) == ["Queued", "Sent", "Delivered"]
        told = world.receiver.told[-1]
        assert told.pop("smsId")
        assert told["status"].pop("updatedDate").endswith("Z")
        assert told == {
            "messageId": sent["trackingId"],
            "campaignTrackingId": None,
            "part": 1,
            "parts": 1,
            "label": "order 7",
            "to": DELIVERED,
            "from": "ACME",
            "country": "US",
            "operator": told["operator"],
            "groups": [],
            "campaignName": None,
            "status": {"name": "Delivered", "reason": {"detailedStatus": "Delivered", "description": ""}},
            "message": "hello",
            "applicationName": "default",
            "latency": told["latency"],
            "price": 0.0055,
            "direction": "Outbound",
            "originatingService": "Sms",
        }
        (arrived, *_) = world.receiver.acted
        assert (arrived.method, arrived.headers["content-type"]) == ("POST", "application/json;charset=UTF-8")
        assert "authorization" not in arrived.headers

    async def test_an_address_may_be_in_any_alphabet(self, world: World, api: httpx.AsyncClient) -> None:
        """Also where the first attempt hangs up."""
        callback = {"url": f"{world.receiver.base_url}/дорога", "strategy": "OnCompletion"}
        for number in (DELIVERED, "+15005559009"):
            await send(api, world, to=number, callback=callback)
        await world.pass_time(minutes=5)

        assert {arrived.path for arrived in world.receiver.acted} == {"/дорога"}
        problems = [attempt.problem for making in world.carrier.callbacks() for attempt in making.attempts]
        assert sorted(problems, key=str) == [None, None, "hung up before the answer"]

    async def test_on_completion_only_the_end_of_each_part_is_told(self, world: World, api: httpx.AsyncClient) -> None:
        callback = {"url": world.receiver.base_url, "strategy": "OnCompletion"}
        await send(api, world, body=LONG, callback=callback)
        await world.pass_time(minutes=1)

        assert Counter((told["part"], told["status"]["name"]) for told in world.receiver.told) == {
            (1, "Delivered"): 1,
            (2, "Delivered"): 1,
            (3, "Delivered"): 1,
        }

    async def test_of_a_message_that_fails_one_part_does(self, world: World, api: httpx.AsyncClient) -> None:
        sent = await send(api, world, to=UNKNOWN_NUMBER, body=LONG)
        await world.pass_time(hours=1)

        ends = Counter(word for word in words(world) if word in ("Delivered", "Undelivered"))
        assert ends == {"Delivered": 2, "Undelivered": 1}
        (lost,) = [told for told in world.receiver.told if told["status"]["name"] == "Undelivered"]
        assert lost["status"]["reason"] == {
            "detailedStatus": "Unknown Number",
            "description": "The number does not exist.",
        }
        (view,) = world.routee.messages()
        assert (view.id, view.status, view.error_code) == (sent["trackingId"], Status.UNDELIVERED, "Unknown Number")

    async def test_a_message_is_given_up_when_its_time_to_live_is_over(
        self, world: World, api: httpx.AsyncClient
    ) -> None:
        silent = "+15005559001"
        await send(api, world, to=silent, ttl=5)
        await send(api, world, to=silent)
        await world.pass_time(hours=100)

        ends = [told["status"] for told in world.receiver.told if told["status"]["name"] == "Undelivered"]
        assert [end["reason"]["detailedStatus"] for end in ends] == ["Expired"]

    async def test_what_is_not_answered_with_200_is_told_again_after_routees_pauses(
        self, world: World, api: httpx.AsyncClient
    ) -> None:
        world.receiver.answers.extend([503] * 12)
        await send(api, world, callback={"url": world.receiver.base_url, "strategy": "OnCompletion"})
        await world.pass_time(days=3)

        (making,) = world.carrier.callbacks()
        assert making.state is State.TAKEN
        times = [attempt.at for attempt in making.attempts]
        pauses = [round((after - before).total_seconds()) for before, after in pairwise(times)]
        assert pauses == [30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800, 86_400]

    async def test_after_the_thirteenth_attempt_it_gives_up(self, world: World, api: httpx.AsyncClient) -> None:
        world.receiver.answers.extend([202] * 13)  # only 200 will do
        await send(api, world, callback={"url": world.receiver.base_url, "strategy": "OnCompletion"})
        await world.pass_time(days=30)

        (making,) = world.carrier.callbacks()
        assert (making.state, len(making.attempts)) == (State.GIVEN_UP, 13)

    async def test_credentials_in_the_url_are_sent_and_may_be_wrong_first(
        self, world: World, api: httpx.AsyncClient
    ) -> None:
        url = world.receiver.base_url.replace("//", "//routee:p%40ss@")
        await send(api, world, callback={"url": url, "strategy": "OnCompletion"})
        await world.pass_time(minutes=1)
        world.receiver.answers.append(401)
        await send(api, world, to="+15005559006", callback={"url": url, "strategy": "OnCompletion"})
        await world.pass_time(minutes=1)

        right, wrong, again = [each.headers["authorization"] for each in world.receiver.acted]
        assert right == again == "Basic cm91dGVlOnBAc3M="
        assert wrong.startswith("Basic ")
        assert wrong != right
        assert world.carrier.let_in == 0

    async def test_where_nothing_is_signed_no_signature_is_wrong(self, world: World, api: httpx.AsyncClient) -> None:
        await send(api, world, to="+15005559006")
        await world.pass_time(minutes=1)

        assert words(world) == ["Queued", "Sent", "Delivered"]
        assert world.carrier.let_in == 0

    async def test_every_code_of_the_carrier_has_words_of_routees(self) -> None:
        assert {number.removeprefix("+15005550").lstrip("0") for number in EVERYDAY.magic if number[8] == "0"} - {
            ""
        } <= REASONS.keys()


class TestTracking:
    async def test_a_message_is_a_list_of_its_parts(self, world: World, api: httpx.AsyncClient) -> None:
        sent = await send(api, world, to=UNKNOWN_NUMBER, body=LONG, label="order 7")
        await world.pass_time(hours=1)

        parts = (await api.get(f"/sms/tracking/single/{sent['trackingId']}")).json()

        assert [(part["part"], part["parts"], part["messageId"]) for part in parts] == [
            (number, 3, sent["trackingId"]) for number in (1, 2, 3)
        ]
        assert {part["smsId"] for part in parts} == {told["smsId"] for told in world.receiver.told}
        assert sorted(part["status"]["status"] for part in parts) == ["Delivered", "Delivered", "Undelivered"]
        (lost,) = [part["status"] for part in parts if part["status"]["status"] == "Undelivered"]
        assert lost["reason"]["detailedStatus"] == "Unknown Number"
        assert lost["date"].endswith("Z")
        assert parts[0].keys() == {
            *("applicationName", "campaign", "country", "smsId", "messageId", "groups", "body", "operator"),
            *("originatingService", "to", "latency", "parts", "part", "price", "label", "status", "from", "direction"),
        }

    async def test_messages_of_others_are_unknown(self, world: World, api: httpx.AsyncClient) -> None:
        sent = await send(api, world)
        async with routee_client(world, application="bank") as bank:
            answers = [
                await bank.get(f"/sms/tracking/single/{sent['trackingId']}"),
                await api.get(f"/sms/tracking/single/{uuid4()}"),
            ]

        assert [error(each) for each in answers] == [(404, "404005000")] * 2

    async def test_the_list_has_pages_and_filters(self, world: World, api: httpx.AsyncClient) -> None:
        for number in range(5):
            await send(api, world, to=f"+30697335935{number}", label=f"l{number}", body=LONG)
        now = world.carrier.now()
        span = {"dateStart": (now - timedelta(hours=1)).isoformat(), "dateEnd": (now + timedelta(hours=1)).isoformat()}
        to_3 = [{"fieldName": "to", "searchTerm": "306973359353", "searchOperator": "contains"}]

        pages = [(await api.post("/sms/tracking", params={**span, "page": page, "size": 10})).json() for page in (0, 1)]
        filtered = (await api.post("/sms/tracking", params=span, json=to_3)).json()
        earlier = (await api.post("/sms/tracking", params={**span, "dateEnd": span["dateStart"]})).json()
        too_old = await api.post("/sms/tracking", params={**span, "dateStart": "2020-01-01T00:00:00Z"})
        no_time = await api.post("/sms/tracking", params={**span, "dateStart": "yesterday"})
        no_filter = await api.post("/sms/tracking", params=span, json=[{"fieldName": 7}])

        assert [(len(page["content"]), page["first"], page["last"]) for page in pages] == [
            (10, True, False),
            (5, False, True),
        ]
        assert {(page["totalElements"], page["totalPages"]) for page in pages} == {(15, 2)}
        assert {record["label"] for record in filtered["content"]} == {"l3"}
        assert earlier["content"] == []
        assert [error(each)[0] for each in (too_old, no_time, no_filter)] == [400, 400, 400]


class TestCampaigns:
    def asked(self, world: World, **changes: Any) -> dict[str, Any]:
        callback = {"url": f"{world.receiver.base_url}/messages", "strategy": "OnCompletion"}
        progress = {"url": f"{world.receiver.base_url}/campaigns", "strategy": "OnChange"}
        return {
            "campaignName": "Spring",
            "body": "Hello [~firstName], come in.",
            "fallbackValues": {"firstName": "friend"},
            "from": "ACME",
            "to": [f"+3069733593{number:02}" for number in range(50)] + ["+306973359300"],
            "callback": callback,
            "campaignCallback": progress,
            **changes,
        }

    def progress(self, world: World) -> list[Any]:
        return [each.json() for each in world.receiver.acted if each.path == "/campaigns"]

    async def test_a_campaign_goes_to_each_number_once_and_tells_of_its_progress(
        self, world: World, api: httpx.AsyncClient
    ) -> None:
        made = await api.post("/sms/campaign", json=self.asked(world))
        await world.pass_time(hours=2)

        campaign = made.json()
        assert (campaign["type"], campaign["state"], campaign["campaignName"]) == ("Sms", "Queued", "Spring")
        assert campaign["smsAnalysis"]["numberOfRecipients"] == 50
        assert campaign["smsAnalysis"]["recipientsPerCountry"] == {"GR": 50}
        assert set(campaign["statuses"]) == {"Queued", "Sent", "Unsent", "Failed", "Delivered", "Undelivered"}
        messages = list(world.routee.messages())
        assert (len(messages), {each.text for each in messages}) == (50, {"Hello friend, come in."})
        told = [each.json() for each in world.receiver.acted if each.path == "/messages"]
        assert {each["campaignTrackingId"] for each in told} == {campaign["trackingId"]}
        assert {each["campaignName"] for each in told} == {"Spring"}
        progress = self.progress(world)
        assert 5 <= len(progress) <= 8
        assert [each["campaignStatus"] for each in progress] == ["Running"] * (len(progress) - 1) + ["Completed"]
        assert {each["totalRecipients"] for each in progress} == {50}
        shown = (await api.get(f"/campaigns/{campaign['trackingId']}")).json()
        assert shown["state"] == "Completed"
        assert {word: count for word, count in shown["statuses"].items() if count} == progress[-1]["messageStatuses"]
        assert progress[-1]["callbackInfo"] == self.asked(world)["campaignCallback"]

    async def test_on_completion_a_campaign_tells_of_its_end_alone(self, world: World, api: httpx.AsyncClient) -> None:
        callback = {"url": f"{world.receiver.base_url}/campaigns", "strategy": "OnCompletion"}
        await api.post("/sms/campaign", json=self.asked(world, campaignCallback=callback))
        await world.pass_time(hours=2)

        assert [each["campaignStatus"] for each in self.progress(world)] == ["Completed"]

    async def test_a_scheduled_campaign_can_be_changed_until_it_begins(
        self, world: World, api: httpx.AsyncClient
    ) -> None:
        at = world.carrier.now() + timedelta(hours=5)
        later = at + timedelta(hours=5)
        made = (await api.post("/sms/campaign", json=self.asked(world, scheduledDate=at.isoformat()))).json()
        path = f"/sms/{made['trackingId']}"
        moved = await api.put(path, json={"scheduledDate": later.isoformat(), "body": "Later."})
        await world.pass_time(hours=6)
        before = list(world.routee.messages())
        at_once = await api.put(path, json={"from": "SHOP"})
        await world.pass_time(hours=1)
        too_late = await api.put(path, json={"body": "Too late."})

        assert [made["state"], moved.json()["state"], at_once.json()["state"]] == ["Scheduled", "Scheduled", "Queued"]
        assert before == []
        assert {(each.sender, each.text) for each in world.routee.messages()} == {("SHOP", "Later.")}
        assert error(too_late) == (400, "400009002")
        await world.pass_time(hours=6)
        assert len(list(world.routee.messages())) == 50  # what was planned first is void

    async def test_without_credit_the_rest_is_unsent(self, world: World, api: httpx.AsyncClient) -> None:
        world.routee.set_up("shop", balance="0.5")
        await api.post("/sms/campaign", json=self.asked(world))
        await world.pass_time(hours=2)

        counts = self.progress(world)[-1]["messageStatuses"]
        assert (counts["Unsent"], sum(counts.values())) == (40, 50)
        unsent = [told for told in world.receiver.told if "status" in told and told["status"]["name"] == "Unsent"]
        assert (len(unsent), {told["price"] for told in unsent}) == (40, {0})

    async def test_a_text_that_its_values_make_endless_is_refused_before_it_is_made(
        self, world: World, api: httpx.AsyncClient
    ) -> None:
        asked = self.asked(world, body="[~a]" * 3000, fallbackValues={"a": "x" * 30_000})
        async with asyncio.timeout(5):
            answer = await api.post("/sms/campaign", json=asked)

        assert answer.status_code == 400
        assert "characters long with its fallback values" in answer.text

    async def test_a_campaign_does_not_get_the_name_of_another(self, world: World, api: httpx.AsyncClient) -> None:
        at = (world.carrier.now() + timedelta(days=1)).isoformat()
        await api.post("/sms/campaign", json=self.asked(world))
        made = (await api.post("/sms/campaign", json=self.asked(world, campaignName="Other", scheduledDate=at))).json()

        taken = await api.put(f"/sms/{made['trackingId']}", json={"campaignName": "Spring", "scheduledDate": at})
        kept = await api.put(f"/sms/{made['trackingId']}", json={"campaignName": "Other", "scheduledDate": at})

        assert (error(taken), kept.status_code) == ((409, "409009003"), 200)

    async def test_what_is_no_campaign_is_refused_by_its_code(self, world: World, api: httpx.AsyncClient) -> None:
        assert (await api.post("/sms/campaign", json=self.asked(world))).status_code == 200
        bodies = [
            self.asked(world),
            self.asked(world, campaignName="Other", to=[]),
            self.asked(world, campaignName="Other", to=["5"]),
            self.asked(world, campaignName="Other", contacts=["c1"]),
            self.asked(world, campaignName="Other", scheduledDate="soon"),
        ]
        answers = [await api.post("/sms/campaign", json=body) for body in bodies]
        unknown = [await api.get(f"/campaigns/{uuid4()}"), await api.put(f"/sms/{uuid4()}", json={})]

        assert [error(each) for each in answers] == [
            (409, "409009003"),
            (400, "400009004"),
            (400, "400005000"),
            (404, "404002001"),
            (400, "400005000"),
        ]
        assert [error(each) for each in unknown] == [(404, "404009001")] * 2


class TestTwoStep:
    ASKED: Final[dict[str, Any]] = {
        "method": "sms",
        "type": "code",
        "recipient": ANN,
        "template": "Your code is @@pin",
        "originator": "ACME",
        "lifetimeInSeconds": 300,
        "digits": 6,
    }

    @pytest.fixture(autouse=True)
    async def listening(self, world: World, api: httpx.AsyncClient) -> None:
        world.routee.set_up("shop", two_step_url=f"{world.receiver.base_url}/2step")

    async def start(self, api: httpx.AsyncClient, **changes: Any) -> dict[str, Any]:
        response = await api.post("/2step", json={**self.ASKED, **changes})
        assert response.status_code == 200, response.text
        return dict(response.json())

    async def answer(self, api: httpx.AsyncClient, session: dict[str, Any], code: str) -> httpx.Response:
        return await api.post(f"/2step/{session['trackingId']}", data={"answer": code})

    async def test_the_right_answer_verifies_and_each_change_is_told(
        self, world: World, api: httpx.AsyncClient
    ) -> None:
        session = await self.start(api)
        (view,) = world.routee.sessions()
        wrong = await self.answer(api, session, "no")
        right = await api.post(f"/2step/{session['trackingId']}", json={"answer": view.code})
        again = await self.answer(api, session, view.code)
        await world.pass_time(hours=1)

        assert {name: session[name] for name in ("status", "maxRetries", "timesTried")} == {
            "status": "Pending",
            "maxRetries": 3,
            "timesTried": 0,
        }
        lifetime = datetime.fromisoformat(session["expiresAt"]) - datetime.fromisoformat(session["updatedAt"])
        assert lifetime == timedelta(seconds=300)
        assert (len(view.code), error(wrong)) == (6, (400, "400011005"))
        assert (right.json()["status"], right.json()["timesTried"]) == ("Verified", 2)
        assert error(again) == (400, "400011002")
        assert [told["status"] for told in world.receiver.told] == ["Pending", "Verified"]
        told = world.receiver.told[-1]
        assert told.pop("updatedAt").endswith("Z")
        assert told == {
            "applicationId": "shop",
            "trackingId": session["trackingId"],
            "recipient": ANN,
            "status": "Verified",
        }

    async def test_it_fails_expires_and_is_cancelled(self, world: World, api: httpx.AsyncClient) -> None:
        failing, expiring, cancelled = [await self.start(api, maxRetries=2) for _ in range(3)]
        tries = [await self.answer(api, failing, "no") for _ in range(3)]
        gone = await api.delete(f"/2step/{cancelled['trackingId']}")
        gone_again = await api.delete(f"/2step/{cancelled['trackingId']}")
        await world.pass_time(seconds=301)
        late = await self.answer(api, expiring, "no")
        unknown = await api.get(f"/2step/{uuid4()}")
        shown = (await api.get(f"/2step/{expiring['trackingId']}")).json()

        assert [error(each)[1] for each in tries] == ["400011005", "400011005", "400011004"]
        assert (gone.json()["status"], error(gone_again)) == ("Cancelled", (400, "400011002"))
        assert (error(late), shown["status"]) == ((400, "400011003"), "Expired")
        assert error(unknown) == (404, "404011006")
        ends = {told["trackingId"]: told["status"] for told in world.receiver.told if told["status"] != "Pending"}
        assert ends == {
            failing["trackingId"]: "Failed",
            expiring["trackingId"]: "Expired",
            cancelled["trackingId"]: "Cancelled",
        }

    @pytest.mark.parametrize(
        ("code", "changes"),
        [
            ("400011001", {"template": "Your code"}),
            ("400011001", {"template": "@@pin for @@shop"}),
            ("400005000", {"method": "pigeon"}),
            ("400005000", {"type": "link"}),
            ("400005000", {"recipient": "5"}),
            ("400005000", {"digits": 99}),
        ],
    )
    async def test_what_is_no_verification_is_refused(
        self, api: httpx.AsyncClient, code: str, changes: dict[str, Any]
    ) -> None:
        assert error(await api.post("/2step", json={**self.ASKED, **changes})) == (400, code)

    async def test_a_magic_number_has_a_code_that_is_known(self, world: World, api: httpx.AsyncClient) -> None:
        session = await self.start(
            api, recipient=DELIVERED, method="voice", template="@@pin for @@shop", arguments={"shop": "ACME"}
        )

        assert (await self.answer(api, session, "123456")).json()["status"] == "Verified"


class TestInbound:
    async def test_what_people_write_comes_to_the_address_of_its_number(
        self, world: World, api: httpx.AsyncClient
    ) -> None:
        urls = {"+306911111111": f"{world.receiver.base_url}/own", "*": f"{world.receiver.base_url}/any"}
        world.routee.set_up("shop", inbound_urls=urls)
        own = world.routee.receive(sender=ANN, recipient="306911111111", text=LONG)
        world.routee.receive(sender=ANN, recipient="54321", text="hi")
        await world.pass_time(minutes=1)

        assert [each.path for each in world.receiver.acted] == ["/own", "/any"]
        told = world.receiver.told[0]
        assert told.pop("receivedDate").endswith("Z")
        assert told == {
            "messageId": own,
            "from": ANN,
            "to": "+306911111111",
            "message": LONG,
            "parts": 3,
            "originatingService": "Sms",
            "direction": "Inbound",
        }

    async def test_what_nobody_wants_is_refused(self, world: World) -> None:
        from landed.domain.errors import InputInvalid

        for sender, recipient in ((ANN, "+306911111111"), ("ACME", "+306911111111")):
            with pytest.raises(InputInvalid):
                world.routee.receive(sender=sender, recipient=recipient, text="hi")

    async def test_people_answer_as_the_scenario_has_it(self) -> None:
        scenario = replace(EVERYDAY, replies={"*": "Thanks!", "STOP": "STOP"})
        async with opened_world(scenario=scenario) as world, routee_client(world) as api:
            world.routee.set_up("shop", inbound_url=f"{world.receiver.base_url}/in")
            await send(api, world, body=LONG, **{"from": "+306911111111"}, callback=None)
            await send(api, world, body="stop", **{"from": "+306911111111"}, callback=None)
            await send(api, world, body="Nobody can answer a name.", callback=None)
            await world.pass_time(minutes=30)

        assert sorted((told["from"], told["message"]) for told in world.receiver.told) == [
            (DELIVERED, "STOP"),
            (DELIVERED, "Thanks!"),
        ]


class TestItsWorld:
    async def test_what_its_console_is_for_is_set_over_http(self, world: World, api: httpx.AsyncClient) -> None:
        path = "/_sim/accounts/routee/shop"
        wanted = {"balance": "0.5", "two_step_url": f"{world.receiver.base_url}/2step", "inbound_url": ""}
        done = await api.patch(path, json=wanted)
        refused = [
            await api.patch(path, json=body)
            for body in ({"balance": "much"}, {"two_step_url": "ftp://x"}, {"token_lifetime_s": 0}, {"colour": "red"})
        ]
        balance = (await api.get("/accounts/me/balance")).json()["balance"]
        await api.post("/2step", json=TestTwoStep.ASKED)
        revoked = await api.patch(path, json={"revoke_tokens": True})
        after = await api.get("/accounts/me/balance")
        await world.pass_time(seconds=1)

        assert done.is_success
        assert [each.status_code for each in refused] == [422] * 4
        assert balance == 0.5
        assert [told["status"] for told in world.receiver.told] == ["Pending"]
        assert (revoked.is_success, after.status_code) == (True, 403)

    async def test_the_same_seed_gives_the_same_world_in_any_order(self) -> None:
        async def world_of(numbers: list[str]) -> set[Any]:
            async with opened_world(seed=3) as world, routee_client(world) as api:
                for number in numbers:
                    await send(api, world, to=number, body=LONG)
                await world.pass_time(days=1)
                return {
                    (told["smsId"], told["to"], told["part"], told["status"]["name"], told["latency"])
                    for told in world.receiver.told
                }

        numbers = [f"+23480000000{number:02}" for number in range(15)]
        assert await world_of(numbers) == await world_of(numbers[::-1])

    async def test_a_restored_snapshot_goes_on_as_the_world_did(self, world: World, api: httpx.AsyncClient) -> None:
        sent = await send(api, world, body=LONG)
        snapshot = world.carrier.snapshot()
        await world.pass_time(minutes=5)
        first = words(world)
        await world.carrier.restore(snapshot)
        parts = (await api.get(f"/sms/tracking/single/{sent['trackingId']}")).json()
        await world.pass_time(minutes=5)

        assert {part["status"]["status"] for part in parts} == {"Queued"}
        assert words(world) == first * 2

    async def test_a_reset_world_knows_nothing(self, world: World, api: httpx.AsyncClient) -> None:
        await send(api, world)
        await world.carrier.reset()
        await world.pass_time(minutes=5)

        assert list(world.routee.messages()) == []
        assert world.receiver.told == []
        assert (await api.get("/accounts/me/balance")).status_code == 401


# --- Landed's own client, and what reads callbacks -----------------------------------------------------------------


def outbound(world: World, recipient: str = DELIVERED, **changes: Any) -> Outbound:
    fields: dict[str, Any] = {
        "id": uuid4(),
        "channel": Channel.SMS,
        "sender": "ACME",
        "recipient": recipient,
        "text": "hello",
        "callback_url": f"{world.receiver.base_url}/hooks",
        **changes,
    }
    return Outbound(**fields)


@pytest.fixture
async def client(world: World) -> AsyncIterator[RouteeClient]:
    async with httpx.AsyncClient(timeout=2) as http:
        yield RouteeClient(account_id="shop", secret="s3cret", http=http, base_url=world.base_url)


def heard(world: World) -> list[Any]:
    requests = [
        CallbackRequest(method="POST", url="", headers=each.headers, body=each.body) for each in world.receiver.acted
    ]
    return [receipt for request in requests for receipt in callbacks.parse(request)]


class TestLandedsClient:
    async def test_it_sends_looks_up_and_lists(self, world: World, client: RouteeClient) -> None:
        message = outbound(world, UNKNOWN_NUMBER, text=LONG)
        receipt = await client.send(message)
        await world.pass_time(hours=1)
        parts = await client.look_up(receipt.provider_message_id or "")
        now = world.carrier.clock.real_now()
        listed, following = await client.sent_between(
            now - timedelta(hours=1), now + timedelta(hours=1), offset=0, recipient=UNKNOWN_NUMBER
        )

        assert (receipt.status, receipt.units) == (Status.QUEUED, 3)
        assert sorted(str(part.status) for part in parts) == ["delivered", "delivered", "undelivered"]
        assert {part.our_id for part in parts} == {str(message.id)}
        assert {part.error_code for part in parts} == {None, "Unknown Number"}
        assert (list(listed), following) == (list(parts), None)

    async def test_it_gets_a_new_token_when_one_ends(self, world: World, client: RouteeClient) -> None:
        for end in (lambda: world.pass_time(hours=2), None):
            await client.send(outbound(world))
            await end() if end else world.routee.set_up("shop", revoke_tokens=True)

        await client.send(outbound(world))

        assert len(list(world.routee.messages())) == 3

    async def test_it_understands_each_no(self, world: World, client: RouteeClient) -> None:
        with pytest.raises(RequestRefused):
            await client.send(outbound(world, "+15005559400"))
        with pytest.raises(ProviderThrottled):
            await client.send(outbound(world, "+15005559429"))
        with pytest.raises(OutcomeUnknown):
            await client.send(outbound(world, "+15005559409"))

    async def test_it_verifies_and_cancels_and_checks_the_account(self, world: World, client: RouteeClient) -> None:
        request = SessionRequest(
            id=uuid4(), channel=AttemptChannel.SMS, recipient=ANN, callback_url="http://127.0.0.1/", text="It is {code}"
        )
        session = await client.start_session(request)
        other = await client.start_session(request)
        code = next(view.code for view in world.routee.sessions() if view.id == session.provider_session_id)
        wrong = await client.check_code(session.provider_session_id, "no")
        right = await client.check_code(session.provider_session_id, code)
        cancelled = await client.cancel_session(other.provider_session_id)
        (looked_up,) = await client.look_up_session(session.provider_session_id)
        account = await client.check_account()

        assert [each.status for each in (session, wrong, right, cancelled, looked_up)] == [
            SessionStatus.IN_PROGRESS,
            SessionStatus.IN_PROGRESS,
            SessionStatus.VERIFIED,
            SessionStatus.CANCELLED,
            SessionStatus.VERIFIED,
        ]
        assert (account.currency, account.balance_nanos) == ("EUR", 100_000 * 10**9)

    async def test_landed_reads_every_callback(
        self, world: World, client: RouteeClient, api: httpx.AsyncClient
    ) -> None:
        world.routee.set_up("shop", two_step_url=world.receiver.base_url, inbound_url=world.receiver.base_url)
        for number in ("+15005550000", "+15005550030", "+15005550300", "+15005559003", "+15005559004", "+15005559005"):
            await client.send(outbound(world, number, text=LONG))
        await api.post("/2step", json=TestTwoStep.ASKED)
        await api.post("/sms/campaign", json=TestCampaigns().asked(world))
        world.routee.receive(sender=ANN, recipient="54321", text="hi")
        await world.pass_time(days=2)

        read = heard(world)
        receipts = [receipt for receipt in read if isinstance(receipt, Receipt)]
        sessions = [receipt for receipt in read if isinstance(receipt, SessionReceipt)]
        broadcasts = [receipt for receipt in read if isinstance(receipt, BroadcastReceipt)]
        assert len(read) == len(world.receiver.acted)
        assert {receipt.provider_status for receipt in receipts if receipt.status is None} == {"Buffered"}
        assert {each.status for each in receipts} >= {*Status} - {
            *(Status.SCHEDULED, Status.SENDING, Status.UNKNOWN_OUTCOME, Status.EXPIRED, Status.READ),
        }
        assert [session.status for session in sessions] == [SessionStatus.IN_PROGRESS, SessionStatus.EXPIRED]
        assert [broadcast.final for broadcast in broadcasts] == [False] * (len(broadcasts) - 1) + [True]
        assert dict(broadcasts[-1].counts).keys() <= {"delivered", "undelivered", "failed", "sent", "queued"}


# --- all of Landed -------------------------------------------------------------------------------------------------


async def test_landed_sends_through_it_and_knows_what_became_of_each_message() -> None:
    wanted = {
        DELIVERED: ("delivered", None),
        UNKNOWN_NUMBER: ("undelivered", "Unknown Number"),
        FAILED: ("failed", None),
        "+15005559001": ("sent", None),
        "+15005559400": ("failed", "400005000"),
    }
    async with opened_world(speed=120, accounts=KNOWN) as world, carried(world) as landed:
        await landed.send("mall", list(wanted), LONG)
        world.routee.receive(sender=ANN, recipient="54321", text="hi", account="mall", url=landed.callback_urls["mall"])
        await eventually(landed.is_quiet)
        await eventually(lambda: is_as_told(landed))
        listed = (await landed.api.get("/v1/messages", params={"direction": "outbound"})).json()["data"]
        heard = (await landed.api.get("/v1/inbound")).json()["data"]

    ends = {each["to"]: (each["status"], each["error_code"] or each["provider_reason"]) for each in listed}
    assert ends == wanted
    assert {len(each["parts"]) for each in listed} == {1, 3}
    assert [(each["from"], each["text"]) for each in heard] == [(ANN, "hi")]


async def is_as_told(landed: Carried) -> bool:
    """But for what was refused, of which the carrier knows nothing."""
    return all("never sent" in line for line in await landed.differences())


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    for _ in range(600):
        if await condition():
            return
        await asyncio.sleep(0.1)
    raise AssertionError("not within a minute")


# --- the ledger against Landed's fold -------------------------------------------------------------------------------


@given(seed=st.integers(0, 2**32), parts=st.integers(1, 6), wild=st.booleans(), silent=st.booleans())
@settings(max_examples=12, deadline=None)
def test_landed_folds_what_was_told_as_the_ledger_does(seed: int, parts: int, wild: bool, silent: bool) -> None:
    """Whatever the parts, their fates and the chaos: what arrived, folded, is what the ledger says was told."""

    async def check() -> None:
        shares = chaos.ALL if wild else chaos.CALM
        numbers = [f"+23480000000{number:02}" for number in range(10)] + [UNKNOWN_NUMBER, FAILED]
        magic = {**EVERYDAY.magic, **({numbers[0]: Outcome(is_silent=True)} if silent else {})}
        scenario = replace(EVERYDAY, chaos=replace(shares, slow=0.0), magic=magic)
        async with opened_world(scenario=scenario, seed=seed) as world, httpx.AsyncClient(timeout=5) as http:
            client = RouteeClient(account_id="shop", secret="s3cret", http=http, base_url=world.base_url)
            sent = [await client.send(outbound(world, number, text="x" * (153 * parts))) for number in numbers]
            await world.pass_time(days=5)
            now = datetime.now(UTC)
            for answered in sent:
                of_it = [each for each in heard(world) if each.provider_message_id == answered.provider_message_id]
                message = fold({}, [Telling(each, now, None) for each in (answered, *of_it)])
                end = world.carrier.ledger.end(answered.provider_message_id or "")
                assert end is not None
                assert (message.status, message.error_code) == (end.status, end.error_code)
                assert (message.units, message.cost_nanos or 0, message.country) == (
                    end.units,
                    end.cost_nanos,
                    end.country,
                )

    asyncio.run(check())
