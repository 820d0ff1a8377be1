"""A real mail server that keeps what it takes."""

from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import Message
from typing import Any

from aiosmtpd.controller import Controller


class Mailbox:
    """What a mail server took, and how it answers."""

    def __init__(self) -> None:
        self.mails: list[tuple[list[str], Message]] = []
        self.answers: list[str] = []
        self.port = 0

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        answer = self.answers.pop(0) if self.answers else "250 OK"
        if answer.startswith("250"):
            self.mails.append((envelope.rcpt_tos, message_from_bytes(envelope.content)))
        return answer


class FreePort(Controller):
    """Listens on any free port, and tries the one it got."""

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@contextmanager
def receiving_mail() -> Iterator[Mailbox]:
    box = Mailbox()
    controller = FreePort(box, hostname="127.0.0.1", port=0)
    controller.start()
    box.port = controller.port
    try:
        yield box
    finally:
        controller.stop()


def read_parts(mail: Message) -> tuple[str, str]:
    """Read a mail's plain text and its HTML."""
    text, html = [part.get_payload(decode=True).decode() for part in mail.get_payload()]
    return text, html
