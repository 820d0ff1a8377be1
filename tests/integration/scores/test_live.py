"""A lead that changed gets a fresh score; kept as it was given; the same again when replayed."""

from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from features.clock import MICROSECOND
from serving.intake.identity.merging import Actor, merge_leads
from serving.scoring.live.worker import LiveScorer
from serving.scoring.request.service import Scoring, read_body, score_one
from serving.store import histories
from serving.store.packed import find_differences
from serving.store.session import Store, UnitOfWork
from tests.integration.scores.job_resources import (
    CATALOG,
    CREATED,
    Clock,
    ask,
    drain,
    draw_event,
    land,
    make_event,
    make_item,
    make_model_holder,
    make_move,
    make_scorer,
    read_stored,
    replay_at,
)
from tests.unit.serving.factories import make_catalog, write_small_bundle


def drop_times(answer: Any) -> dict[str, Any]:
    return msgspec.json.decode(bytes(answer))


def test_an_event_makes_its_lead_due_and_the_next_pass_scores_it(
    store: Store, tmp_path: Path
) -> None:
    clock = Clock()
    scorer = make_scorer(store, tmp_path, clock)
    land(store, "lead", make_item("ann"), at=clock())
    scorer.run_once()

    land(store, "event", make_event("ann", "e1", clock() - timedelta(minutes=1)), at=clock())
    clock.move(seconds=1)
    scorer.run_once()

    first, last = read_stored(store, "ann")
    assert [first[2], last[2]] == [False, True]
    assert last[3] == "event"
    before, after = drop_times(first[1]), drop_times(last[1])
    assert after["points"] > before["points"]
    assert datetime.fromisoformat(after["as_of"]) == clock() == last[0]
    assert 50 + sum(r["points"] for r in after["reasons"]) == pytest.approx(after["points_uncut"])
    due = ask(store, "SELECT because, lane, due_at > :at FROM score_due", at=clock())
    assert due == [("time", 1, True)]


