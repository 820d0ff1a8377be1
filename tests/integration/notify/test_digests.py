"""Digests: announced once to each reader, written when they are sent, from what the store holds."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from serving.handoff.machine.transitions import Signal
from serving.notify.digests import announce_digests
from serving.store.session import Store
from tests.integration.handoff.rows import write_handoff, write_sellers
from tests.integration.notify.factories import agree_on, build_outbox, make_notifier
from tests.integration.notify.mailbox import read_parts, receiving_mail
from tests.integration.scores.job_resources import Clock, ask

THURSDAY = datetime(2026, 3, 5, 9, 0, tzinfo=UTC)
MONDAY = datetime(2026, 3, 9, 8, 0, tzinfo=UTC)  # nine in Amsterdam
READERS: dict[str, Any] = {
    "seller:ann": ["ann@baton.test"],
    "seller:bob": ["bob@baton.test"],
    "sales_lead": ["sam@baton.test"],
    "marketing_lead": ["mia@baton.test"],
}


def write_office(store: Store) -> None:
    """Write a lead of Ann's that nobody answered since Thursday, and one that Bob gave back."""
    write_sellers(store, THURSDAY, ann="north", bob="north")
    handed = (THURSDAY, Signal.HAND_OVER, None)
    write_handoff(store, "ann-7@secret.test", handed, (THURSDAY, Signal.ASSIGN, "ann"))
    given_back = (THURSDAY + timedelta(hours=1), Signal.REJECT, "bob")
    write_handoff(
        store, "L2", handed, (THURSDAY, Signal.ASSIGN, "bob"), given_back, reason="no_budget"
    )


def announce(store: Store, settings: Any, at: datetime) -> int:
    with store.work() as work:
        return announce_digests(work, settings, at)


def test_each_reader_gets_their_own_once_and_both_sides_the_same_numbers(
    store: Store, tmp_path: Path
) -> None:
    agree_on(store, "", THURSDAY - timedelta(days=60))
    write_office(store)
    clock = Clock(MONDAY)
    with receiving_mail() as box:
        settings = make_notifier(
            tmp_path,
            smtp_host="127.0.0.1",
            smtp_port=box.port,
            smtp_security="none",
            mail_to=READERS,
        )
        assert announce(store, settings, MONDAY) == 4
        assert announce(store, settings, clock.move(minutes=5)) == 0
        outbox = build_outbox(store, settings, clock)
        while outbox.run_once():
            pass

    assert ask(store, "SELECT DISTINCT state FROM outbox_effect") == [("done",)]
    mails = {to[0].partition("@")[0]: read_parts(mail) for to, mail in box.mails}
    assert "Sales' answer is overdue" in mails["ann"][0]
    assert "No lead waits." in mails["bob"][0]
    assert "secret.test" not in str(mails)  # handoffs by number: an id may be an address
    sam, mia = mails["sam"][0], mails["mia"][0]
    assert sam.splitlines()[1:] == mia.splitlines()[1:]
    assert "2 leads handed over" in sam
    assert "no budget" in sam
    assert "<table" in mails["sam"][1]


def test_no_digest_is_announced_before_its_time_or_without_a_mail_server(
    store: Store, tmp_path: Path
) -> None:
    settings = make_notifier(tmp_path, smtp_host="mail.test", mail_to=READERS)

    assert announce(store, settings, MONDAY - timedelta(hours=1)) == 0
    assert announce(store, settings, MONDAY - timedelta(days=1)) == 0
    assert announce(store, make_notifier(tmp_path, mail_to=READERS), MONDAY) == 0
