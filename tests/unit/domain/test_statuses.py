"""Messages only climb."""

from itertools import permutations

import pytest

from landed.domain.statuses import FINAL, OUTCOME, RANK, Status, advance


def test_statuses_stand_in_the_climbing_order_of_the_design() -> None:
    climbing = ["queued", "sent", "expired", "failed", "undelivered", "delivered", "read"]

    assert [status for status in sorted(Status, key=RANK.__getitem__) if status in climbing] == climbing


@pytest.mark.parametrize("current", Status)
def test_a_word_we_do_not_know_moves_nothing(current: Status) -> None:
    assert advance(current, None) is current


@pytest.mark.parametrize(("one", "other"), list(permutations(Status, 2)))
def test_either_order_of_two_reports_ends_in_the_higher(one: Status, other: Status) -> None:
    assert advance(one, other) is advance(other, one) is max(one, other, key=RANK.__getitem__)


def test_what_is_on_its_way_waits_for_more() -> None:
    before_the_provider = {Status.SCHEDULED, Status.SENDING, Status.UNKNOWN_OUTCOME}
    assert set(Status) - FINAL == before_the_provider | {Status.QUEUED, Status.SENT}


def test_our_own_guess_and_an_inbound_message_are_no_outcome_a_provider_reported() -> None:
    assert FINAL - OUTCOME.keys() == {Status.EXPIRED, Status.RECEIVED}
