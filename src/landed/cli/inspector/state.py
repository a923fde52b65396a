"""What the inspector shows, and what each key does to it: pure, `press(state, key)` gives state and what is to be done.

Drawing knows nothing of keys, and the loop nothing of modes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final, NamedTuple


class Mode(Enum):
    """What has the keys."""

    LIST = "list"
    DETAIL = "detail"
    FILTER = "filter"  #: typing what to list
    URL = "url"  #: typing where to replay to
    TEXT = "text"  #: a comparison, a diagnosis, the help: read and leave


class Pane(Enum):
    """The parts of one callback, in the order in which tab goes through them."""

    REQUEST = "request"
    HEADERS = "headers"
    FIELDS = "fields"
    VERDICT = "verdict"
    BECAME = "became"


class Row(NamedTuple):
    """One callback in the list."""

    id: str
    received: str
    outcome: str
    reason: str
    method: str
    account: str
    summary: str  #: kind and our id, or the end of the address

    @property
    def is_refused(self) -> bool:
        return self.outcome == "refused"


class Do(Enum):
    """What only the loop can do."""

    QUIT = "quit"
    LOAD = "load"  #: the list, from its beginning
    MORE = "more"  #: the list's next page
    OPEN = "open"  #: the selected callback
    COMPARE = "compare"  #: the two that are marked
    REPLAY = "replay"
    REPLAY_TO = "replay_to"  #: to `state.url`
    DOCTOR = "doctor"
    PRINT = "print"  #: id and curl command of the selected one


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Everything that is seen. `lists` is how many rows of the list fit the screen, `reads` how many lines of text."""

    rows: tuple[Row, ...] = ()
    has_more: bool = False
    selected: int = 0
    top: int = 0  #: first row of the list that is seen
    mode: Mode = Mode.LIST
    pane: Pane = Pane.REQUEST
    details: Mapping[Pane, Sequence[str]] | None = None  #: of the callback that is open
    scroll: int = 0
    search: str = ""
    typed: str = ""
    url: str = ""
    is_following: bool = False
    marked: tuple[str, ...] = ()
    title: str = ""  #: of `text`
    text: tuple[str, ...] = ()
    back: Mode = Mode.LIST  #: where leaving a text leads
    said: str = ""  #: the last line
    seeks_refused: bool = False  #: the next refused one is sought in pages to come
    lists: int = 8
    reads: int = 8

    @property
    def row(self) -> Row | None:
        return self.rows[self.selected] if self.rows else None

    @property
    def lines(self) -> Sequence[str]:
        """What is scrolled through."""
        if self.mode is Mode.TEXT:
            return self.text
        return self.details[self.pane] if self.details else ()


Pressed = tuple[State, Do | None]

HELP: Final = (
    "↑ ↓ or k j     up and down; PgUp PgDn by pages, g G to the ends",
    "enter or →     into the callback; esc or ← back to the list",
    "tab            next pane: request, headers, fields, verdict, became",
    "/              filter: verdict:refused account:shop reason:… kind:messages",
    "               status:delivered method:GET message:ID since:1h, and any text",
    "f              follow: show new ones as they come",
    "space          mark; c compares the two that are marked",
    "o              next refused one",
    "d              doctor: why it was refused, and what to change",
    "r              replay to Landed: track it again, or let it prove itself anew",
    "R              replay to a URL of this machine, byte for byte",
    "p              show id and curl command; printed on leaving, too",
    "?              this page",
    "q              leave",
)


# --- what comes from outside ---------------------------------------------------------------------------------------


def loaded(state: State, rows: Sequence[Row], *, has_more: bool) -> State:
    """A new list. The callback that was selected stays so, if it is there; at the top it is the newest."""
    row = state.row
    at = next((number for number, each in enumerate(rows) if row and each.id == row.id), 0)
    selected = 0 if state.selected == 0 else at
    ids = {each.id for each in rows}
    state = replace(
        state,
        rows=tuple(rows),
        has_more=has_more,
        selected=selected,
        marked=tuple(each for each in state.marked if each in ids),
        details=state.details if rows else None,
    )
    return _seen(state)


