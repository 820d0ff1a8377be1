"""Mail to a real mail server, messages to a chat room, and who is told of what."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from serving import handoff
from serving.notify.fan_out import EVENTS_BY_TOPIC
from serving.notify.outbox import LEASE, Outbox
from serving.settings import ServingSettings
from serving.store.session import Store
from tests.integration.handoff import office
from tests.integration.notify.factories import (
    agree_on,
    build_outbox,
    describe_of,
    make_notice,
    make_notifier,
)
from tests.integration.notify.mailbox import Mailbox, read_parts, receiving_mail
from tests.integration.notify.receiver import receiving
from tests.integration.scores.job_resources import Clock, ask

RULES = """
[[notifications.rules]]
on = ["handed_over"]
to = ["seller"]
[[notifications.rules]]
on = ["breached"]
to = ["sales_lead", "marketing_lead"]
by = ["mail", "chat"]
"""
MAILS = "SELECT state, last_problem FROM outbox_effect WHERE topic = 'mail' ORDER BY effect_number"


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    with receiving_mail() as box:
        yield box, box.port


def send_notice(
    store: Store, settings: ServingSettings, clock: Clock, **notification: Any
) -> Outbox:
    """Tell of something by the rules of these tests; give what is to send it."""
    agree_on(store, RULES, clock())
    describe_of(store, make_notice(clock(), **notification))
    return build_outbox(store, settings, clock)


def make_mailer(folder: Path, port: int, **changes: Any) -> ServingSettings:
    valid: dict[str, Any] = {
        "smtp_host": "127.0.0.1",
        "smtp_port": port,
        "smtp_security": "none",
        "mail_to": {
            "seller:ann": ["ann@baton.test"],
            "seller:bob": ["bob@baton.test"],
            "sales_lead": ["lead@baton.test"],
            "marketing_lead": ["lead@baton.test", "mia@baton.test"],
        },
        "public_url": "https://baton.example.com/",
    }
    return make_notifier(folder, **{**valid, **changes})


def test_the_seller_whose_lead_it_is_gets_one_mail_in_text_and_html(
    store: Store, tmp_path: Path, mailbox: tuple[Mailbox, int]
) -> None:
    box, port = mailbox
    clock = Clock()
    because = "Asked for a demo & said <now>."
    data = {"event": "handed_over", "lead_id": "a@b.test", "because": because}
    outbox = send_notice(store, make_mailer(tmp_path, port), clock, **data)
    while outbox.run_once():
        pass

    ((to, mail),) = box.mails
    text, html = read_parts(mail)
    assert to == ["ann@baton.test"]
    assert mail["Subject"] == "A lead for you (handoff 17)"
    assert because in text
    assert "https://baton.example.com/v1/leads/a%40b.test" in text
    assert "demo &amp; said &lt;now&gt;" in html
    assert mail["Message-ID"].startswith("<msg_")


def test_somebody_named_under_two_roles_gets_one_mail(
    store: Store, tmp_path: Path, mailbox: tuple[Mailbox, int]
) -> None:
    box, port = mailbox
    clock = Clock()
    outbox = send_notice(store, make_mailer(tmp_path, port), clock, event="breached")
    while outbox.run_once():
        pass

    assert sorted(to for to, _ in box.mails) == [["lead@baton.test"], ["mia@baton.test"]]


def test_a_mail_sent_twice_carries_the_same_id(
    store: Store, tmp_path: Path, mailbox: tuple[Mailbox, int]
) -> None:
    box, port = mailbox
    clock = Clock()
    outbox = send_notice(store, make_mailer(tmp_path, port), clock, event="handed_over")
    outbox.run_once()
    _, (effect,) = outbox.claim()
    outbox.senders["mail"](effect)  # and dies
    clock.at += LEASE
    outbox.run_once()

    assert len(box.mails) == 2
    assert len({mail["Message-ID"] for _, mail in box.mails}) == 1


@pytest.mark.parametrize(
    ("answer", "state"), [("451 later", "waiting"), ("554 never", "given_up")]
)
def test_a_mail_server_may_ask_for_patience_or_refuse_for_good(
    answer: str, state: str, store: Store, tmp_path: Path, mailbox: tuple[Mailbox, int]
) -> None:
    box, port = mailbox
    box.answers = [answer]
    clock = Clock()
    outbox = send_notice(store, make_mailer(tmp_path, port), clock, event="handed_over")
    outbox.run_once()
    outbox.run_once()

    assert ask(store, MAILS) == [(state, f"The mail server answered {answer[:3]}")]


def test_a_mail_server_that_offers_no_safe_line_gets_nothing(
    store: Store, tmp_path: Path, mailbox: tuple[Mailbox, int]
) -> None:
    box, port = mailbox
    clock = Clock()
    outbox = send_notice(
        store, make_mailer(tmp_path, port, smtp_security="starttls"), clock, event="handed_over"
    )
    outbox.run_once()
    outbox.run_once()

    assert box.mails == []
    assert ask(store, MAILS) == [("waiting", "No mail server (SMTPNotSupportedError)")]


def test_without_a_mail_server_nothing_waits_for_one(store: Store, tmp_path: Path) -> None:
    clock = Clock()
    outbox = send_notice(store, make_mailer(tmp_path, 25, smtp_host=None), clock, event="breached")
    outbox.run_once()

    assert ask(store, "SELECT topic, state FROM outbox_effect") == [("notice", "done")]


def test_a_chat_room_hears_of_what_its_roles_hear_of(store: Store, tmp_path: Path) -> None:
    clock = Clock()
    agree_on(store, RULES, clock())
    describe_of(store, make_notice(clock(), event="breached", because="The answer was due at 9."))
    with receiving() as sales, receiving() as overseers:
        chats = {
            "sales": {"url": sales.url, "roles": ["sales_lead"]},
            "overseers": {"url": overseers.url, "roles": ["overseer"]},
        }
        outbox = build_outbox(store, make_notifier(tmp_path, chats=chats), clock)
        while outbox.run_once():
            pass

    ((_, body),) = sales.received
    assert "The answer was due at 9." in json.loads(body)["text"]
    assert overseers.received == []
    # A room's address is a secret: it stands nowhere in the store.
    assert ask(
        store, "SELECT count(*) FROM outbox_effect WHERE payload::text LIKE '%127.0.0.1%'"
    ) == [(0,)]


def test_a_lead_that_asks_for_sales_is_a_mail_to_the_seller_who_got_it(
    store: Store, tmp_path: Path, mailbox: tuple[Mailbox, int]
) -> None:
    box, port = mailbox
    office.agree(store)
    office.add_lead(store, "lead-1")
    office.ask_for_sales(store, "lead-1", office.MONDAY)
    outcome = office.decide(store, "lead-1", office.MONDAY)
    assert outcome.handoff is not None

    people = {f"seller:{one}": [f"{one}@baton.test"] for one in ("ann", "ben")}
    settings = make_mailer(tmp_path, port, mail_to=people)
    outbox = build_outbox(store, settings, Clock(office.MONDAY))
    while outbox.run_once():
        pass

    ((to, mail),) = box.mails
    assert to == [f"{outcome.handoff.seller_id}@baton.test"]
    assert mail["Subject"] == f"A lead for you (handoff {outcome.handoff.handoff_id})"
    assert set(dict(ask(store, "SELECT effect_key, state FROM outbox_effect")).values()) == {
        "done"
    }


def test_everything_the_service_of_handoffs_announces_is_read() -> None:
    written = Path(handoff.__file__).parent.rglob("*.py")
    topics = {
        topic
        for file in written
        for topic in re.findall(r'"((?:handoff|lead)\.[a-z_]+)"', file.read_text(encoding="utf-8"))
    }

    assert topics == set(EVENTS_BY_TOPIC)
