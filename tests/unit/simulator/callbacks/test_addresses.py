"""What can be called back, and that what is signed is what goes out."""

from collections.abc import Callable

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landed.simulator.callbacks import signing
from landed.simulator.callbacks.addresses import as_sent, is_url


@pytest.mark.parametrize("url", [
    "http://localhost:3000/hook", "https://example.com", "HTTP://user:pw@example.com/a?b=c#d", "http://[::1]:9100/",
    "http://example.com/größe?stadt=Köln", "http://example.com/日本", "http://example.com/a%20b|c",
])  # fmt: skip
def test_any_alphabet_may_stand_behind_the_host(url: str) -> None:
    assert is_url(url)


@pytest.mark.parametrize("url", [
    "", "example.com/hook", "ftp://example.com/", "http://", "http:///hook", "http://exa mple.com/", "http://a.b/c d",
    "http://a.b/\n", "http://a.b/\x7f", "http://a.b/\u00a0", "http://a.b/\ud800", "http://a.b:0/", "http://a.b:70000/",
    "http://a.b:x/", "http://[::1/", "http://köln.example/", "//a.b/", None, 7, ["http://a.b/"],
])  # fmt: skip
def test_what_cannot_be_called_is_no_url(url: object) -> None:
    assert not is_url(url)


@pytest.mark.parametrize(("url", "sent"), [
    ("http://a.b/hook/?x=1&y=%20+z#end", "http://a.b/hook/?x=1&y=%20+z#end"),
    ("http://[::1]:9/~a;b=(c)*'!", "http://[::1]:9/~a;b=(c)*'!"),
    ("http://a.b/größe?stadt=Köln", "http://a.b/gr%C3%B6%C3%9Fe?stadt=K%C3%B6ln"),
    ('http://a.b/<a>"{b}|\\^`', "http://a.b/%3Ca%3E%22%7Bb%7D%7C%5C%5E%60"),
])  # fmt: skip
def test_what_no_url_may_have_is_escaped_and_nothing_else(url: str, sent: str) -> None:
    assert as_sent(url) == as_sent(sent) == sent


@given(st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="/?#"), max_size=20))
def test_an_address_goes_out_as_it_was_signed(text: str) -> None:
    url = as_sent(f"http://a.b/hook-{text}?q={text}")

    assert httpx.URL(url).raw_path.decode() == url.removeprefix("http://a.b")


@pytest.mark.parametrize("request_of", [
    lambda url: signing.plivo((), url, tokens=None),
    lambda url: signing.plivo((("a", "ö"),), url, tokens=None, method="GET"),
    lambda url: signing.plivo_json((), url, tokens=None),
    lambda url: signing.routee({}, url),
], ids=["plivo", "plivo by GET", "plivo's JSON", "routee"])  # fmt: skip
def test_every_callback_has_its_address_as_it_is_sent(request_of: Callable[[str], signing.Request]) -> None:
    assert request_of("http://a.b/größe").url.split("?")[0] == "http://a.b/gr%C3%B6%C3%9Fe"