def test_what_was_served_live_is_replayed_byte_for_byte_at_ten_moments(
    store: Store, tmp_path: Path
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
            land(store, "stage", make_move("ann", "mql", clock()), at=clock())
        clock.move(seconds=2)
        drain(scorer)
    served = read_stored(store, "ann")

    assert len(served) >= 10
    assert len({bytes(answer) for _, answer, *_ in served}) == len(served)
    for as_of, answer, *_ in served:
        assert replay_at(scorer, "ann", as_of) == bytes(answer)
        assert replay_at(scorer, "ann", as_of, anew=True) == bytes(answer)
    with store.work() as work:
        assert find_differences(work, CATALOG, ["ann"]) == []


def test_a_record_that_lands_after_a_look_is_not_seen_by_a_replay_of_that_look(
    store: Store, tmp_path: Path
) -> None:
    clock = Clock()
    scorer = make_scorer(store, tmp_path, clock)
    land(store, "lead", make_item("ann"), at=clock())
    scorer.run_once()
    ((as_of, answer, *_),) = read_stored(store, "ann")
    # The clock of the server that takes the event in is behind that of the one that scored.
    behind = as_of - timedelta(seconds=3)
    land(store, "event", make_event("ann", "e1", behind - timedelta(hours=1)), at=behind)

    assert replay_at(scorer, "ann", as_of, anew=True) == bytes(answer)
    scorer.run_once()
    assert read_stored(store, "ann")[-1][0] > as_of
    assert read_stored(store, "ann")[-1][3] == "event"


def _as_sent(lead_id: str, items: list[tuple[datetime, str, dict[str, Any]]], as_of: datetime):
    """Put what landed into one request to the stateless route."""
    versions = [(at, item["attributes"]) for at, record, item in items if record == "lead"]
    return {
        "lead_id": lead_id,
        "created_at": CREATED.isoformat(),
        "as_of": as_of.isoformat(),
        "attributes": {},
        "versions": [
            {"known_at": at.isoformat(), "attributes": attributes} for at, attributes in versions
        ],
        "events": [
            {"known_at": at.isoformat(), **{k: v for k, v in item.items() if k != "lead_id"}}
            for at, record, item in items
            if record == "event"
        ],
        "stages": [
            {"known_at": at.isoformat(), "stage": item["stage"], "at": item["at"]}
            for at, record, item in items
            if record == "stage"
        ],
    }


def test_a_live_score_is_that_of_the_stateless_route_on_the_same_records(
    store: Store, tmp_path: Path
) -> None:
    clock, rng = Clock(), np.random.default_rng(8)
    scorer = make_scorer(store, tmp_path, clock)
    landed: dict[str, list[Any]] = {}
    for lead in range(12):
        name = f"lead-{lead}"
        items = [("lead", make_item(name, attributes={"employees": int(rng.integers(1, 900))}))]
        items += [
            ("event", draw_event(rng, name, n, clock())) for n in range(int(rng.integers(0, 30)))
        ]
        if rng.random() < 0.5:
            items.append(("stage", make_move(name, "mql", clock() - timedelta(days=1))))
        for record, item in items:
            clock.move(seconds=1)
            land(store, record, item, at=clock())
            landed.setdefault(name, []).append((clock(), record, item))
    clock.move(minutes=1)
    drain(scorer)

    champion = scorer.model_holders[0].get_champion()
    scoring = Scoring(champion, clock(), 8, 10, 1_000)
    for name, items in landed.items():
        ((as_of, answer, *_),) = read_stored(store, name)
        body = msgspec.json.encode(_as_sent(name, items, as_of))
        sent = msgspec.to_builtins(score_one(scoring, read_body(body)))
        live = drop_times(answer)
        # What only the sender of the records can be told is not said of a live score.
        for only_sent in ("warnings", "ignored"):
            assert isinstance(live.pop(only_sent), list)
            sent.pop(only_sent)
        assert live == msgspec.json.decode(msgspec.json.encode(sent))


def test_time_alone_makes_a_lead_due_again(store: Store, tmp_path: Path) -> None:
    clock = Clock()
    scorer = make_scorer(store, tmp_path, clock)
    land(store, "lead", make_item("ann"), at=clock())
    land(store, "event", make_event("ann", "e1", clock() - timedelta(hours=1)), at=clock())
    clock.move(seconds=1)
    drain(scorer)
    ((due_at,),) = ask(store, "SELECT due_at FROM score_due")
    assert due_at - clock() == timedelta(hours=6)

    for _ in range(40):
        clock.at = ask(store, "SELECT min(due_at) FROM score_due")[0][0]
        drain(scorer)

    given = read_stored(store, "ann")
    assert {row[3] for row in given[1:]} == {"time"}
    assert drop_times(given[-1][1])["points"] < drop_times(given[0][1])["points"]
    waits = [int((b[0] - a[0]).total_seconds() // 3600) for a, b in pairwise(given)]
    assert sorted(set(waits)) == [6, 24, 168]
    assert waits == sorted(waits)


def test_a_won_lead_is_looked_at_monthly_and_reported_to_be_closed(
    store: Store, tmp_path: Path
) -> None:
    clock = Clock()
    scorer = make_scorer(store, tmp_path, clock)
    land(store, "lead", make_item("ann"), at=clock())
    land(store, "stage", make_move("ann", "won", clock() - timedelta(hours=1)), at=clock())
    clock.move(seconds=1)
    drain(scorer)

    ((due_at,),) = ask(store, "SELECT due_at FROM score_due")
    assert due_at - clock() == timedelta(days=30)
    assert drop_times(read_stored(store, "ann")[-1][1])["warnings"] == [
        "At as_of the lead had already reached SQL; the model learned from open leads only."
    ]


def test_a_lead_that_is_yet_to_come_is_scored_once_it_is_there(
    store: Store, tmp_path: Path
) -> None:
    clock = Clock()
    scorer = make_scorer(store, tmp_path, clock)
    creation = clock() + timedelta(hours=10)
    land(store, "lead", make_item("ann", created_at=creation.isoformat()), at=clock())
    drain(scorer)
    assert read_stored(store, "ann") == []

    clock.at = creation + MICROSECOND
    drain(scorer)
    assert len(read_stored(store, "ann")) == 1


def test_a_lead_that_was_merged_has_its_survivor_scored(store: Store, tmp_path: Path) -> None:
    clock = Clock()
    scorer = make_scorer(store, tmp_path, clock)
    for name in ("ann", "ann-2"):
        land(store, "lead", make_item(name), at=clock())
    with store.work() as work:
        work.execute("UPDATE lead SET merged_into = 'ann' WHERE lead_id = 'ann-2'")
        work.execute("UPDATE packed_history SET fingerprint = '', records = ''")
    clock.move(seconds=1)
    drain(scorer)

    assert len(read_stored(store, "ann")) == 1
    assert read_stored(store, "ann-2") == []
    assert ask(store, "SELECT lead_id, because FROM score_due") == [("ann", "time")]


def test_a_lead_that_cannot_be_scored_is_set_aside_and_the_others_are_scored(
    store: Store, tmp_path: Path
) -> None:
    def stumble(work: UnitOfWork, given: Any) -> None:
        if any(one.score.lead_id == "bad" for one in given):
            raise ZeroDivisionError

    clock = Clock()
    scorer = make_scorer(store, tmp_path, clock, after=stumble)
    for name in ("ann", "bad", "cid"):
        land(store, "lead", make_item(name), at=clock())
    clock.move(seconds=1)
    drain(scorer)

    assert [len(read_stored(store, name)) for name in ("ann", "bad", "cid")] == [1, 0, 1]
    jobs = ask(
        store, "SELECT task_name, args->>'lead_id' FROM procrastinate_jobs WHERE args ? 'lead_id'"
    )
    assert jobs == [("baton.score_lead", "bad")]
    assert ask(store, "SELECT lead_id FROM score_due WHERE due_at <= :at", at=clock()) == []


@pytest.fixture
def account_scorer(store: Store, tmp_path: Path) -> LiveScorer:
    clock = Clock()
    folder = write_small_bundle(tmp_path / "champion", accounts=True)
    return make_scorer(store, tmp_path, clock, model_holders=[make_model_holder(folder, clock)])


def test_what_a_colleague_does_moves_a_lead_and_is_replayed_alike(
    store: Store, account_scorer: LiveScorer
) -> None:
    catalog, clock, scorer = make_catalog(accounts=True), account_scorer.now, account_scorer
    assert isinstance(clock, Clock)
    for name in ("ann", "bob", "cid"):
        account = {"account_id": "acme" if name != "cid" else "other"}
        land(store, "lead", make_item(name, **account), at=clock(), catalog=catalog)
    clock.move(seconds=1)
    drain(scorer)
    clock.move(hours=1)
    event = make_event("bob", "e1", clock() - timedelta(minutes=2))
    land(store, "event", event, at=clock(), catalog=catalog)
    drain(scorer)
    clock.move(minutes=1)
    drain(scorer)

    given = read_stored(store, "ann")
    assert given[-1][3] == "colleague"
    assert drop_times(given[-1][1])["points"] > drop_times(given[-2][1])["points"]
    assert len(read_stored(store, "cid")) == 1
    for name in ("ann", "bob", "cid"):
        for as_of, answer, *_ in read_stored(store, name):
            assert replay_at(scorer, name, as_of, anew=True) == bytes(answer)


def _land_of_accounts(scorer: LiveScorer, **accounts: str | None) -> None:
    catalog, at = make_catalog(accounts=True), scorer.now()
    for name, account in accounts.items():
        land(scorer.store, "lead", make_item(name, account_id=account), at=at, catalog=catalog)


def _merge(scorer: LiveScorer, kept: str, merged: str) -> int:
    hand = Actor("ann the admin", scorer.now())
    return scorer.store.run(
        lambda work: merge_leads(work, kept, merged, "a twin", hand, both_known=True)
    ).merge_id


def test_a_replay_across_a_colleagues_merge_gives_the_same_bytes(
    account_scorer: LiveScorer,
) -> None:
    clock, scorer = account_scorer.now, account_scorer
    assert isinstance(clock, Clock)
    catalog = make_catalog(accounts=True)
    _land_of_accounts(scorer, ann="acme", bob="acme", dee=None)
    event = make_event("bob", "e1", clock() - timedelta(hours=1))
    land(scorer.store, "event", event, at=clock(), catalog=catalog)
    clock.move(minutes=1)
    drain(scorer)
    as_of, answer, *_ = read_stored(scorer.store, "ann")[-1]

    clock.move(minutes=1)
    _merge(scorer, "dee", "bob")

    assert replay_at(scorer, "ann", as_of, anew=True) == bytes(answer)
    # And bob, asked about a moment at which he was none but himself, is answered as himself.
    as_of, answer, *_ = read_stored(scorer.store, "bob")[-1]
    assert replay_at(scorer, "bob", as_of) == bytes(answer)
    assert replay_at(scorer, "bob", as_of, anew=True) == bytes(answer)
    clock.move(minutes=1)
    drain(scorer)
    as_of, answer, *_ = read_stored(scorer.store, "dee")[-1]
    assert replay_at(scorer, "bob", as_of) == bytes(answer)
    as_of, answer, *_ = read_stored(scorer.store, "ann")[-1]
    assert replay_at(scorer, "ann", as_of, anew=True) == bytes(answer)


def test_a_merged_colleague_counts_once_and_only_so_many_colleagues_count(
    account_scorer: LiveScorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer = account_scorer
    _land_of_accounts(scorer, ann="acme", bob="acme", cid="acme", dee="acme", eve="other")
    _merge(scorer, "bob", "dee")

    def find() -> dict[str, list[str]]:
        with scorer.store.work(read_only=True) as work:
            return histories.find_colleagues(work, ["ann", "cid", "eve"])

    assert find() == {"ann": ["bob", "cid"], "cid": ["ann", "bob"], "eve": []}
    monkeypatch.setattr(histories, "MOST_COLLEAGUES", 1)
    assert find() == {"ann": ["bob"], "cid": ["ann"], "eve": []}


def test_a_lead_known_by_attempts_alone_is_packed_as_its_rows_are(
    store: Store, tmp_path: Path
) -> None:
    clock = Clock()
    called = {"lead_id": "ann", "channel": "call", "at": (clock() - timedelta(days=3)).isoformat()}

    land(store, "attempt", called, at=clock())

    with store.work() as work:
        assert find_differences(work, CATALOG, ["ann"]) == []
