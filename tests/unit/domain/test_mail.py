"""Mail servers and addresses, as operators write them."""

import pytest

from landed.domain.errors import InputInvalid
from landed.domain.mail import MailServer, address


def test_a_mail_server_is_read_from_a_url() -> None:
    server = MailServer.of("smtp://ana%40x:p%3Aw@mail.example.com")

    assert (server.host, server.port, server.is_tls, server.user, server.password) == (
        "mail.example.com",
        587,
        False,
        "ana@x",
        "p:w",
    )
    assert MailServer.of("smtps://mail.example.com").port == 465


@pytest.mark.parametrize(
    "url", ["http://x", "smtp://", "mail.example.com", "smtp://x:99999", "smtp://x/path", "smtp://x?a"]
)
def test_what_is_no_mail_server_is_refused(url: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  settings say what to give instead
        MailServer.of(url)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ana",
        "ana@",
        "@x",
        "a b@x",
        "ana@x\r\nBcc: eve@x",
        "ana@x,ben@x",
        "<ana@x>",
        "Ana <ana@x>",
        "ana@" + "x" * 300,
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(InputInvalid):
        address(text)


def test_an_address_is_kept_as_it_is() -> None:
    assert address(" ana+landed@example.com ") == "ana+landed@example.com"
