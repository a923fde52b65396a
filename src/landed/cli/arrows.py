"""The arrow lines of a request that was sent somewhere and of its answer: `→ POST http://…` and `← 200 in 12 ms`."""

from typing import TYPE_CHECKING, Final

import typer

from landed.cli.figures import clean, seconds

if TYPE_CHECKING:
    from landed.services.resending import Answer, Outgoing

#: Of an answer that is not a 2xx, so much is shown.
_SHOWN_CHARACTERS_MAX: Final = 200


def arrow_out(request: "Outgoing", label: str = "") -> str:
    """What went out: `→ POST http://localhost:3000/hook  plivo.message.delivered`."""
    return clean(f"→ {request.method} {request.url}{'  ' if label else ''}{label}").replace("\n", "�")


def arrow_back(answer: "Answer") -> str:
    """What came back: `← 200 in 12 ms`; of a refusal also how it begins."""
    took = seconds(answer.elapsed_ms / 1000)
    if answer.status is None:
        return clean(f"✗ {answer.problem}")
    said = ""
    if not answer.is_ok and answer.body:
        said = "  " + " ".join(clean(answer.body.decode("utf-8", "replace"))[:_SHOWN_CHARACTERS_MAX].split())
    return f"← {answer.status} in {took}{said}"


def style(answer: "Answer") -> str:
    """The line coloured by outcome; without colours where nobody looks at them."""
    colour = typer.colors.GREEN if answer.is_ok else typer.colors.RED
    return typer.style(arrow_back(answer), fg=colour)
