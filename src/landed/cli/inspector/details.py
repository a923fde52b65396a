"""Callbacks as the inspector's lines of text."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from landed.cli.inspector.drawing import wrapped
from landed.cli.inspector.state import Pane, Row
from landed.cli.speaking import moment

if TYPE_CHECKING:
    from landed.services.inspecting_shapes import Comparison, InspectedCallback
    from landed.services.shapes import CallbackShape


def row(callback: "CallbackShape") -> Row:
    about = "/".join(filter(None, (callback.kind, callback.our_id)))
    return Row(
        id=callback.id,
        received=callback.received_at.strftime("%m-%d %H:%M:%S"),
        outcome=callback.outcome or callback.verdict,
        reason=callback.reason or "",
        method=callback.method[:5],
        account=callback.account or "?",
        summary=f"{callback.body_bytes} bytes  {about or callback.url.partition('://')[2].partition('/')[2]}",
    )


def panes(callback: "InspectedCallback", width: int) -> Mapping[Pane, Sequence[str]]:
    """Everything of one callback, folded to the width."""
    lines = {
        Pane.REQUEST: _request(callback),
        Pane.HEADERS: [f"{each.name}: {each.value}" for each in callback.header_lines],
        Pane.FIELDS: _fields(callback),
        Pane.VERDICT: _verdict(callback),
        Pane.BECAME: _became(callback),
    }
    return {pane: wrapped(list(each), max(20, width)) for pane, each in lines.items()}


def comparison(compared: "Comparison") -> Iterator[str]:
    yield f"{compared.differences} differences"
    for each in compared.rows:
        if each.differs:
            yield ""
            yield f"{each.part} {each.name}"
            yield f"  a: {'(none)' if each.a is None else each.a}"
            yield f"  b: {'(none)' if each.b is None else each.b}"
    yield ""
    same = [f"{each.part} {each.name}" for each in compared.rows if not each.differs]
    yield f"the same: {', '.join(same)}"


def _request(callback: "InspectedCallback") -> Iterator[str]:
    yield callback.request_line
    yield f"url: {callback.url}"
    yield f"received: {moment(callback.received_at)}"
    yield f"body: {callback.body_bytes} bytes{', only the first are kept' if callback.body_truncated else ''}"
    yield ""
    yield callback.body if callback.body is not None else f"base64: {callback.body_base64}"


def _fields(callback: "InspectedCallback") -> Iterator[str]:
    if callback.fields_problem:
        yield f"cannot be read: {callback.fields_problem}"
    for each in callback.fields:
        yield f"{each.name}: {each.value}{'   (query)' if each.source == 'query' else ''}"


def _verdict(callback: "InspectedCallback") -> Iterator[str]:
    yield f"verdict: {callback.verdict}"
    if callback.outcome:
        yield f"outcome: {callback.outcome}"
    if callback.reason:
        yield f"reason: {callback.reason}"
        yield f"why: {callback.detail}"
    yield f"verified by: {', '.join(callback.verified_by) or 'nothing'}"
    if callback.nonce_first_used_by:
        yield f"its nonce was first used by: {callback.nonce_first_used_by}"
    if callback.verdict == "refused":
        yield "d asks the doctor what to change"


def _became(callback: "InspectedCallback") -> Iterable[str]:
    from landed.cli.callbacks import became

    return became(callback)
