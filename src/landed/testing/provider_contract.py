"""What every provider does. A new one subclasses ProviderContract, gives what it asks for, and runs it with pytest.

Needs pytest and hypothesis, so nothing of Landed imports this.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Final

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from landed.domain.callbacks import CallbackRequest
from landed.domain.errors import CallbackMalformed, CallbackRejected, LandedError, SignatureInvalid
from landed.domain.facts import Heard
from landed.domain.meanings import Fault
from landed.domain.occasions import Hearing
from landed.domain.receipts import AnyReceipt, BroadcastReceipt, Receipt, RegistrationReceipt, SessionReceipt
from landed.providers import registry
from landed.providers.base import Credentials, Provider
from landed.store import messages, registrations, schema
from landed.store.things import Rows
from landed.testing import captured, requests
from landed.testing.captured import Captured

#: A word that no provider has, nor will have.
UNHEARD_OF: Final = "zz-unheard-of"

#: The same method runs for each provider; `derandomize` keeps a run of CI from failing by chance.
_fuzzed = settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.differing_executors, HealthCheck.too_slow],
)


class ProofContract:
    """Who sent it. A provider that can be proven in several ways has one subclass for each."""

    #: As the registry gives it.
    provider: ClassVar[Provider]
    #: What proves `callback()`. Its tokens are what must never show.
    credentials: ClassVar[Credentials]
    #: The folder of the captured callbacks.
    captured_in: ClassVar[Path]
    #: What the proof covers, of `method url query body headers`; empty where the provider proves nothing and the
    #: callback's path is the secret. `headers`: without them it is refused.
    covers: ClassVar[frozenset[str]]
    #: The headers that carry the proof, in lower case.
    proof_headers: ClassVar[tuple[str, ...]] = ()

    def callback(self) -> CallbackRequest:
        """A callback just as the provider sends it, proven by `credentials`."""
        raise NotImplementedError

    def test_takes_what_the_provider_sent(self) -> None:
        verified = self.provider.verify(self.callback(), self.credentials)

        assert set(verified) <= self.callback().headers.keys()
        assert bool(verified) == bool(self.covers) == self.provider.is_signed

    def test_refuses_what_was_altered_wherever_the_proof_covers_it(self) -> None:
        taken = [what for what, altered in self._altered() if what in self.covers and not self._is_refused(altered)]

        assert taken == []

    def test_takes_what_was_altered_where_the_proof_does_not_cover_it(self) -> None:
        """So that `covers` tells what an operator has to guard otherwise."""
        refused = [what for what, altered in self._altered() if what not in self.covers and self._is_refused(altered)]

        assert refused == []

    def test_refuses_with_a_reason_fit_for_a_metric(self) -> None:
        if not self.covers:
            return
        with pytest.raises(SignatureInvalid) as refusal:
            self.provider.verify(replace(self.callback(), headers={}), self.credentials)

        assert refusal.value.reason.replace("_", "").isalpha()

    @_fuzzed
    @given(data=st.data())
    def test_a_body_changed_by_one_bit_is_refused_or_says_the_same(self, data: st.DataObject) -> None:
        request = self.callback()
        if "body" not in self.covers:
            return
        position = data.draw(st.integers(0, len(request.body) * 8 - 1))
        body = bytearray(request.body)
        body[position // 8] ^= 1 << position % 8
        altered = replace(request, body=bytes(body))

        assert self._is_refused(altered) or self._parsed(altered) == self._parsed(request)

    @_fuzzed
    @given(data=st.data())
    def test_another_proof_is_refused(self, data: st.DataObject) -> None:
        request = self.callback()
        proofs = {name: data.draw(st.text(max_size=60)) for name in self.proof_headers}
        if not proofs or any(request.headers[name] == proof for name, proof in proofs.items()):
            return

        assert self._is_refused(replace(request, headers={**request.headers, **proofs}))

    def test_no_token_or_a_foreign_one_proves_nothing(self) -> None:
        if not self.credentials.auth_tokens or not self.covers:
            return

        assert self._is_refused(self.callback(), replace(self.credentials, auth_tokens=()))
        assert self._is_refused(self.callback(), replace(self.credentials, auth_tokens=("foreign-token",)))
        assert self._is_refused(self.callback(), replace(self.credentials, auth_tokens=("",)))

    def test_while_a_token_is_rotated_either_proves_it(self) -> None:
        (token, *_), other = self.credentials.auth_tokens or ("",), "the-token-to-come"
        for tokens in [(token, other), (other, token)] if token else []:
            assert not self._is_refused(self.callback(), replace(self.credentials, auth_tokens=tokens))

    def test_a_proof_that_leaves_the_body_out_has_a_nonce_for_the_ledger(self) -> None:
        """What is captured once could be sent again with another body, were it not for the nonce."""
        request = self.callback()
        without_body = set(self.provider.verify(request, self.credentials)) & self.provider.headers_without_body

        assert bool(without_body) == bool(self.covers & {"method", "url", "query"} and "body" not in self.covers)
        assert not without_body or self.provider.nonce(request.headers)

    @_fuzzed
    @given(data=st.data())
    def test_verifying_raises_nothing_but_our_errors(self, data: st.DataObject) -> None:
        request = data.draw(self._requests())
        names = st.sampled_from([*self.callback().headers, "host", "content-type"])
        headers = data.draw(st.dictionaries(names, st.text(max_size=60), max_size=12))
        request = replace(request, headers={**request.headers, **headers})

        try:
            self.provider.verify(request, self.credentials)
            self.provider.nonce(request.headers)
        except LandedError as error:
            self._assert_no_secret_in(error)

    def test_no_secret_shows_in_a_refusal_or_a_representation(self) -> None:
        shown = [repr(self.provider), repr(self.credentials)]
        for _, altered in self._altered():
            try:
                self.provider.verify(altered, self.credentials)
            except LandedError as error:
                shown += [str(error), repr(error)]

        assert [text for text in shown if any(token in text for token in self._secrets())] == []

    def _captured(self) -> list[Captured]:
        return captured.read(self.captured_in)

    def _altered(self) -> Iterator[tuple[str, CallbackRequest]]:
        request = self.callback()
        url, question_mark, query = request.url.partition("?")
        yield "method", replace(request, method="GET" if request.method == "POST" else "POST")
        yield "url", replace(request, url=request.url.replace("://", "://evil.", 1))
        yield "url", replace(request, url=f"{url}/more{question_mark}{query}")
        yield "query", replace(request, url=f"{url}?{query}{'&' if query else ''}{UNHEARD_OF}=1")
        yield "body", requests.with_one_more_field(request)
        yield "headers", replace(request, headers={})
        for name in self.proof_headers:
            others = {header: value for header, value in request.headers.items() if header not in self.proof_headers}
            yield "headers", replace(request, headers={**others, name: request.headers[name][::-1] or UNHEARD_OF})

    def _is_refused(self, request: CallbackRequest, credentials: Credentials | None = None) -> bool:
        try:
            self.provider.verify(request, credentials or self.credentials)
        except CallbackRejected:
            return True
        return False

    def _parsed(self, request: CallbackRequest) -> Sequence[AnyReceipt]:
        """Nothing where it is not understood."""
        return parsed(self.provider, request)

    def _secrets(self) -> tuple[str, ...]:
        return tuple(token for token in self.credentials.auth_tokens if token)

    def _assert_no_secret_in(self, error: LandedError) -> None:
        assert not any(token in str(error) for token in self._secrets())

    def _requests(self, *, readable: bool = False) -> st.SearchStrategy[CallbackRequest]:
        return requests.requests([each.request for each in self._captured()], readable=readable)


class ProviderContract(ProofContract):
    """All of it: who sent it, and what it says."""

    def test_the_registry_has_it_under_its_name(self) -> None:
        assert type(registry.load()[self.provider.name]) is type(self.provider)

    def test_its_names_are_fit_for_commands_and_urls(self) -> None:
        names = [self.provider.name, self.provider.id_option, *self.provider.policies]

        assert [name for name in names if not name.replace("-", "").isalnum() or name != name.lower()] == []
        assert len(set(self.provider.policies)) == len(self.provider.policies) > 0

    def test_commands_can_ask_for_its_secrets(self) -> None:
        roles = [secret.role for secret in self.provider.secrets]

        assert len(set(roles)) == len(roles)
        assert all(secret.option.replace("-", "").isalnum() and secret.meaning for secret in self.provider.secrets)
        assert not self.provider.is_signed or any(secret.is_required for secret in self.provider.secrets)

    def test_there_are_captured_callbacks(self) -> None:
        assert self._captured()

    def test_every_captured_callback_is_taken_unless_its_file_says_forged(self) -> None:
        wrong = [
            each.name
            for each in self._captured()
            if not each.is_malformed
            and self._is_refused(each.request, replace(self.credentials, auth_tokens=(each.auth_token,)))
            != each.is_forged
        ]

        assert wrong == []

    def test_every_captured_callback_is_read_as_its_file_expects(self) -> None:
        differing = {
            each.name: found
            for each in self._captured()
            if not (each.is_malformed or each.is_forged) and (found := captured.differences(self.provider, each))
        }

        assert differing == {}

    def test_what_cannot_be_read_is_malformed(self) -> None:
        for each in self._captured():
            if each.is_malformed:
                with pytest.raises(CallbackMalformed):
                    self.provider.parse(each.request)

    def test_a_word_we_do_not_know_is_kept_and_never_taken_for_success(self) -> None:
        for each in self._with_words():
            (receipt,) = self.provider.parse(
                requests.reworded(each.request, each.expect["provider_status"], UNHEARD_OF)
            )

            assert _status_and_word(receipt) == (None, UNHEARD_OF), each.name

    @_fuzzed
    @given(data=st.data())
    def test_parsing_raises_nothing_but_our_errors(self, data: st.DataObject) -> None:
        request = data.draw(self._requests())

        try:
            receipts = self.provider.parse(request)
        except LandedError as error:
            self._assert_no_secret_in(error)
        else:
            assert {type(receipt) for receipt in receipts} <= _KINDS

    @_fuzzed
    @given(data=st.data())
    def test_parsing_the_same_gives_the_same_and_changes_nothing(self, data: st.DataObject) -> None:
        request = data.draw(self._requests())
        copy = replace(request, headers=dict(request.headers))

        assert self._parsed(request) == self._parsed(copy)
        assert request == copy

    def test_every_process_reads_the_same(self) -> None:
        """Receipts are compared with those another process read: no order of a set may show in them."""
        here = [repr(self._parsed(each.request)) for each in self._captured()]

        for seed in ("1", "2"):
            assert _read_elsewhere(self.provider, self.captured_in, seed) == here

    @_fuzzed
    @given(data=st.data())
    def test_receipts_can_be_stored_and_read_back(self, data: st.DataObject) -> None:
        request = data.draw(self._requests(readable=True))

        for receipt in self._parsed(request):
            assert _stored_and_read_back(receipt) == [receipt]
            assert {receipt: 1}[_stored_and_read_back(receipt)[0]]
            assert all(moment.utcoffset() == timedelta(0) for moment in _moments(receipt))

    @_fuzzed
    @given(data=st.data())
    def test_any_error_code_is_explained(self, data: st.DataObject) -> None:
        code = data.draw(st.text(max_size=40))
        meaning = self.provider.explain(code)

        assert self.provider.is_code(code) in (True, False)
        assert (meaning.title, meaning.advice) != ("", "")
        assert meaning.fault in Fault

    def test_an_error_shows_neither_text_nor_number_of_a_message(self) -> None:
        for each in self._captured():
            private = [str(each.expect[word]).lstrip("+") for word in ("to", "from", "text") if each.expect.get(word)]
            said = [self._error(altered) for altered in requests.each_field_left_out(each.request)]

            assert [error for error in said if any(value in error for value in private)] == [], each.name

    def _error(self, request: CallbackRequest) -> str:
        try:
            self.provider.parse(request)
        except LandedError as error:
            return str(error)
        return ""

    def _with_words(self) -> list[Captured]:
        """Those whose status is told by a word."""
        return [each for each in self._captured() if "provider_status" in each.expect]


_KINDS: Final = {Receipt, SessionReceipt, RegistrationReceipt, BroadcastReceipt}
_AT: Final = datetime(2026, 3, 2, 9, 15, 4, tzinfo=UTC)
_SESSIONS: Final = Rows(schema.sessions, "provider_session_id", SessionReceipt)
_BROADCASTS: Final = Rows(schema.broadcasts, "provider_broadcast_id", BroadcastReceipt)


def _stored_and_read_back(receipt: AnyReceipt) -> list[Any]:
    """The facts there are after a set of this one was a row's text."""
    heard = Heard(_AT, (1, 2))
    match receipt:
        case Receipt():
            text = orjson.dumps(messages.facts_to_json({receipt: heard}), default=tuple, option=orjson.OPT_UTC_Z)
            return list(messages.facts_from_json(receipt.provider_message_id, orjson.loads(text)))
        case SessionReceipt():
            return list(_SESSIONS.facts(_SESSIONS.text({receipt: heard})))
        case BroadcastReceipt():
            return list(_BROADCASTS.facts(_BROADCASTS.text({receipt: heard})))
        case RegistrationReceipt():
            return list(registrations.facts(registrations.facts_text({receipt: (Hearing(_AT, 1),)})))


