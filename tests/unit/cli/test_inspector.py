"""The terminal inspector without a terminal: keys and state, the screen as lines, and bytes as keys."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landed.cli.inspector import drawing
from landed.cli.inspector.filters import question
from landed.cli.inspector.state import Do, Mode, Pane, Row, State, loaded, more, opened, press, resized, showing
from landed.cli.inspector.terminal import keys
from landed.domain.errors import InputInvalid
from landed.store.callback_queries import Verdict

HOSTILE: Final = "\x1b[2J\x07\u202eevil\r\n\t\x9b31m\x00"


def rows(count: int, refused: tuple[int, ...] = (), first: int = 0) -> list[Row]:
    return [
        Row(f"id-{n}", "11-30 12:00:00", "refused" if n in refused else "tracked", "", "POST", "shop", "12 bytes")
        for n in range(first, first + count)
    ]


def state(count: int = 5, **known: Any) -> State:
    return replace(loaded(State(lists=3, reads=4), rows(count), has_more=False), **known)


def after(start: State, *pressed: str) -> tuple[State, list[Do]]:
    dos = []
    for key in pressed:
        start, do = press(start, key)
        dos += [do] if do else []
    return start, dos


def test_moving_opens_what_is_selected_and_keeps_it_in_sight() -> None:
    moved, dos = after(state(), "j", "down", "j", "k")

    assert (moved.selected, moved.top, dos) == (2, 1, [Do.OPEN] * 4)
    assert after(state(), "k")[1] == []
    assert after(state(), "G")[0].selected == 4


def test_behind_the_last_row_comes_the_next_page() -> None:
    last = after(replace(state(), has_more=True), "G")[0]
    _, dos = after(last, "j")
    continued, _ = more(last, rows(3, first=4), has_more=False)

    assert dos == [Do.MORE]
    assert [row.id for row in continued.rows] == [f"id-{n}" for n in range(7)], "the same row comes once"


def test_enter_goes_into_a_callback_and_escape_back() -> None:
    inside = opened(after(state(), "enter")[0], {pane: [str(n) for n in range(9)] for pane in Pane})
    scrolled, dos = after(inside, "j", "pagedown", "pagedown", "pagedown")

    assert (scrolled.mode, scrolled.scroll, scrolled.selected, dos) == (Mode.DETAIL, 5, 0, [])
    assert after(scrolled, "tab")[0].scroll == 0
    assert after(scrolled, "esc")[0].mode is Mode.LIST


def test_tab_goes_through_all_panes_and_round() -> None:
    seen = []
    current = state()
    for _ in Pane:
        current = after(current, "tab")[0]
        seen.append(current.pane)

    assert seen == [Pane.HEADERS, Pane.FIELDS, Pane.VERDICT, Pane.BECAME, Pane.REQUEST]
    assert after(state(), "shift-tab")[0].pane is Pane.BECAME


def test_a_filter_is_typed_and_can_be_called_off() -> None:
    typing = after(state(), "/", *"verdict:refusedx", "backspace")[0]
    asked, dos = after(typing, "enter")

    assert (asked.search, asked.mode, dos) == ("verdict:refused", Mode.LIST, [Do.LOAD])
    assert after(typing, "esc")[0].search == ""
    assert after(asked, "esc")[1] == [Do.LOAD], "escape takes the filter away again"
    assert after(state(), "/", "q")[0].typed == "q", "no key acts while one types"


def test_two_are_marked_and_compared() -> None:
    one, dos = after(state(), " ", "c")
    two, compared = after(one, " ", "c")
    third = after(two, " ")[0]

    assert (one.marked, dos) == (("id-0",), [Do.OPEN])
    assert (two.marked, compared) == (("id-0", "id-1"), [Do.OPEN, Do.COMPARE])
    assert "Mark two" in one.said
    assert third.marked == ("id-1", "id-2")
    assert after(replace(third, selected=2), " ")[0].marked == ("id-1",)


def test_the_next_refused_one_is_found_also_on_the_next_page() -> None:
    start = loaded(State(lists=3, reads=4), rows(5, refused=(3,)), has_more=True)
    first, dos = after(start, "o")
    seeking, more_dos = after(first, "o")
    found, do = more(seeking, rows(3, refused=(6,), first=5), has_more=False)

    assert (first.selected, dos) == (3, [Do.OPEN])
    assert more_dos == [Do.MORE]
    assert (found.selected, do) == (6, Do.OPEN)
    assert "No further" in after(found, "o")[0].said


def test_replay_to_a_url_asks_for_it_and_remembers_it() -> None:
    asked = after(state(), "R", "ctrl-u", *"http://localhost:3000/x", "enter")
    again = after(asked[0], "R")[0]

    assert asked[0].url == "http://localhost:3000/x"
    assert asked[1] == [Do.REPLAY_TO]
    assert again.typed == "http://localhost:3000/x"
    assert after(again, "esc") == (replace(again, mode=Mode.LIST, typed=""), [])


@pytest.mark.parametrize(("key", "do"), [("r", Do.REPLAY), ("d", Do.DOCTOR), ("p", Do.PRINT)])
def test_what_acts_on_one_needs_one(key: str, do: Do) -> None:
    assert after(state(), key)[1] == [do]
    assert after(state(0), key)[1] == []


def test_following_goes_to_the_newest_and_stays_there() -> None:
    following, dos = after(after(state(), "G")[0], "f")
    newer = loaded(following, rows(6, first=-1), has_more=False)

    assert (following.is_following, following.selected, dos) == (True, 0, [Do.LOAD])
    assert newer.row is not None
    assert newer.row.id == "id--1"


def test_what_is_selected_stays_so_when_newer_ones_come() -> None:
    selected = after(state(), "j")[0]

    assert loaded(selected, rows(7, first=-2), has_more=False).selected == 3


def test_a_text_is_read_and_left_for_where_one_was() -> None:
    shown = showing(after(state(), "enter")[0], "keys", [str(n) for n in range(20)])
    scrolled = after(shown, "G")[0]

    assert scrolled.scroll == 16
    assert after(scrolled, "q") == (replace(shown, mode=Mode.DETAIL, title="", text=(), scroll=0), [])
    assert after(state(), "?")[0].mode is Mode.TEXT


@pytest.mark.parametrize("mode", list(Mode))
def test_control_c_leaves_from_anywhere(mode: Mode) -> None:
    assert after(replace(state(), mode=mode), "ctrl-c")[1] == [Do.QUIT]


KEYS: Final = [
    "up", "down", "j", "k", "g", "G", "enter", "esc", "tab", "shift-tab", "/", "f", " ", "c", "r", "R", "d", "o", "p",
    "?", "pageup", "pagedown", "backspace", "left", "right", "x",
]  # fmt: skip


@given(
    pressed=st.lists(st.sampled_from(KEYS), max_size=40),
    count=st.integers(0, 12),
    size=st.tuples(st.integers(1, 130), st.integers(1, 50)),
)
@settings(max_examples=150, deadline=None)
def test_whatever_is_pressed_the_screen_fits(pressed: list[str], count: int, size: tuple[int, int]) -> None:
    width, height = size
    start = opened(
        loaded(State(), [row._replace(summary=HOSTILE * 9, account="帳號" * 9) for row in rows(count)], has_more=True),
        {pane: [HOSTILE, "name: " + "ü€帳" * 90, *map(str, range(30))] for pane in Pane},
    )
    shares = drawing.layout(height)
    current, _ = after(resized(start, lists=shares.lists, reads=shares.reads), *pressed)
    lines = drawing.draw(current, width, height)

    assert len(lines) == height
    assert all(line.cell_len <= width for line in lines)
    assert all(char.isprintable() for line in lines for char in line.plain)
    assert not current.rows or 0 <= current.selected < len(current.rows)


def test_at_80_by_24_list_detail_and_keys_are_seen() -> None:
    shown = opened(state(), {pane: [f"{pane.value} line"] for pane in Pane})
    lines = [line.plain for line in drawing.draw(shown, 80, 24)]

    assert "5 callbacks" in lines[0]
    assert "tracked" in lines[1]
    assert any(" fields " in line for line in lines)
    assert any("request line" in line for line in lines)
    assert "? keys" in lines[-1]


def test_long_lines_are_folded_and_steer_nothing() -> None:
    folded = drawing.wrapped(["a" * 25, HOSTILE, ""], 10)

    assert folded[:3] == ["a" * 10, "a" * 10, "a" * 5]
    assert all(char.isprintable() for line in folded for char in line)
    assert folded[-1] == ""


@pytest.mark.parametrize(
    ("typed", "found", "rest"),
    [
        ("jk", ["j", "k"], ""),
        ("\x1b[A\x1b[B\x1bOC", ["up", "down", "right"], ""),
        ("\x1b", [], "\x1b"),
        ("\x1b[", [], "\x1b["),
        ("\x1b[5~\x1b[Z\t\r\x7f\x03", ["pageup", "shift-tab", "tab", "enter", "backspace", "ctrl-c"], ""),
        ("\x1bq", ["esc", "q"], ""),
        ("\x1b[99;99R\x01é", ["é"], ""),
    ],
)
def test_bytes_of_a_terminal_are_keys(typed: str, found: list[str], rest: str) -> None:
    assert keys(typed) == (found, rest)


def test_a_filter_has_names_and_any_other_text() -> None:
    asked = question("verdict:refused account:shop reason:signature_mismatch since:1h +1415 method:GET 'a b' x:y", NOW)

    assert asked.verdict is Verdict.REFUSED
    assert (asked.accounts, asked.reasons, asked.methods) == (["shop"], ["signature_mismatch"], ["GET"])
    assert asked.text == "+1415 a b x:y"
    assert asked.since is not None
    assert question("", NOW).text is None
    with pytest.raises(InputInvalid, match="verdict"):
        question("verdict:lost", NOW)


NOW: Final = datetime(2026, 11, 30, tzinfo=UTC)
