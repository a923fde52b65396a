"""The provider contract has teeth: a provider that breaks one of its rules fails the test of that rule."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from landed.domain.callbacks import CallbackRequest
from landed.domain.errors import CallbackNotUnderstood, SignatureInvalid
from landed.domain.meanings import Fault, Meaning
from landed.domain.receipts import AnyReceipt, Receipt
from landed.domain.statuses import Status
from landed.providers.base import Credentials
from landed.providers.plivo.provider import Plivo
from tests.contracts import test_plivo_provider


class TakesAnything(Plivo):
    def verify(self, request: CallbackRequest, credentials: Credentials) -> tuple[str, ...]:
        return tuple(name for name in ("x-plivo-signature-v3",) if name in request.headers)


class IgnoresTheQuery(Plivo):
    def verify(self, request: CallbackRequest, credentials: Credentials) -> tuple[str, ...]:
        return super().verify(replace(request, url=f"{request.url.partition('?')[0]}?tenant=42"), credentials)


class BreaksOnStrangeHeaders(Plivo):
    def verify(self, request: CallbackRequest, credentials: Credentials) -> tuple[str, ...]:
        "".join(request.headers.values()).encode("ascii")
        return super().verify(request, credentials)


class KnowsOneTokenOnly(Plivo):
    def verify(self, request: CallbackRequest, credentials: Credentials) -> tuple[str, ...]:
        return super().verify(request, replace(credentials, auth_tokens=credentials.auth_tokens[:1]))


class TellsTheToken(Plivo):
    def verify(self, request: CallbackRequest, credentials: Credentials) -> tuple[str, ...]:
        try:
            return super().verify(request, credentials)
        except SignatureInvalid as error:
            raise SignatureInvalid(f"not signed with {credentials.auth_tokens}", reason=error.reason) from None


class TakesTheUnknownForSuccess(Plivo):
    def parse(self, request: CallbackRequest) -> list[AnyReceipt]:
        return [
            each._replace(status=each.status or Status.DELIVERED) if isinstance(each, Receipt) else each
            for each in super().parse(request)
        ]


class LosesTheSender(Plivo):
    def parse(self, request: CallbackRequest) -> list[AnyReceipt]:
        return [each._replace(sender=None) if isinstance(each, Receipt) else each for each in super().parse(request)]


class BreaksWhereAFieldIsMissing(Plivo):
    def parse(self, request: CallbackRequest) -> list[AnyReceipt]:
        if b"MessageUUID" not in request.body and "MessageUUID" not in request.url:
            raise KeyError("MessageUUID")
        return super().parse(request)


class RemembersCalls(Plivo):
    calls = 0

    def parse(self, request: CallbackRequest) -> list[AnyReceipt]:
        RemembersCalls.calls += 1
        return [_with_extra(each, str(RemembersCalls.calls)) for each in super().parse(request)]


class ShowsTheOrderOfASet(Plivo):
    def parse(self, request: CallbackRequest) -> list[AnyReceipt]:
        names = "".join({"one", "two", "three", "four", "five"})
        return [_with_extra(each, names) for each in super().parse(request)]


class GivesNaiveTimes(Plivo):
    def parse(self, request: CallbackRequest) -> list[AnyReceipt]:
        naive = datetime(2026, 3, 2)
        return [
            each._replace(queued_at=naive) if isinstance(each, Receipt) else each for each in super().parse(request)
        ]


class GivesWhatCannotBeStored(Plivo):
    def parse(self, request: CallbackRequest) -> list[AnyReceipt]:
        return [each._replace(units=2**70) if isinstance(each, Receipt) else each for each in super().parse(request)]


class TellsTheNumber(Plivo):
    def parse(self, request: CallbackRequest) -> list[AnyReceipt]:
        try:
            return super().parse(request)
        except CallbackNotUnderstood:
            raise CallbackNotUnderstood(f"What is this? {request.body.decode()}") from None


class ExplainsOnlyWhatItKnows(Plivo):
    def explain(self, error_code: str) -> Meaning:
        if not error_code.isascii():
            return Meaning(title="", advice="", fault=Fault.UNKNOWN, retryable=None)
        return super().explain(error_code)


class HasNoName(Plivo):
    name = "Plivo Inc."  # type: ignore[misc]  # it is wrong on purpose


class LeavesTheBodyOut(Plivo):
    """Without saying so: the ledger of nonces would not look at it."""

    headers_without_body = frozenset({"x-plivo-signature-v3"})  # type: ignore[misc]  # wrong on purpose

    def nonce(self, headers: Mapping[str, str]) -> str | None:
        return None


def _with_extra(receipt: AnyReceipt, text: str) -> Any:
    return receipt._replace(extra=(("text", text),))


#: A broken provider, and the rule of the contract that it breaks.
BROKEN: Final = [
    (TakesAnything, "test_refuses_what_was_altered_wherever_the_proof_covers_it"),
    (TakesAnything, "test_no_token_or_a_foreign_one_proves_nothing"),
    (TakesAnything, "test_another_proof_is_refused"),
    (TakesAnything, "test_every_captured_callback_is_taken_unless_its_file_says_forged"),
    (IgnoresTheQuery, "test_refuses_what_was_altered_wherever_the_proof_covers_it"),
    (BreaksOnStrangeHeaders, "test_verifying_raises_nothing_but_our_errors"),
    (KnowsOneTokenOnly, "test_while_a_token_is_rotated_either_proves_it"),
    (TellsTheToken, "test_no_secret_shows_in_a_refusal_or_a_representation"),
    (TakesTheUnknownForSuccess, "test_a_word_we_do_not_know_is_kept_and_never_taken_for_success"),
    (LosesTheSender, "test_every_captured_callback_is_read_as_its_file_expects"),
    (BreaksWhereAFieldIsMissing, "test_parsing_raises_nothing_but_our_errors"),
    (RemembersCalls, "test_parsing_the_same_gives_the_same_and_changes_nothing"),
    (ShowsTheOrderOfASet, "test_every_process_reads_the_same"),
    (GivesNaiveTimes, "test_receipts_can_be_stored_and_read_back"),
    (GivesWhatCannotBeStored, "test_receipts_can_be_stored_and_read_back"),
    (TellsTheNumber, "test_an_error_shows_neither_text_nor_number_of_a_message"),
    (ExplainsOnlyWhatItKnows, "test_any_error_code_is_explained"),
    (HasNoName, "test_its_names_are_fit_for_commands_and_urls"),
    (LeavesTheBodyOut, "test_a_proof_that_leaves_the_body_out_has_a_nonce_for_the_ledger"),
]


@pytest.mark.parametrize(("broken", "rule"), BROKEN, ids=lambda each: each if isinstance(each, str) else each.__name__)
def test_a_provider_that_breaks_a_rule_fails(broken: type[Plivo], rule: str) -> None:
    with pytest.raises(Exception):  # noqa: B017, PT011  an assertion, or what the provider itself raises
        _run(broken, rule)


@pytest.mark.parametrize("rule", sorted({rule for _, rule in BROKEN}))
def test_the_same_provider_unbroken_passes(rule: str) -> None:
    _run(Plivo, rule)


def _run(kind: type[Plivo], rule: str) -> None:
    """Run one test of the contract; a fuzzed one without looking for the smallest example."""

    class Contract(test_plivo_provider.TestPlivoSignedV3):
        provider = kind()

    test: Any = getattr(Contract, rule)
    if not hasattr(test, "hypothesis"):
        test(Contract())
        return

    @settings(
        max_examples=100,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(data=st.data())
    def fuzz(data: st.DataObject) -> None:
        test.hypothesis.inner_test(Contract(), data)

    fuzz()
