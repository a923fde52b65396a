"""The templates: how they are loaded, and the filters and functions that all of them have.

Those that depend on who looks ask for the page that is being rendered, so that no template has to hand it on. Without
one they fail, rather than show a number to somebody who may not see it.
"""

from contextvars import ContextVar
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from landed.web.dashboard import formats

if TYPE_CHECKING:
    from landed.web.dashboard.pages import Page

_TEMPLATES: Final = Path(__file__).parent / "templates"
#: The page that is being rendered.
showing: ContextVar["Page"] = ContextVar("showing")


def environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.policies["json.dumps_function"] = _dumps
    made.filters |= formats.PLAIN
    made.filters |= {
        "number": lambda number: showing.get().number(number),
        "private": lambda text: showing.get().private(text),
        "told": lambda text: showing.get().told(text),
        "moment": _moment,
        "ago": _ago,
    }
    made.tests["told_whole"] = lambda text: showing.get().told(text) == text
    made.globals |= {
        "url": lambda path, **parameters: showing.get().url(path, **parameters),
        "static": lambda name: showing.get().static(name),
        "csrf": lambda: showing.get().csrf_field(),
    }
    return made


def _moment(at: datetime | None, form: str = "%-d %b %Y, %H:%M:%S") -> str:
    return formats.moment(at, showing.get().view.zone, form)


def _ago(at: datetime | None) -> str:
    view = showing.get().view
    return formats.ago(at, view.now, view.zone)


def _dumps(content: Any, **_: Any) -> str:
    return orjson.dumps(content, default=str).decode()
