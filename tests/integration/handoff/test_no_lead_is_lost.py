"""Whatever people and time do to leads: none in two hands, none in nobody's, no move but the table's."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from serving.errors import RefusedError
from serving.handoff.lifecycle.context import ActionContext
from serving.handoff.lifecycle.give_back import give_back, give_up, reject, withdraw
from serving.handoff.lifecycle.respond import accept, hand_on, supply
from serving.handoff.lifecycle.respond import ask as ask_marketing
from serving.handoff.lifecycle.sweep import sweep
from serving.handoff.lifecycle.work import Tried, log_attempt, lose, open_deal, qualify, win
from serving.handoff.machine.transitions import MOVES, OPEN, Signal, State
from serving.handoff.playbook.sections.returns import SalesReason
from serving.store.session import Store, UnitOfWork
from tests.integration.handoff.office import (
    MONDAY,
    QUALIFIED,
    add_lead,
    agree,
    ask,
    ask_for_sales,
    make_sweep_context,
)

LEADS = ("ada", "bo", "cy", "di", "ed", "flo")
STEPS = 40
Action = Callable[[UnitOfWork, int, ActionContext], Any]

ACTIONS: tuple[Action, ...] = (
    accept,
    lambda work, i, o: log_attempt(work, i, Tried(o.at, "call", "reached"), o),
    lambda work, i, o: log_attempt(work, i, Tried(o.at, "email"), o),
    lambda work, i, o: qualify(work, i, QUALIFIED, o),
    lambda work, i, o: hand_on(work, i, None, o),
    lambda work, i, o: ask_marketing(work, i, "which one?", o),
    lambda work, i, o: supply(work, i, None, o),
    lambda work, i, o: reject(work, i, SalesReason.WRONG_DATA, None, o),
    lambda work, i, o: give_back(work, i, SalesReason.NO_BUDGET, None, o),
    lambda work, i, o: give_up(work, i, None, o),
    lambda work, i, o: withdraw(work, i, "a duplicate", o),
    open_deal,
    win,
    lambda work, i, o: lose(work, i, "price", o),
)


def try_to(store: Store, action: Action, handoff_id: int, context: ActionContext) -> bool:
    """Do something to a handoff; tell whether the rules let it happen."""
    try:
        with store.work() as work:
            action(work, handoff_id, context)
    except RefusedError:
        return False
    return True


def list_handoffs(store: Store) -> list[int]:
    return [row[0] for row in ask(store, "SELECT handoff_id FROM handoff ORDER BY 1")]


def check_every_lead_is_somewhere(store: Store) -> None:
    rows = ask(
        store,
        "SELECT h.lead_id, count(*) FILTER (WHERE closed_at IS NULL), "
        "(SELECT count(*) FROM nurture_track n WHERE n.lead_id = h.lead_id), "
        "bool_or(state = 'won') FROM handoff h GROUP BY 1",
    )
    for lead_id, in_hand, on_track, won in rows:
        assert in_hand + on_track == 1 or (won and in_hand + on_track == 0), lead_id


def check_every_move_is_of_the_table(store: Store) -> None:
    stands: dict[int, State] = {}
    moves = ask(
        store, "SELECT handoff_id, origin, signal, state FROM handoff_move ORDER BY move_number"
    )
    for handoff_id, origin, signal, state in moves:
        assert stands.get(handoff_id, State.DECIDED) == State(origin)
        assert MOVES[State(origin), Signal(signal)].to is State(state)
        stands[handoff_id] = State(state)
    kept = ask(store, "SELECT handoff_id, state, closed_at IS NULL FROM handoff")
    for handoff_id, state, is_open in kept:
        assert stands[handoff_id] == State(state)
        assert is_open == (State(state) in OPEN)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_lead_is_lost_whatever_happens(store: Store, seed: int) -> None:
    agree(store)
    rng, at = np.random.default_rng(seed), MONDAY
    for lead_id in LEADS:
        add_lead(store, lead_id)
    done = 0
    for _ in range(STEPS):
        at += timedelta(minutes=float(rng.integers(5, 60 * 40)))
        if rng.random() < 0.25:
            ask_for_sales(store, str(rng.choice(LEADS)), at)
            assert sweep(make_sweep_context(store), at).counts["refused"] == 0
        elif listed := list_handoffs(store):
            handoff_id, context = int(rng.choice(listed[-3:])), ActionContext(at, "somebody")
            tried = [ACTIONS[n] for n in rng.permutation(len(ACTIONS))[:6]]
            done += any(try_to(store, action, handoff_id, context) for action in tried)
        check_every_lead_is_somewhere(store)
    sweep(make_sweep_context(store), at + timedelta(days=40))

    check_every_lead_is_somewhere(store)
    check_every_move_is_of_the_table(store)
    assert done >= 4
