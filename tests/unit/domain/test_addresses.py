"""Who called, behind which proxies, and whether that is one of those who may."""

from ipaddress import ip_address, ip_network

import pytest

from landed.domain import addresses

TRUSTED = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::1", "::1"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("fe80::1%eth0", "fe80::1"),
        ("2001:DB8::1", "2001:db8::1"),
    ],
)
def test_an_address_is_read_in_one_form(text: str, found: str) -> None:
    assert addresses.address(text) == ip_address(found)


@pytest.mark.parametrize(
    "text", ["", "unknown", "_hidden", "203.0.113", "203.0.113.7.8", "1.2.3.4:80", "256.1.1.1", "١.2.3.4"]
)
def test_what_is_none_is_none(text: str) -> None:
    assert addresses.address(text) is None


@pytest.mark.parametrize(
    "text", ["callbacksallow.routee.net", "a.b", "xn--d1acufc.xn--p1ai", "_dmarc.example.com", "a-b.example.com"]
)
def test_a_host_name_with_a_domain_is_one(text: str) -> None:
    assert addresses.is_host_name(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "localhost", ".example.com", "example..com", "-a.example.com", "a-.example.com", "exa mple.com"),
        *(
            "203.0.113.7",
            "203.0.113.0/24",
            "203.0.113",
            "1.2.3.4.5",
            "https://example.com",
            "пример.рф",
            "a" * 64 + ".com",
        ),
        *("a.b\n", "A.B", ".".join(["a" * 60] * 5)),
    ],
)
def test_a_typing_error_is_no_host_name(text: str) -> None:
    assert not addresses.is_host_name(text)


def test_without_a_trusted_proxy_the_headers_are_ignored() -> None:
    forged = ("203.0.113.7", "for=203.0.113.7")

    assert addresses.caller("198.51.100.9", *forged, TRUSTED) == ip_address("198.51.100.9")
    assert addresses.caller("10.0.0.1", *forged, ()) == ip_address("10.0.0.1")
    assert addresses.caller(None, *forged, TRUSTED) is None


@pytest.mark.parametrize(
    ("forwarded_for", "caller"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("203.0.113.7, 10.1.2.3", "203.0.113.7"),
        ("192.0.2.1, 203.0.113.7,10.1.2.3 , fd00::7", "203.0.113.7"),
        ("203.0.113.7:4711", "203.0.113.7"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("10.3.3.3, 10.1.2.3", "10.3.3.3"),
        ("192.0.2.1, unknown", None),
        ("unknown, 10.1.2.3", None),
        ("192.0.2.1, ", None),
        (",", None),
        ("203.0.113.7; DROP", None),
    ],
)
def test_the_last_hop_that_is_not_a_trusted_proxy_is_who_called(forwarded_for: str, caller: str | None) -> None:
    assert addresses.caller("10.0.0.1", forwarded_for, None, TRUSTED) == (ip_address(caller) if caller else None)


@pytest.mark.parametrize(
    ("forwarded", "caller"),
    [
        ("for=203.0.113.7", "203.0.113.7"),
        ('For="[2001:db8:cafe::17]:4711"', "2001:db8:cafe::17"),
        ("for=192.0.2.60;proto=http;by=203.0.113.43", "192.0.2.60"),
        ("proto=https; for = 192.0.2.60", "192.0.2.60"),
        ("for=192.0.2.1, for=203.0.113.7;by=x, for=10.1.2.3", "203.0.113.7"),
        ("for=_obfuscated", None),
        ("for=unknown, for=10.1.2.3", None),
        ("by=203.0.113.43", None),
        ('for="192.0.2.1, for=203.0.113.7', "203.0.113.7"),
        ("", "10.0.0.1"),
    ],
)
def test_the_standard_header_says_the_same(forwarded: str, caller: str | None) -> None:
    assert addresses.caller("10.0.0.1", None, forwarded, TRUSTED) == (ip_address(caller) if caller else None)


def test_two_headers_have_to_agree_since_one_of_them_may_be_forged() -> None:
    def caller(forwarded_for: str, forwarded: str) -> object:
        return addresses.caller("10.0.0.1", forwarded_for, forwarded, TRUSTED)

    assert caller("203.0.113.7", "for=203.0.113.7") == ip_address("203.0.113.7")
    assert caller("203.0.113.7", "for=198.51.100.9") is None
    assert caller("198.51.100.9", "for=203.0.113.7") is None
    assert caller("unknown", "for=203.0.113.7") is None
