"""Leads become one and two again: no record is lost, packed is what the rows say, the past stays."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from features.clock import to_us
from features.compute.online import compute_packed_rows, compute_rows
from serving.errors import RefusedError
from serving.intake.errors import (
    BothKnownError,
    LeadErasedError,
    MergedElsewhereError,
    MergeUndoneError,
    NoSuchLeadError,
    NoSuchMergeError,
    OneAlreadyError,
    SameLeadError,
)
from serving.scoring.lead_histories import read_people_as_of, read_record_as_of
from serving.store.packed import find_differences, read_packed
from serving.store.session import Store
from serving.store.snapshots import read_store
from serving.store.tombstones import hash_id
from tests.integration.intake.factories import (
    CATALOG,
    ask,
    make_event,
    merge,
    send,
    survivors,
    undo,
)
from tests.integration.scores.job_resources import Clock, make_model_holder, make_scorer, replay_at
from tests.unit.serving.factories import NOW, make_catalog, write_small_bundle


def count_packed(store: Store, *lead_ids: str) -> list[int]:
    with store.work() as work:
        packed = read_packed(work, CATALOG, lead_ids)
        assert find_differences(work, CATALOG, lead_ids) == []
    return [len(packed[lead_id].records) // 16 for lead_id in lead_ids]


def test_a_merge_joins_histories_and_undoing_it_restores_both(store: Store) -> None:
    send(store, "event", make_event("e1"), make_event("e2"), make_event("e3", lead_id="bob"))
    made = merge(store, "ann", "bob")
    send(store, "event", make_event("e4", lead_id="bob"))

    assert count_packed(store, "ann") == [4]
    assert ask(store, "SELECT lead_id FROM packed_history") == [("ann",)]

    undone = undo(store, made.merge_id, NOW + timedelta(hours=1))

    assert (undone.undone_by, undone.undone_at) == ("bob the admin", NOW + timedelta(hours=1))
    assert count_packed(store, "ann", "bob") == [2, 2]
    assert set(ask(store, "SELECT lead_id FROM score_due WHERE because = 'merge'")) == {
        ("ann",),
        ("bob",),
    }


def test_a_merge_may_be_undone_though_others_were_built_on_it(store: Store) -> None:
    for lead_id in ("ann", "bob", "cyd", "dee"):
        send(store, "event", make_event(lead_id, lead_id=lead_id))
    merge(store, "cyd", "dee")
    first = merge(store, "bob", "cyd")
    merge(store, "ann", "bob")
    assert survivors(store) == dict.fromkeys(["ann", "bob", "cyd", "dee"], "ann")

    undo(store, first.merge_id)

    assert survivors(store) == {"ann": "ann", "bob": "ann", "cyd": "cyd", "dee": "cyd"}
    assert count_packed(store, "ann", "cyd") == [2, 2]


def _merge_with_nobody(store: Store) -> None:
    merge(store, "ann", "nobody")


def _merge_with_itself(store: Store) -> None:
    merge(store, "ann", "ann")


def _merge_again(store: Store) -> None:
    merge(store, "ann", "bob")
    merge(store, "ann", "bob")


def _merge_in_a_circle(store: Store) -> None:
    merge(store, "ann", "bob")
    merge(store, "bob", "ann")


def _merge_a_part_of_another(store: Store) -> None:
    merge(store, "ann", "bob")
    merge(store, "cyd", "bob")


def _merge_into_a_part_of_another(store: Store) -> None:
    merge(store, "ann", "bob")
    merge(store, "bob", "cyd")


def _merge_two_known_ones_unsaid(store: Store) -> None:
    merge(store, "ann", "bob", both_known=False)


def _merge_an_erased_one(store: Store) -> None:
    with store.work() as work:
        work.execute("DELETE FROM lead WHERE lead_id = 'bob'")
        values = {"hash": hash_id("bob"), "at": NOW}
        work.execute("INSERT INTO tombstone VALUES (%(hash)s, %(at)s)", values)
    merge(store, "ann", "bob")


def _undo_none(store: Store) -> None:
    undo(store, 999)


def _undo_twice(store: Store) -> None:
    made = merge(store, "ann", "bob")
    undo(store, made.merge_id)
    undo(store, made.merge_id)


@pytest.mark.parametrize(
    ("action", "refusal"),
    [
        (_merge_with_nobody, NoSuchLeadError),
        (_merge_with_itself, SameLeadError),
        (_merge_again, OneAlreadyError),
        (_merge_in_a_circle, OneAlreadyError),
        (_merge_a_part_of_another, MergedElsewhereError),
        (_merge_into_a_part_of_another, MergedElsewhereError),
        (_merge_two_known_ones_unsaid, BothKnownError),
        (_merge_an_erased_one, LeadErasedError),
        (_undo_none, NoSuchMergeError),
        (_undo_twice, MergeUndoneError),
    ],
)
def test_what_cannot_be_merged_is_refused_by_name(
    action: Callable[[Store], None], refusal: type[RefusedError], store: Store
) -> None:
    send(store, "lead", *({"lead_id": lead_id} for lead_id in ("ann", "bob", "cyd")))

    with pytest.raises(refusal):
        action(store)


def test_a_merge_is_after_every_look_at_one_of_its_leads(store: Store) -> None:
    send(store, "event", make_event("e1"), make_event("e2", lead_id="bob"))
    last_scored_as_of = NOW + timedelta(minutes=5)
    with store.work() as work:
        work.execute(
            "UPDATE lead SET last_scored_as_of = %s WHERE lead_id = 'bob'", (last_scored_as_of,)
        )

    made = merge(store, "ann", "bob")

    assert made.merged_at == last_scored_as_of + timedelta(microseconds=1)
    assert undo(store, made.merge_id).undone_at >= made.merged_at


def test_merges_that_cross_each_other_end_in_one(store: Store) -> None:
    leads = [f"L{i}" for i in range(5)]
    send(store, "event", *(make_event(lead_id, lead_id=lead_id) for lead_id in leads))
    pairs = [(kept, merged) for kept in leads for merged in leads if kept != merged]

    def try_merge(pair: tuple[str, str]) -> int:
        try:
            merge(store, *pair)
        except (OneAlreadyError, MergedElsewhereError):
            return 0
        return 1

    with ThreadPoolExecutor(6) as threads:
        made = sum(threads.map(try_merge, pairs))

    assert made == len(leads) - 1
    kept = set(survivors(store).values())
    assert len(kept) == 1
    assert count_packed(store, *kept) == [len(leads)]


def test_what_a_lead_brought_in_is_known_in_training_from_the_merge_on(store: Store) -> None:
    send(store, "event", make_event("e1"), make_event("e2", lead_id="bob"))
    send(store, "lead", {"lead_id": "bob", "attributes": {"employees": 5}})
    at = NOW + timedelta(days=1)
    made = merge(store, "ann", "bob", at)

    def read(before: datetime) -> dict[str, tuple[str, datetime]]:
        events = read_store(store, before, CATALOG.taxonomy, CATALOG).events.to_pylist()
        return {one["event_id"]: (one["lead_id"], one["known_at"]) for one in events}

    joined = {"api:e1": ("ann", NOW), "api:e2": ("ann", at)}
    apart = {"api:e1": ("ann", NOW), "api:e2": ("bob", NOW)}
    assert read(at + timedelta(days=1)) == joined
    assert read(at) == apart
    undo(store, made.merge_id, at + timedelta(days=2))
    assert read(at + timedelta(days=1)) == joined
    assert read(at + timedelta(days=3)) == apart
    leads = read_store(store, at + timedelta(days=1), CATALOG.taxonomy, CATALOG).leads.to_pylist()
    assert [(one["lead_id"], one["known_at"], one["employees"]) for one in leads] == [
        ("ann", NOW - timedelta(hours=1), None),
        ("ann", at, 5),
    ]


class Market:
    """Leads that act, merge and part at random, and what is expected of them."""

    catalog = make_catalog(accounts=True)

    def __init__(self, store: Store, folder: Path, seed: int) -> None:
        self.store, self.rng, self.clock = store, random.Random(seed), Clock()  # noqa: S311 - no secret
        bundle = write_small_bundle(folder / "champion", accounts=True)
        self.scorer = make_scorer(
            store, folder, self.clock, model_holders=[make_model_holder(bundle, self.clock)]
        )
        self.scorer.note_champions()
        self.leads = [f"L{i}" for i in range(6)]
        self.events: dict[str, set[str]] = {lead_id: set() for lead_id in self.leads}
        self.merged: dict[int, tuple[str, str]] = {}
        account = {"account_id": "acme"}
        self.send("lead", *({"lead_id": i, **(account if i < "L3" else {})} for i in self.leads))

    def send(self, record: str, *items: dict[str, Any]) -> None:
        send(self.store, record, *items, at=self.clock(), catalog=self.catalog)

    def root(self, lead_id: str) -> str:
        into = {merged: kept for kept, merged in self.merged.values()}
        while lead_id in into:
            lead_id = into[lead_id]
        return lead_id

    def act(self) -> None:
        lead_id = self.rng.choice(self.leads)
        event_id = f"e{sum(map(len, self.events.values()))}"
        when = self.clock() - timedelta(minutes=self.rng.randint(0, 50_000))
        self.send("event", make_event(event_id, lead_id=lead_id, occurred_at=when.isoformat()))
        self.events[lead_id].add(event_id)
        if self.rng.random() < 0.4:
            account = {"account_id": "globex"} if self.rng.random() < 0.3 else {}
            attributes = {"employees": self.rng.randint(1, 99)}
            self.send("lead", {"lead_id": lead_id, "attributes": attributes, **account})

    def merge(self) -> None:
        kept, merged = self.rng.sample(self.leads, 2)
        if self.root(kept) != kept or self.root(merged) != merged:
            return
        made = merge(self.store, kept, merged, self.clock())
        self.merged[made.merge_id] = (kept, merged)

    def part(self) -> None:
        if self.merged:
            merge_id = self.rng.choice(sorted(self.merged))
            undo(self.store, merge_id, self.clock())
            del self.merged[merge_id]

    def score(self) -> None:
        """Have some of the leads scored, as a worker does."""
        for lead_id in self.leads:
            if self.root(lead_id) == lead_id and self.rng.random() < 0.8:
                self.scorer.score_lead(lead_id, ["asked"])

    def check(self) -> None:
        kept = {lead_id: self.root(lead_id) for lead_id in self.leads}
        assert survivors(self.store) == kept
        with self.store.work() as work:
            roots = sorted(set(kept.values()))
            assert find_differences(work, self.catalog, roots) == []
            for lead_id, packed in read_packed(work, self.catalog, roots).items():
                held = [len(self.events[one]) for one in self.leads if kept[one] == lead_id]
                assert len(packed.records) == 16 * sum(held), lead_id

    def replay(self) -> int:
        """Replay every score that was given; tell how many there were."""
        given = ask(self.store, "SELECT lead_id, as_of, answer FROM score")
        for lead_id, as_of, answer in given:
            again = replay_at(self.scorer, lead_id, as_of, anew=True)
            assert again == bytes(answer), (lead_id, as_of)
            with self.store.work(read_only=True) as work:
                packed = read_people_as_of(work, self.catalog, lead_id, as_of)
                record = read_record_as_of(work, self.catalog, lead_id, as_of)
            row = compute_packed_rows(self.catalog, [packed], [to_us(as_of)])
            assert row.tobytes() == compute_rows(self.catalog, [record], [to_us(as_of)]).tobytes()
        return len(given)


@pytest.mark.parametrize("seed", range(5))
def test_no_sequence_of_merges_and_undoings_loses_an_event_or_changes_the_past(
    seed: int, store: Store, tmp_path: Path
) -> None:
    market = Market(store, tmp_path, seed)
    for _ in range(18):
        market.clock.move(minutes=market.rng.randint(1, 2_000))
        market.rng.choice([market.act, market.act, market.merge, market.merge, market.part])()
        market.check()
        market.score()

    assert market.replay() > 30

    rows = ask(store, "SELECT lead_id, event_id FROM event")
    assert set(rows) == {(lead, one) for lead, held in market.events.items() for one in held}
    for merge_id in sorted(market.merged):
        undo(store, merge_id, market.clock())
    assert all(lead_id == kept for lead_id, kept in survivors(store).items())
