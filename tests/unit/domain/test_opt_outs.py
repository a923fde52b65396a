"""Who does not want to hear from us follows from what was said, and from nothing else."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landed.domain.opt_outs import (
    FACTS_MAX,
    KEYWORDS,
    OptOut,
    OptOutFact,
    OptOutKey,
    OptOutSource,
    fold,
    in_order,
    keyword_of,
    said_in,
    understood,
)
from landed.domain.receipts import Content, Direction, Intent, Receipt, Telling
from landed.domain.statuses import Status

START = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)
OURS, THEIRS = "+14155550100", "+14155550123"


def received(text: str | None, intent: Intent | None = None, **fields: Any) -> Receipt:
    return Receipt(
        **{
            "provider_message_id": "in-1",
            "provider_status": "received",
            "status": Status.RECEIVED,
            "direction": Direction.INBOUND,
            "sender": THEIRS,
            "recipient": OURS,
            "content": Content(text, intent=intent),
            **fields,
        }
    )


def failed(**fields: Any) -> Receipt:
    given = {"sender": OURS, "recipient": THEIRS, "error_code": "200", **fields}
    return Receipt("out-1", "failed", Status.FAILED, **given)


def said(opted_out: bool, after_s: float = 0, number: int = 0, **fields: Any) -> Telling[OptOutFact]:
    given: dict[str, Any] = {"source": OptOutSource.KEYWORD, "provider_message_id": f"m{number}", **fields}
    return Telling(OptOutFact(opted_out, **given), START + timedelta(seconds=after_s), number)


# --- words ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        *((word, Intent.OPT_OUT) for word in ("STOP", "END", "QUIT", "CANCEL", "UNSUBSCRIBE", "UNSUB", "STOP ALL")),
        *((word, Intent.OPT_OUT) for word in ("STOPALL", "REVOKE", "OPTOUT", "opt-out", "Opt out", "Stop promotions")),
        *((word, Intent.OPT_OUT) for word in ("ARRET", "ARRÊT", "arrêt", "Stopp", "baja", "ALTO", "Parar", "SAIR")),
        *((word, Intent.OPT_IN) for word in ("START", "start", "UNSTOP", "opt in")),
        *((word, Intent.HELP) for word in ("HELP", "info", "Aide", "Hilfe", "ayuda")),
        *((text, Intent.OPT_OUT) for text in ("stop", "sToP", " Stop \n", "STOP.", "stop!!!", '"STOP"', "«Stop»")),
        *((text, Intent.OPT_OUT) for text in ("ＳＴＯＰ", "🛑 stop 🛑", "(unsubscribe)", "’stop’", "\u200bSTOP\u200b")),
    ],
)
def test_a_word_is_recognised_however_it_is_written(text: str, intent: Intent) -> None:
    keyword = keyword_of(text)

    assert keyword is not None
    assert KEYWORDS[keyword] is intent


@pytest.mark.parametrize(
    "text",
    [
        "please stop", "stop it", "Don't stop", "I will start tomorrow", "the end", "nonstop", "STOP 2", "S.T.O.P.",
        "", " ", "!", "👍", "YES", "Y", "NO", "stop" + "!" * 100, "日STOP", None,
    ],
)  # fmt: skip
def test_a_word_among_others_is_none(text: str | None) -> None:
    assert keyword_of(text) is None


@given(st.text())
def test_any_text_is_taken(text: str) -> None:
    assert keyword_of(text) in {None, *KEYWORDS}


def test_the_providers_intent_goes_before_our_reading() -> None:
    assert understood(Content("STOP", intent=Intent.HELP)).intent is Intent.HELP
    assert understood(Content("STOP")).intent is Intent.OPT_OUT
    assert understood(Content("Hello")) == Content("Hello")
    assert said_in(1, received("STOP", Intent.HELP), refused=False) is None


# --- what a receipt says -------------------------------------------------------------------------------------------


def test_a_word_opts_out_of_the_number_it_was_sent_to() -> None:
    key, fact = said_in(7, received("Stop."), refused=False) or (None, None)

    assert key == OptOutKey(7, OURS, THEIRS)
    assert fact == OptOutFact(True, OptOutSource.KEYWORD, "STOP", "in-1", None)


def test_an_intent_of_the_provider_needs_no_word() -> None:
    _, fact = said_in(7, received("leave me alone", Intent.OPT_OUT), refused=False) or (None, None)

    assert fact == OptOutFact(True, OptOutSource.PROVIDER, None, "in-1", None)


def test_a_refused_message_opts_its_recipient_out_of_its_sender_from_when_it_was_sent() -> None:
    key, fact = said_in(7, failed(submitted_at=START, final_at=START + timedelta(hours=1)), refused=True) or (
        None,
        None,
    )

    assert key == OptOutKey(7, OURS, THEIRS)
    assert fact == OptOutFact(True, OptOutSource.ERROR_CODE, None, "out-1", START)


@pytest.mark.parametrize(
    "receipt",
    [
        received("Hello"), received(None), received("HELP"), received("STOP", sender=None),
        received("STOP", recipient=None), failed(), failed(content=Content("STOP")),
    ],
)  # fmt: skip
def test_most_receipts_say_nothing_of_it(receipt: Receipt) -> None:
    assert said_in(7, receipt, refused=False) is None


# --- folding -------------------------------------------------------------------------------------------------------

FACTS = st.builds(
    OptOutFact,
    opted_out=st.booleans(),
    source=st.sampled_from(OptOutSource),
    keyword=st.sampled_from([None, "STOP", "START"]),
    provider_message_id=st.sampled_from([None, "a", "b"]),
    occurred_at=st.none() | st.integers(-100, 100).map(lambda seconds: START + timedelta(seconds=seconds)),
)
TELLINGS = st.lists(
    st.builds(
        Telling,
        receipt=FACTS,
        received_at=st.integers(0, 60).map(lambda seconds: START + timedelta(seconds=seconds)),
        callback_id=st.none() | st.integers(1, 20),
    ),
    min_size=1,
    max_size=12,
)


@given(told=TELLINGS, shuffled=st.randoms(use_true_random=False))
def test_order_repeats_and_batches_cannot_matter(told: list[Telling[OptOutFact]], shuffled: Any) -> None:
    expected = fold({}, told)
    mixed = told + shuffled.choices(told, k=5)
    shuffled.shuffle(mixed)
    state: OptOut | None = None
    while mixed:
        size = shuffled.randint(1, 4)
        state = fold(state.facts if state else {}, mixed[:size])
        mixed = mixed[size:]

    assert state == expected
    assert fold(expected.facts, ()) == expected


def test_the_latest_word_decides() -> None:
    for told in permutations([said(True, 1, 1), said(False, 2, 2), said(True, 3, 3), said(False, 4, 4)]):
        assert fold({}, told).opted_out is False


def test_it_is_so_since_it_was_first_said() -> None:
    state = fold({}, [said(False, 0, 1), said(True, 5, 2, keyword="STOP"), said(True, 9, 3, keyword="QUIT")])

    assert (state.changed_at, state.keyword) == (START + timedelta(seconds=5), "STOP")
    assert state.provider_message_id == "m2"


def test_the_providers_time_goes_before_ours() -> None:
    early, late = START - timedelta(minutes=9), START - timedelta(minutes=1)

    assert fold({}, [said(True, 1, 1, occurred_at=late), said(False, 2, 2, occurred_at=early)]).opted_out is True


@pytest.mark.parametrize(
    "at", [START + timedelta(days=1), START + timedelta(seconds=2), datetime(1970, 1, 1, tzinfo=UTC)]
)
def test_a_time_of_a_clock_that_is_wrong_counts_as_when_we_heard_it(at: datetime) -> None:
    assert fold({}, [said(True, 1, 1, occurred_at=at), said(False, 2, 2)]).opted_out is False
    assert fold({}, [said(True, 1, 1, occurred_at=at)]).changed_at == START + timedelta(seconds=1)


def test_of_two_at_the_same_moment_the_greater_message_id_decides() -> None:
    for told in permutations([said(True, 1, 1), said(False, 1, 2)]):
        assert fold({}, told).opted_out is False


def test_a_late_refusal_does_not_undo_what_was_said_after_the_send() -> None:
    refusal = Telling(OptOutFact(True, OptOutSource.ERROR_CODE, occurred_at=START), START + timedelta(hours=1), 1)

    assert fold({}, [refusal, said(False, 60, 2)]).opted_out is False


def test_no_more_than_a_number_of_facts_is_kept_and_the_latest_of_them() -> None:
    told = [said(number % 2 == 0, number, number) for number in range(FACTS_MAX + 50)]

    state = fold({}, told)

    assert [fact.provider_message_id for fact in in_order(state.facts)] == [f"m{n}" for n in range(50, FACTS_MAX + 50)]
    assert fold({}, reversed(told)) == state
