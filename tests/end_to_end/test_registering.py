"""Registering for 10DLC: asked for once whatever happens in between, and whole files applied and waited for."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta
from typing import Any, Final

import httpx
import pytest

from landed.domain.errors import OutcomeUnknown, ProviderThrottled, RequestRefused
from landed.services.applying import Applier
from landed.services.declaring import Declared, Step, read
from tests.acting import House, opened_house
from tests.doubles.api import (
    EMPTY_ANSWER,
    ERROR_AFTER,
    HALF_ANSWER,
    HANG_AFTER,
    RESET_BEFORE,
    THROTTLED,
    WRONG_JSON,
    Arrived,
    Reply,
)
from tests.unit.services.test_declaring import FILE, NUMBERS, changed

pytestmark = pytest.mark.anyio
PROFILE: Final[dict[str, Any]] = {
    "alias": "acme", "entity_type": "PRIVATE", "company_name": "Acme Inc", "vertical": "TECHNOLOGY",
    "address": {"street": "1 Main St", "city": "Boston", "state": "MA", "postal_code": "02110", "country": "US"},
}  # fmt: skip
CAMPAIGN: Final[dict[str, Any]] = {
    "alias": "acme-codes", "brand": "acme-brand", "vertical": "TECHNOLOGY", "use_case": "2FA",
    "description": "Codes that people type to prove that a number is theirs.",
    "samples": ["Your code for Acme is 123456.", "Acme: 654321 is the code you asked for."],
    "message_flow": "People type their number at acme.example and ask for a code.",
    "help_message": "See acme.example/help.", "opt_out_message": "You get no more texts from Acme.",
}  # fmt: skip


@pytest.fixture
async def house(database: str) -> AsyncIterator[House]:
    async with opened_house(database) as house:
        await house.add("shop", "plivo")
        yield house


async def asked(house: House, path: str, expected: int | None = None, /, **body: Any) -> Any:
    response = await house.ask("POST", f"/v1/10dlc/{path}", json=body)
    assert response.status_code == (expected or 202), response.text
    return response.json()


async def brand_of(house: House, alias: str = "acme-brand") -> Any:
    if not house.plivo.profiles:
        await asked(house, "profiles", 201, **PROFILE)
    return await asked(house, "brands", alias=alias, profile="acme", brand_type="STANDARD", secondary_vetting=True)


async def campaign_of(house: House) -> Any:
    await brand_of(house)
    return await asked(house, "campaigns", **CAMPAIGN)


def problem(response: httpx.Response, status: int, code: str) -> Any:
    assert (response.status_code, response.json()["code"]) == (status, code), response.text
    return response.json()


# --- one by one ----------------------------------------------------------------------------------------------------


async def test_what_is_registered_is_pending_at_once_and_meets_its_callbacks(house: House) -> None:
    profile = await asked(house, "profiles", 201, **PROFILE)
    brand = await brand_of(house)
    ((brand_id, at_plivo),) = house.plivo.brands.items()

    assert (profile["alias"], profile["provider_profile_id"], profile["state"]) == (
        "acme", next(iter(house.plivo.profiles)), "asked",
    )  # fmt: skip
    assert house.plivo.profiles[profile["provider_profile_id"]]["address"]["postal_code"] == "02110"
    assert (brand["status"], brand["provider_brand_id"], brand["account"]) == ("pending", brand_id, "shop")
    key = house.accounts["shop"].paths[0].value
    assert at_plivo["url"] == f"https://hooks.example.com/callbacks/{key}/brands/{brand['our_ids'][0]}"
    assert (at_plivo["profile_uuid"], at_plivo["brand_type"]) == (profile["provider_profile_id"], "STANDARD")
    await house.track("shop", house.plivo.brand_call(brand_id, "registered"))
    shown = await house.get(f"/v1/10dlc/brands/{brand['our_ids'][0]}")
    assert (shown["id"], shown["status"], len(shown["receipts"])) == (brand["id"], "registered", 2)

    campaign = await asked(house, "campaigns", **CAMPAIGN)
    campaign_id = campaign["provider_campaign_id"]
    assert (campaign["status"], campaign["provider_brand_id"]) == ("pending", brand_id)
    await house.track("shop", house.plivo.campaign_call(campaign_id, "registered"))

    numbers = (await asked(house, "campaigns/acme-codes/numbers", numbers=["+1 415 555 0100", "+14155550101"]))["data"]
    assert [(each["number"], each["status"]) for each in numbers] == [(number, "pending") for number in NUMBERS]
    (link,) = [each.json() for each in house.plivo.acted if each.path.endswith("/Number/")]
    await house.track("shop", *(house.plivo.number_call(link, campaign_id, each[1:], "success") for each in NUMBERS))
    linked = await house.get(f"/v1/10dlc/numbers?campaign={campaign_id}")
    assert {each["status"] for each in linked["data"]} == {"linked"}

    response = await house.ask("DELETE", f"/v1/10dlc/campaigns/{campaign['id']}/numbers/+14155550101")
    assert (response.status_code, response.json()["status"], response.json()["final"]) == (202, "linked", False)
    ((_, _, address),) = house.plivo.unlinked
    await house.track("shop", house.plivo.number_call(address, campaign_id, "14155550101", "success", unlinking=True))
    assert (await house.get("/v1/10dlc/numbers/+14155550101"))["status"] == "unlinked"


async def test_a_callback_that_beats_the_answer_undoes_nothing(house: House) -> None:
    async def call(arrived: Arrived, reply: Reply) -> None:
        if arrived.method == "POST" and "brand_id" in reply.content:
            await house.track("shop", house.plivo.brand_call(reply.content["brand_id"], "registered"))

    house.plivo.before_answer = call

    brand = await brand_of(house)

    assert (brand["status"], len(brand["receipts"])) == ("registered", 2)
    assert len((await house.get("/v1/10dlc/brands"))["data"]) == 1


async def test_profiles_are_listed_and_shown(house: House) -> None:
    for name in ("one", "two", "three"):
        await asked(house, "profiles", 201, **{**PROFILE, "alias": name})
    house.plivo.fail(ERROR_AFTER._replace(status=400), on="POST /Profile/")
    problem(await house.ask("POST", "/v1/10dlc/profiles", json={**PROFILE, "alias": "four"}), 422, "request_refused")

    first = await house.get("/v1/10dlc/profiles?limit=3")
    rest = await house.get(f"/v1/10dlc/profiles?cursor={first['next_cursor']}")
    listed = [(each["alias"], each["state"]) for each in first["data"] + rest["data"]]
    assert listed == [("four", "refused"), ("three", "asked"), ("two", "asked"), ("one", "asked")]
    assert (await house.get("/v1/10dlc/profiles/two"))["company_name"] == "Acme Inc"
    problem(await house.ask("GET", "/v1/10dlc/profiles/six"), 404, "not_found")


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("profiles", {**PROFILE, "entity_type": "SECRET"}, "entity_type"),
        ("profiles", {**PROFILE, "adress": {}}, "adress"),
        ("profiles", {**PROFILE, "address": {**PROFILE["address"], "city": 7}}, "address.city"),
        ("brands", {"alias": "x"}, "profile"),
        ("brands", {"alias": "x", "profile": "no such one"}, "profile"),
        ("brands", {"alias": "x", "profile": "p", "account": "nobody"}, "account"),
        ("campaigns", {**CAMPAIGN, "description": "Short."}, "description"),
        ("campaigns", {**CAMPAIGN, "samples": ["Your code is 123456.", "Hey"]}, "samples"),
        ("campaigns", {**CAMPAIGN, "samples": ["Your code is 123456."]}, "samples"),
        ("campaigns", {**CAMPAIGN, "message_flow": None}, "message_flow"),
        ("campaigns", {**CAMPAIGN, "samples": ["Your code is 123456."] * 6}, "samples"),
        ("campaigns/c/numbers", {"numbers": ["+1415"]}, "numbers"),
        ("campaigns/c/numbers", {"numbers": []}, "numbers"),
    ],
    ids=str,
)
async def test_what_cannot_be_registered_is_refused_before_anything_is_asked(
    house: House, path: str, body: dict[str, Any], field: str
) -> None:
    told = problem(await house.ask("POST", f"/v1/10dlc/{path}", json=body), 422, "input_invalid")

    assert told["field"] == field
    assert house.plivo.arrived == []


async def test_who_may_register(house: House) -> None:
    await house.add("bank", "routee")
    problem(await house.ask("POST", "/v1/10dlc/profiles", "reads", json=PROFILE), 403, "not_allowed")
    told = problem(await house.ask("POST", "/v1/10dlc/profiles", "sends-bank", json=PROFILE), 422, "input_invalid")
    assert "routee does not offer it" in told["detail"]
    await asked(house, "profiles", 201, **PROFILE)  # one account alone can
    await brand_of(house)
    body = {**CAMPAIGN, "alias": "other"}
    # The brand of another account is not there for this key: it is taken for an id, which its own account has none of.
    problem(await house.ask("POST", "/v1/10dlc/campaigns", "sends-bank", json=body), 422, "input_invalid")


async def test_the_provider_says_no_and_the_alias_is_free_again(house: House) -> None:
    told = problem(
        await house.ask("POST", "/v1/10dlc/brands", json={"alias": "x", "profile": "nosuchprofile"}),
        422,
        "request_refused",
    )
    assert "Plivo" in told["detail"]
    await brand_of(house, alias="x")


# --- once ----------------------------------------------------------------------------------------------------------


async def test_the_same_again_is_the_same_and_another_by_that_name_is_refused(house: House) -> None:
    first, second = await brand_of(house), await brand_of(house)
    other = await house.ask("POST", "/v1/10dlc/brands", json={"alias": "acme-brand", "profile": "acme"})

    assert second["id"] == first["id"]
    assert first["provider_brand_id"] in problem(other, 409, "conflict")["detail"]
    assert len(house.plivo.brands) == 1


async def test_asked_for_at_the_same_moment_it_is_asked_for_once(house: House) -> None:
    await asked(house, "profiles", 201, **PROFILE)
    body: dict[str, Any] = {"alias": "acme-brand", "profile": "acme"}

    many = await asyncio.gather(*(house.ask("POST", "/v1/10dlc/brands", json=body) for _ in range(6)))

    assert {each.status_code for each in many} <= {202, 409}
    assert len(house.plivo.brands) == 1


async def test_an_idempotency_key_gives_the_same_answer_again(house: House) -> None:
    headers = {"Idempotency-Key": "k"}
    first, second = [await house.ask("POST", "/v1/10dlc/profiles", json=PROFILE, headers=headers) for _ in range(2)]

    assert (second.status_code, second.json()) == (first.status_code, first.json()) == (201, first.json())
    assert second.headers["idempotent-replayed"] == "true"


FAULTS: Final = [HANG_AFTER, HALF_ANSWER, WRONG_JSON, EMPTY_ANSWER, ERROR_AFTER]


@pytest.mark.parametrize("fault", FAULTS, ids=str)
async def test_without_a_readable_answer_it_is_found_in_the_providers_list(house: House, fault: Any) -> None:
    house.plivo.fail(fault, on="POST /Profile/")
    house.plivo.fail(fault, on="POST /10dlc/Brand/")
    house.plivo.fail(fault, on="POST /10dlc/Campaign/")
    house.plivo.fail(fault, on="/Number/")

    campaign = await campaign_of(house)
    numbers = (await asked(house, "campaigns/acme-codes/numbers", numbers=[*NUMBERS]))["data"]

    assert [len(each) for each in (house.plivo.profiles, house.plivo.brands, house.plivo.campaigns)] == [1, 1, 1]
    assert campaign["provider_campaign_id"] in house.plivo.campaigns
    assert [each["status"] for each in numbers] == ["pending", "pending"]
    states = {row["state"] for row in await house.rows("SELECT state FROM registration_requests")}
    assert states == {"asked"}


async def test_unlinking_without_a_readable_answer_shows_by_the_number_that_is_gone(house: House) -> None:
    await campaign_of(house)
    await asked(house, "campaigns/acme-codes/numbers", numbers=[NUMBERS[0]])
    house.plivo.fail(HANG_AFTER, on="DELETE /14155550100/")

    response = await house.ask("DELETE", f"/v1/10dlc/campaigns/acme-codes/numbers/{NUMBERS[0]}")

    assert (response.status_code, response.json()["status"]) == (202, "unlinked")


async def test_what_is_not_listed_is_not_asked_for_again_before_it_would_be(house: House) -> None:
    await asked(house, "profiles", 201, **PROFILE)
    body: dict[str, Any] = {"alias": "acme-brand", "profile": "acme"}
    house.plivo.fail(RESET_BEFORE, on="POST /10dlc/Brand/")

    first = problem(await house.ask("POST", "/v1/10dlc/brands", json=body), 502, "outcome_unknown")
    second = problem(await house.ask("POST", "/v1/10dlc/brands", json=body), 502, "outcome_unknown")
    house.plivo.fail(THROTTLED, on="GET /10dlc/Brand/")
    house.ahead = timedelta(minutes=2)
    problem(await house.ask("POST", "/v1/10dlc/brands", json=body), 503, "provider_throttled")

    assert first["our_id"] == second["our_id"]
    assert house.plivo.brands == {}
    assert (await asked(house, "brands", **body))["provider_brand_id"] in house.plivo.brands


async def test_a_process_that_died_after_asking_is_made_good_by_the_next(house: House) -> None:
    await asked(house, "profiles", 201, **PROFILE)
    acted = asyncio.Event()

    async def hang(arrived: Arrived, reply: Reply) -> None:
        acted.set()
        await asyncio.sleep(60)

    house.plivo.before_answer = hang
    body: dict[str, Any] = {"alias": "acme-brand", "profile": "acme"}
    task = asyncio.create_task(house.ask("POST", "/v1/10dlc/brands", json=body))
    async with asyncio.timeout(20):
        await acted.wait()
    task.cancel()
    await asyncio.wait([task])
    house.plivo.before_answer = None
    (row,) = await house.rows("SELECT state FROM registration_requests WHERE kind = 'brand'")
    assert row["state"] == "asking"
    problem(await house.ask("POST", "/v1/10dlc/brands", json=body), 409, "conflict")

    house.ahead = timedelta(minutes=2)
    brand = await asked(house, "brands", **body)

    ((brand_id, at_plivo),) = house.plivo.brands.items()
    assert brand["provider_brand_id"] == brand_id
    assert brand["our_ids"][0] in at_plivo["url"]


async def test_what_was_rejected_may_be_asked_for_again(house: House) -> None:
    first = await brand_of(house)
    await house.track("shop", house.plivo.brand_call(first["provider_brand_id"], "rejected"))

    second = await brand_of(house)

    assert len(house.plivo.brands) == 2
    assert second["provider_brand_id"] != first["provider_brand_id"]


async def test_what_was_deleted_at_the_provider_may_be_asked_for_again(house: House) -> None:
    await brand_of(house)
    house.plivo.brands.clear()
    house.ahead = timedelta(hours=2)

    await brand_of(house)

    assert len(house.plivo.brands) == 1


# --- files ---------------------------------------------------------------------------------------------------------


class Registry:
    """The registry behind the provider: what happens while an applier waits."""

    def __init__(self, house: House, *, callbacks: bool = True) -> None:
        self.house = house
        self.now = 0.0
        self.callbacks = callbacks
        self.answers: Callable[[str], str] = lambda kind: "registered"
        self.looks = 0

    async def sleep(self, seconds: float) -> None:
        """Whatever is pending is answered."""
        self.now += seconds
        self.looks += 1
        plivo = self.house.plivo
        calls = [
            plivo.brand_call(number, self.answers("brand"))
            for number, brand in plivo.brands.items()
            if brand["registration_status"] == "PROCESSING"
        ] + [
            plivo.campaign_call(number, self.answers("campaign"))
            for number, campaign in plivo.campaigns.items()
            if campaign["registration_status"] == "PROCESSING"
        ]
        for numbers in plivo.numbers.values():
            numbers.update(dict.fromkeys(numbers, "COMPLETED"))
        if self.callbacks:
            await self.house.track("shop", *calls)

    def applier(self, text: str = FILE, *, prune: bool = False) -> Applier:
        declared: Declared = read(text)
        return Applier(
            pool=self.house.pool,
            clients=self.house.clients,
            registrar=self.house.registrar,
            declared=declared,
            prune=prune,
            sleep=self.sleep,
            clock=lambda: self.now,
        )


def told(found: Sequence[Step]) -> list[str]:
    return [step.action.value for step in found]


def posts(house: House) -> list[str]:
    """What was asked for: the ends of the paths."""
    return [each.path.strip("/").split("/")[-1] for each in house.plivo.acted if each.method != "GET"]


@pytest.mark.parametrize("callbacks", [True, False])
async def test_a_file_is_applied_as_registrations_come_and_a_second_time_does_nothing(
    house: House, callbacks: bool
) -> None:
    registry = Registry(house, callbacks=callbacks)
    assert told(await registry.applier().plan()) == ["create", "create", "later", "later", "later"]
    assert house.plivo.brands == {}
    reports: list[list[str]] = []

    done = await registry.applier().apply(wait_s=3600, report=lambda found: reports.append(told(found)))

    assert told(done) == ["keep"] * 5
    assert reports[:3] == [
        ["create", "create", "later", "later", "later"],
        ["keep", "create", "later", "later", "later"],
        ["keep", "wait", "later", "later", "later"],
    ]
    assert posts(house) == ["Profile", "Brand", "Campaign", "Number"]
    ((_, numbers),) = house.plivo.numbers.items()
    assert {f"+{number.removeprefix('+')}" for number in numbers} == set(NUMBERS)
    for path in ("brands", "campaigns"):
        (thing,) = (await house.get(f"/v1/10dlc/{path}"))["data"]
        assert thing["status"] == "registered", "also where no callback told"
    assert {each["status"] for each in (await house.get("/v1/10dlc/numbers"))["data"]} == {"linked"}

    asked_before = len(posts(house))
    assert told(await registry.applier().apply(wait_s=3600)) == ["keep"] * 5
    assert len(posts(house)) == asked_before


async def test_without_waiting_it_does_what_can_be_done_and_the_next_run_goes_on(house: House) -> None:
    registry = Registry(house)

    for expected in (
        ["keep", "wait", "later", "later", "later"],
        ["keep", "keep", "wait", "later", "later"],
        ["keep", "keep", "keep", "wait", "wait"],
        ["keep"] * 5,
    ):
        assert told(await registry.applier().apply()) == expected
        assert registry.looks == 0
        await registry.sleep(0)
        registry.looks = 0


async def test_it_waits_no_longer_than_it_is_told_to(house: House) -> None:
    registry = Registry(house)
    registry.answers = lambda kind: "created"

    found = await registry.applier().apply(wait_s=100)

    assert told(found) == ["keep", "wait", "later", "later", "later"]
    assert registry.now <= 100


async def test_a_run_that_was_killed_anywhere_is_finished_by_the_next_and_nothing_is_asked_for_twice(
    house: House,
) -> None:
    registry = Registry(house)

    async def die(arrived: Arrived, reply: Reply) -> None:
        if arrived.method == "POST":
            task.cancel()
            await asyncio.sleep(0.2)

    house.plivo.before_answer = die
    for _ in range(4):
        task: asyncio.Task[Any] = asyncio.create_task(registry.applier().apply(wait_s=3600))
        await asyncio.wait([task])
        assert task.cancelled()
        house.ahead += timedelta(minutes=2)

    house.plivo.before_answer = None
    assert told(await registry.applier().apply(wait_s=3600)) == ["keep"] * 5
    assert posts(house) == ["Profile", "Brand", "Campaign", "Number"]


async def test_trouble_of_the_provider_is_waited_for_and_without_waiting_it_is_told(house: House) -> None:
    house.plivo.fail(THROTTLED, on="POST /Profile/")
    with pytest.raises(ProviderThrottled):
        await Registry(house).applier().apply()
    house.plivo.fail(RESET_BEFORE, on="POST /10dlc/Brand/")
    house.plivo.fail(None, None, THROTTLED, on="GET /10dlc/Brand/")
    registry = Registry(house)

    async def sleep(seconds: float) -> None:
        house.ahead += timedelta(seconds=seconds)
        await Registry.sleep(registry, seconds)

    registry.sleep = sleep  # type: ignore[method-assign]
    assert told(await registry.applier().apply(wait_s=3600)) == ["keep"] * 5
    assert posts(house) == ["Profile", "Brand", "Campaign", "Number"]


async def test_what_is_rejected_blocks_until_the_file_is_corrected(house: House) -> None:
    registry = Registry(house)
    registry.answers = lambda kind: "rejected"

    blocked = await registry.applier().apply(wait_s=3600)
    again = await registry.applier().apply(wait_s=3600)

    assert told(blocked) == told(again) == ["keep", "blocked", "blocked", "blocked", "blocked"]
    assert posts(house) == ["Profile", "Brand"]
    registry.answers = lambda kind: "registered"
    corrected = registry.applier(changed("brand_type: STANDARD", "brand_type: STARTER"))
    assert told(await corrected.apply(wait_s=3600)) == ["keep"] * 5
    assert posts(house) == ["Profile", "Brand", "Brand", "Campaign", "Number"]


async def test_what_the_provider_refuses_ends_the_run_and_what_was_done_stays(house: House) -> None:
    house.plivo.fail(ERROR_AFTER._replace(status=400), on="POST /10dlc/Brand/")

    with pytest.raises(RequestRefused):
        await Registry(house).applier().apply(wait_s=3600)

    assert len(house.plivo.profiles) == 1


async def test_numbers_that_the_file_no_longer_has_are_unlinked_if_asked_for(house: House) -> None:
    registry = Registry(house)
    await registry.applier().apply(wait_s=3600)
    fewer = changed('numbers: [+14155550100, "(415) 555-0101"]', "numbers: [+14155550100]")

    assert told(await registry.applier(fewer).apply(wait_s=3600)) == ["keep"] * 5
    assert told(await registry.applier(fewer, prune=True).apply(wait_s=3600)) == ["keep"] * 4
    assert [number for _, number, _ in house.plivo.unlinked] == ["14155550101"]


async def test_what_was_registered_elsewhere_is_found_by_its_name(house: House) -> None:
    registry = Registry(house)
    await registry.applier().apply(wait_s=3600)
    for table in ("registration_requests", "brands", "campaigns", "number_links"):
        async with house.pool.connection() as connection:
            await connection.execute(f"DELETE FROM {table}")

    assert told(await registry.applier().apply(wait_s=3600)) == ["keep"] * 5
    assert posts(house) == ["Profile", "Brand", "Campaign", "Number"]
    assert (await house.get("/v1/10dlc/brands"))["data"][0]["status"] == "registered"


async def test_an_unknown_outcome_without_waiting_is_told_and_found_out_by_the_next_run(house: House) -> None:
    registry = Registry(house)
    house.plivo.fail(HANG_AFTER, on="POST /10dlc/Brand/")
    house.plivo.fail(None, None, THROTTLED, on="GET /10dlc/Brand/")
    with pytest.raises(OutcomeUnknown):
        await registry.applier().apply()

    assert told(await registry.applier().apply(wait_s=3600)) == ["keep"] * 5
    assert len(house.plivo.brands) == 1
