"""Sending mail by SMTP. The standard library's client blocks, so it runs in a thread, with time-outs of its own."""

import asyncio
import smtplib
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Final

from landed.domain.mail import Mail, MailFailed, MailServer

#: Of each step, and of all of them together.
TIMEOUT_S: Final = 15.0
MAIL_S_MAX: Final = 60.0
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})

#: Recipients, with the number and the text of the answer.
_Refused = Mapping[str, tuple[int, bytes]]


class Mailer:
    def __init__(self, server: MailServer, sender: str) -> None:
        self._server = server
        self._sender = sender

    async def send(self, mail: Mail) -> str | None:
        """Hand it over. What is to be noted: that some of the recipients were refused.

        Raises:
            MailFailed: it may not have arrived; or it did, but some of the recipients, who are `left`, were put off.
        """
        if not f"{self._server.user or ''}{self._server.password or ''}".isascii():
            raise MailFailed("User and password of the mail server may have letters of ASCII only.")
        try:
            async with asyncio.timeout(MAIL_S_MAX):
                refused = await asyncio.to_thread(self._send, self._message(mail), mail.to)
        except (smtplib.SMTPException, OSError) as error:
            raise MailFailed(_why(error)) from None  # its text may hold what was said, the password included
        if left := _put_off(refused):
            raise MailFailed(f"The mail server puts off {len(left)} of the recipients.", left=left)
        return _refused(len(refused)) if refused else None

    def _message(self, mail: Mail) -> EmailMessage:
        message = EmailMessage()
        message["From"] = self._sender
        message["To"] = ", ".join(mail.to)
        message["Subject"] = mail.subject
        message["Date"] = format_datetime(mail.at)
        message["Message-ID"] = f"<{mail.id}@{self._sender.rpartition('@')[2].rstrip('>')}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(mail.text)
        message.add_alternative(mail.html, subtype="html")
        return message

    def _send(self, message: EmailMessage, to: Sequence[str]) -> _Refused:
        """Which recipients were refused while others were taken."""
        server = self._server
        context = ssl.create_default_context()
        if server.is_tls:
            client: smtplib.SMTP = smtplib.SMTP_SSL(server.host, server.port, timeout=TIMEOUT_S, context=context)
        else:
            client = smtplib.SMTP(server.host, server.port, timeout=TIMEOUT_S)
        try:
            client.ehlo()
            # On this machine nobody listens in, and its certificate is seldom one that can be verified.
            is_private = server.is_tls or server.host in _LOOPBACK
            if not is_private and client.has_extn("starttls"):
                client.starttls(context=context)
                client.ehlo()
                is_private = True
            if server.user is not None:
                if not is_private:
                    raise smtplib.SMTPNotSupportedError("no TLS")
                client.login(server.user, server.password or "")
            return client.send_message(message, to_addrs=list(to))
        finally:
            with suppress(smtplib.SMTPException, OSError):
                client.quit()


def _why(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return (
            "The mail server offers no TLS or no log-in, so the password was not sent: use one that does, or smtps://."
        )
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return f"The mail server refuses user or password ({error.smtp_code})."
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return _refused(len(error.recipients))
    if isinstance(error, smtplib.SMTPResponseException):
        return f"The mail server answers {error.smtp_code}."
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"The certificate of the mail server does not hold: {error.verify_message.rstrip('.')}."
    return f"The mail server cannot be reached, or does not answer: {type(error).__name__}."


def _put_off(refused: _Refused) -> list[str]:
    """Who is to be tried again: a number from 400 on says not now (greylisting), one from 500 on never."""
    return [address for address, (code, _) in refused.items() if code < 500]


def _refused(number: int) -> str:
    return f"The mail server refuses {number} of the recipients."
