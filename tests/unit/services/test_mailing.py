"""Handing mail over: whom the server takes, puts off and refuses, and what is said where it does not work."""

import asyncio
import datetime
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from aiosmtpd.smtp import SMTP
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from landed.domain.mail import Mail, MailFailed, MailServer
from landed.services import mailing
from landed.services.mailing import Mailer
from tests.alerting import MailBox

pytestmark = pytest.mark.anyio

ANA, BEN, CLEO = "ana@example.com", "ben@example.com", "cleo@example.com"
MAIL: Final = Mail(
    id="1",
    to=[ANA, BEN, CLEO],
    subject="x",
    text="x",
    html="x",
    at=datetime.datetime(2026, 11, 21, 12, tzinfo=datetime.UTC),
)


def mailer(port: int, scheme: str = "smtp", login: str = "") -> Mailer:
    return Mailer(MailServer.of(f"{scheme}://{login}127.0.0.1:{port}"), "landed@example.com")


@asynccontextmanager
async def box(answers: dict[str, str]) -> AsyncIterator[tuple[MailBox, int]]:
    """A mail server with these answers to recipients, and its port."""
    kept = MailBox()
    kept.answers = answers
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(kept), "127.0.0.1", 0)
    async with server:
        yield kept, server.sockets[0].getsockname()[1]


@asynccontextmanager
async def serving(
    talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], **options: Any
) -> AsyncIterator[int]:
    server = await asyncio.start_server(talk, "127.0.0.1", 0, **options)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_those_put_off_are_left_while_others_have_it_and_those_refused_are_not() -> None:
    async with box({BEN: "450 4.2.0 greylisted", CLEO: "550 5.1.1 nobody"}) as (kept, port):
        with pytest.raises(MailFailed, match="puts off 1 of the recipients") as failed:
            await mailer(port).send(MAIL)

    assert failed.value.left == [BEN]
    assert kept.recipients == [[ANA]]


async def test_those_refused_for_good_are_noted_and_the_mail_is_delivered() -> None:
    async with box({BEN: "550 5.1.1 nobody"}) as (kept, port):
        assert await mailer(port).send(MAIL) == "The mail server refuses 1 of the recipients."

    assert kept.recipients == [[ANA, CLEO]]


@pytest.mark.parametrize(
    "answers",
    [
        {ANA: "450 later", BEN: "450 later", CLEO: "450 later"},
        {BEN: "421 closing"},  # amid it: Ana was taken, and got nothing
    ],
    ids=["all are put off", "the server closes"],
)
async def test_where_nobody_has_it_all_are_to_be_tried_again(answers: dict[str, str]) -> None:
    async with box(answers) as (kept, port):
        with pytest.raises(MailFailed) as failed:
            await mailer(port).send(MAIL)

    assert failed.value.left is None
    assert kept.mails == []


async def test_a_password_that_cannot_be_said_is_no_fault_of_ours_and_stays_unsaid() -> None:
    with pytest.raises(MailFailed, match="ASCII") as failed:
        await mailer(9, login="ana:pass%C3%B6rd@").send(MAIL)

    assert "pass" not in str(failed.value).replace("password", "")


async def test_a_server_that_keeps_talking_and_says_nothing_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailing, "MAIL_S_MAX", 0.1)
    is_over = asyncio.Event()

    async def greet_for_ever(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220-wait\r\n")
        await is_over.wait()
        writer.close()

    async with serving(greet_for_ever) as port:
        with pytest.raises(MailFailed, match="does not answer: TimeoutError"):
            await mailer(port).send(MAIL)
        is_over.set()


async def test_a_certificate_that_does_not_hold_is_named(tmp_path: Path) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(_certificate(tmp_path))

    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with serving(talk, ssl=tls) as port:
        with pytest.raises(
            MailFailed, match=r"certificate of the mail server does not hold: self.signed certificate\."
        ):
            await mailer(port, "smtps").send(MAIL)


def _certificate(directory: Path) -> Path:
    """Signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.example")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path = directory / "certificate.pem"
    encoding = serialization.Encoding.PEM
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(made.public_bytes(encoding) + private)
    return path
