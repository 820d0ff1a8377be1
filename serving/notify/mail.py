"""Mail by SMTP: one recipient at a time, plain text and HTML, the same Message-ID at every attempt."""

import smtplib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime

from features import clock
from serving.notify.messages import Message, build_message
from serving.notify.outbox import Effect, SendFailedError
from serving.notify.webhooks import make_message_id
from serving.settings import ServingSettings

TOPIC = "mail"

REFUSED_FOR_GOOD = range(500, 600)


def write_mail(
    message: Message, sender: str, to: str, effect_key: str, at: datetime
) -> EmailMessage:
    """Write a mail.

    Raises
    ------
    ValueError
        If an address or subject holds what no header may, such as the end of a line.
    """
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, to, message.subject
    mail["Date"] = format_datetime(at)
    # Mailboxes show a mail once that comes twice under one id.
    mail["Message-ID"] = f"<{make_message_id(effect_key)}@baton>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(message.text)
    mail.add_alternative(message.html, subtype="html")
    return mail


def deliver(settings: ServingSettings, mail: EmailMessage) -> None:
    """Give a mail to the mail server.

    Raises
    ------
    SendFailedError
        If the server does not take it; for good where it says so.
    """
    try:
        with _connect(settings) as server:
            if settings.smtp_user is not None and settings.smtp_password is not None:
                server.login(settings.smtp_user, settings.smtp_password.get_secret_value())
            server.send_message(mail)
    except smtplib.SMTPAuthenticationError as error:
        # Our own mistake, which somebody may mend: not the mail's.
        raise SendFailedError(f"The mail server let us not in ({error.smtp_code})") from None
    except smtplib.SMTPRecipientsRefused as error:
        code = next(iter(error.recipients.values()))[0]
        raise _refused(code) from None
    except smtplib.SMTPResponseException as error:
        raise _refused(error.smtp_code) from None
    except (OSError, smtplib.SMTPException) as error:
        raise SendFailedError(f"No mail server ({type(error).__name__})") from None


def _refused(code: int) -> SendFailedError:
    return SendFailedError(f"The mail server answered {code}", for_good=code in REFUSED_FOR_GOOD)


def _connect(settings: ServingSettings) -> smtplib.SMTP:
    host, port, timeout = (
        settings.smtp_host or "",
        settings.smtp_port,
        settings.send_timeout_seconds,
    )
    if settings.smtp_security == "tls":
        return smtplib.SMTP_SSL(host, port, timeout=timeout, context=ssl.create_default_context())
    server = smtplib.SMTP(host, port, timeout=timeout)
    if settings.smtp_security == "starttls":
        try:
            server.starttls(context=ssl.create_default_context())
        except (OSError, smtplib.SMTPException):
            server.close()
            raise
    return server


@dataclass
class MailSender:
    """Sends effects of the topic ``mail``."""

    settings: ServingSettings
    now: Callable[[], datetime] = clock.now

    def __call__(self, effect: Effect) -> None:
        """Write and deliver.

        Raises
        ------
        SendFailedError
            If the mail server does not take it.
        """
        if self.settings.smtp_host is None:
            raise SendFailedError("There is no mail server in BATON_SMTP_HOST")
        message = build_message(effect.payload, self.settings.public_url)
        mail = write_mail(
            message, self.settings.mail_from, effect.payload["to"], effect.key, self.now()
        )
        deliver(self.settings, mail)
