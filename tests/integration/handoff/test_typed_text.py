"""What people type stays in the house: webhooks, mail and chat carry ids and the rules' own sentences."""

from datetime import timedelta

import pytest

from serving.handoff.decision.rules import ManualRequest
from serving.handoff.lifecycle.assign import assign
from serving.handoff.lifecycle.context import ActionContext
from serving.handoff.lifecycle.give_back import give_back, reject, withdraw
from serving.handoff.lifecycle.respond import accept, hand_on, supply
from serving.handoff.lifecycle.respond import ask as ask_marketing
from serving.handoff.lifecycle.sweep import sweep
from serving.handoff.lifecycle.work import Tried, log_attempt, lose, open_deal, qualify
from serving.handoff.playbook.sections.returns import SalesReason
from serving.store.session import Store
from tests.integration.handoff.office import (
    MONDAY,
    QUALIFIED,
    add_lead,
    agree,
    ask,
    count,
    decide,
    make_sweep_context,
)

TYPED = "zq-typed-by-hand"
"""Stands in every text that somebody types."""

SOON = MONDAY + timedelta(minutes=10)


@pytest.fixture
def office(store: Store) -> Store:
    agree(store)
    return store


def hand_over(store: Store, lead_id: str) -> int:
    add_lead(store, lead_id)
    manual = ManualRequest("mia", f"{TYPED} met at the fair, wants a call")
    outcome = decide(store, lead_id, MONDAY, manual=manual)
    assert outcome.handoff is not None
    return outcome.handoff.handoff_id


def by(who: str) -> ActionContext:
    return ActionContext(SOON, who)


def test_no_text_that_somebody_typed_is_put_into_the_outbox(office: Store) -> None:
    back, away, lost, refused = (hand_over(office, f"lead-{n}") for n in range(4))
    with office.work() as work:
        ask_marketing(work, back, TYPED, by("ann"))
        supply(work, back, TYPED, by("mia"))
        hand_on(work, away, TYPED, by("ann"))
    sweep(make_sweep_context(office), SOON)
    with office.work() as work:
        assign(work, back, "ann", TYPED, by("olga"))
        accept(work, back, by("ann"))
        log_attempt(work, back, Tried(SOON, "call", TYPED), by("ann"))
        give_back(work, back, SalesReason.NO_NEED_NOW, TYPED, by("ann"))
        withdraw(work, away, TYPED, by("mia"))
        reject(work, refused, SalesReason.NO_NEED_NOW, TYPED, by("ann"))
        log_attempt(work, lost, Tried(SOON, "call", "reached"), by("ann"))
        qualify(work, lost, {**QUALIFIED, "remark": TYPED}, by("ann"))
        open_deal(work, lost, by("ann"))
        lose(work, lost, TYPED, by("ann"), TYPED)
    sweep(make_sweep_context(office), SOON + timedelta(days=3))

    topics = {topic for (topic,) in ask(office, "SELECT DISTINCT topic FROM outbox_effect")}
    assert topics >= {"handoff.assigned", "handoff.asked", "handoff.returned", "handoff.lost"}
    leaked = "SELECT topic, payload::text FROM outbox_effect WHERE payload::text LIKE :typed"
    assert ask(office, leaked, typed=f"%{TYPED}%") == []
    kept = "SELECT count(*) FROM handoff_move WHERE note LIKE :typed OR reason LIKE :typed"
    assert count(office, kept, typed=f"%{TYPED}%") > 3
