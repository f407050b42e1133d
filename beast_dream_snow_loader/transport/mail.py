"""Mail over SMTP: the one place where it goes out."""

from __future__ import annotations

import contextlib
import smtplib
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from pathlib import Path
from typing import Literal

from beast_dream_snow_loader.core.shown import shown
from beast_dream_snow_loader.errors import ConfigurationError, NotAuthenticated, NotSent, OutcomeUnknown
from beast_dream_snow_loader.redaction import Secret
from beast_dream_snow_loader.transport.manners import is_loopback
from beast_dream_snow_loader.transport.tls import Trust, context

Security = Literal["starttls", "tls", "plain"]
_STEP = "Check the settings notify.smtp_*, then run: snowload notify test --channel smtp"
_TAKEN, _RECIPIENT = 250, (250, 251)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailbox:
    """Where mail is handed over, by whom and for whom. ``ca_file`` None: the system's authorities. ``timeout``: seconds
    for each step."""

    host: str
    port: int
    security: Security
    sender: str
    recipients: tuple[str, ...]
    username: str = ""
    password: Secret | None = None
    ca_file: Path | None = None
    timeout: float = 5.0


def send_mail(mailbox: Mailbox, subject: str, text: str, message_id: str) -> int:
    """Hand one mail over; so many of its recipients were refused, and the others have it. Nothing in ``subject`` makes
    another header.

    Raises NotSent, NotAuthenticated, OutcomeUnknown when the connection broke after the text was sent, and
    ConfigurationError for a connection without encryption to another machine.
    """
    if mailbox.security == "plain" and not is_loopback(mailbox.host):
        raise ConfigurationError(
            f"Mail would go to {mailbox.host} unencrypted.", next_step='Set notify.smtp_security to "starttls".'
        )
    mail = _mail(mailbox, subject, text, message_id)
    with _connected(mailbox) as smtp:
        return _hand_over(mailbox, smtp, mail)


def _mail(mailbox: Mailbox, subject: str, text: str, message_id: str) -> EmailMessage:
    mail = EmailMessage(policy=SMTP)
    mail["Subject"] = shown(subject, 150)
    mail["From"] = mailbox.sender
    mail["To"] = ", ".join(mailbox.recipients)
    mail["Date"] = formatdate()
    mail["Message-ID"] = f"<{message_id}@snowload>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content("\n".join(shown(line, 2000) for line in text.splitlines()))
    return mail


@contextlib.contextmanager
def _connected(mailbox: Mailbox) -> Iterator[smtplib.SMTP]:
    where = f"{mailbox.host}:{mailbox.port}"
    try:
        smtp = _opened(mailbox)
    except smtplib.SMTPAuthenticationError:
        raise NotAuthenticated(
            f"The mail server {where} does not accept the login of notify.smtp_username.", next_step=_STEP
        ) from None
    except smtplib.SMTPNotSupportedError:
        raise NotSent(f"The mail server {where} offers no STARTTLS or no login.", next_step=_STEP) from None
    except ssl.SSLCertVerificationError as error:
        why = f"its certificate is not trusted ({error.verify_message})"
        raise NotSent(f"The mail server {where}: {why}.", next_step=_STEP) from None
    except (smtplib.SMTPException, OSError, ValueError) as error:
        raise NotSent(f"The mail server {where} was not reached: {_why(error)}.", next_step=_STEP) from None
    try:
        yield smtp
    finally:
        with contextlib.suppress(smtplib.SMTPException, OSError):
            smtp.quit()


def _opened(mailbox: Mailbox) -> smtplib.SMTP:
    own, secure = socket.gethostname(), context(Trust(ca_file=mailbox.ca_file))
    host, port, limit = mailbox.host, mailbox.port, mailbox.timeout
    if mailbox.security == "tls":
        smtp: smtplib.SMTP = smtplib.SMTP_SSL(host, port, local_hostname=own, timeout=limit, context=secure)
    else:
        smtp = smtplib.SMTP(host, port, local_hostname=own, timeout=limit)
    try:
        if mailbox.security == "starttls":
            smtp.starttls(context=secure)
        if mailbox.username and mailbox.password is not None:
            smtp.login(mailbox.username, mailbox.password.reveal())
    except BaseException:
        smtp.close()
        raise
    return smtp


def _hand_over(mailbox: Mailbox, smtp: smtplib.SMTP, mail: EmailMessage) -> int:
    where, addressed = f"{mailbox.host}:{mailbox.port}", False
    try:
        refused = _addressed(mailbox, smtp)
        addressed = True
        code, _ = smtp.data(mail.as_bytes())
    except smtplib.SMTPServerDisconnected:
        if not addressed:
            raise NotSent(f"The mail server {where} broke off before it had the mail.", next_step=_STEP) from None
        raise OutcomeUnknown(
            f"The mail server {where} broke off: the mail may have arrived.", next_step=_STEP, repeat_helps=False
        ) from None
    except smtplib.SMTPResponseException as error:
        raise _refusal(where, error.smtp_code) from None
    except smtplib.SMTPRecipientsRefused:
        raise NotSent(f"The mail server {where} refused every recipient.", next_step=_STEP) from None
    except (smtplib.SMTPException, OSError) as error:
        raise NotSent(f"The mail server {where} did not take the mail: {_why(error)}.", next_step=_STEP) from None
    if code != _TAKEN:
        raise _refusal(where, code)
    return refused


def _addressed(mailbox: Mailbox, smtp: smtplib.SMTP) -> int:
    """Sender and recipients named; so many of them were refused. Step by step, for until the text is sent nobody can
    have it."""
    smtp.ehlo_or_helo_if_needed()
    code, said = smtp.mail(mailbox.sender)
    if code != _TAKEN:
        raise smtplib.SMTPSenderRefused(code, said, mailbox.sender)
    answers = {one: smtp.rcpt(one) for one in mailbox.recipients}
    refused = {one: answer for one, answer in answers.items() if answer[0] not in _RECIPIENT}
    if len(refused) == len(answers):
        raise smtplib.SMTPRecipientsRefused(refused)
    return len(refused)


def _refusal(where: str, code: int) -> NotSent:
    return NotSent(f"The mail server {where} refused the mail ({code}).", next_step=_STEP)


def _why(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"it answered {error.smtp_code}"
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
