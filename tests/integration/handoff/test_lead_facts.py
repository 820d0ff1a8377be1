"""What was known of a lead at a moment: nothing that became known later, whenever it happened."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from features.lifecycle.stages import Stage
from features.taxonomy import default_taxonomy
from serving.handoff.decision.rules import Drawn
from serving.handoff.lifecycle.lead_facts import LeadFacts, read_lead_facts
from serving.handoff.machine.transitions import Signal
from serving.handoff.playbook.sections.returns import SalesReason
from serving.store.session import Store
from serving.store.tables import Decision, HandoffMove, Score
from tests.integration.handoff.office import MONDAY, add_lead, do, land
from tests.integration.handoff.rows import write_handoff, write_sellers

TICK = timedelta(microseconds=1)
BEFORE = MONDAY - timedelta(hours=1)
"""When all of it happened. The lead's records are known since long before that."""
LONG_AGO = MONDAY - timedelta(days=10)


def read_at(store: Store, at: Any) -> LeadFacts:
    with store.work(read_only=True) as work:
        return read_lead_facts(work, "ann", at, default_taxonomy(), is_now=False)


def add_event(store: Store) -> None:
    item = {"lead_id": "ann", "kind": "demo_request", "occurred_at": BEFORE.isoformat()}
    land(store, "event", item, at=MONDAY)


def add_attributes(store: Store) -> None:
    land(store, "lead", {"lead_id": "ann", "attributes": {"industry": "retail"}}, at=MONDAY)


def add_stage(store: Store) -> None:
    move = {"lead_id": "ann", "stage": "mql", "at": BEFORE.isoformat()}
    land(store, "stage", move, at=MONDAY)


def add_attempt(store: Store) -> None:
    call = {"lead_id": "ann", "channel": "call", "at": BEFORE.isoformat()}
    land(store, "attempt", call, at=MONDAY)


def add_score(store: Store, contract: str = "sql", **found: Any) -> None:
    with store.work() as work:
        work.session.add(
            Score(
                lead_id="ann",
                contract=contract,
                as_of=MONDAY,
                scored_at=MONDAY,
                because="event",
                model_version="v1",
                status="scored",
                points=80.0,
                band="A",
                answer=json.dumps({"reasons": [], **found}).encode(),
            )
        )


def add_draw(store: Store) -> None:
    with store.work() as work:
        work.session.add(
            Decision(
                lead_id="ann",
                at=MONDAY,
                verdict="hand_off",
                because="Drawn.",
                triggers=[],
                suppressions=[],
                propensity=0.1,
                playbook_version="v1",
                by="rule",
            )
        )


def read_activities(known: LeadFacts) -> Any:
    return known.activities, known.facts.events


READINGS: dict[str, tuple[Callable[[Store], None], Callable[[LeadFacts], Any]]] = {
    "event": (add_event, read_activities),
    "attributes": (add_attributes, lambda known: known.facts.attributes["industry"]),
    "stage": (add_stage, lambda known: (known.stage, known.facts.stages)),
    "attempt": (add_attempt, lambda known: known.attempts),
    "score": (add_score, lambda known: (known.score, known.facts.score, known.worth)),
    "draw": (add_draw, lambda known: known.drawn),
}


@pytest.mark.parametrize(("add", "read"), READINGS.values(), ids=READINGS)
def test_what_becomes_known_counts_from_that_very_moment_on(
    add: Callable[[Store], None], read: Callable[[LeadFacts], Any], store: Store
) -> None:
    add_lead(store, "ann", at=LONG_AGO)
    nothing = read(read_at(store, MONDAY))

    add(store)

    assert read(read_at(store, MONDAY - TICK)) == nothing
    assert read(read_at(store, MONDAY)) != nothing


def test_a_demo_that_becomes_known_later_hands_nobody_over_before(store: Store) -> None:
    add_lead(store, "ann", at=LONG_AGO)
    do(store, "ann", "page_view", LONG_AGO)

    add_event(store)

    kinds = [activity.kind for activity in read_at(store, MONDAY - TICK).activities]
    assert kinds == ["page_view"]


def test_what_a_lead_is_worth_is_its_expected_value_where_that_is_known(store: Store) -> None:
    add_lead(store, "ann", at=LONG_AGO)
    assert read_at(store, MONDAY).worth is None
    add_score(store)
    assert read_at(store, MONDAY).worth == 80.0

    add_score(store, contract="won", expected_value=1234.5)

    assert read_at(store, MONDAY).worth == 1234.5


def test_a_handoff_is_in_hand_until_the_moment_it_was_closed(store: Store) -> None:
    write_sellers(store, LONG_AGO, sam="sales")
    given = (
        (LONG_AGO, Signal.HAND_OVER, None),
        (LONG_AGO, Signal.ASSIGN, "sam"),
        (MONDAY, Signal.REJECT, None),
    )
    number = write_handoff(store, "ann", *given, reason=SalesReason.NO_BUDGET.value)
    call = {
        "lead_id": "ann",
        "handoff_id": str(number),
        "channel": "call",
        "at": BEFORE.isoformat(),
    }
    land(store, "attempt", call, at=MONDAY + TICK)

    before, then, after = (read_at(store, at) for at in (MONDAY - TICK, MONDAY, MONDAY + TICK))

    assert (before.in_hand, before.earlier) == (str(number), ())
    assert then.in_hand is None
    ((earlier,), (later,)) = then.earlier, after.earlier
    assert (earlier.ended_at, earlier.reason) == (MONDAY, SalesReason.NO_BUDGET)
    assert (earlier.attempts, later.attempts) == (0, 1)
    assert read_at(store, LONG_AGO - TICK).in_hand is None


def test_what_the_lead_answered_counts_from_that_moment_on(store: Store) -> None:
    number = write_handoff(store, "ann", (LONG_AGO, Signal.HAND_OVER, None))
    with store.work() as work:
        work.session.add(
            HandoffMove(
                handoff_id=number,
                at=MONDAY,
                origin="queued",
                state="queued",
                signal="qualify",
                by="sam",
                facts={"answers": {"need": True}},
            )
        )

    assert read_at(store, MONDAY - TICK).facts.answers == {}
    assert read_at(store, MONDAY).facts.answers == {"need": True}


def test_a_draw_of_another_lead_counts_for_the_week_and_one_of_an_old_week_does_not(
    store: Store,
) -> None:
    add_lead(store, "ann", at=LONG_AGO)
    add_draw(store)

    assert read_at(store, MONDAY).drawn == Drawn(1, MONDAY)
    assert read_at(store, MONDAY + timedelta(days=7)).drawn == Drawn(1, MONDAY)
    assert read_at(store, MONDAY + timedelta(days=7) + TICK).drawn == Drawn(0, MONDAY)
    assert read_at(store, MONDAY).stage is Stage.LEAD
