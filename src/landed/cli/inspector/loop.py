"""The inspector running: keys and time in, services asked, the screen drawn."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import redirect_stderr
from datetime import UTC, datetime
from io import StringIO
from typing import TYPE_CHECKING, Any, Final

from landed.cli import doctor
from landed.cli.figures import clean
from landed.cli.inspector import details, drawing, terminal
from landed.cli.inspector import state as states
from landed.cli.inspector.filters import question
from landed.cli.inspector.state import Do, State
from landed.cli.opening import OpenedStore
from landed.cli.replaying import opened_replaying
from landed.cli.speaking import print_line
from landed.domain.errors import InputInvalid, LandedError

if TYPE_CHECKING:
    from landed.services.inspecting import Inspector
    from landed.services.replaying import Replayer
    from landed.services.shapes import CallbackList

#: Rows of a page of the list.
PAGE: Final = 100
#: While following, new ones are looked for so often.
FOLLOW_S: Final = 1.0


async def look(search: str, *, follow: bool) -> None:
    """Show callbacks until somebody leaves. What was asked to be printed is, then."""
    question(search, datetime.now(UTC))  # what cannot be asked is said before the screen is taken
    with redirect_stderr(StringIO()):  # whatever is logged would be written over the screen
        async with opened_replaying() as (store, inspector, replayer):
            with terminal.opened() as screen:
                looking = Looking(store, inspector, replayer, screen)
                await looking.run(State(search=search, is_following=follow))
    for line in looking.printed:
        print_line(clean(line))


class Looking:
    """One session at the screen."""

    def __init__(
        self, store: OpenedStore, inspector: "Inspector", replayer: "Replayer", screen: terminal.Terminal
    ) -> None:
        self.printed: list[str] = []
        self._store = store
        self._inspector = inspector
        self._replayer = replayer
        self._screen = screen
        self._keys: asyncio.Queue[str | None] = asyncio.Queue()
        self._cursor: str | None = None
        self._does: Mapping[Do, Callable[[State], Awaitable[State]]] = {
            Do.LOAD: self._load,
            Do.MORE: self._more,
            Do.OPEN: self._open,
            Do.COMPARE: self._compare,
            Do.REPLAY: self._replay,
            Do.REPLAY_TO: self._replay_to,
            Do.DOCTOR: self._doctor,
            Do.PRINT: self._print,
        }

    async def run(self, state: State) -> None:
        with terminal.signals(ended=lambda: self._tell(None), resized=lambda: self._tell("resize")):
            self._screen.listen(self._tell, lambda: self._tell(None))
            state = self._sized(state)
            self._draw(state)
            state = await self._do(state, Do.LOAD)
            while True:
                self._draw(state)
                try:
                    async with asyncio.timeout(FOLLOW_S if state.is_following else None):
                        key = await self._keys.get()
                except TimeoutError:
                    state = await self._do(state, Do.LOAD)
                    continue
                if key is None:
                    return
                if key == "resize":
                    self._screen.forget()
                    state = self._sized(state)
                    continue
                state, do = states.press(state, key)
                if do is Do.QUIT:
                    return
                # While keys wait, only the last callback that they lead to is opened.
                if do is not None and not (do is Do.OPEN and not self._keys.empty()):
                    state = await self._do(state, do)
                state = self._sized(state)

    def _tell(self, key: str | None) -> None:
        self._keys.put_nowait(key)

    def _draw(self, state: State) -> None:
        self._screen.draw(drawing.draw(state, *self._screen.size))

    def _sized(self, state: State) -> State:
        height = self._screen.size[1]
        shares = drawing.layout(height)
        reads = drawing.text_lines(height) if state.mode is states.Mode.TEXT else shares.reads
        return states.resized(state, lists=shares.lists, reads=reads)

    async def _do(self, state: State, do: Do) -> State:
        try:
            return await self._does[do](state)
        except LandedError as error:
            return states.saying(state, str(error))

    async def _load(self, state: State) -> State:
        before = state.row.id if state.row else None
        page = await self._page(state, None)
        state = states.loaded(state, [details.row(each) for each in page.data], has_more=bool(page.next_cursor))
        self._cursor = page.next_cursor
        if state.row and (state.row.id != before or state.details is None):
            return await self._open(state)
        return state

    async def _more(self, state: State) -> State:
        if not self._cursor:
            return state
        page = await self._page(state, self._cursor)
        self._cursor = page.next_cursor
        rows = [details.row(each) for each in page.data]
        state, do = states.more(state, rows, has_more=bool(page.next_cursor))
        return await self._do(state, do) if do else state

    async def _page(self, state: State, cursor: str | None) -> "CallbackList":
        asked = question(state.search, datetime.now(UTC))
        return await self._inspector.reader.callbacks(
            asked, account_id=None, cursor=cursor, limit=PAGE, keys_shown=False
        )

    async def _open(self, state: State) -> State:
        if state.row is None:
            return state
        whole = await self._inspector.inspect(state.row.id, account_id=None, keys_shown=False)
        return states.opened(state, details.panes(whole, self._screen.size[0]))

    async def _compare(self, state: State) -> State:
        a, b = state.marked
        compared = await self._inspector.compare(a, b, account_id=None, keys_shown=False)
        return self._showing(state, f"{a} and {b}", details.comparison(compared))

    async def _replay(self, state: State) -> State:
        assert state.row is not None  # noqa: S101  only asked for with one
        found = await self._inspector.reader.found(state.row.id, account_id=None)
        outcome = await self._replayer.replay(found, state.row.id)
        state = await self._load(states.saying(state, ""))
        return states.saying(state, f"{outcome.callback_id} {outcome.outcome}. {outcome.detail or ''}")

    async def _replay_to(self, state: State) -> State:
        from landed.cli import arrows
        from landed.services import resending
        from landed.services.replaying import resend

        assert state.row is not None  # noqa: S101  only asked for with one
        try:
            url = resending.target(state.url)
        except InputInvalid as error:
            raise InputInvalid(f"{error} `landed callbacks replay ID --to URL --anywhere` does.") from error
        found = await self._inspector.reader.found(state.row.id, account_id=None)
        self._draw(states.saying(state, f"→ {url} …"))
        async with resending.opened_client() as http:
            outgoing, answer = await resend(http, found, state.row.id, url)
        return states.saying(state, f"{arrows.arrow_out(outgoing)}  {arrows.arrow_back(answer)}")

    async def _doctor(self, state: State) -> State:
        assert state.row is not None  # noqa: S101  only asked for with one
        self._draw(states.saying(state, "trying what may have been signed instead …"))
        diagnosis = await doctor.diagnosed(self._store, self._inspector, state.row.id)
        return self._showing(state, f"doctor {state.row.id}", doctor.lines(diagnosis))

    async def _print(self, state: State) -> State:
        from landed.services import requests_text
        from landed.services.inspecting import request_of
        from landed.services.resending import header_lines

        assert state.row is not None  # noqa: S101  only asked for with one
        found = await self._inspector.reader.found(state.row.id, account_id=None)
        masked = await self._inspector.reader.mask(found, keys_shown=False)
        command = masked(requests_text.as_curl(request_of(found), header_lines(found.row.headers)))
        self.printed += [state.row.id, command]
        return self._showing(state, f"{state.row.id}: printed on leaving", [state.row.id, "", *command.splitlines()])

    def _showing(self, state: State, title: str, lines: Any) -> State:
        return states.showing(state, title, drawing.wrapped(list(lines), max(20, self._screen.size[0])))