def _moments(receipt: tuple[Any, ...]) -> Iterator[datetime]:
    for value in receipt:
        if isinstance(value, datetime):
            yield value
        elif isinstance(value, tuple):
            yield from _moments(value)


def _status_and_word(receipt: AnyReceipt) -> tuple[str | None, str]:
    """What the word of a captured callback is about: the attempt where there is one, else the thing itself."""
    if isinstance(receipt, SessionReceipt) and receipt.attempt is not None:
        return receipt.attempt.status, receipt.attempt.provider_status
    if isinstance(receipt, BroadcastReceipt):
        return ("final" if receipt.final else None), receipt.provider_status
    return receipt.status, receipt.provider_status


_READ_ALL: Final = """
import importlib, pathlib, sys
from landed.testing import captured
from landed.testing.provider_contract import parsed
module, name, folder = sys.argv[1:]
provider = getattr(importlib.import_module(module), name)()
print("\\n".join(repr(parsed(provider, each.request)) for each in captured.read(pathlib.Path(folder))))
"""


def _read_elsewhere(provider: Provider, folder: Path, seed: str) -> list[str]:
    """What another process reads out of the captured callbacks, with another order of sets."""
    kind = type(provider)
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    ran = subprocess.run(
        [sys.executable, "-c", _READ_ALL, kind.__module__, kind.__qualname__, str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return ran.stdout.splitlines()


def parsed(provider: Provider, request: CallbackRequest) -> Sequence[AnyReceipt]:
    """The facts in a callback; nothing where it is not understood."""
    try:
        return list(provider.parse(request))
    except LandedError:
        return []