def more(state: State, rows: Sequence[Row], *, has_more: bool) -> Pressed:
    """The next page of the same list."""
    known = {row.id for row in state.rows}
    state = replace(state, rows=(*state.rows, *(row for row in rows if row.id not in known)), has_more=has_more)
    if state.seeks_refused:
        return _next_refused(replace(state, seeks_refused=False))
    return state, None


def opened(state: State, details: Mapping[Pane, Sequence[str]]) -> State:
    return replace(state, details=details, scroll=0)


def showing(state: State, title: str, text: Sequence[str]) -> State:
    """A text over everything, until it is left."""
    back = state.back if state.mode is Mode.TEXT else state.mode
    return replace(state, mode=Mode.TEXT, back=back, title=title, text=tuple(text), scroll=0)


def saying(state: State, said: str) -> State:
    return replace(state, said=said)


def resized(state: State, *, lists: int, reads: int) -> State:
    return _seen(_scrolled(replace(state, lists=max(1, lists), reads=max(1, reads)), 0))


# --- keys ----------------------------------------------------------------------------------------------------------


def press(state: State, key: str) -> Pressed:
    """What a key does. Keys are characters, or words: `up`, `enter`, `esc`, `tab`, `backspace`, `ctrl-c`, …"""
    if key == "ctrl-c":
        return state, Do.QUIT
    state = replace(state, said="")
    match state.mode:
        case Mode.FILTER | Mode.URL:
            return _typing(state, key)
        case Mode.TEXT:
            return _reading(state, key)
        case Mode.DETAIL:
            return _in_detail(state, key)
        case Mode.LIST:
            return _in_list(state, key)


def _in_list(state: State, key: str) -> Pressed:
    if key in _MOVES:
        return _moved(state, _MOVES[key](state.lists))
    if key in ("enter", "right", "l") and state.row:
        return replace(state, mode=Mode.DETAIL, scroll=0), None
    if key == "esc" and state.search:
        return replace(state, search="", selected=0), Do.LOAD
    return _anywhere(state, key)


def _in_detail(state: State, key: str) -> Pressed:
    if key in _MOVES:
        return _scrolled(state, _MOVES[key](state.reads)), None
    if key in ("esc", "left", "h", "enter"):
        return replace(state, mode=Mode.LIST, scroll=0), None
    return _anywhere(state, key)


def _reading(state: State, key: str) -> Pressed:
    if key in _MOVES:
        return _scrolled(state, _MOVES[key](state.reads)), None
    if key in ("esc", "q", "enter", "left", "h", "?"):
        return replace(state, mode=state.back, title="", text=(), scroll=0), None
    return state, None


def _typing(state: State, key: str) -> Pressed:
    if key == "esc":
        return replace(state, mode=state.back, typed=""), None
    if key == "backspace":
        return replace(state, typed=state.typed[:-1]), None
    if key == "ctrl-u":
        return replace(state, typed=""), None
    if key == "enter":
        typed = state.typed.strip()
        if state.mode is Mode.URL:
            state = replace(state, mode=state.back, url=typed, typed="")
            return (state, Do.REPLAY_TO) if typed else (state, None)
        return replace(state, mode=Mode.LIST, search=typed, typed="", selected=0, top=0), Do.LOAD
    if len(key) == 1 and key.isprintable():
        return replace(state, typed=state.typed + key), None
    return state, None


def _anywhere(state: State, key: str) -> Pressed:
    """Keys of list and detail alike."""
    act = _KEYS.get(key)
    return act(state) if act else (state, None)


def _quit(state: State) -> Pressed:
    return state, Do.QUIT


def _help(state: State) -> Pressed:
    return showing(state, "keys", HELP), None


