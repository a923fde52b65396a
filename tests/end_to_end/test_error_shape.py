"""Every error of the API has one shape, application/problem+json with a stable code, and no caller can make a 500."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, cast

import httpx
import pytest
import schemathesis
from fastapi import APIRouter, Depends, FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from pydantic import BaseModel, ConfigDict
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance

from landed.domain import errors
from landed.domain.accounts import Account, ApiKey, Scope
from landed.providers import registry
from landed.store import reading
from landed.web import problems
from landed.web.api.application import create_api
from landed.web.api.fields import Text
from landed.web.api.keys import permitted

Ask = Callable[..., httpx.Response]
READER = {"Authorization": "Bearer reader"}
SENDS_JSON = READER | {"Content-Type": "application/json"}


class Address(BaseModel):
    city: Text


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")

    to: Text | list[Text]
    address: Address | None = None


async def _authenticate(key: str) -> ApiKey | None:
    if key != "reader":
        return None
    return ApiKey(id=1, name=key, hint="", scope=Scope.READ, account_id=None, created_at=datetime.now(UTC))


async def _accounts() -> Sequence[Account]:
    return []


async def _metrics() -> bytes:
    return b""


def _api(database_url: str, health: Callable[[], Awaitable[Mapping[str, Any]]] | None = None) -> FastAPI:
    async def ready() -> Mapping[str, Any]:
        return {}

    return create_api(
        engine=reading.engine(database_url),
        providers=registry.load(),
        authenticate=_authenticate,
        accounts=_accounts,
        public_url="https://sms.example.com",
        health=health or ready,
        metrics=_metrics,
        more=[_failing()],
    )


def _failing() -> APIRouter:
    """Routes that fail in each way there is."""
    routes = APIRouter(tags=["failing"])

    @routes.get("/fails/with/{name}", include_in_schema=False)
    async def fail(name: str) -> None:
        error = getattr(errors, name, None)
        raise error("The reason.") if error else ZeroDivisionError("a secret")

    @routes.post("/fails/to/read", include_in_schema=False)
    async def read(body: Body) -> None:
        raise AssertionError("not reached")

    admins = permitted(_authenticate, Scope.ADMIN)

    @routes.get("/fails/for/readers", include_in_schema=False)
    async def refuse(key: Annotated[ApiKey, Depends(admins)]) -> None:
        raise AssertionError("not reached")

    return routes


@pytest.fixture
def ask(database_url: str) -> Iterator[Ask]:
    with asyncio.Runner() as runner:
        transport = httpx.ASGITransport(_api(database_url), raise_app_exceptions=False)
        client = httpx.AsyncClient(transport=transport, base_url="http://landed.test")

        def ask(path: str, *, method: str = "GET", **options: Any) -> httpx.Response:
            return runner.run(client.request(method, path, **{"headers": READER, **options}))

        yield ask


def problem(response: httpx.Response, status: int, code: str) -> Any:
    """What an error says, after looking at its shape."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    told = response.json()
    assert {"type", "title", "status", "detail", "code"} <= set(told) <= set(problems.Problem.model_fields)
    assert (told["status"], told["code"]) == (status, code)
    assert told["detail"]
    return told


def test_without_a_key_it_is_401_and_says_how(ask: Ask) -> None:
    for headers in ({}, {"Authorization": "Bearer unknown"}, {"Authorization": "Basic cmVhZGVy"}):
        response = ask("/v1/messages", headers=headers)
        assert "landed keys create" in problem(response, 401, "not_allowed")["detail"]
        assert response.headers["www-authenticate"] == "Bearer"


def test_a_key_comes_before_everything_else(ask: Ask) -> None:
    problem(ask("/v1/messages?limit=x", headers={}), 401, "not_allowed")


def test_too_small_a_scope_is_403(ask: Ask) -> None:
    assert "--scope admin" in problem(ask("/fails/for/readers"), 403, "not_allowed")["detail"]


@pytest.mark.parametrize("path", ["/v1/messages/no", "/v1/callbacks/1", "/v1/callbacks/refused-1-1-1", "/v1/nowhere"])
def test_what_is_not_there_is_404(ask: Ask, path: str) -> None:
    problem(ask(path), 404, "not_found")


def test_a_method_that_is_not_there_is_405(ask: Ask) -> None:
    response = ask("/v1/messages", method="DELETE")
    problem(response, 405, "method_not_allowed")
    assert response.headers["allow"] == "GET"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=many", "limit"),
        ("cursor=!", "cursor"),
        ("cursor=W10", "cursor"),
        ("status=gone", "status"),
        ("status=sent&status=gone", "status"),
        ("since=yesterday", "since"),
        ("account=nobody", "account"),
        ("to=%00", "to"),
        ("q=a%00b", "q"),
        (f"tag={'x' * 5000}", "tag"),
        ("&".join(f"country={n}" for n in range(60)), "country"),
    ],
)
def test_bad_input_is_422_and_names_the_field(ask: Ask, query: str, field: str) -> None:
    told = problem(ask(f"/v1/messages?{query}"), 422, "input_invalid")
    assert told["field"] == field


