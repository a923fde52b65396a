"""Requests that might come: noise, and captured ones with fields altered, left out, moved and made up."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from hypothesis import strategies as st

from landed.domain.callbacks import PATH_KINDS, CallbackRequest

FORM: Final = "application/x-www-form-urlencoded"
JSON: Final = "application/json"

#: Values that have broken one parser or another.
_STRANGE: Final = (
    "", " ", "0", "-1", "1e400", "-Infinity", "NaN", "9" * 30, "٣", "²", "0x10", "1_000", "+", "++1", "null", "None",
    "true", "1 of 0", "2 of 3", "0 of 9", "99999 of 99999", "0001-01-01 00:00:00+14:00",
    "9999-12-31T23:59:59.999999-14:00", "2026-02-30 00:00:00", "2026-03-02T09:15:04", "2026-W10-1",
    "1772529301", "%", "é", "İ", "\u2028", "a" * 3000,
)  # fmt: skip


def requests(seeds: Sequence[CallbackRequest], *, readable: bool = False) -> st.SearchStrategy[CallbackRequest]:
    """Requests made of captured ones and of anything else.

    `readable`: only what the door lets in: UTF-8 without NUL, JSON with numbers of 64 bits.
    """
    texts = st.text(st.characters(codec="utf-8", exclude_characters="\0")) if readable else st.text()
    values = texts | st.sampled_from(_STRANGE)
    urls = st.sampled_from([seed.url for seed in seeds])
    form_bodies = st.builds(_body_of_form, _forms(seeds, texts, values))
    made = [
        st.builds(_post, urls, st.just(FORM), form_bodies),
        st.builds(_get, urls, form_bodies),
        st.builds(_post, urls, st.just(JSON), st.builds(_body_of_json, _trees(seeds, texts, values, readable))),
    ]
    if not readable:
        types = st.sampled_from([FORM, JSON, f"{JSON};charset=UTF-8", "text/plain", ""])
        made.append(st.builds(_post, urls | st.text(), types, st.binary(max_size=300)))
        made.append(st.builds(_post, urls, types, form_bodies))
    ids = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)
    subjects = st.none() | st.tuples(st.sampled_from(sorted(PATH_KINDS)), ids)
    return st.builds(_with_subject, st.one_of(made), subjects)


def reworded(request: CallbackRequest, word: str, other: str) -> CallbackRequest:
    """The request with every value that is this word made another one."""
    body = request.body.replace(word.encode(), other.encode())
    address, question_mark, query = request.url.partition("?")
    return replace(request, url=address + question_mark + query.replace(word, other), body=body)


def with_one_more_field(request: CallbackRequest) -> CallbackRequest:
    """The request with a field more in its body, well formed."""
    if _is_json(request):
        return replace(request, body=json.dumps({**json.loads(request.body), "ZzMore": "1"}).encode())
    return replace(request, body=request.body + (b"&" if request.body else b"") + b"ZzMore=1")


def each_field_left_out(request: CallbackRequest) -> Iterator[CallbackRequest]:
    """The request without one of its fields, for each of them in turn."""
    address, question_mark, query = request.url.partition("?")
    if _is_json(request):
        fields = json.loads(request.body)
        for name in fields:
            yield replace(request, body=_body_of_json({key: fields[key] for key in fields if key != name}))
    elif request.body:
        pairs = parse_qsl(request.body.decode(), keep_blank_values=True)
        for name, _ in pairs:
            yield replace(request, body=urlencode([pair for pair in pairs if pair[0] != name]).encode())
    elif question_mark:
        pairs = parse_qsl(query, keep_blank_values=True)
        for name, _ in pairs:
            yield replace(request, url=f"{address}?{urlencode([pair for pair in pairs if pair[0] != name])}")


def _post(url: str, content_type: str, body: bytes) -> CallbackRequest:
    headers = {"content-type": content_type} if content_type else {}
    return CallbackRequest(method="POST", url=url, headers=headers, body=body)


def _get(url: str, query: bytes) -> CallbackRequest:
    return CallbackRequest(method="GET", url=f"{url}{'&' if '?' in url else '?'}{query.decode()}")


def _with_subject(request: CallbackRequest, subject: tuple[str, str] | None) -> CallbackRequest:
    return request if subject is None else replace(request, kind=subject[0], our_id=subject[1])


def _body_of_form(fields: Mapping[str, str]) -> bytes:
    return urlencode(fields, errors="replace").encode()


def _body_of_json(tree: Any) -> bytes:
    return json.dumps(tree).encode()


def _forms(
    seeds: Sequence[CallbackRequest], texts: st.SearchStrategy[str], values: st.SearchStrategy[str]
) -> st.SearchStrategy[dict[str, str]]:
    captured = [fields for seed in seeds if (fields := _fields(seed))] or [{"Status": "sent"}]
    names = sorted({name for fields in captured for name in fields})
    known = st.dictionaries(st.sampled_from(names), values | st.sampled_from(_values(captured)), max_size=12)
    changes = st.dictionaries(st.sampled_from(names) | texts, values, max_size=4)
    left_out = st.sets(st.sampled_from(names), max_size=3)
    return known | st.builds(_merged, st.sampled_from(captured), changes, left_out)


def _trees(
    seeds: Sequence[CallbackRequest],
    texts: st.SearchStrategy[str],
    values: st.SearchStrategy[str],
    readable: bool,
) -> st.SearchStrategy[Any]:
    captured = [json.loads(seed.body) for seed in seeds if _is_json(seed)] or [_fields(seed) for seed in seeds]
    names = sorted({name for tree in captured for name in _names(tree)})
    numbers = st.integers(-(2**63), 2**63 - 1) if readable else st.integers()
    leaves = st.none() | st.booleans() | numbers | st.floats(allow_nan=not readable, allow_infinity=not readable)
    anything = st.recursive(
        leaves | values,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(names) | texts, inner, max_size=4),
        max_leaves=8,
    )
    changes = st.dictionaries(st.sampled_from(names) | texts, anything, max_size=4)
    objects = st.builds(_replaced, st.sampled_from(captured), changes, st.sets(st.sampled_from(names), max_size=3))
    return objects if readable else objects | anything


def _replaced(tree: Any, changes: Mapping[str, Any], left_out: set[str]) -> Any:
    """The tree with the fields of these names changed or left out, however deep they are, and the other ones added."""
    if isinstance(tree, dict):
        kept = {name: _replaced(value, changes, left_out) for name, value in tree.items() if name not in left_out}
        return {**kept, **changes}
    return tree


def _merged(fields: Mapping[str, str], changes: Mapping[str, str], left_out: set[str]) -> dict[str, str]:
    return {**{name: value for name, value in fields.items() if name not in left_out}, **changes}


def _is_json(request: CallbackRequest) -> bool:
    if not request.body.startswith(b"{"):
        return False
    try:
        json.loads(request.body)
    except ValueError:
        return False
    return True


def _fields(request: CallbackRequest) -> dict[str, str]:
    """The fields of a form, or of a query where there is no body."""
    text = request.body.decode() or request.url.partition("?")[2]
    return {} if text.startswith("{") else dict(parse_qsl(text, keep_blank_values=True))


def _values(forms: Sequence[Mapping[str, str]]) -> list[str]:
    return sorted({value for fields in forms for value in fields.values()})


def _names(tree: Any) -> Iterator[str]:
    if isinstance(tree, dict):
        for name, value in tree.items():
            yield name
            yield from _names(value)