def _next_pane(state: State) -> Pressed:
    return _other_pane(state, 1), None


def _pane_before(state: State) -> Pressed:
    return _other_pane(state, -1), None


def _other_pane(state: State, step: int) -> State:
    panes = list(Pane)
    return replace(state, pane=panes[(panes.index(state.pane) + step) % len(panes)], scroll=0)


def _filter(state: State) -> Pressed:
    return replace(state, mode=Mode.FILTER, back=state.mode, typed=state.search), None


def _ask_url(state: State) -> Pressed:
    if state.row is None:
        return state, None
    return replace(state, mode=Mode.URL, back=state.mode, typed=state.url or "http://localhost:3000/"), None


def _follow(state: State) -> Pressed:
    following = not state.is_following
    state = replace(state, is_following=following, said="following" if following else "not following any more")
    return (replace(state, selected=0, top=0), Do.LOAD) if following else (state, None)


def _mark(state: State) -> Pressed:
    if state.row is None:
        return state, None
    name = state.row.id
    if name in state.marked:
        return replace(state, marked=tuple(each for each in state.marked if each != name)), None
    marked = (*state.marked[-1:], name)  # a third takes the place of the first
    return (
        _moved(replace(state, marked=marked), 1) if state.mode is Mode.LIST else (replace(state, marked=marked), None)
    )


def _compare(state: State) -> Pressed:
    if len(state.marked) == 2:
        return state, Do.COMPARE
    return saying(state, "Mark two callbacks with space, then c compares them."), None


def _next_refused(state: State) -> Pressed:
    for number in range(state.selected + 1, len(state.rows)):
        if state.rows[number].is_refused:
            return _seen(replace(state, selected=number, scroll=0)), Do.OPEN
    if state.has_more:
        return replace(state, seeks_refused=True, said="looking further back …"), Do.MORE
    return saying(state, "No further refused callback."), None


def _of_one(do: Do) -> Callable[[State], Pressed]:
    def act(state: State) -> Pressed:
        return state, do if state.row else None

    return act


_KEYS: Final[Mapping[str, Callable[[State], Pressed]]] = {
    "q": _quit,
    "?": _help,
    "tab": _next_pane,
    "shift-tab": _pane_before,
    "/": _filter,
    "f": _follow,
    " ": _mark,
    "c": _compare,
    "o": _next_refused,
    "r": _of_one(Do.REPLAY),
    "R": _ask_url,
    "d": _of_one(Do.DOCTOR),
    "p": _of_one(Do.PRINT),
}
_FAR: Final = 10**9
#: By how many lines, of a page so long.
_MOVES: Final[Mapping[str, Callable[[int], int]]] = {
    "up": lambda page: -1,
    "k": lambda page: -1,
    "down": lambda page: 1,
    "j": lambda page: 1,
    "pageup": lambda page: -page,
    "pagedown": lambda page: page,
    "home": lambda page: -_FAR,
    "g": lambda page: -_FAR,
    "end": lambda page: _FAR,
    "G": lambda page: _FAR,
}


def _moved(state: State, lines: int) -> Pressed:
    if not state.rows:
        return state, None
    selected = min(max(state.selected + lines, 0), len(state.rows) - 1)
    if selected == state.selected:
        at_end = lines > 0 and state.has_more
        return state, Do.MORE if at_end else None
    return _seen(replace(state, selected=selected, scroll=0)), Do.OPEN


def _scrolled(state: State, lines: int) -> State:
    last = max(0, len(state.lines) - state.reads)
    return replace(state, scroll=min(max(state.scroll + lines, 0), last))


def _seen(state: State) -> State:
    """The list moved so far that the selected row is seen."""
    selected = min(state.selected, max(0, len(state.rows) - 1))
    top = min(max(state.top, selected - state.lists + 1), selected)
    return replace(state, selected=selected, top=max(0, min(top, max(0, len(state.rows) - state.lists))))
