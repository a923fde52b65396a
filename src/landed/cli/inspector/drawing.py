"""The inspector's screen: state in, exactly as many lines as the terminal has out. Foreign text cannot steer it."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from rich.text import Text

from landed.cli.figures import clean
from landed.cli.inspector.state import Mode, Pane, Row, State

HEIGHT_MIN: Final = 10
WIDTH_MIN: Final = 40
_OUTCOME_STYLES: Final = {"refused": "red", "set_aside": "yellow", "waiting": "cyan", "tracked": "green"}
_KEYS_LINE: Final = "↑↓ move  ⏎ open  tab pane  / filter  f follow  o refused  d doctor  ? keys  q leave"


class Layout(NamedTuple):
    """How the lines of a screen are shared out. Title, panes' line and last line take one each."""

    lists: int
    reads: int


def layout(height: int) -> Layout:
    """The list takes two fifths."""
    rest = max(HEIGHT_MIN, height) - 3
    lists = max(2, rest * 2 // 5)
    return Layout(lists, rest - lists)


def text_lines(height: int) -> int:
    """How many lines a text over everything has."""
    return max(HEIGHT_MIN, height) - 2


def draw(state: State, width: int, height: int) -> list[Text]:
    """The screen's lines, none longer than `width` cells."""
    if width < WIDTH_MIN or height < HEIGHT_MIN:
        return _fitted([Text(f"This needs {WIDTH_MIN} x {HEIGHT_MIN}; q leaves.")], width, height)
    if state.mode is Mode.TEXT:
        body = [_line(each) for each in state.text[state.scroll : state.scroll + text_lines(height)]]
        head = _bar(f" {state.title}", _position(state), width)
        return [*_fitted([head, *body], width, height - 1), *_fitted([_last(state)], width, 1)]
    shares = layout(height)
    rows = [
        _row(row, state, number)
        for number, row in enumerate(state.rows[state.top : state.top + shares.lists], state.top)
    ] or [Text("  nothing here", style="dim")]
    details = [_line(each) for each in state.lines[state.scroll : state.scroll + shares.reads]]
    return [
        *_fitted([_title(state, width)], width, 1),
        *_fitted(rows, width, shares.lists),
        *_fitted([_panes(state, width)], width, 1),
        *_fitted(details, width, shares.reads),
        *_fitted([_last(state)], width, 1),
    ]


def wrapped(lines: Sequence[str], width: int) -> list[str]:
    """Long lines folded, so that nothing of them is lost behind the edge."""
    folded: list[str] = []
    for line in lines:
        text = clean(line).replace("\t", "    ")
        for part in text.split("\n"):
            folded += [part[start : start + width] for start in range(0, len(part), width)] or [""]
    return folded


def _title(state: State, width: int) -> Text:
    count = f"{len(state.rows)}{'+' if state.has_more else ''} callbacks"
    left = f" landed  {count}{f'  /{state.search}' if state.search else ''}"
    right = f"{'● following ' if state.is_following else ''}{f'{len(state.marked)} marked ' if state.marked else ''}"
    return _bar(left, right, width)


def _row(row: Row, state: State, number: int) -> Text:
    mark = "*" if row.id in state.marked else " "
    line = Text(no_wrap=True)
    line.append(f"{mark}{row.received}  ")
    line.append(f"{row.outcome:<9} ", style=_OUTCOME_STYLES.get(row.outcome, ""))
    line.append(f"{row.method:<5}{row.account:<12.12} ")
    line.append(_one_line(row.reason or row.summary))
    if number == state.selected:
        line.stylize("reverse" if state.mode is not Mode.DETAIL else "bold underline")
    return line


def _panes(state: State, width: int) -> Text:
    line = Text(" ")
    for pane in Pane:
        line.append(f" {pane.value} ", style="reverse" if pane is state.pane else "dim")
        line.append(" ")
    line.append(state.row.id if state.row else "", style="bold")
    position = _position(state)
    line.append(" " * max(1, width - line.cell_len - len(position) - 1))
    line.append(position, style="dim")
    return line


def _position(state: State) -> str:
    lines = len(state.lines)
    if lines <= state.reads:
        return ""
    return f"{state.scroll + 1}-{min(lines, state.scroll + state.reads)} of {lines} "


def _last(state: State) -> Text:
    if state.mode is Mode.FILTER:
        return Text(f"/{_one_line(state.typed)}█")
    if state.mode is Mode.URL:
        return Text(f"replay to: {_one_line(state.typed)}█")
    return Text(_one_line(state.said), style="bold") if state.said else Text(_KEYS_LINE, style="dim")


def _bar(left: str, right: str, width: int) -> Text:
    left = _one_line(left)
    space = max(1, width - len(left) - len(right))
    return Text(f"{left}{' ' * space}{right}", style="reverse")


def _line(text: str) -> Text:
    """A line of detail. Where it begins with a name and a colon the name is dimmed."""
    shown = _one_line(text)
    line = Text(shown, no_wrap=True)
    name, colon, _ = shown.partition(": ")
    if colon and len(name) <= 40:
        line.stylize("dim", 0, len(name) + 1)
    return line


def _one_line(text: str) -> str:
    return clean(text).replace("\n", "␤").replace("\t", " ")


def _fitted(lines: Sequence[Text], width: int, height: int) -> list[Text]:
    """So many lines, cut at the edge."""
    fitted = [*lines[:height], *(Text() for _ in range(height - len(lines)))]
    for line in fitted:
        line.truncate(width, overflow="ellipsis")
    return fitted
