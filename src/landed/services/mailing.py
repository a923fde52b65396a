"""Sending mail by SMTP. The standard library's client blocks, so it runs in a thread, with time-outs of its own."""

import asyncio
import smtplib
import ssl
from collections.abc import Sequence
from contextlib import suppress
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Final

from landed.domain.mail import Mail, MailFailed, MailServer

TIMEOUT_S: Final = 15.0
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class Mailer:
    def __init__(self, server: MailServer, sender: str) -> None:
        self._server = server
        self._sender = sender

    async def send(self, mail: Mail) -> str | None:
        """Hand it over. What is to be noted: that some of the recipients were refused.

        Raises:
            MailFailed: it may not have arrived.
        """
        try:
            refused = await asyncio.to_thread(self._send, self._message(mail), mail.to)
            return _refused(refused) if refused else None
        except (smtplib.SMTPException, OSError, ssl.SSLError) as error:
            raise MailFailed(_why(error)) from None  # its text may hold what was said, the password included

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

    def _send(self, message: EmailMessage, to: Sequence[str]) -> int:
        """How many recipients were refused while others were taken."""
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
            return len(client.send_message(message, to_addrs=list(to)))
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
    return f"The mail server cannot be reached, or does not answer: {type(error).__name__}."


def _refused(number: int) -> str:
    return f"The mail server refuses {number} of the recipients."
