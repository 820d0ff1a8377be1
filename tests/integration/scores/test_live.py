"""A lead that changed gets a fresh score; kept as it was given; the same again when replayed."""

from datetime import timedelta

import msgspec
import numpy as np
import pytest

from serving.scoring.replay import replay
from serving.store.session import Store
from tests.integration.scores.house import (
    Clock,
    ask,
    draw_event,
    land,
    make_event,
    make_item,
    make_scorer,
)
from tests.unit.serving.factories import NOW


def read_answers(store: Store, lead_id: str) -> list[tuple]:
    return ask(
        store,
        "SELECT as_of, answer, is_latest, because FROM score WHERE lead_id = :lead ORDER BY as_of",
        lead=lead_id,
    )


def replay_at(scorer, lead_id, as_of, **more) -> bytes:
    with scorer.store.work(read_only=True) as work:
        created = NOW - timedelta(days=12)
        return replay(work, scorer.shelf, scorer.desks, lead_id, as_of, created_at=created, **more)


def test_an_event_makes_its_lead_due_and_the_next_pass_scores_it(store: Store, tmp_path) -> None:
    clock = Clock()
    scorer = make_scorer(store, tmp_path, clock)
    land(store, "lead", make_item("ann"), at=clock())
    scorer.run_once()
    before = read_answers(store, "ann")

    clock.move(minutes=5)
    land(store, "event", make_event("ann", "e1", clock() - timedelta(minutes=1)), at=clock())
    clock.move(seconds=1)
    scorer.run_once()
    after = read_answers(store, "ann")

    assert [row[2:] for row in after][-1] == (True, "event")
    assert [row[2] for row in after] == [False] * len(before) + [True]
    first, last = (msgspec.json.decode(bytes(row[1])) for row in (before[-1], after[-1]))
    assert last["points"] > first["points"]
    assert last["as_of"] == clock().isoformat().replace("+00:00", "Z")
    assert 50 + sum(r["points"] for r in last["reasons"]) == pytest.approx(last["points_uncut"])
    assert ask(
        store,
        "SELECT count(*) FROM score_due WHERE because <> 'time' AND due_at <= :at",
        at=clock(),
    ) == [(0,)]


def test_what_was_served_live_is_replayed_byte_for_byte_at_ten_moments(
    store: Store, tmp_path
) -> None:
    clock, rng = Clock(), np.random.default_rng(3)
    scorer = make_scorer(store, tmp_path, clock)
    land(store, "lead", make_item("ann"), at=clock())
    for number in range(10):
        clock.move(hours=float(rng.integers(1, 60)))
        land(store, "event", draw_event(rng, "ann", number, clock()), at=clock())
        if number == 4:
            item = make_item("ann", attributes={"industry": "logistics", "employees": 900})
            land(store, "lead", item, at=clock())
        if number == 6:
            move = {"lead_id": "ann", "stage": "mql", "at": clock().isoformat()}
            land(store, "stage", move, at=clock())
        clock.move(seconds=2)
        scorer.run_once()
    served = read_answers(store, "ann")

    assert len(served) >= 10
    assert len({bytes(answer) for _, answer, *_ in served}) == len(served)
    for as_of, answer, *_ in served:
        assert replay_at(scorer, "ann", as_of) == bytes(answer)
        assert replay_at(scorer, "ann", as_of, anew=True) == bytes(answer)