def test_several_bad_fields_are_all_named(ask: Ask) -> None:
    told = problem(ask("/v1/messages?limit=0&status=gone"), 422, "input_invalid")
    assert {each["field"] for each in told["errors"]} == {"limit", "status"}


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b'{"to": ["a", ""]}', {"to", "to.1"}),
        (b'{"to": ["a", "b", 7]}', {"to", "to.2"}),
        (b'{"to": "a", "address": {"city": ""}}', {"address.city"}),
        (b'{"to": "a", "address": {}}', {"address.city"}),
        (b'{"to": "a", "address": []}', {"address"}),
        (b'{"to": "a", "mediaUrls": []}', {"mediaUrls"}),
        (b"{}", {"to"}),
        (b"[]", {"body"}),
        (b"", {"body"}),
    ],
)
def test_what_is_wrong_inside_of_a_field_is_named_with_its_place(ask: Ask, body: bytes, fields: set[str]) -> None:
    told = problem(ask("/fails/to/read", method="POST", content=body, headers=SENDS_JSON), 422, "input_invalid")
    assert {each["field"] for each in told["errors"]} == fields
    assert told["field"] in fields


def test_what_is_no_json_is_told_with_the_place_where_it_ends_to_be_some(ask: Ask) -> None:
    broken = ask("/fails/to/read", method="POST", content=b'{"to": }', headers=SENDS_JSON)
    told = problem(broken, 422, "input_invalid")
    assert told["field"] == "body"
    assert told["detail"] == "`body`: It is no JSON: Expecting value at character 7."


@pytest.mark.parametrize(
    "body",
    [b"\xff", b'{"to": "\xff"}', b"[" * 100_000, b'{"to": ' + b"1" * 5_000 + b"}"],
    ids=["no text", "no UTF-8", "too deep", "too long a number"],
)
def test_a_body_that_cannot_be_read_is_the_callers_fault(ask: Ask, body: bytes) -> None:
    told = problem(ask("/fails/to/read", method="POST", content=body, headers=SENDS_JSON), 422, "input_invalid")
    assert told["field"] == "body"
    assert "nested too deeply" in told["detail"]


@pytest.mark.parametrize("query", ["q=a%00b", "tag=%00"])
def test_a_nul_in_a_text_is_told_in_a_sentence(ask: Ask, query: str) -> None:
    told = problem(ask(f"/v1/messages?{query}"), 422, "input_invalid")
    assert told["detail"].endswith(": It has a NUL character in it, which no text can hold; leave it out.")


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("InputInvalid", 422, "input_invalid"),
        ("NotFound", 404, "not_found"),
        ("NotAllowed", 401, "not_allowed"),
        ("SignatureInvalid", 403, "signature_invalid"),
        ("CallbackMalformed", 400, "callback_malformed"),
        ("CallbackTooLarge", 413, "callback_too_large"),
        ("Overloaded", 503, "overloaded"),
        ("StoreUnavailable", 503, "store_unavailable"),
        ("SchemaBehind", 503, "schema_behind"),
        ("SettingInvalid", 500, "internal_error"),
        ("a fault of ours", 500, "internal_error"),
    ],
)
def test_each_error_has_its_status(ask: Ask, name: str, status: int, code: str) -> None:
    response = ask(f"/fails/with/{name}")
    problem(response, status, code)
    assert ("retry-after" in response.headers) == (status == 503)


def test_a_fault_of_ours_tells_nothing_of_itself(ask: Ask) -> None:
    assert "secret" not in ask("/fails/with/anything").text


def test_while_the_database_is_away_it_is_503_with_retry_after() -> None:
    async def away() -> Mapping[str, Any]:
        raise errors.StoreUnavailable("The database is away.")

    async def responses() -> list[httpx.Response]:
        api = _api("postgresql://nobody@/none?host=/nonexistent", away)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url="http://landed.test") as client:
            return [await client.get(path, headers=READER) for path in ("/v1/messages", "/health/ready")]

    for response in asyncio.run(responses()):
        problem(response, 503, "store_unavailable")
        assert response.headers["retry-after"]


def test_the_description_names_the_one_shape(ask: Ask) -> None:
    described = ask("/openapi.json").json()
    assert "HTTPValidationError" not in described["components"]["schemas"]
    refused = described["paths"]["/v1/messages"]["get"]["responses"]["422"]["content"]
    assert refused == {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}


@pytest.mark.parametrize("mode", list(GenerationMode), ids=str)
def test_nothing_a_caller_sends_is_a_fault_of_ours(ask: Ask, mode: GenerationMode) -> None:
    """Schemathesis reads the description, sends what it allows and what it does not, and compares the answers."""
    schema = schemathesis.openapi.from_dict(ask("/openapi.json").json())
    for result in schema.get_all_operations():
        operation = cast("Any", result).ok()

        @settings(max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(operation.as_strategy(generation_mode=mode))
        def send(case: Any) -> None:
            request = case.as_transport_kwargs(base_url="http://landed.test")
            response = ask(request["url"], method=request["method"], params=request.get("params"))
            case.validate_response(response, checks=[not_a_server_error, response_schema_conformance])

        with contextlib.suppress(Unsatisfiable):  # nothing can be wrong with what takes no input
            send()
