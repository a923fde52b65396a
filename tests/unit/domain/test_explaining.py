"""Which value explains a share or an amount, and when it began."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from landed.domain.explaining import Cell, Counted, Where, began, of_amount, of_share

USUAL = [Cell({"network": "310-260", "country": "US", "sender": "1", "account": "a"}, 3, 1000)]


def cells(*rows: tuple[str, str, int, int]) -> list[Cell]:
    """Network, country, failed, messages; all from one sender and account."""
    return [
        Cell({"network": network, "country": country, "sender": "+1", "account": "shop"}, failed, messages)
        for network, country, failed, messages in rows
    ]


def named(found: Where | None) -> tuple[str, str] | None:
    return (found.dimension, found.value) if found else None


def test_the_failing_network_is_named_and_not_its_country_nor_the_sender_of_all() -> None:
    found = of_share(cells(("310-260", "US", 255, 412), ("310-410", "US", 9, 300), ("262-02", "DE", 8, 280)), USUAL)

    assert named(found) == ("network", "310-260")
    assert found is not None
    assert (found.counted, found.others) == (Counted(255, 412), Counted(17, 580))


def test_the_country_is_named_where_all_its_networks_fail() -> None:
    found = of_share(cells(("310-260", "US", 200, 300), ("310-410", "US", 190, 300), ("262-02", "DE", 8, 280)), USUAL)

    assert named(found) == ("country", "US")


def test_of_a_country_with_one_network_the_network_is_named() -> None:
    assert named(of_share(cells(("310-260", "US", 200, 300), ("262-02", "DE", 8, 280)), USUAL)) == (
        "network",
        "310-260",
    )


def test_where_everything_fails_alike_what_all_have_in_common_is_named() -> None:
    everywhere = cells(("310-260", "US", 50, 100), ("262-02", "DE", 50, 100), ("234-10", "GB", 50, 100))
    assert named(of_share(everywhere, USUAL)) == ("sender", "+1")
    apart = [
        cell._replace(values=dict(cell.values, sender=str(n), account=str(n))) for n, cell in enumerate(everywhere)
    ]
    assert of_share(apart, USUAL) is None


def apart(*rows: tuple[str, int, int]) -> list[Cell]:
    """Network, failed, messages; nothing else is known."""
    return [Cell({"network": network}, failed, messages) for network, failed, messages in rows]


def test_the_largest_is_not_named_for_what_is_everywhere() -> None:
    everywhere = apart(("large", 300, 500), ("small", 52, 100))

    assert of_share(everywhere, USUAL) is None
    assert named(of_share(apart(("large", 300, 500), ("small", 10, 100)), USUAL)) == ("network", "large")


def test_the_one_that_got_worse_is_named_and_not_the_one_that_always_was_worse() -> None:
    now = apart(("poor", 60, 120), ("broken", 55, 300), ("good", 0, 580))

    before = apart(("poor", 200, 400), ("broken", 4, 3600))
    assert named(of_share(now, before)) == ("network", "broken")
    # Of one that hardly sent anything before nobody knows how it was.
    before = apart(("poor", 2, 2), ("broken", 4, 3600))
    assert named(of_share(now, before)) == ("network", "poor")


def test_where_none_got_worse_the_one_that_more_is_sent_to_is_named() -> None:
    before = apart(("poor", 200, 400), ("good", 36, 3600))

    assert named(of_share(apart(("poor", 200, 400), ("good", 4, 400)), before)) == ("network", "poor")


def test_nothing_is_named_where_it_is_as_usual() -> None:
    assert of_share(cells(("310-260", "US", 3, 1000)), USUAL) is None
    assert of_share([], []) is None


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["310-260", "310-410", "262-02", ""]),
            st.sampled_from(["US", "DE", ""]),
            st.integers(0, 50),
            st.integers(50, 100),
        ),
        max_size=12,
    )
)
def test_without_the_named_value_the_share_comes_down(rows: list[tuple[str, str, int, int]]) -> None:
    found = of_share(cells(*rows), [])

    if found is not None and found.others.of:
        failed, messages = sum(row[2] for row in rows), sum(row[3] for row in rows)
        assert found.others.share < failed / messages
        assert found.counted.bad >= failed / 2


def test_of_spend_the_value_that_grew_is_named() -> None:
    now = [Cell({"country": "US"}, 50.0, 10), Cell({"country": "GB"}, 120.0, 10)]
    usual: list[Any] = [Cell({"country": "US"}, 48.0, 10), Cell({"country": "GB"}, 10.0, 10)]

    found = of_amount(now, usual)

    assert named(found) == ("country", "GB")
    assert of_amount(usual, now) is None


def test_it_began_where_before_and_after_lie_furthest_apart() -> None:
    good, bad = Counted(1, 40), Counted(30, 40)

    assert began([good] * 10 + [bad] * 5) == 10
    assert began([good, bad, good, good, *[bad] * 9]) == 4
    assert began([bad] * 5) == 0
    assert began([]) == 0
    assert began([good] * 3 + [Counted(0, 0)] * 3 + [bad]) == 6


def test_what_wavers_by_chance_began_nowhere() -> None:
    assert began([Counted(2, 40), Counted(3, 40)] * 30) == 0
    assert began([Counted(0, 3), Counted(2, 3), Counted(1, 3), Counted(2, 3)]) == 0
